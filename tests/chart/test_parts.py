"""The parts behind a switch: scaling, networking, storage, monitoring."""

import json
from typing import Any

import pytest

from api.settings import PREFIX
from tests.chart.rendering import (
    EVERY_PART,
    PROD,
    container,
    environment,
    kinds,
    pick,
    pod_spec,
    render,
    render_set,
)

KIND_OF = {
    "autoscaling": "HorizontalPodAutoscaler",
    "podDisruptionBudget": "PodDisruptionBudget",
    "networkPolicy": "NetworkPolicy",
    "ingress": "Ingress",
    "httpRoute": "HTTPRoute",
    "serviceMonitor": "ServiceMonitor",
    "prometheusRule": "PrometheusRule",
    "dashboard": "ConfigMap",
    "persistence": "PersistentVolumeClaim",
}


@pytest.mark.parametrize("part", KIND_OF)
def test_a_switch_makes_its_object_without_further_values(part: str) -> None:
    on, off = (render_set(f"{part}.enabled={state}", values=PROD) for state in ("true", "false"))
    assert kinds(on) - kinds(off) == {KIND_OF[part]}


@pytest.mark.parametrize("part", KIND_OF)
def test_an_object_belongs_to_its_release(part: str) -> None:
    found = pick(render_set(f"{part}.enabled=true", values=PROD, release="shop"), KIND_OF[part])
    assert found["metadata"]["name"].startswith("shop-name-classifier")
    assert found["metadata"]["labels"]["app.kubernetes.io/instance"] == "shop"


def test_an_autoscaler_owns_the_number_of_pods() -> None:
    objects = render_set("autoscaling.enabled=true", values=PROD)
    spec = pick(objects, "HorizontalPodAutoscaler")["spec"]
    deployment = pick(objects, "Deployment")
    assert "replicas" not in deployment["spec"]
    assert spec["scaleTargetRef"]["name"] == deployment["metadata"]["name"]
    assert (spec["minReplicas"], spec["maxReplicas"]) == (2, 10)
    (metric,) = spec["metrics"]
    assert metric["resource"] == {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 70}}


@pytest.mark.parametrize("nothing", ["null", ""])
def test_an_autoscaler_can_follow_the_requests_in_progress(nothing: str) -> None:
    settings = "autoscaling.enabled=true,autoscaling.targetRequestsInProgress=50"
    spec = pick(render_set(settings), "HorizontalPodAutoscaler")["spec"]
    assert [metric["type"] for metric in spec["metrics"]] == ["Resource", "Pods"]
    objects = render_set(f"{settings},autoscaling.targetCPUUtilizationPercentage={nothing}")
    (metric,) = pick(objects, "HorizontalPodAutoscaler")["spec"]["metrics"]
    assert metric["pods"]["target"] == {"type": "AverageValue", "averageValue": "50"}


def test_what_an_autoscaler_scales_is_spread_and_protected() -> None:
    objects = render_set("autoscaling.enabled=true,replicas=1")
    assert "PodDisruptionBudget" in kinds(objects)
    assert "topologySpreadConstraints" in pod_spec(objects)


@pytest.mark.parametrize(("version", "keys"), [("1.26", None), ("1.27", ["pod-template-hash"])])
def test_constraints_count_the_pods_of_the_release(version: str, keys: list[str] | None) -> None:
    zones = '[{"maxSkew":2,"topologyKey":"topology.kubernetes.io/zone","whenUnsatisfiable":"DoNotSchedule"}]'
    options = ("--set-json", f"topologySpreadConstraints.constraints={zones}", "--kube-version", version)
    objects = render("--values", PROD, *options)
    (constraint,) = pod_spec(objects)["topologySpreadConstraints"]
    assert constraint.pop("labelSelector") == pick(objects, "Deployment")["spec"]["selector"]
    assert constraint.pop("matchLabelKeys", None) == keys
    assert constraint == json.loads(zones)[0]


def test_constraints_can_be_left_out() -> None:
    objects = render_set("topologySpreadConstraints.enabled=false", values=PROD)
    assert "topologySpreadConstraints" not in pod_spec(objects)


def _policy(*settings: str) -> Any:
    return pick(render_set(*settings), "NetworkPolicy")["spec"]


def _egress_ports(*settings: str) -> list[int]:
    return [port["port"] for rule in _policy(*settings)["egress"][1:] for port in rule["ports"]]


def test_by_default_pods_take_requests_and_reach_name_servers_only() -> None:
    policy = _policy()
    assert policy["ingress"] == [{"ports": [{"port": "http", "protocol": "TCP"}]}]
    (names,) = policy["egress"]
    assert {port["port"] for port in names["ports"]} == {53, 5353}
    assert set(policy["policyTypes"]) == {"Ingress", "Egress"}


