"""The Open Inference Protocol, byte by byte; tests/clients has what its clients make of it."""

import json
import math
import socket
import struct
from contextlib import suppress
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.errors import FieldError
from api.formats.tensors import pack, unpack
from api.schemas.inference import InferResponse, ModelMetadata
from api.tests.conftest import ENDINGS, Server
from model.prediction import Predictor

MODEL = "/v2/models/name-classifier"
INFER = f"{MODEL}/infer"
REQUESTS = 'http_requests_total{method="POST",route="/v2/models/{model}/infer",status="'
SECRET = "Secretname"
NAMES = ["Berson", "Müller", "山田", "gbgkjq"]


def _tensor(names: list[Any], **more: Any) -> dict[str, Any]:
    return {"name": "name", "datatype": "BYTES", "shape": [len(names)], "data": names} | more


def _packed(names: list[bytes]) -> bytes:
    return b"".join(struct.pack("<I", len(name)) + name for name in names)


def _binary(raw: bytes, n: int, size: int | None = None, **more: Any) -> tuple[bytes, dict[str, str]]:
    """Return a body with a binary tensor of n names, declared to have `size` bytes, and its headers."""
    tensor = _tensor([], shape=[n], parameters={"binary_data_size": len(raw) if size is None else size})
    del tensor["data"]
    head = json.dumps({"inputs": [tensor], **more}).encode()
    return head + raw, {"inference-header-content-length": str(len(head))}


def _read(answer: httpx.Response) -> dict[str, list[Any]]:
    """Return the values of every tensor, flat, in the order of the answer; all bytes of it are accounted for."""
    assert answer.status_code == 200, answer.text
    head_size = int(answer.headers.get("inference-header-content-length", len(answer.content)))
    document = InferResponse.model_validate_json(answer.content[:head_size])
    rest = answer.content[head_size:]
    found: dict[str, list[Any]] = {}
    for tensor in document.outputs:
        if tensor.parameters is None:
            assert tensor.data is not None
            found[tensor.name] = tensor.data
        else:
            size = tensor.parameters.binary_data_size
            raw, rest = rest[:size], rest[size:]
            strings = tensor.datatype == "BYTES"
            found[tensor.name] = unpack(raw, "") if strings else list(struct.unpack(f"<{size // 8}d", raw))
        assert len(found[tensor.name]) == math.prod(tensor.shape)
    assert not rest
    return found


def test_it_answers_as_v1_predict_does(client: httpx.Client) -> None:
    options = {"top_k": 2, "prior": "uniform"}
    expected = client.post("/v1/predict", json={"names": NAMES, **options}).json()["predictions"]
    body = {"inputs": [_tensor(NAMES)], "parameters": options}
    outputs = _read(client.post(INFER, json=body))
    assert list(outputs) == ["label", "log_probability", "probability", "abstained"]
    for place, prediction in enumerate(expected):
        row = slice(2 * place, 2 * place + 2)
        assert outputs["label"][row] == (prediction["labels"] or ["", ""])
        assert outputs["log_probability"][row] == pytest.approx(prediction["log_probabilities"] or [-1e9, -1e9])
        assert outputs["probability"][row] == pytest.approx(prediction["probabilities"] or [0, 0])
        assert outputs["abstained"][place] == (prediction["abstained"] or "")


@pytest.mark.parametrize("n", [1, 3, 1000])
def test_binary_and_json_are_the_same_in_and_out(client: httpx.Client, n: int) -> None:
    names = (NAMES * n)[:n]
    as_json = _read(client.post(INFER, json={"inputs": [_tensor(names)]}))
    assert _read(client.post(INFER, json={"inputs": [_tensor([[x] for x in names], shape=[n, 1])]})) == as_json
    assert _read(client.post(INFER, json={"inputs": [_tensor(names, shape=[n, 1])]})) == as_json
    raw = _packed([name.encode() for name in names])
    for binary in (False, True):
        body, headers = _binary(raw, n, parameters={"binary_data_output": binary})
        assert _read(client.post(INFER, content=body, headers=headers)) == as_json


