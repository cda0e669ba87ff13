"""Who gets past the door, in ASGI: keys and limits, other origins, and the headers that tell browsers to be careful."""

import hashlib
import re
from base64 import b64encode
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.admission import Admission
from api.problems import problem_response

DOCS_PATH = "/docs"
OPENAPI_PATH = "/openapi.json"
OPEN_PATHS = frozenset(
    {"/livez", "/readyz", "/v2/health/live", "/v2/health/ready", "/check_service", "/metrics", DOCS_PATH, OPENAPI_PATH}
)
"""What needs no key and counts against no limit: operators' questions, and a page that a browser opens without one."""


def _docs_policy() -> str:
    """Return the policy of the page that FastAPI makes: its one script, and Swagger UI from its CDN."""
    page = get_swagger_ui_html(openapi_url=OPENAPI_PATH, title="").body
    (script,) = re.findall(rb"<script>(.*?)</script>", bytes(page), re.DOTALL)
    script_hash = b64encode(hashlib.sha256(script).digest()).decode()
    return (
        "default-src 'none'; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; "
        f"script-src https://cdn.jsdelivr.net 'sha256-{script_hash}'; "
        "style-src https://cdn.jsdelivr.net 'unsafe-inline'; img-src https://fastapi.tiangolo.com data:"
    )


_HEADERS = (
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cache-control", b"no-store"),
    (b"cross-origin-resource-policy", b"same-origin"),
)
SECURITY_HEADERS = (*_HEADERS, (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'"))
_DOCS_HEADERS = (*_HEADERS, (b"content-security-policy", _docs_policy().encode()))


def security_headers(path: str) -> tuple[tuple[bytes, bytes], ...]:
    """Return what every answer carries."""
    return _DOCS_HEADERS if path == DOCS_PATH else SECURITY_HEADERS


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
        if judge.immediate:
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
