"""Measure how well a bundle tells strings that are no names from names, by its familiarity with them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.data.dataset import Dataset
from model.prediction import Predictor


@dataclass(frozen=True)
class Rejection:
    """One kind of outliers: how often it is the less familiar of it and a test name, and the share that is refused."""

    familiarity: NDArray[np.float64]
    auroc: float
    refused: float


@dataclass(frozen=True)
class AbstentionReport:
    """What a bundle refuses: shares of each slice, and outliers by kind; `familiarity` is of the test names (N,)."""

    threshold: float
    familiarity: NDArray[np.float64]
    refused: dict[str, float]
    refused_by_label: dict[str, float]
    outliers: dict[str, Rejection]


def evaluate_abstention(
    predictor: Predictor, slices: Mapping[str, Dataset], outliers: Mapping[str, Sequence[str]]
) -> AbstentionReport:
    """Measure what a bundle refuses; the outliers are measured against the first slice."""
    threshold = predictor.metadata.abstention_threshold
    familiarity = {name: predictor.familiarity(dataset.names, lexicon=False) for name, dataset in slices.items()}
    names = next(iter(familiarity.values()))
    rejections = {}
    for kind, strings in outliers.items():
        scores = predictor.familiarity(strings, lexicon=False)
        rejections[kind] = Rejection(scores, auroc(names, scores), float((scores < threshold).mean()))
    refused = {name: float((scores < threshold).mean()) for name, scores in familiarity.items()}
    main = next(iter(slices.values()))
    return AbstentionReport(threshold, names, refused, _by_label(main, names < threshold), rejections)


def _by_label(dataset: Dataset, refused: NDArray[np.bool_]) -> dict[str, float]:
    """Return, for each label that has names, the share of them that is refused (N,), largest first."""
    shares = {
        label: float(refused[rows].mean())
        for label_id, label in enumerate(dataset.labels)
        if (rows := dataset.label_ids == label_id).any()
    }
    return dict(sorted(shares.items(), key=lambda item: -item[1]))


def auroc(positives: NDArray[np.float64], negatives: NDArray[np.float64]) -> float:
    """Return how often a positive (N,) scores above a negative (M,), ties counting half.

    Hanley and McNeil, "The Meaning and Use of the Area under a ROC Curve", 1982.
    """
    ordered = np.sort(negatives)
    below = np.searchsorted(ordered, positives, "left") + np.searchsorted(ordered, positives, "right")
    return float(below.mean() / (2 * len(negatives)))
