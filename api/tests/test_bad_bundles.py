"""Bundles that cannot be served, swapped in one after the other; each is followed by one that can, and loads."""

import fcntl
import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from onnx import TensorProto

from api.tests import networks
from api.tests.conftest import ENDINGS, Server, metric_sum, start, stop, until
from api.tests.test_reload import served_version
from model.artifacts import Bundle, read_bundle, write_bundle
from model.explain.similar_names import build_index
from model.registry.store import Store

WIDTH = len(ENDINGS) + 1
VERSIONS = (f"{number:012x}" for number in count(1))
REFUSED = "model refused, the old one goes on serving"

Damage = Callable[[Path, Bundle], None]
"""What makes a bad bundle of what stands in a folder: a good one."""


def file_with(name: str, content: bytes | None) -> Damage:
    """Return what writes another file, or none, with its true hash into the metadata."""

    def damage(place: Path, good: Bundle) -> None:
        files = {**good.files, name: content or b""}
        if content is None:
            del files[name]
        write_bundle(place, good.metadata, files)

    return damage


def truncated(name: str) -> Damage:
    return lambda place, good: file_with(name, good.files[name][: len(good.files[name]) // 2])(place, good)


def metadata_with(**fields: object) -> Damage:
    return lambda place, good: write_bundle(place, good.metadata.model_copy(update=fields), good.files)


def raw_metadata(content: bytes) -> Damage:
    return instead_of("metadata.json", lambda path: path.write_bytes(content))


def instead_of(name: str, make: Callable[[Path], object]) -> Damage:
    """Return what puts something that is no file in the place of one."""

    def damage(place: Path, good: Bundle) -> None:
        del good
        make(_discard(place / name))

    return damage


def _discard(path: Path) -> Path:
    shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink(missing_ok=True)
    return path


def _change_a_byte(place: Path, good: Bundle) -> None:
    content = bytearray(good.files["model.onnx"])
    content[len(content) // 2] ^= 1
    (place / "model.onnx").write_bytes(content)


BAD_BUNDLES: dict[str, Damage] = {
    "network truncated": truncated("model.onnx"),
    "network of random bytes": file_with("model.onnx", bytes(range(256)) * 10),
    "network with another input": file_with("model.onnx", networks.network(WIDTH, ids="tokens")),
    "network of fractions": file_with("model.onnx", networks.network(WIDTH, kind=TensorProto.FLOAT)),
    "network of one label more": file_with("model.onnx", networks.network(WIDTH + 1)),
    "network that nests its answer": file_with("model.onnx", networks.network(WIDTH, rank=3)),
    "network that answers one row": file_with("model.onnx", networks.batch_blind_network(WIDTH)),
    "network that padding changes": file_with("model.onnx", networks.padding_blind_network(WIDTH)),
    "network of NaN": file_with("model.onnx", networks.network(WIDTH, value=float("nan"))),
    "network of infinity": file_with("model.onnx", networks.network(WIDTH, value=float("inf"))),
    "network that fails": file_with("model.onnx", networks.failing_network(WIDTH)),
    "network of an unknown operator": file_with("model.onnx", networks.network_of("Conjure", WIDTH)),
    "network with its numbers elsewhere": file_with("model.onnx", networks.network_with_external_data(WIDTH)),
    "network is a folder": instead_of("model.onnx", Path.mkdir),
    "network is a FIFO": instead_of("model.onnx", os.mkfifo),
    "one bit of the network": _change_a_byte,
    "weights truncated": truncated("weights.safetensors"),
    "names truncated": truncated("similar.safetensors"),
    "names missing": file_with("similar.safetensors", None),
    "names of another label": file_with("similar.safetensors", build_index(["Other"], ["a"], np.array([0]))),
    "version with a line break": metadata_with(version="a\r\nset-cookie: b"),
    "other labels": metadata_with(labels=("A", "B"), prior=(0.5, 0.5)),
    "metadata not UTF-8": raw_metadata(b'{"version": "\xff"}'),
    "metadata nested": raw_metadata(b"[" * 100_000),
    "metadata of an unknown schema": raw_metadata(b'{"schema_version": 1e999}'),
    "metadata with a long number": raw_metadata(b'{"schema_version": ' + b"9" * 10_000 + b"}"),
    "metadata is a folder": instead_of("metadata.json", Path.mkdir),
    "metadata is a FIFO": instead_of("metadata.json", os.mkfifo),
}

BAD_POINTERS: dict[str, Callable[[Path], object]] = {
    "garbage": lambda path: path.write_bytes(bytes(range(256))),
    "empty": lambda path: path.write_bytes(b""),
    "huge": lambda path: path.write_bytes(b"a" * 100_000_000),
    "a way out": lambda path: path.write_text("../../etc"),
    "unknown version": lambda path: path.write_text("f" * 12),
    "folder": Path.mkdir,
    "FIFO": os.mkfifo,
}


@pytest.fixture(scope="module")
def good(bundle: Path) -> Bundle:
    return read_bundle(bundle)


@pytest.fixture(scope="module")
def place(good: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _write_good(tmp_path_factory.mktemp("place"), good)


@pytest.fixture(scope="module")
def store(good: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Store:
    store = Store(tmp_path_factory.mktemp("store"))
    _promote_good(store, good, tmp_path_factory.mktemp("new"))
    return store


@pytest.fixture(scope="module")
def of_place(place: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = start(place, tmp_path_factory.mktemp("of_place") / "log")
    yield running
    assert stop(running) == 0


@pytest.fixture(scope="module")
def of_store(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = start(store.path, tmp_path_factory.mktemp("of_store") / "log")
    yield running
    assert stop(running) == 0


@pytest.mark.parametrize("damage", BAD_BUNDLES.values(), ids=BAD_BUNDLES.keys())
def test_a_bad_bundle_is_refused_and_the_next_good_one_loads(
    damage: Damage, good: Bundle, place: Path, of_place: Server
) -> None:
    version, refused, logged = served_version(of_place.client), _refusals(of_place), _logged_refusals(of_place)
    damage(place, good)
    until(lambda: _refusals(of_place) > refused)
    assert served_version(of_place.client) == version
    until(lambda: len(_logged_refusals(of_place)) > len(logged))
    for path in place.iterdir():
        _discard(path)
    expected = read_bundle(_write_good(place, good)).metadata.version
    until(lambda: served_version(of_place.client) == expected)


@pytest.mark.parametrize("damage", BAD_POINTERS.values(), ids=BAD_POINTERS.keys())
def test_a_bad_pointer_is_refused_and_the_next_good_one_is_followed(
    damage: Callable[[Path], object], good: Bundle, store: Store, of_store: Server, tmp_path: Path
) -> None:
    version, refused = served_version(of_store.client), _refusals(of_store)
    damage(_discard(store.path / "current"))
    until(lambda: _refusals(of_store) > refused)
    assert served_version(of_store.client) == version
    _discard(store.path / "current").write_text(version)
    expected = _promote_good(store, good, tmp_path)
    until(lambda: served_version(of_store.client) == expected)


def test_a_bundle_that_is_copied_slowly_loads_once_it_is_whole(
    good: Bundle, place: Path, of_place: Server, tmp_path: Path
) -> None:
    whole = _write_good(tmp_path, good)
    lines = len(_logged_refusals(of_place))
    for name in ("metadata.json", *good.files):
        content = (whole / name).read_bytes()
        (place / name).parent.mkdir(exist_ok=True)
        with (place / name).open("wb", buffering=0) as file:
            for part in (content[: len(content) // 2], content[len(content) // 2 :]):
                file.write(part)
                time.sleep(0.4 if name in {"metadata.json", "model.onnx"} else 0)
    until(lambda: served_version(of_place.client) == read_bundle(whole).metadata.version)
    assert len(_logged_refusals(of_place)) - lines <= 4


def test_a_blocking_read_delays_neither_answers_nor_shutdown(good: Bundle, tmp_path: Path) -> None:
    place, opened = _write_good(tmp_path / "place", good), Event()
    server = start(place, tmp_path / "log")
    before = signal.signal(signal.SIGIO, lambda *_: opened.set())
    with (_write_good(tmp_path / "new", good) / "model.onnx").open("r+b") as network:
        try:
            fcntl.fcntl(network, fcntl.F_SETLEASE, fcntl.F_WRLCK)  # who opens it waits
        except OSError:
            pytest.skip("this file system has no leases")
        (tmp_path / "new" / "model.onnx").replace(place / "model.onnx")
        until(opened.is_set)
        assert served_version(server.client)
        assert stop(server) == 0
    signal.signal(signal.SIGIO, before)


def _write_good(place: Path, good: Bundle) -> Path:
    """Write a bundle of a version of its own."""
    write_bundle(place, good.metadata.model_copy(update={"version": next(VERSIONS)}), good.files)
    return place


def _promote_good(store: Store, good: Bundle, new: Path) -> str:
    version = store.add(_write_good(new, good)).version
    store.promote(version, instead_of=store.champion())
    return version


def _refusals(server: Server) -> float:
    return metric_sum(server.client, 'model_reloads_total{outcome="refused"} ')


def _logged_refusals(server: Server) -> list[str]:
    lines = map(json.loads, server.log.read_text().splitlines())
    return [line["reason"] for line in lines if line["message"] == REFUSED]
