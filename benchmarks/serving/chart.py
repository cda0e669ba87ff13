"""The bars that docs/benchmarks.md shows: requests per CPU second, as a share of the constant route's."""

import json
from pathlib import Path

from matplotlib.figure import Figure

_TITLES = {
    "constant": "FastAPI route that does nothing",
    "service": "this service, POST ",
    "naive": "tutorial-style FastAPI and torch",
    "kserve": "KServe",
    "litserve": "LitServe",
    "bentoml": "BentoML",
    "mlflow": "MLflow",
}
_OURS, _REFERENCE, _PEER = "#1f6feb", "#57606a", "#afb8c1"


def draw(folder: Path, image: Path) -> None:
    """Draw the medians of peers.json or, where there is none, of serving.json: never two runs in one picture."""
    run = next(path for path in (folder / "peers.json", folder / "serving.json") if path.exists())
    medians = json.loads(run.read_text(encoding="utf-8"))["medians"]
    most = max(row["connections"] for row in medians["requests"])
    rows = {(row["server"], row["route"]): row["ratio"] for row in medians["requests"] if row["connections"] == most}
    ordered = sorted(rows.items(), key=lambda row: row[1])
    figure = Figure(figsize=(8, 0.42 * len(ordered) + 1.1), layout="constrained")
    axes = figure.add_subplot()
    bars = axes.barh(
        [_TITLES[server] + (route if server == "service" else "") for (server, route), _ in ordered],
        [ratio for _, ratio in ordered],
        color=[{"service": _OURS, "constant": _REFERENCE}.get(server, _PEER) for (server, _), _ in ordered],
    )
    axes.bar_label(bars, [f"{ratio:.2f}" for _, ratio in ordered], padding=4)
    axes.axvline(1, color=_REFERENCE, linewidth=0.8, linestyle=":")
    axes.set_xlim(0, 1.12 * max(rows.values()))
    figure.supxlabel(f"requests per CPU second at {most} connections; route that does nothing = 1")
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(axis="y", length=0)
    image.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(image, dpi=150)
