"""The kinds of tables that are scored: their columns, their spans, and the rows of a span."""

import codecs
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from model.data.ingest.columns import Wanted, find_text_columns, join_cells
from model.data.ingest.dialects import Dialect, detect_dialect
from model.data.ingest.kinds import Kind
from model.data.ingest.parquet_files import opened_parquet
from model.data.ingest.records import TOO_LONG, Line, Record, Records, parse_record
from model.data.ingest.text import MAX_LINE, detect_encoding, read_lines
from model.errors import DataError
from model.scoring.columns import is_added
from model.scoring.rows import ArrowRows, Batch, DelimitedRows, JsonRows, Rejected, split_batches
from model.scoring.spans import SPAN_ROWS, Span, cut_text, read_span

if TYPE_CHECKING:
    import pyarrow as pa

BATCH_ROWS = 2**12
_HEAD_BYTES = 2**16
_MAX_FIRST_LINES = 1000
_UTF_8 = ("utf-8", "utf-8-sig")
_DELIMITER_NAMES = {"\t": "tab", " ": "space"}
_MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_BLANK = "a blank line"
_NO_TEXT = "no text"
_NO_STRING = "a text that is no string"
_OTHER_KEYS = "keys that the first line lacks"
_HALF_PAIR = "half of a surrogate pair"


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
        return _open_parquet(path, location, columns)
    encoding = columns.encoding or detect_encoding(path)
    has_mark = _has_mark(path)
    if encoding not in _UTF_8 or _has_old_line_ends(path):
        path = _copy_as_utf8(path, encoding, copy)
        location = str(path)
    if kind is Kind.NDJSON:
        return _open_ndjson(path, location, columns, keeps_keys=keeps_keys)
    dialect = detect_dialect(read_lines(path, "utf-8-sig"), _wanted(columns), has_header=columns.has_header)
    return DelimitedInput(path, location, dialect, encoding, has_mark)


@dataclass(frozen=True)
class DelimitedInput:
    """A table in delimited text."""

    path: Path
    location: str
    dialect: Dialect
    encoding: str
    has_mark: bool
    """Whether it began with a byte order mark, as spreadsheets like it."""

    @property
    def description(self) -> str:
        """Its delimiter and encoding."""
        delimiter = _DELIMITER_NAMES.get(self.dialect.delimiter, self.dialect.delimiter)
        return f"{Kind.DELIMITED.value}, delimiter {delimiter}, {self.encoding}"

    @property
    def columns(self) -> Sequence[str]:
        """The cells of the header, or the numbers of the columns."""
        return self.dialect.header or [str(i + 1) for i in range(self.dialect.width)]

    def spans(self) -> Iterator[Span]:
        """Yield spans of lines, the header's among them."""
        with self.path.open("rb") as file:
            yield from cut_text(file, self.dialect.delimiter)

    def read(self, span: Span) -> Iterator[Batch]:
        """Yield the rows of a span."""
        records = self._rows(Records(self.dialect.delimiter).feed(_lines(self.location, span), last=True), span)
        while batch := list(islice(records, BATCH_ROWS)):
            yield self._read_batch(batch)

    def schema(self) -> "pa.Schema":
        """Return strings."""
        return _schema_of_strings(self.columns)

    def _rows(self, records: Iterable[Record], span: Span) -> Iterator[Record]:
        """Yield the records behind the header."""
        n_skipped = 0 if span.start else self.dialect.n_skipped
        for record in records:
            if n_skipped:
                n_skipped -= bool(record.text.strip())
            else:
                yield record

    def _read_batch(self, records: Sequence[Record]) -> Batch:
        kept: list[tuple[Record, list[str]]] = []
        rejected: list[Rejected] = []
        for record in records:
            cells, problem = parse_record(record, self.dialect.delimiter)
            cells = self.dialect.fit(cells)
            if problem := problem or _find_loss(record) or self.dialect.find_problem(cells):
                rejected.append(Rejected(record.number, problem, record.text))
            else:
                kept.append((record, cells))
        places = self.dialect.places
        return Batch(
            [record.number for record, _ in kept],
            [join_cells([cells[i] for i in places]) for _, cells in kept],
            DelimitedRows(self.columns, [cells for _, cells in kept], [record.text for record, _ in kept]),
            rejected,
        )


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
        for lines in split_batches(list(_lines(self.location, span)), BATCH_ROWS):
            yield self._read_batch(lines)

    def schema(self) -> "pa.Schema":
        """Return strings."""
        return _schema_of_strings(self.columns)

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
            return _NO_TEXT if None in values else _NO_STRING
        others = row.keys() - set(self.columns)
        return _OTHER_KEYS if others and (not self.keeps_keys or any(map(is_added, others))) else ""


