"""Common words of many languages, which are no names: which lists hold them, and which words are written out."""

import importlib
import json
import re
from collections.abc import Collection
from importlib.resources import files
from pathlib import Path

from fetch import npm_package
from readers import CORES
from romanise import fold

MOST = 3300  # words of a language
MOST_UNRANKED = 2700  # of one whose lists do not tell which are common
MOST_COMMON = 3000  # of a list by frequency, before it is thinned
DEPTH = 8000  # of such a list: what stands further down is rare or foreign
RANKED = "zxcvbn"
WRONG_LETTERS = {"Turkish": set("ýþţð")}  # of another encoding
# No list of Arabic, Persian, Korean, Vietnamese or romanised Japanese: too many of their words are names. mimesis's
# Hungarian words are Danish.
WORD_LISTS = {
    "Basque": ["stopwords eu"],
    "Bulgarian": ["stopwords bg"],
    "Catalan": ["stopwords ca"],
    "Croatian": ["mimesis hr", "stopwords hr"],
    "Czech": ["zxcvbn cs", "mimesis cs", "stopwords cs"],
    "Danish": ["mimesis da", "Faker da_DK", "stopwords da"],
    "Dutch": ["zxcvbn nl-be", "mimesis nl", "Faker nl_NL"],
    "English": ["zxcvbn en", "stopwords en"],
    "Filipino": ["Faker fil_PH", "stopwords tl"],
    "Finnish": ["zxcvbn fi", "mimesis fi", "stopwords fi"],
    "French": ["zxcvbn fr", "Faker fr_FR", "mimesis fr"],
    "German": ["zxcvbn de", "mimesis de", "Faker de_DE"],
    "Greek": ["Faker el_GR", "mimesis el", "stopwords el"],
    "Hungarian": ["stopwords hu"],
    "Icelandic": ["mimesis is"],
    "Indonesian": ["zxcvbn id", "stopwords id"],
    "Italian": ["zxcvbn it", "Faker it_IT", "mimesis it"],
    "Latvian": ["stopwords lv"],
    "Macedonian": ["Faker mk_MK"],
    "Malay": ["stopwords ms"],
    "Norwegian": ["mimesis no", "stopwords no"],
    "Polish": ["zxcvbn pl", "mimesis pl", "Faker pl_PL"],
    "Portuguese": ["zxcvbn pt-br", "mimesis pt", "stopwords pt"],
    "Romanian": ["stopwords ro"],
    "Russian": ["cores Russian", "mimesis ru", "Faker ru_RU", "stopwords ru"],
    "Slovak": ["stopwords sk"],
    "Slovenian": ["stopwords sl"],
    "Spanish": ["zxcvbn es-es", "mimesis es", "Faker es_ES"],
    "Swedish": ["mimesis sv", "stopwords sv"],
    "Turkish": ["cores Turkish", "mimesis tr", "stopwords tr"],
    "Ukrainian": ["mimesis uk", "Faker uk_UA", "stopwords uk"],
}


def collect_words(names: Collection[str]) -> dict[str, list[str]]:
    """Return words by language, in alphabetical order, without those that are among the folded names.

    The most common ones come first where a list is by frequency; what is left is thinned evenly.
    """
    return {language: _choose(language, names) for language in WORD_LISTS}


def read_everyday(path: Path) -> list[str]:
    """Return the names that everyone knows."""
    return [line.split("\t")[0] for line in path.read_text(encoding="utf-8").splitlines()[1:]]


def _choose(language: str, names: Collection[str]) -> list[str]:
    wrong = WRONG_LETTERS.get(language, set())
    ranked: dict[str, None] = {}
    others: dict[str, None] = {}
    for source in WORD_LISTS[language]:
        words = [word for word in _read(*source.split()) if _is_word(word) and wrong.isdisjoint(word)]
        words = [word for word in words if fold(word) not in names]
        (ranked if source.startswith(RANKED) else others).update(dict.fromkeys(words))
    common = list(ranked)[:MOST_COMMON]
    rest = sorted({*list(ranked)[MOST_COMMON:DEPTH], *others} - set(common))
    room = (MOST if common else MOST_UNRANKED) - len(common)
    spare = rest if len(rest) <= room else [rest[i * len(rest) // room] for i in range(room)]
    return sorted([*common, *spare])


def _read(package: str, locale: str) -> list[str]:
    if package == "cores":  # written by hand
        return (CORES / "words" / f"{locale}.txt").read_text("utf-8").splitlines()
    if package == "Faker":
        return list(importlib.import_module(f"faker.providers.lorem.{locale}").Provider.word_list)
    if package == "mimesis":
        text = files("mimesis").joinpath("datasets", locale, "text.json").read_text("utf-8")
        return list(json.loads(text)["words"])
    if package == "stopwords":
        text = (npm_package("stopwords-iso") / "stopwords-iso.json").read_text("utf-8")
        return list(json.loads(text)[locale])
    path = npm_package(f"@zxcvbn-ts/language-{locale}") / "src" / "commonWords.json"
    return list(json.loads(path.read_text("utf-8")))


def _is_word(word: str) -> bool:
    """Tell whether a word is written in small letters, as names are not, and not too short to be anything."""
    return bool(re.fullmatch(r"[^\W\d_]{3,}", word)) and word == word.lower()
