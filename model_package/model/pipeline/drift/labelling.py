"""Whether new names carry the labels that they should: how many have one that has nothing to do with the name.

Each name with its label is taken to be a draw from a mixture: with share 1 - e the champion's probability of the label
given the name, with share e the label's frequency alone. The e of maximum likelihood is the estimated share of labels
that are swapped; on held-out names of the shipped bundle it is 0.001, and 0.054 once 5% of them are.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.pipeline.drift.change import Change
from model.pipeline.drift.findings import Finding
from model.pipeline.drift.incumbent import Incumbent

_MIN_NAMES = 100
_MAX_NAMES = 20_000
_MAX_SHARE = 0.025
_MIN_LABEL_NAMES = 30
_MAX_LABEL_SHARE = 0.25
_Z = 2.0
_ITERATIONS = 200
_MIN_RELABELLED = 10
_MAX_RELABELLED = 0.02

Pairs = Sequence[tuple[str, str]]
"""Labels and folded names."""


@dataclass(frozen=True)
class Share:
    """An estimated share and its standard error."""

    value: float
    error: float

    def exceeds(self, limit: float, baseline: float) -> bool:
        """Whether it is over the limit, and over the baseline by more than chance explains."""
        return self.value > limit and self.value - _Z * self.error > baseline


def check_labelling(change: Change, incumbent: Incumbent, held_out: Pairs) -> Iterator[Finding]:
    """Find labels that are swapped, over all new names or within a label, beyond what earlier held-out names show."""
    pairs = _known(change.added, incumbent)
    if len(pairs) < _MIN_NAMES:
        return
    baseline = estimate_swapped(incumbent, held_out[:_MAX_NAMES]).value if len(held_out) >= _MIN_NAMES else 0.0
    share = estimate_swapped(incumbent, pairs)
    if share.exceeds(baseline + _MAX_SHARE, baseline):
        yield Finding(
            "labels swapped",
            f"About {share.value:.1%} of the {len(pairs)} new names carry labels that have nothing to do with them, by "
            f"the champion's probabilities; of earlier names it did not train on, {baseline:.1%}. Mend the labels.",
        )
        return
    for label in sorted(change.added):
        of_label = [pair for pair in pairs if pair[0] == label]
        if len(of_label) < _MIN_LABEL_NAMES:
            continue
        share = estimate_swapped(incumbent, of_label)
        if share.exceeds(_MAX_LABEL_SHARE, baseline):
            yield Finding(
                "labels swapped",
                f"About {share.value:.0%} of the {len(of_label)} new names of {label} are of other labels, by the "
                "champion's probabilities. Mend their labels.",
            )


def check_relabelled(change: Change) -> Iterator[Finding]:
    """Find names that were known under another label alone, far more often than labels share names."""
    owners: dict[str, set[str]] = {}
    for label, names in change.before.items():
        for name in names:
            owners.setdefault(name, set()).add(label)
    n_pairs = sum(map(len, change.before.values()))
    if change.manifest is None or not n_pairs:
        return
    shared = sum(len(labels) for labels in owners.values() if len(labels) > 1) / n_pairs
    relabelled = sum(name in owners for names in change.added.values() for name in names)
    n_taken = change.n_added + change.manifest.known
    if relabelled >= _MIN_RELABELLED and relabelled > (2 * shared + _MAX_RELABELLED) * n_taken:
        yield Finding(
            "labels swapped",
            f"{relabelled} of the {n_taken} names that came are known under another label, {relabelled / n_taken:.1%}; "
            f"labels share {shared:.1%} of their names. Mend the labels.",
        )


def estimate_swapped(incumbent: Incumbent, pairs: Pairs) -> Share:
    """Return the share of labelled names whose label has nothing to do with the name."""
    label_ids = np.array([incumbent.label_ids[label] for label, _ in pairs])
    frequency = np.bincount(label_ids, minlength=len(incumbent.label_ids)) / len(pairs)
    if np.count_nonzero(frequency) == 1:  # one label alone: what it would be among all that there are
        frequency = np.asarray(incumbent.predictor.metadata.prior)
    right = incumbent.probabilities([name for _, name in pairs])[np.arange(len(pairs)), label_ids]
    return _fit_mixture(right, frequency[label_ids])


def _fit_mixture(right: NDArray[np.float64], chance: NDArray[np.float64]) -> Share:
    """Return the e that maximises the sum of log((1 - e) right + e chance), by expectation maximisation."""
    right, chance = np.maximum(right, 1e-12), np.maximum(chance, 1e-12)
    e = 0.05
    for _ in range(_ITERATIONS):
        before, e = e, float((e * chance / ((1 - e) * right + e * chance)).mean())
        if abs(e - before) < 1e-6:
            break
    information = float((((chance - right) / ((1 - e) * right + e * chance)) ** 2).sum())
    return Share(e, 1 / np.sqrt(max(information, 1e-12)))


def _known(added: dict[str, list[str]], incumbent: Incumbent) -> list[tuple[str, str]]:
    """Return the new names of labels that the champion knows, at most a sample of them."""
    pairs = [(label, name) for label, names in added.items() if label in incumbent.label_ids for name in names]
    if len(pairs) <= _MAX_NAMES:
        return pairs
    chosen = np.random.default_rng(0).choice(len(pairs), _MAX_NAMES, replace=False)
    return [pairs[i] for i in np.sort(chosen)]
