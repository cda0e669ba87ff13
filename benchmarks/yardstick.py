"""What data is worth: a plain 1-to-5-gram logistic regression on three tests, two of which the split cannot see.

Run `python benchmarks/yardstick.py [--data data]`; prints Markdown. The tests: names held out at random (3 splits);
`everyday.tsv`, names that everyone knows, after training on all names; and leave one source out, where the names that
only one package holds are answered by a model that never saw that package.
"""

import argparse
import csv
import gzip
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

from model.data.dataset import Dataset, load_dataset
from model.data.splitting import split_dataset
from model.evaluation.metrics import evaluate
from model.training import TrainingConfig
from model.utils import fold

SPLITS = 3


def fit(dataset: Dataset, *, balanced: bool) -> Pipeline:
    """Fit the yardstick, common names weighing more; balanced gives every label the same prior."""
    vectors = CountVectorizer(analyzer="char", ngram_range=(1, 5), min_df=2, binary=True, dtype=np.float32)
    # C was chosen on validation names, as the emphasis was
    regression = LogisticRegression(C=1, max_iter=300, tol=1e-3, class_weight="balanced" if balanced else None)
    model = make_pipeline(vectors, regression)
    return model.fit(
        marked(dataset.names),
        dataset.label_ids,
        logisticregression__sample_weight=dataset.weights(TrainingConfig.emphasis),
    )


def marked(names: Sequence[str]) -> list[str]:
    """Return names with their beginning and end marked."""
    return [f"^{name}$" for name in names]


Hits = dict[str, list[bool]]
"""Whether each answer was right, by label."""


def random_split(dataset: Dataset) -> Hits:
    """Print accuracy, top-3 and macro-F1 on names held out at random."""
    rows = []
    hits: Hits = defaultdict(list)
    for seed in range(SPLITS):
        split = split_dataset(dataset, seed)
        model = fit(split.train, balanced=False)
        log_probs = model.predict_log_proba(marked(split.test.names))
        metrics = evaluate(log_probs, split.test.label_ids, dataset.labels)
        rows.append((metrics.accuracy, metrics.top_3_accuracy, metrics.macro_f1))
        for label_id, answer in zip(split.test.label_ids.tolist(), log_probs.argmax(axis=1).tolist(), strict=True):
            hits[dataset.labels[label_id]].append(label_id == answer)
    means, spreads = np.mean(rows, axis=0), np.std(rows, axis=0, ddof=1)
    figures = ", ".join(f"{m:.4f} ± {s:.4f}" for m, s in zip(means, spreads, strict=True))
    print(f"- random split, accuracy, top-3, macro-F1: {figures}", flush=True)
    return hits


def everyday(dataset: Dataset, path: Path) -> Hits:
    """Print top-1, top-3 and what is answered wrong; any of a name's labels counts, and it counts for each."""
    with path.open(encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if row["kind"] == "surname"]
    model = fit(dataset, balanced=True)
    ranked = np.argsort(-model.predict_log_proba(marked([fold(row["name"]) for row in rows])), axis=1)[:, :3]
    answers = [[dataset.labels[i] for i in ids] for ids in ranked]
    truths = [set(row["labels"].split("|")) for row in rows]
    hits: Hits = defaultdict(list)
    wrong = []
    for row, answer, truth in zip(rows, answers, truths, strict=True):
        for label in truth:
            hits[label].append(answer[0] in truth)
        if answer[0] not in truth:
            wrong.append(f"{row['name']} ({row['labels']}): {answer[0]}")
    third = np.mean([bool(truth & set(answer)) for answer, truth in zip(answers, truths, strict=True)])
    print(
        f"- everyday names, top-1 {1 - len(wrong) / len(rows):.4f}, top-3 {third:.4f}; wrong: {'; '.join(wrong)}",
        flush=True,
    )
    return hits


def leave_one_source_out(dataset: Dataset, origins: Path) -> tuple[Hits, Hits]:
    """Judge each package's names by a model trained without the package: those no other package holds, and all.

    Names that another package holds too are trained with; those that only this one holds are new to the model. Any
    label under which a name stands is right, as it is for the everyday names.
    """
    with gzip.open(origins, "rt", encoding="utf-8") as file:
        rows = [row for row in csv.DictReader(file, delimiter="\t") if row["kind"] == "surnames"]
    packages = {(fold(row["name"]), row["label"]): set(row["packages"].split(",")) for row in rows}
    held = [packages[name, dataset.labels[i]] for name, i in zip(dataset.names, dataset.label_ids, strict=True)]
    homes: dict[str, set[int]] = defaultdict(set)
    for name, label_id in zip(dataset.names, dataset.label_ids.tolist(), strict=True):
        homes[name].add(label_id)
    unshared: Hits = defaultdict(list)
    every: Hits = defaultdict(list)
    for package in sorted(set().union(*held)):
        only = np.array([sources == {package} for sources in held])
        holds = np.array([package in sources for sources in held])
        tested = np.flatnonzero(holds & np.isin(dataset.label_ids, dataset.label_ids[~only]))
        if not len(tested):
            continue
        model = fit(dataset.take(~only), balanced=True)
        answers = model.predict(marked([dataset.names[i] for i in tested]))
        for i, answer in zip(tested.tolist(), answers.tolist(), strict=True):
            label, hit = dataset.labels[dataset.label_ids[i]], answer in homes[dataset.names[i]]
            every[label].append(hit)
            if only[i]:
                unshared[label].append(hit)
    balanced = [np.mean([np.mean(hits[label]) for label in unshared]) for hits in (unshared, every)]
    print(f"- leave one source out, balanced accuracy over {len(unshared)} labels: on names that no other source holds")
    print(f"  {balanced[0]:.4f}, on all names of the source {balanced[1]:.4f}")
    return unshared, every


def main() -> None:
    """Run the three tests and print them, then their recall by label."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("data"))
    folder: Path = parser.parse_args().data
    dataset = load_dataset(folder / "names")
    print(f"- {len(dataset)} names of {len(dataset.labels)} labels")
    columns = [random_split(dataset), everyday(dataset, folder / "everyday.tsv")]
    columns += leave_one_source_out(dataset, folder / "origins.tsv.gz")
    print("\n| label | random split | everyday | without a source: its own names | all its names |")
    print("| --- | ---: | ---: | ---: | ---: |")
    for label in dataset.labels:
        cells = (f"{np.mean(hits[label]):.2f} of {len(hits[label])}" if label in hits else "" for hits in columns)
        print(f"| {label} | {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
