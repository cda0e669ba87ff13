"""Similarity of a name to each of many names: TF-IDF cosine of their n-grams, by an inverted index.

A name is a vector of its 2- and 3-grams, boundaries included, each weighted by its inverse document frequency (Salton,
Buckley, "Term-weighting approaches in automatic text retrieval", 1988). Only names that share an n-gram are touched.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

MARK: Final = "\n"
"""Stands before and after each name; no folded name holds it."""

_CODE_BITS = 21  # a Unicode code point fits, and three of them an int64


class NgramIndex:
    """Which names have each n-gram (G,), those of one label side by side as the names (N,) are, and what it weighs."""

    def __init__(self, lines: str) -> None:
        grams, names = _grams(lines)
        order = np.argsort(grams, kind="stable")
        grams, self._names = grams[order], names[order]  # a name stands as often as it has the n-gram
        new_gram = np.diff(grams, prepend=-1) != 0
        self._starts = np.append(np.flatnonzero(new_gram), len(grams))
        self._grams = grams[new_gram]
        once = np.flatnonzero(new_gram | (np.diff(self._names, prepend=np.int32(-1)) != 0))
        gram_ids, owners = np.cumsum(new_gram, dtype=np.int32)[once] - 1, self._names[once]
        frequencies = np.bincount(gram_ids)
        n_names = int(names.max()) + 1
        # one more name that has every n-gram: an unseen one gets a weight, and none has weight 0
        self._rarity = np.log((n_names + 1) / (np.append(frequencies, 0) + 1)) + 1
        counts = np.diff(once, append=len(grams))
        self._norms = np.sqrt(np.bincount(owners, (counts * self._rarity[gram_ids]) ** 2))

    def similarities(self, folded: str, first: int, last: int) -> NDArray[np.float64]:
        """Return the cosine of a name with each name from first up to last."""
        grams, counts = np.unique(_grams(folded + MARK)[0], return_counts=True)
        gram_ids = self._grams.searchsorted(grams)
        known = self._grams.take(gram_ids, mode="clip") == grams
        rarity = self._rarity[np.where(known, gram_ids, len(self._grams))]
        bounds = np.array((first, last), dtype=self._names.dtype)  # another type would copy what is searched
        owners = [self._names[:0]]
        for start, end in zip(self._starts[gram_ids[known]], self._starts[gram_ids[known] + 1], strict=True):
            begin, stop = self._names[start:end].searchsorted(bounds)
            owners.append(self._names[start + begin : start + stop])
        weights = np.repeat((counts * rarity**2)[known], [len(names) for names in owners[1:]])
        products = np.bincount(np.concatenate(owners) - first, weights, minlength=last - first)
        return np.asarray(products / self._norms[first:last] / np.linalg.norm(counts * rarity))


def _grams(lines: str) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Return the 2- and 3-grams of names that each end in a mark, as numbers, and the position of each one's name."""
    codes = np.frombuffer((MARK + lines).encode("utf-32-le"), dtype="<u4").astype(np.int64)
    names = np.cumsum(codes[:-1] == ord(MARK), dtype=np.int32) - 1
    pairs = codes[:-1] << _CODE_BITS | codes[1:]
    inside = np.flatnonzero(codes[1:-1] != ord(MARK))  # a 3-gram around a mark would belong to two names
    triples = pairs[inside] << _CODE_BITS | codes[inside + 2]
    return np.concatenate((pairs, triples)), np.concatenate((names, names[inside]))
