"""Bodies of the routes that answer names, with every bound that does not depend on the model."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from model.constants import DEFAULT_TOP_K, MAX_LABEL_LENGTH, MAX_NAME_LENGTH

MAX_NAMES = 1000
"""Names in one request; the stream takes any number."""
_MAX_FIELDS = 100
_MAX_WEIGHTS = 1000


def _bound(value: object, most: int) -> object:
    """Refuse an object of too many fields at once: each of a crowd of wrong ones would be told of by itself."""
    if isinstance(value, dict) and len(value) > most:
        raise PydanticCustomError("too_long", "An object may have at most {most} fields here", {"most": most})
    return value


class StrictRequest(BaseModel):
    """A body without unknown fields and conversions."""

    model_config = ConfigDict(extra="forbid", strict=True)

    @model_validator(mode="before")
    @classmethod
    def _bound_fields(cls, value: object) -> object:
        return _bound(value, _MAX_FIELDS)


class PredictionRequest(StrictRequest):
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
PriorWeights = Annotated[
    dict[Label, Annotated[float, Field(ge=0, allow_inf_nan=False)]],
    Field(max_length=_MAX_WEIGHTS),
    BeforeValidator(lambda weights: _bound(weights, _MAX_WEIGHTS)),
]
Abstain = Annotated[bool, Field(description="Give no labels for what does not look like a name, only say so.")]


class PredictRequest(StrictRequest):
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


class Answer(BaseModel):
    """What every answer under /v1 says: which model answered which request."""

    model_config = ConfigDict(protected_namespaces=())

    model_version: Annotated[str, Field(description="The version that answered.", examples=["9488db93b30b"])]
    request_id: Annotated[
        str, Field(description="The Idempotency-Key or X-Request-ID of the request, or one made for it.")
    ]


class PredictResponse(Answer):
    """One prediction a name, in the order of the names."""

    predictions: list[LabelPrediction]


Id = Annotated[Any, Field(description="Whatever it was sent as; left out if none was sent.", examples=[7])]


class StreamLine(StrictRequest):
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


class ExplainRequest(StrictRequest):
    """A name, and the label to explain; the most probable one if it is left out."""

    name: Name
    label: Label | None = None


class ExplainResponse(Answer):
    """What each character, as the network reads it, adds to the natural-log probability of the label."""

    label: str
    log_probability: float
    lexicon: Annotated[
        float, Field(description="What being listed under labels adds; 0 for a name that no list holds.")
    ]
    characters: Annotated[list[str], Field(examples=[["j", "o", "r", "d", "a", "n"]])]
    contributions: Annotated[list[float], Field(description="One a character; negative ones speak against the label.")]


class SimilarName(BaseModel):
    """A training name, folded, and its similarity to the name asked about: over 0, and 1 for the same letters."""

    name: str
    similarity: float


class SimilarResponse(Answer):
    """The label that was searched, and its most similar training names, nearest first."""

    label: str
    similar: list[SimilarName]


class ServiceMessage(BaseModel):
    """The greeting of the first version of the service."""

    Message: Annotated[str, Field(examples=["Hello world from service"])]
