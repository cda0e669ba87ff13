"""A small part of data/names, as rows: what is there at first, and fresh ones that come later."""

import csv
import random
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "data" / "names"
LABELS = ("Czech", "English", "German", "Italian", "Polish", "Spanish")
N_BASE, N_FRESH = 500, 150

Rows = list[tuple[str, str]]
"""Names with their labels."""


@dataclass(frozen=True)
class Parts:
    """Rows of all labels in no order: those to begin with, fresh ones, and more of one label than of the others."""

    base: Rows
    fresh: Rows
    more: dict[str, list[str]]


def read_parts(labels: tuple[str, ...] = LABELS, n_base: int = N_BASE, n_fresh: int = N_FRESH) -> Parts:
    """Draw the parts, the same every time; no name of a label stands in two of them."""
    rng = random.Random(0)
    base, fresh, more = Rows(), Rows(), dict[str, list[str]]()
    for label in labels:
        names = (FOLDER / f"{label}.txt").read_text(encoding="utf-8").splitlines()
        rng.shuffle(names)
        base += [(name, label) for name in names[:n_base]]
        fresh += [(name, label) for name in names[n_base : n_base + n_fresh]]
        more[label] = names[n_base + n_fresh :]
    rng.shuffle(base)
    rng.shuffle(fresh)
    return Parts(base, fresh, more)


def write_csv(path: Path, rows: Iterable[Sequence[str]], encoding: str = "utf-8") -> Path:
    """Write rows below a header."""
    with path.open("w", newline="", encoding=encoding, errors="replace") as file:
        csv.writer(file).writerows([("name", "label"), *rows])
    return path
