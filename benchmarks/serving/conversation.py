"""A connection that is kept open and asked one thing after the other."""

import asyncio
from collections.abc import Mapping
from typing import NamedTuple

TIMEOUT_SECONDS = 30


class Reply(NamedTuple):
    """An answer, names of headers in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Conversation:
    """One connection to the service; opened when it is needed, and again after it broke."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._reader: asyncio.StreamReader | None = None
        self._writer: asyncio.StreamWriter | None = None

    async def ask(self, request: bytes) -> Reply:
        """Send a whole request and return its answer. Raises OSError or EOFError if there is none."""
        async with asyncio.timeout(TIMEOUT_SECONDS):
            try:
                if self._reader is None or self._writer is None:
                    self._reader, self._writer = await asyncio.open_connection("127.0.0.1", self._port)
                self._writer.write(request)
                reply = await _read_reply(self._reader)
            except BaseException:
                self.close()
                raise
        if reply.headers.get("connection") == "close":
            self.close()
        return reply

    def close(self) -> None:
        """End it."""
        if self._writer:
            self._writer.close()
        self._reader = self._writer = None


async def _read_reply(reader: asyncio.StreamReader) -> Reply:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    status_line, *lines = head[:-4].split("\r\n")
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    if headers.get("transfer-encoding") == "chunked":
        body = await _read_chunks(reader)
    else:
        body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Reply(int(status_line.split()[1]), headers, body)


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    parts = []
    while size := int(await reader.readuntil(b"\r\n"), 16):
        parts.append(await reader.readexactly(size))
        await reader.readexactly(2)
    await reader.readexactly(2)
    return b"".join(parts)
