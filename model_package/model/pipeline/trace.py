"""From a version back to where it came from: the run that made it, its snapshot of the data, the sources."""

from dataclasses import dataclass
from pathlib import Path

from model.artifacts import BundleMetadata, read_metadata
from model.data.manifest import Manifest
from model.data.snapshots import hash_manifest, read_manifest
from model.errors import DataError
from model.pipeline.runs import Run, Runs, Status
from model.registry.ledger import Entry
from model.registry.store import Store


@dataclass(frozen=True)
class Origin:
    """Where a version came from.

    `run` is None if no run made it: it was trained by hand. `snapshots` are those whose sources the data holds, newest
    first, none if the data is not there or changed; `is_verified` says that the first has the hash that was trained on.
    """

    metadata: BundleMetadata
    role: str
    run: str | None
    events: tuple[Entry, ...]
    data: Path | None
    snapshots: tuple[Manifest, ...]
    is_verified: bool


def find_origin(store: Store, version: str, data: Path | None) -> Origin:
    """Return where a version came from; the data is looked for where its run had it unless a folder is given.

    Raises:
        BundleError: the store does not hold the version, or it is damaged.
        PipelineError: a result of a run is damaged.
    """
    metadata = read_metadata(store.folder(version))
    run = _find_run(store, version)
    folder = data or (Path(run.facts("ingest")["data"]) if run else None)
    snapshots = _lineage(folder, metadata.data.snapshot) if folder and metadata.data.snapshot else []
    found = hash_manifest(folder / snapshots[0].snapshot) if folder and snapshots else None
    verified = found is not None and found == metadata.data.manifest_sha256
    roles = {store.challenger(): "challenger", store.champion(): "champion"}
    events = tuple(entry for entry in store.history() if entry.version == version)
    return Origin(
        metadata, roles.get(version, "neither"), run.id if run else None, events, folder, tuple(snapshots), verified
    )


def _find_run(store: Store, version: str) -> Run | None:
    """Return the run that first trained a version."""
    for run in Runs(store.path).all():
        trained = run.result("train")
        if trained and trained.status is Status.DONE and trained.facts["version"] == version:
            return run
    return None


def _lineage(data: Path, snapshot: str) -> list[Manifest]:
    """Return the manifests that made what a snapshot holds, newest first, as far as they can be read."""
    found: list[Manifest] = []
    name: str | None = snapshot
    while name:
        try:
            found.append(read_manifest(data / name))
        except DataError:
            break
        name = None if found[-1].replaces else found[-1].parent
    return found
