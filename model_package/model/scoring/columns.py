"""The columns that scoring adds to a table, for the command line and for the service's files alike."""

import re
from collections.abc import Collection
from itertools import count

_ADDED = re.compile(r"(?:label|probability)_\d+(?:_\d+)?|abstained(?:_\d+)?")


def added_columns(n_labels: int, taken: Collection[str], *others: str) -> list[str]:
    """Return `label_1` to `label_n`, `probability_1` to `probability_n`, and others, none of which is taken.

    Of a table that has one of them, as one that was scored before, all get the suffix `_2`, or the next that is free.
    """
    ranks = range(1, n_labels + 1)
    names = [*(f"label_{rank}" for rank in ranks), *(f"probability_{rank}" for rank in ranks), *others]
    folded = {column.strip().casefold() for column in taken}
    suffixes = (f"_{number}" if number > 1 else "" for number in count(1))
    suffix = next(suffix for suffix in suffixes if folded.isdisjoint(f"{name}{suffix}" for name in names))
    return [f"{name}{suffix}" for name in names]


def is_added(column: str) -> bool:
    """Tell whether a column may be one that scoring adds."""
    return _ADDED.fullmatch(column) is not None
