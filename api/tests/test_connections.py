"""What clients do on the wire, by mistake or on purpose, against a server with short deadlines."""

import contextlib
import json
import re
import signal
import socket
import threading
import time
from collections.abc import Collection, Iterator
from pathlib import Path

import httpx
import pytest

from api.tests.conftest import Server, metric_sum, start, stop, until

BODY = b'{"name": "Jordan"}'
HEAD = b"POST /get_prediction HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
REQUEST = HEAD + b"content-length: %d\r\n\r\n" % len(BODY) + BODY
PATIENCE = 20


@pytest.fixture(scope="module")
def strict(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    settings = {"HEAD_SECONDS": "1", "BODY_SECONDS": "1", "IDLE_SECONDS": "1", "KEEP_ALIVE_SECONDS": "1"}
    running = start(bundle, tmp_path_factory.mktemp("strict") / "log", **settings)
    yield running
    assert stop(running) == 0


def _connect(server: Server) -> socket.socket:
    url = server.client.base_url
    connection = socket.create_connection((url.host, url.port), timeout=PATIENCE)
    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return connection


def _read_all(connection: socket.socket) -> bytes:
    received = b""
    while chunk := connection.recv(65536):
        received += chunk
    return received


def _read_one(connection: socket.socket) -> bytes:
    """Return an answer, whose head and body may arrive one after the other."""
    received = b""
    while True:
        head, end, body = received.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head)
        if end and length and len(body) >= int(length[1]):
            return received
        chunk = connection.recv(65536)
        assert chunk, received
        received += chunk


def _statuses(stream: bytes) -> list[int]:
    return [int(part[:3]) for part in stream.split(b"HTTP/1.1 ")[1:]]


def _rss_mb(server: Server) -> float:
    pages = int(Path(f"/proc/{server.process.pid}/statm").read_text().split()[1])
    return pages * 4096 / 1e6


def _read_together(server: Server, sent: Collection[bytes]) -> list[bytes]:
    """Return what each of several connections, open at once, receives until the server closes it."""
    with contextlib.ExitStack() as held:
        connections = [held.enter_context(_connect(server)) for _ in sent]
        for connection, data in zip(connections, sent, strict=True):
            connection.sendall(data)
        return [_read_all(connection) for connection in connections]


def test_a_connection_that_times_out_is_closed(strict: Server) -> None:
    expected: dict[bytes, list[int]] = {
        b"": [],
        b"POST /get_predic": [408],
        HEAD: [408],
        HEAD + b"content-length: 18\r\n\r\n": [408],
        HEAD + b"content-length: 18\r\n\r\n" + BODY[:9]: [408],
        HEAD + b"transfer-encoding: chunked\r\n\r\n2\r\n{}\r\n": [408],
        REQUEST: [200],
    }
    answers = dict(zip(expected, _read_together(strict, expected), strict=True))
    assert {sent: _statuses(answer) for sent, answer in answers.items()} == expected
    for answer in answers.values():
        if _statuses(answer) == [408]:
            assert json.loads(answer.partition(b"\r\n\r\n")[2])["status"] == 408
            assert b"application/problem+json" in answer


def test_a_client_that_sends_byte_by_byte_times_out(strict: Server) -> None:
    with _connect(strict) as connection:
        try:
            for byte in HEAD + b"content-length: 18\r\n\r\n" + BODY:
                connection.sendall(bytes([byte]))
                time.sleep(0.05)
            answer = _read_all(connection)
        except ConnectionError:
            return
    assert _statuses(answer) == [408]


def test_a_client_that_never_reads_is_disconnected(strict: Server) -> None:
    with _connect(strict) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.setblocking(False)
        deadline = time.monotonic() + PATIENCE
        while time.monotonic() < deadline:
            try:
                connection.send(b"GET /openapi.json HTTP/1.1\r\nhost: x\r\n\r\n" * 100)
            except BlockingIOError:
                time.sleep(0.05)
            except ConnectionError:
                return
    pytest.fail("the connection stayed open")


def test_good_clients_are_answered_among_half_open_ones(strict: Server) -> None:
    held = [_connect(strict) for _ in range(100)]
    for place, connection in enumerate(held):
        connection.sendall((b"", b"POST", HEAD + b"content-length: 18\r\n\r\n{")[place % 3])
    answers = [strict.client.post("/get_prediction", json={"name": "Jordan"}).status_code for _ in range(50)]
    assert answers == [200] * 50
    for connection in held:
        _read_all(connection)
        connection.close()


