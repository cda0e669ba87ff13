"""Calibrate probabilities: temperature scaling, the abstention threshold, a change of prior."""

import numpy as np
from numpy.typing import NDArray

from model.utils import Ids, log_softmax

KEPT_NAMES = 0.95
"""Share of the validation names that abstention is to leave alone."""

_TEMPERATURES = np.geomspace(0.25, 4.0, 401)


def fit_temperature(logits: NDArray[np.floating], label_ids: Ids) -> float:
    """Return the temperature that minimises the negative log-likelihood of logits (N, L) on labels (N,).

    Guo et al., "On Calibration of Modern Neural Networks", 2017. One scalar on a convex problem: a grid of 0.7%
    steps is as good as an optimiser.
    """
    rows = np.arange(len(label_ids))
    losses = [-log_softmax(logits / temperature)[rows, label_ids].mean() for temperature in _TEMPERATURES]
    return float(_TEMPERATURES[int(np.argmin(losses))])


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
