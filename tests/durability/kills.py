"""The service killed under load at random moments, again and again in one folder: what of the answers is not kept.

`python -m tests.durability.kills --kills 150` kills it so often in each mode, and a tenth as often while it ships to
PostgreSQL, and exits with 1 unless `strict` has lost nothing, `fast` no more than the last group, all of that
counted, and nothing is there twice.
"""

import argparse
import asyncio
import os
import random
import shutil
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import uvloop

from tests.attack.resources import Report
from tests.attack.service import ROOT, Service, serving
from tests.durability.load import Comparison, Load, n_items
from tests.durability.outage import database
from tests.durability.reading import database_rows, metric, outbox_rows

FOLDER = ROOT / "build/durability/kills"
CONNECTIONS = 8
LONGEST_SECONDS = 1.0
GROUP_SECONDS = 0.5
"""Within so long a group is committed, on a machine that has other things to do."""
SHIP_SECONDS = 60


@dataclass(frozen=True)
class Kill:
    """A load and its end."""

    load: Load
    at: float
    n_in_flight: int
    """Items of requests without an answer."""

    def age(self, found: Comparison) -> float:
        """Return how long before the kill the first item without a row was answered, in seconds; 0 if there is none."""
        return max((self.at - self.load.answered_at[number] for number, _ in found.missing), default=0.0)


class Losses:
    """What a number of kills has cost."""

    def __init__(self, report: Report) -> None:
        self._report = report
        self.n_answered = self.n_missing = self.n_repeated = self.n_counted = 0
        self.most_missing = 0
        self.ages: list[float] = []
        """Of the first item that was lost by each kill that lost some, in seconds before it."""

    def add(self, kill: Kill, service: Service, outbox: Path) -> None:
        """Look at what the service that came after a kill has found."""
        found = kill.load.compare(outbox_rows(outbox, kill.load.prefix))
        n_missing = len(found.missing)
        n_counted = round(metric(service, "request_log_rows_lost_total")) - self.n_counted
        self._report.expect(
            n_missing <= n_counted <= n_missing + kill.n_in_flight,
            f"kill {kill.load.prefix}: {n_missing} lost, {n_counted} counted, {kill.n_in_flight} in flight",
        )
        self.n_answered += found.n_answered
        self.n_missing += n_missing
        self.n_repeated += found.n_repeated
        self.n_counted += n_counted
        self.most_missing = max(self.most_missing, n_missing)
        if n_missing:
            self.ages.append(kill.age(found))


async def kill_under_load(service: Service, prefix: str) -> Kill:
    """Ask as fast as it answers, and kill it after a random time."""
    async with asyncio.timeout(60):
        async with Load(service.port, prefix, CONNECTIONS) as load:
            load.ask_at_once()
            await asyncio.sleep(random.uniform(0.02, LONGEST_SECONDS))
            at = time.monotonic()
            service.process.send_signal(signal.SIGKILL)
            await load.wait_until_cut_off()
    n_in_flight = sum(n_items(number) for number, answered in enumerate(load.answered_at) if not answered)
    return Kill(load, at, n_in_flight)


class Folder:
    """The folder in which one service after the other is killed."""

    def __init__(self, name: str, mode: str, **settings: str) -> None:
        self.outbox = FOLDER / name / "outbox"
        self._log = FOLDER / name / "log"
        self._settings = {
            "LOG_LEVEL": "error",
            "REQUEST_LOG": mode,
            "REQUEST_LOG_DIR": str(self.outbox),
            **settings,
        }
        shutil.rmtree(FOLDER / name, ignore_errors=True)

    @contextmanager
    def service(self) -> Iterator[Service]:
        """Run a service that has opened the outbox."""
        with serving(self._log, self._settings) as service:
            service.get("/v1/similar?name=Jordan")
            while not metric(service, "request_log_rows_written_total"):
                time.sleep(0.02)
            yield service


def kill(service: Service, prefix: str) -> Kill:
    """Kill a service under load, whose request ids have a prefix."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(kill_under_load(service, prefix))


def without_database(report: Report, mode: str, kills: int) -> None:
    """Kill it, and look after each kill."""
    folder, losses = Folder(mode, mode), Losses(report)
    last = None
    for number in range(kills + 1):
        with folder.service() as service:
            if last:
                losses.add(last, service, folder.outbox)
            if number < kills:
                last = kill(service, f"{number}-")
    report.show(
        f"{mode}: {kills} kills, {losses.n_answered} items answered, {losses.n_missing} lost (at most "
        f"{losses.most_missing} by a kill), {losses.n_repeated} twice; {losses.n_counted} counted as lost"
    )
    if ages := sorted(losses.ages):
        report.show(
            f"{len(ages)} kills lost items; the first of them was answered {1000 * ages[len(ages) // 2]:.0f} ms "
            f"before the kill in the median, {1000 * ages[-1]:.0f} ms at most"
        )
    report.expect(losses.n_repeated == 0, f"{mode}: rows are there twice")
    report.expect(mode == "fast" or not losses.n_missing, f"{mode}: answered items were lost")
    report.expect(max(losses.ages, default=0) < GROUP_SECONDS, f"{mode}: more than the last group was lost")


def with_database(report: Report, kills: int) -> None:
    """Kill it in strict mode while it ships to PostgreSQL."""
    with database(durable=False) as (postgresql, name):
        folder = Folder("postgresql", "strict", DATABASE_URL=postgresql.url(name))
        ended = []
        for number in range(kills):
            with folder.service() as service:
                ended.append(kill(service, f"{number}-"))
        with folder.service() as service:
            deadline = time.monotonic() + SHIP_SECONDS
            while any(outbox_rows(folder.outbox)) and time.monotonic() < deadline:
                time.sleep(0.2)
            lost = metric(service, "request_log_rows_lost_total")
        found = [each.load.compare(database_rows(postgresql.conninfo(name), each.load.prefix)) for each in ended]
    n_missing, n_repeated = sum(len(each.missing) for each in found), sum(each.n_repeated for each in found)
    report.show(
        f"strict with PostgreSQL: {kills} kills, {sum(each.n_answered for each in found)} items answered, "
        f"{n_missing} lost, {n_repeated} twice; {lost:.0f} counted as lost"
    )
    report.expect(not n_missing and not n_repeated, "with PostgreSQL: the table is not what was answered")


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=5, help="how often in each mode")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    random.seed(arguments.seed)
    report = Report(0)
    for mode in ("strict", "fast"):
        without_database(report, mode, arguments.kills)
    with_database(report, max(2, arguments.kills // 10))
    report.show(f"load average {os.getloadavg()[0]:.1f}")
    for fault in report.faults:
        print(f"  FAILED: {fault}", flush=True)
    sys.exit(bool(report.faults))


if __name__ == "__main__":
    main()
