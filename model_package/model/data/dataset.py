"""Names without duplicates, their labels and their ranks."""

import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import compress, pairwise
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from model.constants import MIN_CHARACTER_COUNT, MIN_NAMES_PER_LABEL
from model.data.label_folder import read_folder
from model.errors import DataError
from model.utils import Ids, main_script, unmark

Ranked = Literal["auto", "yes", "no"]
"""Whether the order of a file's lines tells how common its names are; auto: unless they are in alphabetical order."""

_HALF_WEIGHT_RANK = 100  # a name of this rank is half as common as the first one
_HEAD_SIZE = 100  # names at the top of a file tell whether it is in alphabetical order


@dataclass(frozen=True)
class Dataset:
    """Folded names with their labels; a name stands once under each label that has it.

    `names` holds N strings, `label_ids` (N,) indexes `labels`, which are sorted. `ranks` (N,) is a name's place among
    those of its script in its label's file, 0 for the most common, or infinity where these are in alphabetical order,
    which tells nothing. `spellings` (N,) are the names with their marks; by default they have none. `variants` (N,)
    are other spellings of each name, which are no names or outliers of the corpus; by default there are none.
    """

    labels: tuple[str, ...]
    names: tuple[str, ...]
    label_ids: Ids
    ranks: NDArray[np.float64]
    spellings: tuple[str, ...] = ()
    variants: tuple[tuple[str, ...], ...] = ()

    def __post_init__(self) -> None:
        if len(self.variants) != len(self.names):
            object.__setattr__(self, "variants", ((),) * len(self.names))
        if len(self.spellings) != len(self.names):
            object.__setattr__(self, "spellings", self.names)

    def __len__(self) -> int:
        return len(self.names)

    def characters(self) -> tuple[str, ...]:
        """Return, sorted, the characters that occur in enough names to learn from, with their marks and without."""
        rows = zip(self.names, self.spellings, self.variants, strict=True)
        counts = Counter(c for name, spelling, variants in rows for c in {*name, *spelling, *"".join(variants)})
        return tuple(sorted(c for c, n in counts.items() if n >= MIN_CHARACTER_COUNT))

    def fingerprint(self) -> str:
        """Return the SHA-256 of the labelled names, ranks and variants; duplicates in the files do not change it."""
        columns = (self.label_ids.tolist(), self.ranks.tolist(), self.names)
        rows = sorted(f"{self.labels[i]}\t{rank}\t{name}\n" for i, rank, name in zip(*columns, strict=True))
        rows += sorted(
            {spelling for name, spelling in zip(self.names, self.spellings, strict=True) if spelling != name}
        )
        rows += sorted(
            f"{self.labels[i]}\t{name}\t{variant}\n"
            for i, name, variants in zip(self.label_ids.tolist(), self.names, self.variants, strict=True)
            for variant in variants
        )
        return hashlib.sha256("".join(rows).encode()).hexdigest()

    def weights(self, emphasis: float) -> NDArray[np.float64]:
        """Return how much each name (N,) counts, 1 on the average; a most common one 1 + emphasis times a rare one."""
        weights = 1 + emphasis * self.commonness()
        return np.asarray(weights / weights.mean())

    def commonness(self) -> NDArray[np.float64]:
        """Return how common each name (N,) is: 1 for the most common of a label, falling to 0 with its rank."""
        return np.asarray(1 / (1 + self.ranks / _HALF_WEIGHT_RANK))

    def ranked_labels(self) -> tuple[str, ...]:
        """Return the labels of which the order of the file tells how common the names are."""
        ranked = np.bincount(self.label_ids, np.isfinite(self.ranks), minlength=len(self.labels)) > 0
        return tuple(label for label, has_ranks in zip(self.labels, ranked, strict=True) if has_ranks)

    def head(self) -> set[str]:
        """Return the most common names of each ranked label and script: a hundred, at most a third of what it has."""
        _, groups, counts = np.unique(
            [f"{script}{i}" for script, i in zip(self.scripts, self.label_ids.tolist(), strict=True)],
            return_inverse=True,
            return_counts=True,
        )
        return {self.names[i] for i in np.flatnonzero(self.ranks < np.minimum(_HEAD_SIZE, counts // 3)[groups])}

    @cached_property
    def scripts(self) -> tuple[str, ...]:
        """The script of most letters of each name (N,)."""
        return tuple(map(main_script, self.names))

    def spelled(self) -> "Dataset":
        """Return the rows with their spellings as names."""
        return replace(self, names=self.spellings)

    def take(self, mask: np.ndarray) -> "Dataset":
        """Return the rows where the boolean mask (N,) holds, with the same labels."""
        names, spellings = (tuple(compress(texts, mask)) for texts in (self.names, self.spellings))
        variants = tuple(compress(self.variants, mask))
        return Dataset(self.labels, names, self.label_ids[mask], self.ranks[mask], spellings, variants)

    def all_variants(self) -> "Dataset":
        """Return a row for each variant, with the label and rank of its name, of which it is the spelling."""
        rows = np.repeat(np.arange(len(self)), list(map(len, self.variants)))
        spellings = tuple(variant for variants in self.variants for variant in variants)
        names = tuple(map(unmark, spellings))
        return Dataset(self.labels, names, self.label_ids[rows], self.ranks[rows], spellings)


def load_dataset(folder: Path) -> Dataset:
    """Read a folder of label files and dedupe it. Raises DataError as `read_folder` and `build_dataset` do."""
    return build_dataset(read_folder(folder).spellings)


def build_dataset(names_by_label: Mapping[str, list[str]], ranked: Ranked = "auto") -> Dataset:
    """Dedupe names, folded or with their marks, within each label.

    Raises:
        DataError: labels have too few distinct names to be split, or no character is common enough to learn.
    """
    if small := small_labels(names_by_label):
        counts = ", ".join(f"{label} has {n}" for label, n in small.items())
        raise DataError(
            f"{counts} distinct name(s); a label needs at least {MIN_NAMES_PER_LABEL}. --skip-small leaves out "
            f"the {len(small)} label(s)."
        )
    dataset = dedupe(tuple(sorted(names_by_label)), names_by_label, ranked)
    if not dataset.characters():
        raise DataError(f"No character occurs in {MIN_CHARACTER_COUNT} names: there is nothing to learn from.")
    return dataset


def small_labels(names_by_label: Mapping[str, list[str]]) -> dict[str, int]:
    """Return the labels with too few distinct names to be split, sorted, and how many they have."""
    counts = {label: len(set(map(unmark, names_by_label[label]))) for label in sorted(names_by_label)}
    return {label: n for label, n in counts.items() if n < MIN_NAMES_PER_LABEL}


def dedupe(labels: tuple[str, ...], names_by_label: Mapping[str, list[str]], ranked: Ranked) -> Dataset:
    """Return the names of each label, which may have none, once each, in alphabetical order."""
    spellings = [_spellings(names_by_label.get(label, [])) for label in labels]
    ranks = [_rank(list(of_label), ranked) for of_label in spellings]
    names, name_ranks = zip(*(row for label_ranks in ranks for row in sorted(label_ranks.items())), strict=True)
    label_ids = np.repeat(np.arange(len(labels), dtype=np.int64), [len(label_ranks) for label_ranks in ranks])
    spelled = tuple(spellings[i][name] for i, name in zip(label_ids.tolist(), names, strict=True))
    return Dataset(labels, names, label_ids, np.array(name_ranks), spelled)


def _spellings(names: list[str]) -> dict[str, str]:
    """Return names by their folded form, in order: each as it stands first with marks, or without."""
    found: dict[str, str] = {}
    for name in names:
        folded = unmark(name)
        if found.setdefault(folded, name) == folded:
            found[folded] = name
    return found


def _rank(names: list[str], ranked: Ranked) -> dict[str, float]:
    by_script: dict[str, list[str]] = defaultdict(list)
    for name in names:
        by_script[main_script(name)].append(name)
    ranks: dict[str, float] = {}
    for group in by_script.values():
        has_ranks = ranked == "yes" or (ranked == "auto" and not _is_alphabetical(group))
        ranks |= {name: float(rank) if has_ranks else math.inf for rank, name in enumerate(group)}
    return ranks


def _is_alphabetical(names: list[str]) -> bool:
    descents = [a > b for a, b in pairwise(names[:_HEAD_SIZE])]
    # upwards or downwards, but for some marked letters that an alphabet orders otherwise
    return not len(descents) / 5 < sum(descents) < 4 * len(descents) / 5
