"""Find out a text file's encoding, and read its lines, each of a bounded length."""

import codecs
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, Final

from model.errors import DataError

MAX_LINE = 2**16
"""Characters of a line; a longer one is cut off behind one more."""

_CHUNK = 2**20
_LONGEST_LINE_END = 4  # in UTF-32
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark begins it
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_FALLBACK = "windows-1252"
GUESSES: Final = (_FALLBACK, "latin-1")
"""What a file without a mark that is no UTF-8 is read as, right or wrong."""
AS_A_GUESS: Final = "as a guess: name its encoding with --encoding if letters are wrong"


def detect_encoding(path: Path) -> str:
    """Return the encoding of a text file: by its byte order mark, else UTF-8, else windows-1252, else latin-1.

    UTF-8 it is too if less than a tenth of what is not ASCII is no UTF-8: those lines are refused when they are read.

    Raises:
        DataError: the file cannot be read.
    """
    with _opened(path) as file:
        head = file.read(4)
    for mark, encoding in _BYTE_ORDER_MARKS:
        if head.startswith(mark):
            return encoding
    n_good, n_bad = _count_characters(path, "utf-8")
    if 10 * n_bad <= n_good:
        return "utf-8"
    return GUESSES[_count_characters(path, _FALLBACK)[1] > 0]


def check_encoding(encoding: str) -> str:
    """Return the encoding's name. Raises DataError if there is none of that name for text."""
    try:
        codecs.lookup(encoding)
        "".encode(encoding)
    except (LookupError, ValueError):
        raise DataError(f"There is no text encoding {encoding!r:.40}.") from None
    return encoding


def read_lines(path: Path, encoding: str) -> Iterator[tuple[int, str]]:
    """Yield the lines of a file without their ends, numbered from 1; undecodable bytes become U+FFFD.

    Raises:
        DataError: the file cannot be read.
    """
    try:
        with path.open(encoding=encoding, errors="replace", newline=None) as file:
            number = 0
            while line := file.readline(MAX_LINE + 1):
                number += 1
                rest = line
                while len(rest) > MAX_LINE and not rest.endswith("\n"):
                    rest = file.readline(MAX_LINE + 1)
                yield number, line.removesuffix("\n")
    except (OSError, UnicodeError) as error:
        raise DataError(f"{path} cannot be read as {encoding} ({type(error).__name__}).") from None


def ends_with_line(path: Path) -> bool:
    """Tell whether the last line of a file that is not empty has an end. Raises DataError if it cannot be read."""
    with _opened(path) as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - _LONGEST_LINE_END))
        return any(byte in b"\r\n" for byte in file.read())


def _count_characters(path: Path, encoding: str) -> tuple[int, int]:
    """Return how many characters beyond ASCII a file has, and how many of its bytes cannot be decoded."""
    decoder = codecs.getincrementaldecoder(encoding)(errors="replace")
    n_beyond, n_bad = 0, 0
    with _opened(path) as file:
        while chunk := file.read(_CHUNK):
            if chunk.isascii() and not decoder.getstate()[0]:
                continue
            text = decoder.decode(chunk)
            n_beyond += len(text) - len(text.encode("ascii", "ignore"))
            n_bad += text.count("\ufffd")
    n_bad += decoder.decode(b"", final=True).count("\ufffd")
    return n_beyond - n_bad, n_bad


@contextmanager
def _opened(path: Path) -> Iterator[BinaryIO]:
    try:
        with path.open("rb") as file:
            yield file
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from None
