"""Read a folder of `<Label>.txt` files into a data set: check, fold, dedupe."""

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import combinations, pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.constants import GIVEN_FOLDER, MAX_LABEL_LENGTH, MIN_CHARACTER_COUNT, MIN_NAMES_PER_LABEL, OUTLIER_FOLDER
from model.errors import DataError, InvalidNameError
from model.utils import Ids, fold

_HALF_WEIGHT_RANK = 100  # a name of this rank is half as common as the first one
_HEAD_SIZE = 100  # names at the top of a file tell whether it is in alphabetical order


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
        return np.asarray(1 / (1 + self.ranks / _HALF_WEIGHT_RANK))

    def head(self) -> set[str]:
        """Return the most common names of each ranked label: a hundred, at most a third of what it has."""
        sizes = np.minimum(_HEAD_SIZE, np.bincount(self.label_ids, minlength=len(self.labels)) // 3)[self.label_ids]
        return {self.names[i] for i in np.flatnonzero(self.ranks < sizes)}

    def take(self, mask: np.ndarray) -> "Dataset":
        """Return the rows where the boolean mask (N,) holds, with the same labels."""
        names = tuple(name for name, kept in zip(self.names, mask, strict=True) if kept)
        return Dataset(self.labels, names, self.label_ids[mask], self.ranks[mask])


@dataclass(frozen=True)
class Corpus:
    """The names, and what may stand beside their folder.

    `given` has the labels of `names` and holds what goes with a name to make a full one; a label may have none.
    `outliers` are folded strings that are of no label.
    """

    names: Dataset
    given: Dataset | None = None
    outliers: tuple[str, ...] = ()

    def fingerprint(self) -> str:
        """Return the SHA-256 of everything here; of names alone, it is theirs."""
        if self.given is None and not self.outliers:
            return self.names.fingerprint()
        parts = (self.names.fingerprint(), self.given.fingerprint() if self.given else "", *sorted(self.outliers))
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()


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
    given_names: int
    outliers: int
    accuracy_ceiling: float
    fingerprint: str


def read_folder(folder: Path) -> dict[str, list[str]]:
    """Return the folded names of every `<Label>.txt`, by label, with duplicates, in file order.

    Raises:
        DataError: no such folder, fewer than two labels, or a file that is empty, undecodable, or holds a bad line.
    """
    if not folder.is_dir():
        raise DataError(f"{folder} is not a folder of <Label>.txt files.")
    names_by_label = _read_files(folder)
    if len(names_by_label) < 2:
        raise DataError(
            f"{folder} holds {len(names_by_label)} label file(s); a classifier needs two or more <Label>.txt files."
        )
    return names_by_label


def _read_files(folder: Path) -> dict[str, list[str]]:
    files = sorted(path for path in folder.glob("*.txt") if not path.name.startswith("."))
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
    dataset = _dedupe(tuple(sorted(names_by_label)), names_by_label)
    for label, count in zip(dataset.labels, np.bincount(dataset.label_ids), strict=True):
        if count < MIN_NAMES_PER_LABEL:
            raise DataError(f"{label} has {count} distinct name(s); a label needs at least {MIN_NAMES_PER_LABEL}.")
    if not dataset.characters():
        raise DataError(f"No character occurs in {MIN_CHARACTER_COUNT} names: there is nothing to learn from.")
    return dataset


def _dedupe(labels: tuple[str, ...], names_by_label: Mapping[str, list[str]]) -> Dataset:
    ranks = [_rank(list(dict.fromkeys(names_by_label.get(label, [])))) for label in labels]
    names, name_ranks = zip(*(row for label_ranks in ranks for row in sorted(label_ranks.items())), strict=True)
    label_ids = np.repeat(np.arange(len(labels), dtype=np.int64), [len(label_ranks) for label_ranks in ranks])
    return Dataset(labels, names, label_ids, np.array(name_ranks))


def _rank(names: list[str]) -> dict[str, float]:
    descents = [a > b for a, b in pairwise(names[:_HEAD_SIZE])]
    # upwards or downwards, but for some marked letters that an alphabet orders otherwise
    alphabetical = not len(descents) / 5 < sum(descents) < 4 * len(descents) / 5
    return {name: math.inf if alphabetical else float(rank) for rank, name in enumerate(names)}


def load_dataset(folder: Path) -> Dataset:
    """Read a folder of label files and dedupe it. Raises DataError as `read_folder` and `build_dataset` do."""
    return build_dataset(read_folder(folder))


def load_corpus(folder: Path) -> Corpus:
    """Read a folder of label files, and of the folders beside it `given_names` and `outliers`, where they are.

    Raises:
        DataError: as `load_dataset` does, of any file; a file of given names is of a label without names.
    """
    names = load_dataset(folder)
    if folder.resolve().name in {GIVEN_FOLDER, OUTLIER_FOLDER}:  # they do not stand beside themselves
        return Corpus(names)
    beside = folder.resolve().parent
    given = _load_given(beside / GIVEN_FOLDER, names.labels)
    known = {*names.names, *(given.names if given else ())}
    return Corpus(names, given, _load_outliers(beside / OUTLIER_FOLDER, known))


def _load_given(folder: Path, labels: tuple[str, ...]) -> Dataset | None:
    names_by_label = _read_files(folder)
    for label in names_by_label:
        if label not in labels:
            raise DataError(f"{folder / label}.txt: there is no such label; the labels are: {', '.join(labels)}.")
    return _dedupe(labels, names_by_label) if names_by_label else None


def _load_outliers(folder: Path, names: set[str]) -> tuple[str, ...]:
    found = {text for texts in _read_files(folder).values() for text in texts}
    return tuple(sorted(found - names))


def describe_data(folder: Path) -> DataReport:
    """Count names, duplicates and overlaps of a folder. Raises DataError as `load_dataset` does."""
    names_by_label = read_folder(folder)
    corpus = load_corpus(folder)
    dataset = corpus.names
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
        given_names=len(corpus.given) if corpus.given else 0,
        outliers=len(corpus.outliers),
        fingerprint=corpus.fingerprint(),
    )
