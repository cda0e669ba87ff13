"""Delimited text to records, and the delimiter found out from the first of them."""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from model.data.ingest.columns import ColumnError, Wanted
from model.data.ingest.records import Line, Records, parse_record
from model.errors import DataError

DELIMITERS = (",", ";", "\t", "|")
WRONG_WIDTH = "more or fewer cells than the first line"
REPEATED_HEADER = "the header again"
_SAMPLE_LINES = 200
_DECLARATION = re.compile(r'"?sep=(.)"?', re.IGNORECASE)


@dataclass(frozen=True)
class Dialect:
    """How a file separates its cells, how many a row has, and the places of those that matter."""

    delimiter: str
    header: tuple[str, ...] | None
    width: int
    places: tuple[int, ...]
    is_declared: bool  # by a first line such as sep=;

    @property
    def n_skipped(self) -> int:
        """How many records come before the data."""
        return self.is_declared + (self.header is not None)

    def fit(self, cells: list[str]) -> list[str]:
        """Return cells without empty ones beyond the width."""
        return cells[: self.width] if len(cells) > self.width and not any(cells[self.width :]) else cells

    def find_problem(self, cells: Sequence[str]) -> str:
        """Return what is wrong with the cells of a row, or nothing."""
        if len(cells) != self.width:
            return WRONG_WIDTH
        return REPEATED_HEADER if tuple(cells) == self.header else ""


def find_declaration(line: str) -> str | None:
    """Return the delimiter that a first line such as sep=; declares."""
    declared = _DECLARATION.fullmatch(line.strip("\r"))
    return declared[1] if declared else None


def detect_dialect(
    lines: Iterable[Line], wanted: Wanted, *, has_header: bool = True, delimiters: Sequence[str] = DELIMITERS
) -> Dialect:
    """Return the dialect in which the first lines have the columns, given by name or by number from 1.

    Raises:
        ColumnError: no dialect has them; the sentence lists the columns unless they may be somebody's name.
        DataError: the file has no lines, or no header and the columns are not given by number.
    """
    sample = [line for line in islice(lines, _SAMPLE_LINES) if line[1].strip()]
    declared = find_declaration(sample[0][1]) if sample else None
    rows_by_delimiter = {
        delimiter: _cells(sample[1:] if declared else sample, delimiter)
        for delimiter in ((declared,) if declared else delimiters)
    }
    likely = max(rows_by_delimiter, key=lambda delimiter: _consistency(rows_by_delimiter[delimiter]))
    if not rows_by_delimiter[likely]:
        raise DataError("The file has no rows.")
    if not has_header:
        width = _common_width(rows_by_delimiter[likely])
        return Dialect(likely, None, width, _find_numbers(wanted, width), bool(declared))
    found, problems = {}, {}
    for delimiter, (header, *_) in ((key, rows) for key, rows in rows_by_delimiter.items() if rows):
        try:
            found[delimiter] = Dialect(delimiter, tuple(header), len(header), wanted.find(header), bool(declared))
        except ColumnError as error:
            problems[delimiter] = error
    if not found:
        raise _explain(problems[likely], rows_by_delimiter[likely], wanted)
    return max(found.values(), key=lambda dialect: _fitness(dialect, rows_by_delimiter[dialect.delimiter]))


def _cells(lines: Sequence[Line], delimiter: str) -> list[list[str]]:
    records = Records(delimiter).feed(lines, last=True)
    parsed = (parse_record(record, delimiter) for record in records)
    return [cells for cells, problem in parsed if cells and not problem]


def _common_width(rows: Sequence[Sequence[str]]) -> int:
    return Counter(map(len, rows)).most_common(1)[0][0]


def _consistency(rows: Sequence[Sequence[str]]) -> tuple[float, int]:
    """Return the share of rows that have as many cells as most, if these are several, and how many cells that is."""
    if not rows or (width := _common_width(rows)) < 2:
        return 0.0, 0
    return sum(len(row) == width for row in rows) / len(rows), width


def _fitness(dialect: Dialect, rows: Sequence[Sequence[str]]) -> tuple[int, float, int]:
    """Return how many columns were found, the share of rows that are as wide as the header, and how wide that is."""
    return len(dialect.places), sum(len(row) == dialect.width for row in rows) / len(rows), dialect.width


def _find_numbers(wanted: Wanted, width: int) -> tuple[int, ...]:
    try:
        return wanted.find([str(i + 1) for i in range(width)])
    except ColumnError:
        raise DataError(f"Without a header, columns are given by numbers of columns, from 1 to {width}.") from None


def _explain(problem: ColumnError, rows: Sequence[Sequence[str]], wanted: Wanted) -> DataError:
    """Return the error of a header without the columns; if it is data, without what it holds."""
    header, others = rows[0], rows[1:]
    seen = [{row[i] for row in others if i < len(row)} for i in range(len(header))]
    if len(header) == 1:
        return DataError(f"The file has one column only: {wanted.if_single}")
    if any(cell.strip() and (cell in values or cell.isdecimal()) for cell, values in zip(header, seen, strict=True)):
        return DataError(
            f"The first line seems to hold data, not the names of its {len(header)} columns: {wanted.if_data}"
        )
    return problem
