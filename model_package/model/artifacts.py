"""The bundle on disk: its metadata, how it is read and verified, how it replaces another.

A bundle is a folder of `weights.safetensors`, `model.onnx`, `metadata.json` and whatever else belongs to the model,
such as its report. The metadata lists every other file with its SHA-256, and holds its own; reading verifies them all.
The hashes reveal damage: a broken disk, half a copy. They do not reveal a forger, who can make them anew.

A replacement is atomic, under a kill at any point (`replacement.py`): renaming the new `metadata.json` over the old one
commits it, and a file that it lists is read at its name or where it is still pending.
"""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import safetensors.numpy
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from model.constants import (
    MAX_LABEL_LENGTH,
    METADATA_FILE,
    ONNX_FILE,
    READABLE_SCHEMA_VERSIONS,
    SCHEMA_VERSION,
    WEIGHTS_FILE,
)
from model.errors import BundleError
from model.files import read_regular_file
from model.replacement import PENDING, replace_files, replacing, stage_files

_MAX_METADATA_BYTES = 2**24
_MAX_FILE_BYTES = 2**31 - 1  # what ONNX can be
_MAX_FILES = 100
_MAX_READS = 5  # of a bundle that is replaced while it is read


def _check_printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("control characters are not allowed")
    return text


Probability = Annotated[float, Field(ge=0, le=1)]
RelativePath = Annotated[str, Field(pattern=r"^\w[\w.-]*(/\w[\w.-]*)?$")]  # a file of the bundle, or of a folder in it
Token = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._+-]{0,99}$")]
"""What may stand in a header, a metric or a log line as it is."""
Text = Annotated[str, Field(min_length=1, max_length=MAX_LABEL_LENGTH), AfterValidator(_check_printable)]
Character = Annotated[str, Field(min_length=1, max_length=1)]


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class DataIdentity(_Record):
    """Which names a bundle was trained and tested on: the same folder and seed give the same split.

    `snapshot` is the name of the snapshot that the folder is of, `manifest_sha256` the hash of its manifest, if of one.
    """

    fingerprint: Token
    names: int
    split_seed: int
    snapshot: Token | None = None
    manifest_sha256: Token | None = None


class BundleMetadata(_Record):
    """What `metadata.json` holds; `labels` and `characters` in id order, `prior` the labels' weight in training.

    `scripts` holds, in the order of their token ids, the labels that have names in each; of names in one script, none.
    `familiarity_offsets` is how much more familiar than others names of a script are, by length; see `calibration`.
    """

    schema_version: int
    version: Token
    created_at: datetime
    git_commit: Token | None
    architecture: Token
    config: dict[str, Any]
    training: dict[str, Any]
    labels: tuple[Text, ...] = Field(min_length=2)
    characters: tuple[Character, ...] = Field(min_length=1)
    prior: tuple[Probability, ...]
    temperature: float = Field(gt=0)
    abstention_threshold: float
    scripts: dict[Token, tuple[Text, ...]] = {}
    familiarity_offsets: dict[Token, tuple[float, ...]] = {}
    metrics: dict[Token, dict[Token, float]]
    data: DataIdentity
    libraries: dict[Token, Text]
    files: dict[RelativePath, Token] = Field(default={}, max_length=_MAX_FILES)

    @model_validator(mode="after")
    def _labels_agree(self) -> "BundleMetadata":
        if list(self.labels) != sorted(set(self.labels)) or len(self.prior) != len(self.labels):
            raise ValueError("labels must be sorted, distinct and as many as the prior")
        if not all(set(labels) <= set(self.labels) for labels in self.scripts.values()):
            raise ValueError("scripts must be of labels")
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
    """Read a bundle and verify every hash, and that its weights are numbers; one that is being replaced is old or new.

    Raises:
        BundleError: it is missing, incomplete, damaged or of an unknown schema.
    """
    metadata = read_metadata(directory)
    for _ in range(_MAX_READS):
        try:
            files = {name: _read_verified(directory, name, metadata) for name in _listed_files(metadata)}
        except BundleError:
            before, metadata = metadata, read_metadata(directory)
            if metadata == before:
                raise
        else:
            _check_weights(files[WEIGHTS_FILE])
            return Bundle(metadata, files)
    raise BundleError(f"{directory} is replaced again and again; try once more.")


