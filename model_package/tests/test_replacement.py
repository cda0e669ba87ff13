"""A bundle replaced in place: whoever reads it sees the old one or the new one, whenever the writer is killed."""

import os
import random
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from model.artifacts import Bundle, check_writable, read_bundle, write_bundle, write_files

KILLS = 40
WRITER = """
import os, sys
from pathlib import Path
from model.artifacts import read_bundle, write_bundle

target, *sources = map(Path, sys.argv[1:])
bundles = [read_bundle(source) for source in sources]
for _ in sys.stdin:
    child = os.fork()
    while child == 0:
        for bundle in bundles:
            write_bundle(target, bundle.metadata, bundle.files)
    print(child, flush=True)
    os.waitpid(child, 0)
    print("dead", flush=True)
"""


@pytest.fixture(scope="module")
def versions(tmp_path_factory: pytest.TempPathFactory, exported: Path) -> list[Bundle]:
    """Two bundles that differ in every file, and in which files there are."""
    bundle, versions = read_bundle(exported), []
    for version, report in (("a", "report/old.md"), ("b", "report/new.md")):
        folder = tmp_path_factory.mktemp(version)
        files = {name: content for name, content in bundle.files.items() if "/" not in name}
        files |= {"model.onnx": version.encode() * 300_000, "similar.safetensors": version.encode() * 200_000}
        metadata = bundle.metadata.model_copy(update={"version": version, "temperature": 1 + ord(version)})
        write_bundle(folder, metadata, {**files, report: version.encode()})
        versions.append(read_bundle(folder))
    return versions


@pytest.fixture
def replaced(tmp_path: Path, versions: list[Bundle]) -> Path:
    """The first version, with a file of somebody else beside it."""
    folder = tmp_path / "replaced"
    write_bundle(folder, versions[0].metadata, versions[0].files)
    (folder / "notes.md").write_text("mine")
    return folder


def _files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def _write(folder: Path, bundle: Bundle) -> None:
    write_bundle(folder, bundle.metadata, bundle.files)
    assert _files(folder) == {*bundle.files, "metadata.json", "notes.md"}
    assert {path.name for path in folder.iterdir() if path.is_dir()} == {"report"}
    assert all((folder / name).read_bytes() == content for name, content in bundle.files.items())


@pytest.fixture
def writer(replaced: Path, versions: list[Bundle], tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    """A process that forks a child to replace the bundle again and again at each line that it reads."""
    for bundle in versions:
        write_bundle(tmp_path / bundle.metadata.version, bundle.metadata, bundle.files)
    sources = (str(tmp_path / bundle.metadata.version) for bundle in versions)
    command = [sys.executable, "-c", WRITER, str(replaced), *sources]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1) as process:
        yield process
        assert process.stdin is not None
        process.stdin.close()


def test_forty_kills_leave_the_old_bundle_or_the_new_one(
    replaced: Path, versions: list[Bundle], writer: subprocess.Popen[str]
) -> None:
    assert writer.stdin is not None and writer.stdout is not None
    rng = random.Random(0)
    for _ in range(KILLS):
        writer.stdin.write("\n")
        child = int(writer.stdout.readline())
        time.sleep(rng.uniform(0, 0.05))
        os.kill(child, signal.SIGKILL)
        assert writer.stdout.readline() == "dead\n"
        assert read_bundle(replaced) in versions
    _write(replaced, versions[0])


def test_a_kill_at_any_step_leaves_either_and_the_next_writer_clears_up(
    replaced: Path, versions: list[Bundle], tmp_path: Path, kill_at: Callable[..., bool]
) -> None:
    new = versions[1]
    pristine, step, seen = shutil.copytree(replaced, tmp_path / "pristine"), 0, []
    while kill_at(step, lambda: write_bundle(replaced, new.metadata, new.files)):
        seen.append(versions.index(read_bundle(replaced)))
        _write(replaced, versions[step % 2])
        shutil.rmtree(replaced)
        shutil.copytree(pristine, replaced)
        step += 1
    assert seen == sorted(seen)  # the old one up to a step, the new one from there on
    assert set(seen) == {0, 1}


def test_a_reader_beside_a_writer_sees_whole_bundles(replaced: Path, versions: list[Bundle]) -> None:
    done = threading.Event()

    def replace() -> None:
        while not done.is_set():
            for bundle in reversed(versions):
                write_bundle(replaced, bundle.metadata, bundle.files)

    thread = threading.Thread(target=replace)
    thread.start()
    try:
        seen = [read_bundle(replaced) for _ in range(30)]
    finally:
        done.set()
        thread.join()
    assert all(bundle in versions for bundle in seen)


def test_writers_take_turns(replaced: Path, versions: list[Bundle]) -> None:
    threads = [
        threading.Thread(target=write_bundle, args=(replaced, bundle.metadata, bundle.files)) for bundle in versions * 4
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read_bundle(replaced) in versions
    _write(replaced, versions[1])


def test_leftovers_of_older_versions_are_cleared(replaced: Path, versions: list[Bundle]) -> None:
    (replaced / ".staging-abc").mkdir()
    (replaced / ".staging-abc" / "model.onnx").write_bytes(b"half")
    _write(replaced, versions[1])


def test_asking_whether_a_folder_is_writable_and_writing_a_report_leave_nothing_behind(tmp_path: Path) -> None:
    check_writable(tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []
    write_files(tmp_path / "new", {"metrics.json": b"{}"})
    assert _files(tmp_path / "new") == {"metrics.json"}
