"""What `similar` costs beside `explain`: time per query, size of the index, time to make and to load it.

Run `python benchmarks/similarity.py [--bundle artifacts] [--data data/names]`; prints Markdown. Asked are validation
names: of their own label among the training names, and, the worst case, with every name of the data under one label.
"""

import argparse
import statistics
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from model.constants import MAX_NAME_LENGTH
from model.data.dataset import Dataset, load_dataset
from model.data.splitting import split_dataset
from model.explain.contributions import explain
from model.explain.similar_names import SimilarNames, build_index, similar
from model.prediction import Predictor

QUERIES = 400


def clock(action: Callable[[], object]) -> tuple[float, float]:
    """Return the wall and the CPU milliseconds that an action takes."""
    wall, cpu = time.perf_counter(), time.process_time()
    action()
    return 1000 * (time.perf_counter() - wall), 1000 * (time.process_time() - cpu)


def median(actions: list[Callable[[], object]]) -> str:
    """Return the cells of a row: the median wall and CPU milliseconds, and the slowest wall time."""
    wall, cpu = zip(*map(clock, actions), strict=True)
    return f"{statistics.median(wall):.3f} | {statistics.median(cpu):.3f} | {max(wall):.3f}"


def judge(title: str, predictor: Predictor, data: Dataset, queries: list[tuple[str, str]]) -> None:
    """Print the rows of one index; `queries` are names with the label to search."""
    built: list[bytes] = []
    build = clock(lambda: built.append(build_index(data.labels, data.names, data.label_ids)))
    indexes: list[SimilarNames] = []
    load = clock(lambda: indexes.append(SimilarNames(built[0])))
    first = clock(lambda: similar(predictor, indexes[0], *queries[0]))
    print(f"\n{title}: {len(data):,} names, {len(built[0]) / 1e6:.2f} MB; ", end="")
    print(f"made in {build[1]:.0f} ms, loaded in {load[1]:.1f} ms, first answer in {first[1]:.0f} ms of CPU.\n")
    print("| query | wall ms | CPU ms | slowest wall ms |\n| --- | ---: | ---: | ---: |")
    asked = {"similar": [(name, label) for name, label in queries]}
    asked["similar, names of 100 letters"] = [
        (" ".join(data.names[(i + k) * 7919 % len(data)] for k in range(50))[:MAX_NAME_LENGTH].strip(), label)
        for i, (_, label) in enumerate(queries)
    ]
    for what, pairs in asked.items():
        actions = [lambda name=name, label=label: similar(predictor, indexes[0], name, label) for name, label in pairs]
        print(f"| {what} | {median(actions)} |")


def main() -> None:
    """Time all of it on one core."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", type=Path, default=Path("artifacts"))
    parser.add_argument("--data", type=Path, default=Path("data/names"))
    arguments = parser.parse_args()
    predictor = Predictor.load(arguments.bundle)
    dataset = load_dataset(arguments.data)
    split = split_dataset(dataset, predictor.metadata.data.split_seed)
    train, validation = split.train, split.validation
    rows = np.random.default_rng(0).permutation(len(validation))[:QUERIES].tolist()
    queries = [(validation.names[i], validation.labels[validation.label_ids[i]]) for i in rows]
    judge(f"{len(train.labels)} labels", predictor, train, queries)
    names = tuple(sorted(set(dataset.names)))
    one = Dataset(("all",), names, np.zeros(len(names), dtype=np.int64), np.zeros(len(names)))
    judge("One label", predictor, one, [(name, "all") for name, _ in queries])
    print("\n| query | wall ms | CPU ms | slowest wall ms |\n| --- | ---: | ---: | ---: |")
    print(f"| explain | {median([lambda name=name: explain(predictor, name) for name, _ in queries])} |")
    print(f"| predict | {median([lambda name=name: predictor.predict([name]) for name, _ in queries])} |")


if __name__ == "__main__":
    main()
