"""Rules and dashboard name metrics that there are; an alert says what it means, and its runbook what to do."""

import json
import re
import subprocess
from pathlib import Path

import pytest
import yaml

from api.main import routers
from api.routes.traits import RoutePaths, traits_of
from api.settings import Settings
from tests.monitoring.test_alerts import ALERTS, GROUPS, ROOT

RUNBOOKS = ROOT / "docs" / "runbooks"
DASHBOARD = ROOT / "infra" / "chart_api" / "dashboards" / "name-classifier.json"
RECORDED = {rule["record"] for group in GROUPS for rule in group["rules"] if "record" in rule}
SECTIONS = ["Meaning", "Impact", "First commands", "Fixes"]
_SELECTED = r"([a-zA-Z_:][\w:]*)\{"


def _expressions() -> list[str]:
    rules = [rule["expr"] for group in GROUPS for rule in group["rules"]]
    panels = json.loads(DASHBOARD.read_text(encoding="utf-8"))["panels"]
    return rules + [target["expr"] for panel in panels for target in panel.get("targets", [])]


def _documented() -> set[str]:
    """Return the metrics of docs/metrics.md by the names that Prometheus stores."""
    rows = re.findall(
        r"^\| `(\w+)` \| (\w+) ", (ROOT / "docs" / "metrics.md").read_text(encoding="utf-8"), re.MULTILINE
    )
    suffixes = {"histogram": ("_bucket", "_count", "_sum")}
    return {f"{name}{suffix}" for name, kind in rows for suffix in suffixes.get(kind, ("",))}


def test_every_metric_is_documented() -> None:
    elsewhere = re.compile("kube_|process_|up$")  # kube-state-metrics, and the family that docs/metrics.md names
    metrics = {name for expr in _expressions() for name in re.findall(_SELECTED, expr)}
    assert {name for name in metrics - RECORDED if not elsewhere.match(name)} <= _documented()


def test_the_objectives_leave_out_probes_and_latency_streams_too() -> None:
    traits = traits_of(routers(Settings()))
    paths = RoutePaths.of(traits)
    patterns = {pattern for expr in _expressions() for pattern in re.findall(r'route!~"([^"]*)"', expr)}
    left_out = [{path for path in traits if re.fullmatch(pattern, path)} for pattern in sorted(patterns, key=len)]
    assert left_out == [paths.probe, paths.probe | paths.stream]


@pytest.mark.parametrize("alert", ALERTS.values(), ids=list(ALERTS))
def test_an_alert_says_what_it_means(alert: dict[str, dict[str, str]]) -> None:
    assert alert["for"]
    assert alert["labels"]["severity"] in {"page", "ticket"}
    assert set(alert["annotations"]) == {"summary", "description", "runbook_url"}
    assert alert["annotations"]["runbook_url"].endswith(f"/docs/runbooks/{alert['alert']}.md")


def test_every_alert_has_a_runbook_and_every_runbook_an_alert() -> None:
    assert {path.stem for path in RUNBOOKS.iterdir()} == set(ALERTS)


@pytest.mark.parametrize("page", sorted(RUNBOOKS.iterdir()), ids=lambda page: page.stem)
def test_a_runbook_begins_with_three_commands(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert text.startswith(f"# {page.stem}\n")
    assert re.findall(r"^## (.*)", text, re.MULTILINE) == SECTIONS
    (block,) = re.findall(r"```sh\n(.*?)```", text, re.DOTALL)
    assert len(block.splitlines()) == 3
    subprocess.run(["bash", "-n"], input=block, text=True, check=True)
    for target in re.findall(r"\]\(([^)]+)\)", text):
        assert (page.parent / target).exists(), target


def test_values_that_runbooks_name_exist() -> None:
    values = yaml.safe_load((ROOT / "infra" / "chart_api" / "values.yaml").read_text(encoding="utf-8"))
    for page in RUNBOOKS.iterdir():
        for path in re.findall(r"`([a-z]\w*(?:\.\w+)+)(?:: \w+)?`", page.read_text(encoding="utf-8")):
            found = values
            for key in path.split("."):
                assert key in found, f"{page.stem}: {path}"
                found = found[key]
