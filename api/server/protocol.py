"""One connection: uvicorn's httptools protocol with deadlines, a bound on pipelining and strict framing.

It overrides callbacks of the parser and of asyncio only. What it refuses is answered by the app, in turn with the
requests before it, so that refusals are counted, logged and shaped like every other answer.
"""

import asyncio
import socket
import struct
from collections.abc import Callable, Iterable
from math import inf
from typing import Any, cast

import httptools
from starlette.types import Message, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from api.context import Refusal, end_connection, is_last
from api.server.framing import (
    HEAD_TOO_LONG,
    MAX_HEAD_BYTES,
    MAX_HEADERS,
    NOT_HTTP,
    check_framing,
    has_path,
    head_without_upgrade,
    holds_line,
    trim,
)
from api.server.limits import ConnectionLimits

_MAX_PIPELINED = 16
_LINGER_SECONDS = 2.0
_NO_LINGER = struct.pack("ii", 1, 0)
_BUSY = Refusal(503, "The service has as many connections as it can serve.", (("Retry-After", "1"),))
_TOO_SLOW = Refusal(408, "The request did not arrive in time.")
_CUT_OFF = Refusal(400, "The body was cut off.")


class _RefusedError(Exception):
    """Stops the parser; httptools wraps it into an error of its own."""


class _LingeringTransport:
    """A transport whose close leaves the client time to read the answer."""

    def __init__(self, transport: asyncio.Transport, closed: Callable[[], None]) -> None:
        self.write = transport.write
        self.is_closing = transport.is_closing
        self._transport = transport
        self._closed = closed

    def close(self) -> None:
        """Close the sending half."""
        try:
            self._transport.write_eof()
        except OSError:  # the client has left
            self._transport.abort()
        self._closed()


