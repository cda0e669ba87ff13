"""Split a corpus into train, validation and test parts that share no string."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from typing import Self

import numpy as np

from model.data.corpus import Corpus
from model.data.dataset import Dataset
from model.utils import unmark

_MAX_HELD_OUT = 50_000


@dataclass(frozen=True)
class Split:
    """Three parts of the names that share no folded name; so do the given names and outliers, where there are any.

    A variant is in the part of its name; of names of several parts, in the first of these alone.
    Nothing is chosen by outliers, so none are held out for validation.
    """

    train: Dataset
    validation: Dataset
    test: Dataset
    given: Self | None = None
    outliers: tuple[tuple[str, ...], ...] = ((), (), ())


def split_corpus(corpus: Corpus, seed: int) -> Split:
    """Split everything 80/10/10; a string that is a name and a given name goes to one part whole.

    The names are split as `split_dataset` does, whatever stands beside them.
    """
    part_of: dict[str, int] = {}
    names = _split(corpus.names, seed, part_of)
    given = _split(corpus.given, seed, part_of) if corpus.given else None
    if given and not len(given.train):  # a handful of given names is nothing to learn from
        given = None
    names, given = _part_variants([names, given] if given else [names])
    return Split(names.train, names.validation, names.test, given, _split_outliers(corpus.outliers, seed))


def _split_outliers(outliers: Sequence[str], seed: int) -> tuple[tuple[str, ...], ...]:
    """Split 90/0/10, by what they are without their marks."""
    spellings: dict[str, list[str]] = defaultdict(list)
    for text in outliers:
        spellings[unmark(text)].append(text)
    shuffled = sorted(spellings, key=partial(_hash, seed))
    tenth = -(-len(shuffled) // 10)
    train, test = (
        tuple(text for folded in part for text in spellings[folded]) for part in (shuffled[tenth:], shuffled[:tenth])
    )
    return train, (), test


def split_dataset(dataset: Dataset, seed: int) -> Split:
    """Split 80/10/10 by folded name, stratified by label; a name shared by labels goes to one part whole.

    Of more than half a million names, only some 50,000 go to each held-out part: more would tell little.

    The most common names of a ranked label always train: everyone asks for them, and the rest is what to measure.
    Every label gets at least one name of its own in each part unless it shares nearly all of them with others.
    """
    return _split(dataset, seed, {})


def _split(dataset: Dataset, seed: int, part_of: dict[str, int]) -> Split:
    """Split; names that stand in `part_of` are assigned already, and the others are added to it.

    A label's names are assigned in the order of their hashes: when names are added later, nearly all of those that are
    held out stay so, and versions of the data can be compared on them.
    """
    head, divisor = dataset.head(), max(10, len(dataset) // _MAX_HELD_OUT)
    for name in head:
        part_of.setdefault(name, 0)
    # Small labels first: what they share with larger ones is then assigned by their own proportions.
    for label_id in np.argsort(np.bincount(dataset.label_ids, minlength=len(dataset.labels)), kind="stable"):
        label_names = sorted(
            (dataset.names[i] for i in np.flatnonzero(dataset.label_ids == label_id)), key=partial(_hash, seed)
        )
        unassigned = [name for name in label_names if name not in part_of]
        free = sum(name not in head for name in label_names)
        held_out = max(1, len(unassigned) * len(label_names) // (divisor * max(1, free)))
        for position, name in enumerate(unassigned):
            part_of[name] = 2 if position < held_out else 1 if position < 2 * held_out else 0
    parts = np.array([part_of[name] for name in dataset.names])
    return Split(dataset.take(parts == 0), dataset.take(parts == 1), dataset.take(parts == 2))


def _part_variants(splits: Sequence[Split]) -> tuple[Split, Split | None]:
    """Return splits of names and perhaps of given names, without the variants that a part before theirs has."""
    taken: set[str] = set()
    parts: list[list[Dataset]] = []
    for level in zip(*((split.train, split.validation, split.test) for split in splits), strict=True):
        parts.append([_without_variants(part, taken) for part in level])
        taken |= {unmark(variant) for part in level for variants in part.variants for variant in variants}
    names, *given = (Split(*trio) for trio in zip(*parts, strict=True))
    return names, given[0] if given else None


def _without_variants(dataset: Dataset, taken: set[str]) -> Dataset:
    if not taken:
        return dataset
    kept = (tuple(text for text in variants if unmark(text) not in taken) for variants in dataset.variants)
    return replace(dataset, variants=tuple(kept))


def count_training_names(n_names: int) -> int:
    """Return about how many of so many names a split leaves to train on."""
    return n_names - 2 * min(n_names // 10, _MAX_HELD_OUT)


def _hash(seed: int, text: str) -> bytes:
    return sha256(f"{seed}\t{text}".encode()).digest()
