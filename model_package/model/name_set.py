"""The training names, by hash: a name made of them is familiar whatever the network thinks of it."""

from collections.abc import Iterable
from hashlib import blake2b
from typing import Self

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError

from model.artifacts import Bundle
from model.constants import KNOWN_FILE
from model.errors import BundleError


class NameSet:
    """A set of strings in eight bytes each; one in 10^14 that it lacks is taken to be in it."""

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._hashes = np.unique(np.array([_hash(name) for name in names], dtype=np.uint64))

    def to_bytes(self) -> bytes:
        """Return the content of KNOWN_FILE."""
        return safetensors.numpy.save({"hashes": self._hashes})

    @classmethod
    def of_bundle(cls, bundle: Bundle) -> Self:
        """Return the set that a bundle holds; of an older one, an empty one. Raises BundleError if it is damaged."""
        names = cls()
        if KNOWN_FILE in bundle.files:
            try:
                names._hashes = np.sort(safetensors.numpy.load(bundle.files[KNOWN_FILE])["hashes"].astype(np.uint64))
            except (SafetensorError, KeyError, ValueError):
                raise BundleError(f"{KNOWN_FILE} cannot be read; train or copy the bundle again.") from None
        return names

    def __contains__(self, name: str) -> bool:
        wanted = np.uint64(_hash(name))
        place = int(self._hashes.searchsorted(wanted))
        return place < len(self._hashes) and bool(self._hashes[place] == wanted)


def _hash(name: str) -> int:
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest())
