"""Requests at random, sound ones and such as break the syntax or the framing of HTTP/1, in pipelines and segments."""

import itertools
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from random import Random

JSON = b"application/json"
UPGRADE = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n"
FENCE_SHARE = 0.6
HALF_CLOSE_SHARE = 0.8
BYTEWISE_SHARE = 0.02


@dataclass(frozen=True)
class Message:
    """A request as it is sent: its lines with their ends, the empty one included, and its body."""

    lines: tuple[bytes, ...]
    body: bytes = b""
    faults: tuple[str, ...] = ()

    def __bytes__(self) -> bytes:
        return b"".join(self.lines) + self.body


@dataclass(frozen=True)
class Case:
    """Messages that are sent on one connection, cut where `cuts` says."""

    messages: tuple[Message, ...]
    cuts: tuple[int, ...] = ()
    half_close: bool = True
    """Whether the client closes its half of the connection at the end, or waits for the server to close."""

    @property
    def data(self) -> bytes:
        """All that is sent."""
        return b"".join(map(bytes, self.messages))

    @property
    def segments(self) -> list[bytes]:
        """What is sent at once."""
        data, bounds = self.data, [0, *self.cuts, None]
        return [part for start, end in itertools.pairwise(bounds) if (part := data[start:end])]


def generate(rng: Random, number: int) -> Case:
    """Return one to four requests whose ids begin with `number`, of which some are broken, perhaps with a last one that
    ends the connection.
    """
    messages = [_message(rng, b"%d-%d" % (number, place)) for place in range(rng.choice((1, 1, 2, 3, 4)))]
    if rng.random() < FENCE_SHARE:
        lines = (b"GET /check_service HTTP/1.1\r\n", b"Host: x\r\n", b"X-Request-ID: %d-fence\r\n" % number)
        messages.append(Message((*lines, b"Connection: close\r\n", b"\r\n")))
    case = Case(tuple(messages), half_close=rng.random() < HALF_CLOSE_SHARE)
    return replace(case, cuts=_cuts(rng, len(case.data)))


def _cuts(rng: Random, length: int) -> tuple[int, ...]:
    if length < 1000 and rng.random() < BYTEWISE_SHARE:
        return tuple(range(1, length))
    return tuple(sorted(rng.randrange(length + 1) for _ in range(rng.choice((0, 0, 1, 1, 2, 3, 8)))))


def _message(rng: Random, request_id: bytes) -> Message:
    message = _sound(rng, request_id)
    for _ in range(rng.choice((0, 1, 1, 1, 2, 3))):
        name = rng.choice(tuple(FAULTS))
        message = FAULTS[name](rng, message)
        message = replace(message, faults=(*message.faults, name))
    return message


# --- sound requests: what is answered tells which body was read


def _names(rng: Random) -> bytes:
    names = ["Kowalska", "Jordan", "Rossi"][: rng.choice((1, 1, 2, 3))] * rng.choice((1, 1, 1, 40))
    return json.dumps({"names": names, "top_k": rng.choice((1, 2, 3))}).encode()


def _name(rng: Random) -> bytes:
    return json.dumps({"name": rng.choice(("Kowalska", "Jordan")), "n_predictions": rng.choice((1, 2, 3))}).encode()


def _lines(rng: Random) -> bytes:
    return b"".join(b'{"name": "Jordan", "id": %d}\n' % i for i in range(rng.choice((1, 2, 5))))


POSTS: tuple[tuple[bytes, bytes, Callable[[Random], bytes]], ...] = (
    (b"/v1/predict", JSON, _names),
    (b"/v1/predict", JSON, _names),
    (b"/get_prediction", JSON, _name),
    (b"/get_prediction", JSON, _name),
    (b"/v1/explain", JSON, lambda _: b'{"name": "Jordan"}'),
    (b"/v1/predict/stream?top_k=1", b"application/x-ndjson", _lines),
    (b"/v1/predict/file?top_k=1", b"text/csv", lambda rng: b"name\n" + b"Jordan\n" * rng.choice((1, 2, 3))),
)
GETS = (b"/check_service", b"/livez", b"/v1/similar?name=Jordan&n=1", b"/v1/similar?name=Jordan&n=2")


