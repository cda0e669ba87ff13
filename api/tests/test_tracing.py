"""Spans as a collector receives them; the collector is a small HTTP server that reads OTLP."""

import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from api.tests.conftest import ROOT, start, stop

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
SECRET = "Secretname"


class Collector(ThreadingHTTPServer):
    """Takes spans over OTLP/HTTP."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.raw = b""
        self.services: set[str] = set()
        self.spans: list[Span] = []
        self.authorisations: set[str | None] = set()


class _Handler(BaseHTTPRequestHandler):
    server: Collector

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.raw += body
        self.server.authorisations.add(self.headers["authorization"])
        for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
            self.server.services |= {
                pair.value.string_value for pair in resource.resource.attributes if pair.key == "service.name"
            }
            self.server.spans += [span for scope in resource.scope_spans for span in scope.spans]
        self.send_response(200)
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def collector(monkeypatch: pytest.MonkeyPatch) -> Iterator[Collector]:
    with Collector() as collector:
        threading.Thread(target=collector.serve_forever, daemon=True).start()
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{collector.server_port}")
        yield collector
        collector.shutdown()


def _attributes(span: Span) -> dict[str, object]:
    return {pair.key: pair.value.string_value or pair.value.int_value for pair in span.attributes}


def test_each_request_is_a_span_in_the_callers_trace(
    collector: Collector, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=token")
    monkeypatch.setenv("FASTAPI_OTEL_AUTO_CONFIGURE", "true")  # its own spans and logs would hold what was sent
    server = start(bundle, tmp_path / "log", LOG_LEVEL="debug")
    try:
        answer = server.client.post(
            f"/get_prediction?name={SECRET}",
            json={"name": SECRET},
            headers={"traceparent": f"00-{TRACE}-{PARENT}-01", "x-request-id": "mine"},
        )
        server.client.get(f"/{SECRET}", headers={"traceparent": SECRET, SECRET: SECRET})
    finally:
        assert stop(server) == 0  # spans that were not sent yet are sent now
    spans = {span.name: span for span in collector.spans}
    span = spans["POST /get_prediction"]
    assert (span.kind, span.trace_id.hex(), span.parent_span_id.hex()) == (Span.SPAN_KIND_SERVER, TRACE, PARENT)
    assert answer.headers["traceparent"] == f"00-{TRACE}-{span.span_id.hex()}-01"
    assert _attributes(span) == {
        "http.request.method": "POST",
        "url.scheme": "http",
        "http.route": "/get_prediction",
        "http.response.status_code": 200,
    }
    assert "http.route" not in _attributes(spans["GET"])
    assert _attributes(spans["GET"])["http.response.status_code"] == 404
    assert spans["GET"].status.code == Status.STATUS_CODE_UNSET
    assert spans["GET"].trace_id.hex() != TRACE
    assert SECRET.encode() not in collector.raw
    assert collector.services == {"name-classifier"}
    assert collector.authorisations == {"token"}
    lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
    assert [line["trace_id"] for line in lines if line.get("request_id") == "mine"] == [TRACE]


def test_the_callers_decision_not_to_sample_and_the_standard_names_hold(
    collector: Collector, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.name=mine")
    server = start(bundle, tmp_path / "log")
    try:
        answer = server.client.get("/check_service", headers={"traceparent": f"00-{TRACE}-{PARENT}-00"})
    finally:
        stop(server)
    assert answer.headers["traceparent"].startswith(f"00-{TRACE}-")
    assert answer.headers["traceparent"].endswith("-00")
    assert "GET /check_service" not in {span.name for span in collector.spans}
    assert collector.services == {"mine"}


def test_a_collector_that_never_answers_delays_nothing(
    bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv(
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}/v1/traces"
        )
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "600")
        server = start(bundle, tmp_path / "log")
        try:
            assert server.client.post("/get_prediction", json={"name": "Jordan"}).status_code == 200
        finally:
            assert stop(server) == 0


@pytest.mark.parametrize("disabled", [False, True])
def test_without_an_endpoint_or_disabled_nothing_is_loaded(disabled: bool) -> None:
    code = (
        "import sys, api.serve; from api.observability.tracing import Tracing; print(Tracing().enabled, *sys.modules)"
    )
    environment = {key: value for key, value in os.environ.items() if not key.startswith("OTEL_")}
    if disabled:
        environment |= {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:9", "OTEL_SDK_DISABLED": "true"}
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=environment, capture_output=True, text=True, check=True
    )
    enabled, *modules = run.stdout.split()
    assert enabled == "False"
    assert not {"opentelemetry.sdk", "requests"} & set(modules)  # FastAPI itself loads opentelemetry's interfaces
