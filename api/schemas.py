"""Request and response bodies, with every bound that does not depend on the model."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from model.constants import DEFAULT_TOP_K, MAX_NAME_LENGTH


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class PredictionRequest(_Request):
    """One name and how many labels to answer with."""

    name: Annotated[str, Field(min_length=1, max_length=MAX_NAME_LENGTH, examples=["Jordan"])]
    n_predictions: Annotated[
        int | None,
        Field(ge=1, description=f"At most the number of labels; {DEFAULT_TOP_K} if left out.", examples=[2]),
    ] = None


class PredictionResponse(BaseModel):
    """Labels and their natural-log probabilities, best first."""

    predictions: Annotated[list[str], Field(examples=[["English", "Irish"]])]
    probabilities: Annotated[
        list[float], Field(description="Natural logarithms of probabilities.", examples=[[-1.24, -1.91]])
    ]


class ServiceMessage(BaseModel):
    """The greeting of the first version of the service."""

    Message: Annotated[str, Field(examples=["Hello world from service"])]


class Status(BaseModel):
    """The answer of a probe."""

    status: str


class FieldProblem(BaseModel):
    """What is wrong with one field of the request; `field` is a path such as `name`."""

    field: str
    detail: str


class Problem(BaseModel):
    """RFC 9457 problem details, the one shape of every error."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    errors: list[FieldProblem] | None = None


_PROBLEM_CONTENT = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
PROBLEM_RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"content": _PROBLEM_CONTENT, "description": description}
    for status, description in {
        400: "The body is not JSON.",
        413: "The body is too large.",
        415: "The body is not sent as application/json.",
        422: "The body is JSON, and its content cannot be answered.",
    }.items()
}
