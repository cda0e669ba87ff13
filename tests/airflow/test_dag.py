"""The DAG in a real Airflow by `dag.test()`, on a few hundred real names; `make test-airflow` runs this."""

import ast
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
DAGS = ROOT / "pipelines" / "airflow"
PYTHON = ROOT / ".venv" / "bin" / "python"
VERBS = ("ingest", "validate", "train", "evaluate", "gate", "promote")
LABELS = ("Irish", "Italian", "Japanese", "Polish")

# What runs in Airflow's own process, where the settings of the DAG are its environment.
FIND = """
import json
import os
from airflow.dag_processing.dagbag import DagBag
bag = DagBag()
assert not bag.import_errors, bag.import_errors
(dag,) = bag.dags.values()
"""
RUN = """
run = dag.test(run_conf=json.loads(os.environ["RUN_CONF"]))
states = {found.task_id: [found.state, found.try_number] for found in run.get_task_instances()}
print(json.dumps([run.state, states]))
"""
DESCRIBE = """
(drops,) = dag.timetable.asset_condition.objects
print(json.dumps({
    "timetable": type(dag.timetable).__name__,
    "watchers": [type(watcher.trigger).__name__ for watcher in drops.watchers],
    "catchup": dag.catchup,
    "max_active_runs": dag.max_active_runs,
    "docs": dag.doc_md,
    "tasks": [
        {
            "verb": task.task_id,
            "after": sorted(task.upstream_task_ids),
            "retries": task.retries,
            "grows": task.retry_exponential_backoff,
            "limit": task.execution_timeout.total_seconds(),
        }
        for task in dag.topological_sort()
    ],
}))
"""
CLUSTER = """
apiVersion: v1
kind: Config
current-context: nowhere
contexts: [{name: nowhere, context: {cluster: nowhere, user: nobody}}]
clusters: [{name: nowhere, cluster: {server: "http://127.0.0.1:1"}}]
users: [{name: nobody, user: {}}]
"""
POD = """
pod = dag.get_task("train").build_pod_request_obj()
print(json.dumps(pod.to_dict(), default=str))
"""


