"""What bundles say of themselves, as /v1/model and /v1/models tell it: no file, no path."""

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
    metadata = served.predictor.metadata
    return ModelResponse(
        model_version=metadata.version,
        request_id=request_id,
        created_at=metadata.created_at,
        architecture=metadata.architecture,
        parameters=served.predictor.n_parameters,
        git_commit=metadata.git_commit,
        labels=list(metadata.labels),
        data=_describe_data(metadata),
        calibration=Calibration(
            temperature=metadata.temperature,
            expected_calibration_error=metadata.metrics.get("test", {}).get("expected_calibration_error"),
            abstention_threshold=metadata.abstention_threshold,
            prior=dict(zip(metadata.labels, metadata.prior, strict=True)),
        ),
        metrics=metadata.metrics,
        libraries=metadata.libraries,
    )


def describe_models(path: Path, served: ServedModel, request_id: str) -> ModelsResponse:
    """Return the history of the store at a path; a plain bundle is a store of the served version alone.

    Raises:
        StoreError: the pointer or the ledger is damaged.
    """
    store = Store(path)
    models = {metadata.version: metadata for metadata in (*store.versions(), served.predictor.metadata)}
    champion = store.champion()
    return ModelsResponse(
        model_version=served.version,
        request_id=request_id,
        models=[_summarise(metadata, champion, served.version) for metadata in models.values()],
        damaged=sorted(store.damaged()),
        history=[
            ModelEvent(time=entry.time, event=entry.event, version=entry.version, previous=entry.previous)
            for entry in store.history()[-MAX_EVENTS:]
        ],
    )


def _summarise(metadata: BundleMetadata, champion: str | None, served: str) -> ModelSummary:
    return ModelSummary(
        version=metadata.version,
        created_at=metadata.created_at,
        architecture=metadata.architecture,
        labels=len(metadata.labels),
        data=_describe_data(metadata),
        metrics=metadata.metrics,
        champion=metadata.version == champion,
        served=metadata.version == served,
    )


def _describe_data(metadata: BundleMetadata) -> TrainingData:
    return TrainingData.model_validate(metadata.data, from_attributes=True)
