"""The same net served otherwise, by each peer's defaults and one worker: its environment, command and body.

What runs Python code uses the project's own `Predictor`; the naive service runs the torch network.
"""

import os
import subprocess
import sys
import venv
from collections.abc import Iterable
from pathlib import Path

from servers import CONSTANT, HERE, ROOT, Route, Server

ENVIRONMENTS = ROOT / "build" / "peers"
ADAPTERS = HERE / "peers"
MLFLOW_MODEL = ENVIRONMENTS / "mlflow" / "model"


def _peer(name: str, route: Route, *command: str) -> Server:
    """Return a server whose command, and what that starts, is looked up in the peer's environment."""
    binaries = ENVIRONMENTS / name / "bin"
    environment = {
        "PATH": f"{binaries}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT / "model_package"),
        "BENTOML_DO_NOT_TRACK": "True",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    return Server(name, (str(binaries / command[0]), *command[1:]), (route,), environment)


# In the project's own environment: it has torch.
NAIVE = Server(
    "naive",
    (sys.executable, "-m", "uvicorn", "--app-dir", str(ADAPTERS / "naive"), "service:app", "--port", "PORT"),
    environment={"PYTHONPATH": f"{ROOT / 'model_package'}:{CONSTANT.environment['PYTHONPATH']}"},
)
FRAMEWORKS = (
    _peer(
        "kserve",
        Route("/v1/models/names:predict", '{"instances": [NAME]}'),
        *("python", str(ADAPTERS / "kserve" / "service.py"), "--http_port", "PORT", "--enable_grpc", "false"),
    ),
    _peer(
        "litserve",
        Route("/predict", '{"name": NAME}'),
        *("python", str(ADAPTERS / "litserve" / "service.py"), "PORT"),
    ),
    _peer(
        "bentoml",
        Route("/get_prediction"),
        *("bentoml", "serve", "service:NameClassifier", "--working-dir", str(ADAPTERS / "bentoml")),
        *("--host", "127.0.0.1", "--port", "PORT"),
    ),
    _peer(
        "mlflow",
        Route("/invocations", '{"inputs": [NAME]}'),
        *("mlflow", "models", "serve", "--model-uri", str(MLFLOW_MODEL), "--env-manager", "local", "--port", "PORT"),
    ),
)


def install(peer: Server) -> None:
    """Make the environment of a framework, unless it stands there as its requirements say.

    Raises:
        RuntimeError: it cannot be installed.
    """
    folder = ENVIRONMENTS / peer.name
    requirements = ADAPTERS / peer.name / "requirements.txt"
    stamp = folder / "installed.txt"
    if stamp.exists() and stamp.read_text(encoding="utf-8") == requirements.read_text(encoding="utf-8"):
        return
    print(f"Installing {peer.name} into {folder.relative_to(ROOT)}.", flush=True)
    venv.create(folder, clear=True, with_pip=True)
    python = folder / "bin" / "python"
    _run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r", requirements)
    if peer.name == "mlflow":
        _run(python, ADAPTERS / "mlflow" / "service.py", MLFLOW_MODEL)
    stamp.write_text(requirements.read_text(encoding="utf-8"), encoding="utf-8")


def _run(*command: str | Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT / "model_package")}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError("it cannot be installed: " + (done.stderr.strip() or "no reason given").splitlines()[-1])


def read_versions(peers: Iterable[Server]) -> dict[str, dict[str, str]]:
    """Return what each framework's environment pins."""
    files = {peer.name: ADAPTERS / peer.name / "requirements.txt" for peer in peers if peer in FRAMEWORKS}
    return {
        name: dict(line.split("==") for line in file.read_text(encoding="utf-8").split())
        for name, file in files.items()
    }
