"""A Ray cluster that loses a worker scores every row once; runs where Ray is installed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.importorskip("ray")

SMALL_SPANS = (
    "import sys; from model.scoring import spans; spans.SPAN_ROWS = 200; from model.__main__ import main; main()"
)
N_ROWS = 20_000


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Two workers of one core each, as processes of this machine; yields the ids of the processes of the second."""
    from ray.cluster_utils import Cluster

    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    head = {"num_cpus": 0, "include_dashboard": False, "object_store_memory": 2**27}
    running = Cluster(initialize_head=True, head_node_args=head)
    try:
        running.add_node(num_cpus=1, object_store_memory=2**27)
        second = running.add_node(num_cpus=1, object_store_memory=2**27)
        running.wait_for_nodes()
        monkeypatch.setenv("RAY_ADDRESS", running.address)
        yield [process.process.pid for processes in second.all_processes.values() for process in processes]
    finally:
        running.shutdown()


def _start(folder: Path, bundle: Path, engine: str, output: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", SMALL_SPANS, "score", "in.csv", output, "--bundle", str(bundle)]
    command += ["--engine", engine, "--processes", "2"]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_a_lost_worker_costs_and_doubles_no_row(exported: Path, tmp_path: Path, cluster: list[int]) -> None:
    names = ["Rossini", "Kovalski", "Dalton"]
    rows = [f"{i},{names[i % 3]}{'ab'[i % 2] * (i % 7)}" if i % 10 else f"{i},x,y" for i in range(N_ROWS)]
    (tmp_path / "in.csv").write_text("\n".join(["id,name", *rows]), encoding="utf-8")
    running = _start(tmp_path, exported, "ray", "ray.csv")
    parts, deadline = tmp_path / "ray.csv.parts", time.monotonic() + 120
    while len(list(parts.glob("part-*.json"))) < 20:
        assert running.poll() is None, running.communicate()[0]
        assert time.monotonic() < deadline
        time.sleep(0.01)
    for pid in cluster:
        os.kill(pid, signal.SIGKILL)
    assert len(list(parts.glob("part-*.json"))) < N_ROWS // 200
    assert "18000 rows scored" in running.communicate(timeout=300)[0]
    assert "18000 rows scored" in _start(tmp_path, exported, "local", "local.csv").communicate(timeout=300)[0]
    for suffix in (".csv", ".rejected.csv"):
        assert (tmp_path / f"ray{suffix}").read_bytes() == (tmp_path / f"local{suffix}").read_bytes()