def _sound(rng: Random, request_id: bytes) -> Message:
    common = [b"Host: x\r\n", b"X-Request-ID: %s\r\n" % request_id]
    if rng.random() < 0.2:
        line = b"GET %s HTTP/1.1\r\n" % rng.choice(GETS)
        return Message((line, *common, b"\r\n"))
    path, media_type, body_of = rng.choice(POSTS)
    body = body_of(rng)
    head = [b"POST %s HTTP/1.1\r\n" % path, *common, b"Content-Type: %s\r\n" % media_type]
    if rng.random() < 0.4:
        return Message((*head, b"Transfer-Encoding: chunked\r\n", b"\r\n"), _chunked(rng, body))
    return Message((*head, b"Content-Length: %d\r\n" % len(body), b"\r\n"), body)


def _chunked(rng: Random, body: bytes, write: Callable[[int, bytes], bytes] | None = None) -> bytes:
    """Return a body in chunks, each as `write` makes it of its number and data; the last one is empty."""
    write = write or (lambda _, data: b"%x\r\n%s\r\n" % (len(data), data))
    cuts = sorted(rng.randrange(len(body) + 1) for _ in range(rng.choice((0, 1, 2))))
    bounds = [0, *cuts, len(body)]
    parts = [part for start, end in itertools.pairwise(bounds) if (part := body[start:end])]
    return b"".join(write(place, part) for place, part in enumerate(parts)) + b"0\r\n\r\n"


# --- faults: each makes a message odd in one way


def _insert(rng: Random, message: Message, *lines: bytes) -> Message:
    """Put header lines somewhere into a head."""
    place = rng.randrange(1, max(2, len(message.lines)))
    return replace(message, lines=(*message.lines[:place], *lines, *message.lines[place:]))


def _replace(message: Message, name: bytes, *lines: bytes) -> Message:
    """Put lines in the place of all headers of a name, in lower case."""
    kept = [line for line in message.lines if not line.lower().startswith(name + b":")]
    return replace(message, lines=(*kept[:1], *lines, *kept[1:]))


def _adding(*variants: bytes) -> Callable[[Random, Message], Message]:
    return lambda rng, message: _insert(rng, message, rng.choice(variants))


def _replacing(name: bytes, *variants: bytes) -> Callable[[Random, Message], Message]:
    return lambda rng, message: _replace(message, name, rng.choice(variants))


def _plain_body(message: Message) -> bytes:
    """Return the body if it has a length, or else one that looks like it."""
    return message.body if any(line.startswith(b"Content-Length") for line in message.lines) else b'{"name": "Jordan"}'


def _content_length(rng: Random, message: Message) -> Message:
    body = _plain_body(message)
    n = len(body)
    lines = rng.choice(
        (
            *(b"Content-Length: %s\r\n" % value for value in _length_variants(n)),
            b"Content-Length: %d\r\nContent-Length: %d\r\n" % (n, n),
            b"Content-Length: %d\r\nContent-Length: %d\r\n" % (n, n + 5),
            b"Content-Length: %d\r\nContent-Length: %d\r\n" % (0, n),
            b"Content-Length: %d\r\ncontent-length : 0\r\n" % n,
            b"Content-Length:\r\n %d\r\n" % n,
            b"Content_Length: 0\r\nContent-Length: %d\r\n" % n,
            b"",
        )
    )
    message = _replace(_replace(message, b"transfer-encoding"), b"content-length", *lines.splitlines(keepends=True))
    return replace(message, body=body)


def _length_variants(n: int) -> list[bytes]:
    texts = (
        *(str(n), f"+{n}", f"-{n}", f"0{n}", f"000000000000000000000{n}", f"{n},{n}", f"{n}, {n}", f"{n}, 0", f"{n};"),
        *(f" \t{n}\t ", f"0x{n:x}", f"{n}.0", f"{n}_0", f"{n} 0", f'"{n}"', f"{n}\x0b", f"{n}\x00", "", " ", "x"),
        *(str(n - 1), str(n + 1), str(n + 60), "0", "4294967296", "18446744073709551616", f"{2**64 + n}", "9" * 30),
        *(f"{2**32 + n}", f",{n}", f"{n},", "\u0663"),
    )
    return [text.encode() for text in texts]


