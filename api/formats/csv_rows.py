"""CSV to the same CSV with columns added, one row a row. Cells that are sent back are those of the client."""

import csv
from collections.abc import Iterator, Sequence
from io import StringIO
from itertools import islice
from math import exp

from api.classify.classifier import Options, classify_each
from api.classify.served_model import ServedModel
from api.formats.csv_reading import Row, RowReader
from api.formats.json_bodies import fill_up
from api.formats.streaming import BATCH, Piece
from api.observability.metrics import Metrics
from model.data.ingest.dialects import Dialect
from model.prediction import Prediction
from model.scoring.columns import added_columns

MEDIA_TYPE = "text/csv"
TSV_MEDIA_TYPE = "text/tab-separated-values"
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


class CsvAnswers:
    """Answers a file of rows by one model."""

    def __init__(
        self,
        served: ServedModel,
        metrics: Metrics,
        options: Options,
        *,
        column: str = "name",
        delimiter: str | None = None,
        charset: str = "utf-8",
        media_type: str = MEDIA_TYPE,
    ) -> None:
        self.media_type = media_type
        self._served = served
        self._metrics = metrics
        self.options = options
        self.version = served.version
        self._width = options.width(served)
        self._reader = RowReader(column, delimiter or ("\t" if media_type == TSV_MEDIA_TYPE else None), charset)
        self._unsent_header = b""
        self._n_answered = 0

    def declare_charset(self, charset: str) -> None:
        """Read the file in a charset that is known only now, before any of it is read."""
        self._reader.lines.charset = charset

    def read(self, chunk: bytes, *, last: bool) -> Iterator[Sequence[Row]]:
        """Yield an empty batch for the header line, then the rows that are complete; see `Answers`.

        Raises:
            FieldError: the file is no table, or its header is missing, broken or lacks the column of names.
        """
        had_header = self._reader.dialect is not None
        rows = self._reader.feed(chunk, last=last)
        if self._reader.dialect and not had_header:
            self._unsent_header = self._write_header(self._reader.dialect)
            yield []
        while batch := list(islice(rows, BATCH)):
            yield batch

    def answer(self, batch: Sequence[Row]) -> Piece:
        """Return the header if it has not been sent, and the answers to rows."""
        texts = [None if row.refusal else self._reader.text(row.cells) for row in batch]
        names = [text for text in texts if text is not None]
        predicted = iter(classify_each(self._served, self._metrics, names, self.options))
        outcomes = [row.refusal or next(predicted) for row in batch]
        written = self._write([self._row(row.cells, outcome) for row, outcome in zip(batch, outcomes, strict=True)])
        header, self._unsent_header = self._unsent_header, b""
        self._n_answered += len(batch)
        return Piece(header + written, texts, outcomes)

    def end_early(self, status: int, detail: str) -> bytes:
        """Return the last row of an answer that ends before its file does; it says how many rows have an answer."""
        del status
        return self._write([self._row([], f"{detail} Rows answered: {self._n_answered}.")])

    def _write_header(self, dialect: Dialect) -> bytes:
        header = dialect.header or ()
        mark = "\ufeff" if self._reader.lines.has_mark else ""
        declaration = f"sep={dialect.delimiter}\r\n" if dialect.is_declared else ""
        added = added_columns(self._width, header, "abstained", "error")
        return f"{mark}{declaration}".encode() + self._write([[*header, *added]])

    def _row(self, cells: list[str], outcome: Prediction | str) -> list[object]:
        """Return as many cells as the header has, and the added ones; Python writes a float so that it reads back."""
        kept = fill_up(cells[: self._reader.width], self._reader.width, "")
        if isinstance(outcome, str):
            return [*kept, *[""] * (2 * self._width + 1), outcome]
        shown = self.options.shown(outcome)
        probabilities: list[float | str] = [exp(log_prob) for log_prob in shown.log_probs]
        labels = fill_up(shown.labels, self._width, "")
        return [*kept, *labels, *fill_up(probabilities, self._width, ""), shown.abstained, ""]

    def _write(self, rows: Sequence[Sequence[object]]) -> bytes:
        text = StringIO()
        csv.writer(text, delimiter=self._reader.dialect.delimiter if self._reader.dialect else ",").writerows(rows)
        return text.getvalue().encode()
