"""A store as those rely on it who read it while others write to it, and after a kill at any point."""

import json
import os
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from model.artifacts import read_bundle, write_bundle
from model.constants import METADATA_FILE, ONNX_FILE
from model.errors import BundleError, StoreError
from model.registry.store import Store, resolve_bundle

VERSIONS = [f"{i:012x}" for i in range(1, 5)]


@pytest.fixture(scope="session")
def bundles(tmp_path_factory: pytest.TempPathFactory, exported: Path) -> dict[str, Path]:
    """Bundles of four versions, each created an hour after the one before."""
    bundle = read_bundle(exported)
    folders = {version: tmp_path_factory.mktemp(version) for version in VERSIONS}
    for hours, (version, folder) in enumerate(folders.items()):
        created_at = bundle.metadata.created_at + timedelta(hours=hours)
        metadata = bundle.metadata.model_copy(update={"version": version, "created_at": created_at})
        write_bundle(folder, metadata, {**bundle.files, "report/metrics.json": b"{}"})
    return folders


@pytest.fixture
def store(tmp_path: Path, bundles: dict[str, Path]) -> Store:
    """A store in which the second version followed the first as champion, and the third was added since."""
    store = Store(tmp_path / "store")
    for champion, version in zip([None, *VERSIONS], VERSIONS[:2], strict=False):
        store.add(bundles[version])
        store.promote(version, instead_of=champion)
    store.add(bundles[VERSIONS[2]])
    return store


def _snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_versions_come_by_creation_whole_and_with_their_roles(store: Store, bundles: dict[str, Path]) -> None:
    assert [metadata.version for metadata in store.versions()] == VERSIONS[:3]
    for version in VERSIONS[:3]:
        assert read_bundle(store.folder(version)) == read_bundle(bundles[version])
    assert (store.champion(), store.challenger()) == (VERSIONS[1], VERSIONS[2])


def test_adding_again_changes_nothing(store: Store, bundles: dict[str, Path]) -> None:
    before = _snapshot(store.path)
    store.add(bundles[VERSIONS[0]])
    assert _snapshot(store.path) == before


def test_the_ledger_tells_what_happened(store: Store) -> None:
    store.refuse(VERSIONS[2], "top-1 failed", gate=[{"name": "top-1", "passed": False}])
    store.rollback()
    lines = [json.loads(line) for line in (store.path / "ledger.jsonl").read_text().splitlines()]
    assert [(line["event"], line["version"], line["previous"]) for line in lines] == [
        ("added", VERSIONS[0], None),
        ("promoted", VERSIONS[0], None),
        ("added", VERSIONS[1], VERSIONS[0]),
        ("promoted", VERSIONS[1], VERSIONS[0]),
        ("added", VERSIONS[2], VERSIONS[1]),
        ("refused", VERSIONS[2], VERSIONS[1]),
        ("rolled_back", VERSIONS[0], VERSIONS[1]),
    ]
    assert lines[5]["gate"] == [{"name": "top-1", "passed": False}] and lines[5]["reason"] == "top-1 failed"
    assert all(line["time"].endswith("Z") for line in lines)


def test_rolling_back_goes_further_back_each_time_and_then_says_so(store: Store) -> None:
    store.promote(VERSIONS[2], instead_of=VERSIONS[1])
    assert [store.rollback(), store.rollback()] == [VERSIONS[1], VERSIONS[0]]
    before = _snapshot(store.path)
    with pytest.raises(StoreError, match="no champion before"):
        store.rollback()
    assert _snapshot(store.path) == before


def test_a_version_that_was_rolled_back_is_no_challenger(store: Store) -> None:
    store.promote(VERSIONS[2], instead_of=VERSIONS[1])
    store.rollback()
    assert store.challenger() is None
    store.promote(VERSIONS[2], instead_of=VERSIONS[1])
    assert store.champion() == VERSIONS[2]


def test_promoting_what_cannot_be_changes_nothing(store: Store) -> None:
    before = _snapshot(store.path)
    for version, instead_of in [
        (VERSIONS[1], VERSIONS[1]),  # the champion itself
        (VERSIONS[2], VERSIONS[0]),  # compared with one that is champion no more
        (VERSIONS[3], VERSIONS[1]),  # not there
        ("../bundle", VERSIONS[1]),
    ]:
        with pytest.raises(StoreError):
            store.promote(version, instead_of=instead_of)
    assert _snapshot(store.path) == before


@pytest.mark.parametrize("name", [METADATA_FILE, ONNX_FILE])
def test_a_damaged_version_hides_no_other_is_never_champion_and_can_be_added_again(
    store: Store, bundles: dict[str, Path], name: str
) -> None:
    path = store.folder(VERSIONS[0]) / name
    path.write_bytes(path.read_bytes()[:-9])
    if name == METADATA_FILE:
        assert [metadata.version for metadata in store.versions()] == VERSIONS[1:3]
        assert list(store.damaged()) == [VERSIONS[0]]
    for attempt in (store.rollback, lambda: store.promote(VERSIONS[0], instead_of=VERSIONS[1])):
        with pytest.raises(BundleError):
            attempt()
    assert store.champion() == VERSIONS[1]
    store.add(bundles[VERSIONS[0]])
    assert store.rollback() == VERSIONS[0]


def test_a_version_under_the_name_of_another_is_damaged(store: Store) -> None:
    shutil.rmtree(store.folder(VERSIONS[0]))
    shutil.copytree(store.folder(VERSIONS[1]), store.path / VERSIONS[0])
    assert list(store.damaged()) == [VERSIONS[0]]
    with pytest.raises(StoreError, match="holds version"):
        store.rollback()


