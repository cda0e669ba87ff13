"""Start and end of the process, as an operator sees them."""

import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from api.tests.conftest import ROOT, free_port, start, stop
from model.registry.store import Store


def fail_to_start(**settings: str) -> str:
    values = {"PORT": str(free_port()), **settings}
    environment = os.environ | {f"NAME_CLASSIFIER_{key}": value for key, value in values.items()}
    run = subprocess.run(
        [sys.executable, "-m", "api"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 1
    (line,) = run.stderr.splitlines()
    message: str = json.loads(line)["message"]
    return message


def test_a_bad_bundle_ends_the_start_with_one_line(bundle: Path, tmp_path: Path) -> None:
    assert "cannot be read" in fail_to_start(BUNDLE_DIR=str(tmp_path))
    tampered = shutil.copytree(bundle, tmp_path / "tampered")
    content = bytearray((bundle / "model.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (tampered / "model.onnx").write_bytes(content)
    assert "model.onnx does not match the hash" in fail_to_start(BUNDLE_DIR=str(tampered))


def test_a_store_serves_its_champion(bundle: Path, tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    version = store.add(bundle).version
    assert "without a champion" in fail_to_start(BUNDLE_DIR=str(store.path))
    store.promote(version, instead_of=None)
    server = start(store.path, tmp_path / "log")
    try:
        assert f'version="{version}"' in server.client.get("/metrics").text
    finally:
        stop(server)


@pytest.mark.parametrize(("setting", "value"), [("PORT", "99999"), ("THREADS", "0"), ("LOG_LEVEL", "loud")])
def test_a_bad_setting_ends_the_start_with_its_name(setting: str, value: str) -> None:
    assert fail_to_start(**{setting: value}).startswith(f"NAME_CLASSIFIER_{setting}: ")


def test_sigterm_ends_it_with_0(bundle: Path, tmp_path: Path) -> None:
    assert stop(start(bundle, tmp_path / "log")) == 0


def test_serving_loads_neither_the_trainer_nor_what_only_commands_need() -> None:
    unwanted = ("torch", "typer", "model.training", "sqlalchemy", "alembic", "psycopg")
    code = f"import sys, api.serve; print([module for module in {unwanted} if module in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_serving_writes_nothing_to_the_home_directory(bundle: Path, tmp_path: Path) -> None:
    """ONNX Runtime's telemetry would keep a device id there, and send it."""
    code = f"from pathlib import Path; from model.prediction import Predictor; Predictor.load(Path({str(bundle)!r}))"
    subprocess.run([sys.executable, "-c", code], env=os.environ | {"HOME": str(tmp_path)}, check=True)
    assert not list(tmp_path.rglob("*"))


def test_ctrl_c_ends_the_imports_without_a_traceback() -> None:
    signal.signal(signal.SIGINT, signal.default_int_handler)  # behind a shell's & it would be ignored there too
    command = [sys.executable, "-X", "importtime", "-m", "api"]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        assert any(line.endswith("fastapi.exceptions\n") for line in process.stderr)
        process.send_signal(signal.SIGINT)
        assert "Traceback" not in process.stderr.read()
    assert process.returncode == 130


def test_a_variable_that_is_no_setting_is_named_with_the_nearest_one(bundle: Path, tmp_path: Path) -> None:
    server = start(bundle, tmp_path / "log", API_KEY_FILE="/secret", ZZZ="secret")
    warnings = [line for line in map(json.loads, server.read_log().splitlines()) if line["level"] == "WARNING"]
    assert stop(server) == 0
    assert [(line["variable"], line["nearest"]) for line in warnings] == [
        ("NAME_CLASSIFIER_API_KEY_FILE", "NAME_CLASSIFIER_API_KEYS_FILE"),
        ("NAME_CLASSIFIER_ZZZ", None),
    ]
    assert "secret" not in str(warnings)
