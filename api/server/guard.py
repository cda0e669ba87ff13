"""What all connections share: bounds, counts, and the turn of the fast lane. Knows no HTTP and no route."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from starlette.types import ASGIApp, Receive, Scope, Send

from api.settings import Settings

logger = logging.getLogger("api")


@dataclass(frozen=True, slots=True)
class HotRequest:
    """A POST to a path of the fast lane; what the lane writes into the scope is there for the ordinary route."""

    scope: Scope
    body: bytes
    arrived: float  # by perf_counter


FastLane = Callable[[Sequence[HotRequest]], list[tuple[bytes, bytes] | None]]
"""From requests to header lines and body of a 200 each, or None: the ordinary route answers, whatever it says."""


class Waiting(Protocol):
    """A connection that waits for the fast lane."""

    loop: asyncio.AbstractEventLoop

    def take_answer(self, answer: tuple[bytes, bytes] | None) -> None:
        """Send what the lane gave, or hand the request on."""


@dataclass(slots=True)
class Guard:
    """What all connections share: bounds, the counts that they bound, and who answers at once."""

    bounds: Settings
    fast_lane: FastLane
    hot_paths: Mapping[bytes, str]  # as sent, and as routed
    stream_paths: frozenset[str]
    probe_paths: frozenset[bytes]
    refused: Callable[[int], None]  # told the status of what is refused below the app
    draining: bool = False
    streams: int = 0
    _turn: list[tuple[Waiting, HotRequest]] = field(default_factory=list)

    def full(self, n_tasks: int) -> bool:
        """Tell whether as much is under way as may be: tasks, and requests that wait for the end of the turn."""
        return n_tasks - self.streams + len(self._turn) >= self.bounds.max_concurrency

    def answer_this_turn(self, connection: Waiting, request: HotRequest) -> None:
        """Have the fast lane answer once what has arrived is read."""
        if not self._turn:
            connection.loop.call_soon(self.end_turn)
        self._turn.append((connection, request))

    def end_turn(self) -> None:
        """Answer what waits for the fast lane."""
        turn, self._turn = self._turn, []
        if not turn:
            return
        try:
            answers = self.fast_lane([request for _, request in turn])
        except Exception as error:  # noqa: BLE001 - the message may quote a name, and the ordinary route tells more
            logger.error("the fast lane failed", extra={"error": type(error).__name__})  # noqa: TRY400
            answers = [None] * len(turn)
        for (connection, _), answer in zip(turn, answers, strict=True):
            connection.take_answer(answer)

    async def stream(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Run an app, counted as a stream."""
        self.streams += 1
        try:
            await app(scope, receive, send)
        finally:
            self.streams -= 1
