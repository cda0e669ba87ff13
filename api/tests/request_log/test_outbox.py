"""What the outbox does when processes are killed, files are damaged and disks are full."""

import asyncio
import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path

import httpx
import pytest
from prometheus_client import CollectorRegistry

from api.errors import RequestLogFullError
from api.request_log.log_metrics import RequestLogMetrics
from api.request_log.names import NameKeeper
from api.request_log.outbox import Outbox
from api.request_log.outbox_file import FILE
from api.request_log.rows import Feedback
from api.settings import RecordedNames
from api.tests.conftest import ROOT, Server, metric_sum, start, stop, until
from api.tests.request_log.reading import read_rows, running

KEEPER = NameKeeper(RecordedNames.RAW)
MEGABYTE = 1024 * 1024


class Running:
    """An outbox on an event loop of its own."""

    def __init__(self, directory: Path, *, strict: bool = True, refuse: bool = False, max_bytes: int = 1 << 30) -> None:
        self.metrics = RequestLogMetrics(CollectorRegistry())
        self.outbox = Outbox(directory, KEEPER, self.metrics, strict=strict, refuse=refuse, max_bytes=max_bytes)
        self.outbox.start()
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, daemon=True).start()

    def put(self, name: str = "Jordan", n: int = 1) -> None:
        async def put_all() -> None:
            await asyncio.gather(*(self.outbox.put(Feedback(1.0, "r", i, None, name, "Irish")) for i in range(n)))

        asyncio.run_coroutine_threadsafe(put_all(), self._loop).result(30)

    def takes(self, name: str = "Jordan") -> bool:
        """Put an entry, and tell whether it was not refused."""
        try:
            self.put(name)
        except RequestLogFullError:
            return False
        return True

    def value(self, counter: str) -> float:
        (metric,) = getattr(self.metrics, counter).collect()
        return float(metric.samples[0].value)


@contextmanager
def outbox(directory: Path, **options: bool | int) -> Iterator[Running]:
    running = Running(directory, **options)  # type: ignore[arg-type]
    try:
        yield running
    finally:
        running.outbox.close(5)


def n_rows(directory: Path) -> int:
    return len(read_rows(directory, "feedback"))


# --- kills


def _ask_until_killed(server: Server, after: int) -> set[str]:
    """Ask from four threads, kill the server once it gave so many answers; return the ids of the answered requests."""
    answered: set[str] = set()

    def ask(thread: int) -> None:
        with contextlib.suppress(httpx.TransportError), httpx.Client(base_url=server.client.base_url) as client:
            for number in range(10_000):
                request_id = f"{thread}-{number}"
                body = {"names": ["Jordan", "Kowalska"]}
                client.post("/v1/predict", json=body, headers={"x-request-id": request_id}).raise_for_status()
                answered.add(request_id)
                if len(answered) >= after:
                    os.kill(server.process.pid, signal.SIGKILL)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(ask, range(4)))
    server.process.wait()
    server.client.close()
    return answered


@pytest.mark.parametrize("after", [1, 37, 150])
def test_strict_loses_nothing_when_it_is_killed(bundle: Path, tmp_path: Path, after: int) -> None:
    directory = tmp_path / "outbox"
    server = start(bundle, tmp_path / "log", REQUEST_LOG="strict", REQUEST_LOG_DIR=str(directory))
    answered = _ask_until_killed(server, after)
    items = [(row["request_id"], row["item_index"]) for row in read_rows(directory)]
    assert len(items) == len(set(items))
    assert {(request_id, index) for request_id in answered for index in (0, 1)} <= set(items)
    with running(bundle, directory) as again:
        assert metric_sum(again.client, "request_log_rows_lost_total") == 0


@pytest.mark.parametrize("after", [1, 150])
def test_fast_counts_what_a_kill_lost(bundle: Path, tmp_path: Path, after: int) -> None:
    directory = tmp_path / "outbox"
    server = start(bundle, tmp_path / "log", REQUEST_LOG="fast", REQUEST_LOG_DIR=str(directory))
    answered = _ask_until_killed(server, after)
    stored = {row["request_id"] for row in read_rows(directory)}
    lost = 2 * len(answered - stored)
    with running(bundle, directory) as again:
        until(lambda: metric_sum(again.client, "request_log_rows_lost_total") >= lost)
        counted = metric_sum(again.client, "request_log_rows_lost_total")
    assert lost <= counted <= lost + 2 * 4
    with running(bundle, directory) as again:  # a total of the file, and each row counts once
        until(lambda: metric_sum(again.client, "request_log_rows_lost_total") >= counted)  # once the file is open
        assert metric_sum(again.client, "request_log_rows_lost_total") == counted


