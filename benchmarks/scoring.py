"""What `score` costs on millions of names beside the network alone, and whether kills lose or double a row.

Run `python benchmarks/scoring.py [--rows 10000000] [--kills 0] [--processes 2] [--sample 100000]`; prints Markdown. The
names are synthetic: distinct pairs of a given name and a surname of data/. With kills, the run is killed at random
moments and started again. With `--ray`, two workers of a Ray cluster on this machine do it, and one of them is killed
after so many seconds. Wall time is that of a machine that does nothing else; CPU time is
of the command and all its processes. Linux only.
"""

import argparse
import csv
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import torch

from model.artifacts import read_bundle
from model.constants import ONNX_FILE
from model.data.dataset import load_dataset
from model.export import load_classifier
from model.onnx_network import OnnxClassifier
from model.prediction import Predictor
from model.utils import pad

FOLDER = Path("build/benchmarks")
NAMES, GIVEN_NAMES = Path("data/names"), Path("data/given_names")
STEP = 1_000_000_007
"""Prime: its multiples meet every pair of names once."""
ALONE = 20_000
"""Names that the network alone is timed on, in each round."""
ROUNDS = 5
BATCH = 256
LIST = 1000
"""Names in a request to the service."""
TOLERANCE = 1e-6
_PAGE = os.sysconf("SC_PAGE_SIZE")


def names(n: int) -> Iterator[str]:
    """Yield distinct full names."""
    given, surnames = (list(load_dataset(folder).names) for folder in (GIVEN_NAMES, NAMES))
    n_pairs = len(given) * len(surnames)
    for i in range(n):
        first, last = divmod(i * STEP % n_pairs, len(surnames))
        yield f"{given[first]} {surnames[last]}"


def write_input(n: int) -> Path:
    """Return a CSV file of names, each with its number."""
    path = FOLDER / f"scoring-{n}.csv"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(("id", "name"))
            writer.writerows(enumerate(names(n)))
    return path


@dataclass
class Usage:
    """What one or more runs of the command took."""

    seconds: float = 0.0
    cpu_seconds: float = 0.0
    peak_bytes: int = 0
    n_runs: int = 0


def _family(pid: int) -> list[int]:
    """Return a process and its descendants."""
    found = [pid]
    for parent in found:
        try:
            found += [
                int(child)
                for file in Path(f"/proc/{parent}/task").glob("*/children")
                for child in file.read_text().split()
            ]
        except OSError:
            continue
    return found


def _watch(process: subprocess.Popen[bytes], usage: Usage) -> None:
    """Keep the largest resident memory of a command and its processes; pages that they share count in each."""
    while process.poll() is None:
        held = 0
        for pid in _family(process.pid):
            try:
                held += int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE
            except OSError:
                continue
        usage.peak_bytes = max(usage.peak_bytes, held)
        time.sleep(0.2)


def run(command: list[str], usage: Usage, kill_after: float | None = None) -> bool:
    """Run a command, or kill it after some seconds; tell whether it came to its end."""
    before, started = os.times(), time.monotonic()
    process = subprocess.Popen(command)
    watcher = threading.Thread(target=_watch, args=(process, usage))
    watcher.start()
    try:
        code = process.wait(kill_after)
    except subprocess.TimeoutExpired:
        process.kill()
        code = process.wait()
    watcher.join()
    after = os.times()
    usage.seconds += time.monotonic() - started
    usage.cpu_seconds += after.children_user + after.children_system - before.children_user - before.children_system
    usage.n_runs += 1
    if code not in {0, -signal.SIGKILL}:
        raise SystemExit(f"{command} failed")
    return code == 0


def score(source: Path, target: Path, arguments: argparse.Namespace) -> Usage:
    """Score a file, killed so many times at random moments."""
    command = [sys.executable, "-m", "model", "score", str(source), str(target), "--bundle", str(arguments.bundle)]
    command += ["--processes", str(arguments.processes)]
    usage, rng = Usage(), random.Random(0)  # noqa: S311 - the same moments in every run
    if arguments.ray:
        with losing_cluster(arguments.ray):
            run([*command, "--engine", "ray"], usage)
        return usage
    for _ in range(arguments.kills):
        if run(command, usage, rng.uniform(1, arguments.longest)):
            break
    else:
        run(command, usage)
    return usage


@contextmanager
def losing_cluster(seconds: float) -> Iterator[None]:
    """Start a cluster of two workers of one core, of which one is killed after so many seconds."""
    from ray.cluster_utils import Cluster

    store = {"object_store_memory": 2**28}
    cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 0, "include_dashboard": False, **store})
    cluster.add_node(num_cpus=1, **store)
    lost = cluster.add_node(num_cpus=1, **store)
    os.environ["RAY_ADDRESS"] = cluster.address
    killer = threading.Timer(seconds, lambda: cluster.remove_node(lost, allow_graceful=False))
    killer.start()
    try:
        yield
        if killer.is_alive():
            raise SystemExit("scoring was faster than the kill")
    finally:
        killer.cancel()
        cluster.shutdown()


def check_rows(source: Path, target: Path) -> None:
    """Raise SystemExit unless each row of the input is in the output once, in order, and has its label."""
    with source.open(encoding="utf-8", newline="") as left, target.open(encoding="utf-8", newline="") as right:
        for row, scored in zip(csv.reader(left), csv.reader(right), strict=True):
            if scored[:2] != row or len(scored) != 2 + 7:
                raise SystemExit(f"row {row[0]} is lost, or there twice")