def test_chosen_namespaces_alone_may_ask_and_the_test_may_too() -> None:
    objects = render_set(
        "networkPolicy.allowedNamespaces={ingress,monitoring}", "networkPolicy.from[0].ipBlock.cidr=10.0.0.0/8"
    )
    policy = pick(objects, "NetworkPolicy")["spec"]
    (rule,) = policy["ingress"]
    test, namespaces, block = rule["from"]
    assert (
        test["podSelector"]["matchLabels"].items() <= pick(objects, "Pod", hook="-test")["metadata"]["labels"].items()
    )
    (expression,) = namespaces["namespaceSelector"]["matchExpressions"]
    assert expression["values"] == ["ingress", "monitoring"]
    assert block == {"ipBlock": {"cidr": "10.0.0.0/8"}}


def test_the_test_s_pod_reaches_the_service_and_name_servers_only() -> None:
    objects = render_set()
    policy = pick(objects, "NetworkPolicy", hook="-test")["spec"]
    labels = pick(objects, "Pod", hook="-test")["metadata"]["labels"]
    assert policy["podSelector"]["matchLabels"].items() <= labels.items()
    assert set(policy["policyTypes"]) == {"Ingress", "Egress"}
    assert "ingress" not in policy
    service, names = policy["egress"]
    (peer,) = service["to"]
    assert peer["podSelector"] == pick(objects, "Deployment")["spec"]["selector"]
    assert names == pick(objects, "NetworkPolicy")["spec"]["egress"][0]


@pytest.mark.parametrize(
    ("settings", "ports"),
    [
        ("rateLimitStorage.url=redis://redis", [6379]),
        ("rateLimitStorage.url=rediss://user:word@redis:6380/0", [6380]),
        ("rateLimitStorage.url=redis://[::1]:6381", [6381]),
        ("rateLimitStorage.secretName=redis", [6379]),
        ("tracing.endpoint=http://collector:4318/path", [4318]),
        ("tracing.endpoint=https://collector", [443]),
        ("tracing.endpoint=http://collector", [80]),
        ("networkPolicy.egress[0].ports[0].port=9999", [9999]),
        ("tracing.endpoint=http://collector:4318,rateLimitStorage.url=redis://redis", [6379, 4318]),
    ],
)
def test_pods_reach_what_the_values_name(settings: str, ports: list[int]) -> None:
    assert _egress_ports(settings) == ports


@pytest.mark.parametrize("hosts", [[], ["names.example.org"], ["a.example.org", "b.example.org"]])
def test_an_ingress_leads_to_the_service(hosts: list[str]) -> None:
    options = ("--set", "ingress.enabled=true,ingress.path=/names", "--set-json", f"ingress.hosts={json.dumps(hosts)}")
    objects = render(*options)
    rules = pick(objects, "Ingress")["spec"]["rules"]
    assert [rule.get("host") for rule in rules] == (hosts or [None])
    for rule in rules:
        (path,) = rule["http"]["paths"]
        assert (path["path"], path["pathType"]) == ("/names", "Prefix")
        service = path["backend"]["service"]
        assert service["name"] == pick(objects, "Service")["metadata"]["name"]
        assert service["port"]["name"] in {port["name"] for port in pick(objects, "Service")["spec"]["ports"]}


def test_an_ingress_has_what_its_controller_needs() -> None:
    tls = '[{"secretName":"cert","hosts":["a.example.org"]}]'
    options = ("--set", "ingress.enabled=true,ingress.className=nginx", "--set-json", f"ingress.tls={tls}")
    found = pick(render(*options, "--set-json", 'ingress.annotations={"example.org/size":"50m"}'), "Ingress")
    assert found["spec"]["ingressClassName"] == "nginx"
    assert found["spec"]["tls"] == json.loads(tls)
    assert found["metadata"]["annotations"] == {"example.org/size": "50m"}


@pytest.mark.parametrize("prefix", ["/", "/names"])
def test_a_route_strips_its_prefix(prefix: str) -> None:
    gateway = "httpRoute.parentRefs[0].name=gateway"
    settings = (
        f"httpRoute.enabled=true,{gateway},httpRoute.pathPrefix={prefix}",
        "httpRoute.hostnames={a.example.org}",
    )
    objects = render_set(*settings)
    spec = pick(objects, "HTTPRoute")["spec"]
    assert spec["parentRefs"] == [{"name": "gateway"}]
    assert spec["hostnames"] == ["a.example.org"]
    (rule,) = spec["rules"]
    assert rule["matches"] == [{"path": {"type": "PathPrefix", "value": prefix}}]
    rewrite = {"path": {"type": "ReplacePrefixMatch", "replacePrefixMatch": "/"}}
    filters = [] if prefix == "/" else [{"type": "URLRewrite", "urlRewrite": rewrite}]
    assert rule.get("filters", []) == filters
    service = pick(objects, "Service")
    assert rule["backendRefs"] == [{"name": service["metadata"]["name"], "port": service["spec"]["ports"][0]["port"]}]


