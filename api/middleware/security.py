"""Who gets past the door, in ASGI: keys and limits, and the pages of other origins."""

from typing import Any

from fastapi import FastAPI
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.middleware.admission import Admission
from api.middleware.security_headers import DOCS_PATH, OPENAPI_PATH
from api.problems import problem_response

OPEN_PATHS = frozenset(
    {"/livez", "/readyz", "/v2/health/live", "/v2/health/ready", "/check_service", "/metrics", DOCS_PATH, OPENAPI_PATH}
)
"""What needs no key and counts against no limit: operators' questions, and a page that a browser opens without one."""


class AdmissionControl:
    """Ask about each request whether it is let in; a refused one is answered unread."""

    def __init__(self, app: ASGIApp, admission: Admission) -> None:
        self._app = app
        self._admission = admission

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it; either way, say what is left of the quota."""
        if scope["type"] != "http" or scope["path"] in OPEN_PATHS:
            await self._app(scope, receive, send)
            return
        client = (scope["client"] or ("",))[0]
        judge = self._admission
        if "verdict" in scope:  # the fast lane has asked already, and left the answer to us
            verdict = scope["verdict"]
        elif judge.immediate:
            verdict = judge.admit(scope["headers"], client)
        else:
            verdict = await judge.admit_async(scope["headers"], client)

        async def telling_send(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message["headers"], *verdict.headers]
            await send(message)

        app = problem_response(*verdict.refusal) if verdict.refusal else self._app
        await app(scope, receive, telling_send)


class CrossOrigin(CORSMiddleware):
    """Let the pages of some origins call the service from a browser; without cookies, so a key is still needed."""

    def __init__(self, app: ASGIApp, origins: tuple[str, ...]) -> None:
        super().__init__(
            app,
            allow_origins=origins,
            allow_methods=("GET", "POST"),
            allow_headers=("Authorization", "X-API-Key", "Idempotency-Key", "X-Request-ID"),
            expose_headers=("RateLimit", "RateLimit-Policy", "Retry-After", "X-Request-ID"),
        )

    def preflight_response(self, request_headers: Headers) -> Response:
        """Answer a browser's question; a no is a problem as everywhere."""
        response = super().preflight_response(request_headers)
        if response.status_code < 400:
            return response
        problem = problem_response(400, "This origin, method or header may not be used from a page of another origin.")
        problem.headers["vary"] = response.headers["vary"]
        return problem


def describe(app: FastAPI, *, key_needed: bool) -> None:
    """Add to the OpenAPI document how a key is sent, and where none is needed."""
    build = app.openapi

    def openapi() -> dict[str, Any]:
        document = build()
        document["components"]["securitySchemes"] = {
            "bearer": {"type": "http", "scheme": "bearer"},
            "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
        }
        without: list[dict[str, list[str]]] = [] if key_needed else [{}]
        document["security"] = [*without, {"bearer": []}, {"apiKey": []}]
        for path in OPEN_PATHS & document["paths"].keys():
            for operation in document["paths"][path].values():
                operation["security"] = []
        return document

    app.openapi = openapi  # type: ignore[method-assign]
