"""Request bodies within bounds: their encoding, their size, and the memory that all of them take together."""

from collections.abc import Mapping
from math import inf

from fastapi import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.context import context_of, refusal_of
from api.errors import Unavailable
from api.problems import problem_response, unavailable_response

_TOO_LARGE = "A request body may have at most {} bytes."
_BUSY = "The service holds as many request bodies as it can; try again in a second."
_ENCODINGS = {b"gzip", b"x-gzip", b"deflate", b"br", b"zstd", b"compress", b"x-compress"}
_WITHOUT_BODY = {"GET", "HEAD"}


class RequestBody:
    """Read a body before its route runs, so that a slow client costs memory and nothing else; streams read their own.

    Args:
        app: what answers.
        max_bytes: largest body.
        max_total_bytes: all bodies that are held at once.
        stream_limits: largest body of each route that reads its body itself, by path; 0 is any.
    """

    def __init__(self, app: ASGIApp, *, max_bytes: int, max_total_bytes: int, stream_limits: Mapping[str, int]) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._max_total_bytes = max_total_bytes
        self._total_bytes = 0
        self._stream_limits = {path: limit or inf for path, limit in stream_limits.items()}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its body."""
        if scope["type"] != "http" or scope["method"] in _WITHOUT_BODY:
            await self._app(scope, receive, send)
            return
        headers = context_of(scope).headers
        encoding = headers.get(b"content-encoding", b"").strip().lower()
        if encoding not in (b"", b"identity"):
            name = encoding.decode() if encoding in _ENCODINGS else "of this request"  # never what a client made up
            detail = f"Send the body uncompressed: the Content-Encoding {name} is not supported."
            await problem_response(415, detail, headers={"Accept-Encoding": "identity"})(scope, receive, send)
            return
        stream_limit = self._stream_limits.get(scope["path"])
        limit = self._max_bytes if stream_limit is None else stream_limit
        declared = headers.get(b"content-length", b"")
        if declared.isdigit() and int(declared) > limit:
            await problem_response(413, _TOO_LARGE.format(limit))(scope, receive, send)
        elif stream_limit is None:
            await self._read_whole(scope, receive, send)
        else:
            await self._app(scope, _counting(scope, receive, limit), send)

    async def _read_whole(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read the body, then run the app on it."""
        counting = _counting(scope, receive, self._max_bytes)
        chunks: list[bytes] = []
        held = 0
        try:
            more = True
            while more:
                message = await counting()
                if message["type"] == "http.disconnect":
                    return
                chunk, more = message.get("body", b""), message.get("more_body", False)
                held += len(chunk)
                self._total_bytes += len(chunk)
                if self._total_bytes > self._max_total_bytes:
                    await unavailable_response(Unavailable.BODIES, _BUSY)(scope, receive, send)
                    return
                chunks.append(chunk)
            whole: Message | None = {"type": "http.request", "body": b"".join(chunks), "more_body": False}

            async def receive_whole() -> Message:
                nonlocal whole
                if whole is None:
                    return await receive()
                message, whole = whole, None
                return message

            await self._app(scope, receive_whole, send)
        except HTTPException as error:
            await problem_response(error.status_code, error.detail, headers=error.headers)(scope, receive, send)
        finally:
            self._total_bytes -= held


def _counting(scope: Scope, receive: Receive, limit: float) -> Receive:
    """Return a `receive` that raises HTTPException once the body is over its limit, or is refused by the server."""
    received = 0

    async def receive_counted() -> Message:
        nonlocal received
        message = await receive()
        if refusal := refusal_of(scope):
            raise HTTPException(refusal.status, refusal.detail, dict(refusal.headers))
        received += len(message.get("body", b""))
        if received > limit:
            raise HTTPException(413, _TOO_LARGE.format(limit))
        return message

    return receive_counted
