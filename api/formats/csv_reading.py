"""CSV as it arrives to rows: the header decides how they are read, and what is broken is told by its line."""

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import NamedTuple

from api.errors import FieldError
from api.formats.lines import TextLines, is_decoded, mend
from model.data.ingest.columns import ColumnError, Wanted, describe_columns, find_text_columns, is_header, join_cells
from model.data.ingest.dialects import DELIMITERS, WRONG_WIDTH, Dialect, detect_dialect, find_declaration
from model.data.ingest.kinds import describe_binary, describe_refusal
from model.data.ingest.records import TOO_LONG, Line, Record, Records, parse_record
from model.data.ingest.text import MAX_LINE
from model.errors import DataError

MAX_COLUMNS = 256
"""Of a file: its broken rows get as many cells, and are as short as a client likes."""
_BLANK = ("", "\r")
_IF_SINGLE = "its first line must be the name of that column, `name` or what the parameter `column` says."
_IF_DATA = "put a line in front that names them."
_DECLARE = "save it as UTF-8, or declare its charset, as in text/csv; charset=windows-1252."


class Row(NamedTuple):
    """The cells of a row, and why its name cannot be answered."""

    cells: list[str]
    refusal: str = ""


class RowReader:
    """Bytes of a file to its rows, once its header has said how they are written."""

    def __init__(self, column: str, delimiter: str | None, charset: str) -> None:
        self.lines = TextLines(charset)
        self.dialect: Dialect | None = None
        self._wanted = Wanted(partial(find_text_columns, column), _IF_SINGLE, _IF_DATA)
        self._delimiters = (delimiter,) if delimiter else DELIMITERS
        self._waiting: list[Line] = []  # until the header is complete
        self._records = Records(",")
        self._blanks: tuple[int, int] | None = None  # first and last line of those that nothing has followed yet

    @property
    def width(self) -> int:
        """How many cells a row has."""
        return self.dialect.width if self.dialect else 0

    def text(self, cells: Sequence[str]) -> str:
        """Return the name in a row."""
        assert self.dialect is not None
        return join_cells([cells[place] for place in self.dialect.places])

    def feed(self, chunk: bytes, *, last: bool) -> Iterator[Row]:
        """Return an iterator over the rows that a chunk completes, with the header read if it is there.

        Raises:
            FieldError: the file is no table, or its header cannot be used.
        """
        head = self.lines.take_head(chunk, last=last)
        if head is not None:
            _check_kind(head)
        lines = self.lines.feed(chunk, last=last)
        if self.dialect is None:
            lines = self._read_header(lines, last=last)
        return self._rows(lines, self.dialect, last=last) if self.dialect else iter(())

    def _read_header(self, lines: Sequence[Line], *, last: bool) -> Sequence[Line]:
        """Find the dialect once the header is complete, and return the lines behind it."""
        self._waiting += lines if self._waiting else _drop_blanks(lines)
        header, declaration = self._waiting, self._waiting[:1]
        if declaration and (declared := find_declaration(declaration[0][1])):
            header, self._delimiters = [*_drop_blanks(self._waiting[1:])], (declared,)
        else:
            declaration = []
        if last and not header:
            raise FieldError("body", "The file is empty; its first row must name the columns.")
        firsts = {delimiter: _first_record(header, delimiter, last=last) for delimiter in self._delimiters}
        if None in firsts.values():
            return []
        n_lines = {delimiter: record.text.count("\n") + 1 for delimiter, record in firsts.items() if record}
        self._check_header([record for record in firsts.values() if record])
        sample = [*declaration, *header[: max(n_lines.values())]]
        self.dialect = self._find_dialect(sample, [*declaration, *header])
        self._waiting = []
        self._records = Records(self.dialect.delimiter)
        return header[n_lines[self.dialect.delimiter] :]

    def _check_header(self, records: Sequence[Record]) -> None:
        """Raise FieldError if what may be the header, under each delimiter, cannot be read."""
        if not is_decoded(records[0].text, self.lines.charset):
            raise FieldError("body", f"The first row is not {_charset_name(self.lines.charset)}: {_DECLARE}")
        problems = [
            parse_record(record, delimiter)[1] for record, delimiter in zip(records, self._delimiters, strict=True)
        ]
        if all(problems):
            detail = _describe(records[0].number, problems[0])
            raise FieldError("body", f"The first row must name the columns. {detail}")

    def _find_dialect(self, sample: Sequence[Line], all_lines: Sequence[Line]) -> Dialect:
        """Return the dialect that the header alone decides, so that it does not depend on how the file arrives."""
        detect = partial(detect_dialect, wanted=self._wanted, delimiters=self._delimiters)
        try:
            dialect = detect(sample)
        except DataError:
            dialect = _explain(partial(detect, all_lines))
        if dialect.width > MAX_COLUMNS:
            raise FieldError("body", f"The first row may name at most {MAX_COLUMNS} columns.")
        return dialect

    def _rows(self, lines: Iterable[Line], dialect: Dialect, *, last: bool) -> Iterator[Row]:
        for record in self._feed_records(lines, last=last):
            if record.is_blank:
                self._note_blank(record.number)
                continue
            if self._blanks:
                yield self._take_blanks()
            yield self._row(record, dialect)

    def _feed_records(self, lines: Iterable[Line], *, last: bool) -> Iterator[Record]:
        for line in lines:
            if line[1] in _BLANK and self._records.is_between:  # first, for a file may hold nothing else
                self._note_blank(line[0])
            else:
                yield from self._records.feed((line,), last=False)
        if last:
            yield from self._records.feed((), last=True)

    def _note_blank(self, number: int) -> None:
        self._blanks = (self._blanks[0] if self._blanks else number, number)

    def _take_blanks(self) -> Row:
        assert self._blanks is not None
        (first, last), self._blanks = self._blanks, None
        return Row([], f"Line {first} is blank." if first == last else f"Lines {first} to {last} are blank.")

    def _row(self, record: Record, dialect: Dialect) -> Row:
        """Return the cells of a record, and why its name cannot be answered."""
        cells, problem = parse_record(record, dialect.delimiter)
        cells = dialect.fit(cells)
        if not is_decoded(record.text, self.lines.charset):
            name = _charset_name(self.lines.charset)
            return Row([mend(cell) for cell in cells], f"Line {record.number} is not {name}.")
        if problem := problem or dialect.find_problem(cells):
            if problem == WRONG_WIDTH:
                return Row(cells, f"Line {record.number} has {len(cells)} cells, the first row {dialect.width}.")
            return Row(cells, _describe(record.number, problem))
        return Row(cells)


