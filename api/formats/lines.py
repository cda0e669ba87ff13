"""Bytes as they arrive to whole lines, and these to whole CSV records, by line ends and quotes alone."""

import codecs
import re
from collections.abc import Iterator

MAX_RECORD_BYTES = 64 * 1024

_EMPTY = (b"", b"\r")
_CLOSING_QUOTE = re.compile(rb'(?:[^"]|"")*+"')  # possessive: of two quotes the first closes nothing


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


class Records:
    """Lines to whole records, each with its line ends: a quoted field may span lines.

    A record that grows over the bound is cut off, and the next line begins a new one: a quote that is never closed
    costs so many bytes and not the rest of the file.
    """

    def __init__(self, delimiter: str) -> None:
        self._lines = Lines(MAX_RECORD_BYTES)
        self._opening_quote = f'{delimiter}"'.encode()
        self._open = bytearray()

    @property
    def bom(self) -> bytes:
        """The byte order mark that the first line began with, or nothing."""
        return self._lines.bom or b""

    def feed(self, chunk: bytes, *, last: bool) -> Iterator[bytes]:
        """Yield the records that `chunk` completes; an empty line is none."""
        for line in self._lines.feed(chunk, last=last):
            if line in _EMPTY and not self._open:  # first, and before a reader is made: a file may hold nothing else
                continue
            inside = self._ends_inside_quotes(line, inside=bool(self._open))
            self._open += line + b"\n"
            if not inside or len(self._open) > MAX_RECORD_BYTES:
                yield self._take()
        if last and self._open:
            yield self._take()

    def _take(self) -> bytes:
        record = bytes(self._open)
        self._open.clear()
        return record

    def _ends_inside_quotes(self, line: bytes, *, inside: bool) -> bool:
        """Say whether a line that begins inside a quoted field, or not, ends inside one."""
        if b'"' not in line:
            return inside
        at = 0
        if not inside and line.startswith(b'"'):
            at, inside = 1, True
        while True:
            if inside:
                closing = _CLOSING_QUOTE.match(line, at)
                if not closing:
                    return True
                at = closing.end()
            at = line.find(self._opening_quote, at)  # elsewhere a quote is a character
            if at < 0:
                return False
            at, inside = at + len(self._opening_quote), True
