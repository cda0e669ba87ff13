"""Find a column by its name, trimmed and whatever its case, or by its number."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from model.errors import DataError

_MAX_SHOWN = 20
_MAX_COLUMN_LENGTH = 40
_NO_LETTERS = re.compile(r"[\W\d_]+")
_HEADER_WORDS = frozenset(
    (
        *("id", "uuid", "key", "code", "number", "nr", "year", "age", "sex", "gender", "birth", "birthday", "email"),
        *("phone", "mobile", "address", "zip", "postcode", "city", "country", "nationality", "language", "label"),
        *("text", "customer", "user", "person", "surname", "vorname", "nachname", "ort", "nom", "prenom", "prénom"),
        *("ville", "nombre", "apellido", "apellidos", "cognome", "sobrenome", "фамилия", "имя"),
    )
)


class ColumnError(DataError):
    """A table lacks a column, or has it twice.

    `problem` says so without what was asked for, and without the `columns` among which it was looked for in vain.
    """

    def __init__(self, sentence: str, problem: str, columns: Sequence[str] = ()) -> None:
        super().__init__(sentence)
        self.problem = problem
        self.columns = columns


@dataclass(frozen=True)
class Wanted:
    """Which columns are needed, and what to do about a file that seems to lack a header or a column.

    `find` returns the places of the columns among those of a header, and raises ColumnError.
    """

    find: Callable[[Sequence[str]], tuple[int, ...]]
    if_single: str
    if_data: str


def find_columns(text: str, label: str, columns: Sequence[str]) -> tuple[int, ...]:
    """Return the places of the columns of texts and labels. Raises ColumnError if they are not two that are there."""
    places = _find(text, columns), _find(label, columns)
    if places[0] == places[1]:
        sentence = f"--text and --label both name column {places[0] + 1}; they must be two."
        raise ColumnError(sentence, sentence)
    return places


def find_text_columns(wanted: str, columns: Sequence[str]) -> tuple[int, ...]:
    """Return the place of a column, or of each of `first,last`, whose cells make one text together.

    Raises:
        ColumnError: one is missing, there twice, or named twice.
    """
    if "," not in wanted or _matches(wanted, columns):
        return (_find(wanted, columns),)
    places = tuple(_find(part.strip(), columns) for part in wanted.split(","))
    if len(set(places)) < len(places):
        sentence = "A column is named twice; name different ones."
        raise ColumnError(sentence, sentence)
    return places


def join_cells(cells: Sequence[str]) -> str:
    """Return the text that the cells of one row make: alone as it is, several with a space between those not blank."""
    return cells[0] if len(cells) == 1 else " ".join(filter(None, map(str.strip, cells)))


def _find(wanted: str, columns: Sequence[str]) -> int:
    found = _matches(wanted, columns)
    if len(found) == 1:
        return found[0]
    if found:
        numbers = " and ".join(str(i + 1) for i in found)
        advice = "rename one, or give the number of the column."
        raise ColumnError(
            f"Columns {numbers} are both called {wanted!r:.60}: {advice}",
            f"Columns {numbers} both have this name.",
        )
    if wanted.isdecimal() and 1 <= int(wanted) <= len(columns):
        return int(wanted) - 1
    raise ColumnError(
        f"There is no column {wanted!r:.60}; the columns are: {describe_columns(columns)}.",
        "There is no column of this name.",
        columns,
    )


def _matches(wanted: str, columns: Sequence[str]) -> list[int]:
    """Return the places of the columns that are called so, else of those that nearly are."""
    exact = [i for i, column in enumerate(columns) if column == wanted]
    return exact or [i for i, column in enumerate(columns) if _normalise(column) == _normalise(wanted)]


def describe_columns(columns: Sequence[str]) -> str:
    """Return the first columns as a list for a person."""
    shown = [repr(column[:_MAX_COLUMN_LENGTH]) for column in columns[:_MAX_SHOWN]]
    return ", ".join(shown) + (f" and {len(columns) - _MAX_SHOWN} more" if len(columns) > _MAX_SHOWN else "")


def is_header(cells: Sequence[str]) -> bool:
    """Tell whether cells are surely names of columns, not somebody's."""
    words = {word for cell in cells for word in _NO_LETTERS.split(cell.casefold())}
    return not _HEADER_WORDS.isdisjoint(words) or any("name" in word for word in words)


def _normalise(column: str) -> str:
    return column.strip().strip("\ufeff").strip().casefold()
