"""HTTP/1.1 on a socket: uvicorn's protocol with bounds, deadlines, load shedding and a fast lane. Knows no route.

A request is handed on once it is whole, so a client that sends slowly costs a socket and nothing else; only streams
are handed on at once. No timers: `Server` sweeps all connections every second.
"""

import asyncio
import logging
import socket
from collections.abc import Callable, Sequence
from functools import partial
from http import HTTPStatus
from math import inf
from time import perf_counter
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from api.middleware.security_headers import SECURITY_HEADERS, Header, header_lines
from api.problems import in_the_shape_of, problem_response
from api.server.guard import Guard, HotRequest
from api.server.loop import FairLoop

_HEAD_BYTES = 16 * 1024
_PROBLEM_HEAD = header_lines([(b"content-type", b"application/problem+json"), *SECURITY_HEADERS])
_LINGER_SECONDS = 2.0
_MAX_PIPELINED = 100
_SPARE_CONNECTIONS = 10  # and a tenth of what there may be: a probe gets through when all others are taken
_BUSY = "The service has more to do than it can; try again in a second."
_BUSY_HEADERS = ((b"retry-after", b"1"),)
_BUSY_HEAD = _PROBLEM_HEAD + header_lines(_BUSY_HEADERS)
_BUSY_BODY = bytes(problem_response(503, _BUSY).body)

_uvicorn_logger = logging.getLogger("uvicorn.error.connection")
_uvicorn_logger.setLevel(logging.ERROR)  # a warning for whatever is no HTTP would be a second line, and not sampled


class _HeadTooLongError(Exception):
    """Ends the parser's work; httptools makes an error of its own of it."""


