"""Every error to application/problem+json. Never quotes the request: it may hold a person's name."""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from math import ceil
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import Receive, Scope, Send

from api.context import context_of
from api.errors import (
    FieldError,
    LimitsUnavailableError,
    OverloadedError,
    RateLimitedError,
    RequestLogFullError,
    Unavailable,
)
from api.schemas.problem import FieldProblem, Problem
from model.errors import PredictionError

_SENTENCES = {
    404: "There is no such route; the OpenAPI document lists them.",
    405: "This route does not take that method.",
}


class ProblemResponse(JSONResponse):
    """A JSON response of the problem media type."""

    media_type = "application/problem+json"
    unavailable: Unavailable | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it in the shape of the path, and note in the request's context why it is a 503."""
        if self.unavailable:
            context_of(scope).unavailable = self.unavailable
        self.body = in_the_shape_of(scope["path"], bytes(self.body))
        self.headers["content-length"] = str(len(self.body))
        await super().__call__(scope, receive, send)


def in_the_shape_of(path: str, problem: bytes) -> bytes:
    """Return a problem that says it once more under /v2: clients of that protocol show what `error` says."""
    if path != "/v2" and not path.startswith("/v2/"):
        return problem
    document = json.loads(problem)
    return json.dumps(document | {"error": document["detail"]}).encode()


def problem_response(
    status: int,
    detail: str,
    errors: Sequence[FieldProblem] = (),
    headers: Mapping[str, str] | None = None,
    unavailable: Unavailable | None = None,
) -> ProblemResponse:
    """Build the one shape of every error; `unavailable` is why a 503 is given."""
    problem = Problem(title=HTTPStatus(status).phrase, status=status, detail=detail, errors=list(errors) or None)
    response = ProblemResponse(problem.model_dump(exclude_none=True), status_code=status, headers=headers)
    response.unavailable = unavailable
    return response


def unavailable_response(reason: Unavailable, detail: str) -> ProblemResponse:
    """Build a 503 for a client that may try again at once."""
    return problem_response(503, detail, headers={"Retry-After": "1"}, unavailable=reason)


def rate_limited(scope: Scope, error: RateLimitedError) -> ProblemResponse:
    """Return a 429 that says what is left, without Retry-After where trying again is of no use."""
    context_of(scope).response_headers += error.headers
    wait = error.wait_seconds
    headers = None if wait is None else {"retry-after": str(max(1, ceil(wait)))}
    return problem_response(429, str(error), headers=headers)


def limits_unavailable() -> ProblemResponse:
    """Return the 503 of a request that cannot be counted."""
    return unavailable_response(Unavailable.RATE_LIMITS, "Rate limits cannot be checked; try again in a second.")


def request_log_full() -> ProblemResponse:
    """Return the 503 of a request that cannot be recorded."""
    return unavailable_response(Unavailable.REQUEST_LOG, "The request cannot be recorded; try again in a second.")


def overloaded(reason: Unavailable = Unavailable.CONCURRENCY) -> ProblemResponse:
    """Say that the service sheds load."""
    return unavailable_response(reason, "The service has more to do than it can; try again in a second.")


def failed() -> ProblemResponse:
    """Say that the service is at fault."""
    return problem_response(500, "The service failed; the error has been logged.")


def install(app: FastAPI) -> None:
    """Map what FastAPI and the model package raise to problems."""
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(PredictionError, _prediction_error)
    app.add_exception_handler(FieldError, _field_error)
    app.add_exception_handler(OverloadedError, _overloaded)
    app.add_exception_handler(RateLimitedError, _rate_limited)
    app.add_exception_handler(LimitsUnavailableError, _limits_unavailable)
    app.add_exception_handler(RequestLogFullError, _request_log_full)
    app.add_exception_handler(Exception, _failed)  # raised again behind the answer, so that telemetry logs it


async def _invalid_request(_: Request, error: Exception) -> ProblemResponse:
    assert isinstance(error, RequestValidationError)
    if any(e["type"] == "json_invalid" for e in error.errors()):
        return problem_response(400, "The body is not valid JSON.")
    problems = [_field_problem(e) for e in error.errors()]
    return problem_response(422, "; ".join(f"{p.field}: {p.detail}" for p in problems), problems)


def _field_problem(error: dict[str, Any]) -> FieldProblem:
    path = [str(part) for part in error["loc"] if part not in {"body", "query"}]
    if error["type"] == "extra_forbidden":
        # The client chose this key; it may hold anything.
        path, message = path[:-1], "Unknown field; the OpenAPI document lists the fields of this route"
    else:
        message = error["msg"]
    if "prior" in path:  # what follows are labels of the client's choice
        path = path[: path.index("prior") + 1]
    return FieldProblem(field=".".join(path) or "body", detail=message)


async def _field_error(_: Request, error: Exception) -> ProblemResponse:
    assert isinstance(error, FieldError)
    problem = FieldProblem(field=error.field, detail=str(error))
    return problem_response(422, f"{problem.field}: {problem.detail}", [problem])


async def _failed(_: Request, __: Exception) -> ProblemResponse:
    return failed()


async def _overloaded(_: Request, __: Exception) -> ProblemResponse:
    return overloaded(Unavailable.WORKERS)


async def _rate_limited(request: Request, error: Exception) -> ProblemResponse:
    assert isinstance(error, RateLimitedError)
    return rate_limited(request.scope, error)


async def _limits_unavailable(_: Request, __: Exception) -> ProblemResponse:
    return limits_unavailable()


async def _request_log_full(_: Request, __: Exception) -> ProblemResponse:
    return request_log_full()


async def _http_error(_: Request, error: Exception) -> ProblemResponse:
    assert isinstance(error, HTTPException)
    says_nothing = error.detail == HTTPStatus(error.status_code).phrase
    detail = _SENTENCES.get(error.status_code, error.detail) if says_nothing else error.detail
    return problem_response(error.status_code, detail, headers=error.headers)


async def _prediction_error(_: Request, error: Exception) -> ProblemResponse:
    return problem_response(422, str(error))