_CODINGS = (
    *(b"gzip, chunked", b"chunked, gzip", b"chunked, chunked", b"identity", b"identity, chunked", b"gzip", b"xchunked"),
    *(b"Chunked", b"CHUNKED", b" chunked", b"\tchunked", b"chunked ", b"chunked\t", b"\x0bchunked", b"chunked\x0b"),
    *(b"chunked;a=b", b'"chunked"', b"'chunked'", b"chunked,", b",chunked", b"", b"chunke", b"chunked\x00", b"chunk"),
    *(b"chunked\xff", b"identity, identity, chunked", b"chunked\r", b"\r\n chunked", b"x\r\n chunked"),
)
_CODING_LINES = (
    *(b"Transfer-Encoding: %s\r\n" % coding for coding in _CODINGS),
    *(b"Transfer-Encoding : chunked\r\n", b" Transfer-Encoding: chunked\r\n", b"Transfer_Encoding: chunked\r\n"),
    *(b"Transfer-Encoding:chunked\r\n", b"Transfer-Encoding\t: chunked\r\n", b"Transfer-Encoding: chunked\n"),
    *(b"\nTransfer-Encoding: chunked\r\n", b"X: y\rTransfer-Encoding: chunked\r\n", b"Transfer-Encoding\r\n"),
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
    b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n",
    b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
)


def _transfer_encoding(rng: Random, message: Message) -> Message:
    """Name a coding oddly; the body is in chunks or not, with a length beside it or not."""
    lines = rng.choice(_CODING_LINES).splitlines(keepends=True)
    plain = _plain_body(message)
    message = _replace(_replace(message, b"content-length"), b"transfer-encoding", *lines)
    body = rng.choice((_chunked(rng, plain), plain, b"0\r\n\r\n" + plain))
    if rng.random() < 0.5:
        length = rng.choice((len(body), len(plain), 0, 5))
        message = _insert(rng, message, b"Content-Length: %d\r\n" % length)
    return replace(message, body=body)


_SIZES: tuple[Callable[[int], bytes], ...] = (
    *(lambda n: b"%X" % n, lambda n: b"000%x" % n, lambda n: b"0x%x" % n),
    *(lambda n: b"+%x" % n, lambda n: b"-%x" % n, lambda n: b" %x" % n, lambda n: b"%x " % n, lambda n: b"%x\t" % n),
    *(lambda n: b"%x;a" % n, lambda n: b"%x;a=b" % n, lambda n: b'%x;a="b;c"' % n, lambda n: b'%x;a="b\\"' % n),
    *(lambda n: b"%x ; a = b" % n, lambda n: b"%x;" % n, lambda n: b"%x;a\x00" % n, lambda n: b"%x;a\xff" % n),
    *(lambda n: b"%x;a\n" % n, lambda n: b"%x;a\rb" % n, lambda n: b"%x;" % n + b"a" * 300, lambda n: b"%xg" % n),
    *(lambda n: b"%x" % (n + 1), lambda n: b"%x" % (n - 1), lambda n: b"1%016x" % n, lambda _: b"f" * 16),
    *(lambda n: b"%d" % n, lambda n: b"%x_0" % n, lambda _: b"", lambda n: b"%x.0" % n, lambda n: b"%x,%x" % (n, n)),
    *(lambda n: b"%x 0" % n, lambda n: b"%x\x0b" % n, lambda n: b"f" * 8 + b"%x" % n, lambda n: b'%x;"' % n),
)
_CHUNK_ENDS = (b"\n", b"\r", b"", b"\r\n\r\n", b"\n\r", b" \r\n", b"\r\r\n", b"x\r\n", b"\x00\r\n")
_TRAILERS = (
    *(b"X-A: b\r\n", b"X-Request-ID: trailer\r\n", b"Content-Length: 5\r\n", b"Transfer-Encoding: chunked\r\n"),
    *(
        b"Host: y\r\n",
        b"Connection: close\r\n",
        b"Content-Type: text/plain\r\n",
        b"X-A: b\n",
        b"X-A : b\r\n",
        b": b\r\n",
    ),
    *(b"X-A\r\n", b" X-A: b\r\n", b"X-A: b\r\n c\r\n", b"X-A: \x00\r\n", b"X-A: b\rc\r\n", b"X-\xe9: b\r\n"),
    *(b"Upgrade: h2c\r\nConnection: upgrade\r\n", b"X-A: " + b"a" * 20_000 + b"\r\n", b"Expect: 100-continue\r\n"),
    b"GET /livez HTTP/1.1\r\nHost: x\r\n",
)


