"""The README's names stay, and no two releases share one."""

import re
from itertools import combinations

import pytest

from tests.chart.rendering import EVERY_PART, OVERLAYS, PROD, Object, kinds, pick, pods, render, render_set

NAME = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")  # what a Service may be called
LONGEST = "a" * 52
RELEASES = ("api-chart", "web", "123", "1e5", f"{LONGEST}b", f"{LONGEST}c", "name-classifier", "a.b")


def _names(objects: tuple[Object, ...]) -> set[tuple[str, str]]:
    return {(found["kind"], found["metadata"]["name"]) for found in objects}


@pytest.mark.parametrize(("environment", "service_type"), [("dev", "LoadBalancer"), ("prod", "ClusterIP")])
def test_the_readme_s_names(environment: str, service_type: str) -> None:
    objects = render("--values", f"values.{environment}.yaml")
    assert pick(objects, "Deployment")["metadata"]["name"] == f"fastapi-ml-{environment}"
    assert pick(objects, "Service")["metadata"]["name"] == f"fastapi-svc-{environment}"
    assert pick(objects, "Service")["spec"]["type"] == service_type


@pytest.mark.parametrize("overlay", [None, *OVERLAYS])
def test_releases_share_no_name(overlay: str | None) -> None:
    rendered = [_names(render_set(*EVERY_PART, values=overlay, release=release)) for release in RELEASES]
    assert not [pair for pair in combinations(rendered, 2) if pair[0] & pair[1]]


def test_names_that_are_cut_off_differ_still() -> None:
    first, second = (_names(render_set(f"nameOverride=classifier-{last}", release=LONGEST)) for last in ("one", "two"))
    assert not first & second


@pytest.mark.parametrize("release", RELEASES)
def test_every_name_and_label_is_a_string_that_kubernetes_takes(release: str) -> None:
    objects = render_set(*EVERY_PART, values=PROD, release=release)
    assert NAME.fullmatch(pick(objects, "Service")["metadata"]["name"])
    assert NAME.fullmatch(pick(objects, "Deployment")["metadata"]["name"])
    for metadata in [found["metadata"] for found in objects] + [pod["metadata"] for pod in pods(objects)]:
        assert all(isinstance(value, str) and len(value) <= 63 for value in metadata["labels"].values())
        assert metadata["labels"]["app.kubernetes.io/instance"] == release


@pytest.mark.parametrize("release", RELEASES)
def test_a_service_selects_the_serving_pods_of_its_release_only(release: str) -> None:
    objects = render_set(values=PROD, release=release)
    selector = pick(objects, "Service")["spec"]["selector"].items()
    serving, testing = (pod["metadata"]["labels"].items() for pod in pods(objects))
    assert selector <= serving
    assert not selector <= testing
    assert pick(objects, "Deployment")["spec"]["selector"]["matchLabels"].items() == selector
    assert pick(objects, "PodDisruptionBudget")["spec"]["selector"]["matchLabels"].items() == selector


@pytest.mark.parametrize(
    ("settings", "deployment", "service"),
    [
        ("nameOverride=names", "api-chart-names", "api-chart-names"),
        ("fullnameOverride=names", "names", "names"),
        ("service.name=names", "fastapi-ml-dev", "names"),
        ("fullnameOverride=names,service.name=names-http", "names", "names-http"),
        ("environment=staging", "fastapi-ml-staging", "fastapi-svc-staging"),
    ],
)
def test_names_can_be_chosen(settings: str, deployment: str, service: str) -> None:
    objects = render_set(settings)
    assert pick(objects, "Deployment")["metadata"]["name"] == deployment
    assert pick(objects, "Service")["metadata"]["name"] == service
    (test,) = pick(objects, "Pod", hook="-test")["spec"]["containers"]
    assert {"name": "SERVICE", "value": f"http://{service}:80"} in test["env"]


@pytest.mark.parametrize(
    ("settings", "account"),
    [
        ("serviceAccount.create=true", "fastapi-ml-dev"),
        ("serviceAccount.name=mine", "mine"),
        ("serviceAccount.create=false,serviceAccount.name=mine", "mine"),
        ("serviceAccount.create=false", "default"),
    ],
)
def test_the_service_account(settings: str, account: str) -> None:
    objects = render_set(settings)
    assert pick(objects, "Deployment")["spec"]["template"]["spec"]["serviceAccountName"] == account
    assert ("ServiceAccount" in kinds(objects)) == ("create=false" not in settings)


def test_the_version_label_follows_the_tag_within_its_limit() -> None:
    labels = pick(render_set(f"image.tag=1.2-{'x' * 58}.z"), "Deployment")["metadata"]["labels"]
    assert labels["app.kubernetes.io/version"] == f"1.2-{'x' * 58}"


def test_common_labels_are_on_every_object_and_pod() -> None:
    objects = render_set(*EVERY_PART, "commonLabels.team=names", "podLabels.tier=serving", values=PROD)
    for metadata in [found["metadata"] for found in objects] + [pod["metadata"] for pod in pods(objects)]:
        assert metadata["labels"]["team"] == "names"
    assert [pod["metadata"]["labels"].get("tier") for pod in pods(objects)] == ["serving", None, None, None]


def test_every_object_says_its_namespace() -> None:
    objects = render("--namespace", "names", *(word for part in EVERY_PART for word in ("--set", part)))
    assert {found["metadata"]["namespace"] for found in objects} == {"names"}
