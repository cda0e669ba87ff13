"""Exhausting what the service has: time of its event loop, connections, descriptors, memory, and readers of its log.

`python -m tests.attack.resources [SCENARIO...] --seconds 10` prints the figures of each scenario, of all but the
long ones if none is named, and exits with 1 if an answer was wrong or missing; how fast it was is for the reader to
judge.
"""

import argparse
import contextlib
import hashlib
import json
import math
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

from api.tests.wire import connect, read_one
from tests.attack.load import request
from tests.attack.service import ROOT, Service, serving

PROBE = b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
LOG = ROOT / "build/attack/resources.log"
QUIET = {"LOG_LEVEL": "error"}
PIPELINE = 1600
BUSY_CONNECTIONS = 1000
IDLE_CONNECTIONS = 1400
DESCRIPTORS = 1024
OPEN_CONNECTIONS = 20
IN_FLIGHT = 200
KEYLESS_CONNECTIONS = 2000
HELD_BYTES = 60_000
LOGGED_REQUESTS = 10_000


class Prober:
    """Asks /livez on a new connection each time, in a thread, for as long as its context lasts."""

    def __init__(self, port: int, every: float = 0.05) -> None:
        self.seconds: list[float] = []
        self.statuses: Counter[int] = Counter()
        self._port, self._every = port, every
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopped.wait(self._every):
            started = time.perf_counter()
            self.statuses[_ask(self._port)] += 1
            self.seconds.append(time.perf_counter() - started)

    def __str__(self) -> str:
        ordered = sorted(self.seconds)
        points = (f"p{p} {1000 * ordered[math.ceil(len(ordered) * p / 100) - 1]:.1f}" for p in (50, 99))
        return f"/livez {len(ordered)} times, ms: {', '.join(points)}, longest {1000 * ordered[-1]:.1f}"

    @property
    def faults(self) -> list[str]:
        """What was not answered with 200."""
        missing = {status: count for status, count in self.statuses.items() if status != 200}
        return [f"probes were answered otherwise, 0 for not at all: {missing}"] if missing else []


def _ask(port: int, data: bytes = PROBE) -> int:
    """Return the status of the answer on a new connection, 0 if there is none."""
    try:
        with connect(port) as connection:
            return _status_on(connection, data)
    except OSError:
        return 0


@dataclass
class Report:
    """What a scenario found: figures for the reader, and faults."""

    seconds: float
    faults: list[str] = field(default_factory=list)

    def show(self, line: str) -> None:
        """Print figures."""
        print(f"  {line}", flush=True)

    def expect(self, condition: bool, fault: str) -> None:
        """Note a fault unless a condition holds."""
        if not condition:
            self.faults.append(fault)

    def show_probes(self, what: str, prober: Prober) -> None:
        """Print what a prober saw."""
        self.show(f"{what}: {prober}")
        self.faults += [f"{what}: {fault}" for fault in prober.faults]


# --- clients


@contextmanager
def _open(port: int, count: int) -> Iterator[list[socket.socket]]:
    """Hold connections; of those that are refused there are fewer."""
    with contextlib.ExitStack() as stack:
        held = []
        for _ in range(count):
            with contextlib.suppress(OSError):
                held.append(stack.enter_context(connect(port)))
        yield held


def _status_on(connection: socket.socket, data: bytes) -> int:
    """Send a request on an open connection; return the status of its answer, 0 if there is none."""
    try:
        connection.sendall(data)
        return read_one(connection).status
    except OSError:
        return 0


