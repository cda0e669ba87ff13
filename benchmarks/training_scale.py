"""Measure what training costs as names and labels grow: CPU time, peak memory, accuracy; on names that are invented.

Run `python benchmarks/training_scale.py NAMESxLABELS ... [--passes N]`, say 100000x172 1000000x172 5000000x172. Names
are drawn from letter 3-grams of the real ones; labels beyond the real ones mix those of two. Such labels overlap much
more than real ones, so accuracies compare with each other only. `--passes 1` measures one pass instead of all.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from model.constants import METADATA_FILE
from model.data.dataset import load_dataset
from model.utils import Ids

START, END = 1, 2
CODE_BITS = 21
LONGEST = 24
MAIN_SHARE = 0.75  # of a mixed label's letters, those that the first of its two models draws
ROUNDS = 8  # of drawing, until a label has enough distinct names


class LetterModel:
    """Letters by the two before them, as often as they follow in names."""

    def __init__(self, names: list[str]) -> None:
        text = "".join(2 * chr(START) + name + chr(END) for name in names)
        codes = np.frombuffer(text.encode("utf-32-le"), dtype="<u4").astype(np.int64)
        contexts, following = codes[:-2] << CODE_BITS | codes[1:-1], codes[2:]
        inside = (codes[:-2] != END) & (codes[1:-1] != END)
        order = np.argsort(contexts[inside], kind="stable")
        self._contexts, self._following = contexts[inside][order], following[inside][order]

    def draw(self, contexts: Ids, rng: np.random.Generator) -> Ids:
        """Return a letter after each context (N,), END after one that is unknown."""
        first, last = (np.searchsorted(self._contexts, contexts, side) for side in ("left", "right"))
        chosen = first + (rng.random(len(contexts)) * (last - first)).astype(np.int64)
        return np.where(first < last, self._following[np.minimum(chosen, len(self._following) - 1)], END)


def draw_names(main: LetterModel, other: LetterModel, n: int, rng: np.random.Generator) -> list[str]:
    """Return up to n names."""
    contexts = np.full(n, START << CODE_BITS | START)
    letters = np.zeros((n, LONGEST), dtype=np.uint32)
    alive = np.arange(n)
    for place in range(LONGEST):
        mixed = rng.random(len(alive)) > MAIN_SHARE
        drawn = main.draw(contexts[alive], rng)
        drawn[mixed] = other.draw(contexts[alive[mixed]], rng)
        alive, drawn = alive[drawn != END], drawn[drawn != END]
        letters[alive, place] = drawn
        contexts[alive] = (contexts[alive] << CODE_BITS | drawn) & ((1 << 2 * CODE_BITS) - 1)
    names: NDArray[np.str_] = letters.view(f"<U{LONGEST}").ravel()
    return [text for name in names.tolist() if len(text := " ".join(name.split())) > 1]


def write_names(folder: Path, n_names: int, n_labels: int, data: Path) -> None:
    """Write label files of distinct invented names; sizes of labels vary as those of real ones do."""
    rng, real = np.random.default_rng(0), load_dataset(data)
    bounds = np.searchsorted(real.label_ids, np.arange(len(real.labels) + 1)).tolist()
    models = [LetterModel(list(real.names[a:b])) for a, b in pairwise(bounds)]
    shares = rng.lognormal(0, 0.8, n_labels)
    for label_id, share in enumerate(shares / shares.sum()):
        main = models[label_id % len(models)]
        other = main if label_id < len(models) else models[int(rng.integers(len(models)))]
        wanted, names = max(30, round(share * n_names)), dict[str, None]()
        for _ in range(ROUNDS):
            if len(names) < wanted:
                names |= dict.fromkeys(draw_names(main, other, 2 * (wanted - len(names)) + 50, rng))
        text = "".join(f"{name}\n" for name in list(names)[:wanted])
        (folder / f"label {label_id:04}.txt").write_text(text, encoding="utf-8")


def measure(folder: Path, passes: int | None) -> dict[str, float]:
    """Train on a folder in a process of its own; return CPU seconds, peak bytes and what the bundle says."""
    command = [sys.executable, "-m", "model", "train", folder / "bundle", folder / "names", "--store", folder / "store"]
    command += ["--ranked", "no", "--skip-small", "--as-is"]
    command += ["--epochs", str(passes)] if passes else []
    started = time.monotonic()
    process = subprocess.Popen(command, env=os.environ | {"OMP_NUM_THREADS": "1"})
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit("training failed")
    metadata = json.loads((folder / "bundle" / METADATA_FILE).read_text(encoding="utf-8"))
    return {
        "names": metadata["data"]["names"],
        "labels": len(metadata["labels"]),
        "passes": len(metadata["training"]["epochs"]),
        "rows": 2 ** metadata["config"]["ngram_bits"],
        "bundle MB": sum(path.stat().st_size for path in (folder / "bundle").rglob("*") if path.is_file()) / 1e6,
        "CPU s": usage.ru_utime + usage.ru_stime,
        "wall s": time.monotonic() - started,
        "peak GB": usage.ru_maxrss * 1024 / 1e9,
        "validation accuracy": metadata["metrics"]["validation"]["accuracy"],
    }


def main() -> None:
    """Measure what was asked for, one after the other, and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", nargs="+", help="NAMESxLABELS")
    parser.add_argument("--passes", type=int)
    parser.add_argument("--data", type=Path, default=Path("data/names"))
    arguments = parser.parse_args()
    for number, size in enumerate(arguments.sizes):
        n_names, n_labels = map(int, size.split("x"))
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            (folder / "names").mkdir()
            write_names(folder / "names", n_names, n_labels, arguments.data)
            figures = measure(folder, arguments.passes)
        if not number:
            print("| " + " | ".join(figures) + " |\n|" + " ---: |" * len(figures))
        print("| " + " | ".join(f"{x:,.0f}" if x >= 100 else f"{x:.3g}" for x in figures.values()) + " |", flush=True)


if __name__ == "__main__":
    main()
