"""The rules and the dashboard that the chart hands to Prometheus and Grafana."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.chart.rendering import CHART, PROD, Object, pick, render

RULES = (CHART / "rules" / "name-classifier.yaml").read_text(encoding="utf-8")
OBJECTIVES = "prometheusRule.objectives"


def _rules(*settings: str, release: str = "api-chart") -> dict[str, Object]:
    options = [word for setting in ("prometheusRule.enabled=true", *settings) for word in ("--set", setting)]
    objects = render("--values", PROD, "--namespace", "names", *options, release=release)
    (group,) = pick(objects, "PrometheusRule")["spec"]["groups"]
    return {rule.get("record") or rule["alert"]: rule for rule in group["rules"]}


def _file() -> dict[str, Object]:
    (group,) = yaml.safe_load(RULES)["groups"]
    return {rule.get("record") or rule["alert"]: rule for rule in group["rules"]}


def _without_names(rule: Any) -> str:
    """Return a rule as text, in which the names of a release are those of the file."""
    text = json.dumps(rule, sort_keys=True).replace('\\"', "'").replace("fastapi-svc-prod", "name-classifier")
    text = text.replace("fastapi-ml-prod", "name-classifier").replace("namespace='names', ", "")
    return text.replace(', "namespace": "names"', "")


def test_by_default_the_rules_are_those_of_the_file() -> None:
    assert {name: _without_names(rule) for name, rule in _rules().items()} == {
        name: _without_names(rule) for name, rule in _file().items()
    }


@pytest.mark.skipif(shutil.which("promtool") is None, reason="promtool is not on PATH")
def test_prometheus_takes_the_rules(tmp_path: Path) -> None:
    rules = [*_rules(f"{OBJECTIVES}.availability=0.9999").values()]
    (tmp_path / "rules.yaml").write_text(
        yaml.safe_dump({"groups": [{"name": "rules", "rules": rules}]}), encoding="utf-8"
    )
    subprocess.run(["promtool", "check", "rules", "rules.yaml"], cwd=tmp_path, check=True)


def test_rules_look_at_no_other_release() -> None:
    rules = _rules(release="shop")
    recorded = {name for name in rules if ":" in name}
    for name, rule in rules.items():
        selectors = re.findall(r"([\w:]+)\{([^}]*)\}", rule["expr"])
        assert selectors or name in recorded
        for metric, labels in selectors:
            whose = "shop-name-classifier"
            assert 'namespace="names"' in labels, (name, metric)
            its = (f'job="{whose}"', f'deployment="{whose}"', f'pod=~"{whose}-', f'job_name=~"{whose}-training-')
            assert any(selector in labels for selector in its), (name, metric)
        if name not in recorded:
            assert rule["labels"]["job"] == "shop-name-classifier"


def test_objectives_are_values() -> None:
    # each value is the default of another, so that one replacement must not catch what another wrote
    settings = {"availability": 0.99, "latency": 0.999, "latencySeconds": 0.05, "meanLatencySeconds": 0.1}
    rules = _rules(*(f"{OBJECTIVES}.{name}={value}" for name, value in settings.items()))
    assert rules["name_classifier:error_budget:ratio"]["expr"] == "vector(1 - 0.99)"
    assert rules["name_classifier:latency_budget:ratio"]["expr"] == "vector(1 - 0.999)"
    assert rules["name_classifier:mean_latency_bound:seconds"]["expr"] == "vector(0.1)"
    assert 'le="0.05"' in rules["name_classifier:slow_requests:rate5m"]["expr"]


def test_runbooks_are_where_they_are_published() -> None:
    rules = _rules("prometheusRule.runbooksUrl=https://wiki.example.org/runbooks/")
    links = {name: rule["annotations"]["runbook_url"] for name, rule in rules.items() if "alert" in rule}
    assert links == {name: f"https://wiki.example.org/runbooks/{name}.md" for name in links}


def test_grafana_finds_the_dashboard() -> None:
    settings = "dashboard.enabled=true,dashboard.label=grafana,dashboard.annotations.grafana_folder=Names"
    found = pick(render("--set", settings), "ConfigMap")
    assert found["metadata"]["labels"]["grafana"] == "1"
    assert found["metadata"]["annotations"] == {"grafana_folder": "Names"}
    ((name, text),) = found["data"].items()
    assert json.loads(text) == json.loads((CHART / "dashboards" / name).read_text(encoding="utf-8"))