@pytest.mark.parametrize("framing", [b"content-length: 50000000", b"transfer-encoding: chunked"])
def test_50_mb_are_refused_unbuffered_and_the_answer_arrives(strict: Server, framing: bytes) -> None:
    before, piece = _rss_mb(strict), b"x" * 1_000_000
    if b"chunked" in framing:
        piece = b"%x\r\n%s\r\n" % (len(piece), piece)
    with _connect(strict) as connection:
        connection.sendall(HEAD + framing + b"\r\n\r\n")
        for _ in range(50):
            connection.sendall(piece)
        assert _statuses(connection.recv(65536)) == [413]
    assert _rss_mb(strict) - before < 5


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /livez HTTP/1.1\r\nhost: x\r\nx-long: " + b"a" * 1_000_000 + b"\r\n\r\n", 431),
        (b"GET /livez?" + b"a" * 100_000 + b" HTTP/1.1\r\nhost: x\r\n\r\n", 431),
        (b"GET /livez HTTP/1.1\r\n" + b"a: b\r\n" * 100_000, 431),
        (b"Secretname\r\n\r\n", 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01", 400),
        (HEAD + b"content-length: -1\r\n\r\n", 400),
        (HEAD + b"content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n", 400),
        (HEAD + b"transfer-encoding: chunked\r\n\r\nSecretname\r\n", 400),
        (HEAD + b"content-length: 99999999999999999999999\r\n\r\n", 400),
    ],
)
def test_what_is_not_http_is_a_problem(strict: Server, sent: bytes, status: int) -> None:
    with _connect(strict) as connection:
        connection.sendall(sent)
        answer = _read_all(connection)
    assert _statuses(answer) == [status]
    assert b"application/problem+json" in answer
    assert b"Secretname" not in answer
    assert "WARNING" not in strict.read_log()


def test_pipelined_requests_are_answered_in_order(server: Server) -> None:
    ordinary = b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n"
    last = REQUEST.replace(b"host: x", b"host: x\r\nconnection: close")
    with _connect(server) as connection:
        connection.sendall(REQUEST + ordinary + REQUEST + ordinary + last)
        answer = _read_all(connection)
    assert _statuses(answer) == [200] * 5
    bodies = [b"predictions" in part for part in answer.split(b"HTTP/1.1 ")[1:]]
    assert bodies == [True, False, True, False, True]


BROKEN = b"Secretname\r\n\r\n"
EXPLAIN = REQUEST.replace(b"/get_prediction", b"/v1/explain")
STREAM = b"POST /v1/predict/stream HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-ndjson\r\n"
CHUNKED = STREAM + b"transfer-encoding: chunked\r\n\r\n"
FAILED_LINES = ('"level":"ERROR"', '"level": "ERROR"', "Traceback")


def test_a_refusal_keeps_its_place_in_the_pipeline(strict: Server) -> None:
    expected = {
        EXPLAIN + BROKEN: [200, 400],
        EXPLAIN * 3 + BROKEN: [200, 200, 200, 400],
        REQUEST + BROKEN: [200, 400],
        REQUEST + b"\x16": [200, 400],
        EXPLAIN + HEAD + b"content-length: 99999999\r\n\r\n": [200, 413],
        EXPLAIN + CHUNKED + BROKEN: [200, 400],
        CHUNKED + BROKEN: [400],
        EXPLAIN + HEAD + b"content-length: 18\r\n\r\n{": [200, 408],
        EXPLAIN + REQUEST.replace(b"host: x", b"host: x\r\nexpect: 100-continue"): [200, 100, 200],
    }
    answers = dict(zip(expected, _read_together(strict, expected), strict=True))
    assert {sent: _statuses(answer) for sent, answer in answers.items()} == expected
    assert not any(sign in strict.read_log() for sign in FAILED_LINES)


def test_the_end_of_a_stream_that_was_refused_closes_its_connection(strict: Server) -> None:
    with _connect(strict) as connection:
        connection.sendall(CHUNKED.replace(b"x-ndjson", b"json"))
        answer = connection.recv(65536)
        connection.sendall(b"0\r\n\r\n")
        answer += _read_all(connection)
    assert _statuses(answer) == [415]


def test_a_truncated_answer_has_no_final_chunk(strict: Server) -> None:
    with _connect(strict) as connection:
        connection.sendall(CHUNKED + b'9\r\n"Jordan"\n\r\n')
        answer = b""
        while not answer.endswith(b"}\n\r\n"):
            answer += connection.recv(65536)
        connection.sendall(BROKEN)
        with contextlib.suppress(ConnectionError):
            answer += _read_all(connection)
    assert _statuses(answer) == [200]
    assert not answer.endswith(b"\r\n0\r\n\r\n")
    assert not any(sign in strict.read_log() for sign in FAILED_LINES)


