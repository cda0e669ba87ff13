"""Names before and after a drop, by label."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from model.data.manifest import Manifest
from model.data.snapshots import NAMES_FOLDER, read_parts
from model.frames import unframe
from model.utils import fold

Names = Mapping[str, Mapping[str, str]]
"""The spelling of each name by label and folded form."""


@dataclass(frozen=True)
class Change:
    """Names before and after; of the first names of all, `before` is empty. `manifest` is of what came after."""

    before: Names
    after: Names
    manifest: Manifest | None = None

    @cached_property
    def added(self) -> dict[str, list[str]]:
        """The folded names that each label got, of the labels that got any."""
        found = {label: _missing(names, self.before.get(label, {})) for label, names in self.after.items()}
        return {label: names for label, names in found.items() if names}

    @cached_property
    def n_added(self) -> int:
        """How many names all labels got together."""
        return sum(map(len, self.added.values()))

    @property
    def has_before(self) -> bool:
        """Whether there is anything to compare with."""
        return any(self.before.values())


def read_names(snapshot: Path | None) -> Names:
    """Return the names of a snapshot; of none, none. Raises DataError if it is damaged."""
    parts = read_parts(snapshot)[NAMES_FOLDER]
    return {label: {unframe(fold(line)): line for line in lines} for label, lines in parts.items()}


def _missing(names: Mapping[str, str], known: Mapping[str, str]) -> list[str]:
    return [name for name in names if name not in known]
