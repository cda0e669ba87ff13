"""Who is let in: keys, their file, and pages of other origins."""

import asyncio
import hashlib
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from api.context import Caller
from api.key_list import ApiKey
from api.middleware.api_keys import KeyRing
from api.middleware.authentication import AuthenticationError, Authenticator
from api.middleware.client_address import TrustedProxies
from api.middleware.key_file import KeyFile
from api.observability.metrics import Metrics
from api.settings import Settings
from api.tests.conftest import ROOT, Server, start, stop, until

KEY, OTHER = "key-of-billing", "key-of-other"
BODY = {"name": "Jordan"}
ROUTE = "/get_prediction"
WITHOUT_KEY = ["/livez", "/readyz", "/check_service", "/metrics", "/docs", "/openapi.json"]


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def _key_list(**keys: str) -> str:
    return json.dumps([{"name": name, "sha256": _hash(key)} for name, key in keys.items()])


@pytest.fixture(scope="module")
def guarded(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with a file of two keys."""
    folder = tmp_path_factory.mktemp("guarded")
    (folder / "keys.json").write_text(_key_list(billing=KEY, other=OTHER))
    running = start(
        bundle,
        folder / "log",
        API_KEYS_FILE=str(folder / "keys.json"),
        RATE_LIMIT="1000/second",
        CORS_ORIGINS='["https://page.example"]',
        LOG_LEVEL="debug",
    )
    yield running
    assert stop(running) == 0


@pytest.mark.parametrize(
    "headers",
    [
        [("authorization", f"Bearer {KEY}")],
        [("authorization", f"bearer  {KEY}")],
        [("x-api-key", KEY)],
        [("x-api-key", KEY), ("x-api-key", KEY)],
        [("authorization", f"Bearer {KEY}"), ("authorization", f"Bearer {KEY}")],
        [("x-api-key", KEY), ("authorization", "Bearer of-a-proxy")],
        [("x-api-key", KEY), ("authorization", "Basic cHJveHk6cHJveHk=")],
    ],
)
def test_a_known_key_is_accepted(guarded: Server, headers: list[tuple[str, str]]) -> None:
    assert guarded.client.post(ROUTE, json=BODY, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "header", [f"X-API-Key: {KEY}  \t ", f"X-API-Key:\t {KEY}", f"Authorization:  Bearer {KEY} \t"]
)
def test_whitespace_around_a_key_is_none_of_it(guarded: Server, header: str) -> None:
    """httpx refuses to send it."""
    url = guarded.client.base_url
    with socket.create_connection((url.host, url.port), timeout=10) as connection:
        body = json.dumps(BODY)
        head = f"POST {ROUTE} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {len(body)}"
        connection.sendall(f"{head}\r\n{header}\r\n\r\n{body}".encode())
        assert connection.recv(1000).startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("x-api-key", "")],
        [("authorization", "Bearer")],
        [("authorization", KEY)],
        [("proxy-authorization", f"Bearer {KEY}")],
        [("cookie", KEY)],
        [("authorization", f"Basic {KEY}")],
        [("x-api-key", "wrong")],
        [("x-api-key", KEY + "x")],
        [("x-api-key", KEY[:-1])],
        [("x-api-key", _hash(KEY))],
        [("x-api-key", "wrong"), ("authorization", f"Bearer {KEY}")],
        [("x-api-key", KEY), ("x-api-key", "wrong")],
        [("x-api-key", "wrong"), ("x-api-key", KEY)],
        [("x-api-key", KEY), ("x-api-key", OTHER)],
        [("x-api-key", KEY), ("x-api-key", "")],
        [("authorization", f"Bearer {KEY}"), ("authorization", "Bearer wrong")],
        [("authorization", "Bearer wrong"), ("authorization", f"Bearer {KEY}")],
        [("x-api-key", b"\xff\x80\xfe")],
        [("authorization", "Bearer ключ".encode())],
        [("x-api-key", "k" * 5000)],
    ],
)
@pytest.mark.parametrize("path", [ROUTE, "/v1/explain", "/no-such-route"])
def test_any_other_key_is_refused(guarded: Server, headers: list[tuple[str, str | bytes]], path: str) -> None:
    encoded = [(name.encode(), value if isinstance(value, bytes) else value.encode()) for name, value in headers]
    answer = guarded.client.post(path, json=BODY, headers=encoded)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "ratelimit" not in answer.headers
    assert answer.json()["detail"] in {
        "Send an API key as Authorization: Bearer KEY, or as X-API-Key.",
        "Send one API key; this request holds several that differ.",
        "This API key is not known.",
    }


@pytest.mark.parametrize(("pieces", "status"), [(10, 401), (5000, 401)])
def test_a_body_without_a_key_is_refused_unread(guarded: Server, pieces: int, status: int) -> None:
    answer = guarded.client.post(ROUTE, content=(b"x" * 1000 for _ in range(pieces)))
    assert answer.status_code == status
    assert guarded.client.post(ROUTE, json=BODY, headers={"x-api-key": KEY}).status_code == 200


def test_operators_and_documentation_need_no_key(guarded: Server) -> None:
    for path in WITHOUT_KEY:
        answer = guarded.client.get(path)
        assert answer.status_code == 200, path
        assert "ratelimit" not in answer.headers
    for path in ("/v2/health/live", "/v2/health/ready"):
        assert guarded.client.get(path).status_code != 401


def test_logs_and_metrics_hold_no_key_and_no_callers_name(guarded: Server) -> None:
    for key in (KEY, OTHER, "wrong-key"):
        guarded.client.post(f"{ROUTE}?key={key}", json=BODY, headers={"authorization": f"Bearer {key}"})
        guarded.client.get(f"/v1/similar/{key}?name={key}", headers={"x-api-key": key})
    seen = guarded.read_log() + guarded.client.get("/metrics").text
    secret = [KEY, OTHER, "wrong-key", "Jordan", "billing", *map(_hash, (KEY, OTHER))]
    assert not [word for word in secret if word in seen]


def test_a_page_of_a_named_origin_may_ask_with_a_key(guarded: Server) -> None:
    question = {"access-control-request-method": "POST", "access-control-request-headers": "x-api-key, content-type"}
    allowed = guarded.client.options(ROUTE, headers=question | {"origin": "https://page.example"})
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == "https://page.example"
    refused = guarded.client.options(ROUTE, headers=question | {"origin": "https://other.example"})
    assert refused.status_code == 400
    assert refused.headers["content-type"] == "application/problem+json"
    assert "access-control-allow-origin" not in refused.headers


@pytest.mark.parametrize(("key", "status"), [(KEY, 200), ("wrong", 401)])
@pytest.mark.parametrize(("path", "body"), [(ROUTE, BODY), ("/v1/predict", {"names": ["Jordan"]})])
def test_a_page_reads_an_answer_if_its_origin_is_named(
    guarded: Server, path: str, body: dict[str, object], key: str, status: int
) -> None:
    for origin in ("https://page.example", "https://other.example"):
        answer = guarded.client.post(path, json=body, headers={"origin": origin, "x-api-key": key})
        assert answer.status_code == status
        allowed = origin if origin == "https://page.example" else None
        assert answer.headers.get("access-control-allow-origin") == allowed
        assert "access-control-allow-credentials" not in answer.headers


def test_no_page_may_ask_unless_its_origin_is_named(client: httpx.Client) -> None:
    answer = client.post(ROUTE, json=BODY, headers={"origin": "https://page.example"})
    assert not [name for name in answer.headers if name.startswith("access-control-")]


def test_the_document_says_how_to_send_a_key(guarded: Server, client: httpx.Client) -> None:
    document = guarded.client.get("/openapi.json").json()
    assert document["security"] == [{"bearer": []}, {"apiKey": []}]
    assert document["components"]["securitySchemes"].keys() == {"bearer", "apiKey"}
    assert document["paths"]["/livez"]["get"]["security"] == []
    responses = document["paths"][ROUTE]["post"]["responses"]
    assert "security" not in document["paths"][ROUTE]["post"]
    assert responses["429"]["headers"].keys() == {"Retry-After", "RateLimit", "RateLimit-Policy"}
    assert responses["503"]["headers"].keys() == {"Retry-After"}
    assert responses["401"]["headers"].keys() == {"WWW-Authenticate"}
    assert {} in client.get("/openapi.json").json()["security"]


def _identify(keys: KeyRing, key: str) -> Caller:
    return Authenticator(keys, TrustedProxies([])).identify([(b"x-api-key", key.encode())], "192.0.2.1")


def test_a_new_key_is_random_and_its_entry_opens_with_it() -> None:
    command = [sys.executable, "-m", "api", "key", "billing"]
    runs = [subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True) for _ in range(2)]
    (key, entry), (other, _) = (run.stdout.splitlines() for run in runs)
    assert key != other
    assert len(key) >= 43
    keys = KeyRing([ApiKey(**json.loads(entry))], required=True)
    assert _identify(keys, key) == Caller("billing", "192.0.2.1")
    with pytest.raises(AuthenticationError):
        _identify(keys, other)
    wrong = subprocess.run([*command, "more"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (wrong.returncode, wrong.stdout) == (1, "")


def _mount(folder: Path, version: str, content: str) -> Path:
    """Put a key list where Kubernetes would put that of a Secret: behind a link that is swapped."""
    (folder / version).mkdir()
    (folder / version / "keys.json").write_text(content)
    (folder / "..data_tmp").symlink_to(version)
    (folder / "..data_tmp").rename(folder / "..data")
    return folder / "..data" / "keys.json"


def test_a_revoked_key_is_refused_without_a_restart(bundle: Path, tmp_path: Path) -> None:
    path = _mount(tmp_path, "v1", _key_list(billing=KEY, other=OTHER))
    server = start(bundle, tmp_path / "log", API_KEYS_FILE=str(path))

    def statuses() -> list[int]:
        sent = [{"x-api-key": key} for key in (KEY, OTHER, "third")]
        return [server.client.post(ROUTE, json=BODY, headers=headers).status_code for headers in sent]

    try:
        assert statuses() == [200, 200, 401]
        _mount(tmp_path, "v2", _key_list(billing=KEY, third="third"))
        until(lambda: statuses() == [200, 401, 200])
        _mount(tmp_path, "v3", '[{"name": "secretword"')
        until(lambda: 'api_key_reloads_total{outcome="refused"} 1.0' in server.client.get("/metrics").text)
        assert statuses() == [200, 401, 200]
        _mount(tmp_path, "v4", "[]")
        until(lambda: statuses() == [401, 401, 401])
        assert 'api_key_reloads_total{outcome="loaded"} 2.0' in server.client.get("/metrics").text
        log = server.read_log()
        assert log.count("API keys refused") == 1
        assert "a JSON list is wanted" in log
        assert "secretword" not in log
    finally:
        stop(server)


def test_a_file_that_is_no_list_of_keys_leaves_the_old_ones(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "keys.json"
    path.write_text(_key_list(billing=KEY))
    settings = Settings(api_keys_file=path)
    keys = KeyRing(settings.api_keys, required=True)
    file = KeyFile(settings, keys, Metrics())
    single = json.dumps({"name": "billing", "sha256": _hash(KEY)})
    for number, content in enumerate(
        [b"\xff", b"[" * 100_000, single.encode(), _key_list(other=OTHER).encode() + b" " * 2_000_000]
    ):
        path.write_bytes(content)
        file.reload()
        assert len(caplog.records) == number + 1
        assert _identify(keys, KEY).name == "billing"
    path.unlink()
    os.mkfifo(path)
    file.reload()
    assert "no regular file" in caplog.records[-1].__dict__["reason"]
    path.unlink()
    file.reload()
    assert "cannot be read" in caplog.records[-1].__dict__["reason"]
    assert _identify(keys, KEY).name == "billing"
    path.write_text(_key_list(other=OTHER))
    file.reload()
    assert _identify(keys, OTHER).name == "other"


def test_an_unchanged_key_file_is_reported_once(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "keys.json"
    path.write_text(_key_list(billing=KEY))
    settings, metrics = Settings(api_keys_file=path), Metrics()
    file = KeyFile(settings, KeyRing(settings.api_keys, required=True), metrics)
    outcomes = []
    for change in (lambda: None, path.unlink, path.touch, lambda: path.write_text(_key_list(other=OTHER))):
        change()
        with pytest.raises(TimeoutError):
            asyncio.run(asyncio.wait_for(file.watch(check_seconds=0.01), 0.2))
        outcomes.append([_reloads(metrics, outcome) for outcome in ("loaded", "refused")])
    assert outcomes == [[0, 0], [0, 1], [0, 2], [1, 2]]
    assert [record.levelname for record in caplog.records].count("ERROR") == 2


def _reloads(metrics: Metrics, outcome: str) -> float | None:
    return metrics.registry.get_sample_value("api_key_reloads_total", {"outcome": outcome})


def test_production_takes_no_key_without_a_limit_later_either(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    path.write_text(json.dumps([{"name": "billing", "sha256": _hash(KEY), "limit": "5/second"}]))
    settings = Settings(api_keys_file=path, environment="production")
    keys = KeyRing(settings.api_keys, required=True)
    path.write_text(_key_list(billing=KEY))
    KeyFile(settings, keys, Metrics()).reload()
    assert keys.keys == settings.api_keys
