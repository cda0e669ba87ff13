"""Where a request ends, whose body it is, and in which order answers come, over any segmentation."""

import gzip
import hashlib
import itertools
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from api.tests.conftest import Server, start, stop
from api.tests.wire import Answer, connect, exchange, parse, read_to_end

KEY = "framing-key"
SETTINGS_WITH_KEY = {"API_KEYS": json.dumps([{"name": "framing", "sha256": hashlib.sha256(KEY.encode()).hexdigest()}])}
FENCE = b"GET /check_service HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
"""Ends a pipeline: its answer is the last one, so one answer too many or too few before it shows."""
UPGRADE = b"connection: Upgrade, HTTP2-Settings\r\nupgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n"
POSTS: dict[str, tuple[str, bytes]] = {
    "/get_prediction": ("application/json", b'{"name": "Kowalska"}'),
    "/v1/predict": ("application/json", b'{"names": ["Kowalska"]}'),
    "/v1/explain": ("application/json", b'{"name": "Kowalska"}'),
    "/v2/models/name-classifier/infer": (
        "application/json",
        b'{"inputs": [{"name": "name", "datatype": "BYTES", "shape": [1], "data": ["Kowalska"]}]}',
    ),
    "/v1/predict/stream": ("application/x-ndjson", b'"Kowalska"\n'),
    "/v1/predict/file": ("text/csv", b"name\nKowalska\n"),
}
LIST_OF_1000 = b'{"names": [%s]}' % b", ".join([b'"Kowalska"'] * 1000)
HOT_PATHS = ("/get_prediction", "/v1/predict")
Segmentation = Callable[[bytes], list[bytes]]


def _before_body(data: bytes) -> list[bytes]:
    head, end, rest = data.partition(b"\r\n\r\n")
    return [head + end, rest]


SEGMENTATIONS: dict[str, Segmentation] = {
    "at once": lambda data: [data],
    "head, then body": _before_body,
    "byte by byte": lambda data: [data[i : i + 1] for i in range(len(data))],
}


@pytest.fixture(params=list(SEGMENTATIONS.values()), ids=list(SEGMENTATIONS))
def segmentation(request: pytest.FixtureRequest) -> Segmentation:
    chosen: Segmentation = request.param
    return chosen


@pytest.fixture(scope="module")
def keyed(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    running = start(bundle, tmp_path_factory.mktemp("keyed") / "log", **SETTINGS_WITH_KEY)
    yield running
    assert stop(running) == 0


def _port(server: Server) -> int:
    port = server.client.base_url.port
    assert port
    return port


def _chunked(body: bytes, trailers: bytes = b"") -> bytes:
    middle = len(body) // 2
    chunks = (body[:middle], body[middle:])
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in chunks if chunk) + b"0\r\n" + trailers + b"\r\n"


def _post(
    path: str, headers: bytes = b"", *, body: bytes | None = None, chunked: bool = False, trailers: bytes = b""
) -> bytes:
    """Return a request as the route wants it, but for what is given."""
    content_type, usual_body = POSTS[path]
    if b"content-type:" not in headers:
        headers += b"content-type: %s\r\n" % content_type.encode()
    content = usual_body if body is None else body
    framing = b"transfer-encoding: chunked" if chunked else b"content-length: %d" % len(content)
    head = b"POST %s HTTP/1.1\r\nhost: x\r\nx-request-id: framing\r\n%s%s\r\n\r\n" % (path.encode(), headers, framing)
    return head + (_chunked(content, trailers) if chunked else content)


def _answers(server: Server, data: bytes, segmentation: Segmentation) -> list[Answer]:
    """Return the answers to data and a fence behind it, that of the fence left out if it is there."""
    answers = parse(exchange(_port(server), segmentation(data + FENCE)))
    if b"Hello world" in answers[-1].body:
        return answers[:-1]
    assert answers[-1].headers.get(b"connection") == b"close", "the last answer ends the connection"
    return answers


def _statuses(answers: list[Answer]) -> list[int]:
    return [answer.status for answer in answers]


# --- Upgrade: a declared body stays a body


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
@pytest.mark.parametrize("path", POSTS)
def test_an_offered_upgrade_changes_nothing(
    server: Server, segmentation: Segmentation, path: str, *, chunked: bool
) -> None:
    plain = _answers(server, _post(path, chunked=chunked), segmentation)
    offered = _answers(server, _post(path, UPGRADE, chunked=chunked), segmentation)
    assert _statuses(plain) == [200]
    assert [answer.without_date for answer in offered] == [answer.without_date for answer in plain]


