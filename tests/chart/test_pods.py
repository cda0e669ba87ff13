"""What the pods are: restricted, placed where the operator wants, configured by values alone."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from api.settings import PREFIX, Settings
from tests.chart.rendering import (
    DEV,
    EVERY_PART,
    OVERLAYS,
    PROD,
    container,
    environment,
    helm,
    kinds,
    pick,
    pod_spec,
    pods,
    render,
    render_set,
)


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_every_pod_is_restricted(overlay: str) -> None:
    for pod in pods(render("--values", overlay)):
        spec = pod["spec"]
        assert spec["automountServiceAccountToken"] is False
        assert spec["enableServiceLinks"] is False
        assert spec["securityContext"] == {
            "runAsNonRoot": True,
            "runAsUser": 10001,
            "runAsGroup": 10001,
            "fsGroup": 10001,
            "fsGroupChangePolicy": "OnRootMismatch",
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        for found in spec["containers"]:
            assert found["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert set(found["resources"]) == {"requests", "limits"}


@pytest.mark.parametrize("nothing", ["null", ""])
def test_the_platform_can_choose_the_uid(nothing: str) -> None:
    fields = ("runAsUser", "runAsGroup", "fsGroup")
    for pod in pods(render_set(*(f"podSecurityContext.{field}={nothing}" for field in fields))):
        assert not pod["spec"]["securityContext"].keys() & set(fields)
        assert pod["spec"]["securityContext"]["runAsNonRoot"] is True


@pytest.mark.parametrize(
    "settings", ["", "drainSeconds=30,shutdownGraceSeconds=300", "terminationGracePeriodSeconds=90"]
)
def test_a_rollout_takes_no_pod_away_early(settings: str) -> None:
    objects = render_set(settings, values=PROD)
    spec = pick(objects, "Deployment")["spec"]
    assert spec["strategy"]["rollingUpdate"] == {"maxUnavailable": 0, "maxSurge": 1}
    assert {"startupProbe", "readinessProbe", "livenessProbe"} <= set(container(objects))
    names = environment(objects)
    needed = float(names[f"{PREFIX}DRAIN_SECONDS"]) + float(names[f"{PREFIX}SHUTDOWN_GRACE_SECONDS"])
    assert needed < spec["template"]["spec"]["terminationGracePeriodSeconds"]


def test_recreate_has_no_rolling_update() -> None:
    assert pick(render_set("strategy.type=Recreate"), "Deployment")["spec"]["strategy"] == {"type": "Recreate"}


def test_replicas_can_be_left_to_whoever_scales() -> None:
    objects = render_set("replicas=null", values=PROD)
    assert "replicas" not in pick(objects, "Deployment")["spec"]
    assert "PodDisruptionBudget" in kinds(objects)
    assert "topologySpreadConstraints" in pod_spec(objects)


@pytest.mark.parametrize(
    ("settings", "image"),
    [
        ("image.tag=1.2", "fastapi-ml:1.2"),
        ("image.repository=example.org:5000/team/ml", "example.org:5000/team/ml:0.1.0"),
        (f"image.digest=sha256:{'0' * 64}", f"fastapi-ml@sha256:{'0' * 64}"),
        (f"image.tag=1.2,image.digest=sha256:{'0' * 64}", f"fastapi-ml@sha256:{'0' * 64}"),
    ],
)
def test_the_image(settings: str, image: str) -> None:
    assert [pod["spec"]["containers"][0]["image"] for pod in pods(render_set(settings))] == [image, image]


@pytest.mark.parametrize(
    ("settings", "resources", "threads_of"),
    [
        ("resources.limits.cpu=2", {"cpu": 2, "memory": "384Mi"}, "limits.cpu"),
        ("resources.limits.cpu=null", {"memory": "384Mi"}, "requests.cpu"),
        ("resources.limits.memory=512M", {"cpu": "1", "memory": "512M"}, "limits.cpu"),
    ],
)
def test_limits(settings: str, resources: dict[str, Any], threads_of: str) -> None:
    objects = render_set(settings)
    assert container(objects)["resources"]["limits"] == resources
    threads = environment(objects)[f"{PREFIX}THREADS"]
    assert threads["resourceFieldRef"]["resource"] == threads_of


@pytest.mark.parametrize(
    ("settings", "threads"), [("resources.limits.cpu=null,resources.requests.cpu=null", "1"), ("threads=4", "4")]
)
def test_threads_without_any_cpu_and_as_chosen(settings: str, threads: str) -> None:
    assert environment(render_set(settings))[f"{PREFIX}THREADS"] == threads


def test_the_service_leads_to_the_port_of_the_pods() -> None:
    objects = render_set("service.port=8080")
    (port,) = pick(objects, "Service")["spec"]["ports"]
    assert port["port"] == 8080
    assert port["targetPort"] in {found["name"] for found in container(objects)["ports"]}


def test_the_port_can_be_chosen() -> None:
    objects = render_set("containerPort=9000")
    (port,) = container(objects)["ports"]
    assert (port["name"], port["containerPort"]) == ("http", 9000)
    assert environment(objects)[f"{PREFIX}PORT"] == "9000"


SOMEWHERE = {
    "nodeSelector": {"disk": "ssd", "numbered": "1e5"},
    "tolerations": [{"key": "dedicated", "operator": "Exists"}],
    "imagePullSecrets": [{"name": "registry"}],
    "hostAliases": [{"ip": "10.0.0.1", "hostnames": ["redis"]}],
    "dnsConfig": {"options": [{"name": "ndots", "value": "1"}]},
}
API_ONLY = {
    "affinity": {"podAntiAffinity": {}},
    "priorityClassName": "high",
    "terminationGracePeriodSeconds": 77,
}


@pytest.mark.parametrize("field", [*SOMEWHERE, *API_ONLY])
def test_a_field_of_the_pod(field: str) -> None:
    value = (SOMEWHERE | API_ONLY)[field]
    objects = render("--set-json", f"{field}={json.dumps(value)}")
    serving, testing = (pod["spec"] for pod in pods(objects))
    assert serving[field] == value
    assert testing.get(field) == (value if field in SOMEWHERE else None)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("lifecycle", {"preStop": {"exec": {"command": ["sleep", "1"]}}}),
        ("extraEnvFrom", [{"secretRef": {"name": "more"}}]),
    ],
)
def test_a_field_of_the_container(field: str, value: object) -> None:
    found = container(render("--set-json", f"{field}={json.dumps(value)}"))
    assert found["envFrom" if field == "extraEnvFrom" else field] == value


def test_pod_annotations() -> None:
    objects = render("--set-json", 'podAnnotations={"example.org/yes":"yes"}')
    assert pick(objects, "Deployment")["spec"]["template"]["metadata"]["annotations"] == {"example.org/yes": "yes"}


@pytest.mark.parametrize("probe", ["startupProbe", "readinessProbe", "livenessProbe"])
def test_probes_can_be_tuned(probe: str) -> None:
    found = container(render_set(f"{probe}.periodSeconds=7,{probe}.timeoutSeconds=6,{probe}.failureThreshold=9"))[probe]
    assert (found["periodSeconds"], found["timeoutSeconds"], found["failureThreshold"]) == (7, 6, 9)
    assert found["httpGet"]["path"] == ("/readyz" if probe == "readinessProbe" else "/livez")


def test_volumes_can_be_added_beside_the_keys() -> None:
    volumes = 'extraVolumes=[{"name":"bundle","configMap":{"name":"bundle"}}]'
    mounts = 'extraVolumeMounts=[{"name":"bundle","mountPath":"/bundle"}]'
    objects = render("--values", PROD, "--set-json", volumes, "--set-json", mounts)
    assert [volume["name"] for volume in pod_spec(objects)["volumes"]] == ["keys", "data", "bundle"]
    paths = [mount["mountPath"] for mount in container(objects)["volumeMounts"]]
    assert paths == ["/etc/name-classifier", "/data", "/bundle"]


@pytest.mark.parametrize("mode", ['"off"', "false"])
def test_without_request_log_and_keys_there_is_no_volume(mode: str) -> None:
    objects = render("--set-json", f"requestLog.mode={mode}")
    assert environment(objects)[f"{PREFIX}REQUEST_LOG"] == "off"
    assert "volumes" not in pod_spec(objects)
    assert "volumeMounts" not in container(objects)
    assert environment(objects)[f"{PREFIX}ENVIRONMENT"] == "development"


@pytest.mark.parametrize(
    "options",
    [
        ("--set", "extraEnvFrom[0].secretRef.name=keys"),
        (
            "--set-json",
            f'extraEnv=[{{"name":"{PREFIX}API_KEYS","valueFrom":{{"secretKeyRef":{{"name":"k","key":"k"}}}}}}]',
        ),
    ],
)
def test_production_may_have_its_keys_from_elsewhere(options: tuple[str, str]) -> None:
    names = environment(render("--values", PROD, "--set", "apiKeys.secretName=", *options))
    assert f"{PREFIX}API_KEYS_FILE" not in names


@pytest.mark.parametrize("name", ["mine", "12345"])
def test_production_reads_keys_from_a_secret(name: str) -> None:
    objects = render_set(f"apiKeys.secretName={name}", values=PROD)
    mount, _ = container(objects)["volumeMounts"]
    assert mount["readOnly"] is True
    volume, _ = pod_spec(objects)["volumes"]
    assert volume["name"] == mount["name"]
    assert volume["secret"]["secretName"] == name
    (item,) = volume["secret"]["items"]
    assert environment(objects)[f"{PREFIX}API_KEYS_FILE"] == f"{mount['mountPath']}/{item['path']}"


EVERYTHING = {
    "rateLimit": "10/second",
    "nameRateLimit": "1000/minute",
    "rateLimitStorage": {"url": "redis://redis:6379", "failure": "closed"},
    "trustedProxies": ["10.0.0.0/8"],
    "corsOrigins": ["https://example.org"],
    "docsEnabled": False,
    "metricsEnabled": False,
    "logLevel": "warning",
    "host": "::",
    "drainSeconds": 2.5,
    "shutdownGraceSeconds": 60,
    "tracing": {"endpoint": "http://collector:4318"},
}


def _settings(objects: Any, keys: Path) -> Settings:
    """Let the service read the environment that the chart gives it."""
    values = {name.removeprefix(PREFIX).lower(): value for name, value in environment(objects).items()}
    known = {name: value for name, value in values.items() if name in Settings.model_fields and isinstance(value, str)}
    if "name_hash_keys" in values:
        known["name_hash_keys"] = json.dumps([{"id": "1", "key": "0" * 64}])
    if "api_keys_file" in known:
        keys.write_text(json.dumps([{"name": "one", "sha256": "0" * 64}]), encoding="utf-8")
        known["api_keys_file"] = str(keys)
    return Settings(**known)


@pytest.mark.parametrize("overlay", [None, *OVERLAYS])
def test_the_service_takes_what_the_chart_says(overlay: str | None, tmp_path: Path) -> None:
    settings = _settings(render_set(values=overlay), tmp_path / "keys.json")
    assert settings.environment == ("production" if overlay == PROD else "development")
    assert settings.docs_enabled == (overlay != PROD)
    assert settings.key_needed == (overlay == PROD)
    assert settings.recorded_names == {None: "absent", DEV: "raw", PROD: "hashed"}[overlay]


LOGGED = ("requestLog.hashKeysSecretName=hash", "requestLog.databaseUrlSecretName=database")


def test_the_chart_sets_nothing_that_the_service_does_not_know() -> None:
    everything = [word for part in (*EVERY_PART, "apiKeys.secretName=keys", *LOGGED) for word in ("--set", part)]
    names = environment(render(*everything, "--set", "rateLimitStorage.url=redis://redis"))
    ours = {name.removeprefix(PREFIX).lower() for name in names if name.startswith(PREFIX)}
    assert ours <= set(Settings.model_fields)


def test_every_value_reaches_its_setting(tmp_path: Path) -> None:
    options = [word for key, value in EVERYTHING.items() for word in ("--set-json", f"{key}={json.dumps(value)}")]
    objects = render("--values", PROD, *options)
    settings = _settings(objects, tmp_path / "keys.json")
    for key in ("rateLimit", "nameRateLimit", "docsEnabled", "metricsEnabled", "logLevel", "host", "drainSeconds"):
        assert getattr(settings, re.sub("([A-Z])", r"_\1", key).lower()) == EVERYTHING[key]
    assert settings.shutdown_grace_seconds == 60
    assert settings.trusted_proxies == ("10.0.0.0/8",)
    assert settings.cors_origins == ("https://example.org",)
    assert (settings.rate_limit_storage, settings.rate_limit_failure) == ("redis://redis:6379", "closed")
    assert environment(objects)["OTEL_EXPORTER_OTLP_ENDPOINT"] == "http://collector:4318"


def test_a_url_with_a_password_comes_from_a_secret() -> None:
    storage = environment(render_set("rateLimitStorage.secretName=redis"))[f"{PREFIX}RATE_LIMIT_STORAGE"]
    assert storage == {"secretKeyRef": {"name": "redis", "key": "url"}}


@pytest.mark.parametrize("name", sorted(Settings.model_fields))
def test_every_setting_has_a_value_or_can_be_added(name: str) -> None:
    variable = f"{PREFIX}{name.upper()}"
    if variable not in environment(render_set(values=PROD)):
        assert environment(render_set(f"extraEnv[0].name={variable}", values=PROD))


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("annotations", {"example.org/a": "1"}),
        ("ipFamilyPolicy", "PreferDualStack"),
        ("ipFamilies", ["IPv6", "IPv4"]),
        ("loadBalancerSourceRanges", ["10.0.0.0/8"]),
        ("externalTrafficPolicy", "Local"),
    ],
)
def test_a_field_of_the_service(field: str, value: object) -> None:
    service = pick(render("--set-json", f"service.{field}={json.dumps(value)}"), "Service")
    assert (service["metadata"] if field == "annotations" else service["spec"])[field] == value


def test_a_disruption_budget_comes_with_the_second_replica() -> None:
    assert "PodDisruptionBudget" not in kinds(render_set("replicas=1"))
    assert pick(render_set("replicas=2"), "PodDisruptionBudget")["spec"]["maxUnavailable"] == 1
    assert pick(render_set("podDisruptionBudget.maxUnavailable=50%", values=PROD), "PodDisruptionBudget")
    assert "PodDisruptionBudget" not in kinds(render_set("replicas=2,podDisruptionBudget.enabled=false"))


@pytest.mark.parametrize("overlay", OVERLAYS)
def test_the_notes_say_how_to_make_the_secret_that_is_needed(overlay: str) -> None:
    if "v3" in helm("version").stdout:
        pytest.skip("Helm 3 renders notes with a cluster only")
    done = helm("install", "api-chart", ".", "--dry-run=client", "--values", overlay)
    assert done.returncode == 0, done.stderr
    assert ("create secret generic fastapi-ml-keys" in done.stdout) == (overlay == PROD)
