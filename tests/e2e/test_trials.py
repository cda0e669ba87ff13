"""What a cluster does to a release in a year, in half an hour under load: upgrades, deletions, kills, bad versions.

Prints a table of what was sent, what failed and what took longest, and writes it to build/e2e-trials.json. N_ROUNDS
shortens it. E2E_NODE_SHELL is how a command is run on the node (`docker exec kind-control-plane`), for kills.
"""

import json
import os
import re
import shlex
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.cluster import API_PODS, CHART, DEPLOYMENT, TAGS, Run, kubectl, load, pods, rolled_out

pytestmark = pytest.mark.usefixtures("cluster")

ROOT = Path(__file__).parents[2]
N_ROUNDS = int(os.environ.get("N_ROUNDS", "30"))
OVERLAY = ("-f", "values.dev.yaml", "--set", "logLevel=info")
THREE = (*OVERLAY, "--set", "replicas=3")
BROKEN_SECONDS = 30
STATS = ("python", "-m", "api.request_log", "stats", "--json")
COLUMNS = ("sent", "failed", "slowest", "ended_early", "peak_mib")
NEW_BUNDLE = "cp -r artifacts /models/new && rm -rf /models/bundle && mv /models/new /models/bundle"
HEAVY = {
    "extraVolumes": [{"name": "models", "emptyDir": {}}],
    "extraVolumeMounts": [{"name": "models", "mountPath": "/models"}],
    "extraEnv": [
        {"name": "NAME_CLASSIFIER_BUNDLE_DIR", "value": "/models/bundle"},
        {"name": "NAME_CLASSIFIER_FALLBACK_BUNDLE_DIR", "value": "artifacts"},
        {"name": "NAME_CLASSIFIER_MAX_STREAMS_PER_CALLER", "value": "16"},
    ],
}
"""A pod whose model can be replaced from inside, and that one client may send 16 streams to."""
Table = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def table() -> Iterator[Table]:
    """Collect what each trial has seen, and show it at the end."""
    rows: Table = {}
    yield rows
    target = ROOT / "build" / "e2e-trials.json"
    target.parent.mkdir(exist_ok=True)
    target.write_text(json.dumps(rows, indent=2), encoding="utf-8")
    print(f"\n\n| trial | kind | {' | '.join(COLUMNS)} |\n|{'---|' * (2 + len(COLUMNS))}")
    for trial, figures in rows.items():
        for kind, found in figures.items():
            print(f"| {trial} | {kind} | {' | '.join(str(found.get(column, '')) for column in COLUMNS)} |")


def _upgrade(run: Run, *options: str, chart: str = ".") -> None:
    run("helm", "upgrade", "api-chart", chart, *options)


def _failed(figures: dict[str, Any]) -> int:
    """Return how many requests failed, and say how the first ones did."""
    for kind, found in figures.items():
        print(f"{kind}: {found}")
    return sum(found["failed"] for found in figures.values())


def _sent(figures: dict[str, Any]) -> int:
    return sum(found["sent"] for found in figures.values())


def _restarts(run: Run) -> int:
    counts = "jsonpath={.items[*].status.containerStatuses[*].restartCount}"
    return sum(map(int, kubectl(run, "get", "pods", f"--selector={API_PODS}", f"--output={counts}").split()))


def test_from_install_to_the_first_answer(run: Run, table: Table) -> None:
    started = time.monotonic()
    run("helm", "install", "api-chart", ".", *OVERLAY)
    assert "Phase:          Succeeded" in run("helm", "test", "api-chart", "--timeout=120s")
    seconds = round(time.monotonic() - started, 1)
    table["from install to the first answer"] = {"helm test": {"sent": 1, "failed": 0, "slowest": seconds}}
    _upgrade(run, *THREE)
    rolled_out(run)


