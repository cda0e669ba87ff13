"""A request of the Open Inference Protocol to names, and predictions to its answer."""

from codecs import BOM_UTF8
from collections.abc import Sequence
from dataclasses import dataclass
from math import exp

import msgspec
from fastapi import Response
from fastapi.exceptions import RequestValidationError
from pydantic import ValidationError

from api.classify.classifier import Answer, Options
from api.errors import FieldError
from api.formats.json_bodies import fill_up
from api.formats.tensors import flatten, pack, unpack
from api.schemas.inference import (
    DATATYPES,
    MODEL_NAME,
    NO_LOG_PROBABILITY,
    InferRequest,
    InputTensor,
    OutputName,
    RequestParameters,
)
from api.schemas.predict import MAX_NAMES

LENGTH_HEADER = "Inference-Header-Content-Length"
"""Bytes of the JSON part of a body that goes on with binary tensors."""

NAMES_FIELD = "inputs.0.data"
_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Question:
    """What a request asks: names, how to answer them, and which tensors to answer with, True for a binary one."""

    id: str | None
    names: Sequence[str]
    options: Options
    outputs: Sequence[tuple[OutputName, bool]]


def read_question(body: bytes, json_size: int | None) -> Question:
    """Return what a body asks, whose JSON part has `json_size` bytes, or is all of it.

    Raises:
        RequestValidationError: the JSON part is none, or not a request of the protocol.
        FieldError: the tensor is not what its shape or size says, or not UTF-8.
    """
    if json_size is not None and json_size > len(body):
        raise FieldError(LENGTH_HEADER, f"The body has only {len(body)} bytes.")
    raw = b"" if json_size is None else body[json_size:]
    try:
        request = InferRequest.model_validate_json(body[:json_size].removeprefix(BOM_UTF8))
    except ValidationError as error:
        raise RequestValidationError(error.errors(include_url=False, include_input=False)) from None
    parameters = request.parameters or RequestParameters()
    return Question(
        request.id,
        _read_names(request.inputs[0], raw),
        Options(parameters.top_k, parameters.prior, parameters.abstain),
        _choose_outputs(request, binary=parameters.binary_data_output),
    )


def write_answer(answer: Answer, request_id: str, question: Question) -> Response:
    """Return the answer to a question: JSON, or JSON and binary tensors."""
    tensors = _tensors(answer, question.options)
    described, parts = [], []
    for name, binary in question.outputs:
        shape, values = tensors[name]
        tensor: dict[str, object] = {"name": name, "datatype": DATATYPES[name], "shape": shape}
        if binary:
            parts.append(pack(values))
            tensor["parameters"] = {"binary_data_size": len(parts[-1])}
        else:
            tensor["data"] = values
        described.append(tensor)
    head = _encode(
        {
            "model_name": MODEL_NAME,
            "model_version": answer.served.version,
            "id": request_id if question.id is None else question.id,
            "outputs": described,
        }
    )
    if not parts:
        return Response(head, media_type="application/json")
    length = {LENGTH_HEADER: str(len(head))}
    return Response(head + b"".join(parts), media_type="application/octet-stream", headers=length)


def _read_names(tensor: InputTensor, raw: bytes) -> list[str]:
    n_names, *columns = tensor.shape
    if n_names > MAX_NAMES or columns not in ([], [1]):
        raise FieldError("inputs.0.shape", f"The shape must be [N] or [N, 1], with at most {MAX_NAMES} names.")
    size = tensor.parameters.binary_data_size if tensor.parameters else None
    if (size is None) == (tensor.data is None):
        raise FieldError(NAMES_FIELD, "Give the names either here or as binary data, with their binary_data_size.")
    if len(raw) != (size or 0):
        raise FieldError(
            "inputs.0.parameters.binary_data_size",
            f"{len(raw)} bytes follow the JSON part, the end of which is told by the header {LENGTH_HEADER}.",
        )
    names = unpack(raw, NAMES_FIELD) if tensor.data is None else flatten(tensor.data, NAMES_FIELD, nested=bool(columns))
    if len(names) != n_names:
        raise FieldError("inputs.0.shape", f"The data has {len(names)} names.")
    return names


def _choose_outputs(request: InferRequest, *, binary: bool) -> list[tuple[OutputName, bool]]:
    """Return the tensors to answer with; `binary` is for those that do not say."""
    if not request.outputs:
        return [(name, binary) for name in DATATYPES]
    if len({output.name for output in request.outputs}) < len(request.outputs):
        raise FieldError("outputs", "Each output can be asked for once.")
    chosen = [(output.name, output.parameters.binary_data if output.parameters else None) for output in request.outputs]
    return [(name, binary if choice is None else choice) for name, choice in chosen]


def _tensors(answer: Answer, options: Options) -> dict[OutputName, tuple[list[int], list[str] | list[float]]]:
    """Return the shape and the values, row by row, of every tensor; see `InferResponse` for what fills rows up."""
    predictions = answer.predictions
    width = options.width(answer.served)
    labels: list[str] = []
    log_probs: list[float] = []
    for prediction in predictions:
        shown = options.shown(prediction)
        labels += fill_up(shown.labels, width, "")
        log_probs += fill_up(shown.log_probs, width, NO_LOG_PROBABILITY)
    n = len(predictions)
    reasons: list[str] = [prediction.abstained or "" for prediction in predictions]
    return {
        "label": ([n, width], labels),
        "log_probability": ([n, width], log_probs),
        "probability": ([n, width], [exp(log_prob) for log_prob in log_probs]),
        "abstained": ([n], reasons),
    }
