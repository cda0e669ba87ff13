"""A folder of snapshots of the data: find the newest, verify, write another whole or not at all.

DATA/<UTC stamp>-<hash>/ holds `names/<Label>.txt`, the folders that may stand beside them, and `manifest.json`. A
snapshot never changes: the next drop makes another one.
"""

import hashlib
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from model.constants import FOLDERS_BESIDE
from model.data.manifest import MANIFEST_FILE, Manifest, parse_manifest
from model.errors import DataError
from model.files import locked, read_regular_file, sync_folder, write_durably

NAMES_FOLDER: Final = "names"
PARTS: Final = (NAMES_FOLDER, *FOLDERS_BESIDE)
_SNAPSHOT = re.compile(r"(\d{8}T\d{12})Z-[0-9a-f]{12}")
_STAMP = "%Y%m%dT%H%M%S%f"
_STAGING = ".staging"
_MAX_MANIFEST_BYTES = 2**26


def snapshots(data: Path) -> list[Path]:
    """Return the snapshots in a folder, oldest first; none if it is not there."""
    return sorted(path for path in data.iterdir() if _SNAPSHOT.fullmatch(path.name)) if data.is_dir() else []


def newest_snapshot(data: Path) -> Path | None:
    """Return the newest snapshot in a folder of them; None if it holds none or is not there."""
    return max(snapshots(data), default=None)


def resolve_data(path: Path) -> tuple[Path, Manifest | None]:
    """Return the folder of names behind a path, and the manifest if it is of a snapshot.

    The path is a folder of names, a snapshot, its folder of names, or a folder of snapshots: then its newest.

    Raises:
        DataError: the snapshot is damaged, or was changed after it was written.
    """
    snapshot = path.resolve()
    if snapshot.name == NAMES_FOLDER:
        snapshot = snapshot.parent
    elif not any(path.glob("*.txt")):
        snapshot = newest_snapshot(path) or snapshot
    if not (snapshot / MANIFEST_FILE).is_file() or not _SNAPSHOT.fullmatch(snapshot.name):
        return path, None
    manifest = read_manifest(snapshot)
    _verify(snapshot, manifest)
    return snapshot / NAMES_FOLDER, manifest


def read_manifest(snapshot: Path) -> Manifest:
    """Return what a snapshot says of itself. Raises DataError if it says nothing."""
    path = snapshot / MANIFEST_FILE
    return parse_manifest(_read(path), path)


def hash_manifest(snapshot: Path) -> str:
    """Return the SHA-256 of a snapshot's manifest, which lists the hashes of all that it holds. Raises DataError."""
    return hash_bytes(_read(snapshot / MANIFEST_FILE))


def lineage(data: Path) -> Iterator[Manifest]:
    """Yield the manifests that made what the newest snapshot holds, newest first. Raises DataError."""
    snapshot = newest_snapshot(data)
    while snapshot:
        manifest = read_manifest(snapshot)
        yield manifest
        snapshot = data / manifest.parent if manifest.parent and not manifest.replaces else None


def read_parts(snapshot: Path | None) -> dict[str, dict[str, list[str]]]:
    """Return the lines of each file of a snapshot, by its folder and its stem; of none, nothing. Raises DataError."""
    parts: dict[str, dict[str, list[str]]] = {part: {} for part in PARTS}
    if snapshot:
        manifest = read_manifest(snapshot)
        _verify(snapshot, manifest)
        for name in manifest.files:
            path = snapshot / name
            parts[path.parent.name][path.stem] = _read(path).decode().splitlines()
    return parts


@contextmanager
def writing(data: Path) -> Iterator[None]:
    """Take the writers' turn in a folder of snapshots, made if need be. Raises DataError if it cannot be written."""
    try:
        data.mkdir(parents=True, exist_ok=True)
        with locked(data):
            shutil.rmtree(data / _STAGING, ignore_errors=True)
            try:
                yield
            finally:
                shutil.rmtree(data / _STAGING, ignore_errors=True)
    except OSError as error:
        raise DataError(f"{data} cannot be written: {error.strerror}.") from None


def name_snapshot(data: Path, sha256: str) -> tuple[str, datetime]:
    """Return the name and time of the next snapshot, which sorts behind all others whatever the clock says."""
    now = datetime.now(UTC)
    newest = newest_snapshot(data)
    if newest and (found := _SNAPSHOT.fullmatch(newest.name)):
        before = datetime.strptime(found[1], _STAMP).replace(tzinfo=UTC)
        now = max(now, before + timedelta(microseconds=1))
    return f"{now.strftime(_STAMP)}Z-{sha256[:12]}", now


def write_snapshot(data: Path, manifest: Manifest, files: Mapping[str, bytes]) -> Path:
    """Write files and manifest to a new snapshot, in the writers' turn; return its folder. Raises OSError."""
    staging = data / _STAGING
    for name, content in {**files, MANIFEST_FILE: manifest.to_bytes()}.items():
        write_durably(staging / name, content)
    for folder in {(staging / name).parent for name in files} | {staging}:
        sync_folder(folder)
    snapshot = data / manifest.snapshot
    staging.rename(snapshot)
    sync_folder(data)
    return snapshot


def hash_bytes(content: bytes) -> str:
    """Return the SHA-256 of a file's content."""
    return hashlib.sha256(content).hexdigest()


def _verify(snapshot: Path, manifest: Manifest) -> None:
    found = {f"{part}/{path.name}" for part in PARTS for path in (snapshot / part).glob("*.txt")}
    if found != manifest.files.keys():
        raise DataError(f"{snapshot} was changed after it was written: it holds other files than its manifest lists.")
    for name, sha256 in manifest.files.items():
        if hash_bytes(_read(snapshot / name)) != sha256:
            raise DataError(f"{snapshot / name} was changed after it was written; ingest what it should hold.")


def _read(path: Path) -> bytes:
    limit = _MAX_MANIFEST_BYTES if path.name == MANIFEST_FILE else 2**34
    try:
        return read_regular_file(path, limit)
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from None
