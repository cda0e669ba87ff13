"""Send the service what the internet sends: the handmade, the random, and what its own OpenAPI document suggests.

`make fuzz FUZZ=10000` runs this, against the service as a try of it and as production runs it. FUZZ is about how many
random requests are sent; a tenth of them are schemathesis's, which are slow. Ends with 1 if an answer was not what it
must be (judge.py), a name stood in a log, a metric or an error, or the service failed. `--seed` repeats a run.
"""

import argparse
import asyncio
import itertools
import json
import random
import shutil
import sys
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import suppress

from cases import CASES, PRODUCTION_CASES
from generators import generate
from judge import Judge
from markers import find_marker
from schema import run_schemathesis
from service import MODES, WORK, Service, serving
from wire import BrokenAnswerError, Connection, Exchange

CONNECTIONS = 32
SCHEMATHESIS_SHARE = 0.1
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "OTHER"}
_QUIET = {"DEBUG", "INFO"}


async def send_all(port: int, exchanges: Iterable[Exchange], judge: Judge) -> int:
    """Send exchanges on some connections, each the next one that is left; return how many there were."""
    left, sent = iter(exchanges), itertools.count()

    async def work() -> None:
        connection = Connection(port)
        for exchange in left:
            next(sent)
            try:
                judge.hear(exchange, await connection.run(exchange))
            except (BrokenAnswerError, OSError) as error:
                judge.fail(exchange, str(error))
        connection.close()

    await asyncio.gather(*(work() for _ in range(CONNECTIONS)))
    return next(sent)


def randomly(count: int, seed: str) -> Iterable[Exchange]:
    """Yield exchanges; each has its own number, so that one can be made again without the others."""
    for number in range(count):
        yield generate(random.Random(f"{seed}/{number}"))


def find_faults(service: Service, reference: object) -> list[str]:
    """Return what is wrong with a service after all this."""
    faults = [] if service.process.poll() is None else ["the service ended"]
    if ask(service) != reference:
        faults.append("it answers otherwise than before")
    metrics = service.get("/metrics")
    if marker := find_marker(metrics):
        faults.append(f"a metric holds {marker}")
    pages = {"/", "/docs", "/docs/swagger-ui.css", "/docs/swagger-ui-bundle.js", "/openapi.json"}
    documented = set(json.loads(service.get("/openapi.json"))["paths"]) | pages | {"unmatched"}
    for method, route, status in service.counts():
        if method not in _METHODS or route not in documented:
            faults.append(f"a metric has the label {method} {route}")
        if status >= 500 and status != 503:
            faults.append(f"it counted {status} on {method} {route}")
    return faults + list(faults_of_log(service))


def faults_of_log(service: Service) -> Iterable[str]:
    """Yield what is wrong with the log: a name, a line that is not JSON, a failure."""
    for line in service.log.read_bytes().splitlines():
        entry = {}
        with suppress(ValueError):
            entry = json.loads(line)
        if marker := find_marker(line):
            yield f"the log holds {marker}: {line[:300]!r}"
        elif entry.get("level") not in _QUIET:
            yield f"the log says: {line[:1000]!r}"


def ask(service: Service) -> object:
    """Return what the service says of itself, but for what changes from request to request."""
    said = json.loads(service.get("/v1/model"))
    said.pop("request_id")
    return said, json.loads(service.get("/v1/similar?name=Kowalska"))["similar"]


def besiege(mode: str, count: int, seed: str) -> tuple[int, Counter[tuple[str, str, int]]]:
    """Send it all to the service in one mode; return the number of failures, and the requests that it counted."""
    judge = Judge(WORK / "failures" / mode)
    with serving(mode) as service:
        reference = ask(service)
        cases = [*CASES, *(PRODUCTION_CASES if mode == "production" else ())]
        started = time.monotonic()
        asyncio.run(send_all(service.port, cases, judge))
        print(f"{mode}: {len(cases)} handmade exchanges took {time.monotonic() - started:.0f} s", flush=True)
        before, started = service.resident_mib(), time.monotonic()
        sent = asyncio.run(send_all(service.port, randomly(round(count * (1 - SCHEMATHESIS_SHARE)), seed), judge))
        print(f"{mode}: {sent:,} random exchanges took {time.monotonic() - started:.0f} s", flush=True)
        between, started = service.resident_mib(), time.monotonic()
        failures = judge.failures + run_schemathesis(service, round(count * SCHEMATHESIS_SHARE), seed)
        print(f"{mode}: schemathesis took {time.monotonic() - started:.0f} s", flush=True)
        faults = find_faults(service, reference)
        after, counts = service.resident_mib(), service.counts()
    print(f"{mode}: resident MiB {before:.0f}, then {between:.0f}, then {after:.0f}")
    for fault in faults[:20]:
        print(f"FAILED {mode}: {fault}")
    return failures + len(faults), counts


def print_counts(counts: Counter[tuple[str, str, int]]) -> None:
    """Print a row a route, a column a status."""
    statuses = sorted({status for _, _, status in counts})
    print(f"{'route':40}" + "".join(f"{status:>8}" for status in statuses) + "     all")
    for route in sorted({route for _, route, _ in counts}):
        row = Counter({s: sum(n for (_, r, t), n in counts.items() if (r, t) == (route, s)) for s in statuses})
        print(f"{route:40}" + "".join(f"{row[status]:>8,}" for status in statuses) + f"{row.total():>8,}")
    print(f"{counts.total():,} requests counted by the service")


def main() -> None:
    """Besiege the service in every mode."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("requests", type=int, nargs="?", default=10_000)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--mode", choices=MODES)
    arguments = parser.parse_args()
    shutil.rmtree(WORK, ignore_errors=True)
    modes = [arguments.mode] if arguments.mode else list(MODES)
    failures, counts = 0, Counter[tuple[str, str, int]]()
    for mode in modes:
        failed, counted = besiege(mode, arguments.requests // len(modes), f"{arguments.seed}/{mode}")
        failures, counts = failures + failed, counts + counted
    print_counts(counts)
    print(f"{failures} failures" if failures else "no failure")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
