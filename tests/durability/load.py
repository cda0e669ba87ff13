"""Clients that ask from this process, and remember of each request whether it was answered."""

import asyncio
import json
import re
import time
from array import array
from collections import Counter, deque
from collections.abc import Iterable
from typing import NamedTuple, Self, cast

from tests.attack.service import ROOT

_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)
_HEAD = (
    b"POST %s HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nx-request-id: %s\r\ncontent-length: %d\r\n\r\n"
)
_END_OF_HEAD = b"\r\n\r\n"
_TICK_SECONDS = 0.002
ANSWER_SECONDS = 30
_LIST_EVERY = 4
_LONGEST_LIST = 5
_NAMES = [
    json.dumps(name, ensure_ascii=False).encode()
    for label in ("Polish", "Irish", "Italian")
    for name in (ROOT / f"data/names/{label}.txt").read_text(encoding="utf-8").split()[:500]
]


class Comparison(NamedTuple):
    """The rows of a table beside what a client was answered."""

    n_answered: int
    """Items."""
    missing: list[tuple[int, int]]
    """Number and index of answered items without a row."""
    n_repeated: int
    """Rows beyond the first of an item."""
    n_unanswered: int
    """Rows of items whose answer the client did not get."""


def n_items(number: int) -> int:
    """Return how many names a request asks for: one to /get_prediction, or each fourth time a list to /v1/predict."""
    return 1 if number % _LIST_EVERY else number // _LIST_EVERY % _LONGEST_LIST + 1


def _request(request_id: bytes, number: int) -> bytes:
    names = [_NAMES[(number + i) % len(_NAMES)] for i in range(n_items(number))]
    if number % _LIST_EVERY:
        path, body = b"/get_prediction", b'{"name": %s}' % names[0]
    else:
        path, body = b"/v1/predict", b'{"names": [%s]}' % b",".join(names)
    return _HEAD % (path, request_id, len(body)) + body


class Load:
    """Asks over a number of connections, at a rate or as fast as it is answered."""

    def __init__(self, port: int, prefix: str, connections: int) -> None:
        """Take the start of its request ids, which a number follows."""
        self.prefix = prefix
        self.latencies = array("f")
        """Seconds, from when a request was due; whoever wants them apart replaces the array."""
        self.answered_at = array("d")
        """By number: when it was answered, as `time.monotonic` says it; 0 if it was not."""
        self.statuses = Counter[int]()
        self._port, self._n_connections = port, connections
        self._open: set[_Connection] = set()
        self._idle: list[_Connection] = []
        self._due: deque[float] = deque()
        self._asking = self._at_once = False
        self._quiet, self._cut_off = asyncio.Event(), asyncio.Event()

    @property
    def n_in_flight(self) -> int:
        """Requests without an answer."""
        return len(self.answered_at) - self.statuses.total()

    async def __aenter__(self) -> Self:
        """Open the connections."""
        loop = asyncio.get_running_loop()
        for _ in range(self._n_connections):
            _, connection = await loop.create_connection(lambda: _Connection(self), "127.0.0.1", self._port)
            self._open.add(connection)
            self.take(connection)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Wait for the last answers and close the connections."""
        self.stop()
        self._look_whether_quiet()
        async with asyncio.timeout(ANSWER_SECONDS):
            await self._quiet.wait()
        for connection in self._idle:
            connection.close()

    async def wait_until_cut_off(self) -> None:
        """Wait until the service has closed every connection."""
        await self._cut_off.wait()

    def ask_at_once(self) -> None:
        """From now on ask again as soon as there is an answer."""
        self._asking = self._at_once = True
        idle, self._idle = self._idle, []
        for connection in idle:
            self.take(connection)

    async def ask_at(self, rate: float) -> None:
        """Make so many requests due a second until cancelled, whatever becomes of the ones before."""
        self._asking = True
        started, n_due = time.perf_counter(), 0
        try:
            while True:
                while (due := started + n_due / rate) <= time.perf_counter():
                    n_due += 1
                    self._due.append(due)
                    if self._idle:
                        self.take(self._idle.pop())
                await asyncio.sleep(_TICK_SECONDS)
        finally:
            self.stop()

    def stop(self) -> None:
        """Ask no more."""
        self._asking = False
        self._due.clear()

    def take(self, connection: "_Connection") -> None:
        """Give a connection that has its answer the next request, if one is due."""
        if not self._asking or not (self._at_once or self._due):
            self._idle.append(connection)
            self._look_whether_quiet()
            return
        number = len(self.answered_at)
        self.answered_at.append(0)
        due = time.perf_counter() if self._at_once else self._due.popleft()
        connection.send(_request(b"%s%x" % (self.prefix.encode(), number), number), number, due)

    def lose(self, connection: "_Connection") -> None:
        """Give up a connection that was closed."""
        self._open.discard(connection)
        if connection in self._idle:
            self._idle.remove(connection)
        self._look_whether_quiet()
        if not self._open:
            self._cut_off.set()

    def _look_whether_quiet(self) -> None:
        if not self._asking and len(self._idle) == len(self._open):
            self._quiet.set()

    def note(self, number: int, due: float, status: int) -> None:
        """Note an answer."""
        self.statuses[status] += 1
        if status == 200:
            self.answered_at[number] = time.monotonic()
            self.latencies.append(time.perf_counter() - due)

    def compare(self, rows: Iterable[tuple[str, int | None]]) -> Comparison:
        """Compare with rows of any requests, each with its request id and index."""
        found = bytearray(len(self.answered_at))  # a bit an item
        n_repeated = n_unanswered = 0
        for request_id, index in rows:
            if index is None or not request_id.startswith(self.prefix):
                continue
            number, bit = int(request_id[len(self.prefix) :], 16), 1 << index
            n_repeated += bool(found[number] & bit)
            n_unanswered += not self.answered_at[number]
            found[number] |= bit
        answered = [number for number, at in enumerate(self.answered_at) if at]
        missing = [(number, i) for number in answered for i in range(n_items(number)) if not found[number] >> i & 1]
        return Comparison(sum(map(n_items, answered)), missing, n_repeated, n_unanswered)


class _Connection(asyncio.Protocol):
    """One connection with one request at a time."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._received = b""
        self._number, self._due = 0, 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.WriteTransport", transport)  # uvloop's derive from none of asyncio's

    def connection_lost(self, _: Exception | None) -> None:
        self._load.lose(self)

    def send(self, request: bytes, number: int, due: float) -> None:
        self._number, self._due = number, due
        self._transport.write(request)

    def close(self) -> None:
        self._transport.close()

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, end, body = self._received.partition(_END_OF_HEAD)
        found = _LENGTH.search(head)
        if end and found and len(body) >= int(found[1]):
            self._received = b""
            self._load.note(self._number, self._due, int(head[9:12]))
            self._load.take(self)
