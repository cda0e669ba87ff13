"""Calibrate probabilities: temperature scaling, the abstention threshold, a change of prior."""

import numpy as np
from numpy.typing import NDArray

from model.utils import Ids, log_softmax

KEPT_NAMES = 0.95
"""Share of the validation names that abstention is to leave alone."""

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
    """Return the familiarity that 95% of real names (N,) reach."""
    return float(np.quantile(familiarity, 1 - KEPT_NAMES))


def change_prior(
    log_probs: NDArray[np.float64], before: NDArray[np.float64], after: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return log-probabilities (N, L) as if labels were as frequent as `after` (L,) instead of `before` (L,).

    Weights need not add up to one; a label of weight 0 gets -inf. Exact, by Bayes' rule: Saerens et al., "Adjusting
    the Outputs of a Classifier to New a Priori Probabilities", 2002.
    """
    with np.errstate(divide="ignore"):
        return log_softmax(log_probs + np.log(after) - np.log(before))
