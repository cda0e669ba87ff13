"""Rows of a table between reading and writing: what stays of them, their texts, and what is refused."""

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    import pyarrow as pa


BATCH_ROWS = 2**12
BLANK = "a blank line"
NO_TEXT = "no text"
NO_STRING = "a text that is no string"


class Rejected(NamedTuple):
    """A row that cannot be scored: its number, why, and the row as far as it can be shown in one cell."""

    number: int
    reason: str
    row: str


class Content(Protocol):
    """What rows hold, in the shape of whatever is written."""

    def select(self, places: Sequence[int]) -> "Content":
        """Return some of the rows."""

    def cells(self) -> Sequence[Sequence[object]]:
        """Return the cells of each row in the order of the table's columns."""

    def objects(self) -> Sequence[dict[str, Any]]:
        """Return each row as an object."""

    def arrow(self) -> "pa.Table":
        """Return the rows as an Arrow table."""

    def show(self, place: int) -> str:
        """Return one row as text."""


@dataclass
class Batch:
    """Rows that are scored together: the number, the text and the content of each, and those that are refused."""

    numbers: list[int]
    texts: list[str]
    content: Content
    rejected: list[Rejected] = field(default_factory=list)


@dataclass(frozen=True)
class DelimitedRows:
    """Rows of delimited text."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    texts: Sequence[str]
    """The records as they stand in the file."""

    def select(self, places: Sequence[int]) -> Content:
        """Return some of the rows."""
        return DelimitedRows(self.columns, [self.rows[i] for i in places], [self.texts[i] for i in places])

    def cells(self) -> Sequence[Sequence[object]]:
        """Return the cells as they are."""
        return self.rows

    def objects(self) -> Sequence[dict[str, Any]]:
        """Return each row as an object of strings."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]

    def arrow(self) -> "pa.Table":
        """Return a table of strings."""
        return _table_of_strings(self.columns, self.rows)

    def show(self, place: int) -> str:
        """Return the record."""
        return self.texts[place]


@dataclass(frozen=True)
class JsonRows:
    """Objects of NDJSON; the table's columns are the keys of the first."""

    columns: Sequence[str]
    rows: Sequence[dict[str, Any]]

    def select(self, places: Sequence[int]) -> Content:
        """Return some of the rows."""
        return JsonRows(self.columns, [self.rows[i] for i in places])

    def cells(self) -> Sequence[Sequence[object]]:
        """Return strings as they are and other values as JSON; what is missing or null is None."""
        return [[_flatten(row.get(column)) for column in self.columns] for row in self.rows]

    def objects(self) -> Sequence[dict[str, Any]]:
        """Return the objects as they are."""
        return self.rows

    def arrow(self) -> "pa.Table":
        """Return a table of strings."""
        return _table_of_strings(self.columns, self.cells())

    def show(self, place: int) -> str:
        """Return the object as a line."""
        return json.dumps(self.rows[place], ensure_ascii=False)


@dataclass(frozen=True)
class ArrowRows:
    """Rows of a Parquet file."""

    table: "pa.Table"

    def select(self, places: Sequence[int]) -> Content:
        """Return some of the rows."""
        import pyarrow as pa

        return ArrowRows(self.table.take(pa.array(places, pa.int64())))

    def cells(self) -> Sequence[Sequence[object]]:
        """Return the values as Python's, nested ones as JSON."""
        columns = (map(_flatten_value, column.to_pylist()) for column in self.table.columns)
        return list(zip(*columns, strict=True))

    def objects(self) -> Sequence[dict[str, Any]]:
        """Return each row as an object."""
        rows: list[dict[str, Any]] = self.table.to_pylist()
        return rows

    def arrow(self) -> "pa.Table":
        """Return the table as it is."""
        return self.table

    def show(self, place: int) -> str:
        """Return the row as JSON."""
        return to_json(self.table.slice(place, 1).to_pylist()[0])


def split_batches(rows: Sequence[Any], size: int) -> Iterator[Sequence[Any]]:
    """Yield rows in batches of a size, the last perhaps smaller."""
    return (rows[start : start + size] for start in range(0, len(rows), size))


def describe_loss(text: str) -> str:
    """Return why a line cannot be taken that lost characters when it was decoded; nothing if it lost none."""
    return "characters that are not UTF-8" if "\ufffd" in text else ""


def schema_of_strings(columns: Sequence[str]) -> "pa.Schema":
    """Return what Arrow calls the types of columns of text."""
    import pyarrow as pa

    return pa.schema([(column, pa.string()) for column in columns])


def to_json(value: object) -> str:
    """Return a value of a table as JSON, with null for NaN, which pandas writes for what is missing."""
    try:
        return json.dumps(value, ensure_ascii=False, default=_to_text, allow_nan=False)
    except ValueError:
        return json.dumps(_without_nan(value), ensure_ascii=False, default=_to_text)


def _without_nan(value: object) -> object:
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _to_text(value: object) -> str:
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)


def _flatten_value(value: object) -> object:
    if isinstance(value, dict | list | tuple):
        return to_json(value)
    return _to_text(value) if isinstance(value, bytes) else value


def _flatten(value: object) -> str | None:
    return value if isinstance(value, str | None) else json.dumps(value, ensure_ascii=False)


def _table_of_strings(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> "pa.Table":
    import pyarrow as pa

    values = zip(*rows, strict=True) if rows else ([] for _ in columns)
    arrays = [pa.array(column, pa.string()) for column in values]
    return pa.table(dict(zip(columns, arrays, strict=True)))
