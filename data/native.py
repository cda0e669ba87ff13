"""Names in the scripts of their bearers: which lists hold them, and which of these stay."""

import re
import unicodedata
from collections.abc import Iterable

from cleaning import MISPLACED, Entry, Lists, Removal
from readers import read
from romanise import CYRILLIC_OF, fold, plain, romanise, to_cyrillic
from sources import CORE, Kind, native_sources_of

CAP = 1500  # most names in its own script a label may have
NO_SPACES = frozenset(["Chinese", "Japanese", "Korean"])  # a name of two words is a full name
SCRIPTS = {
    "Amharic": "ETHIOPIC",
    "Arabic": "ARABIC",
    "Armenian": "ARMENIAN",
    "Bengali": "BENGALI",
    "Bulgarian": "CYRILLIC",
    "Burmese": "MYANMAR",
    "Chinese": "CJK",
    "Georgian": "GEORGIAN",
    "Greek": "GREEK",
    "Hebrew": "HEBREW",
    "Hindi": "DEVANAGARI",
    "Japanese": "CJK|HIRAGANA|KATAKANA",
    "Kazakh": "CYRILLIC",
    "Khmer": "KHMER",
    "Korean": "HANGUL",
    "Macedonian": "CYRILLIC",
    "Mongolian": "CYRILLIC",
    "Nepali": "DEVANAGARI",
    "Persian": "ARABIC",
    "Punjabi": "GURMUKHI",
    "Russian": "CYRILLIC",
    "Serbian": "CYRILLIC",
    "Sinhala": "SINHALA",
    "Tamil": "TAMIL",
    "Telugu": "TELUGU",
    "Thai": "THAI",
    "Ukrainian": "CYRILLIC",
    "Urdu": "ARABIC",
    "Uzbek": "CYRILLIC",
}
"""The scripts of a label's own spellings, as Unicode's names of letters begin."""


def add_native(kind: Kind, lists: Lists, removals: Iterable[Removal]) -> None:
    """Add to each label its names in its own scripts, most common first, behind those in Latin letters.

    A name that cleaning took from the label in Latin letters does not come back in others.
    """
    gone = {(r.label, fold(r.name)) for r in removals if not r.reason.startswith("no name")}
    for label, entries in lists.items():
        found: dict[str, Entry] = {}
        if label in CYRILLIC_OF:
            written = [(to_cyrillic(entry.spelling, label), entry) for entry in entries.values()]
            found = {name.casefold(): Entry(name, packages=entry.packages) for name, entry in written if name}
        for source in native_sources_of(label, kind):
            names = [_spell(name, label) for name in read(source, label, kind)]
            for name in names if source.ranked else sorted(names):
                latin = {(label, fold(spelling)) for spelling in romanise(name, label)}
                if _is_name(name, label) and plain(name) not in MISPLACED[label, kind] and not latin & gone:
                    entry = found.setdefault(name.casefold(), Entry(_capitalise(name)))
                    if source.package not in entry.packages:
                        entry.packages.append(source.package)
        ranked = any(source.ranked and source.package != CORE for source in native_sources_of(label, kind))
        keys = list(found) if ranked else _by_latin(found, list(entries), label)
        # the head is what is common; behind it the list is thinned evenly
        for key in keys if len(keys) <= CAP else [*keys[: CAP // 3], *_thin(keys[CAP // 3 :], CAP - CAP // 3)]:
            entries[key] = found[key]


def _spell(name: str, label: str) -> str:
    """Return a name in one form: without joiners, which the network does not see, in Urdu with its own letter he."""
    name = "".join(c for c in unicodedata.normalize("NFC", name) if unicodedata.category(c) != "Cf")
    return " ".join((name.replace("\u0647", "\u06c1") if label == "Urdu" else name).split())


def _by_latin(found: dict[str, Entry], latin: list[str], label: str) -> list[str]:
    """Return the keys in the order of their Latin forms, for which no source ranks them; a core leads."""
    places = {key: place for place, key in enumerate(latin)}
    core = [key for key, entry in found.items() if CORE in entry.packages]
    rest = [key for key in found if CORE not in found[key].packages]
    return [*core, *sorted(rest, key=lambda key: min(_places(found[key].spelling, label, places)))]


def _places(name: str, label: str, places: dict[str, int]) -> list[int]:
    return [places.get(fold(spelling), len(places)) for spelling in romanise(name, label)]


def _thin(keys: list[str], n: int) -> list[str]:
    return [keys[i * len(keys) // n] for i in range(n)]


def _is_name(name: str, label: str) -> bool:
    letters = [c for c in name if c not in " -'"]
    if not letters or name.count(" ") > (0 if label in NO_SPACES else 2):
        return False
    own = re.compile(SCRIPTS[label])
    return all(unicodedata.category(c)[0] in "LM" and own.match(unicodedata.name(c, "")) for c in letters)


def _capitalise(name: str) -> str:
    return name.title() if name.isupper() else name
