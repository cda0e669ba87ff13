"""Open a table that is to be scored, whatever kind it is of."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from model.data.ingest.columns import Wanted, find_text_columns
from model.data.ingest.dialects import detect_dialect
from model.data.ingest.kinds import Kind
from model.data.ingest.text import AS_A_GUESS, GUESSES, detect_encoding, read_lines
from model.scoring.delimited_input import DelimitedInput
from model.scoring.ndjson_input import open_ndjson
from model.scoring.parquet_input import open_parquet
from model.scoring.rows import Batch
from model.scoring.spans import Span
from model.scoring.utf8_copies import copy_as_utf8, has_mark, has_old_line_ends

if TYPE_CHECKING:
    import pyarrow as pa

_UTF_8 = ("utf-8", "utf-8-sig")


@dataclass(frozen=True)
class Columns:
    """Which column holds the texts, or which two do, and what is known of the file beforehand."""

    text: str = "name"
    has_header: bool = True
    encoding: str | None = None


class Input(Protocol):
    """A table that is read in spans, in any process."""

    @property
    def description(self) -> str:
        """What it was found to be, for a person."""

    @property
    def columns(self) -> Sequence[str]:
        """The names of the columns."""

    def spans(self) -> Iterator[Span]:
        """Yield the spans in order."""

    def read(self, span: Span) -> Iterator[Batch]:
        """Yield the rows of a span."""

    def schema(self) -> "pa.Schema":
        """Return what Arrow calls the columns' types."""


def open_input(path: Path, location: str, kind: Kind, columns: Columns, copy: Path, *, keeps_keys: bool) -> Input:
    """Return a table that lies at a path, and that others read at a location.

    Args:
        path: where it lies here.
        location: the path, or a URL.
        kind: what it is.
        columns: which of its columns hold the texts.
        copy: where it is written in UTF-8, if it is in another encoding.
        keeps_keys: whether an object of NDJSON may have keys that the first lacks.

    Raises:
        DataError: it lacks the columns, or is damaged.
    """
    if kind is Kind.PARQUET:
        return open_parquet(path, location, columns.text)
    encoding = columns.encoding or detect_encoding(path)
    begins_with_mark = has_mark(path)
    if encoding not in _UTF_8 or has_old_line_ends(path):
        path = copy_as_utf8(path, encoding, copy)
        location = str(path)
    if kind is Kind.NDJSON:
        return open_ndjson(path, location, columns.text, keeps_keys=keeps_keys)
    dialect = detect_dialect(read_lines(path, "utf-8-sig"), _wanted(columns), has_header=columns.has_header)
    is_guess = columns.encoding is None and encoding in GUESSES
    description = f"{encoding}, {AS_A_GUESS}" if is_guess else encoding
    return DelimitedInput(path, location, dialect, description, begins_with_mark)


def _wanted(columns: Columns) -> Wanted:
    return Wanted(
        partial(find_text_columns, columns.text),
        "name it with --text; if the first line is a name already, use --no-header --text 1.",
        "add a header, or give the number of the column with --no-header, as in --no-header --text 1.",
    )