@pytest.fixture(scope="session")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Return the environment of an Airflow with an empty database."""
    environment = os.environ | {
        "AIRFLOW_HOME": str(tmp_path_factory.mktemp("airflow")),
        "AIRFLOW__CORE__DAGS_FOLDER": str(DAGS),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__USAGE_DATA_COLLECTION__ENABLED": "False",
    }
    subprocess.run([sys.executable, "-m", "airflow", "db", "migrate"], env=environment, check=True, capture_output=True)
    return environment


@dataclass(frozen=True)
class Pipeline:
    """A store, drops and data in a folder, and the Airflow that works on them."""

    folder: Path
    environment: dict[str, str]

    def run(self, script: str, **settings: str) -> Any:
        """Run a script on the DAG and return what its last line says."""
        found = {"PIPELINE_RETRY_SECONDS": "0.1", "PIPELINE_PYTHON": str(PYTHON)}
        found |= {f"PIPELINE_{name.upper()}": str(self.folder / name) for name in ("store", "drops", "data")}
        found["RUN_CONF"] = "null"
        found["PIPELINE_ARGUMENTS"] = f"--config {self.folder / 'config.toml'} --text surname --label language"
        command = [sys.executable, "-c", FIND + script]
        environment = self.environment | found | settings
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=600)
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout.splitlines()[-1])

    @property
    def champion(self) -> str:
        """The version in use."""
        return (self.folder / "store" / "current").read_text(encoding="utf-8")

    def results(self) -> list[dict[str, Any]]:
        """Return what the verbs of the newest run left, in order."""
        run = max((self.folder / "store" / "runs").glob("*"))
        files = [run / f"{verb}.json" for verb in VERBS]
        return [json.loads(file.read_text(encoding="utf-8")) for file in files if file.exists()]


@pytest.fixture
def pipeline(tmp_path: Path, airflow: dict[str, str]) -> Pipeline:
    (tmp_path / "drops").mkdir()
    (tmp_path / "config.toml").write_text("[training]\nepochs = 1\n", encoding="utf-8")
    return Pipeline(tmp_path, airflow)


def _names(first: int, last: int) -> str:
    """Return a table of real names: those of each label from one line to another."""
    files = {label: ROOT / "data" / "names" / f"{label}.txt" for label in LABELS}
    lists = {label: file.read_text(encoding="utf-8").splitlines()[first:last] for label, file in files.items()}
    return "surname,language\n" + "".join(f"{name},{label}\n" for label, names in lists.items() for name in names)


def _all(state: str, verbs: tuple[str, ...] = VERBS, tries: int = 1) -> dict[str, list[object]]:
    return {verb: [state, tries] for verb in verbs}


def test_a_drop_becomes_champion_nothing_new_changes_nothing_and_a_broken_drop_is_refused_at_once(
    pipeline: Pipeline,
) -> None:
    (pipeline.folder / "drops" / "first.csv").write_text(_names(0, 200), encoding="utf-8")
    assert pipeline.run(RUN) == ["success", _all("success")]
    champion = pipeline.champion
    assert [result["status"] for result in pipeline.results()] == ["done"] * len(VERBS)

    assert pipeline.run(RUN) == ["success", _all("success")]
    assert [result["status"] for result in pipeline.results()] == ["unchanged"]
    assert pipeline.champion == champion

    (pipeline.folder / "drops" / "page.csv").write_text("<html><body>Not found</body></html>\n", encoding="utf-8")
    state, tasks = pipeline.run(RUN)
    assert state == "failed"
    assert tasks == {"ingest": ["failed", 1]} | _all("upstream_failed", VERBS[1:], tries=0)
    assert pipeline.results()[0]["status"] == "refused"
    assert pipeline.champion == champion


def test_what_a_person_accepts_is_trained_on(pipeline: Pipeline) -> None:
    (pipeline.folder / "drops" / "few.csv").write_text(_names(0, 120) + "Llewellyn,Welsh\n", encoding="utf-8")
    assert pipeline.run(RUN)[1]["validate"] == ["failed", 1]
    reason = 'we "know"; $(them)'
    assert pipeline.run(RUN, RUN_CONF=json.dumps({"accept": reason})) == ["success", _all("success")]
    assert pipeline.results()[1]["accepted"] == reason


def test_what_failed_by_error_is_tried_again(pipeline: Pipeline) -> None:
    (pipeline.folder / "drops").rmdir()
    state, tasks = pipeline.run(RUN)
    assert state == "failed"
    assert tasks == {"ingest": ["failed", 3]} | _all("upstream_failed", VERBS[1:], tries=0)


@pytest.mark.parametrize("operator", ["bash", "kubernetes"])
def test_each_verb_is_a_task_with_a_limit_and_retries(pipeline: Pipeline, operator: str) -> None:
    found = pipeline.run(DESCRIBE, PIPELINE_OPERATOR=operator)
    assert [task["verb"] for task in found["tasks"]] == list(VERBS)
    assert [task["after"] for task in found["tasks"]] == [[], *([verb] for verb in VERBS[:-1])]
    assert all(task["retries"] == 2 and task["grows"] and task["limit"] >= 600 for task in found["tasks"])
    assert (found["catchup"], found["max_active_runs"]) == (False, 1)
    assert "accept" in found["docs"]


@pytest.mark.parametrize(
    ("schedule", "timetable"), [("0 3 * * *", "AssetOrTimeSchedule"), ("", "AssetTriggeredTimetable")]
)
def test_drops_start_a_run_with_and_without_times(pipeline: Pipeline, schedule: str, timetable: str) -> None:
    found = pipeline.run(DESCRIBE, PIPELINE_SCHEDULE=schedule)
    assert found["timetable"] == timetable
    assert found["watchers"] == ["FileDeleteTrigger"]


def test_a_pod_is_restricted_and_gets_the_command(pipeline: Pipeline) -> None:
    cluster = pipeline.folder / "kubeconfig"
    cluster.write_text(CLUSTER, encoding="utf-8")
    settings = {"PIPELINE_OPERATOR": "kubernetes", "PIPELINE_STORE": "/store", "KUBECONFIG": str(cluster)}
    spec = pipeline.run(POD, **settings)["spec"]
    (container,) = spec["containers"]
    assert container["security_context"]["read_only_root_filesystem"] is True
    assert container["security_context"]["allow_privilege_escalation"] is False
    assert container["security_context"]["capabilities"]["drop"] == ["ALL"]
    assert spec["security_context"]["run_as_non_root"] is True
    assert spec["automount_service_account_token"] is False
    assert container["resources"]["limits"].keys() == {"cpu", "memory"}
    assert container["command"][:2] == ["sh", "-c"]
    assert {"PIPELINE_VERB": "train", "PIPELINE_STORE": "/store"}.items() <= {
        entry["name"]: entry["value"] for entry in container["env"]
    }.items()


def test_the_dag_imports_nothing_of_the_project() -> None:
    tree = ast.parse((DAGS / "name_classifier.py").read_text(encoding="utf-8"))
    names = [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    names += [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    roots = {name.partition(".")[0] for name in names}
    assert roots - sys.stdlib_module_names == {"airflow"}
