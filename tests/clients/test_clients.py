"""The field's own clients against the service; `make test-clients` runs this in an environment that has them."""

import asyncio
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import tritonclient.http as triton
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig
from tritonclient.utils import InferenceServerException

ROOT = Path(__file__).parents[2]
MODEL = "name-classifier"
NAMES = ["Kowalska", "Müller", "山田"]


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path_factory.mktemp("request_log")
    settings = {"PORT": str(port), "REQUEST_LOG": "fast", "REQUEST_LOG_DIR": str(folder)}
    environment = os.environ | {f"NAME_CLASSIFIER_{key}": value for key, value in settings.items()}
    process = subprocess.Popen([ROOT / ".venv/bin/python", "-m", "api"], cwd=ROOT, env=environment)
    deadline = time.monotonic() + 60
    try:
        while not _listens(port):
            assert process.poll() is None, "the service ended"
            assert time.monotonic() < deadline, "the service does not answer"
            time.sleep(0.1)
        yield f"127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=30)


def _listens(port: int) -> bool:
    try:
        return httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200
    except httpx.TransportError:
        return False


@pytest.fixture(scope="module")
def expected(address: str) -> list[dict[str, Any]]:
    """What the service's own route says about the names."""
    body = {"names": NAMES, "top_k": 2}
    predictions: list[dict[str, Any]] = httpx.post(f"http://{address}/v1/predict", json=body).json()["predictions"]
    return predictions


@pytest.fixture
def client(address: str) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(address) as client:
        yield client


def _triton_input(*, binary: bool, shape: list[int]) -> triton.InferInput:
    tensor = triton.InferInput("name", shape, "BYTES")
    tensor.set_data_from_numpy(np.array(NAMES, dtype=object).reshape(shape), binary_data=binary)
    return tensor


def _check(labels: Any, log_probs: Any, abstained: Any, expected: list[dict[str, Any]]) -> None:
    """Compare arrays with what the service's own route says; a name without labels is a row of fillers."""
    for row, log_row, why, said in zip(labels, log_probs, abstained, expected, strict=True):
        assert list(row) == (said["labels"] or ["", ""])
        assert list(log_row) == pytest.approx(said["log_probabilities"] or [-1e9, -1e9], abs=1e-6)
        assert why == (said["abstained"] or "")


def _text(array: Any) -> Any:
    return np.vectorize(lambda value: value.decode() if isinstance(value, bytes) else value)(array)


@pytest.mark.parametrize("shape", [[3], [3, 1]])
@pytest.mark.parametrize("binary", [True, False])
def test_triton_infers(client: triton.InferenceServerClient, expected: Any, binary: bool, shape: list[int]) -> None:
    outputs = [
        triton.InferRequestedOutput(name, binary_data=binary) for name in ("abstained", "label", "log_probability")
    ]
    tensor = _triton_input(binary=binary, shape=shape)
    result = client.infer(MODEL, [tensor], outputs=outputs, request_id="7", parameters={"top_k": 2})
    assert result.get_response()["id"] == "7"
    labels, abstained = _text(result.as_numpy("label")), _text(result.as_numpy("abstained"))
    _check(labels, result.as_numpy("log_probability"), abstained, expected)
    assert result.as_numpy("probability") is None


def test_triton_infers_by_default(client: triton.InferenceServerClient, expected: Any) -> None:
    version = client.get_model_metadata(MODEL)["versions"][0]
    result = client.infer(
        MODEL, [_triton_input(binary=True, shape=[3])], model_version=version, parameters={"top_k": 2}
    )
    assert [output["name"] for output in client.get_model_metadata(MODEL)["outputs"]] == [
        output["name"] for output in result.get_response()["outputs"]
    ]
    labels, abstained = _text(result.as_numpy("label")), _text(result.as_numpy("abstained"))
    _check(labels, result.as_numpy("log_probability"), abstained, expected)
    assert result.as_numpy("probability") == pytest.approx(np.exp(result.as_numpy("log_probability")))


def test_triton_asks_after_server_and_model(client: triton.InferenceServerClient) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready(MODEL)
    assert not client.is_model_ready("another")
    assert not client.is_model_ready(MODEL, model_version="1")
    assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
    assert client.get_model_metadata(MODEL)["inputs"] == [{"name": "name", "datatype": "BYTES", "shape": [-1]}]


@pytest.mark.parametrize(
    ("asked", "status", "words"),
    [
        ({"parameters": {"top_k": 10_000}}, "422", "The number of predictions must be between"),
        ({"model_version": "1"}, "404", "The version that is served"),
        ({"request_compression_algorithm": "gzip"}, "415", "uncompressed"),
    ],
)
def test_triton_shows_what_is_wrong(
    client: triton.InferenceServerClient, asked: dict[str, Any], status: str, words: str
) -> None:
    with pytest.raises(InferenceServerException, match=words) as raised:
        client.infer(MODEL, [_triton_input(binary=True, shape=[3])], **asked)
    assert raised.value.status() == status


def _kserve(call: str, *arguments: Any, **more: Any) -> Any:
    async def ask() -> Any:
        async with InferenceRESTClient(RESTConfig(protocol="v2")) as client:
            return await getattr(client, call)(*arguments, **more)

    return asyncio.run(ask())


@pytest.mark.parametrize("binary", [True, False])
def test_kserve_infers(address: str, expected: Any, binary: bool) -> None:
    tensor = InferInput("name", [3], "BYTES")
    tensor.set_data_from_numpy(np.array(NAMES, dtype=object), binary_data=binary)
    request = InferRequest(MODEL, [tensor], request_id="7", parameters={"top_k": 2, "binary_data_output": binary})
    answer = _kserve("infer", f"http://{address}", request, model_name=MODEL)
    assert answer.id == "7"
    arrays = {output.name: output.as_numpy() for output in answer.outputs}
    _check(_text(arrays["label"]), arrays["log_probability"], _text(arrays["abstained"]), expected)


def test_kserve_asks_after_server_and_model(address: str) -> None:
    assert _kserve("is_server_ready", f"http://{address}")
    assert _kserve("is_server_live", f"http://{address}")
    assert _kserve("is_model_ready", f"http://{address}", MODEL)
    assert not _kserve("is_model_ready", f"http://{address}", "another")


def test_kserve_hands_on_what_is_wrong(address: str) -> None:
    request = InferRequest(MODEL, [InferInput("name", [1], "BYTES", [""])])
    with pytest.raises(httpx.HTTPStatusError, match="422") as raised:
        _kserve("infer", f"http://{address}", request, model_name=MODEL)
    assert raised.value.response.json()["error"].startswith("inputs.0.data.0: ")
