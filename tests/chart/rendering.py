"""Helm and what it renders, as parsed objects; HELM names another binary than the one on PATH."""

import os
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml

CHART = Path(__file__).parents[2] / "infra" / "chart_api"
HELM = os.environ.get("HELM", "helm")
RELEASE = "api-chart"
DEV, PROD = "values.dev.yaml", "values.prod.yaml"
OVERLAYS = (DEV, PROD)
SWITCHES = {
    "autoscaling": "autoscaling.enabled=true",
    "podDisruptionBudget": "podDisruptionBudget.enabled=true",
    "topologySpreadConstraints": "topologySpreadConstraints.enabled=true",
    "networkPolicy": "networkPolicy.enabled=true",
    "ingress": "ingress.enabled=true",
    "httpRoute": "httpRoute.enabled=true",
    "serviceMonitor": "serviceMonitor.enabled=true",
    "prometheusRule": "prometheusRule.enabled=true",
    "dashboard": "dashboard.enabled=true",
    "persistence": "persistence.enabled=true",
    "trainingJob": "trainingJob.enabled=true,persistence.enabled=true",
    "requestLog.databaseUrlSecretName": "requestLog.databaseUrlSecretName=database",
    "migrations": "migrations.enabled=true,requestLog.databaseUrlSecretName=database",
    "requestLog.volume.claimTemplate": "requestLog.volume.claimTemplate.accessModes={ReadWriteOnce}",
}
EVERY_PART = tuple(SWITCHES.values())
HOOKS = ("-test", "-migrations", "-training")
"""Ends of the names of what hooks make, and the CronJob."""
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # a fifth of the time where libyaml is there

Object = dict[str, Any]


def helm(*arguments: str, chart: Path = CHART) -> subprocess.CompletedProcess[str]:
    return subprocess.run([HELM, *arguments], cwd=chart, capture_output=True, text=True, check=False, timeout=60)


@cache
def render(*options: str, release: str = RELEASE, chart: Path = CHART) -> tuple[Object, ...]:
    """Return the objects of a release, those of its tests among them."""
    done = helm("template", release, ".", *options, chart=chart)
    assert done.returncode == 0, done.stderr
    return tuple(document for document in yaml.load_all(done.stdout, _LOADER) if document)


def render_set(*settings: str, values: str | None = None, release: str = RELEASE) -> tuple[Object, ...]:
    """Render with values as `--set` takes them, on top of an overlay."""
    overlay = ("--values", values) if values else ()
    return render(*overlay, *(word for setting in settings for word in ("--set", setting)), release=release)


def refusal(*settings: str, values: str | None = None) -> str:
    """Return what helm says against values as `--set` takes them, on one line."""
    overlay = ("--values", values) if values else ()
    done = helm("template", RELEASE, ".", *overlay, *(word for setting in settings for word in ("--set", setting)))
    assert done.returncode != 0, settings
    return " ".join(done.stderr.split())


def pick(objects: tuple[Object, ...], kind: str, *, hook: str = "") -> Object:
    """Return the only object of a kind that serves, or that a hook needs."""
    others = tuple(end for end in HOOKS if end != hook)
    same = [found for found in objects if found["kind"] == kind]
    (found,) = (
        found
        for found in same
        if found["metadata"]["name"].endswith(hook) and not found["metadata"]["name"].endswith(others)
    )
    return found


def kinds(objects: tuple[Object, ...]) -> set[str]:
    return {found["kind"] for found in objects}


def pods(objects: tuple[Object, ...]) -> Iterator[Object]:
    """Yield metadata and spec of each pod: the Deployment's, the test's, those of a Job and a CronJob."""
    yield pick(objects, "Deployment")["spec"]["template"]
    yield pick(objects, "Pod", hook="-test")
    yield from (found["spec"]["template"] for found in objects if found["kind"] == "Job")
    yield from (found["spec"]["jobTemplate"]["spec"]["template"] for found in objects if found["kind"] == "CronJob")


def pod_spec(objects: tuple[Object, ...]) -> Object:
    spec: Object = pick(objects, "Deployment")["spec"]["template"]["spec"]
    return spec


def container(objects: tuple[Object, ...]) -> Object:
    (found,) = pod_spec(objects)["containers"]
    return found  # type: ignore[no-any-return]


def environment(objects: tuple[Object, ...]) -> dict[str, Any]:
    """Return the value of each environment variable, or where it comes from."""
    return {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in container(objects)["env"]}


def leaves(values: Object, path: str = "") -> dict[str, Any]:
    """Flatten values: image.tag and its value, for every leaf."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        found |= leaves(value, f"{path}{key}.") if isinstance(value, dict) and value else {f"{path}{key}": value}
    return found


def read_values(file: str) -> Object:
    values: Object = yaml.safe_load((CHART / file).read_text(encoding="utf-8"))
    return values
