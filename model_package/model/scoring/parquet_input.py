"""Parquet that is scored: its columns, its spans, and the rows of a span."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from model.data.ingest.columns import find_text_columns, join_cells
from model.data.ingest.kinds import Kind
from model.data.ingest.parquet_files import opened_parquet
from model.scoring.rows import BATCH_ROWS, NO_STRING, NO_TEXT, ArrowRows, Batch, Rejected
from model.scoring.spans import SPAN_ROWS, Span

if TYPE_CHECKING:
    import pyarrow as pa


def open_parquet(path: Path, location: str, text: str) -> "ParquetInput":
    """Return the table of a file. Raises DataError if it is damaged or lacks the columns of texts."""
    with opened_parquet(str(path)) as file:
        names: Sequence[str] = file.schema_arrow.names
    return ParquetInput(path, location, names, find_text_columns(text, names))


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
            Rejected(first + i, NO_TEXT if None in row else NO_STRING, content.show(i))
            for i, row in enumerate(values)
            if not all(isinstance(value, str) for value in row)
        ]
        kept = content if len(good) == len(values) else content.select(good)
        return Batch([first + i for i in good], [join_cells(values[i]) for i in good], kept, rejected)
