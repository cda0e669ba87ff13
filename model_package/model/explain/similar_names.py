"""Find the training names of a label that are most like a name: an exact search over those in the bundle.

The file holds the names alone, which keeps it small; what the search needs is made of them on first use, in about a
tenth of a second for 60,000 names (benchmarks/similarity.py).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from threading import Lock
from typing import Any, Self

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray
from safetensors import SafetensorError

from model.artifacts import Bundle, read_bundle
from model.constants import DEFAULT_NEIGHBOURS, MAX_NEIGHBOURS, SIMILAR_FILE
from model.errors import BundleError, InvalidTopKError, UnknownLabelError
from model.explain.ngram_index import MARK, NgramIndex
from model.prediction import Predictor
from model.utils import Ids, fold

_DECIMALS = 6  # similarities that agree so far are equal: what differs after that is the order of summation


@dataclass(frozen=True, slots=True)
class Neighbour:
    """A training name, folded, and its similarity to the name asked about: over 0, and 1 for the same n-grams."""

    name: str
    similarity: float


@dataclass(frozen=True, slots=True)
class Neighbourhood:
    """The label that was searched and its nearest training names, the most similar first."""

    label: str
    neighbours: tuple[Neighbour, ...]


def similar(
    predictor: Predictor, index: "SimilarNames", name: str, label: str | None = None, n: int = DEFAULT_NEIGHBOURS
) -> Neighbourhood:
    """Return the n training names of a label, or of the most probable one, that are nearest to a name as it is read.

    Raises:
        InvalidNameError: the name is empty or too long, or a label is to be predicted from no known character.
        UnknownLabelError: the model has no such label.
        InvalidTopKError: n is not between 1 and MAX_NEIGHBOURS.
    """
    if label is None:
        label = predictor.predict_label(name)
    return Neighbourhood(label, tuple(index.nearest(predictor.read(name), label, n)))


def build_index(labels: Sequence[str], names: Sequence[str], label_ids: Ids) -> bytes:
    """Return the content of SIMILAR_FILE for N folded names; `label_ids` (N,) indexes `labels`."""
    rows = sorted(zip(label_ids.tolist(), names, strict=True))
    tensors: dict[str, NDArray[Any]] = {
        "labels": _to_lines(labels),
        "names": _to_lines([name for _, name in rows]),
        "counts": np.bincount(label_ids, minlength=len(labels)).astype(np.int64),
    }
    return safetensors.numpy.save(tensors)


class SimilarNames:
    """Finds the training names that are most like a name; safe to share between threads."""

    def __init__(self, content: bytes) -> None:
        try:
            tensors = safetensors.numpy.load(content)
            labels, self._names, counts = (tensors[key] for key in ("labels", "names", "counts"))
            self.labels = tuple(labels.tobytes().decode().split(MARK)[:-1])
            self._names.tobytes().decode()  # only to see that it can be
        except (SafetensorError, KeyError, ValueError):
            raise BundleError(f"{SIMILAR_FILE} cannot be read; train or copy the bundle again.") from None
        ends = np.flatnonzero(self._names == ord(MARK)) + 1
        whole = self._names.dtype == np.uint8 and self._names.shape == (*ends[-1:],)
        counted = counts.dtype == np.int64 and counts.shape == (len(self.labels),)
        if not whole or not counted or counts.sum() != ends.size or not ((counts >= 0) & (counts <= ends.size)).all():
            raise BundleError(f"{SIMILAR_FILE} does not hold as many names as it says; train or copy the bundle again.")
        self._name_starts = np.concatenate(([0], ends)).astype(np.int32)  # (N + 1,) into the bytes of the names
        self._made: NgramIndex | None = None
        self._making = Lock()
        self._label_starts = [0, *np.cumsum(counts).tolist()]

    @classmethod
    def load(cls, directory: str | Path) -> Self:
        """Load the index of a verified bundle.

        Raises:
            BundleError: the bundle is missing, incomplete or damaged, or holds no index of its labels.
        """
        return cls.from_bundle(read_bundle(Path(directory)))

    @classmethod
    def from_bundle(cls, bundle: Bundle) -> Self:
        """Return the index of a bundle that was read. Raises BundleError if it holds none of its labels."""
        if SIMILAR_FILE not in bundle.files:
            raise BundleError(f"The bundle holds no {SIMILAR_FILE}: an older version wrote it; train it again.")
        index = cls(bundle.files[SIMILAR_FILE])
        if index.labels != bundle.metadata.labels:
            raise BundleError(f"{SIMILAR_FILE} has other labels than the metadata; train the bundle again.")
        return index

    def nearest(self, name: str, label: str, n: int = DEFAULT_NEIGHBOURS) -> list[Neighbour]:
        """Return the n names of a label that are most like a name, raw or folded; fewer if fewer share an n-gram.

        The same name comes first, then the more similar, equal ones in alphabetical order; all as they were folded.

        Raises:
            InvalidNameError: the name is empty or too long.
            UnknownLabelError: the index has no such label.
            InvalidTopKError: n is not between 1 and MAX_NEIGHBOURS.
        """
        if label not in self.labels:
            raise UnknownLabelError(f"The model has no such label; it has: {', '.join(self.labels)}.")
        if not 1 <= n <= MAX_NEIGHBOURS:
            raise InvalidTopKError(f"The number of similar names must be between 1 and {MAX_NEIGHBOURS}.")
        folded = fold(name)
        label_id = self.labels.index(label)
        first, last = self._label_starts[label_id : label_id + 2]
        similarities = self._ngram_index.similarities(folded, first, last)
        rows = np.flatnonzero(similarities > 10**-_DECIMALS)
        if len(rows) > n:
            least = np.partition(similarities[rows], -n)[-n] - 10**-_DECIMALS
            rows = rows[similarities[rows] >= least]
        neighbours = [Neighbour(self._name(first + row), round(float(similarities[row]), _DECIMALS)) for row in rows]
        return sorted(neighbours, key=lambda found: (-found.similarity, found.name != folded, found.name))[:n]

    def all_names(self) -> set[str]:
        """Return every name of the index, folded."""
        return set(self._names.tobytes().decode().split(MARK)[:-1])

    def names_by_label(self) -> dict[str, list[str]]:
        """Return the names of each label, folded."""
        names = self._names.tobytes().decode().split(MARK)[:-1]
        return {
            label: names[first:last]
            for label, (first, last) in zip(self.labels, pairwise(self._label_starts), strict=True)
        }

    def _name(self, row: int) -> str:
        return self._names[self._name_starts[row] : self._name_starts[row + 1] - 1].tobytes().decode()

    @property
    def is_warm(self) -> bool:
        """Whether a search has been made, so that the next one is fast."""
        return self._made is not None

    def warm(self) -> None:
        """Make now what the first search would make."""
        with self._making:  # the making takes ten times the memory that what is made does
            if self._made is None:
                self._made = NgramIndex(self._names.tobytes().decode())

    @property
    def _ngram_index(self) -> NgramIndex:
        if self._made is None:
            self.warm()
        assert self._made is not None
        return self._made


def _to_lines(texts: Sequence[str]) -> NDArray[np.uint8]:
    return np.frombuffer("".join(text + MARK for text in texts).encode(), dtype=np.uint8)