def test_expect_100_continue_is_answered(server: Server) -> None:
    with _connect(server) as connection:
        connection.sendall(HEAD + b"expect: 100-continue\r\ncontent-length: 18\r\n\r\n")
        assert connection.recv(100).startswith(b"HTTP/1.1 100")
        connection.sendall(BODY)
        assert _statuses(connection.recv(65536)) == [200]


def test_a_request_split_at_any_byte_is_answered(server: Server) -> None:
    with _connect(server) as connection:
        for place in range(1, len(REQUEST)):
            connection.sendall(REQUEST[:place])
            time.sleep(0.0005)
            connection.sendall(REQUEST[place:])
            assert _statuses(_read_one(connection)) == [200]


def test_excess_requests_are_shed_and_probes_are_answered(bundle: Path, tmp_path: Path) -> None:
    server = start(bundle, tmp_path / "log", MAX_CONCURRENCY="4")
    question = b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n"
    *connections, probe = [_connect(server) for _ in range(51)]
    for connection in (*connections, probe):  # until it is answered, it may not be accepted yet
        connection.sendall(question)
        _read_one(connection)
    server.process.send_signal(signal.SIGSTOP)  # so that all of it arrives at once
    for connection in connections:
        connection.sendall(REQUEST)
    probe.sendall(question)
    server.process.send_signal(signal.SIGCONT)
    answers = [_read_one(connection) for connection in connections]
    statuses = [status for answer in answers for status in _statuses(answer)]
    assert len(statuses) == 50
    assert set(statuses) == {200, 503}
    assert b"".join(answers).count(b"retry-after: 1") == statuses.count(503)
    assert b"".join(answers).count(b"x-content-type-options: nosniff") == len(statuses)
    assert _statuses(_read_one(probe)) == [200]
    for connection in (*connections, probe):
        connection.close()
    counter = f'status="503"}} {statuses.count(503)}'
    assert counter in server.client.get("/metrics").text
    assert server.client.post("/get_prediction", json={"name": "Jordan"}).status_code == 200
    assert stop(server) == 0


def test_a_surplus_connection_gets_503_with_retry_after(bundle: Path, tmp_path: Path) -> None:
    server = start(bundle, tmp_path / "log", MAX_CONNECTIONS="1")
    with _connect(server) as connection:
        connection.sendall(REQUEST)
        answer = _read_all(connection)
    with _connect(server) as probe:
        probe.sendall(b"GET /livez HTTP/1.1\r\nhost: x\r\n\r\n")
        probed = _read_all(probe)
    counted = metric_sum(server.client, 'http_requests_unavailable_total{reason="connections"}')
    assert stop(server) == 0
    assert _statuses(answer) == [503]
    assert counted == 1
    assert b"retry-after: 1\r\n" in answer
    assert _statuses(probed) == [200]
    assert b"connection: close\r\n" in probed


def test_sigterm_answers_200_requests_in_flight_and_drains(bundle: Path, tmp_path: Path) -> None:
    server = start(bundle, tmp_path / "log", DRAIN_SECONDS="1")
    held = [_connect(server) for _ in range(200)]
    for connection in held:
        connection.sendall(REQUEST[:-9])
    server.process.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    assert server.client.get("/readyz").status_code == 503
    answer = httpx.post(f"{server.client.base_url}/get_prediction", json={"name": "Jordan"})
    assert answer.status_code == 200
    assert answer.headers["connection"] == "close"
    time.sleep(1)  # past the drain: the listener is closed
    answers: list[bytes] = []

    def finish(connection: socket.socket) -> None:
        with connection:
            connection.sendall(REQUEST[-9:])
            answers.append(_read_all(connection))

    threads = [threading.Thread(target=finish, args=(connection,)) for connection in held]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [_statuses(answer) for answer in answers] == [[200]] * 200
    server.client.close()
    assert server.process.wait(timeout=30) == 0


def test_a_second_sigterm_ends_the_drain(bundle: Path, tmp_path: Path) -> None:
    server = start(bundle, tmp_path / "log", DRAIN_SECONDS="600")
    server.process.send_signal(signal.SIGTERM)
    until(lambda: server.client.get("/readyz").status_code == 503)
    assert stop(server) == 0
