"""Rounds to figures: medians, ratios to the constant route of the same round, a table, a file."""

import json
import os
import platform
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from rounds import BATCH, WARM_UP, Figures

Round = dict[str, Figures]
"""What each server cost, by name; the constant app comes first."""

CONSTANT = "constant"
_LIBRARIES = ("fastapi", "starlette", "pydantic", "uvicorn", "onnxruntime", "numpy")


def summarise(rounds: Sequence[Round]) -> dict[str, Any]:
    """Return the medians of all rounds, by server and route, with what they are as a share of the constant app's."""
    servers = [name for name in rounds[-1] if all(name in seen for seen in rounds)]
    return {
        "requests": [_requests(rounds, name, key) for name in servers for key in rounds[0][name].cpu],
        "starts": [_start(rounds, name) for name in servers],
        "batches": _batches(rounds),
    }


def _requests(rounds: Sequence[Round], name: str, key: str) -> dict[str, Any]:
    path, _, connections = key.partition(" ")
    (reference,) = (other for other in rounds[0][CONSTANT].cpu if other.endswith(f" {connections}"))
    cpu = [seen[name].cpu[key] for seen in rounds]
    ratios = [seen[CONSTANT].cpu[reference] / seen[name].cpu[key] for seen in rounds]
    return {
        "server": name,
        "route": path,
        "connections": int(connections),
        "cpu_microseconds": 1e6 * statistics.median(cpu),
        "requests_per_cpu_second": 1 / statistics.median(cpu),
        "requests_per_second": _median(seen[name].load[key].requests / seen[name].load[key].seconds for seen in rounds),
        "ratio": statistics.median(ratios),
        "lowest_ratio": min(ratios),
        "highest_ratio": max(ratios),
    }


def _start(rounds: Sequence[Round], name: str) -> dict[str, Any]:
    return {
        "server": name,
        "first_answer_seconds": _median(seen[name].first_answer_seconds for seen in rounds),
        "first_answer_ratio": _median(
            seen[name].first_answer_seconds / seen[CONSTANT].first_answer_seconds for seen in rounds
        ),
        "resident_mebibytes": _median(seen[name].resident_bytes for seen in rounds) / 2**20,
        "resident_ratio": _median(seen[name].resident_bytes / seen[CONSTANT].resident_bytes for seen in rounds),
    }


def _batches(rounds: Sequence[Round]) -> dict[str, float] | None:
    pairs = [
        (figures.batch_names_per_cpu_second, figures.predictor_names_per_cpu_second)
        for seen in rounds
        for figures in seen.values()
        if figures.batch_names_per_cpu_second and figures.predictor_names_per_cpu_second
    ]
    if not pairs:
        return None
    return {
        "service_names_per_cpu_second": _median(service for service, _ in pairs),
        "predictor_names_per_cpu_second": _median(predictor for _, predictor in pairs),
        "ratio": _median(service / predictor for service, predictor in pairs),
    }


def _median(values: Iterable[float]) -> float:
    return statistics.median(values)


def describe_machine() -> dict[str, Any]:
    """Return what the figures depend on."""
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
    libraries = {name: version(name) for name in _LIBRARIES}
    return {"cpu": model, "cores": os.cpu_count(), "python": platform.python_version(), "libraries": libraries}


def write(path: Path, rounds: Sequence[Round], how: dict[str, Any]) -> None:
    """Write the medians, the machine and every round as JSON."""
    every = [{name: asdict(figures) for name, figures in seen.items()} for seen in rounds]
    document = {"machine": describe_machine(), "how": how, "medians": summarise(rounds), "rounds": every}
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


def print_table(summary: dict[str, Any]) -> None:
    """Print the medians."""
    print(
        f"\n{'server':10}{'route':26}{'clients':>8}{'CPU µs':>8}{'per CPU s':>11}{'per s':>8}"
        "  x constant (lowest to highest)"
    )
    for row in summary["requests"]:
        print(
            f"{row['server']:10}{row['route']:26}{row['connections']:8}{row['cpu_microseconds']:8.0f}{row['requests_per_cpu_second']:11,.0f}"
            f"{row['requests_per_second']:8,.0f}"
            f"  {row['ratio']:.2f} ({row['lowest_ratio']:.2f} to {row['highest_ratio']:.2f})"
        )
    print(f"\n{'server':10}{'first answer s':>15}{'x constant':>12}{f'MiB after {WARM_UP:,}':>18}{'x constant':>12}")
    for row in summary["starts"]:
        print(
            f"{row['server']:10}{row['first_answer_seconds']:15.2f}{row['first_answer_ratio']:12.2f}"
            f"{row['resident_mebibytes']:18.0f}{row['resident_ratio']:12.2f}"
        )
    if batches := summary["batches"]:
        print(
            f"\nLists of {BATCH:,} names: {batches['service_names_per_cpu_second']:,.0f} names per CPU second, the "
            f"predictor alone {batches['predictor_names_per_cpu_second']:,.0f}, share {batches['ratio']:.2f}"
        )
