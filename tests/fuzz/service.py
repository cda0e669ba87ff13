"""The real service in a process of its own, as a try of it and as production runs it; its log, metrics and memory."""

import hashlib
import json
import os
import re
import socket
import subprocess
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
WORK = ROOT / "build" / "fuzz"
START_SECONDS = 60
KEY = "the-fuzzers-own-key"
_COMMON = {
    "LOG_REQUESTS_PER_SECOND": "1000000",  # every one, so that every one is searched
    "MAX_STREAMS": "100",  # none is refused for there being too many
    "HEAD_SECONDS": "2",  # what hangs is to end within the run
    "BODY_SECONDS": "2",
    "IDLE_SECONDS": "2",
    "KEEP_ALIVE_SECONDS": "2",
}
# What each way of running it sets; in both, every ordinary request holds the key.
MODES = {
    "development": _COMMON | {"LOG_LEVEL": "debug"},
    "production": _COMMON
    | {
        "ENVIRONMENT": "production",
        "API_KEYS": json.dumps([{"name": "fuzz", "sha256": hashlib.sha256(KEY.encode()).hexdigest()}]),
        "RATE_LIMIT": "1000000/second",
    },
}
_SAMPLE = re.compile(r'http_requests_total\{method="(.*)",route="(.*)",status="(\d+)"\} (\S+)')


@dataclass(frozen=True)
class Service:
    """A running service."""

    mode: str
    port: int
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def get(self, path: str) -> bytes:
        """Return what it answers. Raises OSError if that is nothing or an error."""
        request = urllib.request.Request(self.address + path, headers={"x-api-key": KEY})
        with urllib.request.urlopen(request, timeout=30) as answer:
            content: bytes = answer.read()
        return content

    def counts(self) -> Counter[tuple[str, str, int]]:
        """Return the requests it counted, by method, route and status."""
        samples = _SAMPLE.findall(self.get("/metrics").decode())
        return Counter({(method, route, int(status)): int(float(count)) for method, route, status, count in samples})

    def resident_mib(self) -> float:
        """Return its resident memory."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


@contextmanager
def serving(mode: str) -> Iterator[Service]:
    """Start `python -m api` of the project's environment on the shipped bundle; stop it at the end."""
    WORK.mkdir(parents=True, exist_ok=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = {f"NAME_CLASSIFIER_{name}": value for name, value in MODES[mode].items()}
    environment = os.environ | settings | {"NAME_CLASSIFIER_PORT": str(port)}
    log = WORK / f"{mode}.log"
    with log.open("wb") as file:
        process = subprocess.Popen([ROOT / ".venv/bin/python", "-m", "api"], cwd=ROOT, env=environment, stderr=file)
    service = Service(mode, port, process, log)
    try:
        _wait(service)
        yield service
    finally:
        process.terminate()
        process.wait(timeout=30)


def _wait(service: Service) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            service.get("/readyz")
        except OSError:
            if service.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the service does not start; see {service.log}") from None
            time.sleep(0.1)
        else:
            return
