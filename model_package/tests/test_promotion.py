"""Train, look back, promote, roll back, as a person does it; the store is the only thing that they share."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from model.__main__ import app
from model.artifacts import read_bundle
from model.errors import GateError, StoreError, TrackingError
from model.registry.store import Store

pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow's dependencies tell of each other's deprecations


def _run(*arguments: str | Path) -> None:
    app([str(argument) for argument in arguments], standalone_mode=False)


def _pointer_and_versions(store: Path) -> dict[str, bytes]:
    files = (path for path in store.rglob("*") if path.is_file() and path.parent != store)
    return {str(path): path.read_bytes() for path in (*files, store / "current")}


def test_from_training_to_promotion_and_back(
    many_names_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store, bundle, more = tmp_path / "store", tmp_path / "bundle", tmp_path / "more"
    more.mkdir()
    for path in many_names_folder.iterdir():
        (more / path.name).write_text(path.read_text() + "Kokovarini\nBabasovski\n")
    kept = Store(store)

    def train(data: Path, *options: str | Path) -> str:
        _run("train", bundle, data, "--store", store, *options)
        return read_bundle(bundle).metadata.version

    weak = tmp_path / "weak.toml"
    weak.write_text("[shape]\nngram_bits = 1\n[training]\nepochs = 1\nlearning_rate = 2e-3\n")
    first = train(many_names_folder, "--config", weak)
    assert (kept.champion(), kept.challenger()) == (None, first)
    _run("promote", many_names_folder, "--store", store)
    assert kept.champion() == first
    assert not (store / "mlflow.db").exists()  # nothing is recorded that nobody asked for

    bad, good = tmp_path / "bad.toml", tmp_path / "good.toml"
    good.write_text("[shape]\nngram_bits = 12\n[training]\nepochs = 3\n")
    bad.write_text("[shape]\narchitecture = 'rnn'\nhidden_size = 2\n[training]\nepochs = 1\nlearning_rate = 1e-5\n")
    worse = train(more, "--config", bad)
    capsys.readouterr()
    _run("history", store, "--json")
    rows = json.loads(capsys.readouterr().out)["versions"]
    assert [(row["version"], row["role"]) for row in rows] == [(first, "champion"), (worse, "challenger")]
    assert rows[0]["data"] != rows[1]["data"] and rows[1]["architecture"] == "rnn"
    assert rows[0]["accuracy"] > rows[1]["accuracy"]

    before = _pointer_and_versions(store)
    with pytest.raises(GateError, match=r"top-1 is 0\.\d+ where at least 0\.\d+ is needed"):
        _run("promote", more, "--store", store)
    assert _pointer_and_versions(store) == before
    refused = kept.history()[-1]
    assert (refused.event, refused.version) == ("refused", worse)
    assert any(line["name"] == "top-1" and not line["passed"] for line in refused.gate)
    assert "top-1" in capsys.readouterr().out

    better = train(more, "--config", good)
    _run("promote", more, "--store", store)
    assert kept.champion() == better
    with pytest.raises(StoreError, match="no challenger"):
        _run("promote", more, "--store", store)
    _run("rollback", "--store", store)
    assert kept.champion() == first
    capsys.readouterr()
    _run("predict", store, "Kowalski")
    from_store = capsys.readouterr().out
    _run("predict", store / first, "Kowalski")
    assert capsys.readouterr().out == from_store
    _run("history", store)
    assert f"{first}" in capsys.readouterr().out


def test_a_training_is_not_lost_when_the_tracker_does_not_answer(names_folder: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "model", "train", tmp_path / "bundle", names_folder, "--epochs", "1"]
    options = ["--store", tmp_path / "store", "--mlflow", "http://127.0.0.1:9"]
    done = subprocess.run([*command, *options], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    *_, last = done.stderr.splitlines()
    assert last.startswith("error: ")
    assert "lacks its latest changes" in last
    version = read_bundle(tmp_path / "bundle").metadata.version
    assert Store(tmp_path / "store").challenger() == version


def test_an_empty_store_is_one_sentence(tmp_path: Path) -> None:
    store = tmp_path / "store"
    store.mkdir()
    with pytest.raises(StoreError, match="no versions"):
        _run("history", store)
    with pytest.raises(StoreError, match="no challenger"):
        _run("promote", tmp_path, "--store", store)
    with pytest.raises(StoreError, match="no champion before"):
        _run("rollback", "--store", store)


@pytest.mark.parametrize("command", [["history"], ["promote", ".", "--store"], ["rollback", "--store"]])
def test_a_store_that_is_not_there_is_one_sentence(tmp_path: Path, command: list[str]) -> None:
    with pytest.raises(StoreError, match="There is no store at"):
        _run(*command, tmp_path / "store")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("command", [["train", "bundle", "."], ["promote", "."], ["rollback"]])
def test_recording_without_mlflow_is_one_sentence_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "mlflow", None)
    with pytest.raises(TrackingError, match=r"pip install 'name-classifier-model\[mlflow\]'"):
        _run(*command, "--mlflow", "sqlite:///mlflow.db")
    assert list(tmp_path.iterdir()) == []
