"""Figures, how sure they are, and what is taken for what."""

import numpy as np
import pytest
from numpy.typing import NDArray

from model.evaluation.confusion import (
    ConfusedPair,
    confused_pairs,
    count_confusions,
    order_by_confusion,
    surest_mistakes,
)
from model.evaluation.intervals import wilson
from model.evaluation.metrics import calibration_bins, evaluate, label_metrics, metric_intervals
from model.utils import log_softmax

LABELS = ("A", "B", "C", "D", "E")


def _answers(n: int, seed: int = 0) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Return answers of a calibrated predictor: labels drawn by the very probabilities that it gives."""
    rng = np.random.default_rng(seed)
    log_probs = log_softmax(rng.normal(scale=2, size=(n, len(LABELS))))
    gumbel = rng.gumbel(size=log_probs.shape)
    return log_probs, (log_probs + gumbel).argmax(axis=1)


@pytest.mark.parametrize("n", [7, 60, 2000])
def test_an_interval_contains_its_figure(n: int) -> None:
    answers = _answers(n)
    metrics = evaluate(*answers, LABELS)
    for name, (low, high) in metric_intervals(*answers).items():
        assert low - 1e-9 <= getattr(metrics, name) <= high + 1e-9, name
        assert low >= 0
    for row in label_metrics(*answers, LABELS):
        assert row.recall_interval[0] - 1e-9 <= row.recall <= row.recall_interval[1] + 1e-9
        assert row.precision_interval[0] - 1e-9 <= row.precision <= row.precision_interval[1] + 1e-9


def test_four_times_the_names_halve_an_interval() -> None:
    few, many = (metric_intervals(*_answers(n)) for n in (1000, 4000))
    for name in ("accuracy", "top_3_accuracy", "macro_f1", "balanced_accuracy", "nll"):
        ratio = (many[name][1] - many[name][0]) / (few[name][1] - few[name][0])
        assert 0.4 < ratio < 0.6, name


def test_the_bootstrap_finds_the_standard_error_that_is_known_for_accuracy() -> None:
    answers = _answers(3000)
    low, high = metric_intervals(*answers)["accuracy"]
    accuracy = evaluate(*answers, LABELS).accuracy
    assert (high - low) / (2 * 1.96) == pytest.approx(np.sqrt(accuracy * (1 - accuracy) / 3000), rel=0.1)


def test_an_interval_mostly_holds_what_is_true() -> None:
    truth = evaluate(*_answers(200_000), LABELS).accuracy
    intervals = [metric_intervals(*_answers(100, seed))["accuracy"] for seed in range(1, 61)]
    assert 51 <= sum(low <= truth <= high for low, high in intervals) <= 60


def test_wilson_holds_at_the_ends_and_without_names() -> None:
    none, all_of_ten, nothing = wilson(np.array([0, 10, 0]), np.array([10, 10, 0]))
    assert none == (0, pytest.approx(0.2775, abs=1e-4))  # Newcombe's tables
    assert all_of_ten == (pytest.approx(0.7225, abs=1e-4), pytest.approx(1))
    assert nothing == (0, pytest.approx(1))


def test_the_third_label_counts_for_top_3_and_the_fourth_does_not() -> None:
    log_probs = np.log(np.tile([0.4, 0.3, 0.15, 0.1, 0.05], (2, 1)))
    assert evaluate(log_probs, np.array([2, 3]), LABELS).top_3_accuracy == 0.5


def test_macro_f1_and_calibration_error_by_hand() -> None:
    truth = np.array([0, 0, 0, 1])
    log_probs = np.log([[0.9, 0.1], [0.9, 0.1], [0.3, 0.7], [0.3, 0.7]])
    metrics = evaluate(log_probs, truth, ("A", "B"))
    assert metrics.macro_f1 == pytest.approx((0.8 + 2 / 3) / 2)  # precision and recall 1 and 2/3; 1/2 and 1
    assert metrics.expected_calibration_error == pytest.approx(0.5 * 0.1 + 0.5 * 0.2)


def test_calibration_bins_add_up_to_the_error() -> None:
    answers = _answers(500)
    bins = calibration_bins(*answers)
    assert sum(row.n for row in bins) == 500
    assert all(row.lower <= row.confidence <= row.upper for row in bins if row.n)
    error = sum(row.n * abs(row.accuracy - row.confidence) for row in bins) / 500
    assert error == pytest.approx(evaluate(*answers, LABELS).expected_calibration_error)


def test_a_perfect_and_a_constant_predictor() -> None:
    truth = np.repeat(np.arange(5), [40, 30, 20, 10, 0])
    with np.errstate(divide="ignore"):
        perfect = np.log(np.clip(np.eye(5)[truth], 1e-12, 1))
    metrics = evaluate(perfect, truth, LABELS)
    assert (metrics.accuracy, metrics.macro_f1, metrics.balanced_accuracy) == (1, 1, 1)
    assert metrics.expected_calibration_error == pytest.approx(0)
    assert confused_pairs(count_confusions(perfect, truth), LABELS) == []
    assert surest_mistakes(["x"] * 100, perfect, truth, LABELS, n=5) == []

    constant = np.log(np.tile([0.4, 0.3, 0.15, 0.1, 0.05], (100, 1)))
    metrics = evaluate(constant, truth, LABELS)
    assert (metrics.accuracy, metrics.balanced_accuracy) == (0.4, 0.25)
    assert metrics.expected_calibration_error == pytest.approx(0)
    assert np.isfinite(list(metric_intervals(constant, truth).values())).all()


def test_a_label_without_names_does_not_count_and_its_interval_is_unbounded() -> None:
    log_probs, truth = _answers(50)
    kept = truth != 2
    (row,) = (row for row in label_metrics(log_probs[kept], truth[kept], LABELS) if row.label == "C")
    assert (row.n, row.recall) == (0, 0)
    assert row.recall_interval == (0, pytest.approx(1))
    assert np.isfinite(list(metric_intervals(log_probs[kept], truth[kept]).values())).all()


def test_pairs_count_both_ways() -> None:
    confusions = np.array([[5, 2, 0], [3, 5, 1], [0, 0, 5]])
    assert confused_pairs(confusions, ("A", "B", "C")) == [ConfusedPair("B", "A", 3, 2), ConfusedPair("B", "C", 1, 0)]


def test_surest_mistakes_leave_out_names_that_stand_under_the_answer_too() -> None:
    log_probs = np.log([[0.9, 0.1], [0.8, 0.2], [0.8, 0.2], [0.3, 0.7], [0.4, 0.6]])
    names, truth = ["right", "both", "both", "surest", "next"], np.array([0, 0, 1, 0, 0])
    mistakes = surest_mistakes(names, log_probs, truth, ("A", "B"), n=5)
    assert [(row.name, row.label, row.predicted) for row in mistakes] == [("surest", "A", "B"), ("next", "A", "B")]
    assert mistakes[0].confidence == pytest.approx(0.7)
    assert len(surest_mistakes(names, log_probs, truth, ("A", "B"), n=1)) == 1


def test_confused_labels_stand_together() -> None:
    confusions = 50 * np.eye(6, dtype=np.int64)
    for a, b in ((0, 5), (1, 4), (2, 3)):
        confusions[a, b] = confusions[b, a] = 20
    order = order_by_confusion(confusions)
    assert sorted(order) == list(range(6))
    assert all(abs(order.index(a) - order.index(b)) == 1 for a, b in ((0, 5), (1, 4), (2, 3)))
