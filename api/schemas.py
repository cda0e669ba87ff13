"""Request and response bodies, with every bound that does not depend on the model."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from model.constants import DEFAULT_TOP_K, MAX_LABEL_LENGTH, MAX_NAME_LENGTH

MAX_NAMES = 1000
"""Names in one request; the stream takes any number."""

MAX_EVENTS = 100
"""Of a store's history in one answer."""


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


Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME_LENGTH, examples=["Jordan"])]
Label = Annotated[str, Field(max_length=MAX_LABEL_LENGTH, examples=["English"])]
TopK = Annotated[
    int | None,
    Field(ge=1, description=f"Labels a name, at most as many as the model has; {DEFAULT_TOP_K} if left out."),
]
PriorWeights = Annotated[dict[Label, Annotated[float, Field(ge=0, allow_inf_nan=False)]], Field(max_length=1000)]
Abstain = Annotated[bool, Field(description="Give no labels for what does not look like a name, only say so.")]


class PredictRequest(_Request):
    """Names, and how to answer."""

    names: Annotated[list[Name], Field(min_length=1, max_length=MAX_NAMES, examples=[["Jordan", "Kowalska"]])]
    top_k: TopK = None
    prior: Annotated[
        Literal["natural", "uniform"] | PriorWeights,
        Field(
            description="How frequent labels are taken to be: as in the training names, alike, or weights by label; "
            "labels that the weights leave out are ruled out."
        ),
    ] = "natural"
    abstain: Abstain = False


class LabelPrediction(BaseModel):
    """Labels of one name, best first, with their probabilities and the natural logarithms of these."""

    labels: Annotated[list[str], Field(examples=[["English", "Irish"]])]
    probabilities: Annotated[list[float], Field(examples=[[0.29, 0.15]])]
    log_probabilities: Annotated[list[float], Field(examples=[[-1.24, -1.91]])]
    abstained: Annotated[
        Literal["unfamiliar", "unknown characters"] | None,
        Field(
            description="Why no label should be believed: it does not look like a name, or most of its letters "
            "cannot be read; then there are no labels."
        ),
    ]


class _Answer(BaseModel):
    model_config = ConfigDict(protected_namespaces=())

    model_version: Annotated[str, Field(description="The version that answered.", examples=["9488db93b30b"])]
    request_id: Annotated[
        str, Field(description="The Idempotency-Key or X-Request-ID of the request, or one made for it.")
    ]


class PredictResponse(_Answer):
    """One prediction a name, in the order of the names."""

    predictions: list[LabelPrediction]


Id = Annotated[Any, Field(description="Whatever it was sent as; left out if none was sent.", examples=[7])]


class StreamLine(_Request):
    """A line that asks; a bare name is one too."""

    name: Name
    id: Annotated[Any, Field(description="Anything; it comes back with the answer.", examples=[7])] = None


class StreamedPrediction(LabelPrediction):
    """A line that answers."""

    id: Id = None


class LineProblem(BaseModel):
    """Why a line cannot be answered; lines count from 1, empty ones too."""

    line: int
    status: int
    detail: str


class StreamedError(BaseModel):
    """A line instead of the answer to one that has none."""

    error: LineProblem
    id: Id = None


class ExplainRequest(_Request):
    """A name, and the label to explain; the most probable one if it is left out."""

    name: Name
    label: Label | None = None


class ExplainResponse(_Answer):
    """What each character, as the network reads it, adds to the natural-log probability of the label."""

    label: str
    log_probability: float
    characters: Annotated[list[str], Field(examples=[["j", "o", "r", "d", "a", "n"]])]
    contributions: Annotated[list[float], Field(description="One a character; negative ones speak against the label.")]


class SimilarName(BaseModel):
    """A training name, folded, and its similarity to the name asked about: over 0, and 1 for the same letters."""

    name: str
    similarity: float


class SimilarResponse(_Answer):
    """The label that was searched, and its most similar training names, nearest first."""

    label: str
    similar: list[SimilarName]


class TrainingData(BaseModel):
    """Which names a model was trained and tested on: the same fingerprint and seed give the same split."""

    fingerprint: str
    names: int
    split_seed: int


Metrics = Annotated[
    dict[str, dict[str, float]],
    Field(description="By part of the names, as measured after training.", examples=[{"test": {"accuracy": 0.71}}]),
]


class Calibration(BaseModel):
    """What turns the network's outputs into probabilities and abstentions."""

    temperature: float
    expected_calibration_error: Annotated[float | None, Field(description="On the test names.")]
    abstention_threshold: Annotated[
        float, Field(description="Least logit of being a name at all that is not called unfamiliar.")
    ]
    prior: Annotated[
        dict[str, float], Field(description="Weight of each label in training.", examples=[{"English": 0.02}])
    ]


class ModelResponse(_Answer):
    """The model that answers."""

    created_at: datetime
    architecture: str
    parameters: Annotated[int, Field(description="Numbers that the network has learnt.")]
    git_commit: str | None
    labels: Annotated[list[str], Field(examples=[["English", "Irish"]])]
    data: TrainingData
    calibration: Calibration
    metrics: Metrics
    libraries: Annotated[dict[str, str], Field(description="Versions that it was trained with.")]


class ModelSummary(BaseModel):
    """A version in the store."""

    version: str
    created_at: datetime
    architecture: str
    labels: Annotated[int, Field(description="How many.")]
    data: TrainingData
    metrics: Metrics
    champion: Annotated[bool, Field(description="The store's choice of what is served.")]
    served: Annotated[bool, Field(description="It answers now.")]


class ModelEvent(BaseModel):
    """What happened to a version; `previous` is the champion before."""

    time: datetime
    event: Literal["added", "promoted", "refused", "rolled_back"]
    version: str
    previous: str | None


class ModelsResponse(_Answer):
    """The versions in the store, oldest first, and the last things that happened; of a plain bundle, that one."""

    models: list[ModelSummary]
    damaged: Annotated[list[str], Field(description="Versions whose metadata cannot be read.")]
    history: Annotated[list[ModelEvent], Field(description=f"Oldest first, the last {MAX_EVENTS} at most.")]


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
    error: Annotated[
        str | None, Field(description="Under /v2 only: `detail`, where clients of that protocol look for it.")
    ] = None


_PROBLEM_CONTENT = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
_STRING = {"schema": {"type": "string"}}
_RETRY_AFTER = {"Retry-After": {"description": "Seconds after which to try again.", "schema": {"type": "integer"}}}
_QUOTA = {
    "RateLimit-Policy": _STRING | {"description": "Limits of the caller: q requests in w seconds each. On 2xx too."},
    "RateLimit": _STRING | {"description": "Of each limit, r requests are left for t seconds. On 2xx too."},
}
_HEADERS = {
    401: {"WWW-Authenticate": _STRING | {"description": "Bearer"}},
    429: _RETRY_AFTER | _QUOTA,
    503: _RETRY_AFTER,
}
PROBLEM_RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"content": _PROBLEM_CONTENT, "description": description, "headers": _HEADERS.get(status, {})}
    for status, description in {
        400: "The body is not JSON.",
        401: "The service needs an API key, and this request holds none or an unknown one.",
        413: "The body is too large.",
        415: "The body is not sent as application/json.",
        422: "The body is JSON, and its content cannot be answered.",
        429: "The caller's quota is used up.",
        503: "The service has more requests than it can take.",
    }.items()
}
