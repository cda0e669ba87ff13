"""What MLflow holds of a store, in a real database, and what becomes of a store when MLflow does not answer."""

import time
from datetime import timedelta
from pathlib import Path

import pytest

from model.artifacts import read_bundle, write_bundle
from model.errors import TrackingError
from model.registry import tracking
from model.registry.store import Store

VERSIONS = [f"{i:012x}" for i in range(1, 4)]

pytestmark = pytest.mark.filterwarnings("ignore")  # MLflow's dependencies tell of each other's deprecations


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory, exported: Path) -> Store:
    folder, bundle = tmp_path_factory.mktemp("a folder"), read_bundle(exported)
    store = Store(folder / "store")
    for hours, version in enumerate(VERSIONS[:2]):
        created_at = bundle.metadata.created_at + timedelta(hours=hours)
        metadata = bundle.metadata.model_copy(update={"version": version, "created_at": created_at})
        write_bundle(folder / version, metadata, {**bundle.files, "report/metrics.json": b"{}"})
        store.add(folder / version)
    return store


def test_mlflow_holds_what_a_training_leaves_and_follows_the_store(store: Store) -> None:
    uri = f"sqlite:///{store.path}/mlflow.db"
    from mlflow import MlflowClient

    client = MlflowClient(uri, uri)
    experiment = client.create_experiment(tracking.NAME, (store.path / "mlflow").as_uri())
    client.create_run(experiment, tags={"bundle_version": VERSIONS[0]})  # a kill came before it was registered
    tracking.record(store, uri)

    def aliases() -> dict[str, str]:
        held = client.get_registered_model(tracking.NAME).aliases
        numbers = {found.version: found.tags["bundle_version"] for found in client.search_model_versions("")}
        return {alias: numbers[number] for alias, number in held.items()}

    assert aliases() == {"challenger": VERSIONS[1]}
    store.promote(VERSIONS[0], instead_of=None)
    tracking.record(store, uri)
    assert aliases() == {"champion": VERSIONS[0]}
    store.promote(VERSIONS[1], instead_of=VERSIONS[0])
    tracking.record(store, uri)
    assert aliases() == {"champion": VERSIONS[1]}
    store.rollback()
    tracking.record(store, uri)
    assert aliases() == {"champion": VERSIONS[0]}

    registered = client.search_model_versions("")
    assert len(client.search_runs([experiment])) == len(VERSIONS[:2])
    assert sorted(found.source for found in registered) == [str(store.path / version) for version in VERSIONS[:2]]
    for found in registered:
        run = client.get_run(found.run_id)
        metadata = read_bundle(Path(found.source)).metadata
        assert run.info.status == "FINISHED"
        assert run.data.tags["data_fingerprint"] == metadata.data.fingerprint
        assert run.data.tags["git_commit"] == (metadata.git_commit or "unknown")
        assert run.data.params["architecture"] == metadata.architecture
        assert run.data.params["config.hidden_size"] == str(metadata.config["hidden_size"])
        assert run.data.params["training.batch_size"] == "32"
        for part, values in metadata.metrics.items():
            assert {key: run.data.metrics[f"{part}.{key}"] for key in values} == pytest.approx(values)
        history = client.get_metric_history(found.run_id, "epoch.validation_accuracy")
        assert [(point.step, point.value) for point in history] == [
            (epoch["number"], epoch["validation_accuracy"]) for epoch in metadata.training["epochs"]
        ]
        assert "report/metrics.json" in {file.path for file in client.list_artifacts(found.run_id, "report")}


@pytest.mark.parametrize(
    "uri",
    ["http://me:secret@127.0.0.1:9", "sqlite:////no/such/folder/x.db", "nonsense", "ftp://127.0.0.1/"],
)
def test_a_tracker_that_does_not_answer_is_one_sentence_in_seconds(store: Store, uri: str) -> None:
    started = time.monotonic()
    with pytest.raises(TrackingError, match="lacks its latest changes") as raised:
        tracking.record(store, uri)
    assert time.monotonic() - started < 30
    assert "secret" not in str(raised.value)
