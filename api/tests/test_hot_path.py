"""The hot path and the ordinary route answer alike, whatever is sent."""

import json
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

HOT = "application/json"
ORDINARY = "application/json; charset=utf-8"  # the hot path takes only the plain form
SHARED = settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

NAMES = st.one_of(
    st.text(max_size=12), st.sampled_from(["Jordan", "Nguyễn Văn An", "O'Brien", " ", "", "a" * 101, "山田"])
)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-3, 9), st.floats(), NAMES)
BODIES = {
    "/get_prediction": st.fixed_dictionaries(
        {}, optional={"name": st.one_of(NAMES, SCALARS), "n_predictions": SCALARS, "extra": SCALARS}
    ),
    "/v1/predict": st.fixed_dictionaries(
        {},
        optional={
            "names": st.one_of(st.lists(NAMES, max_size=12), st.lists(SCALARS, max_size=3), SCALARS),
            "top_k": st.one_of(st.integers(1, 4), SCALARS),
            "prior": st.one_of(
                st.sampled_from(["natural", "uniform", "none"]), st.just({"Irish": 1.0}), st.just([]), SCALARS
            ),
            "abstain": SCALARS,
            "extra": SCALARS,
        },
    ),
}


def _send(client: httpx.Client, path: str, body: bytes, content_type: str) -> tuple[int, Any, dict[str, str]]:
    headers = {"content-type": content_type, "x-request-id": "same"}
    answer = client.post(path, content=body, headers=headers)
    kept = {key: value for key, value in answer.headers.items() if key not in {"date", "content-length", "ratelimit"}}
    return answer.status_code, answer.json(), kept


@SHARED
@given(body=BODIES["/get_prediction"])
@example(body={"name": "Jordan", "n_predictions": 2.0})
@example(body={"name": "Jordan", "n_predictions": True})
@example(body={"name": "Jordan", "n_predictions": 10**30})
def test_get_prediction(client: httpx.Client, body: dict[str, Any]) -> None:
    raw = json.dumps(body).encode()
    assert _send(client, "/get_prediction", raw, HOT) == _send(client, "/get_prediction", raw, ORDINARY)


@SHARED
@given(body=BODIES["/v1/predict"])
@example(body={"names": ["Jordan"], "top_k": 2.0})
@example(body={"names": ["Jordan"], "top_k": True})
@example(body={"names": ["Jordan"], "top_k": 0})
@example(body={"names": ["Jordan"], "abstain": 1})
@example(body={"names": ["Jordan"], "prior": None})
@example(body={"names": ["Jordan", 7]})
@example(body={"names": ["Jordan"] * 9})
@example(body={"names": []})
def test_v1_predict(client: httpx.Client, body: dict[str, Any]) -> None:
    raw = json.dumps(body).encode()
    assert _send(client, "/v1/predict", raw, HOT) == _send(client, "/v1/predict", raw, ORDINARY)


@SHARED
@given(
    raw=st.one_of(st.binary(max_size=60), st.text(alphabet='{}[]":,\\ud80nametrue1e. ', max_size=40).map(str.encode))
)
@example(raw=b'\xef\xbb\xbf{"name": "Jordan"}')
@example(raw=b'{"name": "Jordan", "name": "Kelly"}')
@example(raw=b'{"name": "Jordan"} ')
@example(raw=b'{"name": "Jordan"}x')
@example(raw=b'{"name": "\\ud83d\\ude00 Jordan"}')
@example(raw='{"name": "Jordan"}'.encode("utf-16"))
@example(raw=b'{"name": "Jordan", "n_predictions": 1e0}')
@example(raw=b'{"name": "Jordan", "n_predictions": -0}')
def test_bytes_that_may_be_json(client: httpx.Client, raw: bytes) -> None:
    assert _send(client, "/get_prediction", raw, HOT) == _send(client, "/get_prediction", raw, ORDINARY)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/get_prediction", {"name": "Jordan"}),
        ("/get_prediction", {"name": "Jordan", "n_predictions": 2}),
        ("/v1/predict", {"names": ["Jordan"]}),
        ("/v1/predict", {"names": ["Jordan"] * 8, "top_k": 2, "prior": "uniform", "abstain": True}),
    ],
)
def test_an_ordinary_request_takes_the_hot_path(client: httpx.Client, path: str, body: dict[str, Any]) -> None:
    """Else the comparisons above would compare the ordinary route with itself: its header order differs."""
    content = json.dumps(body).encode()
    hot, ordinary = (client.post(path, content=content, headers={"content-type": kind}) for kind in (HOT, ORDINARY))
    assert hot.status_code == 200
    assert list(hot.headers) != list(ordinary.headers)
