"""Load shedding: how many requests and streams are in progress at once, in all and for each caller."""

from collections import Counter

from starlette.types import ASGIApp, Receive, Scope, Send

from api.context import context_of
from api.problems import overloaded, problem_response

_TOO_MANY_STREAMS = "This caller has as many streams open as it may; try again when one has ended."
_RETRY = {"Retry-After": "1"}


class ConcurrencyLimit:
    """Refuse work beyond the bounds on what is in progress.

    Args:
        app: what answers.
        max_requests: requests in progress at once; probes and streams do not count.
        max_streams: streams in progress at once.
        max_streams_per_caller: streams in progress at once for one caller.
        probe_paths: paths that are always answered.
        stream_paths: paths of streams.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        max_requests: int,
        max_streams: int,
        max_streams_per_caller: int,
        probe_paths: frozenset[str],
        stream_paths: frozenset[str],
    ) -> None:
        self._app = app
        self._max_requests = max_requests
        self._max_streams = max_streams
        self._max_streams_per_caller = max_streams_per_caller
        self._probe_paths = probe_paths
        self._stream_paths = stream_paths
        self._requests = 0
        self._streams: Counter[str] = Counter()

    @property
    def n_streams(self) -> int:
        """Streams in progress."""
        return self._streams.total()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on while there is room."""
        if scope["type"] != "http" or scope["path"] in self._probe_paths:
            await self._app(scope, receive, send)
        elif scope["path"] in self._stream_paths:
            await self._stream(scope, receive, send)
        elif self._requests >= self._max_requests:
            await overloaded()(scope, receive, send)
        else:
            self._requests += 1
            try:
                await self._app(scope, receive, send)
            finally:
                self._requests -= 1

    async def _stream(self, scope: Scope, receive: Receive, send: Send) -> None:
        caller = context_of(scope).caller.identity
        if self._streams.total() >= self._max_streams:
            await overloaded()(scope, receive, send)
        elif self._streams[caller] >= self._max_streams_per_caller:
            await problem_response(429, _TOO_MANY_STREAMS, headers=_RETRY)(scope, receive, send)
        else:
            self._streams[caller] += 1
            try:
                await self._app(scope, receive, send)
            finally:
                self._streams[caller] -= 1
                self._streams += Counter()  # forgets callers without streams
