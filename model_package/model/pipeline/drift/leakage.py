"""Whether test names come back as training names, in disguise: with a letter more, less or other, or a word beside."""

import random
from collections.abc import Collection, Iterator
from math import sqrt

from model.data.dataset import Dataset
from model.data.splitting import Split
from model.pipeline.drift.change import Change
from model.pipeline.drift.findings import Finding

_MAX_AFFIX = 4
_MIN_STEM = 4
_MIN_RELATIVES = 10
_MIN_Z = 4.0
_WILDCARD = "\0"


def check_leakage(change: Change, split: Split) -> Iterator[Finding]:
    """Find new training names that resemble earlier test names far more often than as many earlier training names.

    A name itself cannot leak: it goes where its hash sends it. What resembles it can go elsewhere.
    """
    known = {name for names in change.before.values() for name in names}
    test = sorted(known & set(split.test.names))
    train = _rare(split.train, known)
    rng = random.Random(0)  # noqa: S311 - a sample, no secret
    n = min(len(test), len(train))
    if n < _MIN_RELATIVES:
        return
    new = sorted({name for names in change.added.values() for name in names} - set(split.test.names))
    leaked, expected = (
        _count_relatives(new, frozenset(rng.sample(names, n))) * len(test) / n for names in (test, train)
    )
    z = (leaked - expected) / sqrt(max(1.0, leaked + expected))
    if leaked >= _MIN_RELATIVES and z > _MIN_Z:
        yield Finding(
            "test names leaked",
            f"{leaked:.0f} of the {len(new)} new names to train on are test names but for a letter or a word, where "
            f"chance explains {expected:.0f}: the test would measure memory. Leave out variants of names that are "
            "there.",
        )


def _rare(train: Dataset, known: Collection[str]) -> list[str]:
    """Return earlier training names that might as well have been test names: not those that always train."""
    head = train.head()
    return sorted({name for name in train.names if name in known and name not in head})


def _count_relatives(names: Collection[str], originals: frozenset[str]) -> int:
    """Return how many of the names are an original but for a letter or a word."""
    variants = {variant for name in originals for variant in (*_masks(name), *_shortened(name))}
    return sum(_is_relative(name, originals, variants) for name in names)


def _is_relative(name: str, originals: frozenset[str], variants: Collection[str]) -> bool:
    if any(word in originals for word in name.split()[: _MAX_AFFIX + 1] if word != name and len(word) >= _MIN_STEM):
        return True
    longest = min(_MAX_AFFIX, len(name) - _MIN_STEM)
    if any(name[:-k] in originals or name[k:] in originals for k in range(1, longest + 1)):
        return True
    if any(shorter in originals for shorter in _shortened(name)):
        return True
    return name in variants or any(mask in variants for mask in _masks(name))


def _masks(name: str) -> Iterator[str]:
    """Yield a name with each of its letters hidden in turn: what differs by one letter has one of these too."""
    if len(name) > _MIN_STEM:
        yield from (name[:i] + _WILDCARD + name[i + 1 :] for i in range(len(name)))


def _shortened(name: str) -> Iterator[str]:
    """Yield a name without each of its letters in turn."""
    if len(name) > _MIN_STEM:
        yield from (name[:i] + name[i + 1 :] for i in range(len(name)))