def test_outputs_are_those_asked_for_each_in_its_form(client: httpx.Client) -> None:
    outputs = [{"name": "abstained"}, {"name": "probability", "parameters": {"binary_data": False}}, {"name": "label"}]
    body = {"inputs": [_tensor(NAMES)], "outputs": outputs, "parameters": {"binary_data_output": True}}
    answer = client.post(INFER, json=body)
    assert answer.headers["content-type"] == "application/octet-stream"
    assert list(_read(answer)) == ["abstained", "probability", "label"]
    head = json.loads(answer.content[: int(answer.headers["inference-header-content-length"])])
    assert ["data" in tensor for tensor in head["outputs"]] == [False, True, False]


def test_abstaining_leaves_rows_that_no_client_takes_for_labels(client: httpx.Client) -> None:
    body = {"inputs": [_tensor(NAMES)], "parameters": {"abstain": True, "top_k": 3}}
    outputs = _read(client.post(INFER, json=body))
    assert any(outputs["abstained"])
    for place, why in enumerate(outputs["abstained"]):
        row = slice(3 * place, 3 * place + 3)
        assert (outputs["label"][row] == [""] * 3) == bool(why)
        assert (outputs["log_probability"][row] == [-1e9] * 3) == bool(why)


def test_the_answer_names_its_request_and_its_version(client: httpx.Client) -> None:
    body = {"inputs": [_tensor(["Berson"])]}
    answer = client.post(INFER, json=body, headers={"x-request-id": "mine"}).json()
    assert answer["id"] == "mine"
    assert client.post(INFER, json=body | {"id": "ä 7"}).json()["id"] == "ä 7"
    (version,) = client.get(MODEL).json()["versions"]
    assert answer["model_version"] == version
    pinned = client.post(f"{MODEL}/versions/{version}/infer", json=body)
    assert _read(pinned) == _read(client.post(INFER, json=body))


def test_metadata_announces_what_is_answered(client: httpx.Client) -> None:
    metadata = ModelMetadata.model_validate_json(client.get(MODEL).content)
    assert client.get(f"{MODEL}/versions/{metadata.versions[0]}").json() == metadata.model_dump()
    outputs = client.post(INFER, json={"inputs": [_tensor(NAMES)]}).json()["outputs"]
    assert [(t["name"], t["datatype"], len(t["shape"])) for t in outputs] == [
        (t.name, t.datatype, len(t.shape)) for t in metadata.outputs
    ]
    assert "binary_tensor_data" in client.get("/v2").json()["extensions"]


def test_health_has_the_shape_that_clients_read(client: httpx.Client) -> None:
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json() == {"ready": True}
    assert client.get(f"{MODEL}/ready").json() == {"name": "name-classifier", "ready": True}


def test_parameters_of_other_servers_are_ignored(client: httpx.Client) -> None:
    tensor = _tensor(["Berson"], parameters={"content_type": "str"})
    body = {"model_name": "x", "id": None, "inputs": [tensor], "outputs": None, "parameters": {"priority": 1}}
    assert client.post(INFER, json=body).status_code == 200


def test_predictions_are_counted_under_the_template(client: httpx.Client) -> None:
    def counts() -> tuple[float, float]:
        lines = client.get("/metrics").text.splitlines()
        route = (
            f'http_requests_total{{method="POST",route="{INFER.replace("name-classifier", "{model}")}",status="200"}}'
        )
        starts = (route, "predictions_total{")
        first, second = (sum(float(x.rpartition(" ")[2]) for x in lines if x.startswith(start)) for start in starts)
        return first, second

    requests, predictions = counts()
    client.post(INFER, json={"inputs": [_tensor(["Berson", "Morgan"])]})
    assert counts() == (requests + 1, predictions + 2)


