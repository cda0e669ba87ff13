"""How the answers of two models to the same names differ, and what of that is noise. Knows no bundle.

What chance alone explains passes: noise is two standard errors of the difference between both on the same names.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from model.utils import Ids

_NOISE = 2.0  # standard errors
_RECALL_SLACK = 0.10
_CALIBRATION_SLACK = 0.01
_CALIBRATION_BINS = 15
_RESAMPLES = 200


@dataclass(frozen=True)
class Line:
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


@dataclass(frozen=True)
class Answers:
    """What one model says of N labelled names: labels predicted (N,) with what confidence (N,)."""

    label_ids: Ids
    predicted: Ids
    confidence: NDArray[np.float64]

    @property
    def right(self) -> NDArray[np.bool_]:
        """Whether each answer (N,) is true."""
        return np.equal(self.predicted, self.label_ids)

    def macro_f1(self, draw: NDArray[np.intp]) -> float:
        """Return the mean F1 over the labels that occur in a draw of the names."""
        true, predicted, right = self.label_ids[draw], self.predicted[draw], self.right[draw]
        n_labels = 1 + int(max(self.label_ids.max(), self.predicted.max()))
        n_true, n_predicted = np.bincount(true, minlength=n_labels), np.bincount(predicted, minlength=n_labels)
        f1 = 2 * np.bincount(true, right, n_labels) / np.maximum(n_true + n_predicted, 1)
        return float(f1[n_true > 0].mean())

    def calibration_error(self, draw: NDArray[np.intp]) -> float:
        """Return the expected calibration error over a draw of the names."""
        right, confidence = self.right[draw], self.confidence[draw]
        bins = np.minimum((confidence * _CALIBRATION_BINS).astype(int), _CALIBRATION_BINS - 1)
        return float(np.abs(np.bincount(bins, right - confidence)).sum() / len(draw))


def compare_answers(old: Answers, new: Answers, labels: Sequence[str]) -> Iterator[Line]:
    """Yield the lines of accuracy, macro-F1, calibration, and of the label whose recall fares worst."""
    gains = new.right.astype(float) - old.right
    accuracy = float(old.right.mean())
    yield Line("top-1", accuracy, float(new.right.mean()), accuracy - _NOISE * _standard_error(gains), at_least=True)
    before, after, noise = _resample(Answers.macro_f1, old, new)
    yield Line("macro-F1", before, after, before - noise, at_least=True)
    before, after, noise = _resample(Answers.calibration_error, old, new)
    yield Line("calibration error", before, after, before + max(noise, _CALIBRATION_SLACK), at_least=False)
    recalls = (_recall(old, new, label_id, label, len(labels)) for label_id, label in enumerate(labels))
    yield min(recalls, key=lambda line: line.challenger - line.limit)


def describe_failure(lines: Sequence[Line]) -> str | None:
    """Return which line failed by how much, or None if all passed."""
    failed = [line for line in lines if not line.passed]
    if not failed:
        return None
    line, *others = failed
    value, limit, gap = map(format_value, (line.challenger, line.limit, abs(line.challenger - line.limit)))
    needed = f"at least {limit} is needed, {gap} more" if line.at_least else f"at most {limit} is allowed, {gap} less"
    also = f"; {', '.join(other.name for other in others)} failed too" if others else ""
    return f"{line.name} is {value} where {needed}{also}"


def format_value(value: float) -> str:
    """Return a value with as many digits as a person reads."""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"


def _recall(old: Answers, new: Answers, label_id: int, label: str, n_labels: int) -> Line:
    """Compare the recall of one label; noise is wider, as the worst of many labels falls by chance more often."""
    here = old.label_ids == label_id
    if not here.any():
        return Line(f"recall of {label}", 1, 1, 0, at_least=True)
    before, after = float(old.right[here].mean()), float(new.right[here].mean())
    noise = -NormalDist().inv_cdf(NormalDist().cdf(-_NOISE) / n_labels)
    slack = max(_RECALL_SLACK, noise * _standard_error(new.right[here].astype(float) - old.right[here]))
    return Line(f"recall of {label}", before, after, before - slack, at_least=True)


def _standard_error(gains: NDArray[np.float64]) -> float:
    """Return the standard error of the mean of gains (N,) of -1, 0 or 1 if neither model is better, as McNemar has it.

    Unlike the sample's own, it is not nought when a few names all go one way.
    """
    return float(np.sqrt((gains**2).sum()) / len(gains))


def _resample(
    figure: Callable[[Answers, NDArray[np.intp]], float], old: Answers, new: Answers
) -> tuple[float, float, float]:
    """Return a figure of both models, and the noise of its difference by a paired bootstrap."""
    n, rng = len(old.label_ids), np.random.default_rng(0)
    draws = (rng.integers(n, size=n) for _ in range(_RESAMPLES))
    differences = [figure(new, draw) - figure(old, draw) for draw in draws]
    everything = np.arange(n)
    return figure(old, everything), figure(new, everything), _NOISE * float(np.std(differences))
