"""2,000 clients that hold connections and finish nothing, beside users who ask as usual: who is closed, who is answered.

Run `python benchmarks/serving/slow_clients.py [--seconds 60]`; prints what happened. A quarter of them sends nothing, a
quarter a header and a quarter a body at one byte a second, a quarter asks for /metrics without reading the answers.
When the service has closed a connection is read off the kernel's table, not off what the client can notice.
"""

import argparse
import asyncio
import contextlib
import socket
import statistics
import time
from collections import Counter
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from pathlib import Path

from probing import TIMEOUT_SECONDS, Prober, allow_many_sockets, describe
from processes import resident_bytes
from servers import SERVICE, Running, running

CLIENTS = 2000
OPENED_PER_SECOND = 500
USERS = 20
BODY = '{"name": "Kowalska", "n_predictions": 3}'
_HEAD = b"POST /get_prediction HTTP/1.1\r\nhost: localhost\r\n"
_ASK = b"GET /metrics HTTP/1.1\r\nhost: localhost\r\n\r\n"
_ESTABLISHED = "01"


@dataclass
class Client:
    """One of the slow ones: its kind, its port, and when it was opened and closed (of time.monotonic)."""

    kind: str
    port: int
    opened: float
    closed: float | None = None


async def _drip(connection: socket.socket, start: bytes, byte: bytes) -> None:
    loop = asyncio.get_running_loop()
    await loop.sock_sendall(connection, start)
    while True:
        await asyncio.sleep(1)
        await loop.sock_sendall(connection, byte)


async def _silent(_: socket.socket) -> None:
    await asyncio.Event().wait()


async def _slow_header(connection: socket.socket) -> None:
    await _drip(connection, _HEAD + b"x-note: ", b"a")


async def _slow_body(connection: socket.socket) -> None:
    await _drip(connection, _HEAD + b'content-type: application/json\r\ncontent-length: 9999\r\n\r\n{"name": "', b"a")


async def _never_reading(connection: socket.socket) -> None:
    while True:
        await asyncio.get_running_loop().sock_sendall(connection, _ASK)


KINDS: dict[str, Callable[[socket.socket], Coroutine[None, None, None]]] = {
    "silent": _silent,
    "slow header": _slow_header,
    "slow body": _slow_body,
    "never reading": _never_reading,
}


async def _be_slow(kind: str, port: int, clients: list[Client]) -> None:
    """Open a connection and misbehave on it until cancelled, or until it breaks."""
    with socket.socket() as connection, contextlib.suppress(OSError):
        connection.setblocking(False)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        await asyncio.get_running_loop().sock_connect(connection, ("127.0.0.1", port))
        clients.append(Client(kind, connection.getsockname()[1], time.monotonic()))
        await KINDS[kind](connection)


def _held(port: int) -> set[int]:
    """Return the clients' ports of the connections that the service holds open."""
    rows = (line.split() for line in Path("/proc/net/tcp").read_text(encoding="utf-8").splitlines()[1:])
    here = f":{port:04X}"
    return {int(row[2].rpartition(":")[2], 16) for row in rows if row[1].endswith(here) and row[3] == _ESTABLISHED}


async def besiege(port: int, seconds: int) -> list[Client]:
    """Hold the slow connections for some seconds and note when each was closed."""
    clients: list[Client] = []
    tasks = []
    kinds = list(KINDS)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for _ in range(min(OPENED_PER_SECOND // 2, CLIENTS - len(tasks))):
            tasks.append(asyncio.create_task(_be_slow(kinds[len(tasks) % len(kinds)], port, clients)))
        await asyncio.sleep(0.5)
        held = _held(port)
        for client in clients:
            if client.closed is None and client.port not in held:
                client.closed = time.monotonic()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return clients


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


def observe(process: Running, seconds: int) -> None:
    """Let good users in beside the slow ones, and print how both fared."""
    before = resident_bytes(process.process.pid)
    users = [Prober(process.port, "POST", "/get_prediction", every=0.2, body=BODY) for _ in range(USERS)]
    with contextlib.ExitStack() as stack:
        probe = stack.enter_context(Prober(process.port, "GET", "/livez", every=0.1))
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


def main() -> None:
    """Start the service and besiege it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=int, default=60)
    seconds = parser.parse_args().seconds
    allow_many_sockets()
    with running(SERVICE) as process:
        observe(process, seconds)


if __name__ == "__main__":
    main()
