from dataclasses import replace

import numpy as np
import pytest

from model.data import build_dataset
from model.language_model import LanguageModel
from model.splitting import Split
from model.teacher import soft_targets
from model.training import encode_all

# start = 1, end = 2, letters from 3
AB, BA, LONG = [1, 3, 4, 2], [1, 4, 3, 2], [1, *[3, 4] * 30, 2]


def test_all_continuations_of_a_context_add_up_to_one() -> None:
    language = LanguageModel([AB, BA, LONG], np.array([0, 1, 1]), n_labels=2, order=3)
    # a name of one letter: its letter, then the end; of every name that starts so, the letter's probability remains
    first = {token: language.log_probs([[1, token]])[0] for token in range(5)}
    assert np.exp(list(first.values())).sum(axis=0) == pytest.approx([1, 1])


def test_prefers_what_it_counted() -> None:
    language = LanguageModel([AB] * 9 + [BA] * 9, np.repeat([0, 1], 9), n_labels=2)
    log_probs = language.log_probs([AB, BA, LONG, [1, 99, 2]])
    assert log_probs[:2].argmax(axis=1).tolist() == [0, 1]
    assert np.isfinite(log_probs).all()
    assert log_probs[3, 0] == pytest.approx(log_probs[3, 1])  # a letter that neither knows


def test_an_alphabet_too_large_for_long_n_grams_takes_shorter_ones() -> None:
    names = [[1, 5, 200_000, 2], [1, 200_000, 5, 2]]
    log_probs = LanguageModel(names, np.array([0, 1]), n_labels=2).log_probs(names)
    assert log_probs.argmax(axis=1).tolist() == [0, 1]


def test_a_batch_equals_its_singles() -> None:
    language = LanguageModel([AB, BA, LONG], np.array([0, 1, 1]), n_labels=2)
    singles = [language.log_probs([name])[0] for name in (AB, LONG, BA)]
    assert language.log_probs([AB, LONG, BA]) == pytest.approx(np.array(singles))


def test_soft_targets_are_probabilities_that_the_label_leads(split: Split) -> None:
    train = split.train
    sequences = encode_all(train, train.characters())
    targets = soft_targets(train, sequences, train.weights(0), share=0.4, seed=0)
    assert targets.sum(axis=1) == pytest.approx(np.ones(len(train)), abs=1e-5)
    assert (targets.argmax(axis=1) == train.label_ids).all()
    assert targets.min() >= 0
    teacher = (targets - 0.6 * np.eye(3)[train.label_ids]) / 0.4
    assert (teacher.argmax(axis=1) == train.label_ids).mean() > 0.8  # it never saw the name, but its ending
    hard = soft_targets(train, sequences, train.weights(0), share=0, seed=0)
    assert (hard == np.eye(3)[train.label_ids]).all()


def test_the_teacher_has_not_seen_the_name_that_it_judges() -> None:
    rng = np.random.default_rng(0)
    noise = {label: ["".join(rng.choice(list("abcdefgh"), 8)) for _ in range(200)] for label in "AB"}
    dataset = build_dataset(noise)
    sequences = encode_all(dataset, dataset.characters())
    targets = soft_targets(replace(dataset, ranks=np.full(len(dataset), np.inf)), sequences, np.ones(400), 0.9, seed=0)
    # nothing tells these labels apart but memory, which would make nearly all of them right
    assert (targets.argmax(axis=1) == dataset.label_ids).mean() < 0.65
