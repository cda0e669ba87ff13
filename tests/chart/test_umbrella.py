"""The chart as a dependency of another: global, condition, tags, alias, and values that go away."""

import shutil
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart.rendering import CHART, Object, container, helm, pick, pod_spec, render

DEPENDENCY = {"name": "name-classifier", "version": "0.1.0"}


@pytest.fixture
def umbrella(tmp_path: Path) -> Path:
    shutil.copytree(CHART, tmp_path / "charts" / "name-classifier")
    return tmp_path


def _render(umbrella: Path, dependencies: list[dict[str, Any]], values: Object) -> tuple[Object, ...]:
    chart = {"apiVersion": "v2", "name": "umbrella", "version": "1.0.0", "dependencies": dependencies}
    (umbrella / "Chart.yaml").write_text(yaml.safe_dump(chart), encoding="utf-8")
    (umbrella / "values.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    return render(release="shop", chart=umbrella)


def test_global_values_pass(umbrella: Path) -> None:
    objects = _render(umbrella, [DEPENDENCY], {"global": {"imageRegistry": "example.org"}})
    assert pick(objects, "Deployment")["metadata"]["name"] == "shop-name-classifier"


@pytest.mark.parametrize("enabled", [True, False])
@pytest.mark.parametrize("switch", ["condition", "tags"])
def test_the_parent_switches_it_on_and_off(umbrella: Path, switch: str, *, enabled: bool) -> None:
    how = {"condition": "name-classifier.enabled"} if switch == "condition" else {"tags": ["names"]}
    values = {"name-classifier": {"enabled": enabled}} if switch == "condition" else {"tags": {"names": enabled}}
    assert bool(_render(umbrella, [DEPENDENCY | how], values)) == enabled


def test_aliases_stand_side_by_side(umbrella: Path) -> None:
    aliases = ("eu", "classifierUs", "rest_of_world")
    dependencies = [DEPENDENCY | {"alias": alias, "condition": f"{alias}.enabled"} for alias in aliases]
    objects = _render(umbrella, dependencies, {"eu": {"enabled": True, "replicas": 2}})
    deployments = [found for found in objects if found["kind"] == "Deployment"]
    assert {found["metadata"]["name"] for found in deployments} == {
        "shop-eu",
        "shop-classifierus",
        "shop-rest-of-world",
    }
    assert len({str(found["spec"]["selector"]) for found in deployments}) == len(aliases)
    names = [(found["kind"], found["metadata"]["name"]) for found in objects]
    assert len(names) == len(set(names))


def test_a_parent_can_take_values_away(umbrella: Path) -> None:
    """By an empty string: Helm 4 does not pass on a null in the values.yaml of a parent."""
    values = {"replicas": "", "resources": {"limits": {"cpu": ""}}, "podSecurityContext": {"runAsUser": ""}}
    objects = _render(umbrella, [DEPENDENCY], {"name-classifier": values})
    assert "replicas" not in pick(objects, "Deployment")["spec"]
    assert "cpu" not in container(objects)["resources"]["limits"]
    assert "runAsUser" not in pod_spec(objects)["securityContext"]


def test_a_parent_s_mistake_is_refused(umbrella: Path) -> None:
    _render(umbrella, [DEPENDENCY], {})
    done = helm("template", "shop", ".", "--set", "name-classifier.replica=2", chart=umbrella)
    assert done.returncode != 0
    assert "replica" in done.stderr
