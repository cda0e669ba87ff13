"""The commands in README.md and docs/ work as they stand there: run here, or by what ELSEWHERE names."""

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.hash_keys import parse_hash_keys
from api.key_list import parse_keys
from api.tests.conftest import ENDINGS, free_port
from model.classifier import ARCHITECTURES, Shape
from model.config import read_config
from model.training import TrainingConfig

ROOT = Path(__file__).parents[1]
PAGES = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "README.md", *(ROOT / "docs").glob("*.md"))}
COMMANDS = {
    line
    for text in PAGES.values()
    for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    for line in block.splitlines()
}
CURL, CURL_FILE, CURL_FORM, CURL_STREAM, CURL_LIST = (
    next(line for line in COMMANDS if "curl " in line and words in line)
    for words in ("/get_prediction", "-T names.csv", "@names.csv", "names.ndjson", "names.txt")
)
KEYS_JSON = next(line for line in COMMANDS if line.endswith("> keys.json"))
HASH_KEYS = next(line for line in COMMANDS if "fastapi-ml-hash-keys" in line)
DATABASE = next(line for line in COMMANDS if "secret generic fastapi-ml-database" in line)
PIPELINE = "python -m model pipeline --store store --data my/data --drops my/drops"
MIGRATE = next(line for line in COMMANDS if "--set migrations.enabled=true" in line)
ACCEPT = next(line for line in COMMANDS if line.startswith(f"{PIPELINE} --accept"))