@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
@pytest.mark.parametrize("upgrade", [UPGRADE, b"upgrade: websocket\r\nconnection: upgrade\r\n", b"upgrade: h2c\r\n"])
@pytest.mark.parametrize("path", HOT_PATHS)
def test_a_body_that_is_a_request_is_not_executed(
    server: Server, segmentation: Segmentation, path: str, upgrade: bytes, *, chunked: bool
) -> None:
    smuggled = b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n"
    answers = _answers(server, _post(path, upgrade, body=smuggled, chunked=chunked), segmentation)
    assert _statuses(answers) == [400]


# --- trailers are never headers


@pytest.mark.parametrize("trailer", [f"x-api-key: {KEY}", f"authorization: Bearer {KEY}"])
@pytest.mark.parametrize("path", POSTS)
def test_a_key_in_a_trailer_is_no_key(keyed: Server, segmentation: Segmentation, path: str, trailer: str) -> None:
    data = _post(path, chunked=True, trailers=trailer.encode() + b"\r\n")
    assert set(_statuses(_answers(keyed, data, segmentation))) == {401}


@pytest.mark.parametrize("path", HOT_PATHS)
def test_no_trailer_counts_as_a_header(server: Server, segmentation: Segmentation, path: str) -> None:
    trailers = b"x-request-id: from-trailer\r\nidempotency-key: from-trailer\r\ncontent-encoding: br\r\norigin: a\r\n"
    plain = _answers(server, _post(path, chunked=True), segmentation)
    trailed = _answers(server, _post(path, chunked=True, trailers=trailers), segmentation)
    assert [answer.without_date for answer in trailed] == [answer.without_date for answer in plain]


def test_a_media_type_in_a_trailer_does_not_count(server: Server, segmentation: Segmentation) -> None:
    data = _post("/v1/predict", b"x-content-type: \r\n", chunked=True, trailers=b"content-type: application/json\r\n")
    assert _statuses(_answers(server, data.replace(b"\r\ncontent-type:", b"\r\nx-type:", 1), segmentation)) == [415]


def test_an_address_in_a_trailer_does_not_count(bundle: Path, tmp_path: Path) -> None:
    server = start(bundle, tmp_path / "log", RATE_LIMIT="2/hour")
    trailed = _post("/v1/predict", chunked=True, trailers=b"x-forwarded-for: 203.0.113.9\r\n")
    first, *later = [
        _statuses(_answers(server, _post("/v1/predict") * 2 + trailed, segmentation))
        for segmentation in SEGMENTATIONS.values()
    ]
    stop(server)
    assert first == [200, 200, 429]
    assert later == [[429] * 3] * len(later)


# --- pipelines


PROBE = b"GET /metrics HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
PIPELINE = 1600
PROBES = 15
REQUESTS_WHILE_A_PROBE_WAITS = 400
"""Of one pipelining client: a few bounded pipelines, however fast the machine is."""


def _requests_served(metrics: bytes) -> int:
    lines = (line for line in metrics.splitlines() if line.startswith(b"http_requests_total{"))
    return sum(int(float(line.split()[-1])) for line in lines)


def _pipeline_until(stopped: threading.Event, port: int) -> None:
    """Send pipelines one after the other on as many connections as the server takes."""
    data = _post("/get_prediction") * PIPELINE
    while not stopped.is_set():
        with connect(port) as connection:
            sender = threading.Thread(target=_send_quietly, args=(connection, data))
            sender.start()
            try:
                while not stopped.is_set() and connection.recv(1 << 20):
                    pass
            except OSError:
                pass
            connection.close()
            sender.join()


def _send_quietly(connection: socket.socket, data: bytes) -> None:
    try:
        while True:
            connection.sendall(data)
    except OSError:
        return


