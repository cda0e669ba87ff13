"""Pages of other origins that may call the service from a browser."""

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp

from api.problems import problem_response


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
