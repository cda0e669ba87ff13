"""What is known of a request: one typed object that travels in its scope."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from starlette.types import Scope

from api.name_quota import NameQuota

_CONTEXT = "name_classifier.context"
_REFUSAL = "name_classifier.refusal"


class Refusal(NamedTuple):
    """Why a request cannot be answered, found below the app: the connection ends with it."""

    status: int
    detail: str
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Caller:
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
    route: str | None = None
    """Template of the route, where no router sets it."""
    model_version: str | None = None
    response_headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    """What the answer carries beside the route's own headers, names in lower case."""


def set_context(scope: Scope, context: RequestContext) -> None:
    """Attach the context to a request."""
    scope[_CONTEXT] = context


def context_of(scope: Scope) -> RequestContext:
    """Return the context of a request."""
    context: RequestContext = scope[_CONTEXT]
    return context


def refuse(scope: Scope, refusal: Refusal) -> None:
    """Have the app answer a request with a refusal, now or at the next part of the body that it asks for."""
    scope[_REFUSAL] = refusal


def refusal_of(scope: Scope) -> Refusal | None:
    """Return why the server below refuses a request, or None."""
    return scope.get(_REFUSAL)
