"""Connections that finish nothing: silent, a byte a second, or never reading; and when the server closed each."""

import asyncio
import contextlib
import json
import socket
import time
from dataclasses import dataclass
from pathlib import Path

from servers import ROOT, SERVICE, Route

from model.artifacts import read_metadata

CLIENTS = 2000
OPENED_PER_SECOND = 500
NEVER_READING_EVERY = 200  # the kernel buffers 3 MB of answers before the service notices, and they cost it CPU
_ESTABLISHED = "01"


@dataclass
class Client:
    """One of them: its kind, its port, and when it was opened and closed (of time.monotonic)."""

    kind: str
    port: int
    opened: float
    closed: float | None = None


def _head(route: Route) -> bytes:
    """Return the head of a request, open for more headers."""
    headers = {"host": "localhost", **route.headers}
    lines = [f"POST {route.path} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "".join(f"{line}\r\n" for line in lines).encode()


def _long_answers() -> bytes:
    """Return requests for all labels of thousands of names: their answers are more than the kernel buffers."""
    top_k = len(read_metadata(ROOT / "artifacts").labels)
    body = json.dumps({"names": ["Kowalska"] * 1000, "top_k": top_k}).encode()
    return 2 * (_head(SERVICE.routes[1]) + b"content-length: %d\r\n\r\n" % len(body) + body)


# What each kind sends at once, and then every second.
KINDS = {
    "silent": (b"", b""),
    "slow header": (_head(SERVICE.routes[0]) + b"x-note: ", b"a"),
    "slow body": (_head(SERVICE.routes[0]) + b'content-length: 9999\r\n\r\n{"name": "', b"a"),
    "never reading": (_long_answers(), b""),
}


def _kind(number: int) -> str:
    *ordinary, never_reading = KINDS
    return ordinary[number % len(ordinary)] if number % NEVER_READING_EVERY else never_reading


async def _hold(kind: str, port: int, clients: list[Client]) -> None:
    """Open a connection and hold it until cancelled, or until it breaks."""
    loop = asyncio.get_running_loop()
    at_once, every_second = KINDS[kind]
    with socket.socket() as connection, contextlib.suppress(OSError):
        connection.setblocking(False)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        await loop.sock_connect(connection, ("127.0.0.1", port))
        clients.append(Client(kind, connection.getsockname()[1], time.monotonic()))
        await loop.sock_sendall(connection, at_once)
        while True:
            await asyncio.sleep(1)
            await loop.sock_sendall(connection, every_second)


def _held(port: int) -> set[int]:
    """Return the clients' ports of the connections that the service holds open."""
    rows = (line.split() for line in Path("/proc/net/tcp").read_text(encoding="utf-8").splitlines()[1:])
    here = f":{port:04X}"
    return {int(row[2].rpartition(":")[2], 16) for row in rows if row[1].endswith(here) and row[3] == _ESTABLISHED}


async def besiege(port: int, seconds: int) -> list[Client]:
    """Hold the slow connections for some seconds and note when each was closed."""
    clients: list[Client] = []
    tasks: list[asyncio.Task[None]] = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for _ in range(min(OPENED_PER_SECOND // 2, CLIENTS - len(tasks))):
            tasks.append(asyncio.create_task(_hold(_kind(len(tasks)), port, clients)))
        await asyncio.sleep(0.5)
        held = _held(port)
        for client in clients:
            if client.closed is None and client.port not in held:
                client.closed = time.monotonic()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return clients
