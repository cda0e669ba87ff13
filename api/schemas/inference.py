"""Bodies of the Open Inference Protocol, version 2, and the tensors that the model takes and gives.

The protocol lets clients add fields and parameters of their own, so what is unknown is passed over, not refused.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema

from api.schemas.predict import MAX_NAMES, Abstain, TopK
from api.schemas.problem import PROBLEM_RESPONSES

MODEL_NAME = "name-classifier"
PLATFORM = "onnxruntime_onnx"
EXTENSIONS = ["binary_tensor_data"]

OutputName = Literal["label", "log_probability", "probability", "abstained"]
Datatype = Literal["BYTES", "FP64"]
DATATYPES: dict[OutputName, Datatype] = {
    "label": "BYTES",
    "log_probability": "FP64",
    "probability": "FP64",
    "abstained": "BYTES",
}
"""What there is to answer with, in the order of the answer. All are (N, K) but `abstained`, which is (N,)."""

NO_LOG_PROBABILITY = -1e9
"""Stands beside the label "" where a name has fewer labels than K: JSON has no -inf, and exp(-1e9) is 0 as well."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="ignore", strict=True, protected_namespaces=())


class InputParameters(_Part):
    """How the names are sent, if not as JSON."""

    binary_data_size: Annotated[
        int | None, Field(ge=0, description="Bytes after the JSON part; with it there is no `data`.")
    ] = None


class InputTensor(_Part):
    """The names, as UTF-8."""

    name: Literal["name"]
    datatype: Literal["BYTES"]
    shape: Annotated[
        list[Annotated[int, Field(ge=1)]],
        Field(min_length=1, max_length=2, description=f"[N] or [N, 1], N up to {MAX_NAMES}.", examples=[[2]]),
    ]
    data: Annotated[
        list[Any] | None,
        Field(max_length=MAX_NAMES, description="The names, flat or nested as the shape says."),
        WithJsonSchema(
            {
                "anyOf": [
                    {"type": "array", "items": {"type": "string"}},
                    {"type": "array", "items": {"type": "array", "items": {"type": "string"}}},
                    {"type": "null"},
                ],
                "examples": [["Jordan", "Kowalska"]],
            }
        ),
    ] = None
    parameters: InputParameters | None = None


class OutputParameters(_Part):
    """How a tensor is to be answered."""

    binary_data: Annotated[
        bool | None, Field(description="After the JSON part instead of in it; as `binary_data_output` if left out.")
    ] = None


class RequestedOutput(_Part):
    """A tensor to answer with."""

    name: OutputName
    parameters: OutputParameters | None = None


class RequestParameters(_Part):
    """How the names are to be answered; parameters of other servers are passed over."""

    top_k: TopK = None
    abstain: Abstain = False
    prior: Annotated[
        Literal["natural", "uniform"],
        Field(description="How frequent labels are taken to be: as in the training names, or alike."),
    ] = "natural"
    binary_data_output: Annotated[bool, Field(description="All tensors after the JSON part instead of in it.")] = False


class InferRequest(_Part):
    """One tensor of names, and what is to be said about them."""

    id: Annotated[str | None, Field(max_length=128, description="Given back in the answer.")] = None
    inputs: Annotated[list[InputTensor], Field(min_length=1, max_length=1)]
    outputs: Annotated[
        list[RequestedOutput] | None,
        Field(max_length=len(DATATYPES), description="Which tensors, in which order; all if left out."),
    ] = None
    parameters: RequestParameters | None = None


class BinarySize(_Part):
    """Where a tensor is that is not in the JSON part."""

    binary_data_size: int


class OutputTensor(_Part):
    """One tensor, row by row, in `data` or after the JSON part."""

    name: OutputName
    datatype: Datatype
    shape: Annotated[list[int], Field(examples=[[2, 3]])]
    data: list[str] | list[float] | None = None
    parameters: BinarySize | None = None


class InferResponse(_Part):
    """Labels (N, K) of each name, best first, their probabilities, and why none should be believed, if so.

    A name that has fewer than K labels is filled up with the label "", the probability 0 and the natural logarithm
    -1e9; `abstained` is "" where the labels may be believed.
    """

    model_name: Annotated[str, Field(examples=[MODEL_NAME])]
    model_version: Annotated[str, Field(description="The version that answered.", examples=["9488db93b30b"])]
    id: Annotated[str, Field(description="The request's, or its request id if it had none.")]
    outputs: list[OutputTensor]


class ServerMetadata(_Part):
    """Which server this is, and which extensions of the protocol it has."""

    name: str
    version: str
    extensions: list[str]


class TensorMetadata(_Part):
    """A tensor; -1 is a length that the request decides."""

    name: str
    datatype: str
    shape: list[int]


class ModelMetadata(_Part):
    """The served model: its version, what it takes and what it gives."""

    name: str
    versions: list[str]
    platform: str
    inputs: list[TensorMetadata]
    outputs: list[TensorMetadata]


class ServerLive(_Part):
    """The event loop turns."""

    live: bool


class ServerReady(_Part):
    """A verified model is loaded."""

    ready: bool


class ModelReady(_Part):
    """The model can be asked."""

    name: str
    ready: bool


_PROBLEM = PROBLEM_RESPONSES[422]["content"]
UNKNOWN_MODEL: dict[int | str, dict[str, Any]] = {
    404: {"content": _PROBLEM, "description": "Another model or version than the served one."},
    "4XX": {"content": _PROBLEM, "description": "Anything else that is wrong with the request."},
}
INFER_RESPONSES: dict[int | str, dict[str, Any]] = {
    **PROBLEM_RESPONSES,
    404: UNKNOWN_MODEL[404],
    415: {"content": _PROBLEM, "description": "The body is compressed, or declared as neither JSON nor binary."},
    200: {
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        "description": "The tensors; with binary ones, the JSON part and then these, in the order of `outputs`.",
        "headers": {
            "Inference-Header-Content-Length": {
                "description": "Bytes of the JSON part, if binary tensors follow it.",
                "schema": {"type": "integer"},
            }
        },
    },
}
INFER_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/InferRequest"}},
            "application/octet-stream": {
                "schema": {"type": "string", "format": "binary", "description": "The JSON part, then the binary data."}
            },
        },
    }
}
"""The route reads its body itself, so FastAPI does not describe it."""
