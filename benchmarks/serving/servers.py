"""The servers that are measured, and how one is started, asked once and stopped."""

import hashlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from processes import SERVER_CORE, family, on_core

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
BUILD = ROOT / "build" / "benchmarks"
FIRST_NAME = "Kowalska"
START_SECONDS = 120

_KEY = "a-key-for-the-benchmark"
# What a production deployment switches on: keys, rate limits (never reached here), names hashed in the request log.
PRODUCTION: dict[str, str] = {
    "ENVIRONMENT": "production",
    "API_KEYS": json.dumps([{"name": "benchmark", "sha256": hashlib.sha256(_KEY.encode()).hexdigest()}]),
    "RATE_LIMIT": "1000000/second;100000000/hour",
    "NAME_HASH_KEYS": json.dumps([{"id": "benchmark", "key": "0123456789abcdef" * 4}]),
}
PRODUCTION_HEADERS = {"X-API-Key": _KEY}

JSON_HEADERS = {"content-type": "application/json"}


@dataclass(frozen=True)
class Route:
    """Where names are asked for; NAME in the body stands for a JSON string."""

    path: str
    body: str = '{"name": NAME, "n_predictions": 3}'
    headers: Mapping[str, str] = field(default_factory=lambda: JSON_HEADERS)


@dataclass(frozen=True)
class Server:
    """A command that serves on PORT; that and FOLDER, one that goes when it ends, are replaced where they stand."""

    name: str
    command: tuple[str, ...]
    routes: tuple[Route, ...] = (Route("/get_prediction"),)
    environment: Mapping[str, str] = field(default_factory=dict)
    answers_lists: bool = False


@dataclass(frozen=True)
class Running:
    """A server that has answered, its process and how long that took from exec, in seconds."""

    server: Server
    process: subprocess.Popen[bytes]
    port: int
    first_answer_seconds: float
    first_answer: Any


CONSTANT = Server(
    "constant",
    (sys.executable, "-m", "uvicorn", "constant:app", "--port", "PORT", "--log-level", "warning", "--no-access-log"),
    environment={"PYTHONPATH": str(HERE)},
)
SERVICE = Server(
    "service",
    (sys.executable, "-m", "api"),
    (
        Route("/get_prediction", headers=JSON_HEADERS | PRODUCTION_HEADERS),
        Route("/v1/predict", '{"names": [NAME], "top_k": 3}', JSON_HEADERS | PRODUCTION_HEADERS),
    ),
    {
        f"NAME_CLASSIFIER_{name}": value
        for name, value in {"PORT": "PORT", "REQUEST_LOG_DIR": "FOLDER", **PRODUCTION}.items()
    },
    answers_lists=True,
)


@contextmanager
def running(server: Server) -> Iterator[Running]:
    """Start a server on its core, wait for its first right answer, and stop it with all that it started."""
    port = free_port()
    log = BUILD / f"{server.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=BUILD) as folder:
        values = {"PORT": str(port), "FOLDER": folder}
        command = [_fill(word, values) for word in server.command]
        environment = {key: _fill(text, values) for key, text in server.environment.items()}
        with log.open("wb") as file, on_core(SERVER_CORE):
            started = time.perf_counter()
            process = subprocess.Popen(command, cwd=ROOT, env=os.environ | environment, stdout=file, stderr=file)
        try:
            answer = _wait(process, port, server.routes[0], log)
            yield Running(server, process, port, time.perf_counter() - started, answer)
        finally:
            _stop(process)


def _fill(text: str, values: Mapping[str, str]) -> str:
    for word, value in values.items():
        text = text.replace(word, value)
    return text


def ask(port: int, route: Route, name: str = FIRST_NAME) -> tuple[int, Any]:
    """Return status and answer of one name."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    body = route.body.replace("NAME", json.dumps(name))
    try:
        connection.request("POST", route.path, body.encode(), dict(route.headers))
        response = connection.getresponse()
        return response.status, json.loads(response.read())
    finally:
        connection.close()


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def _wait(process: subprocess.Popen[bytes], port: int, route: Route, log: Path) -> Any:  # noqa: ANN401 - any JSON
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise RuntimeError(f"it ended with exit code {process.returncode}; see {log.relative_to(ROOT)}")
        try:
            status, answer = ask(port, route)
        except (OSError, http.client.HTTPException, ValueError):
            time.sleep(0.005)
            continue
        if status == 200:
            return answer
        time.sleep(0.005)
    raise RuntimeError(f"it did not answer within {START_SECONDS} s; see {log.relative_to(ROOT)}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    members = family(process.pid)
    process.terminate()
    try:
        process.wait(timeout=15)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for member in members[1:]:  # some leave their workers behind
        try:
            os.kill(member, signal.SIGKILL)
        except ProcessLookupError:
            continue
