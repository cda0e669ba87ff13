"""Lines of JSON to lines of JSON: one answer a line, in their order. Never quotes a line but for its `id`."""

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import msgspec

from api.classify.classifier import Options, classify_each
from api.classify.served_model import ServedModel
from api.formats.json_bodies import describe
from api.formats.lines import Lines
from api.formats.streaming import BATCH, Piece
from api.observability.metrics import Metrics
from model.prediction import Prediction

MEDIA_TYPE = "application/x-ndjson"
MEDIA_TYPES = (MEDIA_TYPE, "application/ndjson", "application/jsonl")
MAX_LINE_BYTES = 4096

_Id = msgspec.Raw | msgspec.UnsetType
"""As it was sent, byte for byte."""


class _Line(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    id: _Id = msgspec.UNSET


class _Refused(msgspec.Struct):
    """A line that holds no name; of one that is JSON the id is kept."""

    id: _Id = msgspec.UNSET
    detail: str = ""


_NumberedLine = tuple[int, bytes]
_decode_line = msgspec.json.Decoder(str | _Line).decode
_decode_id = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_encode_lines = msgspec.json.Encoder().encode_lines


class NdjsonAnswers:
    """Answers a stream of lines by one model."""

    media_type = MEDIA_TYPE

    def __init__(self, served: ServedModel, metrics: Metrics, options: Options) -> None:
        self._served = served
        self._metrics = metrics
        self.options = options
        self.version = served.version
        self._lines = Lines(MAX_LINE_BYTES)
        self._n_read = self._n_answered = 0

    def read(self, chunk: bytes, *, last: bool) -> Iterator[Sequence[_NumberedLine]]:
        """Yield the lines that are complete and not empty; see `Answers`."""
        lines = self._lines.feed(chunk, last=last)
        numbered = enumerate(lines, self._n_read + 1)
        self._n_read += len(lines)
        filled = ((number, line) for number, line in numbered if len(line) > MAX_LINE_BYTES or line.strip())
        while batch := list(islice(filled, BATCH)):
            yield batch

    def end_early(self, status: int, detail: str) -> bytes:
        """Return the last line of an answer that ends before its body does; it has the number of the next line."""
        return _encode_lines([_error(self._n_answered + 1, status, detail)])

    def answer(self, batch: Sequence[_NumberedLine]) -> Piece:
        """Return one line for each line of a batch."""
        questions = [_read(line) for _, line in batch]
        self._n_answered = batch[-1][0]
        names = [question.name for question in questions if isinstance(question, _Line)]
        predicted = iter(classify_each(self._served, self._metrics, names, self.options))
        rows: list[dict[str, Any]] = []
        outcomes: list[Prediction | str] = []
        for (number, _), question in zip(batch, questions, strict=True):
            outcome = next(predicted) if isinstance(question, _Line) else question.detail
            outcomes.append(outcome)
            row = self._describe(number, outcome)
            if question.id is not msgspec.UNSET:
                row["id"] = question.id
            rows.append(row)
        all_names = [question.name if isinstance(question, _Line) else None for question in questions]
        return Piece(_encode_lines(rows), all_names, outcomes)

    def _describe(self, number: int, outcome: Prediction | str) -> dict[str, Any]:
        if isinstance(outcome, str):
            return _error(number, 422, outcome)
        return describe(outcome, self.options)


def _error(number: int, status: int, detail: str) -> dict[str, Any]:
    return {"error": {"line": number, "status": status, "detail": detail}}


def _read(line: bytes) -> _Line | _Refused:
    """Return what a line asks, or why it cannot be answered."""
    if len(line) > MAX_LINE_BYTES:
        return _Refused(detail=f"A line may have at most {MAX_LINE_BYTES} bytes.")
    try:
        text = line.decode()  # an id is not looked into: what is wrong in it would be sent back
        decoded = _decode_line(text)
    except UnicodeDecodeError:
        return _Refused(detail="The line is not UTF-8.")
    except msgspec.ValidationError:
        return _Refused(_read_id(text), 'A line is a name, or an object with a "name" and, if you like, an "id".')
    except (msgspec.DecodeError, RecursionError):
        return _Refused(detail="The line is not valid JSON.")
    return _Line(decoded) if isinstance(decoded, str) else decoded


def _read_id(text: str) -> _Id:
    try:
        return _decode_id(text).get("id", msgspec.UNSET)
    except (msgspec.DecodeError, RecursionError):  # a list, or broken behind what was wrong first
        return msgspec.UNSET
