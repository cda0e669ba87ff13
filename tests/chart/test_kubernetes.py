"""Every object fits the schemas of the oldest and the newest Kubernetes that can be checked."""

import json
from functools import cache
from itertools import combinations
from pathlib import Path

import kubernetes_validate
import pytest
from jsonschema import Draft7Validator

from tests.chart.rendering import EVERY_PART, OVERLAYS, PROD, SWITCHES, Object, render, render_set

OLDEST, NEWEST = "1.25", "1.37"
VERSIONS = (OLDEST, NEWEST)
SCHEMAS = Path(__file__).parent / "schemas"
STRINGS_LIKE_NUMBERS = {
    "commonLabels": {"number": "123", "power": "1e5", "truth": "yes"},
    "podLabels": {"more": "0x10"},
    "podAnnotations": {"example.org/null": "null"},
    "nodeSelector": {"disk": "1"},
    "service": {"annotations": {"example.org/truth": "true"}, "loadBalancerSourceRanges": ["10.0.0.0/8"]},
    "serviceAccount": {"name": "123", "annotations": {"example.org/date": "2026-01-01"}},
    "apiKeys": {"secretName": 12345},
    "rateLimitStorage": {"secretName": "1e5"},
    "priorityClassName": 7,
    "imagePullSecrets": [{"name": "123"}],
    "persistence": {"existingClaim": 123},
    "requestLog": {"hashKeysSecretName": 1, "databaseUrlSecretName": "1e5"},
    "ingress": {"className": "1", "hosts": ["123"], "annotations": {"example.org/off": "off"}},
    "httpRoute": {"hostnames": ["1e5"], "parentRefs": [{"name": "123"}], "annotations": {"example.org/no": "no"}},
    "serviceMonitor": {"labels": {"release": "1"}},
    "prometheusRule": {"labels": {"release": "1"}},
    "dashboard": {"label": "123", "annotations": {"grafana_folder": "123"}},
    "networkPolicy": {"allowedNamespaces": ["123", "true"]},
    "test": {"apiKeySecretName": 1},
    "extraEnv": [{"name": "NAME_CLASSIFIER_MAX_STREAMS", "value": "32"}],
}


def check(objects: tuple[Object, ...], version: str) -> None:
    """Raise ValidationError if an object has a field that Kubernetes does not know, or one of another type."""
    for found in objects:
        _check(json.dumps(found), version)


@cache
def _check(text: str, version: str) -> None:
    found = json.loads(text)
    schema = SCHEMAS / f"{found['kind'].lower()}.json"
    if schema.exists():
        Draft7Validator(json.loads(schema.read_text(encoding="utf-8"))).validate(found)
    else:
        kubernetes_validate.validate(found, version, strict=True)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("overlay", OVERLAYS)
@pytest.mark.parametrize("release", ["api-chart", "123", "1e5"])
def test_every_object_fits(overlay: str, version: str, release: str) -> None:
    objects = render("--values", overlay, "--kube-version", version, release=release)
    assert len(objects) >= 4
    check(objects, version)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize(("first", "second"), [*combinations(SWITCHES, 2)])
def test_every_pair_of_parts_fits(first: str, second: str, version: str) -> None:
    others = [f"{part}.enabled=false" for part in SWITCHES if part not in {first, second} and "." not in part]
    settings = [*others, SWITCHES[first], SWITCHES[second]]
    options = [word for setting in settings for word in ("--set", setting)]
    check(render("--values", PROD, "--kube-version", version, *options), version)


@pytest.mark.parametrize("version", VERSIONS)
def test_strings_that_look_like_something_else_stay_strings(version: str) -> None:
    options = [
        word for key, value in STRINGS_LIKE_NUMBERS.items() for word in ("--set-json", f"{key}={json.dumps(value)}")
    ]
    switches = [word for switch in EVERY_PART for word in ("--set", switch)]
    objects = render(*options, *switches, "--kube-version", version, release="1e5")
    assert len(objects) >= 10
    check(objects, version)


def test_a_mistake_in_a_template_would_be_found() -> None:
    (deployment,) = (found for found in render_set() if found["kind"] == "Deployment")
    broken = deployment | {"spec": deployment["spec"] | {"replicaz": 1}}
    with pytest.raises(kubernetes_validate.ValidationError):
        check((broken,), NEWEST)
