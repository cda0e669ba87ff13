"""Evaluate a bundle on a slice of labelled names: every figure that its report holds."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.data.dataset import Dataset
from model.errors import DataError
from model.evaluation.confusion import ConfusedPair, Mistake, confused_pairs, count_confusions, surest_mistakes
from model.evaluation.intervals import Interval
from model.evaluation.metrics import (
    CalibrationBin,
    LabelMetrics,
    Metrics,
    calibration_bins,
    evaluate,
    label_metrics,
    metric_intervals,
)
from model.prediction import Predictor

_MAX_EXAMPLES = 50  # pairs and mistakes


@dataclass(frozen=True)
class SliceEvaluation:
    """How a bundle fares on one slice; `intervals` by metric, `confusions` (L, L) from labels (rows) to answers."""

    metrics: Metrics
    intervals: dict[str, Interval]
    labels: list[LabelMetrics]
    calibration: list[CalibrationBin]
    confusions: NDArray[np.int64]
    pairs: list[ConfusedPair]
    mistakes: list[Mistake]


def evaluate_slice(predictor: Predictor, slice_name: str, dataset: Dataset) -> SliceEvaluation:
    """Evaluate the answers to a slice's names, as if no list held them.

    Raises:
        DataError: the slice is empty, or its labels are not those of the bundle.
    """
    if not len(dataset) or dataset.labels != predictor.labels:
        raise DataError(f"The slice {slice_name} needs names, under the labels that the bundle has.")
    log_probs = predictor.log_probs(dataset.names, lexicon=False)
    labelled = (log_probs, dataset.label_ids, dataset.labels)
    confusions = count_confusions(log_probs, dataset.label_ids)
    return SliceEvaluation(
        metrics=evaluate(*labelled),
        intervals=metric_intervals(log_probs, dataset.label_ids),
        labels=label_metrics(*labelled),
        calibration=calibration_bins(log_probs, dataset.label_ids),
        confusions=confusions,
        pairs=confused_pairs(confusions, dataset.labels)[:_MAX_EXAMPLES],
        mistakes=surest_mistakes(dataset.names, *labelled, n=_MAX_EXAMPLES),
    )
