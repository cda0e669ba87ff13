"""Heads that one parser takes and another does not, and heads that cost more than they weigh."""

import json

import pytest

from api.server.framing import MAX_HEAD_BYTES, MAX_HEADERS
from api.tests.conftest import Server
from api.tests.wire import exchange, parse

FENCE = b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n"
LIST = json.dumps({"names": ["Kowalska"] * 1000}).encode()
SLOW = b"POST /v1/predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n%s" % (
    len(LIST),
    LIST,
)
BODY = b'16\r\n{"names":["Kowalska"]}\r\n0\r\n'
CHUNKED = (
    b"POST /v1/predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n"
)


def _statuses(server: Server, data: bytes) -> list[int]:
    port = server.client.base_url.port
    assert port
    return [answer.status for answer in parse(exchange(port, [data]))]


@pytest.mark.parametrize("method", [b"GET", b"POST", b"CONNECT"])
@pytest.mark.parametrize("target", [b"http:///?name=Secret", b"http://x:/Secret", b"http://x:99999/", b"mailto:Secret"])
def test_a_target_without_a_path_is_refused_in_turn_and_not_logged(
    server: Server, method: bytes, target: bytes
) -> None:
    request = b"%s %s HTTP/1.1\r\nhost: x\r\n\r\n" % (method, target)
    assert _statuses(server, request) == [400]
    assert _statuses(server, SLOW + request) == [200, 400]
    assert "Secret" not in server.read_log()


@pytest.mark.parametrize("second", [FENCE, b"GET /livez HTTP/1.0\r\n\r\n", b"nonsense"])
def test_the_answer_to_http_1_0_ends_its_connection(server: Server, second: bytes) -> None:
    request = SLOW.replace(b"HTTP/1.1\r\n", b"HTTP/1.0\r\nconnection: keep-alive\r\n", 1)
    assert _statuses(server, request + second) == [200]


def test_a_trailer_that_closes_the_connection_leaves_nobody_waiting(server: Server) -> None:
    assert _statuses(server, CHUNKED + BODY + b"connection: close\r\n\r\n" + FENCE) in ([200], [200, 200])


@pytest.mark.parametrize("value", [b"a b", b"x@y", b"[::1", b"x:8a", b"x/y", b"\xfc"])
def test_a_host_that_is_none_is_refused(server: Server, value: bytes) -> None:
    assert _statuses(server, b"GET /livez HTTP/1.1\r\nhost: %s\r\nconnection: close\r\n\r\n" % value) == [400]


@pytest.mark.parametrize("value", [b"", b"x", b"x:80", b"x:", b"[::1]:80", b"192.0.2.1"])
def test_a_host_is_a_name_or_an_address(server: Server, value: bytes) -> None:
    assert _statuses(server, b"GET /livez HTTP/1.1\r\nhost: %s\r\nconnection: close\r\n\r\n" % value) == [200]


@pytest.mark.parametrize("version", [b"0.9", b"2.0"])
def test_another_version_of_http_is_refused(server: Server, version: bytes) -> None:
    assert _statuses(server, b"GET /livez HTTP/%s\r\nhost: x\r\n\r\n" % version) == [400]


@pytest.mark.parametrize(("n_headers", "status"), [(MAX_HEADERS, 200), (MAX_HEADERS + 1, 431)])
def test_headers_are_bounded_by_their_number(server: Server, n_headers: int, status: int) -> None:
    headers = b"a:\r\n" * (n_headers - 2)
    data = b"GET /livez HTTP/1.1\r\nhost: x\r\nconnection: close\r\n%s\r\n" % headers
    assert _statuses(server, data) == [status]


def test_a_head_that_never_ends_is_bounded_by_the_number_of_its_headers(server: Server) -> None:
    """A connection that holds thousands of empty headers back takes a hundred times their bytes."""
    data = b"GET /livez HTTP/1.1\r\nhost: x\r\n" + b"a:\r\n" * 3000
    assert len(data) < MAX_HEAD_BYTES
    assert _statuses(server, data) == [431]
