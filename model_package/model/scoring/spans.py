"""Cut a file into spans of whole rows that can be read by themselves, in any order."""

from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import IO

from model.data.ingest.records import Line, Records
from model.data.ingest.text import MAX_LINE
from model.errors import DataError

SPAN_ROWS = 2**15
_SPAN_BYTES = 2**23
_STRETCH = 2  # times as long may a span be for want of a place between two records
_MAX_LINE_BYTES = 4 * (MAX_LINE + 1)


@dataclass(frozen=True)
class Span:
    """Where some rows stand: bytes of a text file, or rows of a group of a Parquet file."""

    index: int
    start: int
    stop: int
    first: int
    """Number of its first line, or row, from 1."""
    rows: int
    group: int = 0


def cut_text(file: IO[bytes], delimiter: str | None) -> Iterator[Span]:
    """Yield the spans of a UTF-8 file of delimited records, or of lines where there is no delimiter.

    A span ends between two records, unless quotes that nothing closes leave no such place for as much again.
    """
    records = Records(delimiter or ",")
    index, start, offset, first, number = 0, 0, 0, 1, 1
    for line, size in _read_lines(file):
        offset += size
        if delimiter and (b'"' in line or not records.is_between):
            for _ in records.feed([(number, _decode(line))], last=False):
                pass
        number += 1
        fullness = max((number - first) / SPAN_ROWS, (offset - start) / _SPAN_BYTES)
        if fullness >= 1 and (records.is_between or fullness >= _STRETCH):
            yield Span(index, start, offset, first, number - first)
            index, start, first, records = index + 1, offset, number, Records(delimiter or ",")
    if offset > start:
        yield Span(index, start, offset, first, number - first)


def read_span(location: str, span: Span) -> Iterator[Line]:
    """Yield the numbered lines of a span of a file, local or at a URL, the first without a byte order mark.

    Raises:
        DataError: the file is gone.
    """
    with _open_span(location, span) as file:
        number, left = span.first, span.stop - span.start
        for line, size in _read_lines(file):
            text = _decode(line)
            yield number, text if number > 1 else text.removeprefix("\ufeff")
            number, left = number + 1, left - size
            if left <= 0:
                return


def _open_span(location: str, span: Span) -> IO[bytes]:
    if "://" in location:
        import fsspec

        system, path = fsspec.core.url_to_fs(location)
        return BytesIO(system.cat_file(path, span.start, span.stop))
    try:
        file = open(location, "rb")  # noqa: PTH123, SIM115 - a location may be a URL; the caller closes it
    except OSError as error:
        raise DataError(f"{location} cannot be read: {error.strerror}.") from None
    file.seek(span.start)
    return file


def _read_lines(file: IO[bytes]) -> Iterator[tuple[bytes, int]]:
    """Yield each line, cut off where it is too long, and how many bytes it takes in the file."""
    while line := file.readline(_MAX_LINE_BYTES):
        size, rest = len(line), line
        while len(rest) == _MAX_LINE_BYTES and not rest.endswith(b"\n"):
            rest = file.readline(_MAX_LINE_BYTES)
            size += len(rest)
        yield line, size


def _decode(line: bytes) -> str:
    return line.removesuffix(b"\n").decode("utf-8", "replace")[: MAX_LINE + 1]
