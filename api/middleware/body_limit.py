"""Bounds on what a client may send. Pure ASGI, so that nothing is buffered to be refused."""

from collections.abc import Mapping
from math import inf

from fastapi import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import problem_response

_SENTENCE = "A request body may have at most {} bytes."


class BodyLimit:
    """Refuse a request body over `max_bytes` with 413, by its declared length or as soon as it grows past it.

    Paths may have a bound of their own; 0 is none.
    """

    def __init__(self, app: ASGIApp, max_bytes: int, by_path: Mapping[str, int]) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._by_path = by_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on, counting its body."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        max_bytes = self._by_path.get(scope["path"], self._max_bytes) or inf
        declared = dict(scope["headers"]).get(b"content-length", b"0")
        if declared.isdigit() and int(declared) > max_bytes:
            response = problem_response(413, _SENTENCE.format(max_bytes))
            response.headers["connection"] = "close"  # the body is not read
            await response(scope, receive, send)
            return
        received = 0

        async def counting_receive() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > max_bytes:
                raise HTTPException(413, _SENTENCE.format(max_bytes), {"connection": "close"})
            return message

        await self._app(scope, counting_receive, send)
