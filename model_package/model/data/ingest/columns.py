"""Find a column by its name, trimmed and whatever its case, or by its number."""

from collections.abc import Sequence

from model.errors import DataError

_MAX_SHOWN = 20
_MAX_COLUMN_LENGTH = 40


class ColumnError(DataError):
    """A table lacks a column, or has it twice."""


def find_columns(text: str, label: str, columns: Sequence[str]) -> tuple[int, int]:
    """Return the places of the columns of texts and labels. Raises ColumnError if they are not two that are there."""
    places = _find(text, columns), _find(label, columns)
    if places[0] == places[1]:
        raise ColumnError(f"--text and --label both name column {places[0] + 1}; they must be two.")
    return places


def _find(wanted: str, columns: Sequence[str]) -> int:
    exact = [i for i, column in enumerate(columns) if column == wanted]
    similar = [i for i, column in enumerate(columns) if _normalise(column) == _normalise(wanted)]
    found = exact or similar
    if len(found) == 1:
        return found[0]
    if found:
        numbers = " and ".join(str(i + 1) for i in found)
        raise ColumnError(
            f"Columns {numbers} are both called {wanted!r:.60}: rename one, or give the number of the column."
        )
    if wanted.isdecimal() and 1 <= int(wanted) <= len(columns):
        return int(wanted) - 1
    raise ColumnError(f"There is no column {wanted!r:.60}; the columns are: {describe_columns(columns)}.")


def describe_columns(columns: Sequence[str]) -> str:
    """Return the first columns as a list for a person."""
    shown = [repr(column[:_MAX_COLUMN_LENGTH]) for column in columns[:_MAX_SHOWN]]
    return ", ".join(shown) + (f" and {len(columns) - _MAX_SHOWN} more" if len(columns) > _MAX_SHOWN else "")


def _normalise(column: str) -> str:
    return column.strip().strip("\ufeff").strip().casefold()
