"""What bundles say of themselves, as /v1/model and /v1/models tell it: no file, no path. Knows no route."""

from pathlib import Path

from api.classify.served_model import ServedModel
from api.schemas.models import (
    MAX_EVENTS,
    Calibration,
    ModelEvent,
    ModelResponse,
    ModelsResponse,
    ModelSummary,
    TrainingData,
)
from model.artifacts import BundleMetadata
from model.registry.store import Store


def describe_model(served: ServedModel, request_id: str) -> ModelResponse:
    """Return the identity and the metrics of the served model."""
    said = served.predictor.metadata
    return ModelResponse(
        model_version=said.version,
        request_id=request_id,
        created_at=said.created_at,
        architecture=said.architecture,
        parameters=served.predictor.n_parameters,
        git_commit=said.git_commit,
        labels=list(said.labels),
        data=_describe_data(said),
        calibration=Calibration(
            temperature=said.temperature,
            expected_calibration_error=said.metrics.get("test", {}).get("expected_calibration_error"),
            abstention_threshold=said.abstention_threshold,
            prior=dict(zip(said.labels, said.prior, strict=True)),
        ),
        metrics=said.metrics,
        libraries=said.libraries,
    )


def describe_models(path: Path, served: ServedModel, request_id: str) -> ModelsResponse:
    """Return the history of the store at a path; a plain bundle is a store of the served version alone.

    Raises:
        StoreError: the pointer or the ledger is damaged.
    """
    store = Store(path)
    said = {metadata.version: metadata for metadata in (*store.versions(), served.predictor.metadata)}
    champion = store.champion()
    return ModelsResponse(
        model_version=served.version,
        request_id=request_id,
        models=[_summarise(metadata, champion, served.version) for metadata in said.values()],
        damaged=sorted(store.damaged()),
        history=[
            ModelEvent(time=entry.time, event=entry.event, version=entry.version, previous=entry.previous)
            for entry in store.history()[-MAX_EVENTS:]
        ],
    )


def _summarise(said: BundleMetadata, champion: str | None, served: str) -> ModelSummary:
    return ModelSummary(
        version=said.version,
        created_at=said.created_at,
        architecture=said.architecture,
        labels=len(said.labels),
        data=_describe_data(said),
        metrics=said.metrics,
        champion=said.version == champion,
        served=said.version == served,
    )


def _describe_data(said: BundleMetadata) -> TrainingData:
    return TrainingData.model_validate(said.data, from_attributes=True)
