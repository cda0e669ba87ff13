import json
import math
from collections import Counter
from functools import partial
from math import exp

import httpx
import pytest

from api.tests.conftest import ENDINGS, Server, metric_sum


def test_check_service_answers_as_the_contract_says(client: httpx.Client) -> None:
    answer = client.get("/check_service")
    assert (answer.status_code, answer.json()) == (200, {"Message": "Hello world from service"})


def test_get_prediction_answers_natural_log_probabilities_best_first(client: httpx.Client) -> None:
    answer = client.post("/get_prediction", json={"name": "Jordan", "n_predictions": 2})
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    body = answer.json()
    assert list(body) == ["predictions", "probabilities"]
    assert len(set(body["predictions"])) == 2
    assert body["probabilities"] == sorted(body["probabilities"], reverse=True)


def test_all_probabilities_sum_to_one(client: httpx.Client) -> None:
    body = client.post("/get_prediction", json={"name": "Jordan", "n_predictions": len(ENDINGS)}).json()
    assert sorted(body["predictions"]) == sorted(ENDINGS)
    assert math.fsum(map(math.exp, body["probabilities"])) == pytest.approx(1)


def test_three_predictions_are_the_default(client: httpx.Client) -> None:
    assert len(client.post("/get_prediction", json={"name": "Jordan"}).json()["predictions"]) == 3


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/check_service", "/", "/docs", "/openapi.json"])
def test_operators_routes_answer(client: httpx.Client, path: str) -> None:
    assert client.get(path).status_code == 200
    assert client.head(path).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/v1/similar"), ("GET", "/check_service"), ("POST", "/get_prediction"), ("POST", "/v1/predict/stream")],
)
def test_a_query_that_is_not_utf8_is_refused(client: httpx.Client, method: str, path: str) -> None:
    answer = client.request(method, f"{path}?name=M%FCller", json={"name": "Jordan"} if method == "POST" else None)
    assert (answer.status_code, answer.json()["detail"]) == (400, "The query is not UTF-8.")


def test_metrics_count_by_route_template_and_label_and_never_hold_a_path(client: httpx.Client) -> None:
    value = partial(metric_sum, client)
    counter = 'http_requests_total{method="POST",route="/get_prediction",status="200"}'
    requests, predictions = value(counter), value("predictions_total{")
    client.post("/get_prediction", json={"name": "Jordan"})
    client.get("/secret-path/Jordan")
    client.get("/docs")
    client.request("PROPFIND", "/livez")
    assert value(counter) == requests + 1
    assert value("predictions_total{") == predictions + 1
    assert value('http_requests_total{method="GET",route="unmatched",status="404"}') >= 1
    assert value('http_requests_total{method="GET",route="/docs",status="200"}') >= 1
    assert value('http_requests_total{method="OTHER",route="/livez",status="405"}') >= 1
    assert value('http_request_duration_seconds_count{method="POST",route="/get_prediction"}') >= 1
    assert value("model_info{") == 1
    assert value("http_connections_open ") >= 1
    text = client.get("/metrics").text
    assert "secret-path" not in text
    assert "Jordan" not in text
    for label in ENDINGS:
        assert f'predictions_total{{label="{label}"}}' in text


@pytest.mark.parametrize("repeats", [1, 4], ids=["few names", "many names"])
def test_names_count_by_their_most_probable_label_and_abstentions_by_reason(client: httpx.Client, repeats: int) -> None:
    reasons = ("unfamiliar", "unknown characters")

    def confident() -> float:
        """Return how many names have had a label with a probability above 0.5."""
        at_most, every = (metric_sum(client, f'prediction_confidence_bucket{{le="{le}"}}') for le in ("0.5", "+Inf"))
        return every - at_most

    series = {label: f'predictions_total{{label="{label}"}}' for label in ENDINGS}
    series |= {reason: f'abstentions_total{{reason="{reason}"}}' for reason in reasons}
    before = {what: metric_sum(client, line_start) for what, line_start in series.items()}
    confident_before = confident()
    body = {"names": ["Berson", "Мария", "qxzvw"] * repeats, "top_k": len(ENDINGS)}
    predictions = client.post("/v1/predict", json=body).json()["predictions"]
    expected = Counter(prediction["labels"][0] for prediction in predictions if prediction["labels"])
    expected.update(prediction["abstained"] for prediction in predictions if prediction["abstained"])
    counted = {what: metric_sum(client, line_start) - before[what] for what, line_start in series.items()}
    assert counted == {what: expected[what] for what in series}
    assert confident() == confident_before + sum(
        exp(p["log_probabilities"][0]) > 0.5 for p in predictions if p["labels"]
    )
    assert all(expected[reason] for reason in reasons)


def test_log_is_json_and_holds_no_name(client: httpx.Client, server: Server) -> None:
    client.post("/get_prediction?name=Queryname", json={"name": "Bodyname"})
    client.post("/get_prediction/Pathname", json={"name": "Bodyname", "n_predictions": 0})
    client.post("/get_prediction", json={"name": "Bodyname", "Keyname": 0})
    lines = [json.loads(line) for line in server.read_log().splitlines()]
    assert {"method": "POST", "route": "/get_prediction", "status": 200}.items() <= next(
        line for line in reversed(lines) if line.get("status") == 200 and line.get("method") == "POST"
    ).items()
    text = server.read_log()
    assert not [name for name in ("Queryname", "Bodyname", "Pathname", "Keyname") if name in text]


def test_openapi_names_the_error_shape(client: httpx.Client) -> None:
    operation = client.get("/openapi.json").json()["paths"]["/get_prediction"]["post"]
    for status in ("400", "413", "415", "422"):
        assert list(operation["responses"][status]["content"]) == ["application/problem+json"]
