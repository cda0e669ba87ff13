"""The outbox on a small disk that fills, and on files that are damaged: what is answered, and what is recorded.

`python -m tests.durability.disk` mounts small disks, for which it has to be root, and exits with 1 unless the service
goes on, records again without help once there is room, and keeps all rows but those that it counts as skipped.
"""

import argparse
import contextlib
import itertools
import json
import os
import shutil
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from api.request_log.outbox_file import FILE
from tests.attack.resources import Report
from tests.attack.service import ROOT, Service, serving
from tests.durability.outage import database
from tests.durability.reading import database_rows, metric, outbox_rows

FOLDER = ROOT / "build/durability/disk"
MIB = 2**20
N_NAMES = 100
MOST_REQUESTS = 1000
"""Far more than the disk and memory have room for."""
RECOVERY_SECONDS = 60
Item = tuple[str, int | None]
KINDS = [(mode, policy) for mode in ("fast", "strict") for policy in ("skip", "refuse")]


@contextmanager
def small_disk(mib: int) -> Iterator[Path]:
    """Mount a disk in memory."""
    disk = FOLDER / "disk"
    disk.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={mib}m", "tmpfs", str(disk)], check=True)
    try:
        yield disk
    finally:
        subprocess.run(["umount", str(disk)], check=True)


class Client:
    """Asks for lists of names, one after the other."""

    def __init__(self, service: Service) -> None:
        self.statuses = Counter[int]()
        self._service = service

    def ask(self) -> int:
        """Ask once; return the status."""
        body = json.dumps({"names": ["Kowalska"] * N_NAMES}).encode()
        headers = {"content-type": "application/json", "x-request-id": f"d-{self.statuses.total()}"}
        request = urllib.request.Request(f"http://127.0.0.1:{self._service.port}/v1/predict", body, headers)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                status: int = answer.status
        except urllib.error.HTTPError as error:
            status = error.code
        self.statuses[status] += 1
        return status

    def ask_until_full(self) -> None:
        """Ask until rows are refused or skipped, and a little longer."""
        for _ in range(MOST_REQUESTS):
            self.ask()
            if any(metric(self._service, f"request_log_{name}_total") for name in ("requests_refused", "rows_skipped")):
                break
        for _ in range(20):
            self.ask()


def recovers(service: Service, report: Report, *, shipped: bool) -> None:
    """Wait until rows are committed again and, if they are shipped, until none waits."""
    started = time.monotonic()
    while time.monotonic() - started < RECOVERY_SECONDS:
        waiting = shipped and metric(service, "request_log_outbox_rows ")
        if not waiting and not metric(service, "request_log_failing"):
            break
        time.sleep(0.2)
    seconds = time.monotonic() - started
    report.show(f"recovered in {seconds:.1f} s")
    report.expect(seconds < RECOVERY_SECONDS, "it does not recover")


def judge(
    report: Report, client: Client, policy: str, n_skipped: float, rows: Iterable[tuple[str, int | None]]
) -> None:
    """Compare the answers with what is recorded of them."""
    found = Counter(row for row in rows if row[1] is not None)
    n_answered = client.statuses[200] * N_NAMES
    report.show(
        f"statuses: {dict(client.statuses)}; {n_answered} items answered, {n_skipped:.0f} counted as skipped, "
        f"{found.total()} recorded, {found.total() - len(found)} twice"
    )
    expected = {200} if policy == "skip" else {200, 503}
    report.expect(client.statuses.keys() == expected, f"{policy} answers {dict(client.statuses)}")
    report.expect(len(found) == found.total() == n_answered - n_skipped, "answers are neither recorded nor counted")


def makes_room(report: Report, mode: str, policy: str) -> None:
    """Fill a disk, and delete something else on it."""
    with small_disk(64) as disk:
        ballast = disk / "ballast"
        ballast.write_bytes(bytes(45 * MIB))
        settings = _settings(disk, mode, policy)
        with serving(FOLDER / "log", settings) as service:
            client = Client(service)
            client.ask_until_full()
            ballast.unlink()
            recovers(service, report, shipped=False)
            report.expect(client.ask() == 200, "a request is refused afterwards")
            n_skipped = metric(service, "request_log_rows_skipped_total")
        judge(report, client, policy, n_skipped, list(outbox_rows(disk / "outbox", "d-")))
        report.expect(service.process.returncode == 0, f"exit code {service.process.returncode}")


