"""A folder of `<Label>.txt` files and what stands beside it: names, given names, outliers and variants."""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from model.constants import FOLDERS_BESIDE, GIVEN_FOLDER, MIN_NAMES_PER_LABEL, OUTLIER_FOLDER, VARIANT_FOLDER
from model.data.dataset import Dataset, Ranked, build_dataset, dedupe, small_labels
from model.data.label_folder import FolderNames, check_labels, describe_ignored, read_files, read_folder, read_strings
from model.data.variants import add_variants, load_variants
from model.errors import DataError
from model.utils import unmark


@dataclass(frozen=True)
class Reading:
    """How a folder is read: lines that look like no names, labels with too few of them, the order of the lines."""

    as_is: bool = False
    skip_small: bool = False
    ranked: Ranked = "auto"

    @classmethod
    def of_bundle(cls, training: Mapping[str, Any]) -> Self:
        """Return how to read the names that a bundle was trained on, of which its fingerprint is proof."""
        return cls(as_is=True, skip_small=True, ranked=training.get("ranked", "auto"))


@dataclass(frozen=True)
class Corpus:
    """The names, and what may stand beside their folder.

    `given` has the labels of `names` and holds what goes with a name to make a full one; a label may have none.
    `outliers` are normalized strings that are of no label, with their marks and without. One that is a name without its
    marks is there with them alone. `warnings` are sentences for a person.
    """

    names: Dataset
    given: Dataset | None = None
    outliers: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def fingerprint(self) -> str:
        """Return the SHA-256 of everything here; of names alone, it is theirs."""
        if self.given is None and not self.outliers:
            return self.names.fingerprint()
        parts = (self.names.fingerprint(), self.given.fingerprint() if self.given else "", *sorted(self.outliers))
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()

    def count_variants(self) -> int:
        """Return how many other spellings the names and given names have."""
        return sum(len(variants) for part in (self.names, self.given) if part for variants in part.variants)


def load_corpus(folder: Path, reading: Reading | None = None) -> Corpus:
    """Read a folder of label files, and the folders beside it: `given_names`, `outliers`, `variants`, where they are.

    Raises:
        DataError: as `load_dataset` does, of any file; a file of given names or of variants is of a label without
            names, or a variant is of none of its names.
    """
    reading = reading or Reading()
    return build_corpus(folder, read_folder(folder, as_is=reading.as_is), reading)


def build_corpus(folder: Path, found: FolderNames, reading: Reading) -> Corpus:
    """Return the corpus of a folder whose names were read. Raises DataError as `load_corpus` does."""
    small = small_labels(found.names) if reading.skip_small else {}
    kept = {label: names for label, names in found.spellings.items() if label not in small}
    if small and len(kept) < 2:
        raise DataError(f"{folder} has {len(kept)} label(s) of {MIN_NAMES_PER_LABEL} or more distinct names, not two.")
    skipped = tuple(f"{label} is left out: it has {n} distinct name(s)." for label, n in small.items())
    names, warnings = build_dataset(kept, reading.ranked), (*found.warnings, *skipped)
    if folder.resolve().name in FOLDERS_BESIDE:  # they do not stand beside themselves
        return Corpus(names, warnings=warnings)
    beside = folder.resolve().parent
    warnings += tuple(sentence for name in FOLDERS_BESIDE for sentence in describe_ignored(beside / name))
    given_found = read_files(beside / GIVEN_FOLDER, as_is=reading.as_is).spellings
    given = _build_given(beside / GIVEN_FOLDER, given_found, names.labels, small, reading)
    parts = [part for part in (names, given) if part]
    known = {name for part in parts for name in part.names}
    known.update(*kept.values(), *given_found.values())
    outliers = _load_outliers(beside / OUTLIER_FOLDER) - known
    variants = load_variants(beside / VARIANT_FOLDER, parts, small)
    known |= outliers
    names, given = add_variants(names, variants, known), given and add_variants(given, variants, known)
    return Corpus(names, given, tuple(sorted(outliers)), warnings)


def _load_outliers(folder: Path) -> set[str]:
    """Return the strings of all files, with their marks and without."""
    listed = set().union(*read_strings(folder).values())
    return listed | set(map(unmark, listed))


def _build_given(
    folder: Path,
    found: Mapping[str, list[str]],
    labels: tuple[str, ...],
    small: Collection[str],
    reading: Reading,
) -> Dataset | None:
    names_by_label = {label: names for label, names in found.items() if names and label not in small}
    check_labels(folder, names_by_label, labels)
    return dedupe(labels, names_by_label, reading.ranked) if names_by_label else None