RUN_HERE = {
    *("make serve", CURL, CURL_FILE, CURL_FORM, CURL_STREAM, CURL_LIST, "python -m api key billing"),
    *("make validate DATA=my/names", "make train DATA=my/names BUNDLE=my/bundle", "make serve BUNDLE=my/bundle"),
    "python -m model training_model artifacts data/names",
    "python -m model predict artifacts Kowalska",
    "python -m model explain artifacts Kowalska",
    "python -m model similar artifacts Kowalska",
    "python -m model evaluate artifacts data/names",
    "python -m model ingest names.csv my/data --text surname --label language",
    "python -m model ingest feedback my/data",
    "python -m model validate my/data",
    "python -m model train my/bundle my/data --skip-small",
    "python -m model history",
    "python -m model promote data/names",
    "python -m model score names.csv scored.csv --text surname",
    "python -m model score people.tsv people.parquet --text first,last --bundle my/bundle",
    PIPELINE,
    ACCEPT,
    "python -m model trace REQUEST_ID --store store",
    "python -m api.request_log stats",
    "python -m api.request_log export --output requests.csv",
    "python -m api.request_log export --feedback feedback",
    "echo 'Zoë Kowalska' | python -m api.request_log erase -",
    KEYS_JSON,
}
CLUSTER_TEST, CLUSTER = "tests/e2e/test_cluster.py", "tests/e2e/cluster.py"
CI = ".github/workflows/ci.yaml"
# What needs torch's download, docker or a cluster: the file that runs it, and the words by which it does.
ELSEWHERE = {
    "make test": (".ci/run", 'step "make test" make test'),
    "python3 -m venv venv && . venv/bin/activate": ("Makefile", "-m venv $(VENV)"),
    "pip install uv && uv pip install --torch-backend cpu torch": ("Makefile", "--torch-backend $(TORCH_BACKEND)"),
    "pip install -e model_package": ("Makefile", "-e model_package"),
    f"{PIPELINE} --watch 60": ("tests/pipeline/test_pipeline.py", '[*place.command, "--watch", "1"]'),
    "python -m model rollback": ("model_package/tests/test_promotion.py", '_run("rollback", "--store", store)'),
    "docker build -t fastapi-ml -f Dockerfile .": ("Makefile", "-t $(1) -f Dockerfile ."),
    "docker run -p 8000:8000 fastapi-ml": ("tests/e2e/test_image.py", 'run(engine, "run", "--detach"'),
    "minikube image load fastapi-ml": (CLUSTER, '"minikube", "image", "load"'),
    "cd infra/chart_api && helm install api-chart . -f values.dev.yaml": (
        CLUSTER_TEST,
        '"helm", "install", "api-chart", ".", "-f", "values.dev.yaml"',
    ),
    "kubectl get deployments": (CLUSTER_TEST, '"get", "deployments,services,pods"'),
    "helm test api-chart": (CLUSTER_TEST, '"helm", "test", "api-chart"'),
    "kubectl logs deployment/fastapi-ml-dev": (CLUSTER_TEST, '"logs", DEPLOYMENT'),
    "kubectl rollout status deployment/fastapi-ml-dev": (CLUSTER, '"rollout", "status", DEPLOYMENT'),
    "kubectl port-forward service/fastapi-svc-dev 8000:80": (CLUSTER, '"port-forward", f"service/{'),
    "docker compose up --build --detach --wait": (CI, "docker compose up --build --detach --wait"),
    "docker compose --profile training up --build --detach": (CI, "docker compose --profile training up --build"),
    "docker compose cp fresh.csv pipeline:/training/drops/": (CI, "docker compose cp fresh.csv pipeline:/training"),
    "make airflow": ("Makefile", "bash pipelines/airflow/standalone.sh"),
    "make test-airflow": (".ci/run", 'step "make test-airflow" make test-airflow'),
    "docker compose down --volumes": (CI, "docker compose down --volumes"),
}
NEEDS_MINIKUBE = {"minikube service fastapi-svc-dev"}  # opens a browser on minikube's own tunnel: no test can
NEEDS_PRODUCTION = {  # a registry and a cluster to keep; tests/chart renders the chart with these values
    "docker tag fastapi-ml REGISTRY/fastapi-ml:0.1.0 && docker push REGISTRY/fastapi-ml:0.1.0",
    "docker run --rm fastapi-ml python -m api key billing > key.txt",
    "kubectl create secret generic fastapi-ml-keys --from-file=keys.json",
    "cd infra/chart_api && helm install api-chart . -f values.prod.yaml --set image.repository=REGISTRY/fastapi-ml",
    "helm upgrade api-chart . -f values.dev.yaml --force-conflicts",
    HASH_KEYS,
    DATABASE,
    MIGRATE,
    "helm upgrade api-chart . --reset-then-reuse-values --set persistence.enabled=true --set trainingJob.enabled=true",
    "kubectl create job fastapi-ml-dev-training-now --from=cronjob/fastapi-ml-dev-training",
    "kubectl logs --follow job/fastapi-ml-dev-training-now",
}
NEEDS_RELEASE = {  # a repository on GitHub that has released
    "git tag v1.2.3 && git push origin v1.2.3",
    "gh attestation verify oci://ghcr.io/OWNER/fastapi-ml:1.2.3 --repo OWNER/NAME",
}


@contextmanager
def _serving(command: str) -> Iterator[str]:
    """Run a `make serve` on a free port; yield the address."""
    port = free_port()
    process = subprocess.Popen([*shlex.split(command), f"PORT={port}"], cwd=ROOT, start_new_session=True)
    address = f"http://127.0.0.1:{port}"
    try:
        deadline = time.monotonic() + 300
        while not _ready(address):
            assert process.poll() is None, f"{command} ended"
            assert time.monotonic() < deadline, f"{command} does not answer"
            time.sleep(0.1)
        yield address
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=30)


def _ready(address: str) -> bool:
    try:
        return httpx.get(f"{address}/readyz").status_code == 200
    except httpx.TransportError:
        return False