def is_shipped(report: Report, mode: str, policy: str) -> None:
    """Fill a disk to the last byte while PostgreSQL is away, and start that."""
    with small_disk(8) as disk, database(durable=False) as (postgresql, name):
        postgresql.stop()
        settings = _settings(disk, mode, policy) | {"DATABASE_URL": postgresql.url(name)}
        with serving(FOLDER / "log", settings) as service:
            client = Client(service)
            client.ask_until_full()
            _fill(disk)
            report.show(f"{shutil.disk_usage(disk).free} bytes are free")
            postgresql.start()
            recovers(service, report, shipped=True)
            report.expect(client.ask() == 200, "a request is refused afterwards")
            n_skipped = metric(service, "request_log_rows_skipped_total")
        judge(report, client, policy, n_skipped, database_rows(postgresql.conninfo(name), "d-"))
        report.expect(service.process.returncode == 0, f"exit code {service.process.returncode}")


def starts_full(report: Report, mode: str, policy: str) -> None:
    """Start on a disk that is full to the last byte."""
    with small_disk(64) as disk:
        settings = _settings(disk, mode, policy)
        with serving(FOLDER / "log", settings) as service:
            client = Client(service)
            client.ask()
        _fill(disk)
        with serving(FOLDER / "log", settings) as service:
            statuses = Counter(Client(service).ask() for _ in range(5))
            report.show(f"started on a full disk: {dict(statuses)}")
    report.expect(statuses.keys() <= {200, 503}, f"answers {dict(statuses)}")


def _settings(disk: Path, mode: str, policy: str) -> dict[str, str]:
    directory = str(disk / "outbox")
    return {"LOG_LEVEL": "error", "REQUEST_LOG": mode, "REQUEST_LOG_FULL": policy, "REQUEST_LOG_DIR": directory}


def _fill(disk: Path) -> None:
    with contextlib.suppress(OSError), (disk / "another").open("wb", buffering=0) as file:
        while True:
            file.write(bytes(4096))


DAMAGES: dict[str, Callable[[Path], object]] = {
    "truncated": lambda path: os.truncate(path, path.stat().st_size // 2),
    "emptied": lambda path: os.truncate(path, 0),
    "garbage": lambda path: path.write_bytes(os.urandom(100_000)),
}


def damaged(report: Report, mode: str, policy: str) -> None:
    """Damage the file between two starts: what was in it is said to be kept beside, or to be gone."""
    for damage, do in DAMAGES.items():
        folder = FOLDER / "damaged"
        shutil.rmtree(folder, ignore_errors=True)
        for number in itertools.count():
            with serving(FOLDER / "log", _settings(folder, mode, policy)) as service:
                client = Client(service)
                client.ask()
            if number:
                break
            do(folder / "outbox" / FILE)
        kept = [
            path for path in (folder / "outbox").glob(f"{FILE}.broken-*") if not path.name.endswith(("-wal", "-shm"))
        ]
        lines = [json.loads(line)["message"] for line in (FOLDER / "log").read_text(encoding="utf-8").splitlines()]
        rows = list(outbox_rows(folder / "outbox", "d-"))
        report.show(f"{damage}: {dict(client.statuses)}, {len(rows)} rows, {len(kept)} kept beside; says: {lines}")
        report.expect(client.statuses.keys() == {200} and len(rows) == N_NAMES, f"{damage}: not recorded")
        report.expect(bool(lines) and len(kept) == (damage != "emptied"), f"{damage}: a silent loss")


SCENARIOS = {scenario.__name__: scenario for scenario in (makes_room, is_shipped, starts_full, damaged)}


def main() -> None:
    """Run the scenarios that are named."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("scenarios", nargs="*", metavar="SCENARIO", help=", ".join(SCENARIOS))
    names = parser.parse_args().scenarios or list(SCENARIOS)
    if unknown := set(names) - SCENARIOS.keys():
        parser.error(f"no scenario: {', '.join(sorted(unknown))}")
    if os.geteuid():
        sys.exit("Only root may mount the small disks.")
    n_faults = 0
    for name, (mode, policy) in itertools.product(names, KINDS):
        print(f"{name}, {mode}, {policy}: {SCENARIOS[name].__doc__}", flush=True)
        report = Report(0)
        SCENARIOS[name](report, mode, policy)
        for fault in report.faults:
            print(f"  FAILED: {fault}", flush=True)
        n_faults += len(report.faults)
    sys.exit(bool(n_faults))


if __name__ == "__main__":
    main()
