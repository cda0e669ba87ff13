"""Every answered item of every route is a row; what is refused is a row without what was refused."""

import hmac
import json
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi.routing import APIRoute

from api.main import routers
from api.middleware.api_keys import new_key
from api.request_log.identifiers import time_of
from api.request_log.outbox_file import FILE
from api.routes.traits import traits_of
from api.settings import RequestLogMode, Settings
from api.tests.conftest import Server, metric_sum, stop, until
from api.tests.request_log.reading import read_rows, running
from model.utils import fold

NAMES = ["Zoë  Canaryson", "Canaryski"]
KEY = "5" * 64
HASH_KEYS = json.dumps([{"id": "2026-11", "key": KEY}, {"id": "2026-10", "key": "4" * 64}])
_TENSOR = {"name": "name", "datatype": "BYTES", "shape": [2], "data": NAMES}
_VERSION_PATH = "/v2/models/{model}/versions/{version}/infer"


def _infer(client: httpx.Client, path: str) -> httpx.Response:
    version = client.get("/v1/model").json()["model_version"]
    return client.post(
        path.format(model="name-classifier", version=version), json={"inputs": [_TENSOR], "parameters": {"top_k": 2}}
    )


ASK: dict[str, Callable[[httpx.Client], httpx.Response]] = {
    "/get_prediction": lambda client: client.post("/get_prediction", json={"name": NAMES[0], "n_predictions": 2}),
    "/v1/predict": lambda client: client.post("/v1/predict", json={"names": NAMES, "top_k": 2}),
    "/v1/predict/stream": lambda client: client.post(
        "/v1/predict/stream?top_k=2",
        content="\n".join([json.dumps(NAMES[0]), "", "nonsense", json.dumps({"name": NAMES[1], "id": "Canaryid"})]),
        headers={"content-type": "application/x-ndjson"},
    ),
    "/v1/predict/file": lambda client: client.post(
        "/v1/predict/file?top_k=2",
        content=f"name,note\n{NAMES[0]},Canarynote\ntoo,many,cells\n{NAMES[1]},\n",
        headers={"content-type": "text/csv"},
    ),
    "/v1/explain": lambda client: client.post("/v1/explain", json={"name": NAMES[0]}),
    "/v1/similar": lambda client: client.get("/v1/similar", params={"name": NAMES[0]}),
    "/v2/models/{model}/infer": lambda client: _infer(client, "/v2/models/{model}/infer"),
    _VERSION_PATH: lambda client: _infer(client, _VERSION_PATH),
}


@dataclass
class Recorder:
    """A service, and the folder of its outbox."""

    server: Server
    directory: Path

    def rows_of(self, response: httpx.Response) -> list[dict[str, Any]]:
        request_id = response.headers["x-request-id"]
        return [row for row in read_rows(self.directory) if row["request_id"] == request_id]


@pytest.fixture(scope="module")
def recorder(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Recorder]:
    directory = tmp_path_factory.mktemp("recorder") / "outbox"
    with running(bundle, directory) as server:
        yield Recorder(server, directory)


def test_every_route_that_takes_names_is_recorded() -> None:
    all_routers = routers(Settings(request_log=RequestLogMode.FAST))
    recorded = {path for path, traits in traits_of(all_routers).items() if traits.recorded}
    assert recorded == set(ASK)
    routes = [route for router in all_routers for route in router.routes if isinstance(route, APIRoute)]
    assert {route.path for route in routes if "POST" in (route.methods or ())} - recorded == {"/v1/feedback"}


@pytest.mark.parametrize("route", ASK)
def test_each_item_is_a_row_before_its_answer_arrives(recorder: Recorder, route: str) -> None:
    response = ASK[route](recorder.server.client)
    assert response.status_code == 200, response.text
    rows = recorder.rows_of(response)
    assert [row["item_index"] for row in rows] == list(range(len(rows)))
    assert {row["route"] for row in rows} == {route}
    assert [row["name"] for row in rows if row["status"] == 200] == ["Zoë Canaryson", "Canaryski"][: len(rows)]
    version = recorder.server.client.get("/v1/model").json()["model_version"]
    for row in rows:
        assert row["model_version"] == version
        assert row["answered_at"].startswith(f"{time_of(row['id']):%Y-%m-%d %H:%M:%S}")
        assert 0 < row["latency_seconds"] < 30
    answered = [row for row in rows if row["status"] == 200]
    assert [(row["name_length"], row["script"]) for row in answered] == [(13, "Latin"), (9, "Latin")][: len(answered)]


