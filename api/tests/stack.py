"""The middleware of keys and limits above an app that charges names, without a model or a socket."""

from collections.abc import Sequence
from typing import Any

import httpx
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import Receive, Scope, Send

from api.context import context_of
from api.lifecycle import Lifecycle
from api.middleware.api_keys import KeyRing
from api.middleware.authentication import Authentication, Authenticator
from api.middleware.client_address import TrustedProxies
from api.middleware.rate_limit import RateLimit, RateLimiter
from api.middleware.telemetry import Recorder, RequestTelemetry
from api.observability.logs import AccessLog
from api.observability.metrics import Metrics
from api.observability.tracing import Tracing
from api.settings import Settings

_OPEN_PATHS = frozenset({"/livez"})
Headers = Sequence[tuple[bytes, bytes]]


async def charging_app(scope: Scope, receive: Receive, send: Send) -> None:
    """Charge the names of `?names=`, at once or, with `&stream=1`, as they fit; answer who called."""
    query = Request(scope).query_params
    context = context_of(scope)
    names = int(query.get("names", "0"))
    await (context.names.wait_for(names) if "stream" in query else context.names.charge(names))
    await PlainTextResponse(context.caller.identity)(scope, receive, send)


class Stack:
    """A service of middleware alone; requests come from `peer`."""

    def __init__(self, settings: Settings) -> None:
        self.metrics = Metrics()
        self.keys = KeyRing(settings.api_keys, required=settings.key_needed)
        self.limiter = RateLimiter(settings, self.keys, self.metrics)
        authenticator = Authenticator(self.keys, TrustedProxies(settings.trusted_proxies))
        limited = RateLimit(charging_app, self.limiter, _OPEN_PATHS)
        self._app = RequestTelemetry(
            Authentication(limited, authenticator, _OPEN_PATHS),
            recorder=Recorder(self.metrics, AccessLog(0)),
            tracing=Tracing(),
            lifecycle=Lifecycle(),
        )

    async def get(
        self, path: str = "/", *, headers: Headers = (), peer: str = "192.0.2.1", **query: Any
    ) -> httpx.Response:
        transport = httpx.ASGITransport(app=self._app, client=(peer, 50_000))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.get(path, headers=list(headers), params=query)
