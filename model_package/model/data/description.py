"""Count what a folder of label files holds."""

from collections import Counter, defaultdict
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

from model.data.corpus import Reading, build_corpus
from model.data.label_folder import read_folder


@dataclass(frozen=True)
class LabelReport:
    """Lines, distinct folded names, and names shared with another label."""

    label: str
    lines: int
    names: int
    shared: int


@dataclass(frozen=True)
class DataReport:
    """What `validate` prints; `accuracy_ceiling` is the best top-1 that names shared by labels leave possible."""

    labels: tuple[LabelReport, ...]
    overlaps: tuple[tuple[str, str, int], ...]
    names: int
    distinct_names: int
    given_names: int
    outliers: int
    variants: int
    ranked_labels: tuple[str, ...]
    accuracy_ceiling: float
    fingerprint: str
    warnings: tuple[str, ...]


def describe_data(folder: Path, reading: Reading | None = None) -> DataReport:
    """Count names, duplicates and overlaps of a folder. Raises DataError as `load_corpus` does."""
    reading = reading or Reading()
    found = read_folder(folder, as_is=reading.as_is)
    corpus = build_corpus(folder, found, reading)
    dataset = corpus.names
    labels_of: dict[str, list[str]] = defaultdict(list)
    for name, label_id in zip(dataset.names, dataset.label_ids, strict=True):
        labels_of[name].append(dataset.labels[label_id])
    shared = Counter(label for labels in labels_of.values() if len(labels) > 1 for label in labels)
    overlaps = Counter(pair for labels in labels_of.values() for pair in combinations(labels, 2))
    counts = [(label, found.names[label]) for label in dataset.labels]
    return DataReport(
        labels=tuple(LabelReport(label, len(lines), len(set(lines)), shared[label]) for label, lines in counts),
        overlaps=tuple((a, b, n) for (a, b), n in overlaps.most_common()),
        names=len(dataset),
        distinct_names=len(labels_of),
        accuracy_ceiling=len(labels_of) / len(dataset),
        given_names=len(corpus.given) if corpus.given else 0,
        outliers=len(corpus.outliers),
        variants=corpus.count_variants(),
        ranked_labels=dataset.ranked_labels(),
        fingerprint=corpus.fingerprint(),
        warnings=corpus.warnings,
    )
