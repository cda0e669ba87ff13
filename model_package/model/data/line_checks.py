"""Tell strings that are no names: markup, comments, columns, garbled encodings."""

import re
from enum import StrEnum

from model.constants import MAX_NAME_LENGTH
from model.errors import InvalidNameError
from model.utils import clean, fold_cleaned

_MARKUP = re.compile(r"<[/!?a-z]|&(?:[a-z]+|#\d+);|\b(?:https?://|www\.)", re.IGNORECASE)
_SEPARATOR = re.compile(r"[\t;|]")
_SEPARATOR_OR_DIGIT = re.compile(r"[\t;|,\d]")
_LEADS = "ÂÃÄÅÎÏÐÑ"  # as windows-1252, what UTF-8 begins most letters of Europe with
# behind it comes a byte of these, but for those that are letters: they may be a name's own, as in Úžas
_FOLLOWERS = "".join(c for c in bytes(range(0x80, 0xC0)).decode("cp1252", "ignore") if not c.isalpha())
_GARBLED = re.compile(f"\ufffd|[{_LEADS}][{re.escape(_FOLLOWERS)}]")
_COMMENT_MARKS = ("#", "//")
_HEADERS = frozenset(
    f"{kind}{joint}name{plural}"
    for kind in ("", "first", "last", "given", "family", "full")
    for joint in ("", " ", "_", "-")
    for plural in ("", "s")
) | {"surname", "surnames", "label", "labels", "text", "language", "country", "nationality"}


class Fault(StrEnum):
    """Why a string is not taken for a name; the value completes "the line holds …"."""

    EMPTY = "nothing"
    TOO_LONG = f"more than {MAX_NAME_LENGTH} characters"
    CONTROL = "control characters or unassigned code points"
    MARKUP = "markup"
    COMMENT = "a comment"
    COLUMNS = "separators"
    GARBLED = "letters garbled by a wrong encoding"
    NO_LETTERS = "no letters"
    HEADER = "a header"


def find_fault(text: str) -> Fault | None:
    """Return why a string cannot be a name, or does not look like one; None if it does."""
    return find_defect(text) or find_suspicion(text)


def find_defect(text: str) -> Fault | None:
    """Return why no name can be made of a string, whatever it stands for; None if one can."""
    if text.isalpha() and text.isascii():
        return Fault.TOO_LONG if len(text) > MAX_NAME_LENGTH else None
    if not text.strip():
        return Fault.EMPTY
    try:
        cleaned = clean(text)
    except InvalidNameError:
        return Fault.TOO_LONG if len(text) > MAX_NAME_LENGTH else Fault.CONTROL
    try:
        fold_cleaned(cleaned)
    except InvalidNameError:
        return Fault.TOO_LONG
    return None


def find_suspicion(text: str) -> Fault | None:
    """Return why a string that could be a name is hardly one: markup, a comment, columns, garbled or no letters."""
    if text.isalpha() and text.isascii():
        return None
    text = text.strip()
    if _MARKUP.search(text):
        return Fault.MARKUP
    if text.startswith(_COMMENT_MARKS):
        return Fault.COMMENT
    if _SEPARATOR.search(text):
        return Fault.COLUMNS
    if _GARBLED.search(text):
        return Fault.GARBLED
    return None if any(map(str.isalpha, text)) else Fault.NO_LETTERS


def holds_separator_or_digit(text: str) -> bool:
    """Tell whether a string holds what a few names do, such as a comma, and most lines of a table."""
    return _SEPARATOR_OR_DIGIT.search(text.strip()) is not None


def is_header(text: str) -> bool:
    """Tell whether the first line of a list says what the lines are."""
    return text.strip().casefold() in _HEADERS
