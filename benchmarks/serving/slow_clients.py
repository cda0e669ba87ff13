"""2,000 clients that hold connections and finish nothing, beside users who ask as usual: who is closed, and when.

Run `python benchmarks/serving/slow_clients.py [--seconds 60]`; prints what happened, and exits with 1 if a good request
or a probe was not answered. A third of the clients send nothing, a third a header and a third a body at one byte a
second; ten ask for more than the kernel buffers, and read nothing.
When the service has closed a connection is read off the kernel's table, not off what the client can notice.
"""

import argparse
import asyncio
import contextlib
import statistics
import sys
from collections import Counter

from probing import TIMEOUT_SECONDS, Prober, allow_many_sockets, describe
from processes import resident_bytes
from servers import SERVICE, Running, running
from siege import KINDS, Client, besiege

USERS = 20


def print_clients(clients: list[Client]) -> None:
    """Print, by kind, how many were closed and after how long."""
    for kind in KINDS:
        ours = [client for client in clients if client.kind == kind]
        times = [client.closed - client.opened for client in ours if client.closed is not None]
        print(f"{kind}: {len(ours)} connected, {len(ours) - len(times)} still open at the end", end="")
        if times:
            print(
                f", closed after {min(times):.1f} to {max(times):.1f} s, median {statistics.median(times):.1f}", end=""
            )
        print()


def observe(process: Running, seconds: int) -> bool:
    """Let good users in beside the slow ones, and print how both fared; return whether all was answered."""
    before = resident_bytes(process.process.pid)
    users = [Prober(process.port, every=0.2, route=SERVICE.routes[0]) for _ in range(USERS)]
    with contextlib.ExitStack() as stack:
        probe = stack.enter_context(Prober(process.port, every=0.1))
        for user in users:
            stack.enter_context(user)
        clients = asyncio.run(besiege(process.port, seconds))
    print_clients(clients)
    good = [p for user in users for p in user.probes]
    answered = sum(p.status == 200 for p in good)
    print(f"good requests: {answered / len(good):.2%} answered within {TIMEOUT_SECONDS} s; {describe(good)}")
    print(f"their statuses, 0 for no answer: {dict(Counter(p.status for p in good))}")
    print(f"/livez: {describe(probe.probes)}; statuses {dict(Counter(p.status for p in probe.probes))}")
    print(f"resident MiB: {before / 2**20:.0f} before, {resident_bytes(process.process.pid) / 2**20:.0f} after")
    print("restarts: none" if process.process.poll() is None else "the service ended")
    return all(p.status == 200 for p in (*good, *probe.probes)) and process.process.poll() is None


def main() -> None:
    """Start the service and besiege it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60)
    seconds = parser.parse_args().seconds
    allow_many_sockets()
    with running(SERVICE) as process:
        answered = observe(process, seconds)
    sys.exit(not answered)


if __name__ == "__main__":
    main()
