"""The kinds of files that scored rows are written to: as parts, which are joined into one."""

import codecs
import csv
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from io import BytesIO, StringIO
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from model.errors import DataError
from model.scoring.delimited_input import DelimitedInput
from model.scoring.inputs import Input
from model.scoring.rows import Content, Rejected, to_json

if TYPE_CHECKING:
    import pyarrow as pa

Answers = Sequence[Sequence[str | float | None]]
"""The added cells of each row: labels, probabilities, why no label should be believed."""

REJECTED_HEADER = ("row", "reason", "record")
_DELIMITED = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
_JSON_LINES = {".ndjson", ".jsonl"}
_PARQUET = {".parquet"}


class Output(Protocol):
    """A format: rows to the bytes of a part, and parts to a file."""

    def encode(self, content: Content, answers: Answers) -> bytes:
        """Return rows with their added cells as bytes; those of several calls may follow each other in a part."""

    def finish(self, pieces: Sequence[bytes]) -> bytes:
        """Return a part of what `encode` gave."""

    def join(self, parts: Sequence[Path], path: Path) -> None:
        """Write one file of the rows of all parts. Raises OSError."""


def make_output(name: str, table: Input, added: Sequence[str]) -> Output:
    """Return the format that the suffix of a name stands for.

    Raises:
        DataError: the suffix is of no known format, or columns that must differ are called alike.
    """
    suffix, columns = check_suffix(name), list(table.columns)
    if suffix in _DELIMITED:
        return _make_delimited(suffix, table, (*columns, *added))
    if repeated := {column for column in columns if columns.count(column) > 1}:
        raise DataError(f"Several columns are called {min(repeated)!r:.60}: rename all but one, or write a CSV file.")
    return JsonLinesOutput(tuple(added)) if suffix in _JSON_LINES else ParquetOutput(tuple(added), table.schema())


def _make_delimited(suffix: str, table: Input, header: Sequence[str]) -> "DelimitedOutput":
    """Return CSV with the delimiter of the input, if that was no tab, or TSV."""
    if not isinstance(table, DelimitedInput):
        return DelimitedOutput(_DELIMITED[suffix], header)
    is_tabbed = "\t" in {_DELIMITED[suffix], table.dialect.delimiter}
    return DelimitedOutput(_DELIMITED[suffix] if is_tabbed else table.dialect.delimiter, header, table.has_mark)


def check_suffix(name: str) -> str:
    """Return the suffix of a file's name. Raises DataError if it is of no known format."""
    suffix = Path(name).suffix.lower()
    known = (*_DELIMITED, *sorted(_JSON_LINES), *_PARQUET)
    if suffix not in known:
        raise DataError(f"The output's name must end with {', '.join(known[:-1])} or {known[-1]}.")
    return suffix


def keeps_keys(name: str) -> bool:
    """Tell whether a format can hold objects of different keys."""
    return check_suffix(name) in _JSON_LINES


@dataclass(frozen=True)
class DelimitedOutput:
    """CSV or TSV, in UTF-8."""

    delimiter: str
    header: Sequence[str]
    has_mark: bool = False
    """Whether it begins with a byte order mark."""

    def encode(self, content: Content, answers: Answers) -> bytes:
        """Return the rows as lines."""
        rows = [[*cells, *added] for cells, added in zip(content.cells(), answers, strict=True)]
        return _write_rows(rows, self.delimiter)

    def finish(self, pieces: Sequence[bytes]) -> bytes:
        """Return the lines of all."""
        return b"".join(pieces)

    def join(self, parts: Sequence[Path], path: Path) -> None:
        """Write the header and the parts behind it."""
        mark = codecs.BOM_UTF8 if self.has_mark else b""
        _concatenate(mark + _write_rows([self.header], self.delimiter), parts, path)


@dataclass(frozen=True)
class JsonLinesOutput:
    """NDJSON."""

    added: Sequence[str]

    def encode(self, content: Content, answers: Answers) -> bytes:
        """Return the rows as lines."""
        rows = zip(content.objects(), answers, strict=True)
        lines = [_to_json(row | dict(zip(self.added, added, strict=True))) for row, added in rows]
        return "".join(lines).encode()

    def finish(self, pieces: Sequence[bytes]) -> bytes:
        """Return the lines of all."""
        return b"".join(pieces)

    def join(self, parts: Sequence[Path], path: Path) -> None:
        """Write the parts one behind the other."""
        _concatenate(b"", parts, path)


@dataclass(frozen=True)
class ParquetOutput:
    """Parquet, a row group a part."""

    added: Sequence[str]
    schema: "pa.Schema"

    def encode(self, content: Content, answers: Answers) -> bytes:
        """Return the rows as an Arrow stream."""
        import pyarrow as pa

        table, schema = content.arrow(), self._full_schema()
        columns = list(zip(*answers, strict=True)) or [()] * len(self.added)
        for name, values in zip(self.added, columns, strict=True):
            table = table.append_column(name, pa.array(values, schema.field(name).type))
        sink = BytesIO()
        with pa.ipc.new_stream(sink, schema) as stream:
            stream.write_table(table.cast(schema))
        return sink.getvalue()

    def finish(self, pieces: Sequence[bytes]) -> bytes:
        """Return a Parquet file."""
        import pyarrow as pa
        from pyarrow import parquet

        schema = self._full_schema()
        tables = [pa.ipc.open_stream(piece).read_all() for piece in pieces]
        sink = BytesIO()
        parquet.write_table(pa.concat_tables([schema.empty_table(), *tables]), sink)
        return sink.getvalue()

    def join(self, parts: Sequence[Path], path: Path) -> None:
        """Write the rows of all parts."""
        from pyarrow import parquet

        with parquet.ParquetWriter(path, self._full_schema()) as writer:
            for part in parts:
                writer.write_table(parquet.read_table(part, schema=self._full_schema()))

    def _full_schema(self) -> "pa.Schema":
        import pyarrow as pa

        schema = self.schema
        for name in self.added:
            schema = schema.append(pa.field(name, pa.float64() if name.startswith("probability_") else pa.string()))
        return schema


def encode_rejected(rows: Sequence[Rejected]) -> bytes:
    """Return refused rows as lines of CSV."""
    return _write_rows(rows, ",")


def join_rejected(parts: Sequence[Path], path: Path) -> None:
    """Write the refused rows of all parts into one CSV file. Raises OSError."""
    _concatenate(_write_rows([REJECTED_HEADER], ","), parts, path)


def _write_rows(rows: Sequence[Sequence[object]], delimiter: str) -> bytes:
    text = StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\n").writerows(rows)
    return text.getvalue().encode()


def _to_json(row: dict[str, object]) -> str:
    return to_json(row) + "\n"


def _concatenate(head: bytes, parts: Sequence[Path], path: Path) -> None:
    with path.open("wb") as target:
        target.write(head)
        for part in parts:
            with part.open("rb") as source:
                shutil.copyfileobj(source, target, 2**20)
