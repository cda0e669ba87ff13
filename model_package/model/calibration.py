"""Calibrate probabilities: temperature scaling, the abstention threshold, a change of prior."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from model.utils import Ids, log_softmax

KEPT_NAMES = 0.985
"""Share of the validation names that abstention is to leave alone."""

N_LENGTH_CLASSES = 8
_MIN_CLASS_SIZE = 100

_TEMPERATURES = np.geomspace(0.25, 4.0, 401)


def fit_temperature(logits: NDArray[np.floating], label_ids: Ids) -> float:
    """Return the temperature that minimises the negative log-likelihood of logits (N, L) on labels (N,).

    Guo et al., "On Calibration of Modern Neural Networks", 2017. The best of a grid of 0.7% steps: the loss is convex
    in the inverse of the temperature, so it falls up to the best and rises from there, and halving finds it.
    """
    rows = np.arange(len(label_ids))

    def loss(step: int) -> float:
        return float(-log_softmax(logits / _TEMPERATURES[step])[rows, label_ids].mean())

    low, high = 0, len(_TEMPERATURES) - 1
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if loss(middle) <= loss(middle + 1) else (middle + 1, high)
    return float(_TEMPERATURES[low])


def fit_abstention_threshold(familiarity: NDArray[np.float64]) -> float:
    """Return the familiarity that KEPT_NAMES of real names (N,) reach."""
    return float(np.quantile(familiarity, 1 - KEPT_NAMES))


def length_class(length: int) -> int:
    """Return the class of a name's length in characters, from 0 up to N_LENGTH_CLASSES - 1."""
    return min(max(length - 1, 0) // 2, N_LENGTH_CLASSES - 1)


def fit_familiarity_offsets(
    familiarity: NDArray[np.float64], scripts: Sequence[str], lengths: Sequence[int]
) -> dict[str, tuple[float, ...]]:
    """Return by script and length class how far off the threshold of all names (N,) their own is.

    A class of few names has the offset of its script, a script of few none.
    """
    threshold = fit_abstention_threshold(familiarity)
    classes = np.array([length_class(length) for length in lengths])
    offsets = {}
    for script in sorted(set(scripts) - {""}):
        of_script = np.array([other == script for other in scripts])
        if of_script.sum() < _MIN_CLASS_SIZE:
            continue
        whole = fit_abstention_threshold(familiarity[of_script])
        rows = [of_script & (classes == i) for i in range(N_LENGTH_CLASSES)]
        offsets[script] = tuple(
            (fit_abstention_threshold(familiarity[row]) if row.sum() >= _MIN_CLASS_SIZE else whole) - threshold
            for row in rows
        )
    return offsets


def change_prior(
    log_probs: NDArray[np.float64], before: NDArray[np.float64], after: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return log-probabilities (N, L) as if labels were as frequent as `after` (L,) instead of `before` (L,).

    Weights need not add up to one; a label of weight 0 gets -inf. Exact, by Bayes' rule: Saerens et al., "Adjusting
    the Outputs of a Classifier to New a Priori Probabilities", 2002.
    """
    with np.errstate(divide="ignore"):
        return log_softmax(log_probs + np.log(after) - np.log(before))