def test_two_services_share_a_folder(bundle: Path, tmp_path: Path) -> None:
    directory = tmp_path / "outbox"
    with running(bundle, directory) as one, running(bundle, directory) as other:
        for server in (one, other, one, other):
            server.client.post("/get_prediction", json={"name": "Jordan"}).raise_for_status()
        assert metric_sum(other.client, "request_log_rows_lost_total") == 0
    assert len(read_rows(directory)) == 4


# --- files


def _truncate(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


DAMAGES: dict[str, Callable[[Path], object]] = {
    "garbage": lambda path: path.write_bytes(os.urandom(50_000)),
    "truncated": _truncate,
    "a damaged page": lambda path: path.write_bytes(
        path.read_bytes()[:4096] + b"\xff" * 4096 + path.read_bytes()[8192:]
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_kept_beside_a_new_one(tmp_path: Path, damage: str, caplog: pytest.LogCaptureFixture) -> None:
    with outbox(tmp_path) as first:
        first.put(n=100)
    DAMAGES[damage](tmp_path / FILE)
    damaged = (tmp_path / FILE).read_bytes()
    with outbox(tmp_path) as second:
        second.put()
        assert second.value("set_aside") == 1
    (kept,) = (path for path in tmp_path.glob(f"{FILE}.broken-*") if not path.name.endswith(("-wal", "-shm")))
    assert kept.read_bytes()[100:] == damaged[100:]  # but for counters of the header
    assert n_rows(tmp_path) == 1
    assert kept.name in [getattr(record, "kept", None) for record in caplog.records]


def test_an_emptied_file_is_not_silent(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / FILE).touch()
    with outbox(tmp_path) as running:
        running.put()
    assert n_rows(tmp_path) == 1
    assert "is empty" in caplog.text


def test_a_file_that_is_damaged_meanwhile_is_replaced(tmp_path: Path) -> None:
    with outbox(tmp_path) as running:
        running.put(n=100)
        with closing(sqlite3.connect(tmp_path / FILE)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        (tmp_path / FILE).write_bytes(os.urandom(50_000))
        running.put(n=3)
        until(lambda: running.value("set_aside") == 1 and not running.outbox.n_pending)
    assert n_rows(tmp_path) == 3


def test_a_folder_that_cannot_be_written_ends_the_start_with_a_sentence(bundle: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    environment = os.environ | {
        "NAME_CLASSIFIER_BUNDLE_DIR": str(bundle),
        "NAME_CLASSIFIER_PORT": "1",
        "NAME_CLASSIFIER_REQUEST_LOG": "fast",
        "NAME_CLASSIFIER_REQUEST_LOG_DIR": str(tmp_path / "file" / "below"),
        "NAME_CLASSIFIER_HOST": "127.0.0.1",
    }
    environment["NAME_CLASSIFIER_PORT"] = "0" if os.geteuid() else "1"
    done = subprocess.run(
        [sys.executable, "-m", "api"], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "The request log cannot be written: Not a directory." in done.stderr
    assert "Traceback" not in done.stderr


# --- no room


def test_with_skip_answers_go_on_and_what_is_left_out_is_counted(tmp_path: Path) -> None:
    with outbox(tmp_path, max_bytes=MEGABYTE, strict=False) as running:
        while not running.value("skipped"):
            running.put(n=1000)
        written = running.value("written")
        with closing(sqlite3.connect(tmp_path / FILE, timeout=10)) as connection:  # as `retain` does
            connection.execute("DELETE FROM feedback")
            connection.commit()
        running.outbox.put_nowait(Feedback(1.0, "last", 0, None, "Jordan", "Irish"))
        until(lambda: running.value("written") > written)


def test_with_refuse_nothing_is_answered_unrecorded(tmp_path: Path) -> None:
    with outbox(tmp_path, max_bytes=MEGABYTE, refuse=True) as running:
        n_taken = next(n for n in count() if not running.takes())
        assert n_rows(tmp_path) == n_taken
        assert running.value("refused") >= 1
        with closing(sqlite3.connect(tmp_path / FILE, timeout=10)) as connection:
            connection.execute("DELETE FROM feedback")
            connection.commit()
        until(lambda: running.takes("Again"))
    rows = read_rows(tmp_path, "feedback")
    assert {row["name"] for row in rows} == {"Again"}


@pytest.mark.parametrize("policy", ["skip", "refuse"])
def test_a_full_log_never_ends_the_service(bundle: Path, tmp_path: Path, policy: str) -> None:
    directory = tmp_path / "outbox"
    with running(bundle, directory, REQUEST_LOG_FULL=policy, REQUEST_LOG_MAX_BYTES=str(MEGABYTE)) as server:
        names = ["Jordan"] * 1000
        statuses = [server.client.post("/v1/predict", json={"names": names}).status_code for _ in range(12)]
        assert set(statuses) == ({200} if policy == "skip" else {200, 503})
        assert server.client.get("/readyz").status_code == 200
        assert metric_sum(server.client, 'request_log_failing{stage="commit"}') == 1
        if policy == "refuse":
            problem = server.client.post("/get_prediction", json={"name": "Jordan"})
            assert problem.json()["detail"] == "The request cannot be recorded; try again in a second."
            assert problem.headers["retry-after"] == "1"
            assert metric_sum(server.client, 'http_requests_unavailable_total{reason="request_log"}') >= 1
            stream = server.client.post(
                "/v1/predict/stream", content='"Jordan"\n', headers={"content-type": "application/x-ndjson"}
            )
            assert '"status":503' in stream.text or stream.status_code == 503
        assert stop(server) == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 8 MiB of its own."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(disk)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("only root may mount a disk that is small enough to fill")
    yield disk
    subprocess.run(["umount", str(disk)], check=True)


def _fill(disk: Path) -> None:
    with contextlib.suppress(OSError), (disk / "another").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


def test_rows_can_be_deleted_from_a_full_disk(small_disk: Path) -> None:
    directory = small_disk / "outbox"
    with outbox(directory, refuse=True) as running:
        n_taken = next(n for n in count() if not running.takes("J" * 100))
        _fill(small_disk)
        ids = [row["id"] for row in read_rows(directory, "feedback")]
        assert len(ids) == n_taken
        running.outbox.delete("feedback", ids[: n_taken // 2]).result(20)
        until(running.takes)
    assert n_rows(directory) == n_taken - n_taken // 2 + 1


def test_an_outbox_opens_on_a_full_disk(small_disk: Path) -> None:
    directory = small_disk / "outbox"
    with outbox(directory) as running:
        running.put(n=1000)
    _fill(small_disk)
    with outbox(directory) as running:
        running.outbox.delete("feedback", [row["id"] for row in read_rows(directory, "feedback")]).result(20)
    assert n_rows(directory) == 0


def test_deletions_that_nobody_waits_for_are_forgotten(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with outbox(tmp_path) as running:
        running.put()
        (row,) = read_rows(tmp_path, "feedback")
        deletion: Future[None] = Future()
        deletion.cancel()
        monkeypatch.setattr("api.request_log.outbox.Future", lambda: deletion)
        running.outbox.delete("feedback", [row["id"]])
        running.put()
    assert n_rows(tmp_path) == 2


# --- the thread


def test_the_writer_survives_any_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with outbox(tmp_path) as running:
        running.put()
        with monkeypatch.context() as patch:
            patch.setattr("api.request_log.outbox.insert_rows", lambda *_: 1 / 0)
            running.put(n=5)
            assert running.outbox.n_pending == 5
        running.put()
        until(lambda: running.outbox.n_pending == 0)
    assert n_rows(tmp_path) == 7


def test_a_row_that_cannot_be_built_holds_up_no_other(tmp_path: Path) -> None:
    with outbox(tmp_path) as running:
        running.put("\x00")  # no name, which no route lets through
        running.put()
        assert running.value("skipped") == 1
    assert n_rows(tmp_path) == 1


def test_whoever_outruns_the_disk_waits(tmp_path: Path) -> None:
    with outbox(tmp_path, strict=False) as running:
        running.put(n=60_000)
        assert running.outbox.n_pending <= 11_000
    assert n_rows(tmp_path) == 60_000


def test_a_file_of_a_newer_release_is_left_alone_and_explained(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with outbox(tmp_path) as first:
        first.put()
    with closing(sqlite3.connect(tmp_path / FILE)) as connection, connection:
        connection.execute("UPDATE request_log_revision SET version_num = '9999'")
    with outbox(tmp_path, strict=False) as second:
        second.put()
        until(lambda: count_errors(second) >= 1)
    (reason,) = (record.__dict__["error"] for record in caplog.records if "cannot be written" in record.getMessage())
    assert reason.startswith("the file cannot be migrated: The database of the request log has a revision")
    assert reason.endswith("a newer release made it, use that one.")
    assert n_rows(tmp_path) == 1


def test_a_place_where_no_file_can_be_is_explained_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    os.mkfifo(tmp_path / FILE)
    with outbox(tmp_path, strict=False) as running_outbox:
        running_outbox.put()
        until(lambda: count_errors(running_outbox) >= 3)
    messages = [
        record.getMessage() for record in caplog.records if record.getMessage() != "request log: rows were not written"
    ]
    assert messages == ["the file of the request log is empty; a new one begins", "request log: rows cannot be written"]
    assert caplog.records[1].__dict__["error"] in {"disk I/O error", "unable to open database file"}


def count_errors(running_outbox: Running) -> float:
    (metric,) = running_outbox.metrics._errors.collect()
    return sum(sample.value for sample in metric.samples if sample.name.endswith("_total"))
