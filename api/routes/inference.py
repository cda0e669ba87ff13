"""The Open Inference Protocol, version 2, over REST: the clients of Triton and KServe work unchanged."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, HTTPException, Path, Request, Response
from starlette.requests import ClientDisconnect

from api.formats import inference
from api.routes.dependencies import ClassifyDep, RequestIdDep, ServedDep, require_media_type
from api.routes.probes import livez, readyz
from api.routes.traits import traits
from api.schemas.inference import (
    DATATYPES,
    EXTENSIONS,
    INFER_BODY,
    INFER_RESPONSES,
    MODEL_NAME,
    PLATFORM,
    UNKNOWN_MODEL,
    InferResponse,
    ModelMetadata,
    ModelReady,
    ServerLive,
    ServerMetadata,
    ServerReady,
    TensorMetadata,
)
from model import __version__


async def _require_name(model: Annotated[str, Path(description="The model's name.", examples=[MODEL_NAME])]) -> None:
    if model != MODEL_NAME:
        raise HTTPException(404, f"There is one model here, {MODEL_NAME}.")


async def _require_version(
    served: ServedDep, version: Annotated[str, Path(description="The version that is served.")]
) -> None:
    if version != served.version:
        raise HTTPException(404, f"The version that is served is {served.version}.")


async def _body(request: Request) -> bytes:
    try:
        return await request.body()
    except ClientDisconnect:
        raise HTTPException(400, "The body was cut off.") from None


router = APIRouter(prefix="/v2", tags=["open inference protocol"])

_MODEL = "/models/{model}"
_VERSION = f"{_MODEL}/versions/{{version}}"
_NAMED = [Depends(_require_name)]
_PINNED = [*_NAMED, Depends(_require_version)]
_READY = Depends(readyz)
_TAKEN = require_media_type("application/json", "application/octet-stream", "")  # Triton's client declares nothing
_INFER: dict[str, Any] = {
    "responses": INFER_RESPONSES,
    "response_model": InferResponse,
    "openapi_extra": INFER_BODY,
}


@router.get("")
async def server_metadata() -> ServerMetadata:
    """Say which server this is, and which extensions of the protocol it has."""
    return ServerMetadata(name=MODEL_NAME, version=__version__, extensions=EXTENSIONS)


@router.get("/health/live", dependencies=[Depends(livez)])
@traits(open=True, probe=True, quiet=True)
async def server_live() -> ServerLive:
    """Answer whenever /livez does."""
    return ServerLive(live=True)


@router.get("/health/ready", dependencies=[_READY])
@traits(open=True, probe=True, quiet=True)
async def server_ready() -> ServerReady:
    """Answer whenever /readyz does."""
    return ServerReady(ready=True)


@router.get(_MODEL, dependencies=_NAMED, responses=UNKNOWN_MODEL)
@router.get(_VERSION, dependencies=_PINNED, responses=UNKNOWN_MODEL)
async def model_metadata(served: ServedDep) -> ModelMetadata:
    """Describe the served model, the tensor that it takes and those that it gives; K is `top_k`."""
    return ModelMetadata(
        name=MODEL_NAME,
        versions=[served.version],
        platform=PLATFORM,
        inputs=[TensorMetadata(name="name", datatype="BYTES", shape=[-1])],
        outputs=[
            TensorMetadata(name=name, datatype=datatype, shape=[-1] if name == "abstained" else [-1, -1])
            for name, datatype in DATATYPES.items()
        ],
    )


@router.get(f"{_MODEL}/ready", dependencies=[*_NAMED, _READY], responses=UNKNOWN_MODEL)
@router.get(f"{_VERSION}/ready", dependencies=[*_PINNED, _READY], responses=UNKNOWN_MODEL)
async def model_ready() -> ModelReady:
    """Answer whenever /readyz does."""
    return ModelReady(name=MODEL_NAME, ready=True)


@router.post(f"{_MODEL}/infer", dependencies=[*_NAMED, _TAKEN], **_INFER)
@router.post(f"{_VERSION}/infer", dependencies=[*_PINNED, _TAKEN], **_INFER)
@traits(recorded=True)
async def infer(
    *,
    classify: ClassifyDep,
    request_id: RequestIdDep,
    body: Annotated[bytes, Depends(_body)],
    inference_header_content_length: Annotated[
        int | None, Header(ge=0, description="Bytes of the JSON part, if binary tensors follow it.")
    ] = None,
) -> Response:
    """Answer with the labels that each name looks like, best first.

    Tensors go in and out as JSON, or as the protocol's binary data after the JSON part. All names are answered, or
    none: a name that cannot be one is named by its place.
    """
    question = inference.read_question(body, inference_header_content_length)
    answer = await classify(question.names, question.options, field=inference.NAMES_FIELD)
    return inference.write_answer(answer, request_id, question)
