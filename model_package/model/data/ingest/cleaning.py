"""Rows to the names of each label: what cannot be one is counted by reason, what is no list of names is refused."""

import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from model.constants import MIN_NAMES_PER_LABEL
from model.data.ingest.tables import Row
from model.data.label_folder import AS_IS, is_label
from model.data.line_checks import find_defect, find_suspicion, holds_separator_or_digit
from model.data.manifest import MAX_PLACES, Refused
from model.errors import DataError
from model.utils import clean, fold_cleaned, normalize_cleaned

_MAX_LABELS = 10_000
BAD_LABEL = "a label that cannot name a file"
_NO_LABEL = "no label"
_NO_PAIR = "no name, tab and other spelling"


@dataclass
class Refusals:
    """Counts rows by why they were refused, and keeps where the first of each kind stand."""

    counts: Counter[str] = field(default_factory=Counter)
    places: dict[str, list[str]] = field(default_factory=dict)

    def add(self, reason: str, place: str) -> None:
        """Count a row."""
        self.counts[reason] += 1
        places = self.places.setdefault(reason, [])
        if len(places) < MAX_PLACES:
            places.append(place)

    def extend(self, other: "Refusals", prefix: str) -> None:
        """Count the rows of others too, whose places get a prefix."""
        for reason, count in other.counts.items():
            self.counts[reason] += count
            places = self.places.setdefault(reason, [])
            places += [f"{prefix}{place}" for place in other.places[reason][: MAX_PLACES - len(places)]]

    def records(self) -> dict[str, Refused]:
        """Return what a manifest holds, most frequent first."""
        return {
            reason: Refused(count=count, places=tuple(self.places[reason]))
            for reason, count in self.counts.most_common()
        }


@dataclass
class _Suspects:
    """How many rows there are, how many look like no names, and where and why the first does not."""

    rows: int = 0
    suspects: int = 0
    first: str = ""
    reason: str = ""
    can_be_taken: bool = False
    """Whether the first one is a name where every line is taken for one."""

    def add(self, row: Row, label: str, reason: str | None) -> None:
        self.rows += 1
        if reason:
            if not self.suspects:
                self.first, self.reason = row.place, reason
                self.can_be_taken = _refusal(row, label, as_is=True) is None
            self.suspects += 1

    @property
    def prevail(self) -> bool:
        return 2 * self.suspects > self.rows


@dataclass
class Cleaned:
    """The clean spelling of each name by label and folded form, in the order of the source, and what was refused."""

    names: dict[str, dict[str, str]] = field(default_factory=dict)
    refusals: Refusals = field(default_factory=Refusals)
    rows: int = 0
    taken: int = 0
    ends_broken: bool = False
    """Whether the last row could not be read."""

    @property
    def repeated(self) -> int:
        """How many rows hold a name that its label has by a row before."""
        return self.taken - sum(map(len, self.names.values()))


def clean_rows(rows: Iterable[Row], *, as_is: bool, key: Callable[[str], str] = fold_cleaned) -> Cleaned:
    """Sort rows into names and refusals; of those with one key, the first is taken.

    Raises:
        DataError: most rows, or most of a label, are no names (unless `as_is`); or there are more labels than any
            classifier has.
    """
    cleaned, everything, by_label = Cleaned(), _Suspects(), dict[str, _Suspects]()
    for row in rows:
        label = unicodedata.normalize("NFC", row.label.strip())
        refusal = _refusal(row, label, as_is=as_is)
        suspicion = refusal or (None if as_is else _describe_record(row.text))
        everything.add(row, label, suspicion)
        if not row.problem and is_label(label):
            by_label.setdefault(label, _Suspects()).add(row, label, suspicion)
        if len(by_label) > _MAX_LABELS:
            raise DataError(f"There are more than {_MAX_LABELS} labels: --text and --label may be swapped.")
        cleaned.rows += 1
        cleaned.ends_broken = bool(row.problem)
        if refusal:
            cleaned.refusals.add(refusal, row.place)
        else:
            cleaned.taken += 1
            spelling = clean(row.text)
            cleaned.names.setdefault(label, {}).setdefault(key(spelling), spelling)
    _refuse_tables(everything, by_label)
    return cleaned


def clean_strings(rows: Iterable[Row]) -> Cleaned:
    """Sort rows of strings that need be no names, such as outliers, which keep their marks."""
    return clean_rows((row._replace(problem="") for row in rows), as_is=True, key=normalize_cleaned)


def clean_variants(rows: Iterable[Row]) -> Cleaned:
    """Sort rows of a name, a tab and another spelling of it, by the folded forms of both, into pairs and refusals."""
    cleaned = Cleaned()
    for row in rows:
        cleaned.rows += 1
        cells, label = row.text.split("\t"), unicodedata.normalize("NFC", row.label.strip())
        refusals = [_refusal(row._replace(text=cell, problem=""), label, as_is=False) for cell in cells]
        if refusal := _NO_PAIR if len(cells) != 2 else refusals[0] or refusals[1]:
            cleaned.refusals.add(refusal, row.place)
        else:
            cleaned.taken += 1
            pair = [clean(cell) for cell in cells]
            cleaned.names.setdefault(label, {}).setdefault("\t".join(map(fold_cleaned, pair)), "\t".join(pair))
    return cleaned


def _refusal(row: Row, label: str, *, as_is: bool) -> str | None:
    if row.problem and not (as_is and row.label):
        return row.problem
    if not is_label(label):
        return BAD_LABEL if label else _NO_LABEL
    fault = find_defect(row.text) or (None if as_is else find_suspicion(row.text))
    return fault.value if fault else None


def _describe_record(text: str) -> str | None:
    return "separators or digits" if holds_separator_or_digit(text) else None


def _refuse_tables(everything: _Suspects, by_label: dict[str, _Suspects]) -> None:
    """Raise DataError if most rows, or most of a label, are suspect."""
    large = {label: found for label, found in by_label.items() if found.rows >= MIN_NAMES_PER_LABEL}
    groups = {"rows": everything, **{f"rows of {label}": found for label, found in large.items()}}
    for what, found in groups.items():
        if found.prevail:
            advice = f"; {AS_IS}" if found.can_be_taken else ""
            raise DataError(
                f"line {found.first} holds {found.reason}: {found.suspects} of {found.rows} {what} are no names, so "
                f"nothing is taken{advice}."
            )
