"""Keys and limits, as clients and operators meet them."""

import hashlib
import json
import math
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from api.middleware.admission import Admission
from api.observability.metrics import Metrics
from api.settings import ApiKey, Settings
from api.tests.conftest import ROOT, Server, start, stop

KEY, SMALL, OTHER = "key-of-billing", "key-of-small", "key-of-other"
BODY = {"name": "Jordan"}
ROUTE = "/get_prediction"
WITHOUT_KEY = ["/livez", "/readyz", "/check_service", "/metrics", "/docs", "/openapi.json"]
POLICY = re.compile(r'"([^"]+)";q=(\d+);w=(\d+)')
LEFT = re.compile(r'"([^"]+)";r=(\d+);t=(\d+)')


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


KEYS = json.dumps(
    [
        {"name": "billing", "sha256": _hash(KEY)},
        {"name": "small", "sha256": _hash(SMALL), "limit": "2/second;3/minute"},
        {"name": "other", "sha256": _hash(OTHER)},
    ]
)


@pytest.fixture(scope="module")
def guarded(bundle: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with three keys, all in a file, and a limit for those without one of their own."""
    folder = tmp_path_factory.mktemp("guarded")
    (folder / "keys.json").write_text(KEYS)
    running = start(
        bundle,
        folder / "log",
        API_KEYS_FILE=str(folder / "keys.json"),
        RATE_LIMIT="1000/second; 5000/minute",
        CORS_ORIGINS='["https://page.example"]',
        LOG_LEVEL="debug",
    )
    yield running
    assert stop(running) == 0


def _ask(server: Server, key: str) -> httpx.Response:
    return server.client.post(ROUTE, json=BODY, headers={"x-api-key": key})


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {KEY}"},
        {"authorization": f"bearer  {KEY}"},
        {"x-api-key": KEY},
        {"x-api-key": KEY, "authorization": "Bearer of-a-proxy"},
        {"x-api-key": KEY, "authorization": "Basic cHJveHk6cHJveHk="},
    ],
)
def test_a_key_opens(guarded: Server, headers: dict[str, str]) -> None:
    assert guarded.client.post(ROUTE, json=BODY, headers=headers).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-api-key": ""},
        {"authorization": "Bearer"},
        {"authorization": KEY},
        {"authorization": f"Basic {KEY}"},
        {"x-api-key": "wrong"},
        {"x-api-key": KEY + "x"},
        {"x-api-key": KEY[:-1]},
        {"x-api-key": _hash(KEY)},
        {"x-api-key": "wrong", "authorization": f"Bearer {KEY}"},
        {"x-api-key": b"\xff\x00\xfe".replace(b"\x00", b"\x80")},
        {"authorization": "Bearer ключ".encode()},
        {"x-api-key": "k" * 5000},
    ],
)
@pytest.mark.parametrize("path", [ROUTE, "/v1/predict", "/no-such-route"])
def test_nothing_else_opens(guarded: Server, headers: dict[str, str], path: str) -> None:
    answer = guarded.client.post(path, json=BODY, headers=headers)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "ratelimit" not in answer.headers
    assert answer.json()["detail"] in {
        "Send an API key as Authorization: Bearer KEY, or as X-API-Key.",
        "This API key is not known.",
    }


@pytest.mark.parametrize(("pieces", "status"), [(10, 401), (5000, 401)])
def test_a_body_without_a_key_is_refused_unread(guarded: Server, pieces: int, status: int) -> None:
    answer = guarded.client.post(ROUTE, content=(b"x" * 1000 for _ in range(pieces)))
    assert answer.status_code == status
    assert _ask(guarded, KEY).status_code == 200


def test_limits_are_announced_as_the_draft_says(guarded: Server) -> None:
    answer = _ask(guarded, OTHER)
    policies = POLICY.findall(answer.headers["ratelimit-policy"])
    assert [(int(amount), int(seconds)) for _, amount, seconds in policies] == [(1000, 1), (5000, 60)]
    left = LEFT.findall(answer.headers["ratelimit"])
    assert [name for name, _, _ in left] == [name for name, _, _ in policies]
    for (_, remaining, resets_in), (_, amount, seconds) in zip(left, policies, strict=True):
        assert 0 <= int(remaining) < int(amount)
        assert 0 <= int(resets_in) <= int(seconds)
    again = LEFT.findall(_ask(guarded, OTHER).headers["ratelimit"])
    assert int(again[1][1]) == int(left[1][1]) - 1


def test_a_quota_is_the_keys_own_and_retry_after_is_true(guarded: Server) -> None:
    refused: list[httpx.Response] = []
    for allowed in (2, 1):  # two in the first second; of three in a minute, one is left after that
        answers = [_ask(guarded, SMALL) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200] * allowed + [429] * (4 - allowed)
        refused.append(answers[-1])
        assert refused[-1].headers["content-type"] == "application/problem+json"
        assert _ask(guarded, KEY).status_code == 200
        if allowed == 2:
            time.sleep(int(refused[-1].headers["retry-after"]))
    for answer in refused:
        wait = int(answer.headers["retry-after"])
        assert f"{wait} second" in answer.json()["detail"]
        exhausted = [int(resets) for _, left, resets in LEFT.findall(answer.headers["ratelimit"]) if left == "0"]
        assert wait == max(exhausted)
    assert int(refused[0].headers["retry-after"]) == 1
    assert 30 < int(refused[1].headers["retry-after"]) <= 60


def test_operators_and_documentation_need_no_key_and_have_no_limit(guarded: Server) -> None:
    for path in WITHOUT_KEY:
        answer = guarded.client.get(path)
        assert answer.status_code == 200, path
        assert "ratelimit" not in answer.headers
    for path in ("/v2/health/live", "/v2/health/ready"):
        assert guarded.client.get(path).status_code != 401


def test_without_keys_an_address_is_a_caller(bundle: Path, tmp_path: Path) -> None:
    server = start(bundle, tmp_path / "log", RATE_LIMIT="3/hour")
    try:
        answers = [server.client.post(ROUTE, json=BODY) for _ in range(5)]
        assert [answer.status_code for answer in answers] == [200] * 3 + [429] * 2
        assert [server.client.get("/livez").status_code for _ in range(5)] == [200] * 5
        assert (
            'http_requests_total{method="POST",route="unmatched",status="429"} 2.0'
            in server.client.get("/metrics").text
        )
    finally:
        stop(server)


def test_one_network_of_ipv6_is_one_caller() -> None:
    admission = Admission(Settings(rate_limit="1/hour"), Metrics())

    def let_in(client: str) -> bool:
        return admission.admit([], client).refusal is None

    assert let_in("2001:db8::1")
    assert not let_in("2001:db8::2")
    assert let_in("2001:db8:0:1::1")
    assert let_in("::ffff:192.0.2.1")
    assert not let_in("192.0.2.1")
    assert let_in("")
    assert let_in("no:address")


def test_forgotten_callers_take_no_memory() -> None:
    admission = Admission(Settings(rate_limit="1/day"), Metrics())
    for number in range(120_000):
        admission.admit([], f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")
    (window,) = admission._memory._windows.values()
    assert len(window._callers) <= 50_000
    assert admission.admit([], "10.1.212.191").refusal  # the last ones are still known


def test_every_request_of_a_burst_is_counted() -> None:
    """A window that ends lets the next quota in, and only that."""
    admission = Admission(Settings(rate_limit="7/second"), Metrics())
    started = time.monotonic()
    let_in = 0
    while time.monotonic() < started + 1.5:
        let_in += admission.admit([], "192.0.2.1").refusal is None
    assert let_in <= 7 * math.ceil(time.monotonic() - started)


def test_no_key_and_no_callers_name_gets_out(guarded: Server) -> None:
    for key in (KEY, SMALL, OTHER, "wrong-key"):
        guarded.client.post(f"{ROUTE}?key={key}", json=BODY, headers={"authorization": f"Bearer {key}"})
        guarded.client.get(f"/v1/similar/{key}?name={key}", headers={"x-api-key": key})
    seen = guarded.log.read_text() + guarded.client.get("/metrics").text
    secret = [KEY, SMALL, OTHER, "wrong-key", "Jordan", *map(_hash, (KEY, SMALL, OTHER))]
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
    answer = guarded.client.post(ROUTE, json=BODY, headers={"origin": "https://page.example"})
    assert (answer.status_code, answer.headers["access-control-allow-origin"]) == (401, "https://page.example")
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


def test_a_new_key_is_random_and_its_entry_opens_with_it() -> None:
    command = [sys.executable, "-m", "api", "key", "billing"]
    runs = [subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True) for _ in range(2)]
    (key, entry), (other, _) = (run.stdout.splitlines() for run in runs)
    assert key != other
    assert len(key) >= 43
    admission = Admission(Settings(api_keys=(ApiKey(**json.loads(entry)),)), Metrics())
    assert admission.admit([(b"x-api-key", key.encode())], "").caller == "billing"
    assert admission.admit([(b"x-api-key", other.encode())], "").refusal
    wrong = subprocess.run([*command, "more"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (wrong.returncode, wrong.stdout) == (1, "")
