"""What data is worth: a plain 1-to-5-gram logistic regression on three tests, two of which the split cannot see.

Run `python benchmarks/yardstick.py [--data data]`; prints Markdown. The tests: names held out at random (3 splits);
`everyday.tsv`, names that everyone knows, after training on all names; and leave one source out, where the names that
only one package holds are answered by a model that never saw that package.
"""

import argparse
import csv
import gzip
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

from model.data import Dataset, load_dataset, split_dataset
from model.evaluation import evaluate
from model.utils import fold

SPLITS = 3


def fit(names: Sequence[str], label_ids: NDArray[np.int64], *, balanced: bool) -> Pipeline:
    """Fit the yardstick to folded names; balanced gives every label the same prior."""
    vectors = CountVectorizer(analyzer="char", ngram_range=(1, 5), min_df=2, binary=True, dtype=np.float32)
    weight = "balanced" if balanced else None
    regression = LogisticRegression(C=0.3, max_iter=300, tol=1e-3, class_weight=weight)
    return make_pipeline(vectors, regression).fit(marked(names), label_ids)


def marked(names: Sequence[str]) -> list[str]:
    """Return names with their beginning and end marked."""
    return [f"^{name}$" for name in names]


def random_split(dataset: Dataset) -> str:
    """Return one line: accuracy, top-3 and macro-F1 on names held out at random."""
    rows = []
    for seed in range(SPLITS):
        split = split_dataset(dataset, seed)
        model = fit(split.train.names, split.train.label_ids, balanced=False)
        log_probs = model.predict_log_proba(marked(split.test.names))
        metrics = evaluate(log_probs, split.test.label_ids, dataset.labels)
        rows.append((metrics.accuracy, metrics.top_3_accuracy, metrics.macro_f1))
    means, spreads = np.mean(rows, axis=0), np.std(rows, axis=0, ddof=1)
    return ", ".join(f"{m:.4f} ± {s:.4f}" for m, s in zip(means, spreads, strict=True))


def everyday(dataset: Dataset, path: Path) -> tuple[float, float, list[str]]:
    """Return top-1, top-3 and the names answered wrong; any of a name's labels counts."""
    with path.open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if row["kind"] == "surname"]
    model = fit(dataset.names, dataset.label_ids, balanced=True)
    ranked = np.argsort(-model.predict_log_proba(marked([fold(row["name"]) for row in rows])), axis=1)[:, :3]
    answers = [[dataset.labels[i] for i in ids] for ids in ranked]
    truths = [set(row["labels"].split("|")) for row in rows]
    first = [answer[0] in truth for answer, truth in zip(answers, truths, strict=True)]
    third = [bool(truth & set(answer)) for answer, truth in zip(answers, truths, strict=True)]
    wrong = [
        f"{row['name']} ({row['labels']}): {answer[0]}"
        for row, answer, hit in zip(rows, answers, first, strict=True)
        if not hit
    ]
    return float(np.mean(first)), float(np.mean(third)), wrong


def leave_one_source_out(dataset: Dataset, origins: Path) -> dict[str, tuple[float, int]]:
    """Return by label the recall, and the number, of names that only one package holds, judged without it."""
    with gzip.open(origins, "rt", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if row["kind"] == "surnames"]
    packages = {(fold(row["name"]), row["label"]): set(row["packages"].split(",")) for row in rows}
    held = [packages[name, dataset.labels[i]] for name, i in zip(dataset.names, dataset.label_ids, strict=True)]
    hits: dict[int, list[bool]] = {}
    for package in sorted(set().union(*held)):
        only = np.array([sources == {package} for sources in held])
        known = set(dataset.label_ids[~only].tolist())
        tested = dataset.take(only & np.isin(dataset.label_ids, list(known)))
        if not len(tested):
            continue
        model = fit(dataset.take(~only).names, dataset.label_ids[~only], balanced=True)
        answers = model.predict(marked(tested.names))
        for label_id, answer in zip(tested.label_ids.tolist(), answers, strict=True):
            hits.setdefault(label_id, []).append(label_id == answer)
    return {dataset.labels[i]: (float(np.mean(hits[i])), len(hits[i])) for i in sorted(hits)}


def main() -> None:
    """Run the three tests and print them, the last one per label."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("data"))
    folder: Path = parser.parse_args().data
    dataset = load_dataset(folder / "names")
    print(f"- {len(dataset)} names of {len(dataset.labels)} labels")
    print(f"- random split, accuracy, top-3, macro-F1: {random_split(dataset)}", flush=True)
    top_1, top_3, wrong = everyday(dataset, folder / "everyday.tsv")
    print(f"- everyday names, top-1 {top_1:.4f}, top-3 {top_3:.4f}; {len(wrong)} wrong", flush=True)
    recalls = leave_one_source_out(dataset, folder / "origins.tsv.gz")
    balanced = np.mean([recall for recall, _ in recalls.values()])
    print(f"- leave one source out, balanced accuracy over {len(recalls)} labels: {balanced:.4f}\n")
    print("| label | names of one source | recall without it |\n| --- | ---: | ---: |")
    for label, (recall, n) in recalls.items():
        print(f"| {label} | {n} | {recall:.3f} |")
    print("\nEveryday names answered wrong:", "; ".join(wrong))


if __name__ == "__main__":
    main()