def test_a_row_holds_the_answer(recorder: Recorder) -> None:
    response = recorder.server.client.post(
        "/v1/predict",
        json={"names": NAMES, "top_k": 3, "prior": {"Polish": 1, "Irish": 2, "Italian": 1}, "abstain": True},
        headers={"idempotency-key": "order-7"},
    )
    rows = recorder.rows_of(response)
    for row, prediction in zip(rows, response.json()["predictions"], strict=True):
        if not prediction["abstained"]:
            assert json.loads(row["labels"]) == prediction["labels"]
            assert json.loads(row["log_probs"]) == prediction["log_probabilities"]
        assert row["abstained"] == prediction["abstained"]
        assert row["idempotency_key"] == row["request_id"] == "order-7"
        assert json.loads(row["options"]) == {
            "top_k": 3,
            "prior": {"Polish": 1, "Irish": 2, "Italian": 1},
            "abstain": True,
        }
        assert isinstance(row["familiarity"], float)


@pytest.mark.parametrize("route", ["/v1/predict/stream", "/v1/predict/file"])
def test_a_line_that_is_refused_is_a_row_without_it(recorder: Recorder, route: str) -> None:
    rows = recorder.rows_of(ASK[route](recorder.server.client))
    assert [row["status"] for row in rows] == [200, 422, 200]
    assert {column for column, value in rows[1].items() if value is not None} == {
        *("id", "request_id", "item_index", "answered_at", "route", "options", "model_version"),
        *("latency_seconds", "status"),
    }


