"""Bytes to a server and answers from it, over sockets, without a client library's good manners."""

import asyncio
import contextlib
import itertools
from dataclasses import dataclass, field
from typing import NamedTuple

_CLOSED_SECONDS = 20.0
_FINAL = 200


class BrokenAnswerError(Exception):
    """What came back is no HTTP, or does not come to an end."""


class CutOffError(BrokenAnswerError):
    """An answer began and did not end."""


class Answer(NamedTuple):
    """One final answer, names of headers in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True)
class Exchange:
    """Bytes to send, and what must come back.

    With `due`, so many answers; else whatever is, and a connection that the server closes by itself or, with
    `leaves_after`, that we leave after so many seconds of silence.
    """

    what: str
    data: bytes
    due: int | None = 1
    statuses: frozenset[int] = frozenset()
    """Of each answer; any if empty."""
    order: tuple[int, ...] = ()
    """Statuses of the answers one by one; any if empty."""
    head: bool = False
    """HEAD is answered without a body."""
    cuts: tuple[int, ...] = field(default=())
    """Where to pause in sending."""
    leaves_after: float | None = None


class Connection:
    """Sends one exchange after the other; on one socket for as long as the server keeps it open."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def run(self, exchange: Exchange) -> list[Answer]:
        """Return the answers. Raises BrokenAnswerError if they are none, too few or do not come."""
        if exchange.due is None:
            self.close()
            try:
                return await self._run_loose(exchange)
            finally:
                self.close()
        reused = self._streams is not None
        try:
            return await self._run_strict(exchange, exchange.due)
        except BrokenAnswerError as error:
            self.close()
            if not (reused and str(error) == _NO_ANSWER):
                raise
            return await self._run_strict(exchange, exchange.due)  # it was closed while it was idle

    def close(self) -> None:
        """Close the socket."""
        if self._streams:
            self._streams[1].close()
        self._streams = None

    async def _run_strict(self, exchange: Exchange, due: int) -> list[Answer]:
        reader, sending = await self._send(exchange)
        answers: list[Answer] = []
        try:
            async with asyncio.timeout(_CLOSED_SECONDS):
                while len(answers) < due:
                    answer = await _read_answer(reader, head=exchange.head)
                    if answer is None:
                        raise BrokenAnswerError(_NO_ANSWER if not answers else f"only {len(answers)} of {due} answers")
                    answers.append(answer)
        except TimeoutError:
            raise BrokenAnswerError(f"{len(answers)} of {due} answers came in {_CLOSED_SECONDS:.0f} s") from None
        finally:
            unsent = sending.cancel()
        if unsent or answers[-1].headers.get("connection", "").lower() == "close":
            self.close()
        return answers

    async def _run_loose(self, exchange: Exchange) -> list[Answer]:
        reader, sending = await self._send(exchange)
        answers: list[Answer] = []
        try:
            while True:
                async with asyncio.timeout(exchange.leaves_after or _CLOSED_SECONDS):
                    answer = await _read_answer(reader, head=exchange.head)
                if answer is None:
                    return answers
                answers.append(answer)
        except TimeoutError:
            if exchange.leaves_after is None:
                raise BrokenAnswerError(f"left open for {_CLOSED_SECONDS:.0f} s") from None
            return answers
        except CutOffError:  # of a stream whose body broke: its answer must not look whole
            return answers
        finally:
            sending.cancel()

    async def _send(self, exchange: Exchange) -> tuple[asyncio.StreamReader, asyncio.Task[None]]:
        if self._streams is None:
            self._streams = await asyncio.open_connection("127.0.0.1", self._port)
        reader, writer = self._streams
        return reader, asyncio.create_task(_send_parts(writer, exchange))


_NO_ANSWER = "closed without an answer"


async def _send_parts(writer: asyncio.StreamWriter, exchange: Exchange) -> None:
    """Send while answers are read; a server that has heard enough may close."""
    places = sorted({0, len(exchange.data), *exchange.cuts})
    with contextlib.suppress(OSError):
        for start, end in itertools.pairwise(places):
            writer.write(exchange.data[start:end])
            await writer.drain()
            await asyncio.sleep(0.001)


async def _read_answer(reader: asyncio.StreamReader, *, head: bool) -> Answer | None:
    """Return the next final answer, or None if the connection ended before it began."""
    try:
        first = await reader.read(1)
    except OSError:
        return None
    if not first:
        return None
    try:
        answer = await _read_rest(reader, first, head=head)
        return answer if answer.status >= _FINAL else await _read_answer(reader, head=head)
    except (OSError, EOFError):
        raise CutOffError("an answer was cut off") from None
    except (ValueError, LookupError, asyncio.LimitOverrunError) as error:
        raise BrokenAnswerError(f"not HTTP: {type(error).__name__}") from None


async def _read_rest(reader: asyncio.StreamReader, first: bytes, *, head: bool) -> Answer:
    text = (first + await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    status_line, *lines = text[:-4].split("\r\n")
    version, status, _ = status_line.split(" ", 2)
    if version != "HTTP/1.1":
        raise ValueError(version)
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    if len(headers) < len(lines):
        raise ValueError("a header stands twice")
    code = int(status)
    if head or code < _FINAL or code in {204, 304}:
        body = b""
    elif headers.get("transfer-encoding") == "chunked":
        body = await _read_chunks(reader)
    elif "content-length" in headers:
        body = await reader.readexactly(int(headers["content-length"]))
    else:
        body = await reader.read()
    return Answer(code, headers, body)


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    parts = []
    while size := int(await reader.readuntil(b"\r\n"), 16):
        parts.append(await reader.readexactly(size + 2))
    await reader.readexactly(2)
    return b"".join(part[:-2] for part in parts)
