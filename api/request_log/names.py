"""What the request log keeps of a name: as it is, a keyed hash, or nothing; always how long it is and its script."""

import unicodedata
from collections.abc import Sequence
from functools import lru_cache

from api.hash_keys import HashKey, digest, digest_folded
from api.settings import RecordedNames
from model.utils import clean, fold_cleaned

KeptName = tuple[str | None, str | None, str | None, int, str | None]
"""Name, hash, id of the hash's key, length, script."""


class NameKeeper:
    """Keeps of names what the settings allow."""

    def __init__(self, kept: RecordedNames, keys: Sequence[HashKey] = ()) -> None:
        """Take the keys of hashes, of which the first one is used; without, hashes are plain."""
        self._raw = kept is RecordedNames.RAW
        self._hashed = kept is not RecordedNames.ABSENT
        self._key = keys[0] if keys else None

    def keep(self, name: str) -> KeptName:
        """Return what is kept of a name that was answered."""
        text = clean(name)
        hashed = digest_folded(fold_cleaned(text), self._key) if self._hashed else (None, None)
        return (text if self._raw else None, *hashed, len(text), script_of(text))

    def digest(self, name: str) -> tuple[str, str]:
        """Return the hash of a name and the id of its key."""
        return digest(name, self._key)


def script_of(text: str) -> str | None:
    """Return the script of a text's letters as Unicode calls it, "Mixed" if there are several, None without letters."""
    if text.isascii():
        return "Latin" if any(map(str.isalpha, text)) else None
    scripts = {_script_of_letter(letter) for letter in text if letter.isalpha()}
    return "Mixed" if len(scripts) > 1 else next(iter(scripts), None)


@lru_cache(maxsize=4096)
def _script_of_letter(letter: str) -> str:
    word = unicodedata.name(letter, "Unknown").split()[0].capitalize()
    return "Han" if word == "Cjk" else word