def _chunks(rng: Random, message: Message) -> Message:
    """Write one chunk, the last one or the trailers oddly."""
    plain = _plain_body(message)
    message = _replace(_replace(message, b"content-length"), b"transfer-encoding", b"Transfer-Encoding: chunked\r\n")
    match rng.randrange(5):
        case 0 | 1:
            size = rng.choice(_SIZES)
            body = _chunked(rng, plain, lambda _, data: size(len(data)) + b"\r\n%s\r\n" % data)
        case 2:
            ends = rng.choice(((rng.choice(_CHUNK_ENDS), b"\r\n"), (b"\r\n", rng.choice(_CHUNK_ENDS))))
            body = _chunked(rng, plain, lambda _, data: b"%x%s%s%s" % (len(data), ends[0], data, ends[1]))
        case 3:
            body = _chunked(rng, plain)[:-2] + rng.choice(_TRAILERS) + b"\r\n"
        case _:
            last = rng.choice(
                (b"0\r\n", b"0\n\n", b"00\r\n\r\n", b"0;a\r\n\r\n", b"\r\n\r\n", b"0 \r\n\r\n", b"-0\r\n\r\n")
            )
            body = _chunked(rng, plain)[:-5] + last
    return replace(message, body=body)


def _request_line(rng: Random, message: Message) -> Message:
    method, _, rest = message.lines[0].rstrip(b"\r\n").partition(b" ")
    target, _, version = rest.rpartition(b" ")
    space, end = b" ", b"\r\n"
    match rng.randrange(5):
        case 0:
            space = rng.choice((b"  ", b"\t", b" \t", b"\x0b", b"\xa0", b"\x00", b"\r", b""))
        case 1:
            end = rng.choice((b"\n", b"\r", b" \r\n", b"\r\r\n", b"\x00\r\n", b"\t\r\n", b"\r\n\r\n", b"x\r\n"))
        case 2:
            version = rng.choice(_VERSIONS)
        case 3:
            method = rng.choice(_METHODS)
        case _:
            target = rng.choice(_TARGETS).replace(b"TARGET", target)
    return replace(message, lines=(space.join((method, target, version)) + end, *message.lines[1:]))


_VERSIONS = (
    *(
        b"HTTP/1.0",
        b"HTTP/1.0",
        b"HTTP/0.9",
        b"HTTP/2.0",
        b"HTTP/1.2",
        b"HTTP/1.10",
        b"HTTP/1",
        b"HTTP/11",
        b"http/1.1",
    ),
    *(b"HTTP /1.1", b"HTTP/ 1.1", b"HTTP/1.1 ", b"HTTP/01.1", b"HTTP/1,1", b"HTTPS/1.1", b"ICE/1.0", b"RTSP/1.0", b""),
)
_METHODS = (
    *(b"get", b"Post", b"HEAD", b"OPTIONS", b"PUT", b"TRACE", b"CONNECT", b"PRI", b"SOURCE", b"M-SEARCH", b"PROPFIND"),
    *(b"", b"G\x00T", b"GE(T", b"GET:", b"\xc3\xa9", b"GET\xff", b"QUERY", b"DESCRIBE", b"POSTPOST", b"X" * 300),
)
_TARGETS = (
    *(b"http://xTARGET", b"HTTP://x:80TARGET", b"http://y@xTARGET", b"//xTARGET", b"x:80", b"*", b"", b"livez", b"/"),
    *(b"TARGET#a", b"TARGET\x00", b"TARGET\xc3\xa9", b"TARGET\x7f", b"TARGET\x01", b"TARGET a", b"TARGET\t", b"/\\"),
    *(b"/%00", b"/%zz", b"/../livez", b"/.TARGET", b"/" + b"a" * 20_000, b"https://xTARGET", b"http:/livez", b"?"),
    *(b"TARGET|", b'TARGET"', b"TARGET<", b"TARGET{}", b"TARGET^", b"ftp://xTARGET", b"http://[::1]TARGET", b"http://"),
)


