"""Lines of delimited text to whole records, as they come: a quoted cell may span lines."""

import csv
import re
from collections import deque
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from model.data.ingest.text import MAX_LINE

Line = tuple[int, str]
TOO_LONG = "a line that is too long"
UNCLOSED = "a quote that is not closed"
_NO_CSV = "a carriage return outside quotes"
_MAX_RECORD_LINES = 100
_CLOSING_QUOTE = re.compile(r'(?:[^"]|"")*+"')  # possessive: of two quotes the first closes nothing


class Record(NamedTuple):
    """A record as it stands in the file and the number of its first line; or why it cannot be read."""

    number: int
    text: str
    problem: str = ""

    @property
    def is_blank(self) -> bool:
        """Whether it is an empty line."""
        return self.text in {"", "\r"}


class Records:
    """Joins the lines of each record.

    A quote that stays open for more than a hundred lines, for more than 65,536 characters or to the end, or that a
    later line closes in the middle of a cell, spoils its first line alone: those behind it are read as if they came
    first.
    """

    def __init__(self, delimiter: str) -> None:
        self._cell_ends = (delimiter, "\r")
        self._opening_quote = f'{delimiter}"'
        self._open: deque[Line] = deque()  # the first line opens a quote that none of the others closes
        self._size = 0

    @property
    def is_between(self) -> bool:
        """Whether no record has begun that may not be complete."""
        return not self._open

    def feed(self, lines: Iterable[Line], *, last: bool) -> Iterator[Record]:
        """Yield the records that lines complete; blank lines are records too."""
        for line in lines:
            if self._open:
                yield from self._continue(line)
            elif '"' in line[1] and self._ends_inside_quotes(line[1], inside=False):
                self._open.append(line)
                self._size = len(line[1])
            else:
                yield _whole(line)
        while last and self._open:
            yield from self._give_up()

    def _continue(self, line: Line) -> Iterator[Record]:
        closes = not self._ends_inside_quotes(line[1], inside=True)
        self._open.append(line)
        self._size += 1 + len(line[1])
        while self._is_beyond_bounds() or (len(self._open) > 1 and self._closes_within_cell(line[1])):
            yield from self._give_up()
        if closes and len(self._open) > 1:
            yield Record(self._open[0][0], "\n".join(text for _, text in self._open))
            self._open.clear()

    def _is_beyond_bounds(self) -> bool:
        return self._size > MAX_LINE or len(self._open) > _MAX_RECORD_LINES

    def _closes_within_cell(self, line: str) -> bool:
        """Tell whether a line that begins inside a quoted cell ends it in front of something else than a cell's end."""
        closing = _CLOSING_QUOTE.match(line)
        return closing is not None and closing.end() < len(line) and line[closing.end()] not in self._cell_ends

    def _give_up(self) -> Iterator[Record]:
        """Yield the first line as broken, and those behind it up to the next that opens a quote.

        What is left then stays inside that quote, as it stayed inside the one before.
        """
        number, text = self._drop_first()
        yield Record(number, text, TOO_LONG if len(text) > MAX_LINE else UNCLOSED)
        while self._open and not self._ends_inside_quotes(self._open[0][1], inside=False):
            yield _whole(self._drop_first())

    def _drop_first(self) -> Line:
        line = self._open.popleft()
        self._size -= 1 + len(line[1])
        return line

    def _ends_inside_quotes(self, line: str, *, inside: bool) -> bool:
        """Tell whether a line that begins inside a quoted cell, or not, ends inside one."""
        if '"' not in line:
            return inside
        at = 0
        if not inside and line.startswith('"'):
            at, inside = 1, True
        while True:
            if inside:
                closing = _CLOSING_QUOTE.match(line, at)
                if not closing:
                    return True
                at = closing.end()
            at = line.find(self._opening_quote, at)  # elsewhere a quote is a character
            if at < 0:
                return False
            at, inside = at + len(self._opening_quote), True


def _whole(line: Line) -> Record:
    return Record(*line, TOO_LONG if len(line[1]) > MAX_LINE else "")


def parse_record(record: Record, delimiter: str) -> tuple[list[str], str]:
    """Return the cells of a record, as far as there are any, and why it cannot be taken as it is."""
    if record.problem == TOO_LONG:
        return [], TOO_LONG
    try:
        return next(csv.reader((record.text,), delimiter=delimiter), []), record.problem
    except csv.Error:
        return [], record.problem or _NO_CSV
