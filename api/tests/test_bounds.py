"""What one client, or many, can take of the process: connections, memory, streams, the pipeline."""

import json
import resource
import select
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import httpx
import pytest

from api.middleware.api_keys import new_key
from api.server.limits import usable_connections
from api.tests import wire
from api.tests.conftest import Server, free_port, start, stop, until
from api.tests.test_process import fail_to_start

BODY = b'{"name": "Jordan"}'
HEAD = b"POST /get_prediction HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
REQUEST = HEAD + b"content-length: %d\r\n\r\n" % len(BODY) + BODY
STREAM_HEAD = (
    b"POST /v1/predict/stream HTTP/1.1\r\nhost: x\r\ncontent-type: application/x-ndjson\r\n"
    b"transfer-encoding: chunked\r\n\r\n"
)


def _port(server: Server) -> int:
    port = server.client.base_url.port
    assert port
    return port


@contextmanager
def _files_limited(number: int) -> Iterator[None]:
    """Let processes that start now open so many files at most."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (number, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_idle_connections_beyond_the_limit_on_files_stop_neither_probes_nor_open_connections(
    bundle: Path, tmp_path: Path
) -> None:
    with _files_limited(256):
        server = start(bundle, tmp_path / "log", MAX_CONNECTIONS="2500")
    assert server.client.get("/livez").status_code == 200  # keeps its connection
    with ExitStack() as idle:
        for _ in range(400):
            idle.enter_context(wire.connect(_port(server)))
        assert server.client.post("/get_prediction", json={"name": "Jordan"}).status_code == 200
        for _ in range(3):
            assert httpx.get(f"{server.client.base_url}/livez").status_code == 200
    assert stop(server) == 0
    lines = server.read_log().splitlines()
    assert sum("limit on open files" in line for line in lines) == 1
    assert len(lines) < 30


@pytest.mark.parametrize("limit", [128, 256, 1024, 4096])
def test_connections_and_their_reserve_fit_into_the_limit_on_files(limit: int) -> None:
    with _files_limited(limit):
        most, reserve = usable_connections(2500)
    assert 1 <= most <= 2500
    assert reserve >= 1
    assert most + reserve < limit


def test_a_client_that_pipelines_without_end_is_cut_off_in_order(server: Server) -> None:
    with wire.connect(_port(server)) as connection:
        connection.sendall(REQUEST * 200)
        answers = wire.parse(wire.read_to_end(connection))
    assert 16 <= len(answers) <= 18  # one in work, as many as may be queued
    assert {answer.status for answer in answers} == {200}


def test_probes_are_answered_beside_clients_that_pipeline(server: Server) -> None:
    ended = threading.Event()

    def flood() -> None:
        while not ended.is_set():
            with wire.connect(_port(server)) as connection:
                connection.sendall(REQUEST * 1600)
                wire.read_to_end(connection)

    floods = [threading.Thread(target=flood) for _ in range(3)]
    for thread in floods:
        thread.start()
    try:
        assert [httpx.get(f"{server.client.base_url}/livez").status_code for _ in range(20)] == [200] * 20
    finally:
        ended.set()
        for thread in floods:
            thread.join()


def test_bodies_that_are_held_back_are_bounded_together(bundle: Path, tmp_path: Path) -> None:
    server = start(bundle, tmp_path / "log", MAX_BUFFERED_BYTES="1048576")
    head = b"POST /v1/predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 60000\r\n\r\n"
    with ExitStack() as held:
        connections = [held.enter_context(wire.connect(_port(server))) for _ in range(40)]
        for connection in connections:
            connection.sendall(head + b" " * 59_000)

        def answered() -> list[socket.socket]:
            return select.select(connections, [], [], 0)[0]

        until(lambda: len(answered()) >= 20)
        refused = [connection.recv(65536)[:13] for connection in answered()]
        assert set(refused) == {b"HTTP/1.1 503 "}
        assert len(refused) <= 30  # 17 of 40 fit
        assert server.client.get("/livez").status_code == 200
    assert server.client.post("/get_prediction", json={"name": "Jordan"}).status_code == 200  # given back
    assert stop(server) == 0


def test_answers_that_nobody_reads_are_bounded_together(bundle: Path, tmp_path: Path) -> None:
    server = start(bundle, tmp_path / "log", MAX_UNSENT_BYTES=str(2**20), IDLE_SECONDS="600")
    document = {"names": ["Jordan"] * 1000, "top_k": 4}
    body = json.dumps(document).encode()
    head = b"POST /v1/predict HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\n"
    question = head + b"content-length: %d\r\n\r\n" % len(body) + body
    n_bytes = len(server.client.post("/v1/predict", json=document).raise_for_status().content)
    watched = select.poll()
    with ExitStack() as held:
        for _ in range(32):
            connection = held.enter_context(wire.connect(_port(server)))
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            connection.sendall(question * 8)  # more than the system holds: one of the answers waits in the process
            watched.register(connection, 0)
        until(lambda: len(watched.poll(0)) >= 8)  # as a rule half an answer waits, so about ten fit
        assert len(server.client.post("/v1/predict", json=document).content) == n_bytes  # who reads is answered
        assert len(watched.poll(0)) < 32
    assert stop(server) == 0


def test_one_caller_cannot_take_all_streams(bundle: Path, tmp_path: Path) -> None:
    (first, first_entry), (second, second_entry) = new_key("a"), new_key("b")
    entries = f"[{first_entry}, {second_entry}]"
    server = start(bundle, tmp_path / "log", API_KEYS=entries, MAX_STREAMS="4", MAX_STREAMS_PER_CALLER="2")

    def open_stream(key: str, held: ExitStack) -> int:
        connection = held.enter_context(wire.connect(_port(server)))
        head = STREAM_HEAD.replace(b"host: x", b"host: x\r\nx-api-key: " + key.encode())
        connection.sendall(head + b'9\r\n"Jordan"\n\r\n')
        return int(connection.recv(65536)[9:12])

    with ExitStack() as held:
        assert [open_stream(first, held) for _ in range(3)] == [200, 200, 429]
        assert [open_stream(second, held) for _ in range(2)] == [200, 200]

    def is_admitted() -> bool:
        with ExitStack() as held:
            return open_stream(first, held) == 200

    until(is_admitted)  # the streams have ended, and count no more
    assert stop(server) == 0


def test_a_thousand_names_of_a_hundred_letters_fit_however_they_are_escaped(client: httpx.Client) -> None:
    name = "Никола́й"[:6] * 16 + "ович"
    body = json.dumps({"names": [name] * 1000}).encode()  # \u escapes
    assert len(body) > 550_000
    answer = client.post("/v1/predict", content=body, headers={"content-type": "application/json"})
    assert answer.status_code == 200
    assert len(answer.json()["predictions"]) == 1000


@pytest.mark.parametrize("name", ["SIGHUP", "SIGUSR1"])
def test_a_signal_that_asks_for_no_end_ends_nothing(bundle: Path, tmp_path: Path, name: str) -> None:
    server = start(bundle, tmp_path / "log")
    server.process.send_signal(getattr(signal, name))
    assert server.client.post("/get_prediction", json={"name": "Jordan"}).status_code == 200
    assert stop(server) == 0


def test_ctrl_c_ends_it_without_a_traceback(bundle: Path, tmp_path: Path) -> None:
    server = start(bundle, tmp_path / "log")
    server.client.close()
    server.process.send_signal(signal.SIGINT)
    assert server.process.wait(timeout=30) == 0
    assert "Traceback" not in server.read_log()


@pytest.mark.parametrize("host", ["::", "[::]"])
def test_every_address_of_ipv6_and_ipv4_is_listened_on(bundle: Path, tmp_path: Path, host: str) -> None:
    if not socket.has_dualstack_ipv6():
        pytest.skip("this machine has no IPv6")
    server = start(bundle, tmp_path / "log", HOST=host)
    assert httpx.get(f"http://[::1]:{_port(server)}/livez").status_code == 200
    assert f"http://[::]:{_port(server)};" in server.read_log()
    assert stop(server) == 0


def test_a_taken_port_is_named_in_the_only_line() -> None:
    port = free_port()
    with socket.create_server(("127.0.0.1", port)):
        message = fail_to_start(PORT=str(port), BUNDLE_DIR="no/such/bundle")
    assert f"Cannot listen on port {port} of 127.0.0.1: another process listens there." in message
