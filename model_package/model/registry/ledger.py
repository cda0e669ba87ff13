"""The store's ledger: what happened, one JSON object a line; lines are only ever added.

The writer must be alone: the store's lock sees to that. Readers need not.
"""

import os
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from model.errors import StoreError
from model.files import read_regular_file

_MAX_BYTES = 2**28

Event = Literal["added", "promoted", "refused", "rolled_back"]


class Entry(BaseModel):
    """One line; `previous` is the champion before it, `gate` the comparisons that decided."""

    model_config = ConfigDict(frozen=True)

    time: datetime
    event: Event
    version: str
    previous: str | None
    reason: str | None = None
    gate: tuple[Mapping[str, Any], ...] = ()


def read_ledger(path: Path) -> list[Entry]:
    """Return the entries, oldest first, without a last line that a kill cut off; of a missing file, none.

    Raises:
        StoreError: the file cannot be read, or a whole line is no entry.
    """
    try:
        lines = read_regular_file(path, _MAX_BYTES).split(b"\n")[:-1]
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise StoreError(f"{path} cannot be read: {error.strerror}.") from None
    try:
        return [Entry.model_validate_json(line) for line in lines]
    except ValidationError:
        raise StoreError(f"{path} holds a line that is no entry; put back a copy of it.") from None


def new_entry(
    event: Event,
    version: str,
    previous: str | None,
    *,
    reason: str | None = None,
    gate: Sequence[Mapping[str, Any]] = (),
) -> Entry:
    """Return an entry with the present time."""
    time = datetime.now(UTC).replace(microsecond=0)
    return Entry(time=time, event=event, version=version, previous=previous, reason=reason, gate=tuple(gate))


def append_entry(path: Path, entry: Entry) -> None:
    """Add an entry, safe on disk on return. Raises OSError."""
    if path.exists():  # a line that a kill cut off would spoil this one
        os.truncate(path, path.read_bytes().rfind(b"\n") + 1)
    with path.open("ab") as file:
        file.write(entry.model_dump_json().encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())


def champions(entries: Sequence[Entry]) -> list[str]:
    """Return the champions one after another, without those that were rolled back; the last one is in use."""
    found: list[str] = []
    for entry in entries:
        if entry.event == "promoted":
            found.append(entry.version)
        elif entry.event == "rolled_back" and entry.version in found:
            while found[-1] != entry.version:
                found.pop()
    return found


def added_since_promotion(entries: Sequence[Entry]) -> list[str]:
    """Return the versions added since the last promotion, oldest first."""
    found: list[str] = []
    for entry in entries:
        if entry.event == "promoted":
            found.clear()
        elif entry.event == "added":
            found.append(entry.version)
    return found