def test_prometheus_finds_the_service() -> None:
    settings = "serviceMonitor.enabled=true,serviceMonitor.labels.release=prometheus,serviceMonitor.interval=15s"
    objects = render("--set", settings, "--set-json", 'serviceMonitor.relabelings=[{"action":"labeldrop","regex":"x"}]')
    monitor, service = pick(objects, "ServiceMonitor"), pick(objects, "Service")
    assert monitor["metadata"]["labels"]["release"] == "prometheus"
    assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()
    (endpoint,) = monitor["spec"]["endpoints"]
    assert endpoint["port"] in {port["name"] for port in service["spec"]["ports"]}
    assert (endpoint["path"], endpoint["interval"]) == ("/metrics", "15s")
    assert endpoint["relabelings"] == [{"action": "labeldrop", "regex": "x"}]


def test_a_store_is_mounted_and_the_bundle_of_the_image_stands_in() -> None:
    objects = render_set("persistence.enabled=true,persistence.size=5Gi,persistence.storageClassName=nfs", values=PROD)
    claim = pick(objects, "PersistentVolumeClaim")
    assert claim["spec"] == {
        "accessModes": ["ReadWriteMany"],
        "storageClassName": "nfs",
        "resources": {"requests": {"storage": "5Gi"}},
    }
    assert claim["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    volume = next(volume for volume in pod_spec(objects)["volumes"] if volume["name"] == "store")
    assert volume["persistentVolumeClaim"] == {"claimName": claim["metadata"]["name"]}
    mount = next(mount for mount in container(objects)["volumeMounts"] if mount["name"] == "store")
    assert mount["readOnly"] is True
    names = environment(objects)
    assert names[f"{PREFIX}BUNDLE_DIR"] == mount["mountPath"]
    assert names[f"{PREFIX}FALLBACK_BUNDLE_DIR"] == "artifacts"


def test_a_claim_that_is_there_is_used() -> None:
    settings = "persistence.enabled=true,persistence.existingClaim=mine,persistence.subPath=store"
    objects = render_set(settings)
    assert "PersistentVolumeClaim" not in kinds(objects)
    (volume,) = (volume for volume in pod_spec(objects)["volumes"] if volume["name"] == "store")
    assert volume["persistentVolumeClaim"] == {"claimName": "mine"}
    (mount,) = (mount for mount in container(objects)["volumeMounts"] if mount["name"] == "store")
    assert mount["subPath"] == "store"


def test_a_claim_may_go_with_its_release() -> None:
    options = (
        "--set",
        "persistence.enabled=true,persistence.keep=false",
        "--set-json",
        'persistence.annotations={"a":"1"}',
    )
    assert pick(render(*options), "PersistentVolumeClaim")["metadata"]["annotations"] == {"a": "1"}


def test_one_pod_may_use_a_volume_of_one_node() -> None:
    assert render_set("persistence.enabled=true,persistence.accessModes={ReadWriteOnce},strategy.type=Recreate")


def test_extra_objects_are_templates_as_maps_and_as_text() -> None:
    text = "apiVersion: v1\nkind: Secret\nmetadata:\n  name: {{ .Release.Name }}-text\n"
    mapped = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": '{{ include "name-classifier.fullname" . }}'},
    }
    objects = render("--set-json", f"extraObjects={json.dumps([mapped, text])}")
    assert pick(objects, "ConfigMap")["metadata"]["name"] == "fastapi-ml-dev"
    assert pick(objects, "Secret")["metadata"]["name"] == "api-chart-text"


@pytest.mark.parametrize(
    ("version", "kind", "api_version"),
    [
        ("1.20", "HorizontalPodAutoscaler", "autoscaling/v2beta2"),
        ("1.23", "HorizontalPodAutoscaler", "autoscaling/v2"),
        ("1.20", "PodDisruptionBudget", "policy/v1beta1"),
        ("1.21", "PodDisruptionBudget", "policy/v1"),
        ("1.20", "Ingress", "networking.k8s.io/v1"),
        ("1.20", "CronJob", "batch/v1beta1"),
        ("1.21", "CronJob", "batch/v1"),
    ],
)
def test_an_object_is_of_a_version_that_the_cluster_knows(version: str, kind: str, api_version: str) -> None:
    switches = [word for part in EVERY_PART for word in ("--set", part)]
    objects = render("--values", PROD, "--kube-version", version, *switches)
    assert {found["apiVersion"] for found in objects if found["kind"] == kind} == {api_version}
