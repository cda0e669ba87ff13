"""Which way to hide a letter finds those that matter: the drop in log-probability when the k found first go at once.

Run `python benchmarks/explanation.py [--bundle artifacts] [--data data/names]`; prints Markdown. The drop is measured
by taking the letters out and by masking them, for each way of finding them favours its own.
"""

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.constants import UNKNOWN_ID
from model.data.dataset import load_dataset
from model.data.splitting import split_dataset
from model.explain.contributions import occlude
from model.prediction import Predictor

NAMES = 600
SHORTEST = 5  # letters


def scores(
    predictor: Predictor, ids: list[int], label_id: int, rng: np.random.Generator
) -> dict[str, NDArray[np.float64]]:
    """Return each way's opinion of how much each letter (T - 2,) matters."""
    positions = range(1, len(ids) - 1)
    log_prob = predictor.log_probs_of_ids([ids])[0, label_id]
    taken_out = predictor.log_probs_of_ids([ids[:i] + ids[i + 1 :] for i in positions])[:, label_id]
    masked = predictor.log_probs_of_ids([[*ids[:i], UNKNOWN_ID, *ids[i + 1 :]] for i in positions])[:, label_id]
    return {
        "take out": log_prob - taken_out,
        "mask": log_prob - masked,
        "mean of both (default)": occlude(predictor, ids, label_id),
        "at random": rng.random(len(positions)),
    }


def drops(predictor: Predictor, ids: list[int], label_id: int, chosen: set[int]) -> tuple[float, float]:
    """Return the fall in log-probability when the chosen positions are taken out, and when they are masked."""
    taken_out = [token for i, token in enumerate(ids) if i not in chosen]
    masked = [UNKNOWN_ID if i in chosen else token for i, token in enumerate(ids)]
    before, *after = (predictor.log_probs_of_ids([x])[0, label_id] for x in (ids, taken_out, masked))
    return before - after[0], before - after[1]


def main() -> None:
    """Judge each way on validation names."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bundle", type=Path, default=Path("artifacts"))
    parser.add_argument("--data", type=Path, default=Path("data/names"))
    arguments = parser.parse_args()
    predictor = Predictor.load(arguments.bundle)
    rng = np.random.default_rng(0)
    names = split_dataset(load_dataset(arguments.data), predictor.metadata.data.split_seed).validation.names
    long_enough = [name for name in rng.permutation(names).tolist() if len(name) >= SHORTEST][:NAMES]
    found: dict[tuple[str, int], list[tuple[float, float]]] = {}
    for name in long_enough:
        ids = predictor.encode(name)
        label_id = int(predictor.log_probs_of_ids([ids])[0].argmax())
        for way, score in scores(predictor, ids, label_id, rng).items():
            for k in (1, 2, 3):
                chosen = {int(i) + 1 for i in np.argsort(-score)[:k]}
                found.setdefault((way, k), []).append(drops(predictor, ids, label_id, chosen))
    print("| found by | letters | drop when taken out | drop when masked |\n| --- | ---: | --- | --- |")
    for (way, k), pairs in found.items():
        mean, error = np.mean(pairs, axis=0), np.std(pairs, axis=0, ddof=1) / np.sqrt(len(pairs))
        print(f"| {way} | {k} | {mean[0]:.2f} ± {error[0]:.2f} | {mean[1]:.2f} ± {error[1]:.2f} |")


if __name__ == "__main__":
    main()
