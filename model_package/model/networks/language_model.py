"""Character n-gram language models, one a label: smoothed counts as sums of weights, in NumPy."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.constants import START_ID
from model.token_sequences import TokenSequences
from model.utils import Ids

_MAX_CODE = 2**62


@dataclass(frozen=True)
class Ngrams:
    """The n-grams of one length (G, n), how often they were counted (G,), and what they add under labels.

    Of those that add anything under a label there are P pairs: the row of the n-gram, the label, and the weight.
    """

    tokens: Ids
    counts: Ids
    rows: NDArray[np.intp]
    label_ids: Ids
    weights: NDArray[np.float32]


class LanguageModel:
    """A character n-gram model for each of L labels, every order interpolated with the next shorter one.

    Witten and Bell, "The Zero-Frequency Problem", 1991 (method C). What was never counted has the probability of the
    n-gram that is one shorter, times a factor of its context. So a name's log-probability is a sum over its n-grams:
    each that was counted adds what that is more than this, and each context, wherever it stands, adds its factor.
    Time and memory grow with the n-grams that each label has, not with n-grams times labels.
    """

    def __init__(
        self,
        sequences: TokenSequences | Sequence[Sequence[int]],
        label_ids: Ids,
        n_labels: int,
        n_tokens: int,
        order: int = 5,
    ) -> None:
        """Count the n-grams of token sequences (start, characters, end), all below n_tokens, with labels (N,)."""
        while n_tokens**order > _MAX_CODE:
            order -= 1
        packed = TokenSequences.pack(sequences)
        by_label = np.argsort(label_ids, kind="stable")
        ends = np.cumsum(np.bincount(label_ids, minlength=n_labels))[:-1]
        self._n_tokens = n_tokens
        self._models = [_LabelModel(packed.take(part), n_tokens, order) for part in np.split(by_label, ends)]

    def log_probs(self, sequences: TokenSequences | Sequence[Sequence[int]]) -> NDArray[np.float64]:
        """Return the natural-log probability (N, L) of each whole sequence under each label."""
        packed = TokenSequences.pack(sequences)
        scores = np.zeros((len(packed), len(self._models)))
        for n in range(1, max(len(model.codes) for model in self._models) + 1):
            codes, owners = _encode(packed, n, self._n_tokens)
            for label_id, model in enumerate(self._models):
                if n <= len(model.codes):
                    scores[:, label_id] += model.score(n, codes, owners, len(packed))
        return scores

    def ngrams(self) -> Iterator[Ngrams]:
        """Yield what was counted, by length from 1."""
        for n in range(1, max(len(model.codes) for model in self._models) + 1):
            models = [model if n <= len(model.codes) else None for model in self._models]
            codes = np.concatenate([model.codes[n - 1] for model in models if model])
            known, rows = np.unique(codes, return_inverse=True)
            counts = np.bincount(rows, np.concatenate([model.counts[n - 1] for model in models if model]))
            sizes = [len(model.codes[n - 1]) if model else 0 for model in models]
            yield Ngrams(
                known[:, None] // self._n_tokens ** np.arange(n - 1, -1, -1) % self._n_tokens,
                counts.astype(np.int64),
                rows,
                np.repeat(np.arange(len(models)), sizes),
                np.concatenate([model.weights[n - 1] for model in models if model]),
            )


class _LabelModel:
    """The model of one label: by length from 1, n-grams as sorted numbers (G,), their counts and their weights."""

    def __init__(self, sequences: TokenSequences, n_tokens: int, order: int) -> None:
        self.codes: list[Ids] = []
        self.counts: list[Ids] = []
        self.weights: list[NDArray[np.float32]] = []
        probabilities = np.full(1, 1 / n_tokens)
        for n in range(1, order + 1):
            found, _ = _encode(sequences, n, n_tokens)
            if n == 1:  # tokens never counted have a probability too; the start is given, not predicted
                codes, counts = np.arange(n_tokens), np.bincount(found[found != START_ID], minlength=n_tokens)
            else:
                codes, counts = np.unique(found, return_counts=True)
            if not len(codes):  # no name is as long
                break
            probabilities = self._append(n, codes, counts, probabilities, n_tokens)

    def _append(
        self, n: int, codes: Ids, counts: Ids, shorter: NDArray[np.float64], n_tokens: int
    ) -> NDArray[np.float64]:
        """Add the n-grams of length n; take and return probabilities (G,) of the last token after the others."""
        context, suffix = np.zeros_like(codes), np.zeros_like(codes)
        if n > 1:
            context = np.searchsorted(self.codes[-1], codes // n_tokens)
            suffix = np.searchsorted(self.codes[-1], codes % n_tokens ** (n - 1))
        totals = np.bincount(context, counts, minlength=len(shorter))
        kinds = np.bincount(context, counts > 0, minlength=len(shorter))
        factors = np.where(totals > 0, kinds / np.maximum(totals + kinds, 1), 1)  # of what was never counted
        uncounted = factors[context] * shorter[suffix]
        probabilities = counts / np.maximum(totals + kinds, 1)[context] + uncounted
        weights = np.log(probabilities if n == 1 else probabilities / uncounted)
        if n == 1:
            weights[START_ID] = 0
        else:
            self.weights[-1] += np.log(factors).astype(np.float32)
        self.codes.append(codes)
        self.counts.append(counts)
        self.weights.append(weights.astype(np.float32))
        return np.asarray(probabilities)

    def score(self, n: int, codes: Ids, owners: NDArray[np.intp], n_sequences: int) -> NDArray[np.float64]:
        """Return what n-grams of length n (P,) add to the sequences (N,) that own them."""
        known = self.codes[n - 1]
        rows = np.minimum(np.searchsorted(known, codes), len(known) - 1)
        counted = known[rows] == codes
        return np.bincount(owners[counted], self.weights[n - 1][rows[counted]], n_sequences).astype(np.float64)


def _encode(sequences: TokenSequences, n: int, n_tokens: int) -> tuple[Ids, NDArray[np.intp]]:
    """Return a number for each n-gram (P,), and whose it is (P,)."""
    lengths, tokens = sequences.lengths(), sequences.tokens.astype(np.int64)
    owners = np.repeat(np.arange(len(sequences)), lengths)
    last = np.flatnonzero(np.arange(len(tokens)) - sequences.starts[owners] >= n - 1)
    codes = sum(tokens[last - back] * n_tokens**back for back in range(n))
    return np.asarray(codes), owners[last]
