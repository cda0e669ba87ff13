"""Workflows, compose.yaml, the base images and Dependabot's list agree with the repository and with each other."""

import os
import re
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.specifiers import SpecifierSet

from api.settings import PREFIX, Settings

ROOT = Path(__file__).parents[1]
WORKFLOWS = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / ".github" / "workflows").iterdir()}
COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
PACKAGE = tomllib.loads((ROOT / "model_package" / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PINNED = re.compile(r"uses: ([\w./-]+)@([0-9a-f]{40}) # v\d+\.\d+\.\d+")
workflow = pytest.mark.parametrize("name", WORKFLOWS)
service = pytest.mark.parametrize("name", COMPOSE["services"])


def _jobs(name: str) -> dict[str, dict[str, Any]]:
    jobs: dict[str, dict[str, Any]] = yaml.safe_load(WORKFLOWS[name])["jobs"]
    return jobs


def _base_images() -> dict[str, str]:
    """Return the base image of a build and of a release."""
    (build,) = re.findall(r"^ARG PYTHON_IMAGE=(\S+)$", (ROOT / "Dockerfile").read_text(encoding="utf-8"), re.MULTILINE)
    release = (ROOT / "infra" / "base_image" / "Dockerfile").read_text(encoding="utf-8")
    (line,) = re.findall(r"^FROM (\S+)$", release, re.MULTILINE)
    return {"build": build, "release": line}


@workflow
def test_actions_are_pinned_by_commit_with_their_version(name: str) -> None:
    for line in re.findall(r"uses: .*", WORKFLOWS[name]):
        assert line.startswith("uses: ./") or PINNED.fullmatch(line), line


def test_an_action_has_one_commit_in_all_workflows() -> None:
    pins = {pin for text in WORKFLOWS.values() for pin in PINNED.findall(text)}
    assert len({action for action, _ in pins}) == len(pins)


@workflow
def test_permissions_are_given_to_jobs_alone(name: str) -> None:
    assert yaml.safe_load(WORKFLOWS[name])["permissions"] == {}
    for job in _jobs(name).values():
        assert isinstance(job["permissions"], dict)


def test_what_runs_for_a_pull_request_writes_nothing() -> None:
    for job in _jobs("ci.yaml").values():
        assert job["permissions"] == {"contents": "read"}


@workflow
def test_no_job_runs_without_end(name: str) -> None:
    for job in _jobs(name).values():
        assert "uses" in job or job["timeout-minutes"] <= 60


@workflow
def test_make_targets_exist(name: str) -> None:
    targets = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    matrices = [job["strategy"]["matrix"] for job in _jobs(name).values() if "strategy" in job]
    named = {target for matrix in matrices for target in matrix.get("target", ())}
    assert named | set(re.findall(r"\bmake ([a-z][a-z0-9-]*)$", WORKFLOWS[name], re.MULTILINE)) <= targets


def test_every_python_is_in_the_range_of_the_package() -> None:
    texts = [*WORKFLOWS.values(), (ROOT / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8")]
    found = {version for text in texts for version in re.findall(r'(?:"|python:)(3\.\d+)["-]', text)}
    found |= {image.removeprefix("python:").partition("-")[0] for image in _base_images().values()}
    assert found >= {"3.11", "3.14"}
    assert all(SpecifierSet(PACKAGE["requires-python"]).contains(version) for version in found)


def test_every_stage_has_the_base_image_of_the_argument_and_the_last_one_serves() -> None:
    text = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    stages = re.findall(r"^FROM (\S+)(?: AS (\S+))?$", text, re.MULTILINE)
    assert {image for image, _ in stages} - {name for _, name in stages} == {"${PYTHON_IMAGE}"}
    assert [name for _, name in stages][-1] == ""  # what `docker build` builds without --target
    assert ("${PYTHON_IMAGE}", "training") in stages
    assert text.rstrip().endswith('CMD ["python", "-m", "api"]')


def test_the_training_image_has_what_training_needs_and_the_serving_image_does_not() -> None:
    lines = {path.stem: path.read_text(encoding="utf-8").splitlines() for path in (ROOT / "requirements").iterdir()}
    serving, training, torch = (
        {line.partition("==")[0] for line in lines[name] if "==" in line} for name in ("serve", "training", "torch")
    )
    assert {re.split(r"[^a-z0-9-]", line)[0] for line in PACKAGE["dependencies"]} <= training | torch
    assert not serving & {line for line in lines["training-only"] if not line.startswith("#")}


def test_a_bare_machine_gets_the_base_image_of_the_dockerfile(tmp_path: Path) -> None:
    podman = tmp_path / "podman"  # says that every image is there
    podman.write_text("#!/bin/sh\n", encoding="utf-8")
    podman.chmod(0o755)
    path = f"{tmp_path}:{os.environ['PATH']}"
    command = ["bash", str(ROOT / ".ci" / "base-image")]
    done = subprocess.run(command, env={"PATH": path}, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert f" docker.io/library/{_base_images()['build']} " in done.stdout
    assert _base_images()["build"].endswith("-bookworm")  # what the stand-in is made of


def test_a_tag_releases_one_version_of_package_and_chart() -> None:
    chart = yaml.safe_load((ROOT / "infra" / "chart_api" / "Chart.yaml").read_text(encoding="utf-8"))
    assert chart["version"] == chart["appVersion"] == PACKAGE["version"]
    assert f"{chart['name']}-$VERSION.tgz" in WORKFLOWS["release.yaml"]


@service
def test_mounted_files_exist(name: str) -> None:
    volumes = [volume.split(":") for volume in COMPOSE["services"][name].get("volumes", ())]
    for source, *_ in volumes:
        assert (ROOT / source).exists() if source.startswith(".") else source in COMPOSE["volumes"], source
    assert {mode for source, _, *mode in volumes if source.startswith(".") for mode in mode or ["rw"]} <= {"ro"}


@service
def test_services_are_unprivileged_and_reached_from_this_machine_only(name: str) -> None:
    options = COMPOSE["services"][name]
    assert options["cap_drop"] == ["ALL"]
    assert options["security_opt"] == ["no-new-privileges:true"]
    assert all(port.startswith("127.0.0.1:") for port in options.get("ports", ()))


@service
def test_images_of_others_have_an_exact_tag(name: str) -> None:
    options = COMPOSE["services"][name]
    assert "build" in options or re.fullmatch(r"[\w./-]+:v?\d[\w.-]*(@sha256:[0-9a-f]{64})?", options["image"])


def test_the_service_is_set_by_settings_that_exist() -> None:
    names = {name for options in COMPOSE["services"].values() for name in options.get("environment", ())}
    ours = {name.removeprefix(PREFIX).lower() for name in names if name.startswith(PREFIX)}
    assert "database_url" in ours
    assert ours <= set(Settings.model_fields)


@pytest.mark.parametrize("name", ["pipeline", "airflow"])
def test_what_is_promoted_is_served(name: str) -> None:
    service, training = COMPOSE["services"]["service"], COMPOSE["services"][name]
    assert service["environment"][f"{PREFIX}BUNDLE_DIR"] == "/store"
    assert "store:/store:ro" in service["volumes"]
    assert {"store:/store", "training:/training"} <= set(training["volumes"])


def test_what_trains_is_started_on_demand_only() -> None:
    for options in COMPOSE["services"].values():
        target = options["build"].get("target") if "build" in options else None
        assert bool(target) == ("profiles" in options)
        assert target is None or f" AS {target}\n" in (ROOT / "Dockerfile").read_text(encoding="utf-8")


@pytest.mark.skipif(
    shutil.which("promtool") is None, reason="promtool is not on PATH: Prometheus's file is not checked"
)
def test_prometheus_takes_its_file() -> None:
    command = ["promtool", "check", "config", "--syntax-only", "infra/compose/prometheus.yaml"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_finds_service_and_alertmanager_by_their_names() -> None:
    text = (ROOT / "infra" / "compose" / "prometheus.yaml").read_text(encoding="utf-8")
    assert set(re.findall(r"\[(\w+):\d+\]", text)) - {"localhost"} <= set(COMPOSE["services"])


def test_prometheus_gives_the_service_the_job_of_the_rules() -> None:
    prometheus = yaml.safe_load((ROOT / "infra" / "compose" / "prometheus.yaml").read_text(encoding="utf-8"))
    jobs = {scrape["job_name"] for scrape in prometheus["scrape_configs"]}
    rules = [path.read_text(encoding="utf-8") for path in (ROOT / "infra" / "chart_api" / "rules").glob("*.yaml")]
    asked = {job for text in rules for job in re.findall(r'\bjob="([^"]+)"', text)}
    assert asked and asked <= jobs


@pytest.mark.parametrize(
    ("name", "file", "folder"),
    [
        ("prometheus", "prometheus.yaml", "/etc/prometheus/rules"),
        ("grafana", "grafana/dashboards/chart.yaml", "/etc/grafana/dashboards"),
    ],
)
def test_what_is_looked_for_in_a_container_is_mounted_there(name: str, file: str, folder: str) -> None:
    assert folder in (ROOT / "infra" / "compose" / file).read_text(encoding="utf-8")
    assert folder in {volume.split(":")[1] for volume in COMPOSE["services"][name]["volumes"]}


def test_dependabot_looks_where_something_is() -> None:
    updates = yaml.safe_load((ROOT / ".github" / "dependabot.yml").read_text(encoding="utf-8"))["updates"]
    for update in updates:
        for folder in update.get("directories", [update.get("directory")]):
            assert (ROOT / folder.removeprefix("/")).is_dir(), folder
