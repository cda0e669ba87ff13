"""PostgreSQL away for minutes while a steady load goes on: what is in the table afterwards, and what it cost.

`python -m tests.durability.outage --minutes 10` measures what the machine sustains, asks for half of that from then
on, stops PostgreSQL for so long, and exits with 1 unless every answered item is in the table exactly once.
"""

import argparse
import asyncio
import os
import shutil
import sys
import time
from array import array
from collections.abc import Iterator
from contextlib import contextmanager

import uvloop

from api.request_log.migrating import migrate
from api.tests.postgresql import PostgreSQL
from tests.attack.resources import Report
from tests.attack.service import ROOT, Service, serving
from tests.durability.load import Load
from tests.durability.reading import database_rows, metric, percentiles, size_mib

FOLDER = ROOT / "build/durability/outage"
OUTBOX = FOLDER / "outbox"
CONNECTIONS = 32
SUSTAINED_SECONDS = 10
CAUGHT_UP_AGE_SECONDS = 2.0
CATCH_UP_SECONDS = 1800
SETTINGS = {
    "LOG_LEVEL": "error",
    "REQUEST_LOG": "fast",
    "REQUEST_LOG_DIR": str(OUTBOX),
    "REQUEST_LOG_MAX_BYTES": str(8 * 2**30),
}


@contextmanager
def database(*, durable: bool) -> Iterator[tuple[PostgreSQL, str]]:
    """Run PostgreSQL with the tables of the request log; yield it and the database's name."""
    server = PostgreSQL(durable=durable)
    try:
        server.start()
        name = server.new_database()
        migrate(server.url(name))
        yield server, name
    finally:
        server.remove()


class Outage:
    """One run."""

    def __init__(self, report: Report, service: Service, postgresql: PostgreSQL) -> None:
        self._report, self._service, self._postgresql = report, service, postgresql

    async def run(self) -> tuple[Load, Load]:
        """Measure the rate, then go through the phases; return what asked."""
        async with Load(self._service.port, "s", CONNECTIONS) as flat_out:
            flat_out.ask_at_once()
            await asyncio.sleep(SUSTAINED_SECONDS)
            flat_out.stop()
        rate = flat_out.statuses[200] / SUSTAINED_SECONDS
        self._report.show(f"sustained: {rate:.0f} requests/s; ms: {percentiles(flat_out.latencies)}")
        await self._catch_up(0)
        async with Load(self._service.port, "o", CONNECTIONS) as load:
            asking = asyncio.create_task(load.ask_at(rate / 2))
            await self._phases(load)
            asking.cancel()
        self._report.show(f"asked at {rate / 2:.0f} requests/s; statuses: {dict(load.statuses)}")
        await self._catch_up(0)
        return flat_out, load

    async def _phases(self, load: Load) -> None:
        await asyncio.sleep(min(60.0, self._report.seconds))
        self._show_phase("up", load)
        await asyncio.to_thread(self._postgresql.stop)
        await asyncio.sleep(self._report.seconds)
        self._show_phase("down", load)
        await asyncio.to_thread(self._postgresql.start)
        seconds = await self._catch_up(CAUGHT_UP_AGE_SECONDS)
        self._show_phase("recovering", load)
        self._report.show(f"caught up {seconds:.0f} s after PostgreSQL was started")
        await asyncio.sleep(min(60.0, self._report.seconds))
        self._show_phase("up again", load)

    def _show_phase(self, name: str, load: Load) -> None:
        latencies, load.latencies = load.latencies, array("f")
        n_rows = metric(self._service, "request_log_outbox_rows ")
        self._report.show(
            f"{name}: {len(latencies)} answers, ms: {percentiles(latencies)}; "
            f"{self._service.resident_mib():.0f} MiB resident, {n_rows:.0f} rows in the outbox, "
            f"{size_mib(OUTBOX):.0f} MiB, load average {os.getloadavg()[0]:.1f}"
        )

    async def _catch_up(self, age: float) -> float:
        """Wait until the oldest row of the outbox is not older than that; return the seconds."""
        started = time.monotonic()
        while await asyncio.to_thread(metric, self._service, "request_log_outbox_oldest_row_age_seconds ") > age:
            if time.monotonic() - started > CATCH_UP_SECONDS:
                self._report.expect(False, f"not caught up in {CATCH_UP_SECONDS} s")
                break
            await asyncio.sleep(0.5)
        return time.monotonic() - started


def compare(report: Report, load: Load, conninfo: str) -> None:
    """Compare what was answered with the table."""
    found = load.compare(database_rows(conninfo, load.prefix))
    report.show(
        f"{found.n_answered} items answered, {len(found.missing)} not in the table, {found.n_repeated} there twice, "
        f"{found.n_unanswered} there without an answer"
    )
    report.expect(not found.missing and not found.n_repeated, "the table is not what was answered")
    report.expect(load.statuses.keys() == {200} and not load.n_in_flight, f"{load.n_in_flight} unanswered")


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=1, help="how long PostgreSQL is away")
    arguments = parser.parse_args()
    shutil.rmtree(FOLDER, ignore_errors=True)
    report = Report(arguments.minutes * 60)
    with database(durable=True) as (postgresql, name):
        settings = SETTINGS | {"DATABASE_URL": postgresql.url(name)}
        with serving(FOLDER / "log", settings) as service:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                loads = runner.run(Outage(report, service, postgresql).run())
            lost, skipped = (metric(service, f"request_log_rows_{kind}_total") for kind in ("lost", "skipped"))
            report.show(f"counted as lost: {lost:.0f}, as skipped: {skipped:.0f}")
        for load in loads:  # once SIGTERM has shipped the last rows
            compare(report, load, postgresql.conninfo(name))
    for fault in report.faults:
        print(f"  FAILED: {fault}", flush=True)
    sys.exit(bool(report.faults))


if __name__ == "__main__":
    main()
