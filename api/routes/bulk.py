"""What any number of names look like: lines of JSON as they come, or a file of rows."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Query
from fastapi.responses import JSONResponse, Response

from api.classify.classifier import Options
from api.classify.workers import Workers
from api.formats import csv_rows, form_files, ndjson
from api.formats.csv_rows import CsvAnswers
from api.formats.form_files import FormFile
from api.formats.ndjson import NdjsonAnswers
from api.formats.streaming import Answers, BulkResponse
from api.lifecycle import Lifecycle
from api.name_quota import NameQuota
from api.recording import Recording
from api.routes.dependencies import (
    LifecycleDep,
    MetricsDep,
    NameQuotaDep,
    RecordingDep,
    ServedDep,
    WorkersDep,
    require_media_type,
)
from api.routes.traits import traits
from api.schemas.predict import Abstain, StreamedError, StreamedPrediction, StreamLine, TopK
from api.schemas.problem import PROBLEM_RESPONSES

STREAM_PATH = "/v1/predict/stream"
FILE_PATH = "/v1/predict/file"

_REFUSALS = {
    413: "The body is larger than the settings allow. Once the answer has begun, its last line or row says so.",
    415: "The body is not sent as one of the media types that this route takes, or not in a charset that it knows.",
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


_TABLE = {"schema": {"type": "string"}}
_FILE_BODY: dict[str, Any] = {
    csv_rows.MEDIA_TYPE: _TABLE | {"example": csv_rows.EXAMPLE[0]},
    csv_rows.TSV_MEDIA_TYPE: _TABLE | {"example": csv_rows.EXAMPLE[0].replace(",", "\t")},
    form_files.MEDIA_TYPE: {
        "schema": {
            "type": "object",
            "properties": {"file": {"type": "string", "format": "binary", "description": "A file of either kind."}},
            "required": ["file"],
        }
    },
}
_FILE_ANSWER = {
    csv_rows.MEDIA_TYPE: _TABLE | {"example": csv_rows.EXAMPLE[1]},
    csv_rows.TSV_MEDIA_TYPE: _TABLE | {"example": csv_rows.EXAMPLE[1].replace(",", "\t")},
}


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
@traits(stream=True, recorded=True)
async def predict_stream(
    *,
    served: ServedDep,
    metrics: MetricsDep,
    workers: WorkersDep,
    lifecycle: LifecycleDep,
    quota: NameQuotaDep,
    recording: RecordingDep,
    options: OptionsDep,
) -> BulkResponse:
    """Answer each line with one line, in order, while lines still come; any number of them.

    A line is a name or an object with a name, and an id that is sent back. A line that cannot be answered gets an
    `error` with its number, and the stream goes on; empty lines get nothing. All are answered by the version in the
    header `X-Model-Version`. Read while you send: what is not read holds up what is.
    """
    answers = NdjsonAnswers(served, metrics, options)
    return _respond(answers, workers, lifecycle, quota, recording)


@router.post(
    FILE_PATH,
    response_class=_Csv,
    responses={200: _ANSWER | {"content": _FILE_ANSWER}},
    openapi_extra={"requestBody": {"required": True, "content": _FILE_BODY}},
)
@traits(stream=True, recorded=True)
async def predict_file(
    *,
    served: ServedDep,
    metrics: MetricsDep,
    workers: WorkersDep,
    lifecycle: LifecycleDep,
    quota: NameQuotaDep,
    recording: RecordingDep,
    charset: Annotated[str, require_media_type(*_FILE_BODY, charsets=csv_rows.CHARSETS)],
    options: OptionsDep,
    content_type: Annotated[str, Header(include_in_schema=False)],
    column: Annotated[
        str, Query(description="The column of the names, whatever its case; or two, as in `first,last`.")
    ] = "name",
    delimiter: Annotated[
        Literal[",", ";", "\t", "|"] | None, Query(description="Field separator; found out if left out.")
    ] = None,
) -> BulkResponse:
    """Answer a CSV file (RFC 4180) with the same file in UTF-8 and, in each row, what its name looks like.

    The file is the body, or the one file of a form. It is UTF-8, UTF-16 with a byte order mark, or in the `charset` of
    its media type: `text/csv; charset=windows-1252`, or another of the windows-125x, iso-8859 and koi8 ones.

    The first row names the columns, 256 at most, and shows the delimiter; added are `label_1` to `label_k`,
    `probability_1` to `probability_k`, `abstained` and `error`, which says why a row has no answer. If the file has
    one of these already, the added ones end with `_2`. All rows are answered by the version in the header
    `X-Model-Version`. Read while you send: what is not read holds up what is.
    """
    media_type = content_type.partition(";")[0].strip().lower()
    is_form = media_type == form_files.MEDIA_TYPE
    answers = CsvAnswers(
        served,
        metrics,
        options,
        column=column,
        delimiter=delimiter,
        charset=charset,
        media_type=csv_rows.MEDIA_TYPE if is_form else media_type,
    )
    body = FormFile(answers, content_type) if is_form else answers
    return _respond(body, workers, lifecycle, quota, recording)


def _respond(
    answers: Answers, workers: Workers, lifecycle: Lifecycle, quota: NameQuota, recording: Recording
) -> BulkResponse:
    return BulkResponse(answers, workers, quota=quota, recording=recording, lifecycle=lifecycle)
