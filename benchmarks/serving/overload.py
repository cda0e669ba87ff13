"""Ten times the load that the service sustains: what it answers, how fast it refuses, what probes see, how it recovers.

Run `python benchmarks/serving/overload.py [--seconds 120]`; prints what happened, and exits with 1 if a probe was not
answered or the service ended. Sustained is what 64 connections get that never wait. Overload is as many clients as
that makes requests a second, each asking anew 0.1 s after its answer: ten times that load if all were answered at once.
Twenty slow users and a prober, a new connection each time, see what one sees.
"""

import argparse
import contextlib
import sys
import time
from collections import Counter
from collections.abc import Iterable

from load import Load, Names, require_wrk, run_wrk
from probing import Probe, Prober, allow_many_sockets, describe
from processes import resident_bytes
from servers import SERVICE, Running, running

SUSTAINED_SECONDS = 10
AFTERWARDS_SECONDS = 10
THINK_SECONDS = 0.1
USERS = 20
USER_REQUESTS_PER_SECOND = 50
PROMPT_SECONDS = 0.1
SPARE_FILES = 200


def recovery_seconds(asked: Iterable[Probe], end: float) -> float:
    """Return how long after the load's end a user was last refused or kept waiting."""
    late = [p.sent + p.seconds - end for p in asked if p.status != 200 or p.seconds > PROMPT_SECONDS]
    return max([0.0, *late])


def overload(process: Running, names: Names, clients: int, seconds: int) -> bool:
    """Load the service, watch it, and print what was seen; return whether every probe was answered."""
    port, route = process.port, SERVICE.routes[0]
    users = [Prober(port, every=USERS / USER_REQUESTS_PER_SECOND, route=route) for _ in range(USERS)]
    with contextlib.ExitStack() as stack:
        probe = stack.enter_context(Prober(port, every=0.1))
        for user in users:
            stack.enter_context(user)
        start = time.monotonic()
        load = run_wrk(port, route, names.skip(0), seconds, connections=clients, think_seconds=THINK_SECONDS)
        end = time.monotonic()
        after_load = resident_bytes(process.process.pid)
        time.sleep(AFTERWARDS_SECONDS)
    print_load(load)
    asked = [p for user in users for p in user.probes]
    during = [p for p in asked if start <= p.sent < end]
    print(f"users' answers: {describe([p for p in during if p.status == 200])}")
    print(f"users' refusals: {describe([p for p in during if p.status not in {0, 200}])}")
    print(f"users' statuses, 0 for no answer: {dict(Counter(p.status for p in during))}")
    probes = [p for p in probe.probes if start <= p.sent < end]
    print(f"/livez: {describe(probes)}; statuses {dict(Counter(p.status for p in probes))}")
    print(f"recovered {recovery_seconds(asked, end):.2f} s after the end: all answered within {PROMPT_SECONDS} s")
    print(f"resident MiB at the end of the load: {after_load / 2**20:.0f}")
    return all(p.status == 200 for p in probes) and process.process.poll() is None


def print_load(load: Load) -> None:
    """Print what all clients together saw."""
    good = load.requests - load.refused
    print(f"goodput {good / load.seconds:,.0f}/s, refused {load.refused / load.seconds:,.0f}/s", end=" ")
    print(f"({load.refused / max(1, load.requests):.1%}), broken {load.broken:,}; all ", end="")
    print(f"p50 {load.p50_ms:.0f} ms, p99 {load.p99_ms:.0f} ms")


def main() -> None:
    """Measure what is sustained, then ask for ten times that."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=120)
    seconds = parser.parse_args().seconds
    require_wrk()
    files = allow_many_sockets()
    names = Names()
    with running(SERVICE) as process:
        sustained = run_wrk(process.port, SERVICE.routes[0], names.skip(0), SUSTAINED_SECONDS, connections=64)
        names.skip(sustained.requests)
        rate = sustained.requests / sustained.seconds
        clients = min(round(10 * rate * THINK_SECONDS), files - SPARE_FILES)
        before = resident_bytes(process.process.pid)
        print(f"sustained {rate:,.0f}/s; {clients:,} clients for {seconds} s; resident MiB before {before / 2**20:.0f}")
        answered = overload(process, names, clients, seconds)
        print(f"resident MiB afterwards {resident_bytes(process.process.pid) / 2**20:.0f}")
        print("restarts: none" if process.process.poll() is None else "the service ended")
    sys.exit(not answered)


if __name__ == "__main__":
    main()