@contextmanager
def _pipelining(port: int, clients: int) -> Iterator[None]:
    """Have clients send pipelines and read the answers, each on one connection after the other."""
    stopped = threading.Event()
    threads = [threading.Thread(target=_pipeline, args=(port, stopped)) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        stopped.set()
        for thread in threads:
            thread.join()


def _pipeline(port: int, stopped: threading.Event) -> None:
    data = request(b"pipeline") * PIPELINE
    while not stopped.is_set():
        with contextlib.suppress(OSError), connect(port) as connection:
            sender = threading.Thread(target=_send_until_closed, args=(connection, data))
            sender.start()
            with contextlib.suppress(OSError):
                while not stopped.is_set() and connection.recv(1 << 20):
                    pass
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
            sender.join()


def _send_until_closed(connection: socket.socket, data: bytes) -> None:
    with contextlib.suppress(OSError):
        while True:
            connection.sendall(data)


def _load(port: int, connections: int, seconds: float) -> subprocess.Popen[bytes]:
    arguments = map(str, (port, connections, seconds))
    return subprocess.Popen([sys.executable, "-m", "tests.attack.load", *arguments], cwd=ROOT, stdout=subprocess.PIPE)


# --- scenarios


def pipelining(report: Report) -> None:
    """One client and ten that pipeline 1,600 requests again and again: /livez, resident memory."""
    with serving(LOG, QUIET) as service:
        for clients in (0, 1, 10):
            with _pipelining(service.port, clients), Prober(service.port) as prober:
                time.sleep(report.seconds)
            report.show_probes(f"{clients} pipelining", prober)
            report.show(f"{service.resident_mib():.0f} MiB resident")
        report.expect(service.process.poll() is None, "the service ended")


def busy(report: Report) -> None:
    """1,000 connections that ask again as soon as they are answered: every answer, /livez."""
    with serving(LOG, QUIET) as service:
        load = _load(service.port, BUSY_CONNECTIONS, report.seconds)
        with Prober(service.port) as prober:
            output, _ = load.communicate()
        counts = json.loads(output)
        report.show(f"{BUSY_CONNECTIONS} connections for {report.seconds:g} s: {counts}")
        report.show_probes("busy", prober)
        report.show(f"{service.resident_mib():.0f} MiB resident")
    report.expect(not counts["wrong"] and not counts["unanswered"] and counts["answered"], f"answers: {counts}")


def crowded(report: Report) -> None:
    """Twice as many clients as connections, who come again soon when they are refused: every probe, every answer."""
    with serving(LOG, QUIET | {"MAX_CONNECTIONS": str(BUSY_CONNECTIONS // 2)}) as service:
        load = _load(service.port, BUSY_CONNECTIONS, report.seconds)
        with Prober(service.port) as prober:
            output, _ = load.communicate()
        counts = json.loads(output)
        report.show(f"{BUSY_CONNECTIONS} clients of {BUSY_CONNECTIONS // 2} connections: {counts}")
        report.show_probes("crowded", prober)
    report.expect(not counts["wrong"] and counts["answered"], f"answers: {counts}")


def full(report: Report) -> None:
    """All connections taken: probes on new ones, what others are told, and those that are open."""
    with serving(LOG, QUIET | {"MAX_CONNECTIONS": "200"}) as service, _open(service.port, 200) as held:
        for connection in held:
            _status_on(connection, PROBE.replace(b"connection: close\r\n", b""))
        with Prober(service.port) as prober:
            time.sleep(report.seconds)
        report.show_probes("200 of 200 connections taken", prober)
        others = Counter(_ask(service.port, request(b"other")) for _ in range(20))
        report.show(f"20 other requests on new connections, 0 for closed: {dict(others)}")
        answered = Counter(_status_on(connection, request(b"open")) for connection in held[:OPEN_CONNECTIONS])
        report.show(f"{OPEN_CONNECTIONS} requests on open connections: {dict(answered)}")
    report.expect(others.keys() <= {0, 503}, f"beyond the bound: {others}")
    report.expect(answered.keys() == {200}, f"on open connections: {answered}")


def descriptors(report: Report) -> None:
    """`ulimit -n 1024` and 1,400 idle connections: probes, connections that were open before, lines in the log."""
    prefix = ("bash", "-c", f'ulimit -n {DESCRIPTORS}; exec "$@"', "bash")
    with (
        serving(LOG, {"LOG_LEVEL": "info"}, prefix=prefix) as service,
        _open(service.port, OPEN_CONNECTIONS) as opened,
        _open(service.port, IDLE_CONNECTIONS),
    ):
        with Prober(service.port) as prober:
            time.sleep(report.seconds)
        report.show_probes(f"{IDLE_CONNECTIONS} idle connections", prober)
        answered = Counter(_status_on(connection, request(b"open")) for connection in opened)
        report.show(f"{OPEN_CONNECTIONS} requests on connections opened before: {dict(answered)}")
        lines = len(LOG.read_bytes().splitlines())
        report.show(f"{lines} lines in the log")
    report.expect(answered.keys() == {200}, f"on open connections: {answered}")
    report.expect(lines < 100, f"{lines} lines in the log")


def stuck_output(report: Report) -> None:
    """Standard output and error are a pipe that nobody reads: answers go on, and SIGTERM ends it."""
    reading, writing = os.pipe()
    settings = {"LOG_LEVEL": "debug", "LOG_REQUESTS_PER_SECOND": "1000000"}
    with serving(LOG, settings, output=writing) as service:
        with connect(service.port) as connection:
            answered = _ask_until_silent(connection, LOGGED_REQUESTS)
        report.show(f"{LOGGED_REQUESTS} requests, each with a line: {dict(answered)}")
        report.show(f"/livez: {_ask(service.port)}")
        report.show(f"of dropped lines the metrics say: {_dropped(service) or 'nothing'}")
        report.expect(answered.keys() == {200}, f"answers while nobody reads the log: {answered}")
        started = time.monotonic()
        service.process.send_signal(signal.SIGTERM)
        with contextlib.suppress(subprocess.TimeoutExpired):
            service.process.wait(timeout=20)
        report.show(f"SIGTERM: exit code {service.process.poll()} after {time.monotonic() - started:.1f} s")
        report.expect(service.process.poll() == 0, "SIGTERM did not end it")
    os.close(reading)
    os.close(writing)


def _ask_until_silent(connection: socket.socket, count: int) -> Counter[int]:
    """Return the statuses of so many answers, or of those that came and 0."""
    statuses = Counter[int]()
    while statuses.total() < count and not statuses[0]:
        statuses[_status_on(connection, request(b"log"))] += 1
    return +statuses


def _dropped(service: Service) -> str:
    with contextlib.suppress(OSError):
        lines = service.get("/metrics").decode().splitlines()
        return ", ".join(line for line in lines if "log" in line and "drop" in line and not line.startswith("#"))
    return ""


def bodies(report: Report) -> None:
    """2,000 connections without a key that each hold back the end of a body of 60 kB: resident memory, /livez."""
    keys = [{"name": "somebody", "sha256": hashlib.sha256(b"somebody").hexdigest()}]
    head = request(b"held").partition(b"content-length")[0] + b"content-length: %d\r\n\r\n" % (HELD_BYTES + 1)
    with serving(LOG, QUIET | {"API_KEYS": json.dumps(keys), "BODY_SECONDS": "60"}) as service:
        before = service.resident_mib()
        with _open(service.port, KEYLESS_CONNECTIONS) as held, Prober(service.port) as prober:
            for connection in held:
                with contextlib.suppress(OSError):
                    connection.sendall(head + b" " * HELD_BYTES)
            time.sleep(report.seconds)
            report.show(f"{before:.0f} MiB resident before, {service.resident_mib():.0f} with {len(held)} connections")
        report.show_probes("bodies held back", prober)


def in_flight(report: Report) -> None:
    """SIGTERM while 200 requests are arriving: each is answered, and the service ends with 0."""
    whole = request(b"late")
    with serving(LOG, QUIET) as service, _open(service.port, IN_FLIGHT) as held:
        for connection in held:
            connection.sendall(whole[:-9])
        while len(_connections_of(service)) < IN_FLIGHT:  # until it has accepted them all
            time.sleep(0.05)
        time.sleep(0.5)
        service.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        answers = Counter[int]()
        for connection in held:
            answers[_status_on(connection, whole[-9:])] += 1
        code = service.process.wait(timeout=30)
    report.show(f"SIGTERM with {IN_FLIGHT} requests in flight: {dict(answers)}, exit code {code}")
    report.expect(answers == {200: IN_FLIGHT} and code == 0, f"answers {answers}, exit code {code}")


def _connections_of(service: Service) -> list[str]:
    links = (str(path.readlink()) for path in Path(f"/proc/{service.process.pid}/fd").iterdir())
    return [link for link in links if link.startswith("socket:")]


def _benchmark(report: Report, name: str) -> None:
    """Run a script of benchmarks/serving that judges itself."""
    script = ROOT / "benchmarks/serving" / name
    command = [sys.executable, str(script), "--seconds", str(round(report.seconds))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    for line in (done.stdout + done.stderr).splitlines():
        report.show(line)
    report.expect(done.returncode == 0, f"{name} exited with {done.returncode}")


def slow_clients(report: Report) -> None:
    """2,000 clients that are silent, send a byte a second or never read, beside good ones."""
    _benchmark(report, "slow_clients.py")


def overload(report: Report) -> None:
    """Ten times the load that the service sustains (needs wrk)."""
    _benchmark(report, "overload.py")


SCENARIOS: dict[str, Callable[[Report], None]] = {
    scenario.__name__: scenario
    for scenario in (
        pipelining,
        busy,
        crowded,
        full,
        descriptors,
        stuck_output,
        bodies,
        in_flight,
        slow_clients,
        overload,
    )
}
LONG = ("slow_clients", "overload")
"""Scenarios that need more time than the others, and run where they are named."""


def run(names: Sequence[str], seconds: float) -> list[str]:
    """Run scenarios and return their faults."""
    faults = []
    for name in names:
        print(f"{name}: {SCENARIOS[name].__doc__}", flush=True)
        report = Report(seconds)
        SCENARIOS[name](report)
        for fault in report.faults:
            print(f"  FAILED: {fault}", flush=True)
        faults += report.faults
    return faults


def main() -> None:
    """Run the scenarios that are named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=", ".join(SCENARIOS))
    parser.add_argument("--seconds", type=float, default=10, help="how long each attack lasts")
    arguments = parser.parse_args()
    if unknown := set(arguments.scenarios) - SCENARIOS.keys():
        parser.error(f"no scenario: {', '.join(sorted(unknown))}")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    sys.exit(bool(run(arguments.scenarios or [name for name in SCENARIOS if name not in LONG], arguments.seconds)))


if __name__ == "__main__":
    main()
