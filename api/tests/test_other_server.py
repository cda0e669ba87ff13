"""The app under granian, another ASGI server, answers as under ours."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI

from api.main import create_app
from api.settings import Settings
from api.tests.conftest import Server, free_port, launch, stop

HEADERS_OF_THE_SERVER = {"connection", "content-length", "date", "server", "transfer-encoding"}
JSON, NDJSON = "application/json", "application/x-ndjson"


def make_app() -> FastAPI:
    """Return the app that the environment describes; granian calls this."""
    return create_app(Settings())


@pytest.fixture(scope="module")
def granian(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    port = free_port()
    arguments = ["-m", "granian", "--interface", "asgi", "--no-ws", "--port", str(port), "--factory"]
    log = tmp_path_factory.mktemp("granian") / "log"
    running = launch([*arguments, f"{__name__}:{make_app.__name__}"], port, log, BUNDLE_DIR=str(bundle))
    yield running
    assert stop(running) == 0


@pytest.mark.parametrize(
    ("method", "path", "content_type", "body", "status"),
    [
        ("GET", "/livez", None, b"", 200),
        ("HEAD", "/readyz", None, b"", 200),
        ("POST", "/get_prediction", JSON, b'{"name": "Jordan", "n_predictions": 2}', 200),
        ("POST", "/get_prediction", f"{JSON}; charset=utf-8", b'{"name": "Jordan"}', 200),
        ("POST", "/v1/predict", JSON, b'{"names": [%b]}' % b", ".join([b'"Jordan"'] * 100), 200),
        ("POST", "/v1/predict/stream", NDJSON, b'"Jordan"\n{"name": "", "id": 7}\n' * 600, 200),
        ("GET", "/v1/similar?name=Jordan", None, b"", 200),
        ("POST", "/get_prediction", JSON, b'{"name": 7}', 422),
        ("POST", "/get_prediction", JSON, b'{"name"', 400),
        ("POST", "/get_prediction", JSON, b"x" * 2_000_000, 413),
        ("GET", "/no-such-route", None, b"", 404),
    ],
)
def test_another_server_answers_alike(
    *, granian: Server, client: httpx.Client, method: str, path: str, content_type: str | None, body: bytes, status: int
) -> None:
    headers = {"x-request-id": "same"} | ({"content-type": content_type} if content_type else {})
    ours, other = (sender.request(method, path, content=body, headers=headers) for sender in (client, granian.client))
    assert (other.status_code, other.content) == (status, ours.content)
    kept = [
        {key: value for key, value in answer.headers.items() if key not in HEADERS_OF_THE_SERVER}
        for answer in (ours, other)
    ]
    assert kept[0] == kept[1]
