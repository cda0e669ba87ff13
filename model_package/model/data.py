"""A folder of `<Label>.txt` files to a data set: read, check, dedupe, split. Knows no network and writes nothing."""

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.constants import MAX_LABEL_LENGTH, MIN_CHARACTER_COUNT, MIN_NAMES_PER_LABEL
from model.errors import DataError, InvalidNameError
from model.utils import Ids, fold

_HALF_COMMON = 100  # a name of this rank is half as common as the first one
_HEAD = 100  # names at the top of a file: they tell whether it is in alphabetical order, and always train if it is not


@dataclass(frozen=True)
class Dataset:
    """Folded names with their labels; a name stands once under each label that has it.

    `names` holds N strings, `label_ids` (N,) indexes `labels`, which are sorted. `ranks` (N,) is a name's place in its
    label's file, 0 for the most common, or infinity where the file is in alphabetical order and tells nothing.
    """

    labels: tuple[str, ...]
    names: tuple[str, ...]
    label_ids: Ids
    ranks: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.names)

    def characters(self) -> tuple[str, ...]:
        """Return, sorted, the characters that occur in enough names to learn from."""
        counts = Counter(c for name in self.names for c in set(name))
        return tuple(sorted(c for c, n in counts.items() if n >= MIN_CHARACTER_COUNT))

    def fingerprint(self) -> str:
        """Return the SHA-256 of the labelled names and their ranks; duplicates in the files do not change it."""
        columns = (self.label_ids.tolist(), self.ranks.tolist(), self.names)
        rows = sorted(f"{self.labels[i]}\t{rank}\t{name}\n" for i, rank, name in zip(*columns, strict=True))
        return hashlib.sha256("".join(rows).encode()).hexdigest()

    def weights(self, emphasis: float) -> NDArray[np.float64]:
        """Return how much each name (N,) counts, 1 on the average; a most common one 1 + emphasis times a rare one."""
        weights = 1 + emphasis * self.commonness()
        return np.asarray(weights / weights.mean())

    def commonness(self) -> NDArray[np.float64]:
        """Return how common each name (N,) is: 1 for the most common of a label, falling to 0 with its rank."""
        return np.asarray(1 / (1 + self.ranks / _HALF_COMMON))

    def take(self, mask: np.ndarray) -> "Dataset":
        """Return the rows where the boolean mask (N,) holds, with the same labels."""
        names = tuple(name for name, kept in zip(self.names, mask, strict=True) if kept)
        return Dataset(self.labels, names, self.label_ids[mask], self.ranks[mask])


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
    ranks = {label: _rank(list(dict.fromkeys(names_by_label[label]))) for label in labels}
    counts = [len(ranks[label]) for label in labels]
    for label, count in zip(labels, counts, strict=True):
        if count < MIN_NAMES_PER_LABEL:
            raise DataError(f"{label} has {count} distinct name(s); a label needs at least {MIN_NAMES_PER_LABEL}.")
    rows = [row for label in labels for row in sorted(ranks[label].items())]
    names, name_ranks = zip(*rows, strict=True)
    dataset = Dataset(labels, names, np.repeat(np.arange(len(labels), dtype=np.int64), counts), np.array(name_ranks))
    if not dataset.characters():
        raise DataError(f"No character occurs in {MIN_CHARACTER_COUNT} names: there is nothing to learn from.")
    return dataset


def _rank(names: list[str]) -> dict[str, float]:
    descents = [a > b for a, b in pairwise(names[:_HEAD])]
    # upwards or downwards, but for some marked letters that an alphabet orders otherwise
    alphabetical = not len(descents) / 5 < sum(descents) < 4 * len(descents) / 5
    return {name: math.inf if alphabetical else float(rank) for rank, name in enumerate(names)}


def load_dataset(folder: Path) -> Dataset:
    """Read a folder of label files and dedupe it. Raises DataError as `read_folder` and `build_dataset` do."""
    return build_dataset(read_folder(folder))


def split_dataset(dataset: Dataset, seed: int) -> Split:
    """Split 80/10/10 by folded name, stratified by label; a name shared by labels goes to one part whole.

    The most common names of a ranked label always train: everyone asks for them, and what is to be judged is the rest.
    Every label gets at least one name of its own in each part unless it shares nearly all of them with others.
    """
    rng = np.random.default_rng(seed)
    heads = _most_common(dataset)
    part_of = dict.fromkeys(heads, 0)
    # Small labels first: what they share with larger ones is then dealt by their own proportions.
    for label_id in np.argsort(np.bincount(dataset.label_ids, minlength=len(dataset.labels)), kind="stable"):
        own = [dataset.names[i] for i in np.flatnonzero(dataset.label_ids == label_id)]
        rng.shuffle(own)
        undealt = [name for name in own if name not in part_of]
        free = sum(name not in heads for name in own)
        held_out = max(1, len(undealt) * len(own) // (10 * max(1, free)))
        for position, name in enumerate(undealt):
            part_of[name] = 2 if position < held_out else 1 if position < 2 * held_out else 0
    parts = np.array([part_of[name] for name in dataset.names])
    return Split(*(dataset.take(parts == part) for part in range(3)))


def _most_common(dataset: Dataset) -> set[str]:
    sizes = np.minimum(_HEAD, np.bincount(dataset.label_ids) // 3)[dataset.label_ids]
    return {dataset.names[i] for i in np.flatnonzero(dataset.ranks < sizes)}


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
