from collections import Counter, defaultdict
from math import log

import numpy as np
import pytest

from model.networks.language_model import LanguageModel

# start = 1, end = 2, letters from 3
AB, BA, LONG = [1, 3, 4, 2], [1, 4, 3, 2], [1, *[3, 4] * 30, 2]
NAMES, LABELS, N_TOKENS = [AB, BA, LONG, [1, 3, 3, 2], AB], np.array([0, 1, 1, 0, 1]), 6


def _witten_bell(names: list[list[int]], sequence: list[int], order: int) -> float:
    """Return the log-probability of one name, straight from the definition."""
    counts: defaultdict[tuple[int, ...], Counter[int]] = defaultdict(Counter)
    for name in names:
        for end in range(1, len(name)):
            for n in range(min(order, end + 1)):
                counts[tuple(name[end - n : end])][name[end]] += 1

    def probability(context: tuple[int, ...], token: int) -> float:
        shorter = probability(context[1:], token) if context else 1 / N_TOKENS
        total, kinds = counts[context].total(), len(counts[context])
        return (counts[context][token] + kinds * shorter) / (total + kinds) if total else shorter

    return sum(
        log(probability(tuple(sequence[max(0, end - order + 1) : end]), sequence[end]))
        for end in range(1, len(sequence))
    )


@pytest.mark.parametrize("order", [1, 2, 3, 5])
@pytest.mark.parametrize("sequence", [AB, BA, LONG, [1, 5, 3, 2], [1, 0, 2], [1, 2]])
def test_the_sum_of_weights_is_the_definition(order: int, sequence: list[int]) -> None:
    language = LanguageModel(NAMES, LABELS, 2, N_TOKENS, order)
    expected = [_witten_bell([NAMES[i] for i in np.flatnonzero(label == LABELS)], sequence, order) for label in (0, 1)]
    assert language.log_probs([sequence])[0] == pytest.approx(expected, rel=1e-4)


def test_every_ngram_stands_with_its_weight() -> None:
    language = LanguageModel(NAMES, LABELS, 2, N_TOKENS, order=3)
    weights: defaultdict[tuple[int, ...], dict[int, float]] = defaultdict(dict)
    for ngrams in language.ngrams():
        for row, label, weight in zip(ngrams.rows, ngrams.label_ids, ngrams.weights, strict=True):
            weights[tuple(ngrams.tokens[row].tolist())][int(label)] = float(weight)
    windows = [tuple(AB[i : i + n]) for n in (1, 2, 3) for i in range(len(AB) - n + 1)]
    sums = [sum(weights[window].get(label, 0) for window in windows) for label in (0, 1)]
    assert sums == pytest.approx(language.log_probs([AB])[0], rel=1e-5)


def test_prefers_what_it_counted() -> None:
    language = LanguageModel([AB] * 9 + [BA] * 9, np.repeat([0, 1], 9), 2, N_TOKENS)
    log_probs = language.log_probs([AB, BA, LONG, [1, 5, 2]])
    assert log_probs[:2].argmax(axis=1).tolist() == [0, 1]
    assert np.isfinite(log_probs).all()
    assert log_probs[3, 0] == pytest.approx(log_probs[3, 1])  # a letter that neither knows


def test_an_alphabet_too_large_for_long_n_grams_takes_shorter_ones() -> None:
    names = [[1, 5, 200_000, 2], [1, 200_000, 5, 2]]
    log_probs = LanguageModel(names, np.array([0, 1]), 2, 200_001).log_probs(names)
    assert log_probs.argmax(axis=1).tolist() == [0, 1]


def test_a_batch_equals_its_singles() -> None:
    language = LanguageModel(NAMES, LABELS, 2, N_TOKENS)
    singles = [language.log_probs([name])[0] for name in (AB, LONG, BA)]
    assert language.log_probs([AB, LONG, BA]) == pytest.approx(np.array(singles))