def _random_byte(rng: Random, message: Message) -> Message:
    """Insert, change or remove a byte anywhere."""
    data = bytearray(bytes(message))
    place = rng.randrange(len(data) + 1)
    data[place : place + rng.choice((0, 1))] = rng.choice(_BYTES)
    head, end, body = bytes(data).partition(b"\r\n\r\n")
    return replace(message, lines=tuple((head + end).splitlines(keepends=True)), body=body)


_BYTES = (b"", b"\0", b"\r", b"\n", b" ", b"\t", b":", b",", b";", b"\x7f", b"\xff", b"\x0b", b"\x0c", b"\x85", b"0")


def _body_of_requests(rng: Random, message: Message) -> Message:
    """Let the body be a request with an id of its own."""
    request_id = next((line for line in message.lines if line.startswith(b"X-Request-ID")), b"X-Request-ID: 0\r\n")
    inner = b"GET /livez HTTP/1.1\r\nHost: x\r\n" + request_id.rstrip() + b"-inner\r\n\r\n"
    body = rng.choice((b"", b"{}", b"\r\n")) + inner * rng.choice((1, 2))
    message = _replace(_replace(message, b"content-length"), b"transfer-encoding")
    if rng.random() < 0.5:
        return replace(_replace(message, b"content-length", b"Content-Length: %d\r\n" % len(body)), body=body)
    message = _replace(message, b"transfer-encoding", b"Transfer-Encoding: chunked\r\n")
    return replace(message, body=_chunked(rng, body))


def _line_ends(rng: Random, message: Message) -> Message:
    """End one line of the head, or each, with something other than CR LF."""
    end = rng.choice((b"\n", b"\r", b"\r\r\n", b"\n\r", b"\r\n\n", b" \r\n", b"\x00\r\n", b"\r\n "))
    places: Sequence[int] = range(len(message.lines))
    if rng.random() < 0.7:
        places = [rng.randrange(len(message.lines))]
    lines = [line.rstrip(b"\r\n") + end if i in places else line for i, line in enumerate(message.lines)]
    return replace(message, lines=tuple(lines))


def _get_with_body(rng: Random, message: Message) -> Message:
    """Ask for something with a method that seldom has a body."""
    line = b"%s /check_service HTTP/1.1\r\n" % rng.choice((b"GET", b"HEAD", b"OPTIONS", b"DELETE"))
    return replace(message, lines=(line, *message.lines[1:]))


def _cut_off(rng: Random, message: Message) -> Message:
    """Leave out the end."""
    whole = bytes(message)
    data = whole[: rng.randrange(1, max(2, len(whole)))]
    head, end, body = data.partition(b"\r\n\r\n")
    return replace(message, lines=tuple((head + end).splitlines(keepends=True)), body=body)


