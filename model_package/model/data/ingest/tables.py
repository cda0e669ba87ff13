"""A table to rows of text and label: delimited text, NDJSON, Parquet."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

from model.data.ingest.columns import Wanted, find_columns
from model.data.ingest.dialects import Dialect, detect_dialect
from model.data.ingest.kinds import Kind
from model.data.ingest.parquet_files import opened_parquet
from model.data.ingest.records import TOO_LONG, Record, Records, parse_record
from model.data.ingest.text import MAX_LINE, detect_encoding, read_lines

_BATCH_ROWS = 2**16
_MISSING = "no text or label"
_NO_TEXT = "a text or label that is no string"


class Row(NamedTuple):
    """One example as it stands in a source: where, its text and label, or why it cannot be read."""

    place: str
    text: str
    label: str
    problem: str = ""


@dataclass(frozen=True)
class Columns:
    """Which columns to take, by name or number, and what is known of the file beforehand."""

    text: str = "name"
    label: str = "label"
    has_header: bool = True
    encoding: str | None = None


@dataclass(frozen=True)
class Table:
    """The rows of a file, to be read once, and how the file was read."""

    rows: Iterator[Row]
    encoding: str | None = None
    delimiter: str | None = None


def open_table(path: Path, kind: Kind, columns: Columns) -> Table:
    """Return the rows of a file.

    Raises:
        DataError: it lacks the columns, or is damaged; reading the rows may raise it too.
    """
    if kind is Kind.PARQUET:
        return Table(_read_parquet(path, columns))
    encoding = columns.encoding or detect_encoding(path)
    if kind is Kind.NDJSON:
        return Table(_read_ndjson(path, encoding, columns), encoding)
    lines = read_lines(path, encoding)
    dialect = detect_dialect(lines, _wanted(columns), has_header=columns.has_header)
    return Table(_read_delimited(path, encoding, dialect), encoding, dialect.delimiter)


def _wanted(columns: Columns) -> Wanted:
    return Wanted(
        partial(find_columns, columns.text, columns.label),
        "it needs a column of texts and one of labels, named by its first line; "
        "lists without labels go into a folder, one <Label>.txt a label.",
        "add a header, or give the numbers of the columns with --no-header, as in --no-header --text 1 --label 2.",
    )


def _read_delimited(path: Path, encoding: str, dialect: Dialect) -> Iterator[Row]:
    records = Records(dialect.delimiter).feed(read_lines(path, encoding), last=True)
    filled = (record for record in records if record.problem or record.text.strip())
    for record in islice(filled, dialect.n_skipped, None):
        yield _row_of_record(record, dialect)


def _row_of_record(record: Record, dialect: Dialect) -> Row:
    place = str(record.number)
    cells, problem = parse_record(record, dialect.delimiter)
    cells = dialect.fit(cells)
    if problem:
        return Row(place, "", "", problem)
    if len(cells) <= max(dialect.places):
        return Row(place, "", "", _MISSING)
    if problem := dialect.find_problem(cells):
        return Row(place, "", "", problem)
    text, label = (cells[i] for i in dialect.places)
    return Row(place, text, label)


def _read_ndjson(path: Path, encoding: str, columns: Columns) -> Iterator[Row]:
    keys: tuple[str, str] | None = None
    for number, line in read_lines(path, encoding):
        if not line.strip():
            continue
        document = _parse_object(line)
        if isinstance(document, str):
            yield Row(str(number), "", "", document)
            continue
        keys = keys or _find_keys(document, columns)
        yield _row_of_cells(str(number), document.get(keys[0]), document.get(keys[1]))


def _parse_object(line: str) -> dict[str, Any] | str:
    """Return a JSON object, or why it is none."""
    if len(line) > MAX_LINE:
        return TOO_LONG
    try:
        document = json.loads(line)
    except (ValueError, RecursionError):
        return "a line that is not JSON"
    return document if isinstance(document, dict) else "a line that is no JSON object"


def _find_keys(document: dict[str, Any], columns: Columns) -> tuple[str, str]:
    keys = list(document)
    text, label = find_columns(columns.text, columns.label, keys)
    return keys[text], keys[label]


def _row_of_cells(place: str, text: object, label: object) -> Row:
    if text is None or label is None:
        return Row(place, "", "", _MISSING)
    if not (isinstance(text, str) and isinstance(label, str)):
        return Row(place, "", "", _NO_TEXT)
    return Row(place, text, label)


def _read_parquet(path: Path, columns: Columns) -> Iterator[Row]:
    with opened_parquet(str(path)) as file:
        names: Sequence[str] = file.schema_arrow.names
        wanted = [names[i] for i in find_columns(columns.text, columns.label, names)]
        number = 0
        for batch in file.iter_batches(_BATCH_ROWS, columns=wanted):
            for text, label in zip(*(batch.column(name).to_pylist() for name in wanted), strict=True):
                number += 1
                yield _row_of_cells(str(number), text, label)