class Connection(HttpToolsProtocol):
    """One client connection."""

    limits: ConnectionLimits  # of the subclass that `connection_class` makes, as is:
    reserve: "dict[Connection, None]"  # connections beyond the bound, the oldest first

    # --- asyncio's callbacks

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Start the deadline of the first head; close what exceeds the bound on connections."""
        super().connection_made(transport)
        self._plain_app = self.app
        self._unanswered: list[RequestResponseCycle] = []
        self._closing = False  # nothing more is read
        self._receiving = self._in_head = self._is_last = self._at_start = self._is_first = False
        self._declined_upgrade = False
        self._received = b""  # what the head that is being parsed stands in
        self._refusal = NOT_HTTP
        self._idle_bytes = self.unsent_bytes = 0  # received since a head or a part of a body was complete; not yet sent
        self.unsent_since = 0.0
        self._deadline = self.loop.time() + self.limits.head_seconds
        self._is_reserve = len(self.connections) > self.limits.max_connections
        if self._is_reserve:  # it may be a probe; the oldest of them makes room
            self.reserve[self] = None
            if len(self.reserve) > self.limits.reserve:
                oldest = next(iter(self.reserve))
                del self.reserve[oldest]
                oldest.transport.abort()

    def connection_lost(self, exc: Exception | None) -> None:
        """Make room; uvicorn tells the last request only, and those before it would write to what is closed."""
        super().connection_lost(exc)
        for cycle in self._unanswered:
            if not cycle.response_complete:
                cycle.disconnected = True
                cycle.message_event.set()
        self.reserve.pop(self, None)

    def data_received(self, data: bytes) -> None:
        """Parse; what is not HTTP, or breaks a bound, is refused after the answers before it."""
        if self._closing:
            return
        self._idle_bytes += len(data)
        self._received = self._received + data if self._in_head else data
        self._at_start = not self._receiving
        if self._in_head:
            self._stop_keep_alive_timer()  # the answer before it has ended meanwhile
        try:
            while data:
                data = self._feed(data)
        except httptools.HttpParserError:
            self._refuse(self._refusal)
        else:
            if self._receiving and self._is_too_long():
                self._refuse(HEAD_TOO_LONG)
        if not self._in_head:
            self._received = b""  # thousands of idle connections would keep what they last received

    def eof_received(self) -> bool:  # type: ignore[override]
        """Answer a client that has closed its half of the connection; return whether the other half stays open."""
        if self._receiving and not self._in_head and not self._closing:
            self._refuse(_CUT_OFF)
        self._closing = True
        if self.cycle is not None and not self.cycle.response_complete:  # type: ignore[redundant-expr]
            self.cycle.keep_alive = False
            return True
        return False

    # --- the parser's callbacks

    def on_message_begin(self) -> None:
        """Start the deadline of a head; refuse to queue more requests than the bound on pipelining."""
        if self._is_last or len(self.pipeline) >= _MAX_PIPELINED:
            self._closing = True
            self.cycle.keep_alive = False
            raise _RefusedError
        super().on_message_begin()
        self._stop_keep_alive_timer()
        self._receiving = self._in_head = True
        self._is_first, self._at_start = self._at_start, False
        self._idle_bytes = 0
        self._deadline = self.loop.time() + self.limits.head_seconds

    def on_headers_complete(self) -> None:
        """Start the app, unless the framing is ambiguous or the request has to be parsed once more."""
        method, version = self.parser.get_method(), self.parser.get_http_version()
        trim(self.headers)
        line = b"%s %s HTTP/%s" % (method, self.url, version.encode())
        if method == b"CONNECT" or not holds_line(self._received, line, first=self._is_first):
            self._stop(NOT_HTTP)
        if refusal := check_framing(self.url, version, self.headers):
            self._stop(refusal)
        if self.parser.should_upgrade():
            self._declined_upgrade = True
            return
        if self._is_reserve and self.url not in self.limits.probe_paths:
            self._stop(_BUSY)
        is_http_1_0 = version == "1.0"
        if is_http_1_0:
            self.expect_100_continue = False
            self.app = self._run_without_chunks
        self._start_request()
        if is_http_1_0:
            self.app = self._plain_app
            self.cycle.chunked_encoding = False
        if self._is_reserve:
            end_connection(cast(Scope, self.scope))
        self._is_last = is_http_1_0 or not self.parser.should_keep_alive()
        if self._is_last:
            self._end_with_this_answer()
        self._in_head = False
        self._idle_bytes = 0
        self.headers = []  # trailers go here; the scope keeps the list of headers
        self._is_stream = self.scope["raw_path"] in self.limits.stream_paths
        if self._is_stream:  # its answer may end before its body does
            self.cycle.transport = _LingeringTransport(self.transport, self._linger)  # type: ignore[assignment]
        self._deadline = self.loop.time() + self.limits.body_seconds

    def on_body(self, body: bytes) -> None:
        """Take a part of the body; a stream may take any time, but not stand still."""
        self._idle_bytes = 0
        if self._is_stream:
            self._deadline = self.loop.time() + self.limits.idle_seconds
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End the deadlines: what takes time from here on is the answer."""
        if self._declined_upgrade:
            return
        self._receiving = False
        self._idle_bytes = 0
        self._deadline = inf
        if not self.parser.should_keep_alive():  # a trailer may say so too; the parser skips what follows
            self._is_last = True
            self._end_with_this_answer()
            if self.cycle.response_complete:
                self.transport.close()
        super().on_message_complete()

    # --- what the server calls

    def sweep(self, now: float) -> None:
        """Close the connection if its client is too slow: to send, or to read what is sent to it."""
        unsent = self.transport.get_write_buffer_size()
        if not unsent or unsent != self.unsent_bytes:
            self.unsent_bytes, self.unsent_since = unsent, now
        elif now - self.unsent_since > self.limits.idle_seconds:
            self.reset()
            return
        if self._receiving and not self._in_head and self.cycle.response_complete:
            self.cycle.body = bytearray()  # nobody will ask for it: the answer, such as a 401, did not need it
            if is_last(cast(Scope, self.scope)) and not self._closing:
                self._end_with_this_answer()
                self.cycle.transport.close()
        if now <= self._deadline:
            return
        if self._closing or not self._receiving:  # lingering, or it has never sent anything
            self.transport.close()
        elif self.flow.read_paused:
            self._deadline = now + self.limits.idle_seconds  # it is the service that is slow
        else:
            self._refuse(_TOO_SLOW)

    def reset(self) -> None:
        """End the connection, and have the system forget what it would still send to a client that does not read."""
        self.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        self.transport.abort()

    # --- inside

    def _feed(self, data: bytes) -> bytes:
        """Parse; return what is still to be parsed once an offered upgrade has been declined."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._declined_upgrade = False
            self._at_start = True
            method, version = self.parser.get_method(), self.parser.get_http_version()
            self.parser = httptools.HttpRequestParser(self)  # httptools drops the body that follows an upgrade
            self.parser.set_dangerous_leniencies(lenient_data_after_close=True)  # as uvicorn's own
            self._received = head_without_upgrade(method, self.url, version, self.headers) + data[upgrade.args[0] :]
            return self._received
        return b""

    def _start_request(self) -> None:
        super().on_headers_complete()
        self._unanswered = [cycle for cycle in self._unanswered if not cycle.response_complete]
        self._unanswered.append(self.cycle)

    def _is_too_long(self) -> bool:
        """Tell whether a head, a trailer or a chunk extension goes on without an end."""
        n_bytes = len(self._received) if self._in_head and self._is_first else self._idle_bytes
        return n_bytes > MAX_HEAD_BYTES or len(self.headers) > MAX_HEADERS

    def _stop_keep_alive_timer(self) -> None:
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
            self.timeout_keep_alive_task = None

    def _stop(self, refusal: Refusal) -> None:
        """Stop the parser and refuse the request."""
        self._refusal = refusal
        raise _RefusedError

    def _refuse(self, refusal: Refusal) -> None:
        """Have the app answer with a refusal once all before it is answered, and end the connection."""
        if self._closing or self.transport.is_closing():
            return
        self._closing = True
        self._deadline = inf
        if self._receiving and not self._in_head:
            self._refuse_running(refusal)
            return
        if not self._receiving:
            super().on_message_begin()
        has_method = bool(self.url) or (self._is_first and self._received.lstrip().startswith(b"HEAD "))
        if not has_path(self.url):
            self.url = b"/"
        end_connection(cast(Scope, self.scope), refusal)
        self.expect_100_continue = False
        self.app = self._plain_app
        self._start_request()
        if not has_method:  # the parser gives that of the request before, whose answer may have no body
            self.scope["method"] = "GET"
        self._end_with_this_answer()
        super().on_message_complete()

    def _refuse_running(self, refusal: Refusal) -> None:
        """Refuse a request whose app may be running: it learns of it at the next part of the body that it asks for."""
        if self.cycle.response_complete:
            self.transport.close()
        elif self.cycle.response_started:
            self.transport.abort()  # half an answer must not look whole
        else:
            end_connection(cast(Scope, self.scope), refusal)
            self._end_with_this_answer()
            self.cycle.message_event.set()

    def _end_with_this_answer(self) -> None:
        """Have the last answer close only this half of the connection: closing on unread bytes would take it back."""
        self.cycle.keep_alive = False
        self.cycle.transport = _LingeringTransport(self.transport, self._linger)  # type: ignore[assignment]

    def _linger(self) -> None:
        """Read on without looking at it, for a while; sweeps end before the last connections do."""
        self._closing = True
        self._deadline = inf
        self.flow.resume_reading()
        self.loop.call_later(_LINGER_SECONDS, self.transport.close)

    async def _run_without_chunks(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Run the app for a client of HTTP/1.0: an answer of unknown length ends with the connection."""
        cycle = self.cycle

        async def send_unchunked(message: Message) -> None:
            if message["type"] == "http.response.body":
                cycle.expected_content_length = len(message.get("body", b""))
            await send(message)

        await self._plain_app(scope, receive, send_unchunked)


def disconnect_slowest_readers(connections: Iterable[Connection]) -> None:
    """Keep what clients have not read within its bound: those that have read nothing for the longest time go first."""
    waiting = sorted((found for found in connections if found.unsent_bytes), key=lambda found: found.unsent_since)
    total = sum(connection.unsent_bytes for connection in waiting)
    for connection in waiting:
        if total <= connection.limits.max_unsent_bytes:
            return
        total -= connection.unsent_bytes
        connection.reset()


def connection_class(limits: ConnectionLimits) -> type[Any]:
    """Return the class that uvicorn makes connections of."""
    return type("LimitedConnection", (Connection,), {"limits": limits, "reserve": {}})
