"""The lexicon: what the data lists, by hash: names with their labels, and what is no name. It need not be guessed."""

from collections.abc import Iterable, Iterator, Sequence
from hashlib import blake2b
from math import inf
from typing import Any, Self

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray
from safetensors import SafetensorError

from model.artifacts import Bundle
from model.constants import KNOWN_FILE
from model.errors import BundleError
from model.utils import Ids, joint_of, main_script, unmark

_TENSORS = {
    "hashes": np.uint64,
    "counts": np.uint16,
    "label_ids": np.uint16,
    "gains": np.float16,
    "outliers": np.uint64,
}
_UNLISTED = 0.03  # how often a name is taken to be met under a label that does not list it
_LENIENCY = 2.0  # logits; what a full name gains in familiarity of which half the words are listed
_SHARE_OF_BEGINNING = 0.5  # of a beginning's gain: it may be the family name, or a part of another


class Lexicon:
    """Hashes of names, with what their labels gain; one string in 10^14 that it lacks is taken to be in it."""

    def __init__(
        self,
        hashes: NDArray[np.uint64],
        ends: Ids,
        label_ids: NDArray[np.intp],
        gains: NDArray[np.float64],
        outliers: NDArray[np.uint64],
    ) -> None:
        """Take sorted hashes (N,), where the labels of each end (N,), these labels (P,) and their gains, nats (P,).

        Hashes of outliers (M,) are sorted, too.
        """
        self._hashes, self._ends, self._label_ids, self._gains = hashes, ends, label_ids, gains
        self._outliers = outliers

    @classmethod
    def build(
        cls,
        names: Sequence[str],
        label_ids: Ids,
        weights: NDArray[np.floating],
        outliers: Iterable[str] = (),
    ) -> Self:
        """Return the lexicon of folded names (N,), each with a label and how often it is met under it, on average once.

        A word of a name of several is listed too, without a label unless it is a name by itself. Outliers are
        normalized strings; one that is a name without its marks is listed with them, one that has none is left out.
        """
        known = set(names)
        outliers = {text if (folded := unmark(text)) in known else folded for text in outliers} - known
        words = sorted({word for name in names if " " in name for word in name.split()})
        hashes, rows = np.unique(_hash_all([*names, *words]), return_inverse=True)
        n_labels = int(label_ids.max(initial=-1)) + 1
        pairs, places = np.unique(rows[: len(names)] * n_labels + label_ids, return_inverse=True)
        met = np.bincount(places, weights)
        owners = pairs // max(1, n_labels)
        ends = np.cumsum(np.bincount(owners, minlength=len(hashes)))
        gains = np.log1p(met / _UNLISTED)
        return cls(hashes, ends, pairs % max(1, n_labels), gains, np.unique(_hash_all(outliers)))

    def to_bytes(self) -> bytes:
        """Return the content of KNOWN_FILE."""
        counts = np.diff(self._ends, prepend=0).astype(np.uint16)
        label_ids, gains = self._label_ids.astype(np.uint16), self._gains.astype(np.float16)
        return safetensors.numpy.save(
            {
                "hashes": self._hashes,
                "counts": counts,
                "label_ids": label_ids,
                "gains": gains,
                "outliers": self._outliers,
            }
        )

    @classmethod
    def of_bundle(cls, bundle: Bundle) -> Self:
        """Return the lexicon of a bundle; of an older one, one without labels, or an empty one.

        Raises:
            BundleError: it is damaged.
        """
        if KNOWN_FILE not in bundle.files:
            return cls.build((), np.zeros(0, dtype=np.int64), np.zeros(0))
        hashes, counts, label_ids, gains, outliers = _read_tensors(bundle.files[KNOWN_FILE])
        if not len(counts):  # of a bundle from before
            counts = np.zeros(len(hashes), dtype=np.uint16)
        if not (
            all((ordered[1:] > ordered[:-1]).all() for ordered in (hashes, outliers))
            and len(counts) == len(hashes)
            and counts.sum(dtype=np.int64) == len(label_ids) == len(gains)
            and (label_ids < len(bundle.metadata.labels)).all()
            and ((gains >= 0) & np.isfinite(gains)).all()
        ):
            raise BundleError(f"{KNOWN_FILE} does not list labels by name; train or copy the bundle again.")
        ends = np.cumsum(counts, dtype=np.int64)
        return cls(hashes, ends, label_ids.astype(np.intp), gains.astype(np.float64), outliers)

    def __contains__(self, name: str) -> bool:
        return self._find(name) is not None

    def lists_as_outlier(self, text: str) -> bool:
        """Tell whether a normalized text is listed as no name, or all of its words are, and the text not as a name."""
        folded = unmark(text)
        if self._has_outlier(text, folded):
            return True
        words, bare = text.split(), folded.split()
        is_parallel = len(words) == len(bare) > 1  # unless signs of their own are gone
        return is_parallel and all(map(self._has_outlier, words, bare)) and folded not in self

    def _has_outlier(self, text: str, folded: str) -> bool:
        found = _find(self._outliers, folded)
        return found is not None or (text != folded and _find(self._outliers, text) is not None)

    def leniency(self, name: str) -> float:
        """Return how many logits less familiar than others a folded name may be: any number if all words are listed."""
        words = name.split()
        listed = [word in self for word in words]
        if all(listed):
            return inf
        is_half_listed = 2 * sum(listed) >= len(words) and not any(map(self.lists_as_outlier, words))
        return _LENIENCY if is_half_listed else 0

    def gains(self, name: str) -> Iterator[tuple[NDArray[np.intp], NDArray[np.float64]]]:
        """Yield the labels that list a folded name and what each gains (nats).

        Of a full name that is not listed, its words do so, and where no space parts them its longest listed beginning.
        """
        place = self._find(name)
        if place is not None:
            yield self._entries(place)
        elif " " in name:
            for word in map(self._find, name.split()):
                if word is not None:
                    yield self._entries(word)
        elif not name.isascii() and not joint_of(main_script(name)):
            beginnings = (self._find(name[:end]) for end in range(len(name) - 1, 0, -1))
            if (beginning := next((found for found in beginnings if found is not None), None)) is not None:
                label_ids, gains = self._entries(beginning)
                yield label_ids, gains * _SHARE_OF_BEGINNING

    def _entries(self, place: int) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
        entries = slice(self._ends[place - 1] if place else 0, self._ends[place])
        return self._label_ids[entries], self._gains[entries]

    def _find(self, name: str) -> int | None:
        return _find(self._hashes, name)


