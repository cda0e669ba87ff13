"""What operators see of requests: metrics, log lines, ids; and of clients that leave and code that fails."""

import asyncio
import json
from pathlib import Path

import httpx
import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.lifecycle import Lifecycle
from api.main import create_app
from api.middleware.telemetry import Recorder, RequestTelemetry
from api.observability.log_writer import standard_error
from api.observability.logs import AccessLog, configure_logging
from api.observability.metrics import Metrics
from api.observability.tracing import Tracing
from api.settings import Settings
from api.tests.conftest import start, stop

SECRET = "Secretname"


def _lines(text: str) -> list[dict[str, object]]:
    return [line for line in map(json.loads, text.splitlines()) if line["message"] == "request"]


@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8"])
def test_an_answer_names_the_request_and_the_model(client: httpx.Client, content_type: str) -> None:
    version = client.post("/v1/predict", json={"names": ["Jordan"]}).json()["model_version"]
    for headers, expected in (
        ({"idempotency-key": "order-7", "x-request-id": "other"}, "order-7"),
        ({"x-request-id": "other"}, "other"),
    ):
        answer = client.post(
            "/get_prediction", content=b'{"name": "Jordan"}', headers=headers | {"content-type": content_type}
        )
        assert answer.headers["x-request-id"] == expected
        assert answer.headers["x-model-version"] == version
    made = [client.get("/livez", headers={"x-request-id": "not plain"}).headers["x-request-id"] for _ in range(2)]
    assert made[0] != made[1]
    assert "not plain" not in made


def test_the_scrape_itself_is_in_progress(client: httpx.Client) -> None:
    assert "http_requests_in_progress 1.0" in client.get("/metrics").text


def test_lines_and_what_they_left_out_add_up(bundle: Path, tmp_path: Path) -> None:
    server = start(bundle, tmp_path / "log", LOG_REQUESTS_PER_SECOND="3")
    try:
        for number in range(200):
            server.client.post("/get_prediction", json={"name": "Jordan"}, headers={"x-request-id": str(number)})
    finally:
        stop(server)
    lines = _lines((tmp_path / "log").read_text())
    seconds = {str(line["timestamp"])[:19] for line in lines}
    assert len(lines) <= 3 * (len(seconds) + 1)  # the log's seconds are not the clock's
    left_out = 0
    for place, line in enumerate(lines):
        left_out += int(str(line["unlogged"]))
        assert line["request_id"] == str(place + left_out)
    assert len(lines) + left_out <= 200


def _telemetry(app: ASGIApp, metrics: Metrics, per_second: int) -> RequestTelemetry:
    recorder = Recorder(metrics, AccessLog(per_second))
    return RequestTelemetry(app, recorder=recorder, tracing=Tracing(), lifecycle=Lifecycle())


async def _failing(scope: Scope, receive: Receive, send: Send) -> None:
    await PlainTextResponse("half")(scope, receive, send) if scope["path"] == "/late" else None
    raise ValueError(SECRET)


@pytest.mark.parametrize("path", ["/early", "/late"])
def test_a_failure_is_always_logged_and_never_quoted(path: str, capfd: pytest.CaptureFixture[str]) -> None:
    configure_logging("info")
    metrics = Metrics()
    app = _telemetry(_failing, metrics, per_second=0)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)

    async def ask() -> httpx.Response:
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.get(path)

    answer = asyncio.run(ask())
    standard_error.flush()
    logged = capfd.readouterr().err
    assert SECRET not in logged + answer.text
    assert [line["error"] for line in map(json.loads, logged.splitlines()) if "error" in line] == ["ValueError"]
    if path == "/early":
        assert (answer.status_code, answer.headers["content-type"]) == (500, "application/problem+json")
        (line,) = _lines(logged)
        assert (line["status"], line["level"]) == (500, "ERROR")
        assert line["request_id"] == answer.headers["x-request-id"]


async def _reading(scope: Scope, receive: Receive, send: Send) -> None:
    async for _ in Request(scope, receive).stream():
        pass
    await PlainTextResponse("read")(scope, receive, send)


async def _listening(scope: Scope, receive: Receive, send: Send) -> None:
    await _reading(scope, receive, send)
    assert (await receive())["type"] == "http.disconnect"


def test_a_client_that_leaves_after_its_answer_was_answered() -> None:
    metrics = Metrics()

    async def ask() -> httpx.Response:
        transport = httpx.ASGITransport(_telemetry(_listening, metrics, per_second=0))
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            return await client.post("/", content=b"body")

    assert asyncio.run(ask()).text == "read"
    assert (
        metrics.registry.get_sample_value(
            "http_requests_total", {"method": "POST", "route": "unmatched", "status": "200"}
        )
        == 1
    )


@pytest.mark.parametrize("ordinary", [True, False], ids=["route", "app that fails without its body"])
def test_a_client_that_leaves_is_no_failure(bundle: Path, ordinary: bool, capfd: pytest.CaptureFixture[str]) -> None:
    configure_logging("info")
    app = create_app(Settings(bundle_dir=bundle))
    metrics: Metrics = app.state.metrics
    middleware = _telemetry(app if ordinary else _reading, metrics, per_second=100)
    messages: list[Message] = [
        {"type": "http.request", "body": b'{"name": ', "more_body": True},
        {"type": "http.disconnect"},
    ]

    async def receive() -> Message:
        return messages.pop(0)

    async def send(_: Message) -> None:
        pass

    scope = {
        "type": "http",
        "method": "POST",
        "scheme": "http",
        "path": "/get_prediction",
        "query_string": b"",
        "headers": [(b"content-type", b"application/json")],
    }
    asyncio.run(middleware(scope, receive, send))
    standard_error.flush()
    lines = _lines(capfd.readouterr().err)
    assert {(line["status"], line["level"]) for line in lines} == {(499, "INFO")}
    statuses = {sample.labels["status"] for family in metrics.requests.collect() for sample in family.samples}
    assert statuses == {"499"}
