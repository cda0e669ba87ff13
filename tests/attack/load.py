"""Clients that ask again as soon as they are answered, in a process of their own; every answer is checked.

`python -m tests.attack.load PORT CONNECTIONS SECONDS` prints how many requests were answered, shed with 503, not
answered and answered wrongly, as JSON.
"""

import argparse
import asyncio
import itertools
import json
import re
from collections import Counter

_BODY = b'{"name": "Kowalska", "n_predictions": 2}'
_HEAD = re.compile(rb"HTTP/1\.1 (\d{3}).*?\r\ncontent-length: (\d+)\r\n.*?\r\n\r\n", re.DOTALL | re.IGNORECASE)
_REQUEST_ID = re.compile(rb"\r\nx-request-id: (\S*)\r\n", re.IGNORECASE)
CONNECT_SECONDS = 30
ANSWER_SECONDS = 30


def request(request_id: bytes) -> bytes:
    """Return a request of the hot path with an id."""
    return (
        b"POST /get_prediction HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nx-request-id: %s\r\n"
        b"content-length: %d\r\n\r\n%s" % (request_id, len(_BODY), _BODY)
    )


async def read_answer(reader: asyncio.StreamReader) -> tuple[int, bytes, bytes]:
    """Return status, id and body of an answer. Raises OSError if there is none."""
    try:
        head = await reader.readuntil(b"\r\n\r\n")
        found, request_id = _HEAD.match(head), _REQUEST_ID.search(head)
        if not found or not request_id:
            raise ConnectionError("no answer of the service")
        return int(found[1]), request_id[1], await reader.readexactly(int(found[2]))
    except asyncio.IncompleteReadError:
        raise ConnectionError("closed without an answer") from None


async def _ask_again(port: int, name: bytes, counts: Counter[str]) -> None:
    """Ask until cancelled, on one connection for as long as it lasts."""
    while True:
        try:
            async with asyncio.timeout(CONNECT_SECONDS):
                reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                await _ask_while_open(reader, writer, name, counts)
            finally:
                writer.close()
        except (OSError, TimeoutError):
            counts["unanswered"] += 1
            await asyncio.sleep(0.1)


async def _ask_while_open(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, name: bytes, counts: Counter[str]
) -> None:
    for number in itertools.count():
        request_id = b"%s-%d" % (name, number)
        writer.write(request(request_id))
        async with asyncio.timeout(ANSWER_SECONDS):
            status, answered_id, body = await read_answer(reader)
        if status == 503:
            counts["shed"] += 1
            await asyncio.sleep(0.1)
        elif status == 200 and answered_id == request_id and len(json.loads(body)["predictions"]) == 2:
            counts["answered"] += 1
        else:
            counts["wrong"] += 1


async def load(port: int, connections: int, seconds: float) -> Counter[str]:
    """Return the counts of what happened."""
    counts = Counter(answered=0, shed=0, unanswered=0, wrong=0)
    tasks = [asyncio.create_task(_ask_again(port, b"c%d" % number, counts)) for number in range(connections)]
    await asyncio.sleep(seconds)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return counts


def main() -> None:
    """Load a service."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("port", type=int)
    parser.add_argument("connections", type=int)
    parser.add_argument("seconds", type=float)
    arguments = parser.parse_args()
    print(json.dumps(asyncio.run(load(arguments.port, arguments.connections, arguments.seconds))))


if __name__ == "__main__":
    main()
