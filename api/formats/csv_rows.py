"""CSV to the same CSV with columns added, one row a row. Cells that are sent back are those of the client."""

import csv
from collections.abc import Iterator, Sequence
from io import StringIO
from itertools import islice
from math import exp
from typing import NamedTuple

from api.classify.classifier import Options, classify_each
from api.classify.served_model import ServedModel
from api.errors import FieldError
from api.formats.json_bodies import fill_up
from api.formats.lines import MAX_RECORD_BYTES, Records
from api.formats.streaming import BATCH, Piece
from api.observability.metrics import Metrics
from model.prediction import Prediction

MEDIA_TYPE = "text/csv"
CHARSETS = (
    *("utf-8", "utf8", "us-ascii", "koi8-r", "koi8-u"),
    *(f"iso-8859-{part}" for part in (*range(1, 12), *range(13, 17))),
    *(f"windows-{page}" for page in range(1250, 1259)),
)
"""What a file may be written in: all agree with ASCII on line ends, quotes and delimiters. The answer is UTF-8."""
EXAMPLE = (
    "id,name\r\n7,Kowalska\r\n",
    "id,name,label_1,probability_1,abstained,error\r\n7,Kowalska,Polish,0.999,,\r\n",
)
"""A file, and its answer with top_k=1."""

MAX_COLUMNS = 256
"""Of a file: its broken rows get as many cells, and are as short as a client likes."""
_TOO_LONG = f"A row may have at most {MAX_RECORD_BYTES} bytes; a quote may have been left open."


class _Row(NamedTuple):
    cells: list[str]
    refusal: str = ""


class CsvAnswers:
    """Answers a file of rows by one model."""

    media_type = MEDIA_TYPE

    def __init__(
        self,
        served: ServedModel,
        metrics: Metrics,
        options: Options,
        *,
        column: str,
        delimiter: str,
        charset: str = "utf-8",
    ) -> None:
        self._served = served
        self._metrics = metrics
        self.options = options
        self.version = served.version
        self._column = column
        self._delimiter = delimiter
        self._charset = charset
        self._width = options.width(served)
        self._records = Records(delimiter)
        self._header: list[str] = []
        self._unsent_header = b""
        self._place = 0
        self._n_answered = 0

    def read(self, chunk: bytes, *, last: bool) -> Iterator[Sequence[_Row]]:
        """Yield an empty batch for the header line, then the rows that are complete; see `Answers`.

        Raises:
            FieldError: the header line is missing, broken or lacks the column of names.
        """
        rows = map(self._read, self._records.feed(chunk, last=last))
        if not self._header:
            first = next(rows, None)
            if first:
                self._take_header(first)
                yield []
            elif last:
                raise FieldError("body", "The file is empty; its first row must name the columns.")
        while batch := list(islice(rows, BATCH)):
            yield batch

    def answer(self, batch: Sequence[_Row]) -> Piece:
        """Return the header if it has not been sent, and the answers to rows."""
        rows = [self._check(row) for row in batch]
        names = [row.cells[self._place] for row in rows if not row.refusal]
        predicted = iter(classify_each(self._served, self._metrics, names, self.options))
        outcomes = [row.refusal or next(predicted) for row in rows]
        written = self._write([self._row(row.cells, outcome) for row, outcome in zip(rows, outcomes, strict=True)])
        header, self._unsent_header = self._unsent_header, b""
        self._n_answered += len(batch)
        all_names = [None if row.refusal else row.cells[self._place] for row in rows]
        return Piece(header + written, all_names, outcomes)

    def end_early(self, status: int, detail: str) -> bytes:
        """Return the last row of an answer that ends before its file does; it says how many rows have an answer."""
        del status
        return self._write([self._row([], f"{detail} Rows answered: {self._n_answered}.")])

    def _take_header(self, row: _Row) -> None:
        """Keep the header, and the one of the answer."""
        if row.refusal:
            raise FieldError("body", f"The first row must name the columns: {row.refusal}")
        if len(row.cells) > MAX_COLUMNS:
            raise FieldError("body", f"The first row may name at most {MAX_COLUMNS} columns.")
        if row.cells.count(self._column) != 1:
            raise FieldError("column", "The first row of the file must have one column of this name.")
        self._header = row.cells
        self._place = row.cells.index(self._column)
        ranks = range(1, self._width + 1)
        added = [f"label_{rank}" for rank in ranks] + [f"probability_{rank}" for rank in ranks]
        self._unsent_header = self._records.bom + self._write([[*row.cells, *added, "abstained", "error"]])

    def _check(self, row: _Row) -> _Row:
        if row.refusal or len(row.cells) == len(self._header):
            return row
        return _Row(row.cells, f"The row has {len(row.cells)} fields, the first row {len(self._header)}.")

    def _row(self, cells: list[str], outcome: Prediction | str) -> list[object]:
        """Return as many cells as the header has, and the added ones; Python writes a float so that it reads back."""
        kept = fill_up(cells[: len(self._header)], len(self._header), "")
        if isinstance(outcome, str):
            return [*kept, *[""] * (2 * self._width + 1), outcome]
        shown = self.options.shown(outcome)
        probabilities: list[float | str] = [exp(log_prob) for log_prob in shown.log_probs]
        labels = fill_up(shown.labels, self._width, "")
        return [*kept, *labels, *fill_up(probabilities, self._width, ""), shown.abstained, ""]

    def _write(self, rows: Sequence[Sequence[object]]) -> bytes:
        text = StringIO()
        csv.writer(text, delimiter=self._delimiter).writerows(rows)
        return text.getvalue().encode()

    def _read(self, record: bytes) -> _Row:
        """Return the row of a record; without cells if it cannot be read."""
        if len(record) > MAX_RECORD_BYTES:
            return _Row([], _TOO_LONG)
        refusal = ""
        try:
            text = record.decode(self._charset)
        except UnicodeDecodeError:
            text, refusal = record.decode(self._charset, "replace"), f"The row is not {self._charset.upper()}."
        try:
            return _Row(next(csv.reader((text,), delimiter=self._delimiter)), refusal)
        except csv.Error:
            return _Row([], "The row is not CSV: a carriage return stands in a field without quotes.")
