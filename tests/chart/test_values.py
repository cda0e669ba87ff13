"""values.yaml says everything once: the schema and the reference follow from it, overlays differ from it."""

import copy
import json
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from tests.chart.rendering import CHART, OVERLAYS, Object, helm, leaves, read_values, refusal, render_set

DEFAULTS = read_values("values.yaml")
SCHEMA = json.loads((CHART / "values.schema.json").read_text(encoding="utf-8"))
OPTIONAL = {
    *("threads", "replicas", "terminationGracePeriodSeconds"),
    *("podSecurityContext.runAsUser", "podSecurityContext.runAsGroup", "podSecurityContext.fsGroup"),
    *("resources.requests.cpu", "resources.requests.memory", "resources.limits.cpu"),
    *(f"migrations.resources.{key}" for key in ("requests.cpu", "requests.memory", "limits.cpu")),
    *("trainingJob.resources.requests.cpu", "trainingJob.resources.requests.memory"),
    *("autoscaling.targetCPUUtilizationPercentage", "autoscaling.targetRequestsInProgress"),
}


def test_schema_and_reference_are_current() -> None:
    command = [sys.executable, CHART.parents[1] / "docs" / "build_chart_reference.py", "--check"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_lint_is_clean(overlay: str) -> None:
    done = helm("lint", "--strict", ".", "--values", overlay)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_overlay_holds_differences_only_on_one_screen(overlay: str) -> None:
    differences, defaults = leaves(read_values(overlay)), leaves(DEFAULTS)
    assert set(differences) <= set(defaults)
    assert not [key for key, value in differences.items() if defaults[key] == value]
    assert len((CHART / overlay).read_text(encoding="utf-8").splitlines()) <= 40


def _misspelt(values: Object) -> Iterator[tuple[str, Object]]:
    """Yield the values once for each key, with the key a second time, one letter changed."""
    for key, value in values.items():
        for wrong in (f"{key[:-1]}{'x' if key[-1] != 'x' else 'y'}", f"{key[0].swapcase()}{key[1:]}"):
            yield wrong, values | {wrong: value}
        if isinstance(value, dict):
            yield from ((f"{key}.{path}", values | {key: broken}) for path, broken in _misspelt(value))


def test_every_key_with_a_letter_changed_is_refused() -> None:
    validator = Draft7Validator(SCHEMA)
    assert validator.is_valid(DEFAULTS)
    trials = dict(_misspelt(DEFAULTS))
    assert len(trials) > 2 * len(leaves(DEFAULTS))
    assert not [path for path, values in trials.items() if validator.is_valid(values)]


def _without(values: Object, path: str) -> Object:
    values = copy.deepcopy(values)
    *parents, last = path.split(".")
    place = values
    for parent in parents:
        place = place[parent]
    del place[last]
    return values


@pytest.mark.parametrize("path", sorted(leaves(DEFAULTS)))
def test_only_what_is_optional_can_be_taken_away(path: str) -> None:
    """Helm deletes a key whose value is null: a limit or a probe's time would silently be lost."""
    assert Draft7Validator(SCHEMA).is_valid(_without(DEFAULTS, path)) == (path in OPTIONAL)


@pytest.mark.parametrize("path", sorted(OPTIONAL))
def test_what_is_optional_renders_without(path: str) -> None:
    assert render_set(f"{path}=null")


@pytest.mark.parametrize(
    "mistake",
    [
        *("replica=2", "image.tags=x", "service.prot=80", "resources.limits.gpu=1", "apiKeys.secret=keys"),
        *("replicas=many", "replicas=0", "service.port=0", "service.port=65536", "service.type=ExternalName"),
        *("logLevel=loud", "production=yes", "apiKeys.secretName=Keys", "docsEnabled=perhaps", "environment=Prod"),
        *("rateLimit=lots", "rateLimit=10/second;", "podDisruptionBudget.enabled=perhaps", "image.digest=sha256:12"),
        *("resources.limits.memory=lots", "resources.limits.memory=null", "image.tag=5", "host=localhost"),
        *("corsOrigins={example.org}", "imagePullSecrets={one}", "podSecurityContext.runAsUser=0", "drainSeconds=-1"),
        *("strategy.type=Rolling", "service.ipFamilies={IPv5}", "fullnameOverride=1", "extraEnv[0].value=x"),
        *("extraEnv[0].name=A,extraEnv[0].value=1", "extraEnv[0].name=A,extraEnv[0].valeu=x", "containerPort=80"),
        *("requestLog.mode=slow", "requestLog.mode=true", "requestLog.names=clear", "requestLog.maxSize=1"),
        *("migrations.enabled=perhaps", "migrations.backoffLimit=-1", "migrations.resources.limits.memory=null"),
        *("autoscaling.minReplicas=0", "ingress.pathType=Regex", "httpRoute.pathPrefix=/a/", "persistence.size=big"),
        *(
            "persistence.accessModes={Many}",
            "serviceMonitor.interval=soon",
            "networkPolicy.from={any}",
            "extraObjects={1}",
        ),
        *("prometheusRule.objectives.availability=1", "prometheusRule.objectives.latencySeconds=0.2"),
        *("prometheusRule.runbooksUrl=docs", "dashboard.label=", "prometheusRule.objectives.latency=99"),
        *("trainingJob.schedule=daily", "trainingJob.subPath=a/../b", "trainingJob.resources.limits.cpu=null"),
        *(
            "trainingJob.subPath=/a",
            "persistence.subPath=../a",
            "trainingJob.args=x",
            "trainingJob.timeZone=1",
            "trainingJob.failedJobsHistoryLimit=0",
        ),
        *("rateLimitStorage.url=memory", "tracing.endpoint=collector:4318", "terminationGracePeriodSeconds=0"),
    ],
)
def test_a_mistake_is_refused_by_the_schema(mistake: str) -> None:
    assert "values don't meet the specifications of the schema" in refusal(mistake)


def test_every_value_is_in_the_reference() -> None:
    reference = (CHART / "README.md").read_text(encoding="utf-8")
    assert not [path for path in leaves(DEFAULTS) if f"| `{path}` |" not in reference]


def test_every_object_is_closed() -> None:
    def _open(schema: Any, path: str = "") -> Iterator[str]:
        if "properties" in schema and schema.get("additionalProperties") is not False:
            yield path
        for key, below in schema.get("properties", {}).items():
            yield from _open(below, f"{path}.{key}")

    assert not list(_open(SCHEMA))


def test_the_readme_pushes_the_image_that_the_chart_wants() -> None:
    version = yaml.safe_load((CHART / "Chart.yaml").read_text(encoding="utf-8"))["appVersion"]
    readme = (CHART.parents[1] / "README.md").read_text(encoding="utf-8")
    assert f"REGISTRY/fastapi-ml:{version} " in readme