def test_rolling_upgrades(run: Run, table: Table) -> None:
    """Another tag and another configuration, in turn."""
    n_upgrades = max(2, N_ROUNDS // 3)
    with load(run) as figures:
        for number in range(1, n_upgrades + 1):
            changed = (
                f"image.tag={TAGS[number // 2 % 2]}",
                f"logLevel={'warning' if (number + 1) // 2 % 2 else 'info'}",
            )
            _upgrade(run, *THREE, *(word for setting in changed for word in ("--set", setting)))
            rolled_out(run)
    table[f"{n_upgrades} rolling upgrades"] = figures
    assert _failed(figures) == 0


def test_scaling(run: Run, table: Table) -> None:
    with load(run) as figures:
        for replicas in (2, 6, 2, 3):
            _upgrade(run, *OVERLAY, "--set", f"replicas={replicas}")
            rolled_out(run)
            time.sleep(20)  # until those that had to go are gone
    table["scaling 3 to 2 to 6 to 2 to 3"] = figures
    assert _failed(figures) == 0


@pytest.mark.parametrize("trial", ["a bundle that is not there", "a readiness that fails"])
def test_a_broken_version(run: Run, table: Table, tmp_path: Path, trial: str) -> None:
    """It gets no traffic, and a rollback restores what was there."""
    with load(run) as figures:
        if trial == "a readiness that fails":
            chart = shutil.copytree(CHART, tmp_path / "chart")
            template = chart / "templates" / "deployment.yaml"
            template.write_text(template.read_text(encoding="utf-8").replace("/readyz", "/nothing"), encoding="utf-8")
            _upgrade(run, *THREE, chart=str(chart))
        else:
            bundle = ("extraEnv[0].name=NAME_CLASSIFIER_BUNDLE_DIR", "extraEnv[0].value=/nothing")
            _upgrade(run, *THREE, *(word for setting in bundle for word in ("--set", setting)))
        time.sleep(BROKEN_SECONDS)
        said = kubectl(run, "rollout", "status", DEPLOYMENT, "--timeout=1s", check=False)
        assert "successfully rolled out" not in said
        run("helm", "rollback", "api-chart")
        rolled_out(run)
        time.sleep(5)
    table[f"{trial}, and a rollback"] = figures
    assert _failed(figures) == 0


def test_forced_deletions(run: Run, table: Table) -> None:
    """Without a grace period: what such a pod is answering is lost."""
    with load(run) as figures:
        for _ in range(N_ROUNDS):
            kubectl(run, "delete", pods(run)[0], "--grace-period=0", "--force")
            rolled_out(run)
    table[f"{N_ROUNDS} forced deletions"] = figures
    assert _failed(figures) <= _sent(figures) // 100


@pytest.mark.skipif("E2E_NODE_SHELL" not in os.environ, reason="E2E_NODE_SHELL does not say how to reach the node")
def test_kills(run: Run, table: Table) -> None:
    """SIGKILL for the process; a pod that has been killed once is replaced, or its next restart would wait longer."""
    node = shlex.split(os.environ["E2E_NODE_SHELL"])
    with load(run) as figures:
        for number in range(N_ROUNDS):
            processes = run(*node, "pgrep", "-f", "python -m api$").split()
            run(*node, "kill", "-KILL", processes[number % len(processes)])
            deadline = time.monotonic() + 60
            while not _restarts(run):
                assert time.monotonic() < deadline, "nothing was restarted"
                time.sleep(0.2)
            rolled_out(run)
            restarted = (
                'jsonpath={range .items[*]}{.metadata.name} {.status.containerStatuses[0].restartCount}{"\\n"}{end}'
            )
            found = kubectl(run, "get", "pods", f"--selector={API_PODS}", f"--output={restarted}")
            for pod in re.findall(r"(\S+) [1-9]", found):
                kubectl(run, "delete", f"pod/{pod}", "--wait=false")
                time.sleep(1)
            rolled_out(run)
            while _restarts(run):
                time.sleep(0.5)
    table[f"{N_ROUNDS} kills"] = figures
    assert _failed(figures) <= _sent(figures) // 50


def test_memory_stays_below_the_limit(run: Run, table: Table) -> None:
    """All streams that may be open, lists with all labels, answers that nobody reads, and a swap every six seconds."""
    values = [word for key, value in HEAVY.items() for word in ("--set-json", f"{key}={json.dumps(value)}")]
    _upgrade(run, *OVERLAY, *values, "--set", "replicas=1")
    rolled_out(run)
    pod = ("exec", DEPLOYMENT, "--", "sh", "-c")
    n_swaps = max(2, N_ROUNDS // 3)
    with load(run, "pour=16", "lists=4", "unread=8") as figures:
        for _ in range(n_swaps):
            kubectl(run, *pod, NEW_BUNDLE)
            time.sleep(6)
        peak = int(kubectl(run, *pod, "grep VmHWM /proc/1/status").split()[1]) // 1024
        loaded = kubectl(run, "logs", DEPLOYMENT, "--tail=-1").count('"model loaded"')
    table[f"{n_swaps} swaps under the heaviest load"] = figures | {"pod": {"failed": _restarts(run), "peak_mib": peak}}
    assert loaded > n_swaps
    assert _restarts(run) == 0


@pytest.mark.skipif("E2E_DATABASE_URL" not in os.environ, reason="E2E_DATABASE_URL names no PostgreSQL for pods")
def test_tables_are_made_before_an_upgrade(run: Run) -> None:
    """Rows reach them; a database that is not there fails the upgrade and leaves the pods alone."""
    url = os.environ["E2E_DATABASE_URL"]
    for name, target in (("database", url), ("nowhere", f"{url}_nowhere")):
        kubectl(run, "create", "secret", "generic", name, f"--from-literal=url={target}")
    migrating = (*OVERLAY, "--set", "migrations.enabled=true,migrations.backoffLimit=0")
    _upgrade(run, *migrating, "--set", "requestLog.databaseUrlSecretName=database")
    rolled_out(run)
    before = pods(run)
    assert "Phase:          Succeeded" in run("helm", "test", "api-chart", "--timeout=120s")
    deadline = time.monotonic() + 60
    while not json.loads(kubectl(run, "exec", DEPLOYMENT, "--", *STATS))["items"]:
        assert time.monotonic() < deadline, "no row has reached the database"
        time.sleep(1)
    said = run(
        "helm",
        "upgrade",
        "api-chart",
        ".",
        *migrating,
        "--set",
        "requestLog.databaseUrlSecretName=nowhere",
        check=False,
    )
    assert "pre-upgrade hooks failed" in said
    assert "does not exist" in kubectl(run, "logs", "job/fastapi-ml-dev-migrations")
    assert pods(run) == before
