"""What people write around a name: titles, suffixes, initials, quotes, notes, the surname before a comma."""

import re

_TITLES = frozenset(
    [
        *(
            "dr",
            "mr",
            "mrs",
            "ms",
            "miss",
            "mx",
            "prof",
            "professor",
            "sir",
            "dame",
            "rev",
            "hon",
            "herr",
            "frau",
            "hr",
        ),
        *("mme", "mlle", "monsieur", "madame", "mademoiselle", "sr", "sra", "srta", "senor", "senora", "senorita"),
        *("señor", "señora", "señorita", "sig", "sigra", "signor", "signora", "dott", "dottssa", "ing", "mag"),
        *("shri", "smt"),
    ]
)
# these are names, too, without their dot
_DOTTED_TITLES = frozenset(["capt", "cmdr", "col", "cpt", "dipl", "fr", "gen", "lt", "m", "maj", "mgr", "sgt"])
_SUFFIXES = frozenset(
    [
        *("jr", "sr", "jnr", "snr", "ii", "iii", "iv", "phd", "md", "esq", "mba", "msc", "bsc", "dds", "dvm", "cpa"),
        *("obe", "mbe", "cbe", "llm", "llb", "pe", "ret"),
    ]
)
_HONORIFICS = re.compile("(?<=..)(?:さん|さま|様|先生|씨|님)$|(?<=[\u3400-\u9fff])(?:さん|さま|様)$")
_NOTES = re.compile(r"\([^()]*\)|\[[^\[\]]*\]")
_ALIASES = re.compile(r"\s(?:née|nee|né|geb\.|alias|aka)\s.*")
_BRACKETS = dict.fromkeys(map(ord, "()[]"), " ")
_QUOTES = re.compile('["\u201c-\u201f\u00ab\u00bb\u2039\u203a]')
_EDGES = " .,:;!?*†‡_~^"
_JOINED_INITIALS = re.compile(r"(?<![\w'])((?:[^\W\d_]\.-?)+)(?=[^\W\d_]{2})")
_INITIAL = re.compile(r"(?:[^\W\d_]\.-?)+|[^\W\d_]\.?-[^\W\d_]\.")
_BARE_INITIAL = re.compile("[bcdfghjklmnpqrstvwxz]")


def unframe(text: str) -> str:
    """Return what a normalized text holds besides such a frame; titles and suffixes too if they alone have letters."""
    if text.isalpha() and text.isascii():
        return text
    bare = _unwrap(text)
    parts = [words for part in bare.split(",") if (words := _words(part))]
    words = _strip_initials([word for part in (*reversed(parts[:2]), *parts[2:]) for word in part])
    found = _HONORIFICS.sub("", " ".join(words)).strip()
    return next((rest for rest in (found, bare) if any(map(str.isalpha, rest))), text)


def _unwrap(text: str) -> str:
    without_notes = _NOTES.sub(" ", text)
    if not any(map(str.isalpha, without_notes)):  # it is a note as a whole
        without_notes = text.translate(_BRACKETS)
    bare = _QUOTES.sub("", _ALIASES.sub("", without_notes)).strip(_EDGES)
    if bare.startswith("'") and bare.endswith("'"):
        bare = bare.strip("'")
    return _JOINED_INITIALS.sub(r"\1 ", bare) if "." in bare else bare


def _words(part: str) -> list[str]:
    """Return the words of a part between commas without titles before and suffixes behind them."""
    words = part.split()
    while words and (_plain(words[0]) in _TITLES or (words[0].endswith(".") and _plain(words[0]) in _DOTTED_TITLES)):
        words = words[1:]
    while words and _plain(words[-1]) in _SUFFIXES:
        words = words[:-1]
    return words


def _plain(word: str) -> str:
    return word.replace(".", "")


def _strip_initials(words: list[str]) -> list[str]:
    names = [word.strip(_EDGES) for word in words if not _INITIAL.fullmatch(word)]
    while len(names) > 1 and _BARE_INITIAL.fullmatch(names[0]):
        names = names[1:]
    while len(names) > 1 and _BARE_INITIAL.fullmatch(names[-1]):
        names = names[:-1]
    return [name for name in names if name]
