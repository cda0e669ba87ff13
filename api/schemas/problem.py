"""Problem details (RFC 9457), the one shape of every error, and how the OpenAPI document describes them."""

from typing import Annotated, Any

from pydantic import BaseModel, Field


class FieldProblem(BaseModel):
    """What is wrong with one field of the request; `field` is a path such as `name`."""

    field: str
    detail: str


class Problem(BaseModel):
    """RFC 9457 problem details, the one shape of every error."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[FieldProblem] | None = None
    error: Annotated[
        str | None, Field(description="Under /v2 only: `detail`, where clients of that protocol look for it.")
    ] = None


_PROBLEM_CONTENT = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
_STRING = {"schema": {"type": "string"}}
_RETRY_AFTER = {"Retry-After": {"description": "Seconds after which to try again.", "schema": {"type": "integer"}}}
_QUOTA = {
    "RateLimit-Policy": _STRING | {"description": "Limits of the caller: q requests in w seconds each. On 2xx too."},
    "RateLimit": _STRING | {"description": "Of each limit, r requests are left for t seconds. On 2xx too."},
}
_HEADERS = {
    401: {"WWW-Authenticate": _STRING | {"description": "Bearer"}},
    429: _RETRY_AFTER | _QUOTA,
    503: _RETRY_AFTER,
}
PROBLEM_RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"content": _PROBLEM_CONTENT, "description": description, "headers": _HEADERS.get(status, {})}
    for status, description in {
        400: "The body is not JSON.",
        401: "The service needs an API key, and this request holds none or an unknown one.",
        413: "The body is too large.",
        415: "The body is not sent as application/json.",
        422: "The body is JSON, and its content cannot be answered.",
        429: "The caller's quota is used up.",
        503: "The service has more requests than it can take.",
    }.items()
}
