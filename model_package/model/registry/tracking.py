"""Record a store in MLflow: a run and a registered version for each version, aliases for champion and challenger.

The only importer of MLflow, which is an extra, and inside the functions, for that takes seconds. The store is the truth
and this its copy: each call records whatever is missing, so the next call makes up for a server that was away.
"""

import os
import re
import warnings
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, Final

from model.artifacts import BundleMetadata
from model.errors import TrackingError
from model.files import locked
from model.registry.store import Store

if TYPE_CHECKING:
    from mlflow import MlflowClient

NAME: Final = "name-classifier"
"""Of the experiment and of the registered model."""

_LOCK = ".tracking-lock"
_VERSION_TAG = "bundle_version"
_REPORT = "report"
_SETTINGS = {
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_LOGGING_LEVEL": "ERROR",
    # give up on a server that does not answer after seconds, where MLflow would try for minutes
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "2",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "1",
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",
}


def check_installed() -> None:
    """Raise TrackingError unless MLflow is installed; made for asking before hours of training."""
    if find_spec("mlflow") is None:
        raise TrackingError("MLflow is not installed; install the extra: pip install 'name-classifier-model[mlflow]'.")


def record(store: Store, uri: str) -> None:
    """Bring MLflow at a tracking URI up to date with a store.

    Raises:
        TrackingError: MLflow is not installed, cannot be reached or refuses; the store is as it was.
    """
    check_installed()
    try:
        with locked(store.path / _LOCK), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # MLflow's dependencies tell of each other's deprecations
            _record(store, uri)
    except Exception as error:  # noqa: BLE001 - MLflow raises its own errors, those of requests and those of SQLAlchemy
        raise TrackingError(
            f"{store.path} is safe, but MLflow at {_without_password(uri)} lacks its latest changes "
            f"({type(error).__name__}); the next command with --mlflow that reaches it records them."
        ) from None


def _record(store: Store, uri: str) -> None:
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    from mlflow import MlflowClient

    if not _is_remote(uri):
        import sqlalchemy

        sqlalchemy.create_engine(uri).connect().close()  # fails at once, where MLflow would try for two minutes
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    numbers = _registered(client)
    for metadata in store.versions():
        if metadata.version not in numbers:
            numbers[metadata.version] = _register(client, store, metadata, uri)
    for alias, version in (("champion", store.champion()), ("challenger", store.challenger())):
        if version in numbers:
            client.set_registered_model_alias(NAME, alias, numbers[version])
        else:
            client.delete_registered_model_alias(NAME, alias)


def _registered(client: "MlflowClient") -> dict[str, str]:
    """Return MLflow's number of every version that it knows; make the registered model if there is none."""
    if not client.search_registered_models(f"name = '{NAME}'"):
        client.create_registered_model(NAME)
    numbers: dict[str, str] = {}
    token = None
    while True:
        page = client.search_model_versions(f"name = '{NAME}'", page_token=token)
        numbers |= {found.tags[_VERSION_TAG]: found.version for found in page if _VERSION_TAG in found.tags}
        token = page.token
        if not token:
            return numbers


def _register(client: "MlflowClient", store: Store, metadata: BundleMetadata, uri: str) -> str:
    """Record a version as a finished run and a registered version; return the number of the latter."""
    from mlflow.entities import Metric, Param

    folder = store.folder(metadata.version).resolve()
    created = round(metadata.created_at.timestamp() * 1000)
    tags = {
        _VERSION_TAG: metadata.version,
        "git_commit": metadata.git_commit or "unknown",
        "data_fingerprint": metadata.data.fingerprint,
        "data_snapshot": metadata.data.snapshot or "none",
        "data_manifest_sha256": metadata.data.manifest_sha256 or "none",
    }
    experiment = _experiment(client, store, uri)
    for begun in client.search_runs([experiment], f"tags.{_VERSION_TAG} = '{metadata.version}'"):
        client.delete_run(begun.info.run_id)  # a kill or an outage came before it was registered
    run = client.create_run(experiment, created, tags, run_name=metadata.version).info
    params = [Param(key, str(value)) for key, value in _params(metadata).items()]
    metrics = [Metric(key, value, created, step) for key, value, step in _metrics(metadata)]
    client.log_batch(run.run_id, metrics, params)
    if (folder / _REPORT).is_dir():
        client.log_artifacts(run.run_id, str(folder / _REPORT), _REPORT)
    source = str(folder)
    if _is_remote(uri):  # a server cannot see this machine's folders, and refuses them
        client.log_artifacts(run.run_id, source, "bundle")
        source = f"runs:/{run.run_id}/bundle"
    client.set_terminated(run.run_id, end_time=created)
    number: str = client.create_model_version(NAME, source, run.run_id, tags).version
    return number


def _experiment(client: "MlflowClient", store: Store, uri: str) -> str:
    if found := client.get_experiment_by_name(NAME):
        return str(found.experiment_id)
    artifacts = None if _is_remote(uri) else (store.path.resolve() / "mlflow").as_uri()
    return str(client.create_experiment(NAME, artifact_location=artifacts))


def _params(metadata: BundleMetadata) -> dict[str, Any]:
    settings = {f"training.{key}": value for key, value in metadata.training.items() if key != "epochs"}
    epochs = {"training.epochs": len(metadata.training.get("epochs", ()))}
    return {f"config.{key}": value for key, value in metadata.config.items()} | settings | epochs | {
        "architecture": metadata.architecture,
        "data.names": metadata.data.names,
        "data.split_seed": metadata.data.split_seed,
    }  # fmt: skip


def _metrics(metadata: BundleMetadata) -> list[tuple[str, float, int]]:
    """Return key, value and step of the final metrics and of those of each epoch."""
    final = [(f"{part}.{key}", value, 0) for part, values in metadata.metrics.items() for key, value in values.items()]
    return final + [
        (f"epoch.{key}", value, epoch["number"])
        for epoch in metadata.training.get("epochs", ())
        for key, value in epoch.items()
        if key != "number"
    ]


def _is_remote(uri: str) -> bool:
    return uri.startswith(("http://", "https://"))


def _without_password(uri: str) -> str:
    return re.sub(r"//[^/@]*@", "//", uri.partition("?")[0])
