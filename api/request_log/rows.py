"""Rows of the tables as SQLite keeps them: tuples in the order of their columns."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from math import isfinite
from typing import ClassVar, NamedTuple

import msgspec

from api.recording import RecordedOptions
from api.request_log import schema
from api.request_log.identifiers import new_id, new_ids
from api.request_log.names import NameKeeper
from model.prediction import Prediction

Row = tuple[object, ...]
_encode = msgspec.json.Encoder().encode
_REFUSED_ITEM = 422


class Table(NamedTuple):
    """A table that rows are written to."""

    name: str
    columns: tuple[str, ...]

    def insert(self, n_rows: int) -> str:
        """Return the statement that adds rows to the outbox; their values follow each other."""
        row = f"({', '.join('?' * len(self.columns))})"
        return f"INSERT INTO {self.name} ({', '.join(self.columns)}) VALUES {', '.join([row] * n_rows)}"  # noqa: S608


PREDICTION_REQUEST = Table(schema.PREDICTION_REQUEST, schema.COLUMNS)
FEEDBACK = Table(
    schema.FEEDBACK,
    (
        *("id", "request_id", "item_index", "given_at", "api_key_name"),
        *("name", "name_hash", "name_hash_key", "label"),
    ),
)
TABLES = (PREDICTION_REQUEST, FEEDBACK)


class RequestFacts(msgspec.Struct, gc=False):  # thousands live for a moment; none is part of a cycle
    """What all rows of one request share."""

    request_id: str
    idempotency_key: str | None
    route: str
    api_key_name: str | None


class AnsweredItems(msgspec.Struct, gc=False):
    """Items of one request that were answered together."""

    request: RequestFacts
    at: float
    """Seconds since the epoch."""
    latency_seconds: float
    version: str
    names: Sequence[str | None]
    outcomes: Sequence[Prediction | str]
    options: RecordedOptions
    first_index: int

    table: ClassVar[Table] = PREDICTION_REQUEST

    @property
    def n_rows(self) -> int:
        """How many rows this makes."""
        return len(self.outcomes)

    def rows(self, keeper: NameKeeper) -> list[Row]:
        """Return a row an item; of one that was refused without what it held."""
        request, version, latency = self.request, self.version, self.latency_seconds
        shared = (request.idempotency_key, _text(self.at), request.route, request.api_key_name)
        options = {"top_k": self.options.top_k, "prior": self.options.prior, "abstain": self.options.abstain}
        text = _encode(options).decode()
        ids = new_ids(self.n_rows, _milliseconds(self.at))
        rows: list[Row] = []
        for index, (row_id, name, outcome) in enumerate(zip(ids, self.names, self.outcomes, strict=True)):
            head = (row_id, request.request_id, self.first_index + index, *shared)
            if isinstance(outcome, str) or name is None:
                rows.append((*head, *_NO_NAME, None, text, *_NO_ANSWER, version, latency, _REFUSED_ITEM))
                continue
            kept, familiarity = keeper.keep(name), _finite(outcome.familiarity)
            labels, log_probs = _encode(outcome.labels).decode(), _encode(outcome.log_probs).decode()
            answer = (familiarity, text, labels, log_probs, outcome.abstained)
            rows.append((*head, *kept, *answer, version, latency, 200))
        return rows


@dataclass(slots=True)
class RefusedRequest:
    """A request of which nothing was answered."""

    request: RequestFacts
    at: float
    latency_seconds: float
    status: int

    table: ClassVar[Table] = PREDICTION_REQUEST
    n_rows: ClassVar[int] = 1

    def rows(self, keeper: NameKeeper) -> Iterator[Row]:
        """Yield its row, without what was refused."""
        del keeper
        request = self.request
        head = (
            new_id(_milliseconds(self.at)),
            request.request_id,
            None,
            request.idempotency_key,
            _text(self.at),
            request.route,
        )
        answer = (None, None, *_NO_ANSWER, None)  # neither familiarity and options, nor labels, nor a version
        yield (*head, request.api_key_name, *_NO_NAME, *answer, self.latency_seconds, self.status)


@dataclass(slots=True)
class Feedback:
    """The true label of an item, with its name."""

    at: float
    request_id: str
    item_index: int
    api_key_name: str | None
    name: str
    label: str

    table: ClassVar[Table] = FEEDBACK
    n_rows: ClassVar[int] = 1

    def rows(self, keeper: NameKeeper) -> Iterator[Row]:
        """Yield its row; the name is raw, as a hash cannot be trained on."""
        head = (new_id(_milliseconds(self.at)), self.request_id, self.item_index, _text(self.at), self.api_key_name)
        yield (*head, self.name, *keeper.digest(self.name), self.label)


Entry = AnsweredItems | RefusedRequest | Feedback

_NO_NAME = (None,) * 5
_NO_ANSWER = (None,) * 3


def _milliseconds(at: float) -> int:
    return int(at * 1000)


def _text(at: float) -> str:
    """Return a time as SQLAlchemy writes it to SQLite: UTC, without saying so."""
    return f"{_second(int(at))}.{int(at % 1 * 1_000_000):06}"


@lru_cache(maxsize=64)
def _second(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%d %H:%M:%S")


def _finite(value: float | None) -> float | None:
    return value if value is not None and isfinite(value) else None