def test_a_pipelining_client_does_not_stall_probes(bundle: Path, tmp_path: Path) -> None:
    server = start(bundle, tmp_path / "log")
    stopped = threading.Event()
    attacker = threading.Thread(target=_pipeline_until, args=(stopped, _port(server)))
    attacker.start()
    try:
        counts = [_requests_served(exchange(_port(server), [PROBE])) for _ in range(PROBES)]
    finally:
        stopped.set()
        attacker.join()
        stop(server)
    waits = sorted(after - before for before, after in itertools.pairwise(counts))
    assert counts[-1] > counts[0], "the attack went on"
    assert waits[len(waits) // 2] <= REQUESTS_WHILE_A_PROBE_WAITS


def test_a_pipelining_client_that_does_not_read_costs_no_memory(bundle: Path, tmp_path: Path) -> None:
    server = start(bundle, tmp_path / "log")
    memory = Path(f"/proc/{server.process.pid}/statm")
    before = int(memory.read_text().split()[1])
    with connect(_port(server)) as connection:
        connection.settimeout(2)
        try:
            for _ in range(200):
                connection.sendall(_post("/get_prediction") * PIPELINE)
        except OSError:
            pass
        grown = (int(memory.read_text().split()[1]) - before) * 4096 / 2**20
    stop(server)
    assert grown < 16


@pytest.mark.parametrize("place", [-1, 100, -2500, -200])
def test_a_pipeline_is_answered_in_order(server: Server, place: int) -> None:
    first = _post("/v1/predict", body=LIST_OF_1000).replace(b"x-request-id: framing", b"x-request-id: first")
    rest = [_post(path).replace(b"id: framing", b"id: %d" % i) for i, path in enumerate([*POSTS, *HOT_PATHS])]
    answers = _answers(server, first + b"".join(rest), lambda data: [data[:place], data[place:]])
    ids = [answer.headers[b"x-request-id"] for answer in answers]
    assert ids == [b"first", *(b"%d" % i for i in range(len(rest)))]
    assert set(_statuses(answers)) == {200}


# --- heads that HTTP forbids


@pytest.mark.parametrize("hosts", [b"", b"host: x\r\nhost: x\r\n", b"host: x\r\nHost: y\r\n"])
@pytest.mark.parametrize("path", POSTS)
def test_a_request_has_exactly_one_host(server: Server, segmentation: Segmentation, path: str, hosts: bytes) -> None:
    data = _post(path).replace(b"host: x\r\n", hosts, 1)
    assert _statuses(_answers(server, data, segmentation)) == [400]


@pytest.mark.parametrize(
    "coding",
    [
        *(b"gzip, chunked", b"gzip", b"identity", b"chunked, chunked", b"chunked, gzip", b"xchunked", b"chunked;a=b"),
        *(b'"chunked"', b"chunked\r\ntransfer-encoding: chunked", b"gzip\r\ntransfer-encoding: chunked", b""),
    ],
)
@pytest.mark.parametrize("path", ["/get_prediction", "/v1/explain", "/v1/predict/stream"])
def test_a_body_is_chunked_or_has_a_length(
    server: Server, segmentation: Segmentation, path: str, coding: bytes
) -> None:
    data = _post(path, chunked=True).replace(b"encoding: chunked", b"encoding: " + coding, 1)
    assert _statuses(_answers(server, data, segmentation)) == [400]


# --- HTTP/1.0 and clients that close their half


@pytest.mark.parametrize("path", POSTS)
def test_an_http_1_0_client_gets_no_chunks(server: Server, segmentation: Segmentation, path: str) -> None:
    data = _post(path, b"expect: 100-continue\r\n").replace(b"HTTP/1.1\r\nhost: x\r\n", b"HTTP/1.0\r\n", 1)
    (answer,) = parse(exchange(_port(server), segmentation(data)))
    assert (answer.status, answer.informational) == (200, ())
    assert b"transfer-encoding" not in answer.headers
    assert b"Kowalska" in answer.body or b"labels" in answer.body or json.loads(answer.body)


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        *((path, None, 200) for path in POSTS),
        ("/v1/predict", LIST_OF_1000, 200),
        ("/v1/predict/stream", b'"Kowalska"\n' * 2000, 200),
        ("/v1/explain", b'{"name": ""}', 422),
        ("/get_prediction", b'{"name": ""}', 422),
    ],
)
@pytest.mark.parametrize("chunked", [False, True], ids=["length", "chunked"])
def test_a_half_closed_client_gets_its_answer(
    server: Server, path: str, body: bytes | None, status: int, *, chunked: bool
) -> None:
    stream = exchange(_port(server), [_post(path, body=body, chunked=chunked)], half_close=True)
    (answer,) = parse(stream)
    assert answer.status == status


