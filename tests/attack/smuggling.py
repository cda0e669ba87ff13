"""One attacker and its victims behind proxies that share their connections to the service: whose answer comes back?

`python -m tests.attack.smuggling --answers 20000` needs Debian's nginx and caddy, and takes haproxy too.
The attacker sends requests that proxy and service may frame differently; each victim sends requests of its own over a
connection that stays open and compares what comes back. Prints a line a configuration; exits with 1 if a victim got a
wrong answer, or a key in a trailer let somebody in.
"""

import argparse
import asyncio
import contextlib
import hashlib
import json
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import h11

from tests.attack.proxies import Proxy, installed
from tests.attack.service import ROOT, Service, free_port, serving

VICTIMS = 8
ATTACK_CONNECTIONS = 16
ATTACK_SECONDS = 0.05
"""How long the attacker waits for answers: what it smuggles is to wait for a victim."""
ANSWER_SECONDS = 20
VICTIM_KEY, ATTACKER_KEY = "key-of-the-victims", "key-of-the-attacker"
SETTINGS = {
    "API_KEYS": json.dumps(
        [
            {"name": name, "sha256": hashlib.sha256(key.encode()).hexdigest()}
            for name, key in (("victims", VICTIM_KEY), ("attacker", ATTACKER_KEY))
        ]
    ),
    "LOG_LEVEL": "error",
    "HEAD_SECONDS": "3",
    "BODY_SECONDS": "3",
}
SMUGGLED_ROUTE = "/v2/health/live"
"""What smuggled requests ask for, and nobody else: the service's metrics count how many it executed."""

# --- the attacker

