"""What a snapshot of the data says of itself: where it came from, what it holds, what was refused and why."""

from datetime import datetime
from typing import Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from model.errors import DataError

MANIFEST_FILE: Final = "manifest.json"
MAX_PLACES: Final = 20
"""How many refused lines of a kind are listed; the others are counted."""


class _Record(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SourceRecord(_Record):
    """What was read, and how: the same source read in the same way is not taken twice.

    `is_cut_off` says that a text file ends within a row that could not be read.
    """

    location: str
    kind: str
    sha256: str
    text_column: str | None = None
    label_column: str | None = None
    has_header: bool = True
    encoding: str | None = None
    delimiter: str | None = None
    as_is: bool = False
    is_cut_off: bool = False
    notes: tuple[str, ...] = ()

    def holds(self, other: "SourceRecord") -> bool:
        """Tell whether another source, which is yet to be read, has the same bytes and will be read in the same way."""
        same = ("sha256", "text_column", "label_column", "has_header", "as_is")
        if other.encoding not in {None, self.encoding}:
            return False
        return all(getattr(self, key) == getattr(other, key) for key in same)


class Refused(_Record):
    """How many rows were refused for one reason, and where the first of them stand; never what they hold."""

    count: int
    places: tuple[str, ...] = Field(max_length=MAX_PLACES)


class LabelCount(_Record):
    """Distinct folded names of a label, and how many of them its snapshot added."""

    names: int
    added: int


class Manifest(_Record):
    """What `manifest.json` holds.

    `left_out` are labels whose given names have no names to stand beside. `files` maps each file of the snapshot to its
    SHA-256.
    """

    schema_version: int = 1
    snapshot: str
    created_at: datetime
    parent: str | None
    replaces: bool
    source: SourceRecord
    left_out: tuple[str, ...]
    rows: int
    added: int
    known: int
    repeated: int
    refused: dict[str, Refused]
    labels: dict[str, LabelCount]
    files: dict[str, str]

    def to_bytes(self) -> bytes:
        """Return the manifest as the file holds it."""
        return (self.model_dump_json(indent=1) + "\n").encode()


def parse_manifest(content: bytes, place: object) -> Manifest:
    """Return the manifest in a file's content. Raises DataError if it is none; `place` says which file it is."""
    try:
        return Manifest.model_validate_json(content)
    except ValidationError as error:
        where = ".".join(map(str, error.errors()[0]["loc"])) or "its beginning"
        raise DataError(f"{place} is not the manifest of a snapshot: {error.errors()[0]['msg']} at {where}.") from None
