"""What the gate calls noise: equal models pass, worse ones fail on the criterion that says how."""

import numpy as np

from model.evaluation.comparison import Criterion, compare_answers, describe_failure
from model.evaluation.metrics import Answers

N_LABELS, N = 10, 1000
LABELS = [f"label {i}" for i in range(N_LABELS)]
TRUE = np.arange(N) % N_LABELS


def _answers(accuracy: float, seed: int, confidence: float = 0.8) -> Answers:
    """Return answers that are right so often, whatever the label."""
    rng = np.random.default_rng(seed)
    wrong = rng.random(N) >= accuracy
    return Answers(TRUE, (TRUE + wrong * rng.integers(1, N_LABELS, N)) % N_LABELS, np.full(N, confidence), N_LABELS)


def _failed(old: Answers, new: Answers) -> list[str]:
    return [criterion.name for criterion in compare_answers(old, new, LABELS) if not criterion.passed]


def test_a_model_is_no_worse_than_itself() -> None:
    for accuracy in (0, 0.5, 1):
        answers = _answers(accuracy, seed=0)
        assert _failed(answers, answers) == []


def test_equally_good_models_nearly_always_pass() -> None:
    refused = [_failed(_answers(0.8, seed), _answers(0.8, 1000 + seed)) for seed in range(50)]
    assert sum(map(bool, refused)) <= 5


def test_a_better_model_passes() -> None:
    assert _failed(_answers(0.7, seed=0), _answers(0.8, seed=1)) == []


def test_a_worse_model_fails_and_the_sentence_says_by_how_much() -> None:
    criteria = list(compare_answers(_answers(0.8, seed=0), _answers(0.7, seed=1), LABELS))
    assert {"top-1", "macro-F1"} <= {criterion.name for criterion in criteria if not criterion.passed}
    sentence = describe_failure(criteria)
    assert sentence is not None
    assert sentence.startswith("top-1 is 0.687 where at least 0.7")
    assert "0.06105 more; macro-F1" in sentence


def test_a_label_that_is_lost_fails_though_the_whole_gains() -> None:
    old, new = _answers(0.7, seed=0), _answers(0.8, seed=1)
    new = Answers(TRUE, np.where(TRUE == 3, 4, new.predicted), new.confidence, N_LABELS)
    assert _failed(old, new) == ["recall of label 3"]


def test_one_name_of_a_label_is_no_evidence() -> None:
    old = Answers(TRUE, TRUE, np.full(N, 0.99), N_LABELS)
    rare = Answers(np.where(TRUE == 3, 4, TRUE), TRUE, old.confidence, N_LABELS)
    rare.label_ids[3] = 3  # the only name of this label
    fallen = Answers(rare.label_ids, rare.predicted.copy(), rare.confidence, N_LABELS)
    fallen.predicted[3] = 4
    assert _failed(rare, fallen) == []


def test_overconfidence_fails() -> None:
    assert _failed(_answers(0.8, seed=0), _answers(0.8, seed=0, confidence=0.95)) == ["calibration error"]


def test_a_label_that_loses_a_third_of_its_recall_fails() -> None:
    """Over the slack of 0.10 by more than noise, though no other criterion notices."""
    perfect = Answers(TRUE, TRUE, np.full(N, 0.99), N_LABELS)
    predicted = TRUE.copy()
    predicted[np.flatnonzero(TRUE == 3)[:33]] = 4
    assert "recall of label 3" in _failed(perfect, Answers(TRUE, predicted, perfect.confidence, N_LABELS))


def test_what_is_not_a_number_fails() -> None:
    for at_least in (True, False):
        assert not Criterion("x", None, float("nan"), 1, at_least=at_least).passed
