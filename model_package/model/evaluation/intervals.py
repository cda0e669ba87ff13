"""95% confidence intervals: Wilson's for proportions, the bootstrap for any metric."""

from collections.abc import Callable, Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

Interval = tuple[float, float]
"""The lower and the upper end."""

Draws = NDArray[np.int64]
"""Positions of the rows that each of R resamples of N rows holds (R, N)."""

_TAIL = 0.025
_NORMAL_QUANTILE = 1.959964
_RESAMPLES = 1000
_MAX_BLOCK = 1_000_000  # bounds memory, whatever N is
_SEED = 0


def wilson(successes: NDArray[np.int64], n: NDArray[np.int64]) -> list[Interval]:
    """Return an interval per proportion of successes (K,) among n (K,); where n is 0, everything is possible.

    Wilson, "Probable Inference, the Law of Succession, and Statistical Inference", 1927. Unlike the textbook's, it
    holds for a handful of names and for proportions of 0 and 1.
    """
    square = _NORMAL_QUANTILE**2
    centre = successes + square / 2
    half = _NORMAL_QUANTILE * np.sqrt(successes * (n - successes) / np.maximum(n, 1) + square / 4)
    low, high = np.maximum(centre - half, 0) / (n + square), np.minimum((centre + half) / (n + square), 1)
    return list(zip(low.tolist(), high.tolist(), strict=True))


def bootstrap(figures: Callable[[Draws], Mapping[str, NDArray[np.float64]]], n: int) -> dict[str, Interval]:
    """Return percentile intervals of the figures of n rows, from 1,000 resamples with a fixed seed.

    `figures` maps draws (R, n) to a value per resample (R,) of each figure. Resampling moves some figures to one side:
    a calibration error grows with any noise. So the percentiles are moved back by as much as the resamples' mean is
    off. Efron and Tibshirani, "An Introduction to the Bootstrap", 1993.
    """
    parts = [figures(draws) for draws in resamples(n, _RESAMPLES)]
    intervals = {}
    for name, value in figures(np.arange(n)[None]).items():
        resampled = np.concatenate([part[name] for part in parts])
        low, high = np.quantile(resampled, (_TAIL, 1 - _TAIL)) + (value - resampled.mean())
        intervals[name] = (float(low), float(high))
    return intervals


def resamples(n: int, count: int) -> Iterator[Draws]:
    """Yield `count` resamples of n rows with replacement, a block (R, n) at a time; always the same ones."""
    rng = np.random.default_rng(_SEED)
    block = max(1, _MAX_BLOCK // n)
    for done in range(0, count, block):
        yield rng.integers(n, size=(min(block, count - done), n))
