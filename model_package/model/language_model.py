"""How likely a name's letters are under each label: smoothed counts of n-grams, in NumPy alone."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.constants import END_ID, START_ID
from model.utils import Ids

_CHUNK = 4096  # windows scored at a time: memory stays flat however many names come
_LARGEST_CODE = 2**62


@dataclass(frozen=True)
class _Order:
    """Counts of the n-grams of one length: (G, L) by n-gram; (C, L) totals and kinds of letters by context."""

    grams: NDArray[np.int64]
    contexts: NDArray[np.int64]
    counts: NDArray[np.float32]
    totals: NDArray[np.float32]
    kinds: NDArray[np.float32]


class LanguageModel:
    """A character n-gram model for each of L labels, every order interpolated with the next shorter one.

    Witten and Bell, "The Zero-Frequency Problem", 1991 (method C). Memory grows with n-grams times labels.
    """

    def __init__(self, sequences: Sequence[Sequence[int]], label_ids: Ids, n_labels: int, order: int = 5) -> None:
        """Count the n-grams of token sequences (start, characters, end) with labels (N,)."""
        self.n_labels = n_labels
        self.n_tokens = 1 + max(max(sequence) for sequence in sequences)
        while (self.n_tokens + 1) ** order > _LARGEST_CODE:
            order -= 1
        windows, owners = _windows(sequences, order)
        self._orders = [self._count(self._encode(windows, n), label_ids[owners]) for n in range(1, order + 1)]

    def log_probs(self, sequences: Sequence[Sequence[int]]) -> NDArray[np.float64]:
        """Return the natural-log probability (N, L) of each whole sequence under each label."""
        windows, owners = _windows(sequences, len(self._orders))
        # a token never counted has a context of its own, of which nothing is known
        windows = np.minimum(windows, self.n_tokens)
        scores = np.zeros((len(sequences), self.n_labels))
        for start in range(0, len(windows), _CHUNK):
            chunk = slice(start, start + _CHUNK)
            np.add.at(scores, owners[chunk], np.log(self._probabilities(windows[chunk])))
        return scores

    def sample(self, label_ids: Ids, rng: np.random.Generator, longest: int) -> list[list[int]]:
        """Return a token sequence (start, tokens, end) drawn for each label (N,), cut off after `longest` tokens."""
        sequences: list[list[int]] = [[] for _ in label_ids]
        for label_id in np.unique(label_ids):
            positions = np.flatnonzero(label_ids == label_id)
            tokens = self._sample_label(int(label_id), len(positions), rng, longest)
            for position, row in zip(positions, tokens.tolist(), strict=True):
                length = row.index(END_ID) if END_ID in row else longest
                sequences[position] = [START_ID, *row[:length], END_ID]
        return sequences

    def _sample_label(self, label_id: int, n: int, rng: np.random.Generator, longest: int) -> NDArray[np.int64]:
        """Return tokens (n, longest); what follows an end means nothing."""
        n_orders = len(self._orders)
        sums = [np.concatenate([[0], np.cumsum(order.counts[:, label_id])]) for order in self._orders]
        tokens = np.full((n, n_orders - 1 + longest), START_ID, dtype=np.int64)
        for end in range(n_orders - 1, tokens.shape[1]):
            undrawn = np.ones(n, dtype=bool)
            for length in range(n_orders, 0, -1):
                order = self._orders[length - 1]
                context = self._encode(tokens[:, :end], length - 1) if length > 1 else np.zeros(n, dtype=np.int64)
                row = np.minimum(np.searchsorted(order.contexts, context), len(order.contexts) - 1)
                known = order.contexts[row] == context
                total, kinds = order.totals[row, label_id] * known, order.kinds[row, label_id]
                # Witten-Bell's own weights say how far to trust this order
                drawn = undrawn & (total > 0) & (rng.random(n) * (total + kinds * (length > 1)) < total)
                first = sums[length - 1][np.searchsorted(order.grams, context * (self.n_tokens + 1))]
                gram = np.searchsorted(sums[length - 1], first + rng.random(n) * total, side="right") - 1
                tokens[drawn, end] = order.grams[gram[drawn]] % (self.n_tokens + 1)
                undrawn &= ~drawn
        return tokens[:, n_orders - 1 :]

    def _probabilities(self, windows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return the probability (P, L) of each window's last token after the ones before it."""
        probabilities = np.full((len(windows), self.n_labels), 1 / self.n_tokens, dtype=np.float32)
        for n, order in enumerate(self._orders, 1):
            codes = self._encode(windows, n)
            counts = _look_up(order.counts, order.grams, codes)
            context = codes // (self.n_tokens + 1)
            totals, kinds = (_look_up(table, order.contexts, context) for table in (order.totals, order.kinds))
            smoothed = (counts + kinds * probabilities) / np.maximum(totals + kinds, 1)
            probabilities = np.where(totals > 0, smoothed, probabilities)
        return probabilities

    def _encode(self, windows: NDArray[np.int64], n: int) -> NDArray[np.int64]:
        powers = (self.n_tokens + 1) ** np.arange(n - 1, -1, -1)
        return np.asarray(windows[:, -n:] @ powers)

    def _count(self, codes: NDArray[np.int64], label_ids: Ids) -> _Order:
        grams, gram_of = np.unique(codes, return_inverse=True)
        counts = np.zeros((len(grams), self.n_labels), dtype=np.float32)
        np.add.at(counts, (gram_of, label_ids), 1)
        contexts, first = np.unique(grams // (self.n_tokens + 1), return_index=True)
        return _Order(
            grams,
            contexts,
            counts,
            np.add.reduceat(counts, first),
            np.add.reduceat(counts > 0, first, dtype=np.float32),
        )


def _look_up(table: NDArray[np.float32], keys: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the rows of a table with sorted keys; zeros where a key is missing."""
    rows = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
    return np.asarray(table[rows] * (keys[rows] == wanted)[:, None])


def _windows(sequences: Sequence[Sequence[int]], order: int) -> tuple[NDArray[np.int64], NDArray[np.intp]]:
    """Return each token but the start with the tokens before it (P, order), and whose it is (P,)."""
    lengths = np.array([len(sequence) - 1 for sequence in sequences])
    padding = [START_ID] * (order - 2)
    tokens = np.array([token for sequence in sequences for token in (*padding, *sequence)], dtype=np.int64)
    owners = np.repeat(np.arange(len(sequences)), lengths)
    blocks = np.repeat(np.arange(len(sequences)), lengths + len(padding) + 1)
    places = np.arange(len(tokens)) - np.concatenate([[0], np.cumsum(lengths + len(padding) + 1)])[blocks]
    ends = np.flatnonzero(places > len(padding))
    return tokens[ends[:, None] + np.arange(1 - order, 1)], owners
