"""The build's account of itself, in Markdown."""

import re
from collections import Counter
from itertools import combinations

from cleaning import Entry, Lists, Removal

MOST_OVERLAPS = 25


def render(kind: str, lists: Lists, removals: list[Removal]) -> str:
    """Return counts by label and package, what was removed and why, and overlaps."""
    every = [entry for entries in lists.values() for entry in entries.values()]
    packages = sorted({_family(package) for entry in every for package in entry.packages})
    labels_of: dict[str, list[str]] = {}
    for label, entries in lists.items():
        for key in entries:
            labels_of.setdefault(key, []).append(label)
    total = len(every)
    lines = [
        f"## {kind.replace('_', ' ').capitalize()}\n",
        f"{len(lists)} labels, {total:,} names, {len(labels_of):,} of them distinct without marks and case:",
        f"no classifier can be right on more than {len(labels_of) / total:.1%}.",
        "A name counts under each package that holds it.\n",
        f"| label | names | {' | '.join(packages)} | removed |",
        "| --- |" + " ---: |" * (len(packages) + 2),
    ]
    removed = Counter(removal.label for removal in removals)
    for label, entries in lists.items():
        held = Counter(package for entry in entries.values() for package in set(map(_family, entry.packages)))
        cells = " | ".join(str(held[package] or "") for package in packages)
        lines.append(f"| {label} | {len(entries):,} | {cells} | {removed[label]} |")
    lines += _by_package(every, removals)
    lines += ["\nRemoved:\n", "| reason | entries |", "| --- | ---: |"]
    lines += [f"| {reason} | {n:,} |" for reason, n in Counter(r.reason for r in removals).most_common()]
    overlaps = Counter(pair for labels in labels_of.values() for pair in combinations(labels, 2))
    lines += ["\nLabels that share most names:\n", "| labels | names |", "| --- | ---: |"]
    lines += [f"| {a}, {b} | {n} |" for (a, b), n in overlaps.most_common(MOST_OVERLAPS)]
    return "\n".join(lines) + "\n"


def _by_package(entries: list[Entry], removals: list[Removal]) -> list[str]:
    held = Counter(package for entry in entries for package in entry.packages)
    alone = Counter(entry.packages[0] for entry in entries if len(entry.packages) == 1)
    removed = Counter(package for removal in removals for package in removal.packages)
    return [
        "\nBy package; a name that several hold counts for each:\n",
        "| package | names | held by no other | removed |",
        "| --- | ---: | ---: | ---: |",
        *(f"| {package} | {n:,} | {alone[package]:,} | {removed[package]:,} |" for package, n in held.most_common()),
    ]


def _family(package: str) -> str:
    return re.sub(r"(?<=/language-).+", "*", package)
