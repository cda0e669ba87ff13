"""Count which labels are confused: a matrix, pairs, the most confident mistakes."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from model.utils import Ids


@dataclass(frozen=True)
class ConfusedPair:
    """Two labels, and how many names of each were taken for the other; the first is mistaken the more often."""

    first: str
    second: str
    first_as_second: int
    second_as_first: int

    @property
    def n(self) -> int:
        """How many names in all."""
        return self.first_as_second + self.second_as_first


@dataclass(frozen=True)
class Mistake:
    """A name that was given a wrong label, and how sure the model was of it."""

    name: str
    label: str
    predicted: str
    confidence: float


def count_confusions(log_probs: NDArray[np.float64], label_ids: Ids) -> NDArray[np.int64]:
    """Return how many names of each label (rows) were given each label (columns), from log-probabilities (N, L)."""
    n_labels = log_probs.shape[1]
    cells = label_ids * n_labels + log_probs.argmax(axis=1)
    return np.bincount(cells, minlength=n_labels**2).reshape(n_labels, n_labels)


def confused_pairs(confusions: NDArray[np.int64], labels: Sequence[str]) -> list[ConfusedPair]:
    """Return every pair of labels that was confused, most often first, then in the order of the labels."""
    pairs = []
    for i, j in combinations(range(len(labels)), 2):
        a, b = (i, j) if confusions[i, j] >= confusions[j, i] else (j, i)
        if confusions[a, b]:
            pairs.append(ConfusedPair(labels[a], labels[b], int(confusions[a, b]), int(confusions[b, a])))
    return sorted(pairs, key=lambda pair: -pair.n)


def surest_mistakes(
    names: Sequence[str], log_probs: NDArray[np.float64], label_ids: Ids, labels: Sequence[str], n: int
) -> list[Mistake]:
    """Return the n names with the highest confidence in a wrong label, highest first.

    A name that stands under the predicted label too is no mistake.
    """
    predicted = log_probs.argmax(axis=1)
    right = set(zip(names, label_ids.tolist(), strict=True))
    mistakes: list[Mistake] = []
    for i in np.argsort(-log_probs.max(axis=1), kind="stable"):
        if len(mistakes) == n:
            break
        if (names[i], int(predicted[i])) not in right:
            confidence = float(np.exp(log_probs[i, predicted[i]]))
            mistakes.append(Mistake(names[i], labels[label_ids[i]], labels[predicted[i]], confidence))
    return mistakes


def order_by_confusion(confusions: NDArray[np.int64]) -> list[int]:
    """Return the labels' ids in an order in which those that are confused stand together.

    Chains of labels are joined, the two most alike first, by their most alike ends.
    """
    shares = confusions / np.maximum(confusions.sum(axis=1, keepdims=True), 1)
    alike = shares + shares.T
    chains, sums, sizes = [[i] for i in range(len(alike))], alike.copy(), np.ones(len(alike))
    while len(chains) > 1:
        means = sums / np.outer(sizes, sizes)
        np.fill_diagonal(means, -1)
        i, j = sorted(divmod(int(means.argmax()), len(chains)))
        chains[i] = _join(chains[i], chains.pop(j), alike)
        for array in (sums, sums.T, sizes):
            array[i] += array[j]
        sums, sizes = np.delete(np.delete(sums, j, 0), j, 1), np.delete(sizes, j)
    return chains[0]


def _join(first: list[int], second: list[int], alike: NDArray[np.float64]) -> list[int]:
    """Return both chains in a row, each the way round that brings their most alike ends together."""
    ways = [(a, b) for a in (first, first[::-1]) for b in (second, second[::-1])]
    left, right = max(ways, key=lambda way: alike[way[0][-1], way[1][0]])
    return left + right