@dataclass(frozen=True)
class ParquetInput:
    """A Parquet file."""

    path: Path
    location: str
    columns: Sequence[str]
    places: Sequence[int]

    @property
    def description(self) -> str:
        """Its kind."""
        return Kind.PARQUET.value

    def spans(self) -> Iterator[Span]:
        """Yield spans of rows, each of one group."""
        with opened_parquet(str(self.path)) as file:
            index, first = 0, 1
            for group in range(file.num_row_groups):
                n_rows = file.metadata.row_group(group).num_rows
                for start in range(0, n_rows, SPAN_ROWS):
                    stop = min(start + SPAN_ROWS, n_rows)
                    yield Span(index, start, stop, first, stop - start, group)
                    index, first = index + 1, first + stop - start

    def read(self, span: Span) -> Iterator[Batch]:
        """Yield the rows of a span."""
        import pyarrow as pa

        start, number = 0, span.first
        with opened_parquet(self.location) as file:
            for batch in file.iter_batches(BATCH_ROWS, row_groups=[span.group]):
                begin, end = max(span.start - start, 0), min(span.stop - start, batch.num_rows)
                start += batch.num_rows
                if begin < end:
                    yield self._read_batch(pa.Table.from_batches([batch.slice(begin, end - begin)]), number)
                    number += end - begin
                if start >= span.stop:
                    return

    def schema(self) -> "pa.Schema":
        """Return the file's own."""
        with opened_parquet(str(self.path)) as file:
            return file.schema_arrow

    def _read_batch(self, table: "pa.Table", first: int) -> Batch:
        content = ArrowRows(table)
        values = list(zip(*(table.column(place).to_pylist() for place in self.places), strict=True))
        good = [i for i, row in enumerate(values) if all(isinstance(value, str) for value in row)]
        rejected = [
            Rejected(first + i, _NO_TEXT if None in row else _NO_STRING, content.show(i))
            for i, row in enumerate(values)
            if not all(isinstance(value, str) for value in row)
        ]
        kept = content if len(good) == len(values) else content.select(good)
        return Batch([first + i for i in good], [join_cells(values[i]) for i in good], kept, rejected)


def parse_object(line: str, key: str) -> dict[str, Any] | str:
    """Return the object of a line, or why there is none; a string is the value of the key."""
    if problem := _find_problem_of_line(line):
        return problem
    try:
        document = json.loads(line)
        if "\\ud" in line or "\\uD" in line:
            json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return _HALF_PAIR
    except (ValueError, RecursionError):
        return "a line that is not JSON"
    if isinstance(document, str):
        return {key: document}
    return document if isinstance(document, dict) else "a line that is no JSON object"


def _find_problem_of_line(line: str) -> str:
    if not line.strip():
        return _BLANK
    return TOO_LONG if len(line) > MAX_LINE else _describe_loss(line)


def _open_ndjson(path: Path, location: str, columns: Columns, *, keeps_keys: bool) -> NdjsonInput:
    lines = islice(read_lines(path, "utf-8-sig"), _MAX_FIRST_LINES)
    rows = (parse_object(line, columns.text) for _, line in lines)
    first = next((row for row in rows if isinstance(row, dict)), None)
    if first is None:
        raise DataError(f"None of the first {_MAX_FIRST_LINES} lines is a JSON object.")
    names = list(first)
    keys = [names[i] for i in find_text_columns(columns.text, names)]
    return NdjsonInput(path, location, names, keys, keeps_keys)


def _open_parquet(path: Path, location: str, columns: Columns) -> ParquetInput:
    with opened_parquet(str(path)) as file:
        names: Sequence[str] = file.schema_arrow.names
    return ParquetInput(path, location, names, find_text_columns(columns.text, names))


def _wanted(columns: Columns) -> Wanted:
    return Wanted(
        partial(find_text_columns, columns.text),
        "name it with --text; if the first line is a name already, use --no-header --text 1.",
        "add a header, or give the number of the column with --no-header, as in --no-header --text 1.",
    )


def _lines(location: str, span: Span) -> Iterator[Line]:
    for number, line in read_span(location, span):
        yield number, line if number > 1 else line.removeprefix("\ufeff")


def _find_loss(record: Record) -> str:
    return _BLANK if record.is_blank else _describe_loss(record.text)


def _describe_loss(text: str) -> str:
    return "characters that are not UTF-8" if "\ufffd" in text else ""


def _has_mark(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(codecs.BOM_UTF8)).startswith(_MARKS)


def _has_old_line_ends(path: Path) -> bool:
    """Tell whether lines end with carriage returns alone, as on a Macintosh before 2001."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    return b"\r" in head.removesuffix(b"\r") and b"\n" not in head


def _copy_as_utf8(path: Path, encoding: str, copy: Path) -> Path:
    """Write a file in UTF-8 with line feeds, unless that is there already."""
    if copy.exists():
        return copy
    temporary = copy.with_name(f".{copy.name}")
    try:
        with (
            path.open(encoding=encoding, errors="replace", newline=None) as source,
            temporary.open("w", encoding="utf-8", newline="") as target,
        ):
            while chunk := source.read(_HEAD_BYTES):
                target.write(chunk)
        temporary.replace(copy)
    except (OSError, UnicodeError) as error:
        raise DataError(f"{path} cannot be read as {encoding} ({type(error).__name__}).") from None
    return copy


def _schema_of_strings(columns: Sequence[str]) -> "pa.Schema":
    import pyarrow as pa

    return pa.schema([(column, pa.string()) for column in columns])
