"""Read names as the network does: text that it knows, token ids, and whether that can be read at all."""

from collections.abc import Mapping, Sequence

from model.constants import FIRST_CHARACTER_ID, UNKNOWN_ID
from model.errors import InvalidNameError
from model.frames import unframe
from model.utils import build_vocabulary, encode, is_readable, normalize, script_of, transliterate, unmark

_REPLACEMENT = "\ufffd"


class NameReader:
    """How names become the token ids of one bundle."""

    def __init__(self, characters: Sequence[str], scripts: Sequence[str]) -> None:
        """Take the characters and scripts in the order of their token ids."""
        self.vocabulary: Mapping[str, int] = build_vocabulary(characters, scripts)
        self.known = frozenset(self.vocabulary)
        self._one_script = not scripts
        self._script_ids = _script_ids(characters, scripts)

    def read(self, name: str) -> str:
        """Return a name as the network reads it: normalized, without frame and without marks it does not know.

        Where all training names are of one script, letters of others become those of this one.

        Raises:
            InvalidNameError: it is empty or too long, or a letter of it got lost on its way here.
        """
        if _REPLACEMENT in name:
            raise InvalidNameError("A letter of the name is lost: it holds the replacement character U+FFFD.")
        return self.read_normalized(normalize(name))

    def read_normalized(self, name: str) -> str:
        """Return what `read` does, of a name that is normalized."""
        text = unframe(name)
        if self.known.issuperset(text):
            return text
        if self._one_script:
            return transliterate(unmark(text), self.vocabulary)
        try:
            return "".join([self._spell(character) for character in text])
        except InvalidNameError:  # it would be too long
            return text

    def _spell(self, character: str) -> str:
        """Return a known character as it is, another without its marks if that makes it one."""
        if character in self.known or not character.isalpha():
            return character
        bare = unmark(character)
        return bare if self.known.issuperset(bare) else character

    def encode(self, text: str) -> list[int]:
        """Return the token ids of a text as `read` gives it: start, one per character, end."""
        return encode(text, self.vocabulary)

    def is_readable(self, text: str, ids: Sequence[int]) -> bool:
        """Tell whether a text, of these token ids, holds enough characters that are known."""
        # most names are letters and spaces alone, all known
        return (UNKNOWN_ID not in ids and text.replace(" ", "").isalpha()) or is_readable(text, self.vocabulary)

    def first_id_of(self, scripts: frozenset[int]) -> float:
        """Return the lowest token id of any of these scripts, by number, or infinity."""
        return min((i for i, script in enumerate(self._script_ids) if script in scripts), default=float("inf"))

    def script(self, ids: Sequence[int]) -> int:
        """Return the number of the script of most letters of token ids (T,), or -1."""
        found = [script for i in ids if (script := self._script_ids[i]) >= 0]
        return max(set(found), key=found.count) if found else -1


def _script_ids(characters: Sequence[str], scripts: Sequence[str]) -> list[int]:
    """Return the number of the script of each token id, or -1."""
    numbers = {script: number for number, script in enumerate(scripts)}
    of_characters = [numbers.get(script_of(character), -1) for character in characters]
    return [*[-1] * FIRST_CHARACTER_ID, *of_characters, *numbers.values()]