GOOD = _packed([SECRET.encode()])
BAD_TENSORS = {
    "another input": _tensor([SECRET], name=SECRET),
    "another type": _tensor([SECRET], datatype="FP32"),
    "no name": _tensor([]),
    "more names than the shape says": _tensor([SECRET] * 3, shape=[2]),
    "fewer names than the shape says": _tensor([SECRET], shape=[2]),
    "two columns": _tensor([SECRET] * 4, shape=[2, 2]),
    "three dimensions": _tensor([SECRET], shape=[1, 1, 1]),
    "no dimension": _tensor([SECRET], shape=[]),
    "a negative shape": _tensor([SECRET], shape=[-1]),
    "an endless shape": _tensor([SECRET], shape=[10**30]),
    "a fraction as shape": _tensor([SECRET], shape=[1.0]),
    "1,001 names": _tensor(["a"] * 1001),
    "a number": _tensor([7]),
    "rows where the shape has none": _tensor([[SECRET]]),
    "a row of two": _tensor([[SECRET] * 2], shape=[1, 1]),
    "an empty name": _tensor([SECRET, ""]),
    "a long name": _tensor([SECRET * 50]),
    "a space": _tensor([" "]),
    "a string for data": _tensor([], data=SECRET, shape=[1]),
    "no data": _tensor([], data=None, shape=[1]),
    "data here and there": _tensor([SECRET], parameters={"binary_data_size": 5}),
    "a negative size": _tensor([], data=None, shape=[1], parameters={"binary_data_size": -1}),
    "a size without bytes": _tensor([], data=None, shape=[1], parameters={"binary_data_size": 5}),
    "shared memory": _tensor([], data=None, shape=[1], parameters={"shared_memory_region": SECRET}),
}
BAD_REQUESTS: dict[str, dict[str, Any]] = {
    "no input": {"inputs": []},
    "two inputs": {"inputs": [_tensor([SECRET])] * 2},
    "nothing": {},
    "a long id": {"inputs": [_tensor([SECRET])], "id": SECRET * 100},
    "an output that there is not": {"inputs": [_tensor([SECRET])], "outputs": [{"name": SECRET}]},
    "an output twice": {"inputs": [_tensor([SECRET])], "outputs": [{"name": "label"}] * 2},
    "no label": {"inputs": [_tensor([SECRET])], "parameters": {"top_k": 0}},
    "too many labels": {"inputs": [_tensor([SECRET])], "parameters": {"top_k": len(ENDINGS) + 1}},
    "another prior": {"inputs": [_tensor([SECRET])], "parameters": {"prior": SECRET}},
    **{what: {"inputs": [tensor]} for what, tensor in BAD_TENSORS.items()},
}
BAD_BINARIES = {
    "a length past the end": _binary(struct.pack("<I", 99) + SECRET.encode(), 1),
    "the largest length": _binary(b"\xff" * 4 + SECRET.encode(), 1),
    "half a length": _binary(GOOD + b"\x00\x00", 2),
    "more names than the shape says": _binary(GOOD * 2, 1),
    "zero bytes": _binary(b"", 1),
    "a size too small": _binary(GOOD, 1, len(GOOD) - 1),
    "a size too large": _binary(GOOD, 1, len(GOOD) + 1),
    "an endless size": _binary(GOOD, 1, 10**30),
    "not UTF-8": _binary(_packed([b"\xff\xfe"]), 1),
    "a surrogate": _binary(_packed([b"\xed\xa0\x80"]), 1),
    "NUL": _binary(_packed([b"Secret\x00name"]), 1),
    "bytes that nobody asked for": (
        (body := json.dumps({"inputs": [_tensor([SECRET])]}).encode()) + GOOD,
        {"inference-header-content-length": str(len(body))},
    ),
}
BAD_LENGTHS = ["-1", "x", "", "9" * 5000, "99999", "1e3", "0x10", "\xb2"]


def _refused(answer: httpx.Response, *statuses: int) -> None:
    assert answer.status_code in statuses, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["detail"].rstrip(".")
    assert problem["error"] == problem["detail"]
    assert SECRET not in answer.text


@pytest.mark.parametrize("what", BAD_REQUESTS)
def test_a_bad_request_is_a_problem(client: httpx.Client, what: str) -> None:
    _refused(client.post(INFER, json=BAD_REQUESTS[what]), 422)


@pytest.mark.parametrize("what", BAD_BINARIES)
def test_bad_binary_data_is_a_problem(client: httpx.Client, what: str) -> None:
    body, headers = BAD_BINARIES[what]
    _refused(client.post(INFER, content=body, headers=headers), 422)


