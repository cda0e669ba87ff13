"""A text file as UTF-8 with line feeds: whether it has to be copied for that, and the copy."""

import codecs
from pathlib import Path

from model.errors import DataError

_HEAD_BYTES = 2**16
_MARKS = (codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


def has_mark(path: Path) -> bool:
    """Tell whether a file begins with the byte order mark of UTF-8 or UTF-16."""
    with path.open("rb") as file:
        return file.read(len(codecs.BOM_UTF8)).startswith(_MARKS)


def has_old_line_ends(path: Path) -> bool:
    """Tell whether lines end with carriage returns alone, as on a Macintosh before 2001."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    return b"\r" in head.removesuffix(b"\r") and b"\n" not in head


def copy_as_utf8(path: Path, encoding: str, copy: Path) -> Path:
    """Write a file in UTF-8 with line feeds, unless that is there already; return where it is. Raises DataError."""
    if copy.exists():
        return copy
    temporary = copy.with_name(f".{copy.name}")
    try:
        with (
            path.open(encoding=encoding, errors="replace", newline=None) as source,
            temporary.open("w", encoding="utf-8", newline="") as target,
        ):
            while chunk := source.read(_HEAD_BYTES):
                target.write(chunk)
        temporary.replace(copy)
    except (OSError, UnicodeError) as error:
        raise DataError(f"{path} cannot be read as {encoding} ({type(error).__name__}).") from None
    return copy
