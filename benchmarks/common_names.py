"""What bundles answer to the names that everyone types first: everyday, framed, people, the top of twelve cores.

Run `python benchmarks/common_names.py BUNDLE [BUNDLE ...]`; prints Markdown, one block a language, one column a bundle.
"""

import argparse
import csv
from collections import defaultdict
from pathlib import Path

from model.prediction import Predictor
from model.utils import clean, fold

LISTS = tuple(Path(__file__).parents[1] / "data" / folder for folder in ("names", "given_names"))
CORES = Path(__file__).parents[1] / "data" / "cores" / "surnames"
EVERYDAY = Path(__file__).parents[1] / "data" / "everyday.tsv"
PEOPLE = Path(__file__).parents[1] / "data" / "people.tsv"
MORE_PEOPLE = Path(__file__).parents[1] / "data" / "more_people.tsv"
UNTOUCHED_PEOPLE = Path(__file__).parents[1] / "data" / "untouched_people.tsv"
UNFAMILIAR = Path(__file__).parents[1] / "data" / "unfamiliar.tsv"
UNTOUCHED_STRINGS = Path(__file__).parents[1] / "data" / "untouched_strings.tsv"
FRAMES = (
    "{}.", '"{}"', "({})", "{}*", "Dr. {}", "Mr {}", "{} Jr.", "J. R. {}", "{}, M.", "{} M", "{} (note)",
    "Prof. Dr. {}",
)  # fmt: skip
LANGUAGES = (
    "Arabic", "Chinese", "English", "French", "German", "Italian",
    "Japanese", "Polish", "Russian", "Spanish", "Turkish", "Vietnamese",
)  # fmt: skip
MOST_COMMON = 60


def read_cores() -> dict[str, list[str]]:
    """Return every label's hand-written names, most common first."""
    return {path.stem: path.read_text(encoding="utf-8").splitlines() for path in sorted(CORES.glob("*.txt"))}


def read_rows(path: Path) -> list[tuple[str, str, set[str]]]:
    """Return the kind, name and right labels of each row of a table of names."""
    with path.open(encoding="utf-8") as file:
        rows = csv.DictReader(file, delimiter="\t")
        return [(row.get("kind", ""), row["name"], set(row["labels"].split("|"))) for row in rows]


def print_shares(predictors: list[Predictor], title: str, names: list[str], truths: list[set[str]]) -> None:
    """Print the shares right at once, within three answers, and called unfamiliar; any label of a name counts.

    Names of labels that a bundle lacks do not count.
    """
    for predictor in predictors:
        known = [(name, truth) for name, truth in zip(names, truths, strict=True) if truth & set(predictor.labels)]
        answers = predictor.predict([name for name, _ in known], top_k=3)
        rows = [(truth, answer) for (_, truth), answer in zip(known, answers, strict=True)]
        at_once, within = (
            sum(not truth.isdisjoint(answer.labels[:n]) for truth, answer in rows) / len(rows) for n in (1, 3)
        )
        unfamiliar = sum(answer.abstained is not None for _, answer in rows) / len(rows)
        print(
            f"{predictor.metadata.version}: {len(rows)} {title}, top-1 {at_once:.4f}, top-3 {within:.4f}, "
            f"unfamiliar {unfamiliar:.4f}"
        )


def print_everyday(predictors: list[Predictor]) -> None:
    """Print what becomes of everyday names by kind, of surnames in frames, with and without marks, and of people."""
    rows = read_rows(EVERYDAY)
    for kind in ("surname", "given"):
        chosen = [row for row in rows if row[0] == kind]
        print_shares(predictors, f"everyday {kind} names", [row[1] for row in chosen], [row[2] for row in chosen])
    surnames = [row for row in rows if row[0] == "surname"]
    for frame in FRAMES:
        framed = [frame.format(row[1]) for row in surnames]
        print_shares(predictors, f"as {frame}", framed, [row[2] for row in surnames])
    marked = [row for row in surnames if not row[1].isascii()]
    truths = [row[2] for row in marked]
    print_shares(predictors, "everyday surnames with marks", [row[1] for row in marked], truths)
    print_shares(predictors, "the same without", [fold(row[1]) for row in marked], truths)
    for title, path in (("people", PEOPLE), ("more people", MORE_PEOPLE), ("untouched people", UNTOUCHED_PEOPLE)):
        people = read_rows(path)
        print_shares(predictors, title, [row[1] for row in people], [row[2] for row in people])


def print_unfamiliar(predictors: list[Predictor], strings_of: Path) -> None:
    """Print how many strings of each kind have no label or are unfamiliar, with and without names of the data."""
    texts: dict[str, list[str]] = defaultdict(list)
    with strings_of.open(encoding="utf-8") as file:
        for row in csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE):
            texts[row["kind"]].append(row["text"])
    names = {clean(line) for folder in LISTS for path in folder.glob("*.txt") for line in path.open(encoding="utf-8")}
    names = set(map(str.casefold, names)) | set(map(fold, names))
    for predictor in predictors:
        for kind, strings in texts.items():
            answers = predictor.predict_each(strings, top_k=1)
            flagged = [isinstance(answer, str) or answer.abstained is not None for answer in answers]
            others = [flag for flag, text in zip(flagged, strings, strict=True) if clean(text).casefold() not in names]
            print(
                f"{predictor.metadata.version}, {strings_of.stem}: {len(flagged)} {kind}s, "
                f"unfamiliar {sum(flagged) / len(flagged):.3f}; {len(others)} that are no names of the data "
                f"{sum(others) / len(others):.3f}"
            )


def main() -> None:
    """Print the everyday names, how many of each language's each bundle has right, and what is wrong in one of them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("bundles", nargs="+", type=Path)
    predictors = [Predictor.load(path) for path in parser.parse_args().bundles]
    print_everyday(predictors)
    for path in (UNFAMILIAR, UNTOUCHED_STRINGS):
        print_unfamiliar(predictors, path)
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
