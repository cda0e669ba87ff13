"""Who sends a request: its API key, and its address."""

from collections.abc import Sequence

from starlette.types import ASGIApp, Receive, Scope, Send

from api.context import Caller, context_of
from api.middleware.api_keys import KeyRing
from api.middleware.client_address import TrustedProxies
from api.problems import problem_response

_WHITESPACE = b" \t"
_BEARER = b"bearer "


class AuthenticationError(Exception):
    """A request holds no key, an unknown one, or two that differ."""


def sent_key(headers: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Return the key of a request's headers (names in lower case), or nothing.

    X-API-Key comes before Authorization: a proxy may need the latter for itself.

    Raises:
        AuthenticationError: one of these headers is sent twice with different keys.
    """
    in_header, bearer = set(), set()
    for name, value in headers:
        if name == b"x-api-key":
            in_header.add(value.strip(_WHITESPACE))
        elif name == b"authorization" and value.lstrip(_WHITESPACE)[: len(_BEARER)].lower() == _BEARER:
            bearer.add(value.lstrip(_WHITESPACE)[len(_BEARER) :].strip(_WHITESPACE))
    keys = in_header or bearer
    if len(keys) > 1:
        raise AuthenticationError("Send one API key; this request holds several that differ.")
    return keys.pop() if keys else b""


class Authenticator:
    """Tells callers apart."""

    def __init__(self, keys: KeyRing, proxies: TrustedProxies) -> None:
        self._keys = keys
        self._proxies = proxies

    def identify(self, headers: Sequence[tuple[bytes, bytes]], peer: str) -> Caller:
        """Return who sends these headers (names in lower case) from the address `peer`.

        Raises:
            AuthenticationError: a key is needed, and this is none.
        """
        name = self._key_name(headers) if self._keys.required else ""
        return Caller(name, self._proxies.client_address(peer, headers))

    def _key_name(self, headers: Sequence[tuple[bytes, bytes]]) -> str:
        sent = sent_key(headers)
        if not sent:
            raise AuthenticationError("Send an API key as Authorization: Bearer KEY, or as X-API-Key.")
        name = self._keys.owner(sent)
        if not name:
            raise AuthenticationError("This API key is not known.")
        return name


class Authentication:
    """Put the caller into the request's context, or answer 401 without reading the body."""

    def __init__(self, app: ASGIApp, authenticator: Authenticator, open_paths: frozenset[str]) -> None:
        self._app = app
        self._authenticator = authenticator
        self._open_paths = open_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, or refuse it."""
        app = self._app
        if scope["type"] == "http" and scope["path"] not in self._open_paths:
            peer = (scope.get("client") or ("",))[0]
            try:
                context_of(scope).caller = self._authenticator.identify(scope["headers"], peer)
            except AuthenticationError as error:
                app = problem_response(401, str(error), headers={"www-authenticate": "Bearer"})
        await app(scope, receive, send)
