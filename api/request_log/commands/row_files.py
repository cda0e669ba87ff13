"""Rows as a stream of CSV, or as a file of CSV or Parquet that is there once it is complete."""

import csv
import io
import json
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

import typer
from sqlalchemy import Connection, Executable

from api.request_log.errors import RequestLogError
from api.request_log.schema import COLUMNS
from api.request_log.tables import prediction_request

_FETCHED = 10_000
"""Rows in memory at once."""

_ANSWERED_AT = COLUMNS.index("answered_at")

Batches = Iterator[Sequence[Sequence[Any]]]
Writer = Callable[[BinaryIO, Batches], int]
"""Writes batches and returns how many rows there were."""


def export_rows(connection: Connection, query: Executable, output: Path | None, *, parquet: bool) -> None:
    """Write what a query on prediction_request finds to a file, or as CSV to standard output.

    Raises:
        RequestLogError: the file cannot be written, or pyarrow is missing.
    """
    write: Writer = _parquet_writer() if parquet else _write_csv
    options = {"stream_results": True, "yield_per": _FETCHED}
    with connection.execute(query, execution_options=options) as rows:
        batches = rows.partitions()
        if output is None:
            with _standard_output() as file:
                write(file, batches)
            return
        with replacing_file(output) as file:
            n_rows = write(file, batches)
    typer.echo(f"Wrote {n_rows} rows to {output}.", err=True)


@contextmanager
def replacing_file(path: Path) -> Iterator[BinaryIO]:
    """Yield a file, for its owner alone, that takes the place of another once it is complete.

    Raises:
        RequestLogError: it cannot be written, or a device or a pipe has that name, which would be lost.
    """
    path = path.resolve()  # what a link points at is replaced, not the link
    if path.exists() and not path.is_file():
        raise RequestLogError(f"{path} cannot be written: it is no regular file.")
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(temporary, "xb", opener=_open_private) as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        raise RequestLogError(f"{path} cannot be written: {error.strerror}.") from None
    finally:
        with suppress(OSError):
            temporary.unlink()


@contextmanager
def _standard_output() -> Iterator[BinaryIO]:
    try:
        yield sys.stdout.buffer
    except BrokenPipeError:  # whoever reads has seen enough: the command line ends quietly
        raise
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or the end would try, and complain, again
        raise RequestLogError(f"Standard output cannot be written: {error.strerror}.") from None


def _open_private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _write_csv(file: BinaryIO, batches: Batches) -> int:
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    n_rows = 0
    for rows in batches:
        writer.writerows(map(_to_text, rows))
        n_rows += len(rows)
    text.flush()
    text.detach()
    return n_rows


def _to_text(row: Sequence[Any]) -> list[Any]:
    values = list(row)
    values[_ANSWERED_AT] = _in_utc(values[_ANSWERED_AT]).isoformat()
    return values


def _in_utc(at: datetime) -> datetime:
    """Return a time in UTC, which SQLite's are without saying so."""
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _parquet_writer() -> Writer:
    try:
        import pyarrow as pa
        from pyarrow import parquet
    except ImportError:
        raise RequestLogError("Parquet needs pyarrow, which is not installed: run `pip install pyarrow`.") from None
    types = {
        "Integer": pa.int32(),
        "Float": pa.float64(),
        "DateTime": pa.timestamp("us", "UTC"),
        "labels": pa.list_(pa.string()),
        "log_probs": pa.list_(pa.float64()),
    }
    columns = prediction_request.columns
    fields = [(c.name, types.get(c.name) or types.get(type(c.type).__name__, pa.string())) for c in columns]
    schema = pa.schema(fields)

    def write(file: BinaryIO, batches: Batches) -> int:
        n_rows = 0
        with parquet.ParquetWriter(file, schema, compression="zstd") as writer:
            for rows in batches:
                writer.write_batch(pa.RecordBatch.from_pylist([_to_arrow(row) for row in rows], schema))
                n_rows += len(rows)
        return n_rows

    return write


def _to_arrow(row: Sequence[Any]) -> dict[str, Any]:
    values = dict(zip(COLUMNS, row, strict=True))
    options = None if values["options"] is None else json.dumps(values["options"], ensure_ascii=False)
    changed = {"id": str(values["id"]), "answered_at": _in_utc(values["answered_at"]), "options": options}
    return values | changed
