"""Compose full names and double names from the names of one label."""

from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from model.constants import MAX_NAME_LENGTH
from model.data.corpus import Dataset
from model.data.splitting import Split

Order = Literal["given name first", "given name last"]
ORDERS: Final[tuple[Order, Order]] = ("given name first", "given name last")


def compose(
    given: Dataset,
    names: Dataset,
    chosen: NDArray[np.intp],
    order: Order,
    rng: np.random.Generator,
    *,
    joint: str = " ",
) -> Dataset:
    """Return full names of the chosen rows (K,) of `names`, each with a given name of its label, drawn at random.

    Of given names themselves they are double ones, which people also join by a hyphen. Rows of labels without given
    names, and full names that are too long, are left out.
    """
    start = np.searchsorted(given.label_ids, np.arange(len(names.labels)))
    count = np.bincount(given.label_ids, minlength=len(names.labels))
    chosen = chosen[count[names.label_ids[chosen]] > 0]
    label_ids = names.label_ids[chosen]
    partners = start[label_ids] + (rng.random(len(chosen)) * count[label_ids]).astype(np.intp)
    pairs = [(given.names[i], names.names[j]) for i, j in zip(partners, chosen, strict=True)]
    full = [joint.join(pair if order == "given name first" else reversed(pair)) for pair in pairs]
    fits = np.array([len(name) <= MAX_NAME_LENGTH for name in full], dtype=bool)
    everything = Dataset(names.labels, tuple(full), label_ids, np.full(len(full), np.inf))
    return everything.take(fits)


def slices(split: Split) -> dict[str, Dataset]:
    """Return the held-out sets that a model is evaluated on; the first, the test names, is the one that counts."""
    found = {"test": split.test}
    if split.given is None or not len(split.given.test):
        return found
    rng, everyone = np.random.default_rng(0), np.arange(len(split.test))
    found["given names"] = split.given.test
    for order in ORDERS:
        found[f"full names, {order}"] = compose(split.given.test, split.test, everyone, order, rng)
    given = split.given.test
    found["double given names"] = compose(given, given, np.arange(len(given)), ORDERS[0], rng, joint="-")
    return {title: dataset for title, dataset in found.items() if len(dataset)}
