"""The chart, rendered by helm and checked against current Kubernetes schemas. No cluster is needed."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from api.settings import PREFIX, Settings

CHART = Path(__file__).parents[1] / "infra" / "chart_api"
OVERLAYS = ("values.dev.yaml", "values.prod.yaml")

pytestmark = pytest.mark.skipif(shutil.which("helm") is None, reason="helm is not on PATH: the chart is not checked")


def _helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["helm", *arguments], cwd=CHART, capture_output=True, text=True, check=False, timeout=60)


def _render(*options: str) -> dict[str, Any]:
    """Render the chart; objects by kind, the helm test's pod among them."""
    done = _helm("template", "api-chart", ".", *options)
    assert done.returncode == 0, done.stderr
    return {document["kind"]: document for document in yaml.safe_load_all(done.stdout) if document}


def _leaves(values: dict[str, Any], path: str = "") -> dict[str, object]:
    """Flatten values: image.tag and its value, for every leaf."""
    found: dict[str, object] = {}
    for key, value in values.items():
        found |= _leaves(value, f"{path}{key}.") if isinstance(value, dict) else {f"{path}{key}": value}
    return found


def _values(file: str) -> dict[str, object]:
    return _leaves(yaml.safe_load((CHART / file).read_text(encoding="utf-8")))


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_lint_is_clean(overlay: str) -> None:
    done = _helm("lint", "--strict", ".", "--values", overlay)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_object_fits_current_kubernetes(overlay: str, tmp_path: Path) -> None:
    rendered = tmp_path / "rendered.yaml"
    rendered.write_text(_helm("template", "api-chart", ".", "--values", overlay).stdout, encoding="utf-8")
    validator = Path(sys.executable).with_name("kubernetes-validate")
    done = subprocess.run([validator, "--strict", rendered], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("passed for resource") >= 4


@pytest.mark.parametrize(("environment", "service_type"), [("dev", "LoadBalancer"), ("prod", "ClusterIP")])
def test_the_names_are_those_of_the_contract(environment: str, service_type: str) -> None:
    objects = _render("--values", f"values.{environment}.yaml")
    assert objects["Deployment"]["metadata"]["name"] == f"fastapi-ml-{environment}"
    assert objects["Service"]["metadata"]["name"] == f"fastapi-svc-{environment}"
    assert objects["Service"]["spec"]["type"] == service_type


@pytest.mark.parametrize("overlay", OVERLAYS)
@pytest.mark.parametrize("kind", ["Deployment", "Pod"])
def test_every_pod_is_restricted(overlay: str, kind: str) -> None:
    spec = _render("--values", overlay)[kind]["spec"]
    pod = spec["template"]["spec"] if kind == "Deployment" else spec
    assert pod["automountServiceAccountToken"] is False
    assert pod["enableServiceLinks"] is False
    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 10001,
        "runAsGroup": 10001,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    for container in pod["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }
        assert set(container["resources"]) == {"requests", "limits"}


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_a_rollout_takes_no_pod_away_early(overlay: str) -> None:
    objects = _render("--values", overlay)
    spec = objects["Deployment"]["spec"]
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    (container,) = spec["template"]["spec"]["containers"]
    assert {"startupProbe", "readinessProbe", "livenessProbe"} <= set(container)
    drain = next(int(e["value"]) for e in container["env"] if e["name"] == "NAME_CLASSIFIER_DRAIN_SECONDS")
    grace = Settings.model_fields["shutdown_grace_seconds"].default
    assert 0 < drain < drain + grace < spec["template"]["spec"]["terminationGracePeriodSeconds"]


def test_the_service_selects_the_serving_pods_only() -> None:
    objects = _render("--values", "values.dev.yaml")
    selector = objects["Service"]["spec"]["selector"].items()
    assert selector <= objects["Deployment"]["spec"]["template"]["metadata"]["labels"].items()
    assert not selector <= objects["Pod"]["metadata"]["labels"].items()


def test_a_disruption_budget_comes_with_the_second_replica() -> None:
    assert "PodDisruptionBudget" not in _render("--set", "replicas=1")
    assert _render("--set", "replicas=2")["PodDisruptionBudget"]["apiVersion"] == "policy/v1"
    assert "PodDisruptionBudget" not in _render("--set", "replicas=2,podDisruptionBudget.enabled=false")


def test_a_private_registry_can_be_used() -> None:
    spec = _render("--set", "image.pullSecrets={one,two}")["Deployment"]["spec"]["template"]["spec"]
    assert spec["imagePullSecrets"] == [{"name": "one"}, {"name": "two"}]


def test_cpu_may_be_a_number() -> None:
    assert _render("--set", "resources.limits.cpu=2")["Deployment"]


def test_the_version_label_follows_the_tag_within_its_limit() -> None:
    labels = _render("--set", f"image.tag=1.2-{'x' * 58}.z")["Deployment"]["metadata"]["labels"]
    assert labels["app.kubernetes.io/version"] == f"1.2-{'x' * 58}"


def test_production_needs_keys_from_a_secret_and_nothing_else_knows_them(tmp_path: Path) -> None:
    objects = _render("--values", "values.prod.yaml", "--set", "apiKeys.secretName=mine")
    spec = objects["Deployment"]["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    (mount,) = container["volumeMounts"]
    assert mount["readOnly"] is True
    (volume,) = spec["volumes"]
    assert volume["name"] == mount["name"]
    assert volume["secret"]["secretName"] == "mine"
    (item,) = volume["secret"]["items"]
    environment = {entry["name"].removeprefix(PREFIX): entry.get("value") for entry in container["env"]}
    assert environment["API_KEYS_FILE"] == f"{mount['mountPath']}/{item['path']}"
    # what the chart says, the service takes: with the Secret's file in its place
    (tmp_path / "keys.json").write_text(json.dumps([{"name": "one", "sha256": "0" * 64}]), encoding="utf-8")
    environment["API_KEYS_FILE"] = str(tmp_path / "keys.json")
    settings = Settings(**{name.lower(): value for name, value in environment.items() if value is not None})
    assert settings.environment == "production"
    assert settings.rate_limit
    assert not settings.docs_enabled
    assert "get_prediction" in str(objects["Pod"]["spec"]["containers"][0]["command"])


def test_development_needs_no_secret() -> None:
    spec = _render("--values", "values.dev.yaml")["Deployment"]["spec"]["template"]["spec"]
    assert "volumes" not in spec
    names = {entry["name"]: entry.get("value") for entry in spec["containers"][0]["env"]}
    assert names[f"{PREFIX}ENVIRONMENT"] == "development"
    assert f"{PREFIX}API_KEYS_FILE" not in names


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_notes_say_how_to_make_the_secret_that_is_needed(overlay: str) -> None:
    done = _helm("install", "api-chart", ".", "--dry-run=client", "--values", overlay)
    assert done.returncode == 0, done.stderr
    assert ("create secret generic fastapi-ml-keys" in done.stdout) == (overlay == "values.prod.yaml")


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_an_overlay_holds_differences_only_on_one_screen(overlay: str) -> None:
    differences, defaults = _values(overlay), _values("values.yaml")
    assert set(differences) <= set(defaults)
    assert not [key for key, value in differences.items() if defaults[key] == value]
    assert len((CHART / overlay).read_text(encoding="utf-8").splitlines()) <= 40


@pytest.mark.parametrize(
    "mistake",
    [
        "replica=2",
        "image.tags=x",
        "service.prot=80",
        "resources.limits.gpu=1",
        "replicas=many",
        "replicas=0",
        "service.port=0",
        "service.type=ExternalName",
        "logLevel=loud",
        "production=true",
        "production=true,apiKeys.secretName=keys,logLevel=debug",
        "production=yes",
        "apiKeys.secret=keys",
        "apiKeys.secretName=Keys",
        "rateLimit=lots",
        "rateLimit=10/second;",
        "docsEnabled=perhaps",
        "environment=Prod",
        "podDisruptionBudget.enabled=perhaps",
        "resources.limits.memory=lots",
    ],
)
def test_a_mistake_in_the_values_is_refused(mistake: str) -> None:
    done = _helm("template", "api-chart", ".", "--set", mistake)
    assert done.returncode != 0
    assert "values don't meet the specifications of the schema" in done.stderr


def test_no_value_can_be_removed() -> None:
    """A value set to null would silently drop a limit or a probe's port."""
    for key in _values("values.yaml"):
        done = _helm("template", "api-chart", ".", "--set", f"{key}=null")
        assert done.returncode != 0, key
