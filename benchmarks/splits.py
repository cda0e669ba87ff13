"""Train on several splits of the data and print what varies: mean ± standard deviation of every figure of the report.

Run `python benchmarks/splits.py OUT [--splits 0 1 2 3 4] [--data data/names]`. A split that stands in OUT already is
not trained again, so several processes may each train some, and a last one print the table.
"""

import argparse
import json
import statistics
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

FIGURES = ("accuracy", "top_3_accuracy", "macro_f1", "expected_calibration_error")


def train(folder: Path, data: Path, split: int) -> dict[str, Any]:
    """Train on one split unless it was done; return the report."""
    bundle = folder / str(split)
    report = bundle / "report" / "metrics.json"
    if not report.exists():
        store = folder / "store"
        command = [sys.executable, "-m", "model", "train", bundle, data, "--seed", str(split), "--store", store]
        subprocess.run(command, check=True)
    document: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    return document


def spread(values: Iterable[float]) -> str:
    """Return the mean and the standard deviation."""
    numbers = list(values)
    return f"{statistics.mean(numbers):.3f} ± {statistics.stdev(numbers) if len(numbers) > 1 else 0:.3f}"


def main() -> None:
    """Train, and print two Markdown tables: names by slice, and what is no name by kind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--splits", type=int, nargs="+", default=[0, 1, 2, 3, 4])
    parser.add_argument("--data", type=Path, default=Path("data/names"))
    arguments = parser.parse_args()
    reports = [train(arguments.out, arguments.data, split) for split in arguments.splits]
    print(f"| names | number | {' | '.join(FIGURES)} | unfamiliar |\n|---|---|{'---|' * (len(FIGURES) + 1)}")
    for name in reports[0]["slices"]:
        slices = [report["slices"][name] for report in reports]
        cells = [spread(found[figure]["value"] for found in slices) for figure in FIGURES]
        cells.append(spread(report["abstention"]["refused_names"][name] for report in reports))
        print(f"| {name} | {statistics.mean(found['n'] for found in slices):,.0f} | {' | '.join(cells)} |")
    print("\n| no names | AUROC | unfamiliar |\n|---|---|---|")
    for kind in reports[0]["abstention"]["outliers"]:
        outliers = [report["abstention"]["outliers"][kind] for report in reports]
        print(f"| {kind} | {spread(o['auroc'] for o in outliers)} | {spread(o['refused'] for o in outliers)} |")


if __name__ == "__main__":
    main()
