"""Whether a source was read whole and in its encoding, and whether its rows are names at all."""

import unicodedata
from collections.abc import Iterator

from model.data.ingest.text import GUESSES
from model.data.line_checks import Fault
from model.data.manifest import Manifest
from model.pipeline.drift.change import Change
from model.pipeline.drift.findings import Finding

_MIN_ROWS = 3
_MAX_SHARE = 0.10
_MAX_GARBLED_SHARE = 0.01
_NO_LETTERS_OF_NAMES = "ªºµƒ"
_MAX_GARBLED_SPELLINGS = 0.10  # of those with letters beyond ASCII
_MAX_PLACES = 5


def check_source(change: Change) -> Iterator[Finding]:
    """Find a source that was cut off, of which too many rows were refused, or whose encoding was guessed wrong."""
    manifest = change.manifest
    if manifest is None:
        return
    if manifest.source.is_cut_off:
        yield Finding(
            "cut off",
            f"{manifest.source.location} ends within its last row: it is not whole. Copy it again.",
        )
    yield from _check_refused(manifest)
    yield from _check_encoding(change, manifest)


def _check_refused(manifest: Manifest) -> Iterator[Finding]:
    for reason, refused in manifest.refused.items():
        limit = _MAX_GARBLED_SHARE if reason == Fault.GARBLED else _MAX_SHARE
        if refused.count >= _MIN_ROWS and refused.count > limit * manifest.rows:
            places = ", ".join(refused.places[:_MAX_PLACES])
            yield Finding(
                "refused rows",
                f"{refused.count} of {manifest.rows} rows of {manifest.source.location} hold {reason}, the first in "
                f"line {places}: more than {limit:.0%} of a source should not. Mend or leave out these rows.",
            )


def _check_encoding(change: Change, manifest: Manifest) -> Iterator[Finding]:
    """Find letters that a wrong guess leaves: symbols within names, and names of hardly any plain letter."""
    if manifest.source.encoding is not None and manifest.source.encoding not in GUESSES:
        return
    spellings = [change.after[label][name] for label, names in change.added.items() for name in names]
    beyond = [spelling for spelling in spellings if not spelling.isascii()]
    garbled = sum(map(_is_garbled, beyond))
    if garbled >= _MIN_ROWS and garbled > _MAX_GARBLED_SPELLINGS * len(beyond):
        yield Finding(
            "encoding",
            f"{garbled} of the {len(beyond)} new names with letters beyond ASCII in {manifest.source.location}, which "
            f"is no UTF-8 and was read as {manifest.source.encoding or 'windows-1252'}, hold what no name does: it is "
            "in another encoding. Save it as UTF-8.",
        )


def _is_garbled(spelling: str) -> bool:
    letters = [c for c in spelling if c.isalpha()]
    odd = sum(not c.isascii() for c in letters)
    holds_symbol = any(
        not c.isascii() and (unicodedata.category(c)[0] in "SPNC" or c in _NO_LETTERS_OF_NAMES) for c in spelling
    )
    return holds_symbol or (len(letters) > 3 and 2 * odd > len(letters))
