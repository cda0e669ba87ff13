"""What clients send by mistake or on purpose: a problem with a sentence, never a 5xx, never an echo."""

import json
from dataclasses import dataclass, field

import httpx
import pytest

SECRET = "Secretname"
ROUTE = "/get_prediction"
JSON = {"content-type": "application/json"}


@dataclass(frozen=True)
class Case:
    what: str
    status: int
    body: bytes = b""
    method: str = "POST"
    path: str = ROUTE
    headers: dict[str, str] = field(default_factory=lambda: JSON)


def _name(value: object, **more: object) -> bytes:
    return json.dumps({"name": value, **more}).encode()


CASES = [
    Case("empty name", 422, _name("")),
    Case("only spaces", 422, _name("   ")),
    Case("only a zero-width space", 422, _name("\u200b")),
    Case("10,000 characters", 422, _name(SECRET * 1000)),
    Case("101 characters", 422, _name("a" * 101)),
    Case("a ligature that unfolds to 18 letters, 90 times", 422, _name("\ufdfa" * 90)),
    Case("emoji", 422, _name("😀😀")),
    Case("a script the model never saw", 422, _name("山田")),
    Case("lone surrogate", 422, b'{"name": "\\ud800"}'),
    Case("surrogate inside a name", 422, b'{"name": "ab\\udfffcd"}'),
    Case("NUL", 422, b'{"name": "Secret\\u0000name"}'),
    Case("escape character", 422, _name("Secret\x1bname")),
    Case("private use", 422, _name("\ue000")),
    Case("NaN as name", 422, b'{"name": NaN}'),
    Case("NaN as number", 422, b'{"name": "Secretname", "n_predictions": NaN}'),
    Case("Infinity", 422, b'{"name": "Secretname", "n_predictions": Infinity}'),
    Case("1e999", 422, b'{"name": "Secretname", "n_predictions": 1e999}'),
    Case("a number with 5,000 digits", 400, b'{"name": "Secretname", "n_predictions": ' + b"9" * 5000 + b"}"),
    Case("number as name", 422, _name(7)),
    Case("null as name", 422, _name(None)),
    Case("list as name", 422, _name([SECRET])),
    Case("object as name", 422, _name({SECRET: SECRET})),
    Case("no name", 422, b"{}"),
    Case("zero predictions", 422, _name(SECRET, n_predictions=0)),
    Case("more predictions than labels", 422, _name(SECRET, n_predictions=5)),
    Case("number as string", 422, _name(SECRET, n_predictions="2")),
    Case("fraction", 422, _name(SECRET, n_predictions=1.5)),
    Case("true as number", 422, _name(SECRET, n_predictions=True)),
    Case("unknown field", 422, _name("Jordan", **{SECRET: 1})),
    Case("list as body", 422, b'["Secretname"]'),
    Case("string as body", 422, b'"Secretname"'),
    Case("null as body", 422, b"null"),
    Case("no body", 422, b""),
    Case("broken JSON", 400, b'{"name": "Secretname"'),
    Case("not JSON", 400, b"name=Secretname"),
    Case("bad UTF-8", 400, b'{"name": "\xff\xfe"}'),
    Case("nested 30,000 deep", 400, b"[" * 30_000),
    Case("form", 415, b"name=Secretname", headers={"content-type": "application/x-www-form-urlencoded"}),
    Case("image", 415, b"\x89PNG\r\n\x1a\n\x00", headers={"content-type": "image/png"}),
    Case("no content type", 415, _name(SECRET), headers={}),
    Case("an encoding that a client made up", 415, _name("Jordan"), headers=JSON | {"content-encoding": SECRET}),
    Case("1.4 MB", 413, _name("a" * 1_400_000)),
    Case("unknown route", 404, path="/Secretname"),
    Case("path that is not UTF-8", 404, path="/%ff%00"),
    Case("path with a slash more", 404, path=ROUTE + "/?name=Secretname"),
    Case("a header of 1 MB", 431, _name("Jordan"), headers=JSON | {"x-long": "a" * 1_000_000}),
    Case("wrong method", 405, method="GET"),
    Case("method that no route takes", 405, method="PROPFIND"),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.what)
def test_malformed_request_is_a_problem(client: httpx.Client, case: Case) -> None:
    answer = client.request(case.method, case.path, content=case.body, headers=case.headers)
    assert answer.status_code == case.status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == case.status
    assert problem["title"]
    assert problem["detail"].rstrip(".")
    assert SECRET.lower() not in answer.text.lower()


def test_a_chunked_body_past_the_limit_is_refused(client: httpx.Client) -> None:
    answer = client.post(ROUTE, content=(b"x" * 20_000 for _ in range(100)), headers=JSON)
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("accept", [b"text/plain; version=abc", b"application/openmetrics-text; version=abc", b"\xff"])
def test_metrics_answer_whatever_is_accepted(client: httpx.Client, accept: bytes) -> None:
    assert client.get("/metrics", headers=[(b"accept", accept)]).status_code == 200


def test_allow_header_survives(client: httpx.Client) -> None:
    assert client.get(ROUTE).headers["allow"] == "POST"


def test_the_service_still_answers(client: httpx.Client) -> None:
    assert client.post(ROUTE, json={"name": "Jordan"}).status_code == 200
