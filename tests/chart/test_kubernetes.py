"""Every object fits the schemas of the oldest and the newest Kubernetes that can be checked."""

import json
from functools import cache

import kubernetes_validate
import pytest

from tests.chart.rendering import OVERLAYS, Object, render

OLDEST, NEWEST = "1.25", "1.37"
VERSIONS = (OLDEST, NEWEST)


def check(objects: tuple[Object, ...], version: str) -> None:
    """Raise ValidationError if an object has a field that Kubernetes does not know, or one of another type."""
    for found in objects:
        _check(json.dumps(found), version)


@cache
def _check(text: str, version: str) -> None:
    kubernetes_validate.validate(json.loads(text), version, strict=True)


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("overlay", OVERLAYS)
@pytest.mark.parametrize("release", ["api-chart", "123", "1e5"])
def test_every_object_fits(overlay: str, version: str, release: str) -> None:
    objects = render("--values", overlay, "--kube-version", version, release=release)
    assert len(objects) >= 4
    check(objects, version)