REFUSED: dict[str, tuple[int, str, dict[str, Any]]] = {
    "name too long": (422, "/get_prediction", {"json": {"name": "Canary" * 100}}),
    "unreadable name": (422, "/get_prediction", {"json": {"name": "漢字"}}),
    "one of a list": (422, "/v1/predict", {"json": {"names": ["Canary", "\x07"]}}),
    "too many labels": (422, "/v1/predict", {"json": {"names": ["Canary"], "top_k": 999}}),
    "media type": (415, "/v1/predict/stream", {"content": "Canary", "headers": {"content-type": "text/plain"}}),
    "no JSON": (400, "/v1/explain", {"content": "Canary", "headers": {"content-type": "application/json"}}),
    "too large": (413, "/v1/predict", {"content": b"Canary" * 1_000_000}),
    "unknown model": (404, "/v2/models/Canary/infer", {"json": {"inputs": [_TENSOR]}}),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_refused_request_is_a_row_without_what_was_refused(recorder: Recorder, case: str) -> None:
    status, path, arguments = REFUSED[case]
    response = recorder.server.client.post(path, **arguments)
    assert response.status_code == status
    until(lambda: bool(recorder.rows_of(response)))  # written after the answer
    (row,) = recorder.rows_of(response)
    assert (row["status"], row["item_index"], row["name"], row["labels"]) == (status, None, None, None)
    assert row["route"] in ASK
    assert "Canary" not in str(row)


@pytest.mark.parametrize("path", ["/livez", "/metrics", "/v1/model", "/nowhere", "/check_service"])
def test_what_asks_no_name_is_not_recorded(recorder: Recorder, path: str) -> None:
    response = recorder.server.client.get(path)
    recorder.server.client.post("/get_prediction", json={"name": "Later"})
    assert recorder.rows_of(response) == []


def test_a_flood_of_refusals_does_not_fill_the_disk(recorder: Recorder) -> None:
    client = recorder.server.client
    before = len(read_rows(recorder.directory)), metric_sum(client, "request_log_rows_skipped_total")
    for _ in range(300):
        client.post("/get_prediction", content=b"{", headers={"content-type": "application/json"})
    until(lambda: len(read_rows(recorder.directory)) + _skipped(recorder) == sum(before) + 300)
    assert _skipped(recorder) > before[1]


def test_who_has_no_key_fills_the_disk_more_slowly(bundle: Path, tmp_path: Path) -> None:
    keys = json.dumps([{"name": "billing", "sha256": "0" * 64}])
    directory = tmp_path / "outbox"
    with running(bundle, directory, "fast", API_KEYS=keys) as server:
        started = time.monotonic()
        for _ in range(60):
            assert server.client.post("/get_prediction", json={"name": "Jordan"}).status_code == 401
        seconds = int(time.monotonic() - started) + 2
    rows = read_rows(directory)
    assert {row["status"] for row in rows} == {401}
    assert len(rows) <= min(5 * seconds, 59)


def _skipped(recorder: Recorder) -> int:
    return int(metric_sum(recorder.server.client, "request_log_rows_skipped_total"))


def test_feedback_keeps_the_name_and_its_true_label(recorder: Recorder) -> None:
    body = {"request_id": "order-7", "item_index": 1, "name": " Zoë  Canaryson ", "label": "Klingon"}
    response = recorder.server.client.post("/v1/feedback", json=body)
    assert (response.status_code, response.content) == (204, b"")
    row = read_rows(recorder.directory, "feedback")[-1]
    assert (row["request_id"], row["item_index"], row["name"], row["label"]) == (
        *("order-7", 1, "Zoë Canaryson", "Klingon"),
    )


@pytest.mark.parametrize("label", ["", "../Evil", "a\\b", ".hidden", " Irish", "I\x00rish", "x" * 101])
def test_feedback_refuses_what_can_name_no_file(recorder: Recorder, label: str) -> None:
    body = {"request_id": "order-7", "name": "Jordan", "label": label}
    response = recorder.server.client.post("/v1/feedback", json=body)
    assert response.status_code == 422
    assert response.json()["errors"][0]["field"] == "label"


def test_feedback_refuses_what_is_no_name_of_a_training(recorder: Recorder) -> None:
    body = {"request_id": "order-7", "name": "\ufdfa" * 90, "label": "Irish"}  # a ligature that unfolds to 18 letters
    assert recorder.server.client.post("/v1/feedback", json=body).status_code == 422


def test_without_a_log_there_is_no_feedback_route(server: Server) -> None:
    assert server.client.post("/v1/feedback", json={}).status_code == 404


@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        ({"REQUEST_LOG_NAMES": "hashed", "NAME_HASH_KEYS": HASH_KEYS}, "hash"),
        ({"REQUEST_LOG_NAMES": "absent"}, None),
    ],
)
def test_the_settings_say_what_is_kept_of_a_name(
    bundle: Path, tmp_path: Path, settings: dict[str, str], kept: str | None
) -> None:
    directory = tmp_path / "outbox"
    with running(bundle, directory, "fast", **settings) as server:
        for ask in ASK.values():
            ask(server.client)
        log = server.read_log() + server.client.get("/metrics").text
    rows = [row for row in read_rows(directory) if row["status"] == 200]
    digest = hmac.digest(bytes.fromhex(KEY), fold(NAMES[0]).encode(), "sha256").hex()
    assert rows[0]["name_hash"] == (digest if kept else None)
    assert rows[0]["name_hash_key"] == ("2026-11" if kept else None)
    assert all(row["script"] == "Latin" and row["name_length"] for row in rows)
    stored = b"".join(path.read_bytes() for path in directory.iterdir()).lower()
    for canary in ("canary", fold(NAMES[0])):
        assert canary.encode() not in stored
        assert canary not in log.lower()


def test_what_was_answered_is_written_before_the_process_ends(bundle: Path, tmp_path: Path) -> None:
    directory = tmp_path / "outbox"
    with running(bundle, directory, "fast") as server:
        for number in range(50):
            server.client.post("/get_prediction", json={"name": f"Name{'abcdefghij'[number % 10]}"})
        assert stop(server) == 0
    assert len(read_rows(directory)) == 50
    assert list(directory.glob("writer-*")) == []


def test_requests_without_a_key_do_not_fill_the_outbox(bundle: Path, tmp_path: Path) -> None:
    key, entry = new_key("client")
    directory = tmp_path / "outbox"
    size = 1024 * 1024
    with running(bundle, directory, API_KEYS=f"[{entry}]", REQUEST_LOG_MAX_BYTES=str(size)) as server:
        ask = partial(server.client.post, "/get_prediction", json={"name": "Jordan"})
        assert ask().status_code == 401
        until(lambda: {row["status"] for row in read_rows(directory)} == {401})
        names = {"names": ["Jordan"] * 500}
        while (directory / FILE).stat().st_size < size / 2:
            server.client.post("/v1/predict", json=names, headers={"x-api-key": key}).raise_for_status()
            with closing(sqlite3.connect(directory / FILE)) as connection:
                connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()
        assert ask().status_code == 401
        assert metric_sum(server.client, "request_log_rows_skipped_total") == 1
        assert ask(headers={"x-api-key": key}).status_code == 200
