"""A log that nobody reads, or that nobody can write to, never holds the service up."""

import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from api.observability.log_writer import LogWriter
from api.tests.conftest import ROOT, free_port, until

_PIPE_BYTES = 4096


@pytest.fixture
def small_pipe() -> Iterator[tuple[int, int]]:
    """Return the ends of a pipe that holds a page."""
    fcntl = pytest.importorskip("fcntl")
    reading, writing = os.pipe()
    fcntl.fcntl(writing, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
    yield reading, writing
    for descriptor in (reading, writing):
        try:
            os.close(descriptor)
        except OSError:  # the test has closed it
            continue


def _start(bundle: Path, stderr: int) -> tuple[subprocess.Popen[bytes], httpx.Client]:
    port = free_port()
    settings = {"PORT": str(port), "BUNDLE_DIR": str(bundle), "LOG_LEVEL": "debug", "LOG_REQUESTS_PER_SECOND": "100000"}
    environment = os.environ | {f"NAME_CLASSIFIER_{key}": value for key, value in settings.items()}
    process = subprocess.Popen([sys.executable, "-m", "api"], cwd=ROOT, env=environment, stderr=stderr)
    client = httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=10)

    def ready() -> bool:
        try:
            return client.get("/readyz").is_success
        except httpx.TransportError:
            assert process.poll() is None
            return False

    until(ready)
    return process, client


def _answers(client: httpx.Client, n: int) -> int:
    return sum(client.post("/get_prediction", json={"name": "Jordan"}).is_success for _ in range(n))


def test_an_unread_log_stops_neither_answers_nor_shutdown(bundle: Path, small_pipe: tuple[int, int]) -> None:
    process, client = _start(bundle, small_pipe[1])
    assert _answers(client, 300) == 300
    assert client.get("/livez").is_success
    client.close()
    process.terminate()
    assert process.wait(timeout=20) == 0


def test_a_broken_log_pipe_stops_nothing_and_is_counted(bundle: Path, small_pipe: tuple[int, int]) -> None:
    process, client = _start(bundle, small_pipe[1])
    os.close(small_pipe[0])
    assert _answers(client, 20) == 20
    until(lambda: "log_lines_dropped_total 0.0" not in client.get("/metrics").text)
    client.close()
    process.send_signal(signal.SIGTERM)
    assert process.wait(timeout=20) == 0


def test_dropped_lines_are_counted_and_reported_in_the_next_line(small_pipe: tuple[int, int]) -> None:
    reading, writing = small_pipe
    writer, lines = LogWriter(writing), [b"%06d %b\n" % (number, b"x" * 90) for number in range(12_000)]
    for line in lines:
        writer.write(line)
    dropped = writer.n_dropped
    assert 0 < dropped < len(lines)
    received = bytearray()
    thread = threading.Thread(target=lambda: received.extend(b"".join(iter(lambda: os.read(reading, 65536), b""))))
    thread.start()
    writer.flush(timeout=20)
    writer.write(b"last\n")
    writer.flush(timeout=20)
    os.close(writing)
    thread.join()
    *kept, last = received.splitlines(keepends=True)
    reports = [json.loads(line) for line in kept if line.startswith(b"{")]
    kept = [line for line in kept if not line.startswith(b"{")]
    assert sum(report["dropped"] for report in reports) == dropped == len(lines) - len(kept)
    assert kept == lines[: len(kept)]
    assert last == b"last\n"


def test_a_flush_gives_up(small_pipe: tuple[int, int]) -> None:
    writer = LogWriter(small_pipe[1])
    writer.write(b"x" * 2 * _PIPE_BYTES)
    assert not writer.flush(timeout=0.1)


def test_without_standard_error_lines_are_dropped() -> None:
    writer = LogWriter(None)
    writer.write(b"line\n")
    until(lambda: writer.n_dropped == 1)