def _run(command: str, *replacements: tuple[str, str], cwd: Path = ROOT) -> str:
    """Run a command in the project's environment, as it stands there but for the given words."""
    for old, new in replacements:
        command = command.replace(old, new)
    environment = os.environ | {"PATH": f"{ROOT / '.venv' / 'bin'}:{os.environ['PATH']}"}
    done = subprocess.run(
        shlex.split(command), cwd=cwd, env=environment, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def mine(tmp_path_factory: pytest.TempPathFactory) -> str:
    """A folder with labels of one's own, as my/names."""
    folder = tmp_path_factory.mktemp("mine")
    (folder / "names").mkdir()
    for label, ending in ENDINGS.items():
        names = [f"{a}{b}r{ending}" for a in "bdgkm" for b in "aeiou"]
        (folder / "names" / f"{label}.txt").write_text("\n".join(names), encoding="utf-8")
    return str(folder)


def test_every_command_is_run_somewhere() -> None:
    assert RUN_HERE | set(ELSEWHERE) | NEEDS_MINIKUBE | NEEDS_PRODUCTION | NEEDS_RELEASE == COMMANDS
    for place, words in ELSEWHERE.values():
        assert words in (ROOT / place).read_text(encoding="utf-8")


def test_first_screen_serves_and_answers_what_it_shows(tmp_path: Path) -> None:
    shown: dict[str, Any] = json.loads(re.findall(r"```json\n(.*?)```", PAGES["README.md"], re.DOTALL)[0])
    for name, text in {"csv": "surname\nKowalska\n", "ndjson": '"Kowalska"\n', "txt": "Kowalska\n"}.items():
        (tmp_path / f"names.{name}").write_text(text, encoding="utf-8")
    with _serving("make serve") as address:
        answer = json.loads(_run(CURL, ("http://127.0.0.1:8000", address)))
        rows = _run(CURL_FILE, ("http://127.0.0.1:8000", address), cwd=tmp_path).splitlines()
        form = _run(CURL_FORM, ("http://127.0.0.1:8000", address), cwd=tmp_path).splitlines()
        line = json.loads(_run(CURL_STREAM, ("http://127.0.0.1:8000", address), cwd=tmp_path))
        _run(f"sh -c {shlex.quote(CURL_LIST)}", ("http://127.0.0.1:8000", address), cwd=tmp_path)
    assert answer["predictions"] == shown["predictions"]
    assert answer["probabilities"] == pytest.approx(shown["probabilities"], abs=1e-5)
    assert rows[1].startswith("Kowalska,Polish,")
    assert form == rows
    assert line["labels"][0] == "Polish"
    assert (tmp_path / "answers.csv").read_text(encoding="utf-8").splitlines()[1] == rows[1]


def test_what_make_serve_answers_is_found_by_the_commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NAME_CLASSIFIER_REQUEST_LOG", "fast")
    monkeypatch.setenv("NAME_CLASSIFIER_REQUEST_LOG_DIR", str(tmp_path / "log"))
    with _serving("make serve") as address:
        httpx.post(f"{address}/v1/predict", json={"names": ["Jordan", "Zoë Kowalska"]}).raise_for_status()
        feedback = {"request_id": "r", "name": "Jordan", "label": "Irish"}
        httpx.post(f"{address}/v1/feedback", json=feedback).raise_for_status()
    assert "2 items" in _run("python -m api.request_log stats")
    _run("python -m api.request_log export --output requests.csv", ("requests", str(tmp_path / "requests")))
    _run(
        "python -m api.request_log export --feedback feedback", ("feedback feedback", f"feedback {tmp_path / 'names'}")
    )
    _run("sh -c " + shlex.quote("echo 'Zoë Kowalska' | python -m api.request_log erase -"))
    assert "Zoë Kowalska" in (tmp_path / "requests.csv").read_text(encoding="utf-8")
    assert (tmp_path / "names" / "Irish.txt").read_text(encoding="utf-8") == "Jordan\n"
    assert "1 item\n" in _run("python -m api.request_log stats")


def test_a_new_key_is_an_entry_as_shown() -> None:
    _, entry = _run("python -m api key billing").splitlines()
    (shown,) = json.loads(re.findall(r"```json\n(.*?)```", PAGES["security.md"], re.DOTALL)[0])
    assert set(json.loads(entry)) <= set(shown)


def test_a_new_key_becomes_a_list_of_keys(tmp_path: Path) -> None:
    (tmp_path / "key.txt").write_text(_run("python -m api key billing"), encoding="utf-8")
    _run(f"sh -c {shlex.quote(KEYS_JSON)}", cwd=tmp_path)
    (key,) = parse_keys((tmp_path / "keys.json").read_text(encoding="utf-8"))
    assert key.name == "billing"


@pytest.mark.skipif(shutil.which("openssl") is None, reason="there is no openssl")
def test_a_new_hash_key_is_a_list_of_keys() -> None:
    (literal,) = re.findall(r"--from-literal=keys=(.*)", HASH_KEYS)
    (key,) = parse_hash_keys(_run(f"sh -c {shlex.quote(f'echo {literal}')}"))
    assert key.id == "1"


def test_own_labels_with_make(mine: str) -> None:
    assert "4 labels" in _run("make validate DATA=my/names", ("my/", f"{mine}/"))
    _run("make train DATA=my/names BUNDLE=my/bundle", ("my/", f"{mine}/"), ("train ", f"train STORE={mine}/store "))
    with _serving(f"make serve BUNDLE={mine}/bundle") as address:
        body = {"name": "Berson", "n_predictions": 4}
        answer = httpx.post(f"{address}/get_prediction", json=body).json()
    assert sorted(answer["predictions"]) == sorted(ENDINGS)


def test_own_labels_without_make(mine: str) -> None:
    _run(
        "python -m model training_model artifacts data/names",
        ("artifacts", f"{mine}/out"),
        ("data/names", f"{mine}/names --store {mine}/store"),
    )
    version = json.loads(Path(mine, "out", "metadata.json").read_text(encoding="utf-8"))["version"]
    assert version in _run("python -m model history", ("history", f"history {mine}/store"))
    promoted = _run("python -m model promote data/names", ("data/names", f"{mine}/names --store {mine}/store"))
    assert f"{version} is champion" in promoted


def test_bring_your_data(mine: str, tmp_path: Path) -> None:
    lists = {path.stem: path.read_text(encoding="utf-8").split() for path in Path(mine, "names").iterdir()}
    rows = [f"{name};{label}" for label, names in lists.items() for name in names]
    (tmp_path / "names.csv").write_text("\n".join(["Surname;Language", *rows]), encoding="utf-8")
    (tmp_path / "feedback").mkdir()
    (tmp_path / "feedback" / "Welsh.txt").write_text("Bevan\nPryce\n", encoding="utf-8")
    here = ("my/", f"{tmp_path}/")
    taken = _run("python -m model ingest names.csv my/data --text surname --label language", here, cwd=tmp_path)
    assert "100 names added" in taken and "delimiter ;" in taken
    assert "102 names of 5 labels" in _run("python -m model ingest feedback my/data", here, cwd=tmp_path)
    once = ("train ", f"train --epochs 1 --store {tmp_path}/store ")
    trained = _run("python -m model train my/bundle my/data --skip-small", here, once, cwd=tmp_path)
    assert "Snapshot " in trained and "100 names of 4 labels" in trained
    (tmp_path / "feedback" / "Welsh.txt").write_text("\n".join(f"Ap{a}wyn" for a in "bcdfghjk"), encoding="utf-8")
    _run("python -m model ingest feedback my/data", here, cwd=tmp_path)
    assert "110 names" in _run("python -m model validate my/data", here)


def test_the_life_of_a_model(mine: str, tmp_path: Path) -> None:
    lists = {path.stem: path.read_text(encoding="utf-8").split() for path in Path(mine, "names").iterdir()}
    rows = [f"{name},{label}" for label, names in lists.items() for name in names]
    drops, config = tmp_path / "my" / "drops", tmp_path / "config.toml"
    drops.mkdir(parents=True)
    (drops / "names.csv").write_text("\n".join(["name,label", *rows]), encoding="utf-8")
    config.write_text("[shape]\nngram_bits = 10\n[training]\nepochs = 1\n", encoding="utf-8")
    small = ("pipeline ", f"pipeline --config {config} ")
    promoted = _run(PIPELINE, small, cwd=tmp_path)
    version = re.findall(r"promote: done in .* s\. (\w+) is champion", promoted)[0]
    (drops / "more.csv").write_text("name,label\nNowak,Polski\n", encoding="utf-8")
    assert "Nothing new: run " in _run(PIPELINE.replace("--drops my/drops", ""), small, cwd=tmp_path)
    accepted = _run(ACCEPT, small, cwd=tmp_path)
    assert "Accepted by hand: we asked for more Polish names." in accepted
    traced = _run("python -m model trace REQUEST_ID --store store", ("REQUEST_ID", version), cwd=tmp_path)
    assert "names.csv: 100 names added" in traced


def test_the_shipped_bundle_answers_on_the_command_line() -> None:
    assert _run("python -m model predict artifacts Kowalska").startswith("Kowalska: ")
    assert len(_run("python -m model explain artifacts Kowalska").splitlines()) == 2 + len("Kowalska")
    assert _run("python -m model similar artifacts Kowalska").startswith("Polish\n")
    (shown,) = re.findall(r"```python\n(.*?)```", PAGES["training.md"], re.DOTALL)
    assert "labels=('Polish', " in _run(f"python -c {shlex.quote(shown + 'print(predictions)')}")
    accuracy = re.search(r"│ accuracy +│ ([\d.]+)", _run("python -m model evaluate artifacts data/names"))
    assert accuracy
    stated = json.loads((ROOT / "artifacts" / "metadata.json").read_text(encoding="utf-8"))["metrics"]["test"]
    assert float(accuracy[1]) == pytest.approx(stated["accuracy"], abs=1e-3)
    assert f"| surnames | {stated['n']:,.0f} | {stated['accuracy']:.3f} |" in PAGES["README.md"]


def test_tables_are_scored(tmp_path: Path) -> None:
    (tmp_path / "names.csv").write_text("Surname\nKowalska\n", encoding="utf-8")
    (tmp_path / "people.tsv").write_text("First\tLast\nAnna\tKowalska\n", encoding="utf-8")
    (tmp_path / "artifacts").symlink_to(ROOT / "artifacts")
    (tmp_path / "my").mkdir()
    (tmp_path / "my" / "bundle").symlink_to(ROOT / "artifacts")
    _run("python -m model score names.csv scored.csv --text surname", cwd=tmp_path)
    assert (tmp_path / "scored.csv").read_text(encoding="utf-8").splitlines()[1].startswith("Kowalska,Polish,")
    command = "python -m model score people.tsv people.parquet --text first,last --bundle my/bundle"
    assert "1 rows scored" in _run(command, cwd=tmp_path)


def test_the_configuration_shown_is_the_default(tmp_path: Path) -> None:
    (shown,) = re.findall(r"```toml\n(.*?)```", PAGES["training.md"], re.DOTALL)
    (tmp_path / "config.toml").write_text(shown, encoding="utf-8")
    assert read_config(tmp_path / "config.toml") == (Shape(), TrainingConfig())
    for architecture in ARCHITECTURES:
        assert architecture in shown


def test_the_map_has_every_folder() -> None:
    for package in ("model_package/model", "api"):
        folders = [path for path in (ROOT / package).iterdir() if (path / "__init__.py").exists()]
        for folder in folders:
            assert folder.name == "tests" or f"\n  {folder.name}/ " in PAGES["architecture.md"], folder


def test_links_between_the_pages_lead_somewhere() -> None:
    for name, text in PAGES.items():
        folder = ROOT if name == "README.md" else ROOT / "docs"
        for target in re.findall(r"\]\((?!https?://)([^)#]+)\)", text):
            assert (folder / target).exists(), f"{name}: {target}"
