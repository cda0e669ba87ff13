"""Compare the answers of two models to the same names, and tell differences from noise.

What chance alone explains passes: noise is two standard errors of the difference between both on the same names.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from model.evaluation.intervals import Draws, resamples
from model.evaluation.metrics import Answers

_NOISE = 2.0  # standard errors
_RECALL_SLACK = 0.10
_CALIBRATION_SLACK = 0.01
_RESAMPLES = 200


@dataclass(frozen=True)
class Criterion:
    """One comparison; the challenger's value must be at least, or at most, the limit."""

    name: str
    champion: float | None
    challenger: float
    limit: float
    at_least: bool

    @property
    def passed(self) -> bool:
        """Whether the challenger keeps the limit."""
        return self.challenger >= self.limit if self.at_least else self.challenger <= self.limit


def compare_answers(old: Answers, new: Answers, labels: Sequence[str]) -> Iterator[Criterion]:
    """Yield the criteria of accuracy, macro-F1, calibration, and of the label whose recall fares worst."""
    gains = new.right.astype(float) - old.right
    accuracy = float(old.right.mean())
    yield Criterion(
        "top-1", accuracy, float(new.right.mean()), accuracy - _NOISE * _standard_error(gains), at_least=True
    )
    before, after, noise = _resample(Answers.macro_f1, old, new)
    yield Criterion("macro-F1", before, after, before - noise, at_least=True)
    before, after, noise = _resample(Answers.calibration_error, old, new)
    yield Criterion("calibration error", before, after, before + max(noise, _CALIBRATION_SLACK), at_least=False)
    recalls = (_recall(old, new, label_id, label, len(labels)) for label_id, label in enumerate(labels))
    yield min(recalls, key=lambda criterion: criterion.challenger - criterion.limit)


def describe_failure(criteria: Sequence[Criterion]) -> str | None:
    """Return which criterion failed by how much, or None if all passed."""
    failed = [criterion for criterion in criteria if not criterion.passed]
    if not failed:
        return None
    criterion, *others = failed
    value, limit, gap = map(
        format_value, (criterion.challenger, criterion.limit, abs(criterion.challenger - criterion.limit))
    )
    needed = (
        f"at least {limit} is needed, {gap} more" if criterion.at_least else f"at most {limit} is allowed, {gap} less"
    )
    also = f"; {', '.join(other.name for other in others)} failed too" if others else ""
    return f"{criterion.name} is {value} where {needed}{also}"


def format_value(value: float) -> str:
    """Return a value with as many digits as a person reads."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _recall(old: Answers, new: Answers, label_id: int, label: str, n_labels: int) -> Criterion:
    """Compare the recall of one label; noise is wider, as the worst of many labels falls by chance more often."""
    here = old.label_ids == label_id
    if not here.any():
        return Criterion(f"recall of {label}", 1, 1, 0, at_least=True)
    before, after = float(old.right[here].mean()), float(new.right[here].mean())
    noise = -NormalDist().inv_cdf(NormalDist().cdf(-_NOISE) / n_labels)
    slack = max(_RECALL_SLACK, noise * _standard_error(new.right[here].astype(float) - old.right[here]))
    return Criterion(f"recall of {label}", before, after, before - slack, at_least=True)


def _standard_error(gains: NDArray[np.float64]) -> float:
    """Return the standard error of the mean of gains (N,) of -1, 0 or 1 if neither model is better, as McNemar has it.

    Unlike the sample's own, it is not nought when a few names all go one way.
    """
    return float(np.sqrt((gains**2).sum()) / len(gains))


def _resample(
    metric: Callable[[Answers, Draws], NDArray[np.float64]], old: Answers, new: Answers
) -> tuple[float, float, float]:
    """Return a metric of both models, and the noise of its difference by a paired bootstrap."""
    n = len(old.label_ids)
    differences = [metric(new, draws) - metric(old, draws) for draws in resamples(n, _RESAMPLES)]
    everything = np.arange(n)[None]
    before, after = (float(metric(answers, everything)[0]) for answers in (old, new))
    return before, after, _NOISE * float(np.concatenate(differences).std())
