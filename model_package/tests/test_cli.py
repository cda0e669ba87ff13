"""The command line as a person runs it: another process, its exit code, what it says."""

import json
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from model.__main__ import app
from model.errors import BundleError
from model.registry.store import Store

CLI = [sys.executable, "-m", "model"]


WITHOUT_EXTRAS = "import sys; sys.modules.update(mlflow=None, sqlalchemy=None); from model.__main__ import main; main()"


def _run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    """Run the command line as it is where no extra is installed."""
    command = [sys.executable, "-c", WITHOUT_EXTRAS, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def _snapshot(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_training_model_trains_and_the_other_verbs_use_its_bundle(names_folder: Path, tmp_path: Path) -> None:
    trained = _run("training_model", tmp_path / "out", names_folder, "--epochs", "2", "--store", tmp_path / "store")
    assert trained.returncode == 0, trained.stderr
    assert "macro f1" in trained.stdout
    assert re.search(r"2 pass\(es\) over some \d+ names, a table of 1024 rows: about 0 minutes of CPU", trained.stdout)
    assert [line.split(":")[0] for line in trained.stderr.splitlines()] == ["epoch 1", "epoch 2"]
    alone = re.findall(r"network alone (\d\.\d+)", trained.stderr + trained.stdout)
    assert len(alone) == 3  # of each epoch, and of the one that was kept
    assert alone[2] in alone[:2]
    assert re.search(r"of the bundle, with a share of .* blended in, \d\.\d+", trained.stdout)
    predicted = _run("predict", tmp_path / "out", "Rossini", "Kovalski", "--top-k", "2")
    assert predicted.stdout.startswith("Rossini: ")
    assert predicted.stdout.count("%") == 4
    found = _run("similar", tmp_path / "out", "Rossini", "--label", "Alpha", "-n", "2")
    assert found.stdout.startswith("Alpha\n0.")
    assert found.stdout.count("\n") == 3
    evaluated = _run("evaluate", tmp_path / "out", names_folder, "--report", tmp_path / "again")
    assert evaluated.returncode == 0, evaluated.stderr
    assert _snapshot(tmp_path / "again") == _snapshot(tmp_path / "out" / "report")

    def accuracy(output: str) -> str:
        return next(line for line in output.splitlines() if line.startswith("│ accuracy")).split("│")[-2].strip()

    assert accuracy(evaluated.stdout) == accuracy(trained.stdout)


def test_a_help_text_keeps_its_brackets(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        app(["train", "--help"])
    assert "tables [shape] and [training]" in " ".join(capsys.readouterr().out.split())


def test_validate_reports(names_folder: Path) -> None:
    report = _run("validate", names_folder)
    assert report.returncode == 0
    assert "no classifier can be right on more than 100.0%" in report.stdout


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"A": b"x\n"},
        {"A": b"x\n" * 20, "B": b""},
        {"A": b"x\n" * 20, "B": b"\xff\n"},
        {"A": b"x\n" * 20, "B": b"y" * 101},
    ],
    ids=["empty folder", "one label", "empty file", "undecodable", "line too long"],
)
@pytest.mark.parametrize("verb", ["validate", "train"])
def test_unusable_data_is_one_sentence_and_writes_nothing(tmp_path: Path, files: dict[str, bytes], verb: str) -> None:
    data = tmp_path / "data"
    data.mkdir()
    for label, content in files.items():
        (data / f"{label}.txt").write_bytes(content)
    store = ["--store", tmp_path / "store"]
    run = _run(verb, *([tmp_path / "out", data, *store] if verb == "train" else [data]))
    assert run.returncode == 1
    assert run.stderr.startswith("error: ")
    assert run.stderr.count("\n") == 1
    assert not (tmp_path / "out").exists() and not (tmp_path / "store").exists()


def test_evaluate_refuses_other_data(bundle: Path, names_folder: Path, tmp_path: Path) -> None:
    for path in names_folder.iterdir():
        (tmp_path / path.name).write_text(path.read_text() + "Newname\n")
    run = _run("evaluate", bundle, tmp_path)
    assert run.returncode == 1
    assert "not the data that this bundle was trained on" in run.stderr


def test_interrupted_training_leaves_the_old_bundle(bundle: Path, names_folder: Path, tmp_path: Path) -> None:
    before = _snapshot(bundle)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # behind a shell's & it would be ignored there too
    with subprocess.Popen(
        [*CLI, "train", str(bundle), str(names_folder), "--epochs", "100000", "--store", str(tmp_path / "store")],
        stdout=subprocess.PIPE,
        text=True,
    ) as training:
        try:
            assert training.stdout is not None
            assert "training" in training.stdout.readline()
            time.sleep(0.5)
            training.send_signal(signal.SIGINT)
            assert training.wait(timeout=60) != 0
        finally:
            training.kill()
    assert _snapshot(bundle) == before


def _spoil(bundle: Path, damage: str) -> None:
    metadata = bundle / "metadata.json"
    if damage == "missing":
        shutil.rmtree(bundle)
    elif damage == "tampered":
        (bundle / "model.onnx").write_bytes((bundle / "model.onnx").read_bytes()[:-1] + b"x")
    else:
        metadata.write_text(json.dumps(json.loads(metadata.read_text()) | {"schema_version": 99}))


@pytest.mark.parametrize("damage", ["missing", "tampered", "of a newer schema"])
@pytest.mark.parametrize("verb", ["predict", "explain", "similar", "evaluate", "promote"])
def test_every_verb_refuses_a_spoilt_bundle_in_one_sentence(
    bundle: Path, names_folder: Path, tmp_path: Path, verb: str, damage: str
) -> None:
    arguments = [verb, str(bundle), str(names_folder) if verb == "evaluate" else "Rossini"]
    spoilt = bundle
    if verb == "promote":
        store = Store(tmp_path / "store")
        version = store.add(bundle).version
        arguments, spoilt = [verb, str(names_folder), version, "--store", str(store.path)], store.folder(version)
    _spoil(spoilt, damage)
    with pytest.raises(BundleError) as raised:
        app(arguments, standalone_mode=False)
    assert "\n" not in str(raised.value)
    assert "Rossini" not in str(raised.value)
    if verb == "promote":
        assert store.champion() is None


def test_an_unfamiliar_string_is_marked(bundle: Path, capsys: pytest.CaptureFixture[str]) -> None:
    app(["predict", str(bundle), "xqzkvbnm", "Rossini", "王小明"], standalone_mode=False)
    unfamiliar, name, unknown = capsys.readouterr().out.splitlines()
    assert unfamiliar.startswith("xqzkvbnm: unfamiliar; ")
    assert name.startswith("Rossini: Beta ")
    assert unknown == "王小明: unknown characters"


def test_ctrl_c_ends_a_command_that_still_imports_without_a_traceback(exported: Path) -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)
    command = [sys.executable, "-X", "importtime", "-m", "model", "predict", str(exported), "Rossini"]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert any(line.endswith("numpy.exceptions\n") for line in process.stderr)
        process.send_signal(signal.SIGINT)
        assert "Traceback" not in process.stderr.read()
    assert process.returncode == 130


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("arguments", [["predict", "{}", "Rossini"], ["predict", "--help"]])
def test_output_that_cannot_be_written_is_one_sentence(exported: Path, arguments: list[str]) -> None:
    with Path("/dev/full").open("w") as full:
        command = [*CLI, *(argument.format(exported) for argument in arguments)]
        run = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (run.returncode, run.stderr) == (1, "error: The output cannot be written: No space left on device.\n")
