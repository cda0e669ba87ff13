"""Common words of many languages, which are no names: which lists hold them, and which words are written out."""

import importlib
import json
import re
from collections.abc import Iterable
from importlib.resources import files
from pathlib import Path

from romanise import fold

MOST = 900  # words of a language
# No list of Arabic, Persian or Korean: too many of their words are names. mimesis's Hungarian words are Danish.
WORD_LISTS = {
    "Croatian": ["mimesis hr"],
    "Czech": ["mimesis cs"],
    "Danish": ["mimesis da"],
    "Dutch": ["mimesis nl"],
    "Filipino": ["Faker fil_PH"],
    "Finnish": ["mimesis fi"],
    "French": ["Faker fr_FR", "mimesis fr"],
    "German": ["mimesis de", "Faker de_DE"],
    "Greek": ["Faker el_GR"],
    "Icelandic": ["mimesis is"],
    "Italian": ["Faker it_IT", "mimesis it"],
    "Norwegian": ["mimesis no"],
    "Polish": ["mimesis pl"],
    "Portuguese": ["mimesis pt"],
    "Russian": ["mimesis ru"],
    "Spanish": ["mimesis es", "Faker es_ES"],
    "Swedish": ["mimesis sv"],
    "Turkish": ["mimesis tr"],
    "Ukrainian": ["mimesis uk", "Faker uk_UA"],
}


def collect_words(names: Iterable[str]) -> dict[str, list[str]]:
    """Return words by language, in alphabetical order and evenly thinned, without those that are among the names."""
    known = {fold(name) for name in names}
    found = {}
    for language, lists in WORD_LISTS.items():
        words = {word for source in lists for word in _read(*source.split())}
        spare = sorted(word for word in words if _is_word(word) and fold(word) not in known)
        found[language] = spare if len(spare) <= MOST else [spare[i * len(spare) // MOST] for i in range(MOST)]
    return found


def read_everyday(path: Path) -> list[str]:
    """Return the names that everyone knows."""
    return [line.split("\t")[0] for line in path.read_text(encoding="utf-8").splitlines()[1:]]


def _read(package: str, locale: str) -> list[str]:
    if package == "Faker":
        return list(importlib.import_module(f"faker.providers.lorem.{locale}").Provider.word_list)
    text = files("mimesis").joinpath("datasets", locale, "text.json").read_text("utf-8")
    words: list[str] = json.loads(text)["words"]
    return words


def _is_word(word: str) -> bool:
    """Tell whether a word is written in small letters, as names are not, and not too short to be anything."""
    return bool(re.fullmatch(r"[^\W\d_]{3,}", word)) and word == word.lower()
