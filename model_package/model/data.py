"""A folder of `<Label>.txt` files to a data set: read, check, dedupe, split. Knows no network and writes nothing."""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np

from model.constants import MAX_LABEL_LENGTH, MIN_CHARACTER_COUNT, MIN_NAMES_PER_LABEL
from model.errors import DataError, InvalidNameError
from model.utils import Ids, fold


@dataclass(frozen=True)
class Dataset:
    """Folded names with their labels; a name stands once under each label that has it.

    `names` holds N strings, `label_ids` (N,) indexes `labels`, which are sorted.
    """

    labels: tuple[str, ...]
    names: tuple[str, ...]
    label_ids: Ids

    def __len__(self) -> int:
        return len(self.names)

    def characters(self) -> tuple[str, ...]:
        """Return, sorted, the characters that occur in enough names to learn from."""
        counts = Counter(c for name in self.names for c in set(name))
        return tuple(sorted(c for c, n in counts.items() if n >= MIN_CHARACTER_COUNT))

    def fingerprint(self) -> str:
        """Return the SHA-256 of the labelled names; order and duplicates in the files do not change it."""
        rows = sorted(f"{self.labels[i]}\t{name}\n" for name, i in zip(self.names, self.label_ids, strict=True))
        return hashlib.sha256("".join(rows).encode()).hexdigest()

    def take(self, mask: np.ndarray) -> "Dataset":
        """Return the rows where the boolean mask (N,) holds, with the same labels."""
        names = tuple(name for name, kept in zip(self.names, mask, strict=True) if kept)
        return Dataset(self.labels, names, self.label_ids[mask])


@dataclass(frozen=True)
class Split:
    """Three parts of a data set that share no folded name."""

    train: Dataset
    validation: Dataset
    test: Dataset


@dataclass(frozen=True)
class LabelReport:
    """Lines, distinct folded names, and names shared with another label."""

    label: str
    lines: int
    names: int
    shared: int


@dataclass(frozen=True)
class DataReport:
    """What `validate` prints; `accuracy_ceiling` is the best top-1 that names shared by labels leave possible."""

    labels: tuple[LabelReport, ...]
    overlaps: tuple[tuple[str, str, int], ...]
    names: int
    distinct_names: int
    accuracy_ceiling: float
    fingerprint: str


def read_folder(folder: Path) -> dict[str, list[str]]:
    """Return the folded names of every `<Label>.txt`, by label, with duplicates, in file order.

    Raises:
        DataError: no such folder, fewer than two labels, or a file that is empty, undecodable, or holds a bad line.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder of <Label>.txt files.")
    files = sorted(path for path in folder.glob("*.txt") if not path.name.startswith("."))
    if len(files) < 2:
        raise DataError(f"{folder} holds {len(files)} label file(s); a classifier needs two or more <Label>.txt files.")
    return {path.stem: _read_file(path) for path in files}


def _read_file(path: Path) -> list[str]:
    if len(path.stem) > MAX_LABEL_LENGTH or not path.stem.isprintable() or path.stem != path.stem.strip():
        raise DataError(f"{path}: a label is 1 to {MAX_LABEL_LENGTH} printable characters without spaces around them.")
    try:
        lines = path.read_text(encoding="utf-8-sig").split("\n")
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: byte {error.start} is not UTF-8; save the file as UTF-8.") from None
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from None
    names = [_fold_line(path, number, line) for number, line in enumerate(lines, 1) if line.strip()]
    if not names:
        raise DataError(f"{path} is empty; a label needs at least {MIN_NAMES_PER_LABEL} names, one a line.")
    return names


def _fold_line(path: Path, number: int, line: str) -> str:
    try:
        return fold(line)
    except InvalidNameError as error:
        raise DataError(f"{path}, line {number}: {error}") from None


def build_dataset(names_by_label: Mapping[str, list[str]]) -> Dataset:
    """Dedupe folded names within each label.

    Raises:
        DataError: a label has too few distinct names to be split, or no character is common enough to learn.
    """
    labels = tuple(sorted(names_by_label))
    distinct = {label: sorted(set(names_by_label[label])) for label in labels}
    counts = [len(distinct[label]) for label in labels]
    for label, count in zip(labels, counts, strict=True):
        if count < MIN_NAMES_PER_LABEL:
            raise DataError(f"{label} has {count} distinct name(s); a label needs at least {MIN_NAMES_PER_LABEL}.")
    names = tuple(name for label in labels for name in distinct[label])
    dataset = Dataset(labels, names, np.repeat(np.arange(len(labels), dtype=np.int64), counts))
    if not dataset.characters():
        raise DataError(f"No character occurs in {MIN_CHARACTER_COUNT} names: there is nothing to learn from.")
    return dataset


def load_dataset(folder: Path) -> Dataset:
    """Read a folder of label files and dedupe it. Raises DataError as `read_folder` and `build_dataset` do."""
    return build_dataset(read_folder(folder))


def split_dataset(dataset: Dataset, seed: int) -> Split:
    """Split 80/10/10 by folded name, stratified by label; a name shared by labels goes to one part whole.

    Every label gets at least one name of its own in each part unless it shares nearly all of them with others.
    """
    rng = np.random.default_rng(seed)
    part_of: dict[str, int] = {}
    # Small labels first: what they share with larger ones is then dealt by their own proportions.
    for label_id in np.argsort(np.bincount(dataset.label_ids, minlength=len(dataset.labels)), kind="stable"):
        own = [dataset.names[i] for i in np.flatnonzero(dataset.label_ids == label_id)]
        rng.shuffle(own)
        undealt = [name for name in own if name not in part_of]
        held_out = max(1, len(undealt) // 10)
        for position, name in enumerate(undealt):
            part_of[name] = 2 if position < held_out else 1 if position < 2 * held_out else 0
    parts = np.array([part_of[name] for name in dataset.names])
    return Split(*(dataset.take(parts == part) for part in range(3)))


def describe_data(folder: Path) -> DataReport:
    """Count names, duplicates and overlaps of a folder. Raises DataError as `load_dataset` does."""
    names_by_label = read_folder(folder)
    dataset = build_dataset(names_by_label)
    labels_of: dict[str, list[str]] = defaultdict(list)
    for name, label_id in zip(dataset.names, dataset.label_ids, strict=True):
        labels_of[name].append(dataset.labels[label_id])
    shared = Counter(label for labels in labels_of.values() if len(labels) > 1 for label in labels)
    overlaps = Counter(pair for labels in labels_of.values() for pair in combinations(labels, 2))
    return DataReport(
        labels=tuple(
            LabelReport(label, len(lines), len(set(lines)), shared[label]) for label, lines in names_by_label.items()
        ),
        overlaps=tuple((a, b, n) for (a, b), n in overlaps.most_common()),
        names=len(dataset),
        distinct_names=len(labels_of),
        accuracy_ceiling=len(labels_of) / len(dataset),
        fingerprint=dataset.fingerprint(),
    )
