"""CSV to the same CSV with columns added, one row a row. Cells that are sent back are those of the client."""

import csv
from collections.abc import Iterator, Sequence
from io import StringIO
from itertools import islice
from typing import NamedTuple

from api.classify.answers import Options, describe
from api.classify.served_model import ServedModel
from api.formats.lines import MAX_RECORD_BYTES, Records
from api.formats.streaming import BATCH, predict_each
from api.observability.metrics import Metrics
from api.problems import FieldError
from model.constants import DEFAULT_TOP_K
from model.prediction import Prediction

MEDIA_TYPE = "text/csv"
EXAMPLE = (
    "id,name\r\n7,Kowalska\r\n",
    "id,name,label_1,probability_1,abstained,error\r\n7,Kowalska,Polish,0.999,,\r\n",
)
"""A file, and its answer with top_k=1."""

_TOO_LONG = f"A row may have at most {MAX_RECORD_BYTES} bytes; a quote may have been left open."


class _Row(NamedTuple):
    cells: list[str]
    refusal: str = ""


class CsvAnswers:
    """Answers a file of rows by one model."""

    media_type = MEDIA_TYPE

    def __init__(self, served: ServedModel, metrics: Metrics, options: Options, *, column: str, delimiter: str) -> None:
        self._served = served
        self._metrics = metrics
        self._options = options
        self._column = column
        self._delimiter = delimiter
        self._top_k = options.top_k or min(DEFAULT_TOP_K, len(served.predictor.labels))
        self._records = Records(delimiter)
        self._header: list[str] = []
        self._place = 0

    def feed(self, chunk: bytes, *, last: bool) -> Iterator[bytes]:
        """Yield the header line, then the answers of the rows that are complete; see `Answers`.

        Raises:
            FieldError: the header line is missing, broken or lacks the column of names.
        """
        records = map(self._read, self._records.feed(chunk, last=last))
        rows = (row for row in records if row.cells or row.refusal)
        if not self._header:
            first = next(rows, None)
            if first:
                yield self._take_header(first)
            elif last:
                raise FieldError("body", "The file is empty; its first row must name the columns.")
        while batch := list(islice(rows, BATCH)):
            yield self._answer(batch)

    def refuse(self, status: int, detail: str) -> bytes:
        """Return the last row of an answer that ends before its file does."""
        del status
        return self._write([self._row([], detail)])

    def _take_header(self, row: _Row) -> bytes:
        """Keep the header; return the one of the answer."""
        if row.refusal:
            raise FieldError("body", f"The first row must name the columns: {row.refusal}")
        if row.cells.count(self._column) != 1:
            raise FieldError("column", "The first row of the file must have one column of this name.")
        self._header = row.cells
        self._place = row.cells.index(self._column)
        ranks = range(1, self._top_k + 1)
        added = [f"label_{rank}" for rank in ranks] + [f"probability_{rank}" for rank in ranks]
        return (self._records.bom or b"") + self._write([[*row.cells, *added, "abstained", "error"]])

    def _answer(self, batch: Sequence[_Row]) -> bytes:
        rows = [self._check(row) for row in batch]
        names = [row.cells[self._place] for row in rows if not row.refusal]
        predicted = iter(predict_each(self._served, self._metrics, names, self._options))
        return self._write([self._row(row.cells, row.refusal or next(predicted)) for row in rows])

    def _check(self, row: _Row) -> _Row:
        if row.refusal or len(row.cells) == len(self._header):
            return row
        return _Row(row.cells, f"The row has {len(row.cells)} fields, the first row {len(self._header)}.")

    def _row(self, cells: list[str], outcome: Prediction | str) -> list[object]:
        """Return as many cells as the header has, and the added ones; Python writes a float so that it reads back."""
        width = len(self._header)
        kept = cells[:width] + [""] * (width - len(cells))
        if isinstance(outcome, str):
            return [*kept, *[""] * (2 * self._top_k + 1), outcome]
        shape = describe(outcome, abstain=self._options.abstain)
        labels, probabilities = shape["labels"], shape["probabilities"]
        missing = [""] * (self._top_k - len(labels))
        return [*kept, *labels, *missing, *probabilities, *missing, shape["abstained"], ""]

    def _write(self, rows: Sequence[Sequence[object]]) -> bytes:
        text = StringIO()
        csv.writer(text, delimiter=self._delimiter).writerows(rows)
        return text.getvalue().encode()

    def _read(self, record: bytes) -> _Row:
        """Return the row of a record; without cells if it is an empty line."""
        if len(record) > MAX_RECORD_BYTES:
            return _Row([], _TOO_LONG)
        refusal = ""
        try:
            text = record.decode()
        except UnicodeDecodeError:
            text, refusal = record.decode(errors="replace"), "The row is not UTF-8."
        try:
            return _Row(next(csv.reader((text,), delimiter=self._delimiter)), refusal)
        except csv.Error:
            return _Row([], "The row is not CSV: a carriage return stands in a field without quotes.")
