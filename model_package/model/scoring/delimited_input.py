"""Delimited text that is scored: its dialect, its spans, and the rows of a span."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from model.data.ingest.columns import join_cells
from model.data.ingest.dialects import Dialect
from model.data.ingest.kinds import Kind
from model.data.ingest.records import Record, Records, parse_record
from model.scoring.rows import BATCH_ROWS, BLANK, Batch, DelimitedRows, Rejected, describe_loss, schema_of_strings
from model.scoring.spans import Span, cut_text, read_span

if TYPE_CHECKING:
    import pyarrow as pa

_DELIMITER_NAMES = {"\t": "tab", " ": "space"}


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
        records = self._rows(Records(self.dialect.delimiter).feed(read_span(self.location, span), last=True), span)
        while batch := list(islice(records, BATCH_ROWS)):
            yield self._read_batch(batch)

    def schema(self) -> "pa.Schema":
        """Return strings."""
        return schema_of_strings(self.columns)

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


def _find_loss(record: Record) -> str:
    return BLANK if record.is_blank else describe_loss(record.text)
