"""What middleware must know about a route: marked where the endpoint is defined, enumerated by path template."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from starlette.routing import Route, Router, compile_path

_ATTRIBUTE = "route_traits"
Endpoint = TypeVar("Endpoint", bound=Callable[..., object])


@dataclass(frozen=True, slots=True)
class RouteTraits:
    """How a route differs from an ordinary one."""

    open: bool = False
    """Needs no API key and counts against no rate limit."""
    probe: bool = False
    """Asked by the platform: answered when ordinary requests are shed."""
    quiet: bool = False
    """Its successes are logged at debug level only."""
    stream: bool = False
    """Body and answer flow for as long as the client sends: bounded by the number of streams."""
    recorded: bool = False
    """Answers names: the request log has a row of every item, and of requests that are refused."""


ORDINARY = RouteTraits()


def traits(
    *,
    open: bool = False,  # noqa: A002
    probe: bool = False,
    quiet: bool = False,
    stream: bool = False,
    recorded: bool = False,
) -> Callable[[Endpoint], Endpoint]:
    """Mark an endpoint function; stands below the router's decorator."""
    marked = RouteTraits(open=open, probe=probe, quiet=quiet, stream=stream, recorded=recorded)

    def mark(endpoint: Endpoint) -> Endpoint:
        setattr(endpoint, _ATTRIBUTE, marked)
        return endpoint

    return mark


def traits_of(routers: Iterable[Router]) -> Mapping[str, RouteTraits]:
    """Return the traits of every route by its path template, as /v2/models/{model}.

    Takes routers, not the app: what FastAPI keeps of an included router differs between its releases.
    """
    routes = (route for router in routers for route in router.routes if isinstance(route, Route))
    return {route.path: getattr(route.endpoint, _ATTRIBUTE, ORDINARY) for route in routes}


class PathTemplates:
    """Finds the template that a path fits, without routing it."""

    def __init__(self, templates: Iterable[str]) -> None:
        templates = list(templates)
        self._fixed = frozenset(template for template in templates if "{" not in template)
        self._patterns = [(compile_path(template)[0], template) for template in templates if "{" in template]

    def find(self, path: str) -> str | None:
        """Return the template of a path, or None."""
        if path in self._fixed:
            return path
        return next((template for pattern, template in self._patterns if pattern.match(path)), None)


@dataclass(frozen=True, slots=True)
class RoutePaths:
    """The paths of the routes that middleware and server treat in another way."""

    open: frozenset[str]
    probe: frozenset[str]
    quiet: frozenset[str]
    stream: frozenset[str]
    recorded: frozenset[str]

    @classmethod
    def of(cls, traits: Mapping[str, RouteTraits]) -> "RoutePaths":
        """Sort paths by their traits."""

        def having(trait: str) -> frozenset[str]:
            return frozenset(path for path, marked in traits.items() if getattr(marked, trait))

        return cls(having("open"), having("probe"), having("quiet"), having("stream"), having("recorded"))