def compare_with_service(target: Path, arguments: argparse.Namespace, n_rows: int) -> tuple[int, float]:
    """Return how many sampled rows the service answers, and the largest difference of a probability."""
    chosen = set(random.Random(1).sample(range(n_rows), min(arguments.sample, n_rows)))  # noqa: S311
    with target.open(encoding="utf-8", newline="") as file:
        rows = [row for i, row in enumerate(csv.DictReader(file)) if i in chosen]
    largest = 0.0
    with _service(arguments.bundle) as port:
        for start in range(0, len(rows), LIST):
            part = rows[start : start + LIST]
            for row, prediction in zip(part, _ask(port, [row["name"] for row in part]), strict=True):
                ranks = range(1, len(prediction["labels"]) + 1)
                if [row[f"label_{rank}"] for rank in ranks] != prediction["labels"]:
                    raise SystemExit(f"row {row['id']} has other labels than the service gives")
                if row["abstained"] != (prediction["abstained"] or ""):
                    raise SystemExit(f"row {row['id']} abstains otherwise than the service")
                pairs = zip(ranks, prediction["probabilities"], strict=True)
                largest = max([largest, *(abs(float(row[f"probability_{rank}"]) - p) for rank, p in pairs)])
    return len(rows), largest


@contextmanager
def _service(bundle: Path) -> Iterator[int]:
    """Start a service of its own on a free port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    settings = {"BUNDLE_DIR": str(bundle), "PORT": str(port), "HOST": "127.0.0.1", "REQUEST_LOG": "off"}
    environment = os.environ | {f"NAME_CLASSIFIER_{key}": value for key, value in settings.items()}
    process = subprocess.Popen(
        [sys.executable, "-m", "api"], env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(600):
            try:
                httpx.get(f"http://127.0.0.1:{port}/readyz").raise_for_status()
                break
            except httpx.HTTPError:
                time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait()


def _ask(port: int, part: list[str]) -> list[dict[str, Any]]:
    answer = httpx.post(f"http://127.0.0.1:{port}/v1/predict", json={"names": part}, timeout=60).raise_for_status()
    predictions: list[dict[str, Any]] = answer.json()["predictions"]
    return predictions


def time_alone(arguments: argparse.Namespace) -> dict[str, float]:
    """Return the CPU microseconds a name of the network alone, in rounds that take turns, on one thread."""
    torch.set_num_threads(1)
    predictor = Predictor.load(arguments.bundle)
    sample = list(names(ALONE))
    sequences = [predictor.encode(name) for name in sample]
    onnx = OnnxClassifier(read_bundle(arguments.bundle).files[ONNX_FILE])
    network = load_classifier(arguments.bundle)

    def torch_loop() -> None:
        with torch.inference_mode():
            for start in range(0, len(sample), BATCH):
                batch = sorted(map(predictor.encode, sample[start : start + BATCH]), key=len, reverse=True)
                ids, lengths = map(torch.from_numpy, pad(batch))
                torch.log_softmax(network(ids, lengths)[:, :-1], dim=1).topk(3)

    ways: dict[str, Callable[[], object]] = {
        "ONNX Runtime alone": lambda: onnx.compute_outputs(sequences),
        "plain batched torch loop": torch_loop,
    }
    figures: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(ROUNDS):
        for way, call in ways.items():
            started = time.process_time()
            call()
            figures[way].append((time.process_time() - started) / len(sample) * 1e6)
    return {way: statistics.median(rounds) for way, rounds in figures.items()}


def print_cost(usage: Usage, alone: dict[str, float], n_rows: int) -> None:
    """Print CPU time and memory, and how the former compares."""
    cost = usage.cpu_seconds / n_rows * 1e6
    print(f"| CPU µs a name, all processes | {cost:.1f} |")
    print(f"| peak resident memory, all processes | {usage.peak_bytes / 2**20:,.0f} MiB |")
    for way, figure in alone.items():
        print(f"| CPU µs a name: {way} | {figure:.1f} |\n| ratio of `score` to it | {cost / figure:.2f} |")


def main() -> None:
    """Score, check, compare, and print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--ray", type=float, metavar="SECONDS", help="Let Ray do it, and kill a worker then.")
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--longest", type=float, default=30.0, help="Seconds of the longest run that is killed.")
    parser.add_argument("--sample", type=int, default=100_000)
    parser.add_argument("--bundle", type=Path, default=Path("artifacts"))
    arguments = parser.parse_args()
    source = write_input(arguments.rows)
    target = source.with_name(f"{source.stem}-scored.csv")
    alone = time_alone(arguments)
    usage = score(source, target, arguments)
    check_rows(source, target)
    n_compared, largest = compare_with_service(target, arguments, arguments.rows)
    if largest > TOLERANCE:
        raise SystemExit(f"probabilities differ from the service's by up to {largest:.2g}")
    print("| what | figure |\n|---|---|")
    print(f"| names | {arguments.rows:,} |\n| processes | {arguments.processes} |\n| runs | {usage.n_runs} |")
    print(f"| names a second | {arguments.rows / usage.seconds:,.0f} |")
    if not arguments.kills and not arguments.ray:  # what outlives the command, or was there before it, is not counted
        print_cost(usage, alone, arguments.rows)
    print(f"| rows lost or twice | 0 |\n| rows compared with /v1/predict | {n_compared:,} |")
    print(f"| largest difference of a probability | {largest:.2g} |")


if __name__ == "__main__":
    main()
