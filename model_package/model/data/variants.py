"""Other spellings of the names of a data set, from the folder beside it."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path

from model.data.dataset import Dataset
from model.data.label_folder import check_labels, read_variants
from model.errors import DataError
from model.utils import unmark

Variants = dict[tuple[str, str], set[str]]
"""Other spellings by label and folded name."""


def load_variants(folder: Path, parts: Sequence[Dataset], small: Collection[str]) -> Variants:
    """Return the variants of each label's names; raises DataError if there is no such label or name."""
    found = {label: pairs for label, pairs in read_variants(folder).items() if label not in small}
    labels = parts[0].labels
    check_labels(folder, found, labels)
    known = {(labels[i], name) for part in parts for i, name in zip(part.label_ids.tolist(), part.names, strict=True)}
    variants: Variants = defaultdict(set)
    for label, pairs in found.items():
        for name, variant in pairs:
            variants[label, name].add(variant)
        if n := len({name for name, _ in pairs if (label, name) not in known}):
            raise DataError(f"{folder / label}.txt: {n} of the names before the tab are no names of the label.")
    return variants


def add_variants(dataset: Dataset, variants: Variants, known: Collection[str]) -> Dataset:
    """Return a data set with the variants of its names, but for those that are known as something else."""
    if not variants:
        return dataset
    keys = zip((dataset.labels[i] for i in dataset.label_ids.tolist()), dataset.names, strict=True)
    found = (variants.get(key, ()) for key in keys)
    return replace(
        dataset,
        variants=tuple(
            tuple(sorted(text for text in texts if text not in known and unmark(text) not in known)) for texts in found
        ),
    )
