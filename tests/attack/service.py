"""The service in a process of its own, as `python -m api` runs it on the shipped bundle."""

import os
import socket
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
START_SECONDS = 60
STOP_SECONDS = 30


@dataclass(frozen=True)
class Service:
    """A running service, the port that it listens on, and the file that holds its log."""

    port: int
    process: subprocess.Popen[bytes]
    log: Path

    def get(self, path: str, **headers: str) -> bytes:
        """Return the body of an answer. Raises OSError if there is none, or it is an error."""
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}{path}", headers=sent)
        with urllib.request.urlopen(request, timeout=30) as answer:
            content: bytes = answer.read()
        return content

    def resident_mib(self) -> float:
        """Return its resident memory in MiB."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def free_port() -> int:
    """Return a port of the loopback interface that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


@contextmanager
def serving(
    log: Path, settings: Mapping[str, str], *, output: int | None = None, prefix: tuple[str, ...] = ()
) -> Iterator[Service]:
    """Start the service with settings by their names and wait until it is ready; stop it at the end.

    Its request log is in a folder that goes with it. What it writes goes to `output` if that is given, else to `log`;
    `prefix` is a command that runs it.
    Raises RuntimeError if it does not start.
    """
    port = free_port()
    command = (*prefix, str(ROOT / ".venv/bin/python"), "-m", "api")
    log.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, log.open("wb") as file:
        values = {"REQUEST_LOG": "fast", "REQUEST_LOG_DIR": folder} | settings | {"PORT": str(port)}
        environment = os.environ | {f"NAME_CLASSIFIER_{name}": value for name, value in values.items()}
        target = file if output is None else output
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=target, stderr=target)
        service = Service(port, process, log)
        try:
            _wait_until_ready(service)
            yield service
        finally:
            _stop(process)


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(timeout=STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _wait_until_ready(service: Service) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            service.get("/readyz")
        except OSError:
            if service.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the service does not start; see {service.log}") from None
            time.sleep(0.05)
        else:
            return
