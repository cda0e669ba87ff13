import numpy as np
import pytest

from model.language_model import LanguageModel

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


def test_samples_follow_what_was_counted() -> None:
    language = LanguageModel([AB] * 30 + [BA] * 30, np.repeat([0, 1], 30), n_labels=2)
    label_ids = np.tile([0, 1], 200)
    names = language.sample(label_ids, np.random.default_rng(0), longest=20)
    assert all(name[0] == 1 and name[-1] == 2 and len(name) <= 22 for name in names)
    assert {token for name in names for token in name[1:-1]} == {3, 4}
    assert np.mean([name == AB for name in names[::2]]) > 0.8
    assert np.mean([name == BA for name in names[1::2]]) > 0.8
    assert language.sample(label_ids, np.random.default_rng(0), longest=20) == names


def test_a_sample_that_does_not_end_is_cut() -> None:
    language = LanguageModel([LONG] * 9, np.zeros(9, dtype=np.int64), n_labels=1)
    assert max(map(len, language.sample(np.zeros(50, dtype=np.int64), np.random.default_rng(0), longest=10))) == 12
