"""A body of any length, answered while it arrives, in memory that does not grow.

Nothing more is read from a client before what it sent is answered and that answer is on its way: one that sends much
and reads nothing is kept waiting, and one that sends a line and waits gets its answer at once.
"""

import asyncio
import time
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from api.classify.classifier import Options
from api.classify.workers import Workers
from api.errors import RequestLogFullError
from api.name_quota import NameQuota
from api.recording import Recording
from model.prediction import Prediction

BATCH = 256
"""Names that one model call answers: more are no faster a name, and hold the first answer up."""

Batch = Sequence[Any]
"""What a format has read of lines or rows that are answered together."""


class Piece(NamedTuple):
    """A part of an answer, and what it answers: of each item its name, if it has one, and the outcome."""

    body: bytes = b""
    names: Sequence[str | None] = ()
    outcomes: Sequence[Prediction | str] = ()


class Answers(Protocol):
    """A body's pieces to its answer's pieces; called in a worker thread, never twice at once."""

    media_type: str
    version: str
    """Of the model that answers."""
    options: Options

    def read(self, chunk: bytes, *, last: bool) -> Iterator[Batch]:
        """Yield what can be answered now that `chunk` is here, a batch at a time."""

    def answer(self, batch: Batch) -> Piece:
        """Return the answer to a batch."""

    def end_early(self, status: int, detail: str) -> bytes:
        """Return the end of an answer that ends before its body does; it says where."""


class Drain(Protocol):
    """Whether the service is about to end."""

    draining: bool


class BulkResponse(Response):
    """Answers a body as it comes. Headers wait for the first piece, so what is wrong from the start is a problem.

    Args:
        answers: the format.
        workers: threads that read and answer.
        quota: what names are charged to; a stream that outruns it slows down, and answers what is paid for.
        recording: where answers are recorded before they are sent.
        drain: a stream ends by itself, between two batches, `grace_seconds` after the service began to drain.
        grace_seconds: see `drain`.
    """

    def __init__(
        self,
        answers: Answers,
        workers: Workers,
        *,
        quota: NameQuota = NameQuota.unlimited,
        recording: Recording = Recording.off,
        drain: Drain | None = None,
        grace_seconds: float = 0.0,
    ) -> None:
        self.status_code = 200
        self.background = None
        self.media_type = answers.media_type
        self.init_headers()
        self._answers = answers
        self._workers = workers
        self._quota = quota
        self._recording = recording
        self._next: asyncio.Future[Message] | None = None  # asked for while the quota was waited for
        self._drain = drain
        self._grace_seconds = grace_seconds
        self._drains_since: float | None = None
        self._started = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read, answer, send, and only then read on; ends without a word once the client is gone."""
        del scope
        more = True
        try:
            while more:
                message = await self._take_next(receive)
                if message["type"] == "http.disconnect":
                    return
                more = message.get("more_body", False)
                await self._answer(receive, send, message.get("body", b""), last=not more)
        except ClientDisconnect:
            return
        except HTTPException as error:
            if not self._started:
                raise
            await self._write(send, self._answers.end_early(error.status_code, error.detail))
        finally:
            if self._next:
                self._next.cancel()
        await self._write(send, b"", more=False)

    async def _take_next(self, receive: Receive) -> Message:
        asked, self._next = self._next, None
        return await (asked or receive())

    async def _answer(self, receive: Receive, send: Send, chunk: bytes, *, last: bool) -> None:
        """Answer what is complete now. Raises HTTPException 503 if the service is about to end."""
        batches = self._answers.read(chunk, last=last)
        _, batch = await self._workers.run_for_stream(self._step, None, batches)
        while batch is not None:
            while len(batch) > self._quota.slice_size:
                part, batch = batch[: self._quota.slice_size], batch[self._quota.slice_size :]
                await self._admit(receive, len(part))
                await self._record_and_write(send, await self._workers.run_for_stream(self._answers.answer, part))
            await self._admit(receive, len(batch))
            piece, batch = await self._workers.run_for_stream(self._step, batch, batches)
            await self._record_and_write(send, piece)

    async def _record_and_write(self, send: Send, piece: Piece) -> None:
        """Send a piece once it is recorded. Raises HTTPException 503 if it cannot be."""
        try:
            await self._recording.answered(self._answers.version, piece.names, piece.outcomes, self._answers.options)
        except RequestLogFullError:
            raise HTTPException(503, "The rest cannot be recorded; send it again.") from None
        await self._write(send, piece.body)

    async def _admit(self, receive: Receive, n_names: int) -> None:
        """Wait until the quota admits so many names. Raises ClientDisconnect if the client does not wait as long."""
        self._check_drain()
        if not n_names or self._quota is NameQuota.unlimited:
            return
        waiting = asyncio.ensure_future(self._quota.wait_for(n_names))
        if self._next is None:
            self._next = asyncio.ensure_future(receive())
        try:
            either: set[asyncio.Future[Any]] = {waiting, self._next}
            await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            if not waiting.done() and not self._next.exception() and self._next.result()["type"] == "http.disconnect":
                raise ClientDisconnect
            await waiting
        finally:
            waiting.cancel()

    def _step(self, batch: Batch | None, batches: Iterator[Batch]) -> tuple[Piece, Batch | None]:
        """Return the answer to a batch, and the next batch: one hop to a thread for both."""
        piece = Piece() if batch is None else self._answers.answer(batch)
        return piece, next(batches, None)

    def _check_drain(self) -> None:
        if self._drain is None or not self._drain.draining:
            return
        if self._drains_since is None:
            self._drains_since = time.monotonic()
        if time.monotonic() >= self._drains_since + self._grace_seconds:
            raise HTTPException(503, "The service is about to end; send the rest again.")

    async def _write(self, send: Send, piece: bytes, *, more: bool = True) -> None:
        if not self._started:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            self._started = True
        await send({"type": "http.response.body", "body": piece, "more_body": more})
