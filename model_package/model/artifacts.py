"""The bundle on disk: its metadata, how it is read and verified, how it replaces another.

A bundle is a folder of `weights.safetensors`, `model.onnx`, `metadata.json` and whatever else belongs to the model,
such as its report. The metadata lists every other file with its SHA-256, and holds its own; reading verifies them all.
"""

import hashlib
import json
import math
import os
import signal
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from model.constants import METADATA_FILE, ONNX_FILE, SCHEMA_VERSION, WEIGHTS_FILE
from model.errors import BundleError

Probability = Annotated[float, Field(ge=0, le=1)]
RelativePath = Annotated[str, Field(pattern=r"^\w[\w.-]*(/\w[\w.-]*)?$")]  # a file of the bundle, or of a folder in it


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class DataIdentity(_Record):
    """Which names a bundle was trained and tested on: the same folder and seed give the same split."""

    fingerprint: str
    names: int
    split_seed: int


class BundleMetadata(_Record):
    """What `metadata.json` holds; `labels` and `characters` in id order, `prior` the labels' weight in training."""

    schema_version: int
    version: str
    created_at: datetime
    git_commit: str | None
    architecture: str
    config: dict[str, Any]
    training: dict[str, Any]
    labels: tuple[str, ...] = Field(min_length=2)
    characters: tuple[str, ...] = Field(min_length=1)
    prior: tuple[Probability, ...]
    temperature: float = Field(gt=0)
    abstention_threshold: float
    metrics: dict[str, dict[str, float]]
    data: DataIdentity
    libraries: dict[str, str]
    files: dict[RelativePath, str] = {}

    @model_validator(mode="after")
    def _labels_agree(self) -> "BundleMetadata":
        if list(self.labels) != sorted(set(self.labels)) or len(self.prior) != len(self.labels):
            raise ValueError("labels must be sorted, distinct and as many as the prior")
        return self


@dataclass(frozen=True)
class Bundle:
    """A verified bundle: its metadata and the bytes of each of its files."""

    metadata: BundleMetadata
    files: Mapping[str, bytes]

    @property
    def n_parameters(self) -> int:
        """How many numbers the network has learnt, by the header of its safetensors."""
        weights = self.files[WEIGHTS_FILE]
        header = json.loads(weights[8 : 8 + int.from_bytes(weights[:8], "little")])
        return sum(math.prod(tensor["shape"]) for name, tensor in header.items() if name != "__metadata__")


def read_bundle(directory: Path) -> Bundle:
    """Read a bundle and verify every hash.

    Raises:
        BundleError: it is missing, incomplete, tampered with or of an unknown schema.
    """
    metadata = read_metadata(directory)
    files = {}
    for name in sorted({WEIGHTS_FILE, ONNX_FILE, *metadata.files}):
        files[name] = _read_bytes(directory / name)
        if _sha256(files[name]) != metadata.files.get(name):
            raise BundleError(f"{directory / name} does not match the hash in {METADATA_FILE}; train or copy it again.")
    return Bundle(metadata, files)


def write_bundle(directory: Path, metadata: BundleMetadata, files: Mapping[str, bytes]) -> None:
    """Write a bundle whole or not at all; a bundle that stands there is replaced, files that are not its own stay.

    The hashes in `metadata.files` are filled in here.

    Raises:
        BundleError: the folder cannot be written.
    """
    metadata = metadata.model_copy(update={"files": {name: _sha256(content) for name, content in files.items()}})
    with _writing(directory) as staging:
        _stage(staging, {**files, METADATA_FILE: _seal(metadata)})
        with _signals_deferred():
            _swap(staging, directory, (*files, METADATA_FILE), obsolete=_listed_files(directory) - files.keys())


def write_files(directory: Path, files: Mapping[str, bytes]) -> None:
    """Write files that belong to no bundle, each whole or not at all; others in the folder stay.

    Raises:
        BundleError: the folder cannot be written.
    """
    with _writing(directory) as staging:
        _stage(staging, files)
        for name in files:
            (staging / name).replace(directory / name)


def check_writable(directory: Path) -> None:
    """Raise BundleError unless a bundle could be written there; made for asking before hours of training."""
    with _writing(directory):
        pass


@contextmanager
def _writing(directory: Path) -> Iterator[Path]:
    """Yield a staging folder inside the directory, on the same file system, so that a rename is atomic."""
    try:
        directory.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".staging-", dir=directory) as staging:
            yield Path(staging)
    except OSError as error:
        raise BundleError(f"{directory} cannot be written: {error.strerror}.") from None


def _stage(staging: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        (staging / name).parent.mkdir(exist_ok=True)
        with (staging / name).open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())


def _listed_files(directory: Path) -> set[str]:
    """Return the files of the bundle that stands there; of a damaged one, none."""
    try:
        return set(read_metadata(directory).files)
    except BundleError:
        return set()


def _swap(staging: Path, directory: Path, names: Sequence[str], obsolete: set[str]) -> None:
    """Rename the staged files into place and remove obsolete ones; if that fails, put back what stood there."""
    touched = [directory / name for name in (*names, *obsolete)]
    before = {path: path.read_bytes() for path in touched if path.is_file()}
    try:
        for name in names:
            (directory / name).parent.mkdir(exist_ok=True)
            (staging / name).replace(directory / name)
        for name in obsolete:
            (directory / name).unlink(missing_ok=True)
    except OSError:
        for path, content in before.items():
            path.write_bytes(content)
        raise


@contextmanager
def _signals_deferred() -> Iterator[None]:
    """Hold Ctrl-C and SIGTERM back until the end, so that no bundle is left half old and half new."""
    if threading.current_thread() is not threading.main_thread():  # signals reach the main thread only
        yield
        return
    arrived: list[int] = []
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    for number in handlers:
        signal.signal(number, lambda received, _: arrived.append(received))
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        for received in arrived:
            signal.raise_signal(received)


def read_metadata(directory: Path) -> BundleMetadata:
    """Read what a bundle says of itself, verified by its own hash; its other files are not read.

    Raises:
        BundleError: the metadata is missing, damaged or of an unknown schema.
    """
    path = directory / METADATA_FILE
    try:
        document = json.loads(_read_bytes(path))
    except (ValueError, RecursionError):
        raise BundleError(f"{path} is not JSON; the bundle is damaged.") from None
    if not isinstance(document, dict) or (version := document.get("schema_version")) is None:
        raise BundleError(f"{path} is not the metadata of a bundle.")
    if version != SCHEMA_VERSION:
        raise BundleError(f"{path} has schema version {version!r:.20}; this program reads version {SCHEMA_VERSION}.")
    seal = document.pop("sha256", None)
    if seal != _sha256(_canonical(document)):
        raise BundleError(f"{path} was changed after it was written; train or copy the bundle again.")
    try:
        return BundleMetadata.model_validate(document)
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"])) or "the document"
        raise BundleError(f"{path} is not valid at {where}: {error.errors()[0]['msg']}.") from None


def _read_bytes(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BundleError(f"{path} cannot be read: {error.strerror}.") from None


def _seal(metadata: BundleMetadata) -> bytes:
    document = metadata.model_dump(mode="json")
    document["sha256"] = _sha256(_canonical(document))
    return (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode()


def _canonical(document: Mapping[str, Any]) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
