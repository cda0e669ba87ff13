"""Broken and poisoned drops, made of fresh rows, and words of the reason why each is refused."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.pipeline.names import LABELS, Parts, Rows, write_csv


@dataclass(frozen=True)
class Poison:
    """How to write a drop, given a path without a suffix; what its refusal says; whether it is to replace all."""

    write: Callable[[Path, Parts, list[str]], object]
    words: str
    replaces: bool = False


def _wrong_encoding(path: Path, parts: Parts, _: list[str]) -> None:
    write_csv(path.with_suffix(".csv"), parts.fresh, "cp1250")


def _doubled(path: Path, parts: Parts, _: list[str]) -> None:
    n = sum(label == "Polish" for _, label in parts.base)
    write_csv(path.with_suffix(".csv"), [*parts.fresh, *((name, "Polish") for name in parts.more["Polish"][:n])])


def _swapped(path: Path, parts: Parts, _: list[str]) -> None:
    rng = random.Random(1)
    rows = list(parts.fresh)
    for i in rng.sample(range(len(rows)), len(rows) // 20):
        name, label = rows[i]
        rows[i] = (name, rng.choice([other for other in LABELS if other != label]))
    write_csv(path.with_suffix(".csv"), rows)


def _leaked(path: Path, parts: Parts, test_names: list[str]) -> None:
    label_of = dict(parts.base)
    by_folded = {name.casefold(): label for name, label in label_of.items()}
    leaked = [(f"{name}x", by_folded[name]) for name in test_names if name in by_folded]
    write_csv(path.with_suffix(".csv"), [*parts.fresh, *leaked])


def _empty_labels(path: Path, parts: Parts, _: list[str]) -> None:
    write_csv(
        path.with_suffix(".csv"), [(name, "" if i % 4 == 0 else label) for i, (name, label) in enumerate(parts.fresh)]
    )


def _binary(path: Path, _: Parts, __: list[str]) -> None:
    path.with_suffix(".csv").write_bytes(random.Random(2).randbytes(20_000))


def _long_names(path: Path, parts: Parts, _: list[str]) -> None:
    write_csv(
        path.with_suffix(".csv"),
        [(name * 2000 if i % 5 == 0 else name, label) for i, (name, label) in enumerate(parts.fresh)],
    )


def _spam(path: Path, parts: Parts, _: list[str]) -> None:
    spam = [(f"Kaufjetzt{chr(97 + i // 26)}{chr(97 + i % 26)}", "German") for i in range(60)]
    write_csv(path.with_suffix(".csv"), [*parts.fresh, *spam])


def _truncated(path: Path, parts: Parts, _: list[str]) -> None:
    file = write_csv(path.with_suffix(".csv"), parts.fresh)
    content = file.read_bytes()
    file.write_bytes(content[: content.rindex(b",", 0, len(content) // 2)])


def _tiny_label(path: Path, parts: Parts, _: list[str]) -> None:
    write_csv(path.with_suffix(".csv"), [*parts.fresh, *((name, "Polsih") for name in parts.more["Polish"][:3])])


def _label_gone(path: Path, parts: Parts, _: list[str]) -> None:
    rows: Rows = [*parts.base, *parts.fresh]
    write_csv(path.with_suffix(".csv"), [row for row in rows if row[1] != "Czech"])


def _page(path: Path, parts: Parts, _: list[str]) -> None:
    cells = "".join(f"<tr><td>{name}</td><td>{label}</td></tr>\n" for name, label in parts.fresh)
    path.with_suffix(".csv").write_text(f"<!DOCTYPE html>\n<table>{cells}</table>", encoding="utf-8")


def _markup_in_cells(path: Path, parts: Parts, _: list[str]) -> None:
    write_csv(
        path.with_suffix(".csv"),
        [(f"<b>{name}</b>" if i % 4 == 0 else name, label) for i, (name, label) in enumerate(parts.fresh)],
    )


POISONS = {
    "wrong encoding": Poison(_wrong_encoding, "it is in another encoding"),
    "one label doubled": Poison(_doubled, "Polish has 1150 names where the last snapshot has 500"),
    "labels swapped in 5% of rows": Poison(_swapped, "carry labels that have nothing to do with them"),
    "test names leaked": Poison(_leaked, "are test names but for a letter or a word"),
    "empty labels": Poison(_empty_labels, "225 of 900 rows"),
    "binary file": Poison(_binary, "binary file"),
    "names of 10,000 characters": Poison(_long_names, "180 of 900 rows"),
    "spam in one label": Poison(_spam, "new names of German"),
    "truncated file": Poison(_truncated, "ends within its last row"),
    "new label with 3 names": Poison(_tiny_label, "Polsih has 3 (is it Polish?)"),
    "a label gone": Poison(_label_gone, "1 label(s) are gone with 500 names: Czech", replaces=True),
    "an HTML page": Poison(_page, "is an HTML or XML page"),
    "HTML in a quarter of the cells": Poison(_markup_in_cells, "225 of 900 rows"),
}