def test_a_half_closed_pipeline_is_answered(server: Server) -> None:
    data = b"".join(_post(path) for path in POSTS)
    assert _statuses(parse(exchange(_port(server), [data], half_close=True))) == [200] * len(POSTS)


def test_a_truncated_request_of_a_half_closed_client_is_not_answered(server: Server) -> None:
    with connect(_port(server)) as connection:
        connection.sendall(_post("/get_prediction")[:-5])
        connection.shutdown(socket.SHUT_WR)
        assert 200 not in _statuses(parse(read_to_end(connection)))


def test_a_stream_whose_head_comes_during_an_answer_is_not_idle(bundle: Path, tmp_path: Path) -> None:
    server = start(bundle, tmp_path / "log", KEEP_ALIVE_SECONDS="1")
    head, _, _ = _post("/v1/predict/stream", chunked=True).partition(b"\r\n\r\n")
    with connect(_port(server)) as connection:
        connection.sendall(_post("/v1/predict", body=LIST_OF_1000) + head[:2])
        received = connection.recv(1)
        connection.sendall(head[2:] + b"\r\n\r\n")
        for _ in range(10):
            connection.sendall(b'b\r\n"Kowalska"\n\r\n')
            time.sleep(0.3)
        connection.sendall(b"0\r\n\r\n" + FENCE)
        answers = parse(received + read_to_end(connection))
    stop(server)
    assert _statuses(answers) == [200, 200, 200]
    assert answers[1].body.count(b"\n") == 10


# --- what encodes a body


@pytest.mark.parametrize("path", POSTS)
def test_an_encoded_body_is_refused_on_every_route_alike(server: Server, segmentation: Segmentation, path: str) -> None:
    data = _post(path, b"content-encoding: gzip\r\n", body=gzip.compress(POSTS[path][1]))
    (answer,) = _answers(server, data, segmentation)
    assert answer.status == 415
    assert b"Content-Encoding gzip" in answer.body


@pytest.mark.parametrize("charset", [b"windows-1252", b'"windows-1252"', b"ISO-8859-1"])
def test_the_charset_of_a_file_is_honoured_or_refused(
    server: Server, segmentation: Segmentation, charset: bytes
) -> None:
    data = _post("/v1/predict/file", b"content-type: text/csv; charset=%s\r\n" % charset, body=b"name\nM\xfcller\n")
    (answer,) = _answers(server, data, segmentation)
    if answer.status != 415:
        assert answer.status == 200
        assert "Müller" in answer.body.decode()


@pytest.mark.parametrize("path", POSTS)
def test_a_byte_order_mark_is_skipped(server: Server, segmentation: Segmentation, path: str) -> None:
    (answer,) = _answers(server, _post(path, body=b"\xef\xbb\xbf" + POSTS[path][1]), segmentation)
    assert answer.status == 200
    assert b'"error"' not in answer.body


@pytest.mark.parametrize("query", [b"name=M%FCller", b"name=Kowalska&label=%FF", b"name=%C0%AF", b"name=%ED%A0%80"])
def test_a_query_that_is_no_utf_8_is_refused(server: Server, segmentation: Segmentation, query: bytes) -> None:
    data = b"GET /v1/similar?%s HTTP/1.1\r\nhost: x\r\n\r\n" % query
    assert _statuses(_answers(server, data, segmentation)) == [400]


# --- keys


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (f"x-api-key: {KEY}", 200),
        (f"x-api-key: {KEY}   ", 200),
        (f"x-api-key:\t {KEY}\t", 200),
        (f"authorization: Bearer {KEY}  ", 200),
        (f"x-api-key: wrong\r\nx-api-key: {KEY}", 401),
        (f"x-api-key: {KEY}\r\nx-api-key: wrong", 401),
        (f"authorization: Bearer wrong\r\nauthorization: Bearer {KEY}", 401),
        (f"authorization: Bearer {KEY}\r\nauthorization: Bearer wrong", 401),
    ],
)
@pytest.mark.parametrize("path", ["/get_prediction", "/v1/explain", "/v1/predict/stream"])
def test_a_key_is_trimmed_and_two_different_ones_are_none(
    keyed: Server, segmentation: Segmentation, path: str, headers: str, status: int
) -> None:
    data = _post(path, headers.encode() + b"\r\n")
    assert set(_statuses(_answers(keyed, data, segmentation))) == {status}
