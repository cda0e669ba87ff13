"""Bytes to a server in chosen segments, and its answers as h11 reads them."""

import contextlib
import itertools
import socket
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import h11

PATIENCE_SECONDS = 10
PAUSE_SECONDS = 0.0002  # lets the server read one segment before the next


@dataclass(frozen=True)
class Answer:
    """One final answer; names of headers in lower case."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes
    informational: tuple[int, ...] = ()

    @property
    def without_date(self) -> tuple[int, dict[bytes, bytes], bytes]:
        """What two answers to equal requests share."""
        return self.status, {name: value for name, value in self.headers.items() if name != b"date"}, self.body


def connect(port: int) -> socket.socket:
    """Open a connection that sends each segment at once."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def read_to_end(connection: socket.socket) -> bytes:
    """Return everything until the server closes or resets the connection."""
    received = b""
    with contextlib.suppress(ConnectionResetError):
        while chunk := connection.recv(65536):
            received += chunk
    return received


def read_one(connection: socket.socket) -> Answer:
    """Return the next answer on a connection that may stay open. Raises OSError if there is none."""
    received = b""
    while chunk := connection.recv(65536):
        received += chunk
        with contextlib.suppress(h11.RemoteProtocolError):
            return parse(received)[0]
    raise ConnectionError("closed without an answer")


def exchange(port: int, segments: Iterable[bytes], *, half_close: bool = False) -> bytes:
    """Send segments on a new connection and return everything until the server closes."""
    with connect(port) as connection:
        with contextlib.suppress(ConnectionError):  # refused before the last segment: the answer is there to be read
            for segment in segments:
                connection.sendall(segment)
                time.sleep(PAUSE_SECONDS)
            if half_close:
                connection.shutdown(socket.SHUT_WR)
        return read_to_end(connection)


def parse(stream: bytes, methods: Iterable[bytes] = ()) -> list[Answer]:
    """Return the answers in a stream of them. Raises h11.RemoteProtocolError if they are not HTTP."""
    return list(iterate(stream, methods))


def iterate(stream: bytes, methods: Iterable[bytes] = ()) -> Iterator[Answer]:
    """Yield the answers in a stream of them, to requests of these methods and then of GET.

    Raises:
        h11.RemoteProtocolError: what is left is no whole answer.
    """
    for method in itertools.chain(methods, itertools.repeat(b"GET")):
        if not stream:
            return
        answer, stream = _parse_first(stream, method)
        yield answer


def _parse_first(stream: bytes, method: bytes) -> tuple[Answer, bytes]:
    reader = h11.Connection(h11.CLIENT)
    reader.send(h11.Request(method="HEAD" if method == b"HEAD" else "GET", target="/", headers=[("host", "x")]))
    reader.send(h11.EndOfMessage())
    reader.receive_data(stream)
    reader.receive_data(b"")
    informational: list[int] = []
    body = b""
    while not isinstance(event := reader.next_event(), h11.EndOfMessage):
        if isinstance(event, h11.InformationalResponse):
            informational.append(event.status_code)
        elif isinstance(event, h11.Response):
            final = event
        elif isinstance(event, h11.Data):
            body += bytes(event.data)
        else:
            raise h11.RemoteProtocolError("an answer was cut off")
    return Answer(final.status_code, dict(final.headers), body, tuple(informational)), reader.trailing_data[0]
