"""Kin of faults that were seen on the running service: crowds, limits below the app, a start without standard error."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from pydantic import ValidationError

from api.formats.csv_reading import MAX_COLUMNS
from api.key_list import KeyListError, parse_keys
from api.settings import Settings, explain
from api.tests.conftest import ROOT, Server, free_port, start, stop

NAMES = ["Jordan"] * 10  # more than are answered on the event loop
TENSOR = {"name": "name", "shape": [1], "datatype": "BYTES", "data": ["Jordan"]}
ASKING = [
    ("POST", "/get_prediction", {"name": "Jordan"}),
    ("POST", "/v1/predict", {"names": ["Jordan"]}),
    ("POST", "/v1/predict", {"names": NAMES}),
    ("POST", "/v1/predict", {"names": ["Jordan"], "prior": {"Polish": 1}}),
    ("POST", "/v1/explain", {"name": "Jordan"}),
    ("GET", "/v1/similar?name=Jordan", None),
    ("POST", "/v2/models/name-classifier/infer", {"inputs": [TENSOR]}),
]


@pytest.fixture(scope="module")
def used_up(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a server whose quota of names is used up."""
    server = start(bundle, tmp_path_factory.mktemp("used_up") / "log", NAME_RATE_LIMIT="10/day")
    assert server.client.post("/v1/predict", json={"names": NAMES}).status_code == 200
    yield server
    assert stop(server) == 0


@pytest.fixture(scope="module")
def uncountable(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Return a server that may let no name pass uncounted, and cannot count."""
    settings = {"RATE_LIMIT_STORAGE": f"redis://127.0.0.1:{free_port()}", "RATE_LIMIT_FAILURE": "closed"}
    server = start(bundle, tmp_path_factory.mktemp("uncountable") / "log", NAME_RATE_LIMIT="10/day", **settings)
    yield server
    assert stop(server) == 0


@pytest.mark.parametrize(("method", "path", "body"), ASKING)
def test_names_over_the_quota_are_429_on_every_route(
    used_up: Server, method: str, path: str, body: dict[str, object] | None
) -> None:
    answer = used_up.client.request(method, path, json=body)
    assert answer.status_code == 429
    assert "names" in answer.json()["detail"]
    assert answer.headers["ratelimit"].startswith('"names: 10 per 1 day";r=0')
    assert int(answer.headers["retry-after"]) > 0
    assert "unhandled" not in used_up.read_log()


@pytest.mark.parametrize(("method", "path", "body"), ASKING)
def test_names_that_cannot_be_counted_are_503_on_every_route(
    uncountable: Server, method: str, path: str, body: dict[str, object] | None
) -> None:
    answer = uncountable.client.request(method, path, json=body)
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert "unhandled" not in uncountable.read_log()


@pytest.mark.parametrize(
    "body",
    [
        {f"field {i}": 1 for i in range(50_000)},
        {"names": ["Jordan"], "prior": {f"label {i}": "x" for i in range(50_000)}},
        {"names": ["Jordan"], "prior": {f"label {i}": -1 for i in range(50_000)}},
    ],
    ids=["fields", "weights", "negative weights"],
)
@pytest.mark.parametrize("path", ["/get_prediction", "/v1/predict", "/v1/explain"])
def test_a_crowd_of_wrong_fields_gets_a_short_answer(client: httpx.Client, path: str, body: dict[str, object]) -> None:
    answer = client.post(path, json=body)
    assert answer.status_code == 422
    assert len(answer.content) < 2000


def test_short_rows_of_a_wide_file_are_not_filled_up_without_bound(client: httpx.Client) -> None:
    headers = {"content-type": "text/csv"}
    for n_columns, status in ((MAX_COLUMNS, 200), (MAX_COLUMNS + 1, 422)):
        first = ",".join(["name", *(f"c{i}" for i in range(1, n_columns))])
        assert client.post("/v1/predict/file", content=f"{first}\nx\n", headers=headers).status_code == status


@pytest.mark.parametrize("closed", [(2,), (0, 1, 2)])
def test_it_serves_without_standard_error(bundle: Path, monkeypatch: pytest.MonkeyPatch, closed: tuple[int]) -> None:
    port = free_port()
    monkeypatch.setenv("NAME_CLASSIFIER_PORT", str(port))
    monkeypatch.setenv("NAME_CLASSIFIER_BUNDLE_DIR", str(bundle))
    code = f"import os, sys; [os.close(fd) for fd in {closed}]; os.execv(sys.executable, [sys.executable, '-m', 'api'])"
    with subprocess.Popen([sys.executable, "-c", code], cwd=ROOT) as process:
        try:
            assert _get_readiness(process, port) == 200
        finally:
            process.terminate()
        assert process.wait(timeout=30) == 0


def _get_readiness(process: subprocess.Popen[bytes], port: int) -> int:
    while process.poll() is None:
        try:
            return httpx.get(f"http://127.0.0.1:{port}/readyz").status_code
        except httpx.TransportError:
            time.sleep(0.05)
    return 0


def test_sigusr2_ends_nothing(bundle: Path, tmp_path: Path) -> None:
    server = start(bundle, tmp_path / "log")
    server.process.send_signal(signal.SIGUSR2)
    assert server.client.post("/get_prediction", json={"name": "Jordan"}).status_code == 200
    assert stop(server) == 0


@pytest.mark.parametrize("options", ["socket_timeout=secretword", "db=secretword", "secretword=1", "protocol=9"])
def test_an_option_that_redis_does_not_know_is_refused(options: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Settings(rate_limit_storage=f"redis://127.0.0.1:1?{options}")
    assert explain(caught.value).startswith("NAME_CLASSIFIER_RATE_LIMIT_STORAGE: ")
    assert "secretword" not in explain(caught.value)


def test_what_is_wrong_with_a_list_of_keys_is_said_shortly() -> None:
    with pytest.raises(KeyListError) as caught:
        parse_keys(json.dumps([1] * 10_000))
    assert len(str(caught.value)) < 2000
    assert "more" in str(caught.value)


def test_an_empty_name_of_the_file_of_keys_is_refused() -> None:
    with pytest.raises(ValidationError) as caught:
        Settings.model_validate({"api_keys_file": ""})
    assert explain(caught.value).startswith("NAME_CLASSIFIER_API_KEYS_FILE: ")


def test_a_key_that_cannot_be_written_is_said_in_one_sentence() -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [sys.executable, "-m", "api", "key", "name"], cwd=ROOT, stdout=full, stderr=subprocess.PIPE, check=False
        )
    assert done.returncode == 1
    assert done.stderr.decode().count("\n") == 1