def _check_kind(head: bytes) -> None:
    """Raise FieldError if a file is no table in text by its first line."""
    if not head:
        return
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n")
    if text.rstrip() in {b"[", b"{"}:
        raise FieldError("body", "The file is JSON over several lines: send one object a line to /v1/predict/stream.")
    if head.strip() and (refusal := describe_refusal(head) or describe_binary(head)):
        raise FieldError("body", f"The file {refusal}.")
    if text.startswith(b"{"):
        raise FieldError("body", "The file is NDJSON: send it to /v1/predict/stream.")


def _explain(detect: partial[Dialect]) -> Dialect:
    """Return the dialect after all, or raise FieldError with what is wrong with the header."""
    try:
        return detect()
    except ColumnError as error:
        raise FieldError("column", f"{error.problem}{_list_columns(error.columns)}") from None
    except DataError as error:
        raise FieldError("body", str(error)) from None


def _list_columns(columns: Sequence[str]) -> str:
    """Return a sentence about the columns, which lists them if they are surely no names of people."""
    if not columns:
        return ""
    if not is_header(columns):
        return f" The first row has {len(columns)} cells; they must be the names of the columns."
    return f" The columns are: {describe_columns(columns)}."


def _first_record(lines: Sequence[Line], delimiter: str, *, last: bool) -> Record | None:
    return next(Records(delimiter).feed(lines, last=last), None)


def _drop_blanks(lines: Sequence[Line]) -> Sequence[Line]:
    start = next((i for i, (_, text) in enumerate(lines) if text not in _BLANK), len(lines))
    return lines[start:]


def _describe(number: int, problem: str) -> str:
    if problem == TOO_LONG:
        return f"A line may have at most {MAX_LINE} characters: line {number} has more."
    return f"Line {number} holds {problem}."


def _charset_name(charset: str) -> str:
    return charset.removesuffix("-sig").upper()
