"""What bundles answer to the names that everyone types first: data/everyday.tsv, and the top of twelve cores.

Run `python benchmarks/common_names.py BUNDLE [BUNDLE ...]`; prints Markdown, one block a language, one column a bundle.
"""

import argparse
import csv
from pathlib import Path

from model.prediction import Predictor

CORES = Path(__file__).parents[1] / "data" / "cores" / "surnames"
EVERYDAY = Path(__file__).parents[1] / "data" / "everyday.tsv"
LANGUAGES = (
    "Arabic", "Chinese", "English", "French", "German", "Italian",
    "Japanese", "Polish", "Russian", "Spanish", "Turkish", "Vietnamese",
)  # fmt: skip
MOST_COMMON = 60


def read_cores() -> dict[str, list[str]]:
    """Return every label's hand-written names, most common first."""
    return {path.stem: path.read_text(encoding="utf-8").splitlines() for path in sorted(CORES.glob("*.txt"))}


def print_everyday(predictors: list[Predictor]) -> None:
    """Print, by kind of name, the shares right at once and within three answers; any label of a name counts."""
    with EVERYDAY.open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    for kind in ("surname", "given"):
        names = [row["name"] for row in rows if row["kind"] == kind]
        truths = [set(row["labels"].split("|")) for row in rows if row["kind"] == kind]
        for predictor in predictors:
            answers = [answer.labels for answer in predictor.predict(names, top_k=3)]
            at_once, within = (
                sum(not truth.isdisjoint(labels[:n]) for truth, labels in zip(truths, answers, strict=True))
                / len(names)
                for n in (1, 3)
            )
            version = predictor.metadata.version
            print(f"{version}: {len(names)} everyday {kind} names, top-1 {at_once:.4f}, top-3 {within:.4f}")


def main() -> None:
    """Print the everyday names, how many of each language's each bundle has right, and what is wrong in one of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundles", nargs="+", type=Path)
    predictors = [Predictor.load(path) for path in parser.parse_args().bundles]
    print_everyday(predictors)
    cores = read_cores()
    for language in LANGUAGES:
        names = cores[language][:MOST_COMMON]
        homes = {name: {label for label, core in cores.items() if name in core} for name in names}
        columns = [[answer.labels[0] for answer in predictor.predict(names, top_k=1)] for predictor in predictors]
        right = [sum(a in homes[name] for a, name in zip(column, names, strict=True)) for column in columns]
        print(f"\n**{language}**: right at once {' → '.join(map(str, right))} of {len(names)}. ", end="")
        rows = zip(names, *columns, strict=True)
        print("; ".join(f"{name} {' → '.join(row)}" for name, *row in rows if not set(row) <= homes[name]))


if __name__ == "__main__":
    main()
