"""The folder in which people put sources of names: which of them are new."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from model.constants import FOLDERS_BESIDE
from model.data.ingest.sources import hash_file, hash_files
from model.data.manifest import Manifest
from model.errors import DataError, PipelineError
from model.pipeline.runs import Run, Status

_UNFINISHED_SUFFIXES = (".part", ".tmp", ".crdownload", ".filepart", "~")
"""What programs call a file that they are still copying."""


@dataclass(frozen=True)
class DroppedSource:
    """A file, or a folder of lists, and the SHA-256 of what it holds."""

    path: Path
    sha256: str


@dataclass(frozen=True)
class Refusal:
    """Why the pipeline refused a source or a snapshot before, and in which run."""

    run: str
    reason: str


def find_drops(folder: Path) -> list[DroppedSource]:
    """Return what lies in the folder, by name, but for hidden and special files and those that are still being copied.

    Raises:
        PipelineError: the folder is not there, or something in it cannot be read.
    """
    if not folder.is_dir():
        raise PipelineError(f"{folder} is not a folder; make it, and put files into it.")
    paths = sorted(path for path in folder.iterdir() if _is_source(path))
    if any(path.is_dir() and path.name not in FOLDERS_BESIDE for path in paths):  # ingest reads them with these lists
        paths = [path for path in paths if path.name not in FOLDERS_BESIDE]
    try:
        return [DroppedSource(path, hash_source(path)) for path in paths]
    except DataError as error:
        raise PipelineError(str(error)) from None


def hash_source(path: Path) -> str:
    """Return the SHA-256 of a file, or of all files in a folder and beside it, and their names. Raises DataError."""
    if not path.is_dir():
        return hash_file(path)
    folders = (path, *(path.parent / name for name in FOLDERS_BESIDE if name != path.name))
    return hash_files([file for folder in folders for file in sorted(folder.rglob("*")) if file.is_file()])


def taken_hashes(manifests: Sequence[Manifest], runs: Sequence[Run]) -> set[str]:
    """Return the hashes of the sources that snapshots hold or that runs took, new or not."""
    hashes = {manifest.source.sha256 for manifest in manifests}
    for run in runs:
        ingest, validate = run.result("ingest"), run.result("validate")
        nothing_new = ingest and ingest.status is Status.UNCHANGED
        if ingest and (nothing_new or (validate and validate.status is Status.DONE)):
            hashes.update(drop["sha256"] for drop in ingest.facts.get("drops", ()))
    return hashes


def find_refusals(runs: Sequence[Run]) -> dict[str, Refusal]:
    """Return, by the hash of a source or of a snapshot's manifest, why it was refused, the latest reason of each."""
    return {sha256: refusal for run in runs for sha256, refusal in _refusals(run)}


def _refusals(run: Run) -> Iterator[tuple[str, Refusal]]:
    for result in run.results():
        if result.status is Status.REFUSED and (sha256 := result.facts.get("refused_sha256")):
            yield sha256, Refusal(run.id, result.reason or "")


def _is_source(path: Path) -> bool:
    is_special = path.exists() and not (path.is_file() or path.is_dir())  # such as a pipe, which would block
    return not (is_special or path.name.startswith(".") or path.name.endswith(_UNFINISHED_SUFFIXES))
