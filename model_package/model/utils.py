"""Text to numbers: clean, fold, transliterate, encode, pad."""

import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from model.constants import END_ID, FIRST_CHARACTER_ID, MAX_NAME_LENGTH, PAD_ID, START_ID, UNKNOWN_ID
from model.errors import InvalidNameError

Ids = NDArray[np.int64]

# Latin letters that Unicode does not decompose, as their bearers write them in ASCII.
_UNDECOMPOSED_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d", "ħ": "h"}
)
_PUNCTUATION = str.maketrans(dict.fromkeys("’‘ʼʻ`´′", "'") | dict.fromkeys("‐‑‒–—−", "-"))
_GREEK_OU = re.compile("\u03bf[\u03c5\u03cd]")  # omicron, upsilon: one vowel, spelled letter by letter otherwise
_MARKS_ON_LATIN = re.compile(r"(?<=[a-z])[\u0300-\u036f]+")
_REFUSED_CATEGORIES = {"Cc", "Cs", "Co", "Cn"}
_INVISIBLE_CATEGORY = "Cf"


def clean(name: str) -> str:
    """Return the name in NFC, with single spaces, plain apostrophes and hyphens, nothing invisible.

    Raises:
        InvalidNameError: it is empty, too long, or holds control or unassigned characters.
    """
    if len(name) > MAX_NAME_LENGTH:
        raise InvalidNameError(f"A name may have at most {MAX_NAME_LENGTH} characters.")
    name = " ".join(name.split())
    if name and name.isascii() and name.isprintable():  # as most are: nothing to refuse, to take out or to compose
        return name.translate(_PUNCTUATION)
    categories = [unicodedata.category(c) for c in name]
    if not _REFUSED_CATEGORIES.isdisjoint(categories):
        raise InvalidNameError("A name may not hold control characters, surrogates or unassigned code points.")
    if _INVISIBLE_CATEGORY in categories:
        name = "".join(c for c, category in zip(name, categories, strict=True) if category != _INVISIBLE_CATEGORY)
        name = " ".join(name.split())
    if not name:
        raise InvalidNameError("A name needs at least one visible character.")
    return unicodedata.normalize("NFC", name).translate(_PUNCTUATION)


def fold(name: str) -> str:
    """Return the cleaned name without case and without diacritics on Latin letters.

    Two spellings with one folded form are one name to the network. Marks of other scripts stay: without them
    a letter would silently become another.

    Raises:
        InvalidNameError: see `clean`; also if folding leaves nothing or makes it too long.
    """
    return fold_cleaned(clean(name))


def fold_cleaned(name: str) -> str:
    """Return what `fold` does, of a name that is clean."""
    if name.isascii():
        return name.lower()
    # Unicode's own recipe for a caseless match: decompose, casefold, decompose.
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", name).casefold())
    folded = _MARKS_ON_LATIN.sub("", folded.translate(_UNDECOMPOSED_LETTERS).translate(_PUNCTUATION))
    folded = " ".join(unicodedata.normalize("NFC", folded).split())
    if not 0 < len(folded) <= MAX_NAME_LENGTH:
        raise InvalidNameError(f"A name needs 1 to {MAX_NAME_LENGTH} characters once spelled out.")
    return folded


def transliterate(folded: str, known: Collection[str]) -> str:
    """Return a folded name with its unknown letters in Latin ones, as far as that makes known letters of them.

    Han characters stay: how they are read depends on the language, which is what is asked. One that becomes too long
    stays as it is.
    """
    from anyascii import anyascii  # reads its tables when asked: most names never do

    def spell(character: str) -> str:
        if character in known or unicodedata.category(character)[0] not in "LM" or _is_han(character):
            return character
        spelled = anyascii(character).casefold()
        return spelled if set(spelled) <= set(known) else character

    if "\u03c5" not in known and {"o", "u"} <= set(known):
        folded = _GREEK_OU.sub("ou", folded)
    latin = "".join(map(spell, folded))
    try:
        return fold(latin)
    except InvalidNameError:
        return folded


def _is_han(character: str) -> bool:
    return unicodedata.name(character, "CJK").startswith(("CJK", "IDEOGRAPHIC"))


def build_vocabulary(characters: Sequence[str]) -> dict[str, int]:
    """Map each character to its token id, in the given order, after the shared ids."""
    return {character: FIRST_CHARACTER_ID + i for i, character in enumerate(characters)}


def encode(folded: str, vocabulary: Mapping[str, int]) -> list[int]:
    """Return token ids: start, one per character, end; a character outside the vocabulary is UNKNOWN_ID."""
    return [START_ID, *[vocabulary.get(c, UNKNOWN_ID) for c in folded], END_ID]


def is_readable(text: str, vocabulary: Mapping[str, int]) -> bool:
    """Tell whether at least half of the letters and digits of a folded name are known, and at least one is."""
    letters = [character for character in text if character.isalnum()]
    if not letters:  # marks alone say something only where labels are made of nothing else
        return not any(map(str.isalnum, vocabulary)) and any(character in vocabulary for character in text)
    known = sum(character in vocabulary for character in letters)
    return known > 0 and 2 * known >= len(letters)


def pad(sequences: Sequence[Sequence[int]]) -> tuple[Ids, Ids]:
    """Return the ids (B, T) of sequences, the shorter ones filled up with PAD_ID, and their lengths (B,)."""
    lengths = [len(ids) for ids in sequences]
    longest = max(lengths)
    padded = [ids if len(ids) == longest else [*ids, *[PAD_ID] * (longest - len(ids))] for ids in sequences]
    return np.array(padded, dtype=np.int64), np.array(lengths, dtype=np.int64)


def log_softmax(logits: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return natural-log probabilities of logits (..., L) along the last axis, in double precision."""
    shifted = logits.astype(np.float64) - logits.max(axis=-1, keepdims=True)
    log_probs: NDArray[np.float64] = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return log_probs
