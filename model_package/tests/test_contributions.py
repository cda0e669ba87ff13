from pathlib import Path

import numpy as np
import pytest

from model.constants import UNKNOWN_ID
from model.errors import InvalidNameError, UnknownLabelError
from model.explain.contributions import explain, occlude
from model.prediction import Predictor


@pytest.fixture(scope="module")
def predictor(exported: Path) -> Predictor:
    return Predictor.load(exported)


def test_explains_the_first_answer_letter_by_letter(predictor: Predictor) -> None:
    answer = predictor.predict(["Kaboski"], top_k=1)[0]
    explanation = explain(predictor, "KABÓSKI")
    assert (explanation.label, explanation.log_prob) == (answer.labels[0], answer.log_probs[0])
    assert "".join(explanation.characters) == "kaboski"
    assert len(explanation.contributions) == 7
    assert np.isfinite(explanation.contributions).all()


def test_the_ending_that_tells_the_labels_apart_matters_most(predictor: Predictor) -> None:
    contributions = explain(predictor, "Kaboski", "Alpha").contributions
    assert max(contributions[-3:]) > max(contributions[:-3])


def test_a_label_may_be_chosen_and_must_be_there(predictor: Predictor) -> None:
    assert explain(predictor, "Kaboski", "Beta").label == "Beta"
    with pytest.raises(UnknownLabelError, match="Alpha, Beta, Gamma"):
        explain(predictor, "Kaboski", "Delta")


def test_one_letter_and_no_known_letter(predictor: Predictor) -> None:
    assert len(explain(predictor, "k").contributions) == 1
    with pytest.raises(InvalidNameError):
        explain(predictor, "名")


def test_a_contribution_is_the_mean_over_both_ways_to_hide_a_letter(predictor: Predictor) -> None:
    ids, label_id = predictor.encode("Kabo"), 0
    shorter = [ids[:i] + ids[i + 1 :] for i in range(1, 5)]
    masked = [[*ids[:i], UNKNOWN_ID, *ids[i + 1 :]] for i in range(1, 5)]
    whole, *hidden = predictor.log_probs_of_ids([ids, *shorter, *masked])[:, label_id]
    expected = [whole - (out + mask) / 2 for out, mask in zip(hidden[:4], hidden[4:], strict=True)]
    assert occlude(predictor, ids, label_id) == pytest.approx(expected)
    assert not np.allclose(hidden[:4], hidden[4:])  # the two ways differ, so that neither can stand for both