def _read_tensors(content: bytes) -> list[NDArray[Any]]:
    """Return the tensors of KNOWN_FILE in the order of _TENSORS, empty ones for those that an older bundle lacks.

    Raises:
        BundleError: it cannot be read, lacks hashes, or a tensor is of another type or shape.
    """
    try:
        tensors = {key: np.zeros(0, dtype) for key, dtype in _TENSORS.items()} | safetensors.numpy.load(content)
    except SafetensorError:
        tensors = {}
    found = [tensors[key] for key, dtype in _TENSORS.items() if key in tensors and tensors[key].dtype == dtype]
    if len(found) < len(_TENSORS) or any(tensor.ndim != 1 for tensor in found) or not len(found[0]):
        raise BundleError(f"{KNOWN_FILE} cannot be read; train or copy the bundle again.")
    return found


def _find(hashes: NDArray[np.uint64], text: str) -> int | None:
    """Return the place of a text among sorted hashes (N,), or nothing."""
    wanted = np.uint64(_hash(text))
    place = int(hashes.searchsorted(wanted))
    return place if place < len(hashes) and hashes[place] == wanted else None


def _hash_all(texts: Iterable[str]) -> NDArray[np.uint64]:
    return np.array([_hash(text) for text in texts], dtype=np.uint64)


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest())
