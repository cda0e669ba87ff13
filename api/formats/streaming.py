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
from api.context import end_connection
from api.errors import RequestLogFullError
from api.lifecycle import Lifecycle
from api.name_quota import NameQuota
from api.recording import Recording
from model.prediction import Prediction

BATCH = 256
"""Names that one model call answers: more are no faster a name, and hold the first answer up."""
_IDLE_SECONDS = 1.0
"""How long a stream may stand still while the service is about to end: the others have until shortly before the end."""

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


class BulkResponse(Response):
    """Answers a body as it comes. Headers wait for the first piece, so what is wrong from the start is a problem.

    Args:
        answers: the format.
        workers: threads that read and answer.
        quota: what names are charged to; a stream that outruns it slows down, and answers what is paid for.
        recording: where answers are recorded before they are sent.
        lifecycle: once the service is about to end, a stream that stands still ends by itself, others in time.
    """

    def __init__(
        self,
        answers: Answers,
        workers: Workers,
        *,
        quota: NameQuota = NameQuota.unlimited,
        recording: Recording = Recording.off,
        lifecycle: Lifecycle | None = None,
    ) -> None:
        self.status_code = 200
        self.background = None
        self.media_type = answers.media_type
        self.init_headers()
        self._answers = answers
        self._workers = workers
        self._quota = quota
        self._recording = recording
        self._next: asyncio.Future[Message] | None = None  # the next part of the body, once it is asked for
        self._lifecycle = lifecycle or Lifecycle()
        self._started = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read, answer, send, and only then read on; ends without a word once the client is gone."""
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
            end_connection(scope)  # the client may go on sending for any time
            await self._write(send, self._answers.end_early(error.status_code, error.detail))
        finally:
            if self._next:
                self._next.cancel()
        await self._write(send, b"", more=False)

    async def _take_next(self, receive: Receive) -> Message:
        """Return the next part of the body. Raises HTTPException 503 if the service is about to end before it comes."""
        asked = self._ask_for_next(receive)
        await self._wait_for(asked)
        self._next = None
        return asked.result()

    def _ask_for_next(self, receive: Receive) -> asyncio.Future[Message]:
        if self._next is None:
            self._next = asyncio.ensure_future(receive())
        return self._next

    async def _wait_for(self, *futures: asyncio.Future[Any]) -> None:
        """Return once one is done. Raises HTTPException 503 if none is for a while and the service is about to end."""
        while not (await asyncio.wait(futures, timeout=_IDLE_SECONDS, return_when=asyncio.FIRST_COMPLETED))[0]:
            if self._lifecycle.draining:
                raise _service_ends()

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
        if time.monotonic() >= self._lifecycle.streams_end_at:
            raise _service_ends()
        if not n_names or self._quota is NameQuota.unlimited:
            return
        waiting = asyncio.ensure_future(self._quota.wait_for(n_names))
        asked = self._ask_for_next(receive)
        try:
            await self._wait_for(waiting, asked)
            if not waiting.done() and not asked.exception() and asked.result()["type"] == "http.disconnect":
                raise ClientDisconnect
            await self._wait_for(waiting)
            await waiting
        finally:
            waiting.cancel()

    def _step(self, batch: Batch | None, batches: Iterator[Batch]) -> tuple[Piece, Batch | None]:
        """Return the answer to a batch, and the next batch: one hop to a thread for both."""
        piece = Piece() if batch is None else self._answers.answer(batch)
        return piece, next(batches, None)

    async def _write(self, send: Send, piece: bytes, *, more: bool = True) -> None:
        if not self._started:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            self._started = True
        await send({"type": "http.response.body", "body": piece, "more_body": more})


def _service_ends() -> HTTPException:
    return HTTPException(503, "The service is about to end; send the rest again.")
