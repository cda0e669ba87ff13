"""What is known of a request: one typed object that travels in its scope."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from starlette.types import Scope

from api.errors import Unavailable
from api.name_quota import NameQuota
from api.recording import Recording

_CONTEXT = "name_classifier.context"
_LAST = "name_classifier.last"


class Refusal(NamedTuple):
    """Why a request cannot be answered, found below the app: the connection ends with it."""

    status: int
    detail: str
    headers: tuple[tuple[str, str], ...] = ()


class Caller(NamedTuple):
    """Who sends a request."""

    name: str
    """Name of the API key; "" without keys."""
    address: str
    """Address of the client behind trusted proxies, of IPv6 its /64 network; "" if the server knows none."""

    @property
    def identity(self) -> str:
        """By what its requests, names and streams are counted."""
        return self.name or self.address


_NOBODY = Caller("", "")


@dataclass(slots=True)
class RequestContext:
    """Facts about one request; the outermost middleware makes it, inner ones add to it."""

    request_id: str
    headers: Mapping[bytes, bytes]
    """Names in lower case; of several with one name, the last."""
    caller: Caller = _NOBODY
    names: NameQuota = NameQuota.unlimited
    """What the names of the request are charged to."""
    recording: Recording = Recording.off
    """Where the answers to the request are recorded."""
    route: str | None = None
    """Template of the route, where no router sets it."""
    model_version: str | None = None
    unavailable: Unavailable | None = None
    """Why the answer is a 503."""
    response_headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    """What the answer carries beside the route's own headers, names in lower case."""


def set_context(scope: Scope, context: RequestContext) -> None:
    """Attach the context to a request."""
    scope[_CONTEXT] = context


def context_of(scope: Scope) -> RequestContext:
    """Return the context of a request."""
    context: RequestContext = scope[_CONTEXT]
    return context


def route_of(scope: Scope, context: RequestContext) -> str | None:
    """Return the template that the path of a request matched, or None."""
    return context.route or getattr(scope.get("route"), "path", None)


def end_connection(scope: Scope, refusal: Refusal | None = None) -> None:
    """Have the answer to a request close its connection.

    With a refusal, it is the answer: at once, or when the app asks for the next part of the body.
    """
    scope[_LAST] = refusal


def is_last(scope: Scope) -> bool:
    """Tell whether the answer to a request closes its connection."""
    return _LAST in scope


def refusal_of(scope: Scope) -> Refusal | None:
    """Return why the server below refuses a request, or None."""
    refusal: Refusal | None = scope.get(_LAST)
    return refusal