@pytest.mark.parametrize("length", BAD_LENGTHS)
def test_a_bad_length_is_a_problem(client: httpx.Client, length: str) -> None:
    headers = [(b"inference-header-content-length", length.encode("latin-1"))]
    _refused(client.post(INFER, content=_binary(GOOD, 1)[0], headers=headers), 422)


def test_a_length_or_a_body_cut_anywhere_is_a_problem(client: httpx.Client) -> None:
    body, headers = _binary(GOOD, 1)
    for cut in range(len(body)):
        _refused(client.post(INFER, content=body[:cut], headers=headers), 400, 422)
        if cut != int(headers["inference-header-content-length"]):
            shorter = {"inference-header-content-length": str(cut)}
            _refused(client.post(INFER, content=body, headers=shorter), 400, 422)


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b"[" * 30_000, b'{"inputs": NaN}x', b'{"id": "\\ud800"}'])
def test_what_is_not_json_is_a_problem(client: httpx.Client, body: bytes) -> None:
    _refused(client.post(INFER, content=body), 400)


@pytest.mark.parametrize("header", [("content-type", "text/plain"), ("content-encoding", "gzip")])
def test_what_is_declared_as_something_else_is_a_problem(client: httpx.Client, header: tuple[str, str]) -> None:
    _refused(client.post(INFER, content=b"x", headers=[header]), 415)


def test_a_large_body_is_a_problem(client: httpx.Client) -> None:
    _refused(client.post(INFER, content=b"x" * 1_400_000), 413)


def test_a_client_that_leaves_in_its_body_is_no_failure(client: httpx.Client, server: Server) -> None:
    with socket.create_connection((client.base_url.host, client.base_url.port or 0)) as leaving:
        leaving.sendall(f"POST {INFER} HTTP/1.1\r\nHost: x\r\nContent-Length: 99\r\n\r\n{SECRET}".encode())
    client.get("/livez")
    log = server.read_log()
    assert "unhandled error" not in log
    assert SECRET not in log


@pytest.mark.parametrize(
    "path",
    [
        f"/v2/models/{SECRET}",
        f"/v2/models/{SECRET}/ready",
        f"{MODEL}/versions/{SECRET}",
        f"{MODEL}/versions/{SECRET}/ready",
        f"/v2/{SECRET}",
        "/v2/models/%ff",
    ],
)
def test_another_model_or_version_is_not_found(client: httpx.Client, path: str) -> None:
    _refused(client.get(path), 404)
    _refused(client.post(f"{path}/infer", json={"inputs": [_tensor([SECRET])]}), 404)


def test_only_this_protocol_has_the_error_member(client: httpx.Client) -> None:
    assert "error" not in client.post("/v1/predict", json={}).json()
    assert "error" not in client.get("/v2x").json()


def test_the_document_describes_both_forms_of_the_body(client: httpx.Client) -> None:
    document = client.get("/openapi.json").json()
    operation = document["paths"]["/v2/models/{model}/versions/{version}/infer"]["post"]
    assert {p["name"] for p in operation["parameters"]} == {"model", "version", "inference-header-content-length"}
    assert set(operation["requestBody"]["content"]) == {"application/json", "application/octet-stream"}
    assert set(operation["responses"]["200"]["content"]) == {"application/json", "application/octet-stream"}
    assert list(operation["responses"]["404"]["content"]) == ["application/problem+json"]
    text = json.dumps(document)
    for reference in {part.partition('"')[0] for part in text.split('"#/components/schemas/')[1:]}:
        assert reference in document["components"]["schemas"]
    assert "HTTPValidationError" not in text


@given(st.lists(st.text(alphabet=st.characters(exclude_categories=["Cs"]))))
def test_packing_and_unpacking_are_inverse(strings: list[str]) -> None:
    assert unpack(pack(strings), "data") == strings


@given(st.binary(max_size=60))
def test_unpacking_anything_gives_strings_or_a_field(raw: bytes) -> None:
    with suppress(FieldError):
        assert pack(unpack(raw, "data")) == raw


def test_no_real_answer_is_as_improbable_as_the_filler(bundle: Any) -> None:
    predictor = Predictor.load(bundle)
    assert predictor.log_probs(["a", "x" * 100, "son" * 30]).min() > -1e6
