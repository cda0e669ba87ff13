"""Who gets past the door, in ASGI: keys and limits, and the pages of other origins."""

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from api.context import context_of
from api.middleware.admission import Admission
from api.problems import problem_response


class AdmissionControl:
    """Ask about each request whether it is let in; a refused one is answered unread."""

    def __init__(self, app: ASGIApp, *, admission: Admission, open_paths: frozenset[str]) -> None:
        self._app = app
        self._admission = admission
        self._open_paths = open_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it; either way, say what is left of the quota."""
        if scope["type"] != "http" or scope["path"] in self._open_paths:
            await self._app(scope, receive, send)
            return
        client = (scope["client"] or ("",))[0]
        admission = self._admission
        if admission.immediate:
            verdict = admission.admit(scope["headers"], client)
        else:
            verdict = await admission.admit_async(scope["headers"], client)
        context = context_of(scope)
        context.caller = verdict.caller or client
        context.response_headers += verdict.headers
        app = problem_response(*verdict.refusal) if verdict.refusal else self._app
        await app(scope, receive, send)


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
