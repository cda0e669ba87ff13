"""Common words of many languages, which are no names: which lists hold them, and which words are written out."""

import importlib
import json
import re
import unicodedata
from collections.abc import Collection, Iterable
from functools import cache
from importlib.resources import files
from pathlib import Path

from fetch import npm_package
from readers import CORES, count_namesakes, read_names_of_people, read_registered_surnames
from romanise import fold, plain
from sources import CORE, Kind

EVERYDAY = 500  # words of a list by frequency, which everybody says every day
LEAST_BEARERS = 10  # of a name that is such a word; of fewer, people mean the word
SOME_PEOPLE = (3, 10)  # who bear a given name or a surname, so that it is no slip, and no mere word
MANY_PEOPLE = (20, 40)  # the same of what is said every day
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
    "Russian": [f"{CORE} Russian", "mimesis ru", "Faker ru_RU", "stopwords ru"],
    "Slovak": ["stopwords sk"],
    "Slovenian": ["stopwords sl"],
    "Spanish": ["zxcvbn es-es", "mimesis es", "Faker es_ES"],
    "Swedish": ["mimesis sv", "stopwords sv"],
    "Turkish": [f"{CORE} Turkish", "mimesis tr", "stopwords tr"],
    "Ukrainian": ["mimesis uk", "Faker uk_UA", "stopwords uk"],
}


class KnownNames:
    """The names of the data, and those of people that it lacks."""

    def __init__(self, names: Collection[str]) -> None:
        """Take the names of the data as they are spelled."""
        few, many = (read_names_of_people(*least) for least in (SOME_PEOPLE, MANY_PEOPLE))
        self._names = _Spellings(names)
        self._of_people = _Spellings({*few, *read_registered_surnames(), *map(fold, names)})  # in any script
        self._of_many = _Spellings(many)

    def has(self, text: str, *, everyday: bool) -> bool:
        """Tell whether a text is a name; one that is said every day must be that of many if the data lacks it."""
        return text in self._names or text in (self._of_many if everyday else self._of_people)


class _Spellings:
    """Names with and without their marks."""

    def __init__(self, names: Iterable[str]) -> None:
        self._spelled = frozenset(map(_undotted, names))
        self._folded = frozenset(map(_bare, self._spelled))

    def __contains__(self, word: str) -> bool:
        """Tell whether a name is spelled like a word; a word without marks is a name with marks, too."""
        text = _undotted(word)
        return text in self._spelled or (_bare(text) == text and text in self._folded)


def collect_words(known: KnownNames) -> dict[str, list[str]]:
    """Return words by language, in alphabetical order, without those that are names.

    What is said every day comes first, then the most common ones where a list is by
    frequency; what is left is thinned evenly.
    """
    return {language: _choose(language, known) for language in WORD_LISTS}


def is_mere_word(name: str, kind: Kind) -> bool:
    """Tell whether a name is said every day as a word, while hardly anybody is so called and no core has it."""
    word = plain(name)
    return word in everyday_words() and word not in _core_names() and count_namesakes(kind)[fold(name)] < LEAST_BEARERS


@cache
def everyday_words() -> frozenset[str]:
    """Return the first words of lists by frequency, stop words, words by hand, placeholders and missing values."""
    sources = {source for sources in WORD_LISTS.values() for source in sources}
    words = {word for source in sources for word in _everyday_words_of(source)}
    paths = (Path(__file__).parent / "outliers" / f"{kind}.txt" for kind in ("missing", "placeholders"))
    return frozenset(map(plain, words.union(*(path.read_text("utf-8").splitlines() for path in paths))))


@cache
def _everyday_words_of(source: str) -> frozenset[str]:
    package, locale = source.split()
    if package not in (RANKED, "stopwords", CORE):
        return frozenset()
    return frozenset(filter(_is_word, _read(package, locale)[: EVERYDAY if package == RANKED else None]))


@cache
def _core_names() -> frozenset[str]:
    paths = (path for folder in CORES.iterdir() if folder.name != "words" for path in folder.glob("*.txt"))
    return frozenset(plain(name) for path in paths for name in path.read_text("utf-8").splitlines())


def _undotted(text: str) -> str:
    """Return a text without case, of which Turkish dots are a part."""
    return plain(text).replace("ı", "i")


def _bare(text: str) -> str:
    """Return a text without marks on Latin letters; other scripts stay, for their words are no Latin names."""
    return "".join(fold(c) if unicodedata.name(c, "").startswith("LATIN") else c for c in text)


def read_everyday(path: Path) -> list[str]:
    """Return the names that everyone knows."""
    return [line.split("\t")[0] for line in path.read_text(encoding="utf-8").splitlines()[1:]]


def _choose(language: str, known: KnownNames) -> list[str]:
    wrong = WRONG_LETTERS.get(language, set())
    everyday: set[str] = set()
    ranked: dict[str, None] = {}
    others: set[str] = set()
    for source in WORD_LISTS[language]:
        words = [word for word in _read(*source.split()) if _is_word(word) and wrong.isdisjoint(word)]
        of_source = _everyday_words_of(source)
        words = [word for word in words if not known.has(word, everyday=word in of_source)]
        everyday |= of_source.intersection(words)
        if source.startswith(RANKED):
            ranked.update(dict.fromkeys(words))
        else:
            others.update(words)
    common = everyday.union(list(ranked)[:MOST_COMMON])
    rest = sorted({*list(ranked)[MOST_COMMON:DEPTH], *others} - common)
    room = (MOST if ranked else MOST_UNRANKED) - len(common)
    spare = rest if len(rest) <= room else [rest[i * len(rest) // room] for i in range(room)]
    return sorted([*common, *spare])


def _read(package: str, locale: str) -> list[str]:
    if package == CORE:
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
