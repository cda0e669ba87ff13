"""A real server in a process of its own, on a bundle trained here in seconds."""

import math
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from model.artifacts import DataIdentity
from model.classifier import Shape
from model.data.dataset import build_dataset
from model.data.splitting import split_dataset
from model.export import save_bundle
from model.training import TrainingConfig, train

ROOT = Path(__file__).parents[2]
ENDINGS = {"English": "son", "Irish": "gan", "Polish": "ski", "Italian": "ini"}


@dataclass(frozen=True)
class Server:
    """A running service and the file that holds its log."""

    client: httpx.Client
    process: subprocess.Popen[bytes]
    log: Path

    def read_log(self) -> str:
        """Return the log once nothing has come for a moment: lines are written after the answer."""
        size = -1
        while size != (size := self.log.stat().st_size):
            time.sleep(0.05)
        return self.log.read_text()


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def start(bundle: Path, log: Path, **settings: str) -> Server:
    """Start `python -m api` on a free port and wait until it is ready."""
    port = free_port()
    return launch(["-m", "api"], port, log, PORT=str(port), BUNDLE_DIR=str(bundle), **settings)


def launch(arguments: Sequence[str], port: int, log: Path, **settings: str) -> Server:
    """Start Python with arguments that make it serve on a port, and wait until it is ready."""
    environment = os.environ | {f"NAME_CLASSIFIER_{key}": value for key, value in settings.items()}
    with log.open("wb") as file:
        process = subprocess.Popen([sys.executable, *arguments], cwd=ROOT, env=environment, stderr=file)
    client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30)
    deadline = time.monotonic() + 60
    while True:
        try:
            client.get("/readyz").raise_for_status()
        except httpx.TransportError:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        else:
            return Server(client, process, log)


def stop(server: Server) -> int:
    """Ask it to end, as Kubernetes does, and return its exit code."""
    server.client.close()
    server.process.terminate()
    return server.process.wait(timeout=30)


def until(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds; fail if it does not within half a minute."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def metric_sum(client: httpx.Client, line_start: str) -> float:
    """Return the sum of the metrics whose line starts so."""
    lines = client.get("/metrics").text.splitlines()
    return math.fsum(float(line.rpartition(" ")[2]) for line in lines if line.startswith(line_start))


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle")
    names = {
        label: [f"{a}{b}{c}{ending}" for a in "bdgkm" for b in "aeiou" for c in ("r", "l")]
        for label, ending in ENDINGS.items()
    }
    dataset = build_dataset(names)
    split = split_dataset(dataset, seed=0)
    result = train(split, TrainingConfig(epochs=2), Shape(hidden_size=16, ngram_bits=12))
    save_bundle(
        folder, result, split, DataIdentity(fingerprint=dataset.fingerprint(), names=len(dataset), split_seed=0)
    )
    return folder


@pytest.fixture(scope="session")
def server(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = start(bundle, tmp_path_factory.mktemp("server") / "log", LOG_LEVEL="debug")
    yield running
    assert stop(running) == 0


@pytest.fixture
def client(server: Server) -> httpx.Client:
    return server.client
