"""NDJSON that is scored: its columns, its spans, and the rows of a span."""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from model.data.ingest.columns import find_text_columns, join_cells
from model.data.ingest.kinds import Kind
from model.data.ingest.records import TOO_LONG, Line
from model.data.ingest.text import MAX_LINE, read_lines
from model.errors import DataError
from model.scoring.columns import is_added
from model.scoring.rows import (
    BATCH_ROWS,
    BLANK,
    NO_STRING,
    NO_TEXT,
    Batch,
    JsonRows,
    Rejected,
    describe_loss,
    schema_of_strings,
    split_batches,
)
from model.scoring.spans import Span, cut_text, read_span

if TYPE_CHECKING:
    import pyarrow as pa

_MAX_FIRST_LINES = 1000
_OTHER_KEYS = "keys that the first line lacks"
_HALF_PAIR = "half of a surrogate pair"


def open_ndjson(path: Path, location: str, text: str, *, keeps_keys: bool) -> "NdjsonInput":
    """Return the table of a file, with the keys of its first object as columns.

    Raises:
        DataError: the file begins with no object, or that lacks the columns of texts.
    """
    lines = islice(read_lines(path, "utf-8-sig"), _MAX_FIRST_LINES)
    rows = (parse_object(line, text) for _, line in lines)
    first = next((row for row in rows if isinstance(row, dict)), None)
    if first is None:
        raise DataError(f"None of the first {_MAX_FIRST_LINES} lines is a JSON object.")
    names = list(first)
    keys = [names[i] for i in find_text_columns(text, names)]
    return NdjsonInput(path, location, names, keys, keeps_keys)


@dataclass(frozen=True)
class NdjsonInput:
    """A table of objects, one a line; a line may be a text alone."""

    path: Path
    location: str
    columns: Sequence[str]
    keys: Sequence[str]
    keeps_keys: bool

    @property
    def description(self) -> str:
        """Its kind."""
        return Kind.NDJSON.value

    def spans(self) -> Iterator[Span]:
        """Yield spans of lines."""
        with self.path.open("rb") as file:
            yield from cut_text(file, None)

    def read(self, span: Span) -> Iterator[Batch]:
        """Yield the rows of a span."""
        for lines in split_batches(list(read_span(self.location, span)), BATCH_ROWS):
            yield self._read_batch(lines)

    def schema(self) -> "pa.Schema":
        """Return strings."""
        return schema_of_strings(self.columns)

    def _read_batch(self, lines: Sequence[Line]) -> Batch:
        batch = Batch([], [], JsonRows(self.columns, rows := []))
        for number, line in lines:
            row = parse_object(line, self.keys[0])
            problem = row if isinstance(row, str) else self._find_problem(row)
            if problem or isinstance(row, str):
                batch.rejected.append(Rejected(number, problem, line))
                continue
            batch.numbers.append(number)
            batch.texts.append(join_cells([row[key] for key in self.keys]))
            rows.append(row)
        return batch

    def _find_problem(self, row: dict[str, Any]) -> str:
        values = [row.get(key) for key in self.keys]
        if not all(isinstance(value, str) for value in values):
            return NO_TEXT if None in values else NO_STRING
        others = row.keys() - set(self.columns)
        return _OTHER_KEYS if others and (not self.keeps_keys or any(map(is_added, others))) else ""


def parse_object(line: str, key: str) -> dict[str, Any] | str:
    """Return the object of a line, or why there is none; a string is the value of the key."""
    if problem := _find_problem_of_line(line):
        return problem
    try:
        document = json.loads(line, parse_constant=_refuse, parse_float=_parse_float)
        if "\\ud" in line or "\\uD" in line:
            json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return _HALF_PAIR
    except (ValueError, RecursionError):
        return "a line that is not JSON"
    if isinstance(document, str):
        return {key: document}
    return document if isinstance(document, dict) else "a line that is no JSON object"


def _refuse(_: str) -> NoReturn:
    """Raise ValueError: NaN and Infinity, which Python takes, are no JSON."""
    raise ValueError


def _parse_float(text: str) -> float:
    """Return a finite number. Raises ValueError of one that is too large, which would be written as Infinity."""
    if math.isinf(number := float(text)):
        raise ValueError
    return number


def _find_problem_of_line(line: str) -> str:
    if not line.strip():
        return BLANK
    return TOO_LONG if len(line) > MAX_LINE else describe_loss(line)
