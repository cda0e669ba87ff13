"""Tell what a file is by its first bytes, and what to do with one that is no table."""

import re
from enum import StrEnum
from pathlib import Path

from model.errors import DataError

_HEAD_BYTES = 2**16


class Kind(StrEnum):
    """What can be read."""

    DELIMITED = "delimited text"
    NDJSON = "NDJSON"
    PARQUET = "Parquet"


_UNPACK = "unpack it first"
_ONE_A_LINE = "write one object a line (NDJSON), as"
_EXPORT = "save the sheet as CSV (UTF-8)"
_WRITE_TABLE = "write the table as CSV"
_BINARY = (
    (0, b"\xd0\xcf\x11\xe0", "an old Excel or Office file", _EXPORT),
    (0, b"\x1f\x8b", "a gzip archive", _UNPACK),
    (4, b"1AY&SY", "a bzip2 archive", _UNPACK),
    (0, b"\xfd7zXZ", "an xz archive", _UNPACK),
    (0, b"\x28\xb5\x2f\xfd", "a Zstandard archive", _UNPACK),
    (0, b"7z\xbc\xaf", "a 7z archive", _UNPACK),
    (0, b"%PDF", "a PDF", _WRITE_TABLE),
    (0, b"SQLite format 3\0", "an SQLite database", _WRITE_TABLE),
    (0, b"{\\rtf", "an RTF document", _WRITE_TABLE),
    (0, b"Rar!", "a RAR archive", _UNPACK),
    (0, b"ARROW1", "a Feather file", _WRITE_TABLE),
    (0, b"Obj\x01", "an Avro file", _WRITE_TABLE),
    (0, b"\x89PNG", "an image", _WRITE_TABLE),
    (0, b"\xff\xd8\xff", "an image", _WRITE_TABLE),
    (257, b"ustar", "a tar archive", _UNPACK),
)
_ZIPPED = (  # by what stands in the first entries of the archive
    (b"opendocument.spreadsheet", "an OpenDocument spreadsheet", _EXPORT),
    (b"opendocument.", "an OpenDocument file", _WRITE_TABLE),
    (b"xl/", "an Excel workbook", _EXPORT),
    (b"word/", "a Word document", _WRITE_TABLE),
    (b"ppt/", "a presentation", _WRITE_TABLE),
    (b".iwa", "a Numbers or Pages document", _WRITE_TABLE),
    (b"[Content_Types].xml", "an Excel workbook", _EXPORT),
)
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_HTML = re.compile(rb"\s*<(?:!doctype|html|\?xml|head|body|table)", re.IGNORECASE)

_JSON_ARRAY = re.compile(rb"\s*\[\s*[{\[]")
_JSON_OVER_LINES = re.compile(rb"\s*\{\s*(?:\r|\n|\"[^\"]*\"\s*:\s*[\[{]\s*[\r\n])")


def detect_kind(path: Path, location: str, encoding: str | None = None) -> Kind:
    """Return what kind of table a file is, of a known encoding or of one that is to be found out.

    Raises:
        DataError: it is empty, no table, or cannot be read; the sentence says what it is and what to do.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES)
    except OSError as error:
        raise DataError(f"{location} cannot be read: {error.strerror}.") from None
    if head.startswith(b"PAR1"):
        return Kind.PARQUET
    if refusal := describe_refusal(head):
        raise DataError(f"{location} {refusal}.")
    if not encoding and (refusal := describe_binary(head)):
        raise DataError(f"{location} {refusal}{', or name its encoding' if 'UTF-16' in refusal else ''}.")
    if path.suffix.lower() in {".ndjson", ".jsonl"} or head.removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{"):
        return Kind.NDJSON
    return Kind.DELIMITED


def describe_refusal(head: bytes) -> str | None:
    """Return what a file is that is no table by its first bytes, and what to do; the subject is left out."""
    if not head.strip(b"\xef\xbb\xbf \t\r\n"):
        return "is empty"
    for offset, magic, what, remedy in _BINARY:
        if head.startswith(magic, offset):
            return f"is {what}: {remedy}"
    if head.startswith(b"PK\x03\x04"):
        found = ((what, remedy) for mark, what, remedy in _ZIPPED if mark in head)
        return "is {}: {}".format(*next(found, ("a zip archive", _UNPACK)))
    text = head.removeprefix(b"\xef\xbb\xbf")
    if _HTML.match(text):
        return f"is an HTML or XML page: {_WRITE_TABLE}"
    if _JSON_ARRAY.match(text):
        return f"is one JSON array: {_ONE_A_LINE} `jq -c '.[]'` does"
    return f"is JSON over several lines: {_ONE_A_LINE} `jq -c .` does" if _JSON_OVER_LINES.match(text) else None


def describe_binary(head: bytes) -> str | None:
    """Return what a file of an encoding that nobody declared is, if it holds NUL, and what to do."""
    if b"\0" not in head or head.startswith(_UTF_16):
        return None
    halves = (head[::2].count(0), head[1::2].count(0))
    if max(halves) > len(head) // 5 and min(halves) <= len(head) // 50:
        return "looks like UTF-16 without a byte order mark: save it as UTF-8"
    return f"is a binary file: {_WRITE_TABLE}"
