"""A body of any length, answered while it arrives, in memory that does not grow. Knows no format.

Nothing more is read from a client before what it sent is answered and that answer is on its way: one that sends much
and reads nothing is kept waiting, and one that sends a line and waits gets its answer at once.
"""

from collections.abc import Iterator, Sequence
from typing import Protocol

from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.classify.answers import Options
from api.classify.served_model import ServedModel
from api.classify.workers import Workers
from api.observability.metrics import Metrics
from model.errors import InvalidNameError
from model.prediction import Prediction

BATCH = 256
"""Names that one model call answers: more are no faster a name, and hold the first answer up."""


class Answers(Protocol):
    """A body's pieces to its answer's pieces; called in a worker thread, never twice at once."""

    media_type: str

    def feed(self, chunk: bytes, *, last: bool) -> Iterator[bytes]:
        """Yield what can be answered now that `chunk` is here, in pieces of a batch each."""

    def refuse(self, status: int, detail: str) -> bytes:
        """Return the end of an answer whose body turned out to be one that is refused."""


class BulkResponse(Response):
    """Answers a body as it comes. Headers wait for the first piece, so what is wrong from the start is a problem."""

    def __init__(self, answers: Answers, workers: Workers) -> None:
        self.status_code = 200
        self.background = None
        self.media_type = answers.media_type
        self.init_headers()
        self._answers = answers
        self._workers = workers

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Read, answer, send, and only then read on; ends without a word once the client is gone."""
        del scope
        started = False

        async def write(piece: bytes, *, more: bool = True) -> None:
            nonlocal started
            if not started:
                await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
                started = True
            await send({"type": "http.response.body", "body": piece, "more_body": more})

        more = True
        while more:
            try:
                message = await receive()
            except HTTPException as refused:
                if not started:
                    raise
                await write(self._answers.refuse(refused.status_code, refused.detail))
                break
            if message["type"] == "http.disconnect":
                return
            more = message.get("more_body", False)
            pieces = self._answers.feed(message.get("body", b""), last=not more)
            while (piece := await self._workers.run_for_stream(next, pieces, None)) is not None:
                await write(piece)
        await write(b"", more=False)


def predict_each(
    served: ServedModel, metrics: Metrics, names: Sequence[str], options: Options
) -> list[Prediction | str]:
    """Return the prediction of each name, or the sentence that says why it cannot be one."""
    refusals: dict[int, str] = {}
    try:
        predictions = served.predictor.predict(names, options.top_k, options.prior)
    except InvalidNameError:
        for place, name in enumerate(names):
            try:
                served.predictor.read(name)
            except InvalidNameError as error:
                refusals[place] = str(error)
        good = [name for place, name in enumerate(names) if place not in refusals]
        predictions = served.predictor.predict(good, options.top_k, options.prior)
    metrics.count_predictions(predictions)
    answered = iter(predictions)
    return [refusals[place] if place in refusals else next(answered) for place in range(len(names))]
