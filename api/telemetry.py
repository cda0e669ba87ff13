"""One JSON log line and one metric sample per request. Pure ASGI; logs no name, no body, no query, no raw path."""

import logging
import re
import secrets
import time
import traceback
from collections.abc import Mapping

from pythonjsonlogger.core import RESERVED_ATTRS
from pythonjsonlogger.json import JsonFormatter
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.headers import security_headers
from api.metrics import Metrics
from api.problems import problem_response

logger = logging.getLogger("api")

_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
_REQUEST_ID = re.compile(rb"[A-Za-z0-9._:-]{1,128}")
_QUIET_ROUTES = {"/livez", "/readyz", "/metrics"}


def configure_logging(level: str) -> None:
    """Write one JSON object a line to standard error, for this service and for uvicorn."""
    formatter = JsonFormatter(
        "{levelname}{name}{message}",
        style="{",
        rename_fields={"levelname": "level", "name": "logger"},
        timestamp=True,
        reserved_attrs=[*RESERVED_ATTRS, "color_message"],  # uvicorn's copy of its message with colours
    )
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    # Its lines hold the raw path and query; RequestTelemetry writes ours.
    logging.getLogger("uvicorn.access").disabled = True


def request_id_of(headers: Mapping[bytes, bytes]) -> str:
    """Return the client's own id if it has a plain one, or a new one."""
    for header in (b"idempotency-key", b"x-request-id"):
        if _REQUEST_ID.fullmatch(headers.get(header, b"")):
            return headers[header].decode()
    return secrets.token_hex(8)


class RequestTelemetry:
    """Measure each request, log it, and answer 500 when the app below fails."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on and watch its answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        scope["request_id"] = request_id = request_id_of(dict(scope["headers"]))
        status = 0

        async def watching_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                more = security_headers(scope["path"])
                message["headers"] = [*message["headers"], (b"x-request-id", request_id.encode()), *more]
            await send(message)

        try:
            await self._app(scope, receive, watching_send)
        except Exception as error:
            # The message may quote the request, so only the type and the place are logged.
            place = traceback.format_tb(error.__traceback__)
            logger.log(logging.ERROR, "unhandled error", extra={"error": type(error).__name__, "traceback": place})
            if status:
                raise
            await problem_response(500, "The service failed; the error has been logged.")(scope, receive, watching_send)
        finally:
            self._record(scope, status, time.perf_counter() - started)

    def _record(self, scope: Scope, status: int, seconds: float) -> None:
        method = scope["method"] if scope["method"] in _METHODS else "OTHER"
        # /docs and its kin are plain routes without a template: their path is one
        without_template = str(scope["path"]) if "endpoint" in scope else "unmatched"
        route = str(getattr(scope.get("route"), "path", without_template))
        self._metrics.observe_request(method, route, status, seconds)
        level = logging.DEBUG if route in _QUIET_ROUTES and status < 400 else logging.INFO
        if logger.isEnabledFor(level):
            fields = {"method": method, "route": route, "status": status, "duration_ms": round(seconds * 1000, 3)}
            logger.log(level, "request", extra=fields)