def test_a_damaged_bundle_is_not_added(store: Store, bundle: Path) -> None:
    before = _snapshot(store.path)
    (bundle / ONNX_FILE).write_bytes(b"")
    with pytest.raises(BundleError):
        store.add(bundle)
    assert _snapshot(store.path) == before


def test_a_ledger_cut_off_anywhere_in_its_last_line_is_read_and_continued(store: Store) -> None:
    path = store.path / "ledger.jsonl"
    whole, entries = path.read_bytes(), store.history()
    start = whole[:-1].rfind(b"\n") + 1
    for end in range(start, len(whole)):
        path.write_bytes(whole[:end])
        assert store.history() == entries[:-1]
    store.refuse(VERSIONS[2], "reason")
    assert [entry.event for entry in store.history()] == [*(entry.event for entry in entries[:-1]), "refused"]


@pytest.mark.parametrize("verb", ["add", "promote", "rollback"])
def test_a_kill_at_any_point_leaves_a_whole_champion_and_can_be_gone_on_from(
    store: Store, bundles: dict[str, Path], tmp_path: Path, kill_at: Callable[..., bool], verb: str
) -> None:
    pristine = shutil.copytree(store.path, tmp_path / "pristine")

    def act() -> object:
        return {
            "add": lambda: store.add(bundles[VERSIONS[3]]),
            "promote": lambda: store.promote(VERSIONS[2], instead_of=VERSIONS[1]),
            "rollback": store.rollback,
        }[verb]()

    after = {"add": VERSIONS[1], "promote": VERSIONS[2], "rollback": VERSIONS[0]}[verb]
    step = 0
    while kill_at(step, act):
        champion = store.champion()
        assert champion in {VERSIONS[1], after}
        assert read_bundle(resolve_bundle(store.path)).metadata.version == champion
        assert len(store.history()) in {5, 6}
        assert not store.damaged()
        if champion == after and verb != "add":
            store.refuse(VERSIONS[2], "any next writer")
        else:
            act()
        assert store.champion() == after
        assert {entry.version for entry in store.history() if entry.event == "added"} == {
            metadata.version for metadata in store.versions()
        }
        moves = [entry.version for entry in store.history() if entry.event in {"promoted", "rolled_back"}]
        assert moves == [VERSIONS[0], VERSIONS[1], *([after] if verb != "add" else [])]
        assert not list(store.path.glob(".adding-*"))
        shutil.rmtree(store.path)
        shutil.copytree(pristine, store.path)
        step += 1
    assert step >= 9


def test_of_concurrent_promotions_one_wins_and_the_others_are_refused(store: Store, bundles: dict[str, Path]) -> None:
    store.add(bundles[VERSIONS[3]])
    together = threading.Barrier(4)

    def promote(version: str) -> bool:
        together.wait()
        try:
            Store(store.path).promote(version, instead_of=VERSIONS[1])
        except StoreError:
            return False
        return True

    with ThreadPoolExecutor(4) as pool:
        won = list(pool.map(promote, VERSIONS[2:] * 2))
    assert sum(won) == 1
    assert [entry.version for entry in store.history() if entry.event == "promoted"][2:] == [store.champion()]


def test_additions_at_the_same_time_all_arrive_once(tmp_path: Path, bundles: dict[str, Path]) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda version: Store(tmp_path / "store").add(bundles[version]), VERSIONS * 2))
    store = Store(tmp_path / "store")
    assert [metadata.version for metadata in store.versions()] == VERSIONS
    assert sorted(entry.version for entry in store.history()) == VERSIONS


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"../../etc\n", b"0" * 10_000_000, None])
def test_a_pointer_of_garbage_is_refused_at_once(store: Store, content: bytes | None) -> None:
    pointer = store.path / "current"
    pointer.unlink()
    if content is None:
        os.mkfifo(pointer)  # nobody writes to it: a plain read would wait for ever
    else:
        pointer.write_bytes(content)

    def resolve() -> None:
        with pytest.raises(StoreError, match=r"does not name a version|cannot be read"):
            resolve_bundle(store.path)

    reader = threading.Thread(target=resolve, daemon=True)
    reader.start()
    reader.join(timeout=30)
    assert not reader.is_alive()
    resolve()


def test_a_path_means_a_bundle_or_the_champion_of_a_store(store: Store, bundle: Path, tmp_path: Path) -> None:
    assert resolve_bundle(bundle) == bundle
    assert resolve_bundle(store.path) == store.path / VERSIONS[1]
    (store.path / "current").write_text("../../elsewhere\n")
    with pytest.raises(StoreError, match="does not name a version"):
        resolve_bundle(store.path)
    (store.path / "current").unlink()
    with pytest.raises(StoreError, match="without a champion"):
        resolve_bundle(store.path)
    assert resolve_bundle(tmp_path / "nothing") == tmp_path / "nothing"


def test_a_folder_that_cannot_be_a_store_is_one_sentence(tmp_path: Path, bundle: Path) -> None:
    (tmp_path / "file").write_text("")
    store = Store(tmp_path / "file")
    assert (store.versions(), store.champion(), store.challenger()) == ([], None, None)
    with pytest.raises(StoreError, match="cannot be written"):
        store.add(bundle)
    with pytest.raises(StoreError, match="no store at"):
        Store(tmp_path / "missing").rollback()
    assert not (tmp_path / "missing").exists()
