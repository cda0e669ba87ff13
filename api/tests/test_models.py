"""Which model answers, and which there were; of a bundle and of a store, whole or damaged."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.tests.conftest import ENDINGS, Server, start, stop
from model.artifacts import read_bundle, write_bundle
from model.registry.store import Store

OTHER = "0123456789ab"


@pytest.fixture
def store(bundle: Path, tmp_path: Path) -> Store:
    """Two versions of which the later one is champion."""
    store = Store(tmp_path / "store")
    first = read_bundle(bundle)
    write_bundle(tmp_path / "other", first.metadata.model_copy(update={"version": OTHER}), first.files)
    store.promote(store.add(bundle).version, instead_of=None)
    store.promote(store.add(tmp_path / "other").version, instead_of=first.metadata.version)
    return store


@pytest.fixture
def serving(store: Store, tmp_path: Path) -> Iterator[Server]:
    running = start(store.path, tmp_path / "log")
    yield running
    assert stop(running) == 0


def _metadata(bundle: Path) -> dict[str, Any]:
    metadata: dict[str, Any] = json.loads((bundle / "metadata.json").read_text(encoding="utf-8"))
    return metadata


def test_the_served_model_is_described_by_its_metadata(client: httpx.Client, bundle: Path) -> None:
    document, metadata = client.get("/v1/model").json(), _metadata(bundle)
    assert document["model_version"] == metadata["version"]
    for field in ("created_at", "architecture", "git_commit", "labels", "data", "metrics", "libraries"):
        assert document[field] == metadata[field], field
    assert document["parameters"] > 1000
    assert document["request_id"]
    assert document["calibration"] == {
        "temperature": metadata["temperature"],
        "expected_calibration_error": metadata["metrics"]["test"]["expected_calibration_error"],
        "abstention_threshold": metadata["abstention_threshold"],
        "prior": dict(zip(metadata["labels"], metadata["prior"], strict=True)),
    }


def test_a_plain_bundle_is_a_history_of_one(client: httpx.Client, bundle: Path) -> None:
    answer = client.get("/v1/models")
    (only,) = answer.json()["models"]
    assert only["version"] == _metadata(bundle)["version"]
    assert (only["served"], only["champion"], only["labels"]) == (True, False, len(ENDINGS))
    assert answer.json()["history"] == answer.json()["damaged"] == []
    assert str(bundle.parent) not in answer.text + client.get("/v1/model").text


def test_a_store_lists_its_versions_and_its_history(serving: Server, store: Store, bundle: Path) -> None:
    first = _metadata(bundle)["version"]
    answer = serving.client.get("/v1/models")
    document = answer.json()
    assert {m["version"]: (m["champion"], m["served"]) for m in document["models"]} == {
        first: (False, False),
        OTHER: (True, True),
    }
    assert document["model_version"] == OTHER
    assert [(e["event"], e["version"], e["previous"]) for e in document["history"]] == [
        ("added", first, None),
        ("promoted", first, None),
        ("added", OTHER, first),
        ("promoted", OTHER, first),
    ]
    assert str(store.path) not in answer.text


def test_a_damaged_version_is_named_and_the_others_are_listed(serving: Server, store: Store, bundle: Path) -> None:
    first = _metadata(bundle)["version"]
    (store.path / first / "metadata.json").write_text("{}", encoding="utf-8")
    document = serving.client.get("/v1/models").json()
    assert document["damaged"] == [first]
    assert [model["version"] for model in document["models"]] == [OTHER]


@pytest.mark.parametrize("file", ["current", "ledger.jsonl"])
@pytest.mark.parametrize("damage", ["rubbish", "folder"])
def test_a_damaged_store_is_a_problem_and_the_model_answers_on(
    serving: Server, store: Store, file: str, damage: str
) -> None:
    (store.path / file).unlink()
    if damage == "folder":
        (store.path / file).mkdir()
    else:
        (store.path / file).write_text("rubbish\n", encoding="utf-8")
    answer = serving.client.get("/v1/models")
    assert answer.status_code == 503
    assert answer.headers["content-type"] == "application/problem+json"
    assert int(answer.headers["retry-after"]) > 0
    assert str(store.path) not in answer.text
    assert serving.client.get("/v1/model").json()["model_version"] == OTHER
    assert "the store cannot be read" in serving.read_log()