_SMUGGLED = f"GET {SMUGGLED_ROUTE} HTTP/1.1\r\nHost: x\r\nX-Request-ID: smuggled\r\n\r\n".encode()
_PREFIX = f"GET {SMUGGLED_ROUTE} HTTP/1.1\r\nHost: x\r\nX-Request-ID: smuggled\r\nX-Swallowed: ".encode()
_UPGRADES = {
    "h2c": b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n",
    "websocket": b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n",
}
_CODINGS = (
    *(b"Transfer-Encoding: chunked\r\n", b"Transfer-Encoding: xchunked\r\n", b"Transfer-Encoding : chunked\r\n"),
    *(
        b"Transfer-Encoding: gzip, chunked\r\n",
        b"Transfer-Encoding: chunked, identity\r\n",
        b"Transfer_Encoding: chunked\r\n",
    ),
    *(
        b"Transfer-Encoding:\x0bchunked\r\n",
        b"Transfer-Encoding:\r\n chunked\r\n",
        b"X: y\r\n Transfer-Encoding: chunked\r\n",
    ),
    *(b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n", b"Transfer-Encoding: chunked\nX: y\r\n"),
)


def _post(headers: bytes, body: bytes, *, path: str = "/v1/predict", version: str = "1.1", key: bool = True) -> bytes:
    """Return a request whose framing the headers say."""
    authorization = f"X-API-Key: {ATTACKER_KEY}\r\n" if key else ""
    head = f"POST {path} HTTP/{version}\r\nHost: x\r\nContent-Type: application/json\r\n{authorization}".encode()
    return head + headers + b"\r\n" + body


def _length(body: bytes) -> bytes:
    return b"Content-Length: %d\r\n" % len(body)


def _chunked(body: bytes, trailers: bytes = b"") -> bytes:
    return b"%x\r\n%s\r\n0\r\n%s\r\n" % (len(body), body, trailers)


def attacks() -> Iterator[tuple[str, bytes]]:
    """Yield the kind of each attack and its bytes."""
    for smuggled in (_SMUGGLED, _SMUGGLED * 3, _PREFIX):
        for name, upgrade in _UPGRADES.items():
            for path in ("/v1/predict", "/get_prediction", "/v1/explain", "/v1/predict/stream", "/livez"):
                yield f"Upgrade: {name}", _post(upgrade + _length(smuggled), smuggled, path=path)
                yield (
                    f"Upgrade: {name}, chunked",
                    _post(upgrade + b"Transfer-Encoding: chunked\r\n", _chunked(smuggled), path=path),
                )
        for coding in _CODINGS:
            short = b"0\r\n\r\n" + smuggled
            yield "length and coding, as TE.CL", _post(coding + b"Content-Length: 4\r\n", _chunked(smuggled))
            yield "length and coding, as CL.TE", _post(coding + _length(short), short)
            yield "coding alone", _post(coding, short)
        for line in (
            b"Content-Length: 0\r\n",
            b"Content-Length: +0\r\n",
            b"Content-Length : 0\r\n",
            b"content_length: 0\r\n",
        ):
            yield "two lengths", _post(line + _length(smuggled), smuggled)
        yield "length of a list", _post(b"Content-Length: 0, %d\r\n" % len(smuggled), smuggled)
        yield "HTTP/1.0", _post(b"Connection: keep-alive\r\n" + _length(smuggled), smuggled, version="1.0")
        yield "HTTP/1.0, chunked", _post(b"Transfer-Encoding: chunked\r\n", _chunked(smuggled), version="1.0")
        yield "Expect", _post(b"Expect: 100-continue\r\n" + _length(smuggled), smuggled)
        yield "absolute target", _post(_length(smuggled), smuggled, path="http://y/v1/predict")
        for extension in (b';a="\r\n"', b";a\n", b" ", b";" + b"a" * 500):
            size = b"%x%s\r\n" % (len(smuggled), extension)
            yield "chunk extensions", _post(b"Transfer-Encoding: chunked\r\n", size + smuggled + b"\r\n0\r\n\r\n")
        yield "method without a body", _post(_length(smuggled), smuggled).replace(b"POST", b"GET", 1)
        yield "body named by Connection", _post(b"Connection: Content-Length\r\n" + _length(smuggled), smuggled)
    for trailer in (f"X-API-Key: {VICTIM_KEY}", f"Authorization: Bearer {VICTIM_KEY}"):
        head = b"Transfer-Encoding: chunked\r\nTrailer: X-API-Key\r\n"
        yield KEY_IN_TRAILER, _post(head, _chunked(b'{"names": ["Jordan"]}', trailer.encode() + b"\r\n"), key=False)


KEY_IN_TRAILER = "a key in a trailer"


@dataclass
class Figures:
    """What happened before one proxy."""

    answers: int = 0
    wrong: Counter[str] = field(default_factory=Counter)
    unanswered: int = 0
    """Victims' requests that the proxy answered itself, or nobody: an upstream connection had ended."""
    attacks: int = 0
    let_in: int = 0
    smuggled: int = 0


async def _attack(port: int, figures: Figures, rng: random.Random) -> None:
    """Send attacks, one or two on a connection, until cancelled."""
    known = list(attacks())
    while True:
        chosen = rng.sample(known, rng.choice((1, 1, 2)))
        data = b"".join(data for _, data in chosen)
        cut = rng.choice((len(data), data.index(b"\r\n\r\n") + 4, rng.randrange(len(data))))
        received = await _send(port, data[:cut], data[cut:])
        figures.attacks += len(chosen)
        if [kind for kind, _ in chosen] == [KEY_IN_TRAILER] and received.startswith(b"HTTP/1.1 200"):
            figures.let_in += 1


async def _send(port: int, *segments: bytes) -> bytes:
    received = b""
    with contextlib.suppress(OSError, TimeoutError):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            for segment in filter(None, segments):
                writer.write(segment)
                await asyncio.sleep(0.005)
            async with asyncio.timeout(ATTACK_SECONDS):
                while chunk := await reader.read(65536):
                    received += chunk
        finally:
            writer.close()
    return received


# --- the victims


@dataclass(frozen=True)
class Question:
    """A victim's request, which differs from all others in its id, and from most in the shape of its answer."""

    request_id: str
    n_names: int
    top_k: int

    @property
    def body(self) -> bytes:
        """The JSON of it."""
        return json.dumps({"names": ["Kowalska"] * self.n_names, "top_k": self.top_k}).encode()

    def fault(self, status: int, headers: dict[bytes, bytes], body: bytes) -> str:
        """Return what is wrong with an answer, or nothing."""
        if status != 200:
            return f"a {status}"
        if headers.get(b"x-request-id") != self.request_id.encode():
            return "an answer to another request"
        shape = [len(prediction["labels"]) for prediction in json.loads(body).get("predictions", ())]
        return "" if shape == [self.top_k] * self.n_names else "an answer to another body"


class Victim:
    """Sends requests over a connection that stays open, and opens another where it ends."""

    def __init__(self, number: int, port: int, figures: Figures) -> None:
        self._number, self._port, self._figures = number, port, figures

    async def run(self, places: Iterator[int]) -> None:
        """Send a request for each place that is left."""
        place = next(places, None)
        while place is not None:
            with contextlib.suppress(OSError):
                reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
                try:
                    place = await self._ask_until_closed(reader, writer, place, places)
                finally:
                    writer.close()

    async def _ask_until_closed(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, place: int, places: Iterator[int]
    ) -> int | None:
        """Return the place that is next once the connection ends, or None if none is left."""
        connection = h11.Connection(h11.CLIENT)
        current: int | None = place
        while current is not None:
            question = Question(f"victim-{self._number}-{current}", self._number + 1, current % 5 + 1)
            try:
                async with asyncio.timeout(ANSWER_SECONDS):
                    answer = await _ask(connection, reader, writer, question)
            except (h11.RemoteProtocolError, OSError, TimeoutError):
                self._figures.unanswered += 1
                return next(places, None)
            self._count(question, *answer)
            current = next(places, None)
            if connection.states != {h11.CLIENT: h11.DONE, h11.SERVER: h11.DONE} or connection.trailing_data[0]:
                return current
            connection.start_next_cycle()
        return None

    def _count(self, question: Question, status: int, headers: dict[bytes, bytes], body: bytes) -> None:
        if status in {502, 503, 504} and b"x-request-id" not in headers:
            self._figures.unanswered += 1
            return
        self._figures.answers += 1
        if fault := question.fault(status, headers, body):
            self._figures.wrong[fault] += 1


async def _ask(
    connection: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, question: Question
) -> tuple[int, dict[bytes, bytes], bytes]:
    headers = {
        "Host": "x",
        "X-API-Key": VICTIM_KEY,
        "X-Request-ID": question.request_id,
        "Content-Type": "application/json",
        "Content-Length": str(len(question.body)),
    }
    request = h11.Request(method="POST", target="/v1/predict", headers=list(headers.items()))
    for event in (request, h11.Data(data=question.body), h11.EndOfMessage()):
        writer.write(connection.send(event) or b"")
    status, found, body = 0, dict[bytes, bytes](), b""
    while not isinstance(received := connection.next_event(), h11.EndOfMessage):
        if received is h11.NEED_DATA:
            connection.receive_data(await reader.read(65536))
        elif isinstance(received, h11.Response):
            status, found = received.status_code, dict(received.headers)
        elif isinstance(received, h11.Data):
            body += bytes(received.data)
        elif not isinstance(received, h11.InformationalResponse):
            raise h11.RemoteProtocolError("closed without an answer")
    return status, found, body


# --- one configuration after the other


async def _besiege(port: int, answers: int, seed: int) -> Figures:
    figures = Figures()
    attackers = [
        asyncio.create_task(_attack(port, figures, random.Random(seed + number)))
        for number in range(ATTACK_CONNECTIONS)
    ]
    places = iter(range(answers))
    await asyncio.gather(*(Victim(number, port, figures).run(places) for number in range(VICTIMS)))
    for attacker in attackers:
        attacker.cancel()
    await asyncio.gather(*attackers, return_exceptions=True)
    return figures


def _smuggled_requests(service: Service) -> int:
    marker = f'route="{SMUGGLED_ROUTE}"'
    lines = service.get("/metrics").decode().splitlines()
    counts = [line.split()[-1] for line in lines if line.startswith("http_requests_total{") and marker in line]
    return sum(int(float(count)) for count in counts)


def measure(proxy: Proxy, service: Service, folder: Path, answers: int, seed: int) -> Figures:
    """Run a proxy before the service, the attacker and the victims; return what happened."""
    before = _smuggled_requests(service)
    port = free_port()
    with proxy.running(folder, service.port, port):
        figures = asyncio.run(_besiege(port, answers, seed))
    figures.smuggled = _smuggled_requests(service) - before
    wrong = figures.wrong.total()
    faults = ", ".join(f"{count} {fault}" for fault, count in figures.wrong.items())
    print(f"{proxy}: {wrong} of {figures.answers:,} victims' answers wrong{f' ({faults})' if wrong else ''}, ", end="")
    print(
        f"{figures.unanswered} unanswered; {figures.attacks:,} attacks, {figures.let_in} let in without a key, ", end=""
    )
    print(f"{figures.smuggled} requests for {SMUGGLED_ROUTE} executed", flush=True)
    return figures


def main() -> None:
    """Attack behind every proxy that is installed."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--answers", type=int, default=20_000, help="victims' requests before all proxies together")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    proxies = installed()
    if missing := {"nginx", "caddy"} - {proxy.program for proxy in proxies}:
        sys.exit(f"not installed: {' and '.join(sorted(missing))}")
    each = -(-arguments.answers // len(proxies))
    with (
        tempfile.TemporaryDirectory(prefix="smuggling-") as folder,
        serving(ROOT / "build/attack/smuggling.log", SETTINGS) as service,
    ):
        results = [
            measure(proxy, service, Path(folder) / str(number), each, arguments.seed)
            for number, proxy in enumerate(proxies)
        ]
    wrong, answers = sum(result.wrong.total() for result in results), sum(result.answers for result in results)
    print(f"{wrong} of {answers:,} victims' answers were wrong")
    sys.exit(bool(wrong or sum(result.let_in for result in results)))


if __name__ == "__main__":
    main()
