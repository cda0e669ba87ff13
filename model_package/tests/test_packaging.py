"""What a user installs: the library's front door, what each install brings, what a wheel holds."""

import importlib.metadata
import json
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import model
from model import Predictor

PACKAGE = Path(__file__).parents[1]
LOCK = PACKAGE.parent / "requirements" / "serve.txt"
TRAINING_ONLY = ("matplotlib", "onnx", "PIL", "torch")
EXTRA = ("alembic", "mlflow", "sqlalchemy")


def _python(code: str, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)


def _command_line(*absent: str) -> str:
    """Return code that runs the command line as if the modules were not installed."""
    return f"import sys; sys.modules.update(dict.fromkeys({absent!r})); from model.__main__ import main; main()"


@pytest.mark.parametrize("kind", [str, Path])
def test_a_predictor_is_one_import_and_a_path_of_either_kind_away(bundle: Path, kind: type[str | Path]) -> None:
    assert Predictor.load(kind(bundle)).predict(["Rossini"])[0].labels


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'predictor'"):
        model.predictor  # noqa: B018


def test_importing_the_package_is_cheap() -> None:
    done = _python("import sys, model; print(*sys.modules)")
    assert {"numpy", "onnxruntime", "torch", "typer"}.isdisjoint(done.stdout.split())


def test_mlflow_is_an_extra() -> None:
    project = tomllib.loads((PACKAGE / "pyproject.toml").read_text())["project"]
    needed = {re.split(r"[<>=]", requirement)[0] for requirement in project["dependencies"]}
    assert needed.isdisjoint({*EXTRA, "mlflow-skinny"})
    assert {re.split(r"[<>=]", extra)[0] for extra in project["optional-dependencies"]["mlflow"]} == {
        *("alembic", "mlflow-skinny", "sqlalchemy")
    }


def test_names_are_predicted_with_nothing_but_the_serving_lock(bundle: Path) -> None:
    code = f"import atexit, json; atexit.register(lambda: print(json.dumps(list(sys.modules)))); {_command_line()}"
    done = _python(f"import sys; {code}", "predict", bundle, "Rossini")
    answer, modules = done.stdout.strip().rsplit("\n", 1)
    assert answer.startswith("Rossini: Beta ")
    distributions = importlib.metadata.packages_distributions()
    used = {
        distribution.lower().replace("_", "-")
        for module in json.loads(modules)
        if "." not in module
        for distribution in distributions.get(module, [])
    }
    locked = set(re.findall(r"^([a-z0-9-]+)==", LOCK.read_text(), re.MULTILINE))
    assert {"typer", "onnxruntime"} <= used
    assert used - locked <= {"name-classifier-model", "setuptools"}
    assert locked.isdisjoint({"torch", "matplotlib", "onnx", "pillow"})


@pytest.mark.parametrize("command", ["explain", "similar"])
def test_answers_need_no_training_library(bundle: Path, command: str) -> None:
    done = _python(_command_line(*TRAINING_ONLY, *EXTRA), command, bundle, "Rossini")
    assert done.returncode == 0, done.stderr


def test_a_table_is_taken_in_without_extras_and_training_libraries(tmp_path: Path) -> None:
    (tmp_path / "names.csv").write_text("name,label\nRossi,Italian\n", encoding="utf-8")
    code = _command_line(*TRAINING_ONLY, *EXTRA, "pyarrow", "fsspec")
    done = _python(code, "ingest", tmp_path / "names.csv", tmp_path / "data")
    assert "1 names added" in done.stdout, done.stderr


def test_a_wheel_holds_every_module_and_the_type_marker(tmp_path: Path) -> None:
    code = (
        "import os, sys; from setuptools import build_meta; os.chdir(sys.argv[1]); build_meta.build_wheel(sys.argv[2])"
    )
    source = tmp_path / "source"
    source.mkdir()
    for name in ("model", "pyproject.toml"):
        (source / name).symlink_to(PACKAGE / name)
    done = _python(code, source, tmp_path)
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    held = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("model/")}
    modules = {path.relative_to(PACKAGE).as_posix() for path in (PACKAGE / "model").rglob("*.py")}
    assert held == {*modules, "model/py.typed"}