FAULTS: dict[str, Callable[[Random, Message], Message]] = {
    "request line": _request_line,
    "Host": _replacing(
        b"host",
        *(b"", b"Host: x\r\nHost: x\r\n", b"Host: x\r\nhost: y\r\n", b"Host:\r\n", b"Host: x y\r\n", b"Host: x,y\r\n"),
        *(
            b"Host: \xff\r\n",
            b"Host : x\r\n",
            b"Host: x\r\n y\r\n",
            b"Host: http://x/\r\n",
            b"Host: @\r\n",
            b"hOsT: x\r\n",
        ),
    ),
    "header": _adding(
        *(b"X-A : b\r\n", b"X-A\t: b\r\n", b"X-A\r\n", b": b\r\n", b" X-A: b\r\n", b"X A: b\r\n", b"X-A: b\r\n c\r\n"),
        *(b"X-A: \x00\r\n", b"X-A: b\x01c\r\n", b"X-A: b\x7f\r\n", b"X(A: b\r\n", b"X-\xe9: b\r\n", b"X-A: \xe9\r\n"),
        *(
            b"X-A: b\rc\r\n",
            b"X-A: b\nc: d\r\n",
            b"X-A: " + b"a" * 17_000 + b"\r\n",
            b"X-A: b\r\r\n",
            b"X-A:\r\n",
            b"\t\r\n",
        ),
        *(
            b"X-A: b\x0b\r\n",
            b"X-A: \x85b\r\n",
            b"X_A: b\r\n",
            b'"X": b\r\n',
            b"X-A: b\x0cc\r\n",
            b"X-A: \r\n\r\n",
            b"@: b\r\n",
        ),
        *(b"Trailer: X-A\r\n", b"TE: trailers\r\n", b"X-Request-ID: second\r\n", b"Content-Encoding: identity\r\n"),
    ),
    "Content-Length": _content_length,
    "Transfer-Encoding": _transfer_encoding,
    "chunks": _chunks,
    "Upgrade": _adding(
        *(UPGRADE, UPGRADE, b"Upgrade: h2c\r\n", b"Connection: Upgrade\r\n", b"Upgrade:\r\nConnection: upgrade\r\n"),
        b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n",
        *(b"Connection: upgrade\r\nUpgrade: TLS/1.0, h2c\r\n", b"Connection: close, upgrade\r\nUpgrade: h2c\r\n"),
        *(b"Connection: upgrade\r\nConnection: close\r\nUpgrade: h2c\r\n", b"connection:UPGRADE\r\nupgrade:h2c\r\n"),
        *(b"Upgrade: h2c\r\nConnection: keep-alive,upgrade\r\n", b"Connection: upgrade\r\nUpgrade: h2c\r\n x\r\n"),
        *(b"Connection: upgrade,host\r\nUpgrade: h2c\r\n", b"Proxy-Connection: upgrade\r\nUpgrade: h2c\r\n"),
    ),
    "Connection": _adding(
        *(b"Connection: close\r\n", b"Connection: keep-alive\r\n", b"Connection: keep-alive, close\r\n"),
        *(b"Connection: CLOSE\r\n", b"Connection: x\r\n", b"Connection: \r\n", b"Connection: close\r\n x\r\n"),
        *(b"Connection: close,\r\n", b"Connection: transfer-encoding\r\n", b"Connection:\tclose\t\r\n"),
        *(b"Connection: content-length, x-request-id\r\n", b"Proxy-Connection: close\r\n", b"Keep-Alive: max=1\r\n"),
    ),
    "Expect": _adding(
        *(b"Expect: 100-continue\r\n", b"Expect: 100-Continue\r\n", b"Expect: 200-ok\r\n", b"Expect:\r\n"),
        *(b"Expect: 100-continue, x\r\n", b"Expect: 100-continue\r\nExpect: 100-continue\r\n"),
    ),
    "HTTP/1.0": lambda _, message: replace(
        message, lines=(message.lines[0].replace(b"HTTP/1.1", b"HTTP/1.0"), *message.lines[1:])
    ),
    "HTTP/1.0 keep-alive": lambda rng, message: _insert(
        rng,
        replace(message, lines=(message.lines[0].replace(b"HTTP/1.1", b"HTTP/1.0"), *message.lines[1:])),
        b"Connection: keep-alive\r\n",
    ),
    "line ends": _line_ends,
    "byte": _random_byte,
    "byte again": _random_byte,
    "body of requests": _body_of_requests,
    "method with a body": _get_with_body,
    "empty line before": lambda rng, message: replace(
        message, lines=(rng.choice((b"\r\n", b"\n", b"\r\n\r\n", b" \r\n", b"\x00")), *message.lines)
    ),
    "cut off": _cut_off,
    "more than its length": lambda rng, message: replace(
        message, body=message.body + rng.choice((b"\r\n", b"\n", b"\x00", b"a", b"0\r\n\r\n", b"GET"))
    ),
}
