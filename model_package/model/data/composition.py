"""Compose full names and double names from the names of one label."""

from collections import Counter, defaultdict
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from model.constants import MAX_NAME_LENGTH
from model.data.dataset import Dataset
from model.data.splitting import Split
from model.utils import joint_of

Order = Literal["given name first", "given name last"]
_WITHOUT_MARKS = "the same without marks"
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
    """Return full names of the chosen rows (K,) of `names`, each with a given name of its label and script, at random.

    Of given names themselves they are double ones, which people also join by a hyphen. A space joins nothing in scripts
    that know none. Rows without such given names, and full names that are too long, are left out.
    """
    members: dict[tuple[int, str], list[int]] = defaultdict(list)
    for i, group in enumerate(zip(given.label_ids.tolist(), given.scripts, strict=True)):
        members[group].append(i)
    chosen = chosen[[(names.label_ids[j], names.scripts[j]) in members for j in chosen]]
    pairs = []
    for j, share in zip(chosen.tolist(), rng.random(len(chosen)).tolist(), strict=True):
        partners = members[int(names.label_ids[j]), names.scripts[j]]
        pairs.append((partners[int(share * len(partners))], j))
    full, spelled = (
        tuple(_join(first[i], last[j], names.scripts[j], order, joint) for i, j in pairs)
        for first, last in ((given.names, names.names), (given.spellings, names.spellings))
    )
    fits = np.array([max(map(len, texts)) <= MAX_NAME_LENGTH for texts in zip(full, spelled, strict=True)], dtype=bool)
    everything = Dataset(names.labels, full, names.label_ids[chosen], np.full(len(full), np.inf), spelled)
    return everything.take(fits)


def _join(given: str, name: str, script: str, order: Order, joint: str) -> str:
    if not joint_of(script):  # scripts without spaces are of languages that put the given name last
        return name + given
    return joint.join((given, name) if order == "given name first" else (name, given))


def slices(split: Split) -> dict[str, Dataset]:
    """Return the held-out sets that a model is evaluated on; the first, the test names, is the one that counts."""
    found = {"test": split.test.spelled(), **_by_spelling(split.test), "other romanisations": split.test.all_variants()}
    if split.given is None or not len(split.given.test):
        return _as_written(found)
    rng, everyone = np.random.default_rng(0), np.arange(len(split.test))
    found["given names"] = split.given.test
    for order in ORDERS:
        found[f"full names, {order}"] = compose(split.given.test, split.test, everyone, order, rng)
    given = split.given.test
    found["double given names"] = compose(given, given, np.arange(len(given)), ORDERS[0], rng, joint="-")
    return _as_written(found)


def _as_written(found: dict[str, Dataset]) -> dict[str, Dataset]:
    return {
        title: dataset if title == _WITHOUT_MARKS else dataset.spelled()
        for title, dataset in found.items()
        if len(dataset)
    }


def _by_spelling(test: Dataset) -> dict[str, Dataset]:
    """Return the names with marks, the same without them, those outside the most common script, of each script."""
    marked = np.array([a != b for a, b in zip(test.names, test.spellings, strict=True)], dtype=bool)
    found = {"names with marks": test.take(marked), _WITHOUT_MARKS: test.take(marked)}
    scripts = Counter(filter(None, test.scripts))
    if len(scripts) > 1:
        ((common, _),) = scripts.most_common(1)
        found["names in other scripts"] = test.take(np.array([s not in (common, "") for s in test.scripts], dtype=bool))
        for script, _ in scripts.most_common():
            found[f"{script.capitalize()} names"] = test.take(np.array([s == script for s in test.scripts], dtype=bool))
    return found
