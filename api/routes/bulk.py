"""What any number of names look like: lines of JSON as they come, or a file of rows."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query
from fastapi.responses import JSONResponse, Response

from api.classify.answers import Options
from api.formats import csv_rows, ndjson
from api.formats.csv_rows import CsvAnswers
from api.formats.ndjson import NdjsonAnswers
from api.formats.streaming import BulkResponse
from api.routes.dependencies import MetricsDep, ServedDep, WorkersDep, require_media_type
from api.routes.traits import traits
from api.schemas.predict import Abstain, StreamedError, StreamedPrediction, StreamLine, TopK
from api.schemas.problem import PROBLEM_RESPONSES

STREAM_PATH = "/v1/predict/stream"
FILE_PATH = "/v1/predict/file"

_REFUSALS = {
    413: "The body is larger than the settings allow. Once the answer has begun, its last line or row says so.",
    415: "The body is not sent as one of the media types that this route takes.",
    422: "An option cannot be taken, or the first row of a file names no column as it should.",
}
_ANSWER: dict[str, Any] = {
    "description": "One line or row for each, in order, while the body still comes.",
    "headers": {"X-Model-Version": {"description": "The version that answers.", "schema": {"type": "string"}}},
}
router = APIRouter(
    tags=["classifier"],
    responses={status: PROBLEM_RESPONSES[status] | {"description": text} for status, text in _REFUSALS.items()},
)


class _Ndjson(JSONResponse):
    """For the OpenAPI document only."""

    media_type = ndjson.MEDIA_TYPE


class _Csv(Response):
    """For the OpenAPI document only."""

    media_type = csv_rows.MEDIA_TYPE


async def _options(
    served: ServedDep,
    top_k: Annotated[TopK, Query()] = None,
    prior: Annotated[
        Literal["natural", "uniform"],
        Query(description="How frequent labels are taken to be: as in the training names, or alike."),
    ] = "natural",
    abstain: Annotated[Abstain, Query()] = False,
) -> Options:
    served.predictor.predict([], top_k, prior)  # refuses what it cannot take, before anything is read
    return Options(top_k, prior, abstain)


OptionsDep = Annotated[Options, Depends(_options)]


def _body(media_types: tuple[str, ...], schema: dict[str, Any], example: str) -> dict[str, Any]:
    """Describe a body that FastAPI does not read."""
    content = {media_type: {"schema": schema, "example": example} for media_type in media_types}
    return {"requestBody": {"required": True, "content": content}}


@router.post(
    STREAM_PATH,
    dependencies=[require_media_type(*ndjson.MEDIA_TYPES)],
    response_class=_Ndjson,
    response_model=StreamedPrediction | StreamedError,
    responses={200: _ANSWER},
    openapi_extra=_body(
        ndjson.MEDIA_TYPES,
        {"anyOf": [{"type": "string"}, StreamLine.model_json_schema()]},
        '"Jordan"\n{"name": "Kowalska", "id": 7}\n',
    ),
)
@traits(stream=True)
async def predict_stream(
    served: ServedDep, metrics: MetricsDep, workers: WorkersDep, options: OptionsDep
) -> BulkResponse:
    """Answer each line with one line, in order, while lines still come; any number of them.

    A line is a name or an object with a name, and an id that is sent back. A line that cannot be answered gets an
    `error` with its number, and the stream goes on; empty lines get nothing. All are answered by the version in the
    header `X-Model-Version`. Read while you send: what is not read holds up what is.
    """
    return BulkResponse(NdjsonAnswers(served, metrics, options), workers)


@router.post(
    FILE_PATH,
    dependencies=[require_media_type(csv_rows.MEDIA_TYPE)],
    response_class=_Csv,
    responses={200: _ANSWER | {"content": {csv_rows.MEDIA_TYPE: {"example": csv_rows.EXAMPLE[1]}}}},
    openapi_extra=_body((csv_rows.MEDIA_TYPE,), {"type": "string"}, csv_rows.EXAMPLE[0]),
)
@traits(stream=True)
async def predict_file(
    *,
    served: ServedDep,
    metrics: MetricsDep,
    workers: WorkersDep,
    options: OptionsDep,
    column: Annotated[str, Query(description="The column of the names.")] = "name",
    delimiter: Annotated[Literal[",", ";", "\t", "|"], Query(description="What parts the fields.")] = ",",
) -> BulkResponse:
    """Answer a CSV file (RFC 4180, UTF-8) with the same file and, in each row, what its name looks like.

    The first row names the columns; added are `label_1` to `label_k`, `probability_1` to `probability_k`,
    `abstained` and `error`, which says why a row has no answer. All rows are answered by the version in the header
    `X-Model-Version`. Read while you send: what is not read holds up what is.
    """
    answers = CsvAnswers(served, metrics, options, column=column, delimiter=delimiter)
    return BulkResponse(answers, workers)
