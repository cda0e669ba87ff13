"""Character n-gram language models, one a label: smoothed counts as sums of weights, in NumPy."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.constants import START_ID
from model.utils import Ids

_MAX_CODE = 2**62


@dataclass(frozen=True)
class Ngrams:
    """The n-grams of one length (G, n), how often they were counted (G,), what each adds under each label (G, L)."""

    tokens: Ids
    counts: NDArray[np.float32]
    weights: NDArray[np.float32]


class LanguageModel:
    """A character n-gram model for each of L labels, every order interpolated with the next shorter one.

    Witten and Bell, "The Zero-Frequency Problem", 1991 (method C). What was never counted has the probability of the
    n-gram that is one shorter, times a factor of its context. So a name's log-probability is a sum over its n-grams:
    each that was counted adds what that is more than this, and each context, wherever it stands, adds its factor.
    Memory grows with n-grams times labels.
    """

    def __init__(
        self, sequences: Sequence[Sequence[int]], label_ids: Ids, n_labels: int, n_tokens: int, order: int = 5
    ) -> None:
        """Count the n-grams of token sequences (start, characters, end), all below n_tokens, with labels (N,)."""
        while n_tokens**order > _MAX_CODE:
            order -= 1
        self._n_tokens = n_tokens
        self._codes: list[Ids] = []
        self._counts: list[NDArray[np.float32]] = []
        self._weights: list[NDArray[np.float32]] = []
        probabilities = np.full((1, n_labels), 1 / n_tokens, dtype=np.float32)
        for n in range(1, order + 1):
            codes, owners = self._encode(sequences, n)
            if n == 1:  # tokens never counted have a probability too
                codes, owners = np.append(codes, np.arange(n_tokens)), np.append(owners, np.full(n_tokens, -1))
            if not len(codes):  # no name is as long
                break
            known, rows = np.unique(codes, return_inverse=True)
            counts = np.zeros((len(known), n_labels), dtype=np.float32)
            real = (owners >= 0) & (known[rows] != START_ID if n == 1 else True)
            np.add.at(counts, (rows[real], label_ids[owners[real]]), 1)
            probabilities = self._append(n, known, counts, probabilities)

    def _append(
        self, n: int, codes: Ids, counts: NDArray[np.float32], shorter: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Add the n-grams of length n; take and return probabilities (G, L) of the last token after the others."""
        context, suffix = np.zeros_like(codes), np.zeros_like(codes)
        if n > 1:
            context = np.searchsorted(self._codes[-1], codes // self._n_tokens)
            suffix = np.searchsorted(self._codes[-1], codes % self._n_tokens ** (n - 1))
        totals, kinds = (np.zeros_like(shorter) for _ in range(2))
        np.add.at(totals, context, counts)
        np.add.at(kinds, context, counts > 0)
        factors = np.where(totals > 0, kinds / np.maximum(totals + kinds, 1), 1)  # of what was never counted
        self._codes.append(codes)
        self._counts.append(counts.sum(axis=1))
        uncounted = factors[context]
        uncounted *= shorter[suffix]  # in place, as what follows: these are the largest arrays of a training
        counts /= np.maximum(totals + kinds, 1)[context]
        probabilities = np.add(counts, uncounted, out=counts)
        weights = probabilities.copy() if n == 1 else np.divide(probabilities, uncounted, out=uncounted)
        np.log(weights, out=weights)
        if n == 1:
            weights[START_ID] = 0  # is given, not predicted
        else:
            self._weights[-1] += np.log(factors)
        self._weights.append(weights)
        return probabilities

    def log_probs(self, sequences: Sequence[Sequence[int]]) -> NDArray[np.float64]:
        """Return the natural-log probability (N, L) of each whole sequence under each label."""
        scores = np.zeros((len(sequences), self._weights[0].shape[1]))
        for n, (known, weights) in enumerate(zip(self._codes, self._weights, strict=True), 1):
            codes, owners = self._encode(sequences, n)
            rows = np.minimum(np.searchsorted(known, codes), len(known) - 1)
            counted = known[rows] == codes
            np.add.at(scores, owners[counted], weights[rows[counted]])
        return scores

    def ngrams(self) -> list[Ngrams]:
        """Return what was counted, by length from 1."""
        return [
            Ngrams(codes[:, None] // self._n_tokens ** np.arange(n - 1, -1, -1) % self._n_tokens, counts, weights)
            for n, (codes, counts, weights) in enumerate(zip(self._codes, self._counts, self._weights, strict=True), 1)
        ]

    def _encode(self, sequences: Sequence[Sequence[int]], n: int) -> tuple[Ids, NDArray[np.intp]]:
        """Return a number for each n-gram (P,), and whose it is (P,)."""
        lengths = np.array([len(sequence) for sequence in sequences])
        tokens = np.array([token for sequence in sequences for token in sequence], dtype=np.int64)
        owners = np.repeat(np.arange(len(sequences)), lengths)
        last = np.flatnonzero(np.arange(len(tokens)) - np.repeat(np.cumsum(lengths) - lengths, lengths) >= n - 1)
        codes = sum(tokens[last - back] * self._n_tokens**back for back in range(n))
        return np.asarray(codes), owners[last]
