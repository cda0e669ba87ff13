"""Each alert fires once when it should, alone, and none in a normal week; each has a runbook."""

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from tests.monitoring.scenarios import (
    DAY,
    HOUR,
    IN_PROGRESS,
    OK,
    READY,
    SCENARIOS,
    STARTED,
    UNAVAILABLE,
    Scenario,
    normal_week,
    write,
)

ROOT = Path(__file__).parents[2]
RULES = ROOT / "infra" / "chart_api" / "rules" / "name-classifier.yaml"
RUNBOOKS = ROOT / "docs" / "runbooks"
GROUPS = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
ALERTS = {rule["alert"]: rule for group in GROUPS for rule in group["rules"] if "alert" in rule}
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool is not on PATH: no alert is tried")

Firing = Mapping[str, str]
"""Alerts and their severities."""


def _check(
    series: Mapping[str, str], expected: Mapping[tuple[str, int], Firing], folder: Path, step: float = 0.5
) -> None:
    """Let promtool evaluate the rules over the series; `expected` is what a query of alerts gives at a minute."""
    interval = f"{step * 60:.0f}s"
    queries = [
        {
            "expr": expr,
            "eval_time": f"{minute}m",
            "exp_samples": [
                {"labels": f'{{alertname="{alert}", severity="{severity}"}}', "value": 1}
                for alert, severity in firing.items()
            ],
        }
        for (expr, minute), firing in expected.items()
    ]
    inputs = [{"series": name, "values": values} for name, values in series.items()]
    case = {"interval": interval, "input_series": inputs, "promql_expr_test": queries}
    tests = {"rule_files": [str(RULES)], "evaluation_interval": interval, "tests": [case]}
    (folder / "tests.json").write_text(json.dumps(tests), encoding="utf-8")
    command = [str(PROMTOOL), "test", "rules", "tests.json"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr


NOW = 'count by (alertname, severity) (ALERTS{alertstate="firing"})'
SO_FAR = 'count by (alertname, severity) (count_over_time(ALERTS{alertstate="firing"}[8d]))'
ONSETS = """sum by (alertname, severity) (
  1 + changes(ALERTS_FOR_STATE[8d])
  and on (alertname) count_over_time(ALERTS{alertstate="firing"}[8d])
)"""


@needs_promtool
@pytest.mark.parametrize("scenario", SCENARIOS.values(), ids=list(SCENARIOS))
def test_an_alert_fires_once_and_alone(scenario: Scenario, tmp_path: Path) -> None:
    alone = {scenario.alert: scenario.severity}
    ever = alone | dict.fromkeys(scenario.follows, "ticket")
    expected = {
        (SO_FAR, scenario.start): {},
        (NOW, scenario.fires): alone,
        (NOW, scenario.end): dict.fromkeys(scenario.follows, "ticket"),
        (SO_FAR, scenario.end): ever,
        (ONSETS, scenario.end): ever,
    }
    _check(scenario.series(), expected, tmp_path, scenario.step)


def test_every_alert_has_a_scenario() -> None:
    assert {scenario.alert for scenario in SCENARIOS.values()} == set(ALERTS)


@needs_promtool
def test_the_first_errors_ever_page_within_3_minutes(tmp_path: Path) -> None:
    start, end = 6 * HOUR, 6 * HOUR + 3
    series = write({OK: ((600, start), (0, 3)), UNAVAILABLE: ((None, start), (600, 3))}, end, 0.5)
    _check(series, {(SO_FAR, start): {}, (NOW, end): {"NameClassifierErrorBudgetFastBurn": "page"}}, tmp_path)


@needs_promtool
def test_dead_pods_page_within_3_minutes(tmp_path: Path) -> None:
    end = HOUR + 3
    every = write({IN_PROGRESS: ((2, HOUR), (None, 3)), READY: ((2, HOUR), (0, 3))}, end, 0.5)
    series = {name: values for name, values in every.items() if name.startswith("kube_") or name == IN_PROGRESS}
    pages = {"NameClassifierNoReadyPod": "page", "NameClassifierMetricsAbsent": "page"}
    _check(series, {(SO_FAR, HOUR): {}, (NOW, end): pages}, tmp_path)


@needs_promtool
def test_restarts_are_seen_without_kube_state_metrics(tmp_path: Path) -> None:
    end = HOUR + 5
    starts = ((1.7e9, HOUR), (1.7e9 + 1, 0.5), (1.7e9 + 2, 0.5), (1.7e9 + 3, 4))
    series = write({STARTED: starts}, end, 0.5)
    alone = {name: values for name, values in series.items() if not name.startswith("kube_")}
    _check(alone, {(SO_FAR, HOUR): {}, (NOW, end): {"NameClassifierRestarts": "ticket"}}, tmp_path)


@needs_promtool
def test_nothing_fires_in_a_normal_week(tmp_path: Path) -> None:
    _check(write(normal_week(), 7 * DAY, 4), {(SO_FAR, 7 * DAY): {}}, tmp_path, step=4)
