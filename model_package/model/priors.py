"""How frequent labels are taken to be."""

from collections.abc import Mapping, Sequence
from math import isfinite
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from model.errors import InvalidPriorError

Prior = Literal["natural", "uniform"] | Mapping[str, float]
"""As frequent as in the training names, alike, or by weights of labels; others are ruled out."""


def weigh_labels(prior: Prior, labels: Sequence[str]) -> NDArray[np.float64]:
    """Return the weights (L,) of the labels under a prior that is not the natural one.

    Raises:
        InvalidPriorError: a weight is negative or not finite, none is positive, or there is no such label.
    """
    if isinstance(prior, str):
        return np.ones(len(labels))
    if not prior.keys() <= set(labels):
        raise InvalidPriorError(f"The prior names a label that the model lacks; it has: {', '.join(labels)}.")
    if not all(isfinite(weight) and weight >= 0 for weight in prior.values()) or not any(prior.values()):
        raise InvalidPriorError("The weights of a prior must be finite and not negative, and one must be positive.")
    return np.array([float(prior.get(label, 0)) for label in labels])
