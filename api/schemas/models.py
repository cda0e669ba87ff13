"""Bodies of the routes that describe models."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from api.schemas.predict import Answer

MAX_EVENTS = 100
"""Of a store's history in one answer."""


class TrainingData(BaseModel):
    """Which names a model was trained and tested on: the same fingerprint and seed give the same split."""

    fingerprint: str
    names: int
    split_seed: int
    snapshot: Annotated[str | None, Field(description="Name of the snapshot that the names are of, if of one.")] = None
    manifest_sha256: Annotated[str | None, Field(description="Hash of that snapshot's manifest.")] = None


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


class ModelResponse(Answer):
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


class ModelsResponse(Answer):
    """The versions in the store, oldest first, and the last things that happened; of a plain bundle, that one."""

    models: list[ModelSummary]
    damaged: Annotated[list[str], Field(description="Versions whose metadata cannot be read.")]
    history: Annotated[list[ModelEvent], Field(description=f"Oldest first, the last {MAX_EVENTS} at most.")]
