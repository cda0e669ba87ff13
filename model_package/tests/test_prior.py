from pathlib import Path

import numpy as np
import pytest

from model.calibration import change_prior
from model.errors import InvalidPriorError
from model.prediction import Predictor
from model.priors import Prior


@pytest.fixture(scope="module")
def predictor(exported: Path) -> Predictor:
    return Predictor.load(exported)


def test_a_prior_is_bayes_rule() -> None:
    likelihoods = np.array([[0.2, 0.05], [0.01, 0.3]])
    before, after = np.array([0.9, 0.1]), np.array([3, 1])
    posterior = likelihoods * before / (likelihoods @ before)[:, None]
    expected = likelihoods * after / (likelihoods @ after)[:, None]
    assert np.exp(change_prior(np.log(posterior), before, after)) == pytest.approx(expected)


def test_the_prior_of_training_changes_nothing(predictor: Predictor) -> None:
    weights = dict(zip(predictor.labels, predictor.metadata.prior, strict=True))
    names = ["Kaboski", "Rossini", "Felton"]
    assert predictor.log_probs(names, weights) == pytest.approx(predictor.log_probs(names))


def test_a_prior_rules_out_the_labels_that_it_leaves_out(predictor: Predictor) -> None:
    answer = predictor.predict(["Kaboski"], prior={"Beta": 1, "Gamma": 2})[0]
    assert sorted(answer.labels) == ["Beta", "Gamma"]
    assert np.exp(answer.log_probs).sum() == pytest.approx(1)


def test_uniform_is_equal_weights(predictor: Predictor) -> None:
    equal = dict.fromkeys(predictor.labels, 7.0)
    assert predictor.log_probs(["Kaboski"], "uniform") == pytest.approx(predictor.log_probs(["Kaboski"], equal))


@pytest.mark.parametrize(
    "prior",
    [{}, {"Alpha": 0}, {"Alpha": -1, "Beta": 2}, {"Alpha": float("nan")}, {"Alpha": float("inf")}, {"Delta": 1}],
)
def test_what_cannot_be_a_prior_is_refused(predictor: Predictor, prior: Prior) -> None:
    with pytest.raises(InvalidPriorError):
        predictor.predict(["Kaboski"], prior=prior)