def write_bundle(directory: Path, metadata: BundleMetadata, files: Mapping[str, bytes]) -> None:
    """Write a bundle whole or not at all; a bundle that stands there is replaced, files that are not its own stay.

    The hashes in `metadata.files` are filled in here.

    Raises:
        BundleError: the folder cannot be written.
    """
    metadata = metadata.model_copy(update={"files": {name: _sha256(content) for name, content in files.items()}})
    with _writing(directory):
        obsolete = _replaceable_files(directory) - files.keys()
        replace_files(directory, {**files, METADATA_FILE: _seal(metadata)}, METADATA_FILE, obsolete)


def write_files(directory: Path, files: Mapping[str, bytes]) -> None:
    """Write files that belong to no bundle, each whole or not at all; others in the folder stay.

    Raises:
        BundleError: the folder cannot be written.
    """
    with _writing(directory):
        replace_files(directory, files, METADATA_FILE)


def check_writable(directory: Path) -> None:
    """Raise BundleError unless a bundle could be written there; made for asking before hours of training."""
    with _writing(directory):
        stage_files(directory, {})


@contextmanager
def _writing(directory: Path) -> Iterator[None]:
    try:
        with replacing(directory, METADATA_FILE):
            yield
    except OSError as error:
        raise BundleError(f"{directory} cannot be written: {error.strerror}.") from None


def _replaceable_files(directory: Path) -> set[str]:
    """Return the files of the bundle that stands there; of a damaged one, none."""
    try:
        return set(read_metadata(directory).files)
    except BundleError:
        return set()


def read_metadata(directory: Path) -> BundleMetadata:
    """Read what a bundle says of itself, verified by its own hash; its other files are not read.

    Raises:
        BundleError: the metadata is missing, damaged or of an unknown schema.
    """
    path = directory / METADATA_FILE
    try:
        document = json.loads(_read_bytes(path, _MAX_METADATA_BYTES))
    except (ValueError, RecursionError):
        raise BundleError(f"{path} is not JSON; the bundle is damaged.") from None
    if not isinstance(document, dict) or (version := document.get("schema_version")) is None:
        raise BundleError(f"{path} is not the metadata of a bundle.")
    if version not in READABLE_SCHEMA_VERSIONS:
        readable = " and ".join(map(str, READABLE_SCHEMA_VERSIONS))
        raise BundleError(f"{path} has schema version {version!r:.20}; this program reads versions {readable}.")
    seal = document.pop("sha256", None)
    if seal != _sha256(_canonical(document)):
        raise BundleError(f"{path} was changed after it was written; train or copy the bundle again.")
    try:
        return BundleMetadata.model_validate(_upgrade(document))
    except ValidationError as error:
        where = next(iter(error.errors()[0]["loc"]), "the document")  # deeper, it may quote what the file says
        raise BundleError(f"{path} is not valid at {where}: {error.errors()[0]['msg']}.") from None


def _upgrade(document: dict[str, Any]) -> dict[str, Any]:
    """Return metadata of the schema before as if it were of this one; `schema_version` still says what it is.

    Schema 1 had no output for being a name: `Predictor` finds every name familiar, so the threshold does not matter.
    """
    return document if document["schema_version"] == SCHEMA_VERSION else {"abstention_threshold": 0.0} | document


def _listed_files(metadata: BundleMetadata) -> list[str]:
    return sorted({WEIGHTS_FILE, ONNX_FILE, *metadata.files})


def _read_verified(directory: Path, name: str, metadata: BundleMetadata) -> bytes:
    """Return a file that the metadata lists, at its name or where it is pending; it may be moved between two looks."""
    path = directory / name
    for candidate in (path, directory / PENDING / name):
        try:
            content = _read_bytes(candidate, _MAX_FILE_BYTES)
        except BundleError:
            continue
        if _sha256(content) == metadata.files.get(name):
            return content
    if _sha256(content := _read_bytes(path, _MAX_FILE_BYTES)) == metadata.files.get(name):
        return content
    raise BundleError(f"{path} does not match the hash in {METADATA_FILE}; train or copy it again.")


def _check_weights(content: bytes) -> None:
    try:
        weights = safetensors.numpy.load(content)
    except Exception as error:  # noqa: BLE001 - a damaged header raises what it likes
        raise BundleError(f"{WEIGHTS_FILE} cannot be read ({type(error).__name__}); train the bundle again.") from None
    for name, values in weights.items():
        if not np.isfinite(values).all():
            raise BundleError(f"{WEIGHTS_FILE} holds weights that are no finite numbers, in {name!r:.60}.")


def _read_bytes(path: Path, max_bytes: int) -> bytes:
    try:
        return read_regular_file(path, max_bytes)
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
