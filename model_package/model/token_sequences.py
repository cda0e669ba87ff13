"""Token ids of many names, packed one behind the other: they take a quarter of the memory of lists."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Self

import numpy as np
from numpy.typing import NDArray

from model.constants import END_ID, START_ID
from model.utils import Ids, encode_character

_CHUNK = 2**16  # sequences that are copied at once


@dataclass(frozen=True)
class TokenSequences:
    """N sequences: their token ids (S,), one sequence behind the other, and where each starts, and the last ends."""

    tokens: NDArray[np.int32]
    starts: Ids

    @classmethod
    def encode(cls, names: Sequence[str], vocabulary: Mapping[str, int]) -> Self:
        """Return what `utils.encode` makes of each folded name."""
        starts = _starts(np.fromiter((len(name) + 2 for name in names), np.int64, len(names)))
        points = np.frombuffer("".join(names).encode("utf-32-le"), dtype="<u4")
        present = np.unique(points)
        ids = np.array([encode_character(chr(point), vocabulary) for point in present.tolist()], dtype=np.int32)
        tokens = np.zeros(starts[-1], dtype=np.int32)
        inside = np.ones(len(tokens), dtype=bool)
        inside[starts[:-1]] = inside[starts[1:] - 1] = False
        tokens[inside] = ids[np.searchsorted(present, points)]
        tokens[starts[:-1]], tokens[starts[1:] - 1] = START_ID, END_ID
        return cls(tokens, starts)

    @classmethod
    def pack(cls, sequences: "TokenSequences | Iterable[Sequence[int]]") -> "TokenSequences":
        """Return token sequences packed, those that are so already as they are."""
        if isinstance(sequences, TokenSequences):
            return sequences
        rows = list(sequences)
        starts = _starts(np.array([len(row) for row in rows], dtype=np.int64))
        return cls(np.fromiter(chain.from_iterable(rows), np.int32, starts[-1]), starts)

    @classmethod
    def concatenate(cls, parts: Sequence["TokenSequences"]) -> Self:
        """Return the sequences of all parts, in order."""
        return cls(
            np.concatenate([part.tokens for part in parts]), _starts(np.concatenate([part.lengths() for part in parts]))
        )

    def __len__(self) -> int:
        return len(self.starts) - 1

    def __iter__(self) -> Iterator[NDArray[np.int32]]:
        return (self.tokens[start:end] for start, end in zip(self.starts, self.starts[1:], strict=False))

    def lengths(self) -> Ids:
        """Return how many tokens each sequence (N,) has."""
        return np.diff(self.starts)

    def take(self, positions: NDArray[np.intp]) -> "TokenSequences":
        """Return the sequences at positions (K,)."""
        starts = _starts(self.lengths()[positions])
        tokens = np.empty(starts[-1], dtype=np.int32)
        for first in range(0, len(positions), _CHUNK):  # an index of all tokens would take four times what they do
            ends = starts[first : first + _CHUNK + 1]
            shifts = self.starts[positions[first : first + _CHUNK]] - ends[:-1]
            places = np.arange(ends[0], ends[-1])
            tokens[places] = self.tokens[places + np.repeat(shifts, np.diff(ends))]
        return TokenSequences(tokens, starts)

    def stack(self, positions: NDArray[np.intp]) -> Ids:
        """Return the ids (K, T) of the sequences at positions (K,), which are of one length T."""
        first = self.starts[positions]
        length = self.starts[positions[0] + 1] - first[0]
        return self.tokens[first[:, None] + np.arange(length)].astype(np.int64)

    def by_length(self) -> list[NDArray[np.intp]]:
        """Return the positions of the sequences of each length that is present, the shortest first.

        Equal lengths need neither padding nor masks, so a batch computes what its singles compute.
        """
        lengths = self.lengths()
        order = np.argsort(lengths, kind="stable")
        return [group for group in np.split(order, np.flatnonzero(np.diff(lengths[order])) + 1) if len(group)]


def _starts(lengths: Ids) -> Ids:
    return np.concatenate((np.zeros(1, dtype=np.int64), np.cumsum(lengths, dtype=np.int64)))
