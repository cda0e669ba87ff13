"""Bytes as they arrive to whole lines of a bounded length: of bytes, or of text in a charset."""

import codecs
from collections.abc import Sequence

from model.data.ingest.records import Line
from model.data.ingest.text import MAX_LINE

_UTF_16 = "utf-16"
_MARKS = ((codecs.BOM_UTF8, "utf-8-sig"), (codecs.BOM_UTF16_LE, _UTF_16), (codecs.BOM_UTF16_BE, _UTF_16))
_MAX_HEAD = 2**16
_ERRORS = "surrogateescape"
"""Bytes that are not in the charset become lone surrogates, which text in it cannot hold."""


class Lines:
    """Bytes as they arrive to whole lines, without their ends; of a line over `max_bytes` one byte too many is kept.

    A byte order mark is no part of the first line.
    """

    def __init__(self, max_bytes: int) -> None:
        self.bom: bytes | None = None
        """What the first line began with, once it is there: a byte order mark or nothing."""
        self._max_bytes = max_bytes
        self._keep = len(codecs.BOM_UTF8) + max_bytes + 1
        self._open = bytearray()

    def feed(self, chunk: bytes, *, last: bool) -> list[bytes]:
        """Return the lines that `chunk` completes; the last line needs no end."""
        first, *others = chunk.split(b"\n")
        self._open += first[: self._keep - len(self._open)]
        lines = []
        if others:
            lines = [bytes(self._open), *(line[: self._keep] for line in others[:-1])]
            self._open = bytearray(others[-1][: self._keep])
        if last and self._open:
            lines.append(bytes(self._open))
        if lines and self.bom is None:
            self.bom = codecs.BOM_UTF8 if lines[0].startswith(codecs.BOM_UTF8) else b""
            lines[0] = lines[0].removeprefix(self.bom)
        return [line[: self._max_bytes + 1] for line in lines]


class TextLines:
    """Bytes of a file to numbered lines, without their ends; of a line over `MAX_LINE` one character too many is kept.

    A byte order mark decides for UTF-8 or UTF-16, whatever the charset. Where the first 64 KiB hold carriage returns
    and no line feed, the former end lines.
    """

    def __init__(self, charset: str) -> None:
        self.charset = charset
        self.has_mark = False
        self._head = bytearray()
        self._decoder: codecs.IncrementalDecoder | None = None
        self._end = "\n"
        self._open: list[str] = []
        self._n_open = self._n_lines = 0

    def take_head(self, chunk: bytes, *, last: bool) -> bytes | None:
        """Return how the file begins, up to its first line feed, once that is known, and None until then and after."""
        if self._decoder:
            return None
        self._head += chunk
        line, end, _ = self._head[:_MAX_HEAD].partition(b"\n")
        if not (end or last or len(self._head) >= _MAX_HEAD):
            return None
        self._begin(bytes(line + end))
        return bytes(line + end)

    def feed(self, chunk: bytes, *, last: bool) -> Sequence[Line]:
        """Return the lines that a chunk completes, once the head is taken; the last line needs no end."""
        if not self._decoder:
            return []
        if self._head:
            chunk, self._head = bytes(self._head), bytearray()
        texts = self._split(self._decoder.decode(chunk, final=last))
        if last and self._open:
            texts.append(self._take_open())
        first = self._n_lines + 1
        self._n_lines += len(texts)
        return list(enumerate(texts, first))

    def _begin(self, head: bytes) -> None:
        for mark, charset in _MARKS:
            if head.startswith(mark):
                self.charset, self.has_mark = charset, True
        self._end = "\r" if b"\r" in head.removesuffix(b"\r") and b"\n" not in head else "\n"
        errors = "replace" if self.charset == _UTF_16 else _ERRORS
        self._decoder = codecs.getincrementaldecoder(self.charset)(errors)

    def _split(self, text: str) -> list[str]:
        first, *others = text.split(self._end)
        self._add(first)
        texts = []
        if others:
            texts = [self._take_open(), *(line[: MAX_LINE + 1] for line in others[:-1])]
            self._add(others[-1])
        return texts

    def _add(self, piece: str) -> None:
        if piece and self._n_open <= MAX_LINE:
            piece = piece[: MAX_LINE + 1 - self._n_open]
            self._open.append(piece)
            self._n_open += len(piece)

    def _take_open(self) -> str:
        text = "".join(self._open)
        self._open, self._n_open = [], 0
        return text


def is_decoded(text: str, charset: str) -> bool:
    """Tell whether all bytes of a text were in its charset."""
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return charset != _UTF_16 or "\ufffd" not in text


def mend(text: str) -> str:
    """Return a text with U+FFFD where bytes were not in its charset."""
    return text if text.isascii() else text.encode(errors=_ERRORS).decode(errors="replace")
