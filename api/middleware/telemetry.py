"""One metric sample, one log line and perhaps one span a request; none holds a name, a body, a query or a raw path."""

import logging
import re
import secrets
import time
import traceback
from collections.abc import Callable, Mapping

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.context import RequestContext, is_last, refusal_of, route_of, set_context
from api.errors import Unavailable
from api.lifecycle import Lifecycle
from api.middleware.security_headers import with_security_headers
from api.observability.logs import AccessLog
from api.observability.metrics import Metrics
from api.observability.tracing import Tracing
from api.problems import failed, problem_response
from api.recording import Recording

logger = logging.getLogger("api")

CLIENT_GONE = 499
"""Status of a request whose client left before its answer; it is never sent. nginx's invention."""

_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:-]{1,128}")


def _request_id(headers: Mapping[bytes, bytes]) -> str:
    """Return the client's own id if it has a plain one, or a new one."""
    for header in (b"idempotency-key", b"x-request-id"):
        given = headers.get(header)
        if given is not None and _REQUEST_ID.fullmatch(given):
            return given.decode()
    return secrets.token_hex(8)


class BrokenOffError(Exception):
    """The app failed in the middle of its answer; the log says how."""


class Recorder:
    """Takes down what became of a request, however it was answered."""

    def __init__(self, metrics: Metrics, log: AccessLog) -> None:
        self.metrics = metrics
        self._log = log

    def record(
        self,
        method: str,
        route: str,
        status: int,
        seconds: float,
        request_id: str | None,
        *,
        trace_id: str | None = None,
    ) -> None:
        """Count a request and perhaps log it; `route` is the template, never the path.

        What is refused before its head is read has no id.
        """
        self.metrics.observe_request(method, route, status, seconds)
        self._log.write(method, route, status, seconds, request_id, trace_id=trace_id)


class RequestTelemetry:
    """Measure each request, record it, add what every answer carries, and answer 500 when the app below fails."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        recorder: Recorder,
        tracing: Tracing,
        lifecycle: Lifecycle,
        find_template: Callable[[str], str | None] = lambda _: None,
        new_recording: Callable[[Scope, RequestContext], Recording] | None = None,
    ) -> None:
        self._app = app
        self._find_template = find_template
        self._new_recording = new_recording
        self._recorder = recorder
        self._tracing = tracing
        self._lifecycle = lifecycle

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and watch its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        headers = dict(scope["headers"])
        context = RequestContext(_request_id(headers), headers)
        set_context(scope, context)
        if self._new_recording:
            context.recording = self._new_recording(scope, context)
        is_known = scope["method"] in _METHODS and not refusal_of(scope)  # what is refused may have no method
        method = scope["method"] if is_known else "OTHER"
        span = self._tracing.start(method, scope["scheme"], headers) if self._tracing.enabled else None
        if span:
            context.response_headers.append((b"traceparent", span.traceparent.encode()))
        exchange = _Exchange(scope, context, receive, send, self._lifecycle)
        self._recorder.metrics.in_progress += 1
        try:
            await exchange.run(self._app)
        finally:
            self._recorder.metrics.in_progress -= 1
            route, status, seconds = exchange.route, exchange.outcome, time.perf_counter() - started
            if route is None:  # refused before it was routed
                route = self._find_template(scope["path"])
            context.recording.ended(route, status)
            if status == 503:
                otherwise = Unavailable.DRAINING if self._lifecycle.draining else Unavailable.OTHER
                self._recorder.metrics.unavailable.labels(context.unavailable or otherwise).inc()
            trace_id = span.trace_id if span else None
            self._recorder.record(method, route or "unmatched", status, seconds, context.request_id, trace_id=trace_id)
            if span:
                span.end(route, status, exchange.error)


class _Exchange:
    """One request and its answer, as they pass by."""

    def __init__(
        self, scope: Scope, context: RequestContext, receive: Receive, send: Send, lifecycle: Lifecycle
    ) -> None:
        self._scope = scope
        self._context = context
        self._receive = receive
        self._send = send
        self._lifecycle = lifecycle
        self._status: int | None = None
        self._ended = self._client_gone = False
        self.error: str | None = None

    @property
    def outcome(self) -> int:
        """The status to record; without an answer it is a failure, if the client waited."""
        return CLIENT_GONE if self._client_gone else self._status or 500

    @property
    def route(self) -> str | None:
        """The template that the path matched, or None."""
        return route_of(self._scope, self._context)

    async def run(self, app: ASGIApp) -> None:
        """Run the app; what it fails to answer is answered here."""
        refusal = refusal_of(self._scope)
        if refusal:
            reason = Unavailable.CONNECTIONS if refusal.status == 503 else None
            headers = dict(refusal.headers)
            app = problem_response(refusal.status, refusal.detail, headers=headers, unavailable=reason)
        try:
            await app(self._scope, self.receive, self.send)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is logged and counted here
            if self._client_gone:  # and nobody to answer
                return
            self.error = type(error).__name__
            # The message may quote the request, so only the type and the place are logged.
            fields = {"request_id": self._context.request_id, "error": self.error}
            place = traceback.format_tb(error.__traceback__)
            logger.log(logging.ERROR, "unhandled error", extra=fields | {"traceback": place})
            if self._status and not self._ended:
                raise BrokenOffError from None  # the server closes the connection; the cause may quote the request
            if not self._status:
                await failed()(self._scope, self.receive, self.send)

    async def receive(self) -> Message:
        """Pass a part of the request on, and see the client leave."""
        message = await self._receive()
        if message["type"] == "http.disconnect" and not self._ended:  # servers say it after an answer too
            self._client_gone = True
        return message

    async def send(self, message: Message) -> None:
        """Pass a part of the answer on, with the headers that every answer carries."""
        if message["type"] == "http.response.start":
            self._status = message["status"]
            context = self._context
            headers = [*message["headers"], (b"x-request-id", context.request_id.encode()), *context.response_headers]
            if context.model_version is not None:
                headers.append((b"x-model-version", context.model_version.encode()))
            if self._lifecycle.draining or is_last(self._scope):
                headers.append((b"connection", b"close"))
            message["headers"] = with_security_headers(headers)
        elif not message.get("more_body", False):
            self._ended = True
        await self._send(message)
