"""Text to numbers: clean, fold, transliterate, encode, pad."""

import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from model.constants import END_ID, FIRST_CHARACTER_ID, MAX_NAME_LENGTH, PAD_ID, START_ID, UNKNOWN_ID
from model.errors import InvalidNameError

Ids = NDArray[np.int64]

# Latin letters that Unicode does not decompose, as their bearers write them in ASCII.
_UNDECOMPOSED_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "ı": "i", "æ": "ae", "œ": "oe", "þ": "th", "ð": "d", "ħ": "h"}
)
_PUNCTUATION = str.maketrans(dict.fromkeys("’‘\u201bʼʻ`´′", "'") | dict.fromkeys("‐‑‒–—−", "-"))
_GREEK_OU = re.compile("\u03bf[\u03c5\u03cd]")  # omicron, upsilon: one vowel, spelled letter by letter otherwise
_MARKS_ON_LATIN = re.compile(r"(?<=[a-z])[\u0300-\u036f]+")
# A capital I has no dot in one language and a small one no dot in another: only without it does case change nothing.
_DOTLESS = str.maketrans({"ı": "i"})
_DOT_ON_I = re.compile("(?<=i)\u0307")
_KATAKANA = {code: code - 0x60 for code in range(0x30A1, 0x30F7)}  # to hiragana, as capitals to small letters
_SCRIPT_NAMES = {
    "CJK": "HAN",
    "IDEOGRAPHIC": "HAN",
    "HIRAGANA": "KANA",
    "KATAKANA": "KANA",
    "KATAKANA-HIRAGANA": "KANA",
}
_UNSPACED = frozenset(["HAN", "KANA", "HANGUL"])
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


def normalize(name: str) -> str:
    """Return the cleaned name without case, marks and letters of every script in one form: what the network reads.

    Raises:
        InvalidNameError: see `clean`; also if nothing is left or it becomes too long.
    """
    return normalize_cleaned(clean(name))


def normalize_cleaned(name: str) -> str:
    """Return what `normalize` does, of a name that is clean."""
    if name.isascii():
        return name.lower()
    # Unicode's own recipe for a caseless match: decompose, casefold, decompose.
    text = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", name).casefold()).translate(_DOTLESS)
    text = unicodedata.normalize("NFC", _DOT_ON_I.sub("", text)).translate(_PUNCTUATION).translate(_KATAKANA)
    return _check_length(" ".join(text.split()))


def fold(name: str) -> str:
    """Return the normalized name without diacritics on Latin letters.

    Two spellings with one folded form are one name to a corpus. Marks of other scripts stay: without them
    a letter would silently become another.

    Raises:
        InvalidNameError: as `normalize` does.
    """
    return fold_cleaned(clean(name))


def fold_cleaned(name: str) -> str:
    """Return what `fold` does, of a name that is clean."""
    return unmark(normalize_cleaned(name))


def unmark(text: str) -> str:
    """Return a normalized name without diacritics on Latin letters. Raises InvalidNameError if it becomes too long."""
    if text.isascii():
        return text
    bare = unicodedata.normalize("NFKD", text).translate(_UNDECOMPOSED_LETTERS).translate(_PUNCTUATION)
    return _check_length(" ".join(unicodedata.normalize("NFC", _MARKS_ON_LATIN.sub("", bare)).split()))


def _check_length(text: str) -> str:
    if not 0 < len(text) <= MAX_NAME_LENGTH:
        raise InvalidNameError(f"A name needs 1 to {MAX_NAME_LENGTH} characters once spelled out.")
    return text


def is_letter(character: str) -> bool:
    """Tell whether a character is a letter, or a mark on one."""
    return unicodedata.category(character)[0] in "LM"


@lru_cache(maxsize=2**14)
def script_of(character: str) -> str:
    """Return the script of a letter, as Unicode's names of letters begin; of anything else nothing."""
    if not character.isalpha():
        return ""
    word = unicodedata.name(character, "").partition(" ")[0]
    return _SCRIPT_NAMES.get(word, word)


def main_script(text: str) -> str:
    """Return the script of most letters of a text, or nothing if it has none."""
    if text.isascii():
        return "LATIN" if any(map(str.isalpha, text)) else ""
    counts = Counter(filter(None, map(script_of, text)))
    return max(counts, key=counts.__getitem__) if counts else ""


def joint_of(script: str) -> str:
    """Return what stands between the words of a name in a script: a space, or nothing."""
    return "" if script in _UNSPACED else " "


def transliterate(folded: str, known: Collection[str]) -> str:
    """Return a folded name with its unknown letters in Latin ones, as far as that makes known letters of them.

    Han characters stay: how they are read depends on the language, which is what is asked. One that becomes too long
    stays as it is.
    """
    from anyascii import anyascii  # reads its tables when asked: most names never do

    def spell(character: str) -> str:
        if character in known or not is_letter(character) or _is_han(character):
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


def build_vocabulary(characters: Sequence[str], scripts: Sequence[str] = ()) -> dict[str, int]:
    """Map each character to its token id, in the given order, after the shared ids; then each script likewise.

    A script's token stands for those of its letters that are no characters of the vocabulary.
    """
    return {key: FIRST_CHARACTER_ID + i for i, key in enumerate((*characters, *scripts))}


def encode(text: str, vocabulary: Mapping[str, int]) -> list[int]:
    """Return token ids: start, one per character, end.

    A character outside the vocabulary is its script's token, or UNKNOWN_ID.
    """
    return [START_ID, *[vocabulary[c] if c in vocabulary else encode_character(c, vocabulary) for c in text], END_ID]


def encode_character(character: str, vocabulary: Mapping[str, int]) -> int:
    """Return the token id of a character: its own, else that of its script, else UNKNOWN_ID."""
    return vocabulary[character] if character in vocabulary else vocabulary.get(script_of(character), UNKNOWN_ID)


def is_readable(text: str, vocabulary: Mapping[str, int]) -> bool:
    """Tell whether at least half of the letters and digits of a name are known, by script at least, and one is."""
    letters = [character for character in text if character.isalnum()]
    if not letters:  # marks alone say something only where labels are made of nothing else
        return not any(map(str.isalnum, vocabulary)) and any(character in vocabulary for character in text)
    known = sum(character in vocabulary or script_of(character) in vocabulary for character in letters)
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
