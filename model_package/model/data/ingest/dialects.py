"""Delimited text to records, and the delimiter found out from the first of them."""

import csv
import re
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

from model.data.ingest.columns import ColumnError, find_columns
from model.data.ingest.text import MAX_LINE
from model.errors import DataError

Line = tuple[int, str]
DELIMITERS = (",", ";", "\t", "|")
TOO_LONG = "a line that is too long"
_SAMPLE_LINES = 200
_MAX_RECORD_LINES = 100
_DECLARATION = re.compile(r'"?sep=(.)"?', re.IGNORECASE)
_CLOSING_QUOTE = re.compile(r'(?:[^"]|"")*+"')  # possessive: of two quotes the first closes nothing


@dataclass(frozen=True)
class Record:
    """The cells of a row and the number of its first line; without cells, why it cannot be read."""

    number: int
    cells: list[str]
    problem: str = ""


@dataclass(frozen=True)
class Dialect:
    """How a file separates its cells, and which of them matter."""

    delimiter: str
    header: tuple[str, ...] | None
    text: int
    label: int
    is_declared: bool  # by a first line such as sep=;

    @property
    def n_skipped(self) -> int:
        """How many records come before the data."""
        return self.is_declared + (self.header is not None)


def detect_dialect(lines: Iterable[Line], text: str, label: str, *, has_header: bool) -> Dialect:
    """Return the dialect in which the first lines have both columns, given by name or by number from 1.

    Raises:
        ColumnError: no dialect has them; the sentence lists the columns unless they may be somebody's name.
        DataError: the file has no lines, or no header and the columns are not given by number.
    """
    sample = [line for line in islice(lines, _SAMPLE_LINES) if line[1].strip()]
    declared = _DECLARATION.fullmatch(sample[0][1].strip()) if sample else None
    rows_by_delimiter = {
        delimiter: _cells(sample[1:] if declared else sample, delimiter)
        for delimiter in ((declared[1],) if declared else DELIMITERS)
    }
    likely = max(rows_by_delimiter, key=lambda delimiter: _consistency(rows_by_delimiter[delimiter]))
    if not rows_by_delimiter[likely]:
        raise DataError("The file has no rows.")
    if not has_header:
        columns = [str(i + 1) for i in range(_common_width(rows_by_delimiter[likely]))]
        return Dialect(likely, None, *_find_numbers(text, label, columns), bool(declared))
    problems = {}
    for delimiter in (likely, *rows_by_delimiter):
        header = rows_by_delimiter[delimiter][0]
        try:
            return Dialect(delimiter, tuple(header), *find_columns(text, label, header), bool(declared))
        except ColumnError as error:
            problems[delimiter] = error
    raise _explain(problems[likely], rows_by_delimiter[likely])


def read_records(lines: Iterable[Line], delimiter: str) -> Iterator[Record]:
    """Yield the records of lines; a quoted cell may span lines, and blank lines are none.

    A quote that stays open for more than a hundred lines, or to the end, spoils its first line alone.
    """
    pending: deque[Line] = deque()
    rest = iter(lines)
    while (line := pending.popleft() if pending else next(rest, None)) is not None:
        number, text = line
        followers: list[Line] = []
        while _is_open(text, delimiter) and len(followers) < _MAX_RECORD_LINES and len(text) <= MAX_LINE:
            follower = pending.popleft() if pending else next(rest, None)
            if follower is None:
                break
            followers.append(follower)
            text += "\n" + follower[1]
        if len(line[1]) > MAX_LINE:
            yield Record(number, [], TOO_LONG)
        elif _is_open(text, delimiter) or len(text) > MAX_LINE:
            pending.extendleft(reversed(followers))
            yield Record(number, [], "a quote that is not closed")
        elif text.strip():
            yield _parse(number, text, delimiter)


def _parse(number: int, text: str, delimiter: str) -> Record:
    try:
        return Record(number, next(csv.reader((text,), delimiter=delimiter)))
    except csv.Error:
        return Record(number, [], "a line that is not CSV")


def _is_open(text: str, delimiter: str) -> bool:
    """Tell whether a record ends inside a quoted cell; only at the beginning of a cell is a quote one."""
    if '"' not in text or len(text) > MAX_LINE:
        return False
    at = 0
    while at >= 0:
        if text.startswith('"', at):
            closing = _CLOSING_QUOTE.match(text, at + 1)
            if not closing:
                return True
            at = closing.end()
        at = text.find(delimiter, at)
        at += at >= 0
    return False


def _cells(lines: Sequence[Line], delimiter: str) -> list[list[str]]:
    return [record.cells for record in read_records(lines, delimiter) if record.cells]


def _common_width(rows: Sequence[Sequence[str]]) -> int:
    return Counter(map(len, rows)).most_common(1)[0][0]


def _consistency(rows: Sequence[Sequence[str]]) -> tuple[float, int]:
    """Return the share of rows that have as many cells as most, if these are several, and how many cells that is."""
    if not rows or (width := _common_width(rows)) < 2:
        return 0.0, 0
    return sum(len(row) == width for row in rows) / len(rows), width


def _find_numbers(text: str, label: str, columns: Sequence[str]) -> tuple[int, int]:
    if not (text in columns and label in columns):
        raise DataError(
            f"Without a header, --text and --label are numbers of columns, from 1 to {len(columns)} in this file."
        )
    return find_columns(text, label, columns)


def _explain(problem: ColumnError, rows: Sequence[Sequence[str]]) -> DataError:
    """Return the error of a header without the columns; if it is data, without what it holds."""
    header, others = rows[0], rows[1:]
    seen = [{row[i] for row in others if i < len(row)} for i in range(len(header))]
    if len(header) == 1:
        return DataError(
            "The file has one column only: it needs a column of texts and one of labels, named by its first line; "
            "lists without labels go into a folder, one <Label>.txt a label."
        )
    if any(cell.strip() and (cell in values or cell.isdecimal()) for cell, values in zip(header, seen, strict=True)):
        return DataError(
            f"The first line seems to hold data, not the names of its {len(header)} columns: add a header, or give "
            "the numbers of the columns with --no-header, as in --no-header --text 1 --label 2."
        )
    return problem
