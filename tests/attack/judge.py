"""What stock h11 makes of bytes, and what the service's answers to them must then be."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

import h11

from api.tests.wire import Answer

MAX_HEAD_BYTES = 64 * 1024
"""Of a head for h11: more than the service takes, so that its own bound counts as strictness."""
_PLAIN_ID = re.compile(rb"[A-Za-z0-9._:-]{1,128}")
_BROKEN_STREAM = re.compile(rb"cut off|not valid HTTP")
"""What the last line of a stream says if its body broke off."""
_WORD = re.compile(rb"[^A-Za-z]")
_FRACTION = re.compile(rb"-?\d+\.\d+(e-?\d+)?")
_WITHOUT_BODY = {b"GET", b"HEAD"}


class End(Enum):
    """How a stream of requests ends for h11."""

    CLEAN = "after a whole request"
    CUT_OFF = "within a request"
    REFUSED = "at what is not HTTP"


@dataclass
class Request:
    """A request as h11 frames it: all of it, or its head and a body that is cut off or broken."""

    method: bytes
    target: bytes
    version: bytes
    headers: list[tuple[bytes, bytes]]
    body: bytes = b""
    optional: bool = False
    """It follows a request of HTTP/1.0 or older with keep-alive: h11 closes there, the service need not."""

    def values(self, name: bytes) -> list[bytes]:
        """Return the values of a header, of which there may be several."""
        return [value for found, value in self.headers if found == name]

    @property
    def request_id(self) -> bytes | None:
        """The id that its answer must echo, if it has exactly one and a plain one."""
        ids = self.values(b"x-request-id") + self.values(b"idempotency-key")
        return ids[0] if len(ids) == 1 and _PLAIN_ID.fullmatch(ids[0]) else None

    @property
    def is_answered_early(self) -> bool:
        """Whether its answer may come before the body, which then may be refused."""
        return self.method in _WITHOUT_BODY and bool(self.values(b"transfer-encoding"))

    @property
    def expects_continue(self) -> bool:
        """Whether a 100 may come before its answer."""
        tokens = b",".join(self.values(b"expect")).lower().split(b",")
        return self.version >= b"1.1" and b"100-continue" in [token.strip() for token in tokens]


@dataclass
class Reading:
    """Whole requests and how the stream ends: `partial` is a last one whose head is whole, `rest` what is left."""

    requests: list[Request] = field(default_factory=list)
    end: End = End.CLEAN
    partial: Request | None = None
    rest: bytes = b""
    surplus: bool = False
    """Whether the client sent on behind a request that ends the connection."""

    @property
    def methods(self) -> list[bytes]:
        """Methods of the requests and of what may be one more: an answer to HEAD has no body."""
        return [*(request.method for request in self.requests), _WORD.split(self.rest, maxsplit=1)[0]]


def read(data: bytes) -> Reading:
    """Return how h11 frames a stream of requests, each of which is answered with an error that keeps the connection.

    Unlike h11, and as RFC 9112 section 2.2 asks for, empty lines before a request are skipped.
    """
    reading = Reading()
    optional = False
    while data := data.lstrip(b"\r\n"):
        reading.rest = data
        reader = h11.Connection(h11.SERVER, max_incomplete_event_size=MAX_HEAD_BYTES)
        reader.receive_data(data)
        reading.partial = None
        try:
            reading.end = _read_request(reader, reading, optional=optional)
        except h11.RemoteProtocolError:
            reading.end = End.REFUSED
        if reading.end is not End.CLEAN:
            break
        request = reading.requests[-1]
        if reader.our_state is h11.MUST_CLOSE:
            if request.version == b"1.1" or b"keep-alive" not in b",".join(request.values(b"connection")).lower():
                reading.surplus = bool(reader.trailing_data[0])
                break
            optional = True
        reading.rest = data = reader.trailing_data[0]
    return reading


def _read_request(reader: h11.Connection, reading: Reading, *, optional: bool) -> End:
    """Read one request and answer it; until it is whole, it is `reading.partial`."""
    while True:
        event = reader.next_event()
        if isinstance(event, h11.Request):
            headers = [(bytes(name), bytes(value)) for name, value in event.headers]
            reading.partial = Request(event.method, event.target, event.http_version, headers, optional=optional)
        elif isinstance(event, h11.Data) and reading.partial:
            reading.partial.body += bytes(event.data)
        elif isinstance(event, h11.EndOfMessage):
            reader.send(h11.Response(status_code=400, headers=[("content-length", "0")]))
            reader.send(h11.EndOfMessage())
            reading.requests += [reading.partial] if reading.partial else []
            reading.partial = None
            return End.CLEAN
        else:
            return End.CUT_OFF


@dataclass(frozen=True)
class Verdict:
    """What differs, empty if nothing does, and where the service is stricter than h11."""

    disagreement: str = ""
    stricter: str = ""


def compare(reading: Reading, references: Sequence[Answer], answers: Sequence[Answer], *, broken: bool) -> Verdict:
    """Judge the answers to a stream of requests.

    Args:
        reading: the stream as h11 frames it.
        references: what the service answers to each whole request if it is sent alone and plainly.
        answers: what it answered to the stream.
        broken: whether half an answer came last.
    """
    stricter = ""
    for place, answer in enumerate(answers):
        if fault := _fault_of_any(answer, reading, place):
            return Verdict(fault)
        if place >= len(reading.requests):
            return Verdict(_fault_of_surplus(reading, answer, place - len(reading.requests)), stricter)
        if _matches(answer, references[place], reading.requests[place]):
            continue
        if not (_is_refusal(answer) and place == len(answers) - 1):
            return Verdict(_name_mismatch(answer, references[place], reading.requests[place]))
        stricter = f"refused with {answer.status}" if answer.status != 200 else "a stream broken off"
    return _judge_end(reading, answers, stricter, broken=broken)


def _fault_of_any(answer: Answer, reading: Reading, place: int) -> str:
    if answer.status >= 500:
        return f"a {answer.status} for input"
    known = [*reading.requests, *([reading.partial] if reading.partial else [])]
    if answer.informational and not (place < len(known) and known[place].expects_continue):
        return "a 100 that nobody expects"
    return ""


def _fault_of_surplus(reading: Reading, answer: Answer, surplus: int) -> str:
    """Judge an answer that belongs to no whole request."""
    if surplus or reading.end is End.CLEAN:
        return "more answers than requests"
    if _is_refusal(answer):
        return ""
    if reading.partial and (answer.status >= 400 or reading.partial.method in _WITHOUT_BODY):
        return ""  # the head was enough to answer
    is_unframed = not answer.headers.keys() & {b"content-length", b"transfer-encoding"}
    if reading.partial and (_BROKEN_STREAM.search(answer.body) or is_unframed):
        return ""  # a stream answers what came, and says that it was not all; to HTTP/1.0 it cannot
    what = "refuses" if reading.end is End.REFUSED else "waits for more"
    return f"answered with {answer.status} where h11 {what}"


def _judge_end(reading: Reading, answers: Sequence[Answer], stricter: str, *, broken: bool) -> Verdict:
    closes = bool(answers) and answers[-1].headers.get(b"connection", b"").lower() == b"close"
    missing = [request for request in reading.requests[len(answers) :] if not request.optional]
    if missing and answers and reading.requests[len(answers) - 1].is_answered_early:
        return Verdict(stricter="closed at a body after its answer")
    if broken and (missing or not reading.partial):
        return Verdict("a broken answer")
    if missing and not closes:
        return Verdict("answers are missing")
    return Verdict(stricter=stricter or ("closed before the last request" if missing else ""))


def _is_refusal(answer: Answer) -> bool:
    """Tell whether an answer refuses its request, or breaks a stream off, and ends the connection."""
    is_error = 400 <= answer.status < 500 or bool(_BROKEN_STREAM.search(answer.body))
    return is_error and answer.headers.get(b"connection", b"").lower() == b"close"


def _matches(answer: Answer, reference: Answer, request: Request) -> bool:
    expected_id = request.request_id
    if expected_id is not None and answer.headers.get(b"x-request-id") != expected_id:
        return False
    return (answer.status, without_id(answer)) == (reference.status, without_id(reference))


def _name_mismatch(answer: Answer, reference: Answer, request: Request) -> str:
    if request.request_id is not None and answer.headers.get(b"x-request-id") != request.request_id:
        return f"a {answer.status} for another request"
    if answer.status != reference.status:
        return f"{answer.status} instead of {reference.status}"
    return "answered for another body"


def without_id(answer: Answer) -> bytes:
    """Return the body of an answer without the id of its request and the fractions, which depend on the batch."""
    return _FRACTION.sub(b"", answer.body.replace(answer.headers.get(b"x-request-id", b"-"), b""))