class GuardedProtocol(HttpToolsProtocol):
    """One connection."""

    guard: Guard  # of the subclass that `Server` makes

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Wait for a head, not for long."""
        self.logger = _uvicorn_logger
        super().connection_made(transport)
        self._bounds = self.guard.bounds
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux: drops what a client never reads, even after a close
            timeout = int(self._bounds.idle_seconds * 1000)
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, timeout)
        self._plain_app = self.app
        self._receiving = self._handed_on = self._refused = self._waiting = False
        self._running: RequestResponseCycle | None = None  # of those in the pipeline, `cycle` is the last
        self._last_words: Callable[[], None] | None = None
        self.url = b""
        self._head_bytes = self._unsent = 0
        self._unsent_since = 0.0
        self._is_new = True
        self._deadline = self.loop.time() + self._bounds.head_seconds
        self._too_large = f"A request body may have at most {self._bounds.max_body_bytes} bytes."
        surplus = len(self.connections) - self._bounds.max_connections
        self._is_spare = surplus > 0  # is heard, for it may be a probe
        if surplus > _SPARE_CONNECTIONS + self._bounds.max_connections // 10:
            self._refuse(503, _BUSY, linger=False, headers=_BUSY_HEADERS)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the request that is being answered too, not only the last one of the pipeline."""
        super().connection_lost(exc)
        if self._running and not self._running.response_complete:
            self._running.disconnected = True
            self._running.message_event.set()

    def data_received(self, data: bytes) -> None:
        """Read on, or discard what follows a refusal."""
        if not self._refused:
            super().data_received(data)

    # --- what httptools calls

    def on_message_begin(self) -> None:
        """Start a request; one that came before on this connection is answered first."""
        if self._waiting:
            self.guard.end_turn()
        if self._is_new and isinstance(self.loop, FairLoop):
            self.loop.put_behind(self.transport.get_extra_info("socket").fileno())
        self._is_new = False
        super().on_message_begin()
        self._receiving = True
        self._handed_on = False
        self._head_bytes = 0
        self._pending = b""
        self._deadline = self.loop.time() + self._bounds.head_seconds

    def on_url(self, url: bytes) -> None:
        """Take a part of the target."""
        self._count_head(len(url))
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        self._count_head(len(name) + len(value))
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        """Hand a stream on at once; wait for the body of everything else."""
        self._deadline = self.loop.time() + self._bounds.body_seconds
        if self._is_spare and self.url not in self.guard.probe_paths:
            self._refuse(503, _BUSY, linger=False, headers=_BUSY_HEADERS)
        elif self.url.partition(b"?")[0].decode("ascii", "replace") in self.guard.stream_paths:
            self._hand_on(self._stream, full=self.guard.streams >= self._bounds.max_streams)
        elif self._declared() > self._bounds.max_body_bytes:
            self._refuse(413, self._too_large)
        elif self.expect_100_continue:
            if self._is_answered():  # else it would stand in the middle of an answer
                self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
            self.expect_100_continue = False

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        if self._refused:
            return
        if self._handed_on:
            self._deadline = self.loop.time() + self._bounds.idle_seconds
            super().on_body(body)
        elif len(self._pending) + len(body) > self._bounds.max_body_bytes:
            self._refuse(413, self._too_large)
        else:
            self._pending = self._pending + body if self._pending else body

    def on_message_complete(self) -> None:
        """Answer a whole request, or hand it on."""
        if self._refused:
            return
        self._receiving = False
        answered = self._handed_on and self.cycle.response_complete  # a stream, before its end
        self._deadline = self.loop.time() + self._bounds.keep_alive_seconds if answered else inf
        if not self._handed_on:
            full = self.guard.full(len(self.tasks)) and self.url not in self.guard.probe_paths
            if self._shed_at_once() if full else self._wait_for_the_lane():
                return
            self._hand_on(self._plain_app, full=full)
        super().on_message_complete()

    # --- ways to answer

    def _is_answered(self) -> bool:
        """Tell whether all that was handed on is answered."""
        return self._running is None or self._running.response_complete

    def _wait_for_the_lane(self) -> bool:
        """Let the fast lane answer if it may; tell whether it does."""
        if self.url not in self.guard.hot_paths or self.parser.get_method() != b"POST":
            return False
        if not self._is_answered() or self.parser.get_http_version() != "1.1":
            return False
        self.scope["path"] = self.guard.hot_paths[self.url]
        self._waiting = True
        self._keep_alive = self.parser.should_keep_alive()
        self.guard.answer_this_turn(self, HotRequest(self.scope, self._pending, perf_counter()))  # type: ignore[arg-type]
        return True

    def _shed_at_once(self) -> bool:
        """Say 503 if nothing before it is unanswered; tell whether it did. A task to say it would be more load."""
        if not self._is_answered() or self._waiting:
            return False
        self.guard.refused(503)
        path = self.url.decode("ascii", "replace")
        body = in_the_shape_of(path, _BUSY_BODY)
        keep_alive = self.parser.should_keep_alive() and not self.guard.draining
        self._write(b"HTTP/1.1 503 Service Unavailable\r\n", _BUSY_HEAD, body, keep_alive=keep_alive)
        self._deadline = self.loop.time() + self._bounds.keep_alive_seconds
        return True

    def take_answer(self, answer: tuple[bytes, bytes] | None) -> None:
        """Send what the fast lane gave, or hand the request on."""
        self._waiting = False
        if self.transport.is_closing():
            return
        if answer is None:
            self._hand_on(self._plain_app, full=False)
            self.cycle.keep_alive = self._keep_alive and not self.guard.draining
            super().on_message_complete()
            return
        self._write(b"HTTP/1.1 200 OK\r\n", *answer, keep_alive=self._keep_alive and not self.guard.draining)
        self.server_state.total_requests += 1
        self._deadline = self.loop.time() + self._bounds.keep_alive_seconds

    def _hand_on(self, app: ASGIApp, *, full: bool) -> None:
        """Start the app on what there is of the request."""
        self._handed_on = True
        self.app = self._shed if full else app
        super().on_headers_complete()
        overrun = len(self.pipeline) >= _MAX_PIPELINED
        if self.guard.draining or overrun or self._is_spare:
            self.cycle.keep_alive = False
        self._refused = overrun  # what is queued is answered, what follows is not read
        if self._pending:
            super().on_body(self._pending)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:  # noqa: ANN401 - uvicorn's own idea of an app
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self.guard.stream(self._plain_app, scope, receive, send)

    async def _shed(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.guard.refused(503)
        headers = {name.decode(): value.decode() for name, value in (*_BUSY_HEADERS, *SECURITY_HEADERS)}
        await problem_response(503, _BUSY, headers=headers)(scope, receive, send)

    def _write(self, status_line: bytes, head: bytes, body: bytes, *, keep_alive: bool) -> None:
        parts = [status_line]
        for name, value in self.server_state.default_headers:
            parts += (name, b": ", value, b"\r\n")
        end = b"\r\n\r\n" if keep_alive else b"\r\nconnection: close\r\n\r\n"
        parts += (head, b"content-length: %d" % len(body), end, body)
        self.transport.write(b"".join(parts))
        if not keep_alive and not self._refused:
            self.transport.close()

    # --- refusals below the app

    def _count_head(self, n_bytes: int) -> None:
        self._head_bytes += n_bytes
        if self._head_bytes > _HEAD_BYTES:
            raise _HeadTooLongError

    def _declared(self) -> int:
        declared = dict(self.headers).get(b"content-length", b"")
        return int(declared) if declared.isdigit() else 0

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - ours is a problem
        """Answer what httptools cannot read, or what `_count_head` refused."""
        if self._head_bytes > _HEAD_BYTES:
            self._refuse(431, f"The head of a request may have at most {_HEAD_BYTES} bytes.")
        else:
            self._refuse(400, "The request is not valid HTTP.")

    def _refuse(self, status: int, sentence: str, *, linger: bool = True, headers: Sequence[Header] = ()) -> None:
        """Answer once all before it is answered, and end the connection."""
        if self._refused or self.transport.is_closing():
            return
        if self._waiting:
            self.guard.end_turn()
        self._refused = True
        answered = self._is_answered()
        if self._receiving and self._handed_on:  # the body of a stream
            if self.cycle.response_started:
                self.transport.abort()  # half an answer must not look whole
                return
            answered = self.cycle is self._running
            self._take_back()
        self.guard.refused(status)
        line = b"HTTP/1.1 %d %s\r\n" % (status, HTTPStatus(status).phrase.encode())
        path = self.url.decode("ascii", "replace")
        body = in_the_shape_of(path, bytes(problem_response(status, sentence).body))
        head = _PROBLEM_HEAD + header_lines(headers)
        self._last_words = partial(self._end_with, line, head, body, linger=linger)
        self._deadline = inf
        if answered:
            self._last_words()

    def _take_back(self) -> None:
        """Let the app have no more of the request that is arriving, and say nothing to it."""
        if self.cycle is not self._running:  # it waits behind what is being answered
            self.pipeline.popleft()
        self.cycle.disconnected = True
        self.cycle.message_event.set()

    def _end_with(self, line: bytes, head: bytes, body: bytes, *, linger: bool) -> None:
        """Write the last answer; read on where more is on its way: closing on unread bytes would take it back."""
        if self.transport.is_closing():
            return
        self._write(line, head, body, keep_alive=False)
        self._deadline = self.loop.time() + _LINGER_SECONDS
        if not linger:
            self.transport.close()
            return
        try:
            self.transport.write_eof()
        except OSError:  # the client has left
            self.transport.abort()

    def on_response_complete(self) -> None:
        """Go on to the next request, or to what was refused behind the last."""
        is_last = not self.pipeline
        super().on_response_complete()
        if self._receiving:  # the next one has its own deadline
            self._unset_keepalive_if_required()
        if is_last and self._last_words:
            self._last_words()

    # --- what `Server` calls

    def sweep(self, now: float) -> None:
        """Close the connection if its client is too slow."""
        unsent = self.transport.get_write_buffer_size()
        if not unsent or unsent != self._unsent:
            self._unsent, self._unsent_since = unsent, now
        elif now - self._unsent_since > self._bounds.idle_seconds:
            self.transport.abort()  # close() would wait for a client that does not read
        if now <= self._deadline:
            return
        if self._refused or not self._receiving:
            self.transport.close()
        elif self._handed_on and self.flow.read_paused:
            self._deadline = now + self._bounds.idle_seconds  # it is we who are slow
        else:
            self._refuse(408, "The request did not arrive in time.", linger=False)

    def shutdown(self) -> None:
        """Close at once, unless a request is on its way: then after its answer."""
        if not self._waiting and (not self._receiving or self._handed_on):
            super().shutdown()


def connection_class(guard: Guard) -> type[Any]:
    """Return the class that uvicorn makes connections of."""
    return type("Connection", (GuardedProtocol,), {"guard": guard})
