"""Models that change while the service answers."""

import shutil
import threading
from pathlib import Path

import httpx
import numpy as np
import pytest

from api.classify.bundle_state import read_state
from api.tests.conftest import ROOT, metric_sum, start, stop, until
from model.artifacts import read_bundle, write_bundle
from model.errors import StoreError
from model.prediction import Predictor
from model.registry.store import Store

NAMES = ["Jordan", "Kowalska", "Baragan", "Dirini"]
OLD = ROOT / "model_package" / "tests" / "bundle_of_schema_1"


def _variant(bundle: Path, target: Path, temperature: float, version: str) -> Path:
    """Write a bundle that answers a little differently."""
    whole = read_bundle(bundle)
    metadata = whole.metadata.model_copy(update={"temperature": temperature, "version": version})
    write_bundle(target, metadata, whole.files)
    return target


def served_version(client: httpx.Client) -> str:
    version: str = client.post("/v1/predict", json={"names": NAMES[:1]}).json()["model_version"]
    return version


@pytest.fixture
def store(bundle: Path, tmp_path: Path) -> Store:
    store = Store(tmp_path / "store")
    for digit, temperature in (("a", 0.5), ("b", 1.0), ("c", 2.0)):
        store.add(_variant(bundle, tmp_path / digit, temperature, digit * 12))
    store.promote("a" * 12, instead_of=None)
    return store


def test_every_answer_is_wholly_by_the_version_that_it_names(store: Store, tmp_path: Path) -> None:
    versions = [letter * 12 for letter in "abc"]
    expected = {version: Predictor.load(store.folder(version)).log_probs(NAMES) for version in versions}
    server, done = start(store.path, tmp_path / "log"), threading.Event()
    seen: list[tuple[str, list[float]]] = []

    def ask() -> None:
        with httpx.Client(base_url=server.client.base_url) as client:
            while not done.is_set():
                answer = client.post("/v1/predict", json={"names": NAMES, "top_k": 4})
                assert answer.status_code == 200
                document = answer.json()
                best = [prediction["log_probabilities"][0] for prediction in document["predictions"]]
                seen.append((document["model_version"], best))

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for version in ("b" * 12, "c" * 12, "a" * 12):
        store.promote(version, instead_of=store.champion())
        until(lambda version=version: served_version(server.client) == version)  # type: ignore[misc]
    done.set()
    for thread in threads:
        thread.join()
    metrics = server.client.get("/metrics").text
    assert stop(server) == 0
    assert {version for version, _ in seen} == set(versions)
    for version, best in seen:
        np.testing.assert_allclose(best, expected[version].max(axis=1), atol=1e-6)
    assert 'model_reloads_total{outcome="loaded"} 3.0' in metrics
    assert metrics.count("\nmodel_info{") == 1


def test_a_damaged_champion_is_refused_and_the_old_one_goes_on(store: Store, tmp_path: Path) -> None:
    server = start(store.path, tmp_path / "log")
    store.promote("b" * 12, instead_of="a" * 12)
    until(lambda: served_version(server.client) == "b" * 12)
    (store.folder("c" * 12) / "model.onnx").write_bytes(b"damaged")
    (store.path / "current").write_text("c" * 12)
    until(lambda: 'model_reloads_total{outcome="refused"} 1.0' in server.client.get("/metrics").text)
    assert served_version(server.client) == "b" * 12
    assert metric_sum(server.client, "model_bundle_refused ") == 1
    assert server.client.get("/readyz").status_code == 200
    (store.path / "current").write_text("a" * 12)
    until(lambda: served_version(server.client) == "a" * 12)
    until(lambda: metric_sum(server.client, "model_bundle_refused ") == 0)
    assert stop(server) == 0
    assert "does not match the hash" in (tmp_path / "log").read_text()


def test_a_store_goes_back_to_a_bundle_of_the_schema_before(store: Store, tmp_path: Path) -> None:
    server, old = start(store.path, tmp_path / "log"), store.add(OLD).version
    store.promote(old, instead_of="a" * 12)
    until(lambda: served_version(server.client) == old)
    assert server.client.post("/get_prediction", json={"name": "Kowalski"}).json()["predictions"][0] == "Alpha"
    answer = server.client.post("/v1/predict", json={"names": ["Kowalski"], "abstain": True}).json()
    assert answer["predictions"][0]["labels"][0] == "Alpha"
    assert stop(server) == 0


def test_a_bundle_trained_anew_in_its_place_is_served(bundle: Path, tmp_path: Path) -> None:
    place = shutil.copytree(bundle, tmp_path / "bundle")
    server = start(place, tmp_path / "log")
    _variant(bundle, place, 2.0, "d" * 12)
    until(lambda: served_version(server.client) == "d" * 12)
    assert stop(server) == 0


def test_a_fallback_answers_until_a_store_has_its_first_champion(bundle: Path, tmp_path: Path) -> None:
    store, first = Store(tmp_path / "store"), _variant(bundle, tmp_path / "first", 2.0, "f" * 12)
    store.path.mkdir()
    server = start(store.path, tmp_path / "log", FALLBACK_BUNDLE_DIR=str(bundle))
    baked = served_version(server.client)
    assert baked == read_bundle(bundle).metadata.version
    assert server.client.get("/v1/models").status_code == 200
    store.add(first)
    store.promote("f" * 12, instead_of=None)
    until(lambda: served_version(server.client) == "f" * 12)
    shutil.rmtree(store.path)
    until(lambda: 'model_reloads_total{outcome="refused"} 1.0' in server.client.get("/metrics").text)
    assert served_version(server.client) == "f" * 12
    assert stop(server) == 0


def test_a_fallback_does_not_hide_a_damaged_store(store: Store, bundle: Path) -> None:
    assert read_state(store.path, bundle).folder == store.folder("a" * 12)
    (store.path / "current").write_text("garbage", encoding="utf-8")
    with pytest.raises(StoreError, match="does not name a version"):
        read_state(store.path, bundle)


def test_a_fallback_stands_in_for_a_path_that_is_not_there(bundle: Path, tmp_path: Path) -> None:
    assert read_state(tmp_path / "nothing", bundle).folder == bundle
