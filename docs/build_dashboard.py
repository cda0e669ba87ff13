"""Write the chart's dashboard for Grafana; with --check, only say whether it is stale. Run by `make docs`."""

import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

FILE = Path(__file__).parents[1] / "infra" / "chart_api" / "dashboards" / "name-classifier.json"
_SOURCE = {"type": "prometheus", "uid": "${datasource}"}
_N_COLUMNS, _WIDTH, _HEIGHT = 24, 8, 8
_JOB = 'namespace=~"$namespace", job=~"$job"'
_PROBES = "/livez|/readyz|/metrics|/v2/health/.*"
_SERVED = f'{_JOB}, route!~"{_PROBES}"'
_TIMED = f'{_JOB}, route!~"{_PROBES}|/v1/predict/(stream|file)"'
_WINDOWS = ("5m", "30m", "1h", "2h", "6h", "1d", "3d")


@dataclass(frozen=True)
class Panel:
    """A graph, or with `kind` stat the last value; `queries` are PromQL and the name of each series."""

    title: str
    queries: tuple[tuple[str, str], ...]
    unit: str = "short"
    kind: str = "timeseries"
    meaning: str = ""


def _rate(metric: str, labels: str = _JOB) -> str:
    return f"rate({metric}{{{labels}}}[$__rate_interval])"


def _quantile(share: float, metric: str, labels: str = _JOB, by: str = "le") -> str:
    return f"histogram_quantile({share}, sum by ({by}) ({_rate(f'{metric}_bucket', labels)}))"


def _of_budget(ratio: str, budget: str) -> tuple[tuple[str, str], ...]:
    """Return how fast each window uses up a budget of 30 days; 1 is as fast as time goes by."""
    return tuple(
        (f"name_classifier:{ratio}:rate{window}{{{_JOB}}} / name_classifier:{budget}:ratio{{{_JOB}}}", window)
        for window in _WINDOWS
    )


def _left(bad: str, every: str, budget: str) -> str:
    """Return what is left of a budget of 30 days, as a share."""
    means = [f"avg_over_time(name_classifier:{rate}:rate5m{{{_JOB}}}[30d])" for rate in (bad, every)]
    return f"1 - {' / '.join(means)} / name_classifier:{budget}:ratio{{{_JOB}}}"


_REQUESTS = f"sum({_rate('http_requests_total', _SERVED)})"
_ERRORS = f"""sum({_rate("http_requests_total", f'{_SERVED}, status=~"5.."')})"""
_REFUSED = f"""sum by (route, status) ({_rate("http_requests_total", f'{_SERVED}, status=~"[45].."')})"""
_SECONDS = f"sum by (route) ({_rate('http_request_duration_seconds_sum', _SERVED)})"
_COUNT = f"sum by (route) ({_rate('http_request_duration_seconds_count', _SERVED)})"
_P99 = _quantile(0.99, "http_request_duration_seconds", _SERVED, "le, route")
_NAMES = f"sum({_rate('predictions_total')})"
_LABELS = f"sum by (label) ({_rate('predictions_total')})"
_ABSTAINED = f"sum by (reason) ({_rate('abstentions_total')})"
_UNAVAILABLE = f"sum by (reason) ({_rate('http_requests_unavailable_total')})"
_RELOADS = f"sum by (outcome) (increase(model_reloads_total{{{_JOB}}}[1h]))"
_LOG_ERRORS = f"sum by (stage, error) ({_rate('request_log_errors_total')})"
_SHARES = (0.5, 0.9, 0.99)

ROWS: dict[str, tuple[Panel, ...]] = {
    "Traffic": (
        Panel(
            "Requests by route", ((f"sum by (route) ({_rate('http_requests_total', _SERVED)})", "{{route}}"),), "reqps"
        ),
        Panel(
            "Share of requests with a server error",
            ((f"({_ERRORS} or 0 * {_REQUESTS}) / {_REQUESTS}", "5xx"),),
            "percentunit",
            meaning="503 by load shedding counts; probes do not",
        ),
        Panel("99th percentile of duration by route", ((_P99, "{{route}}"),), "s", meaning="To the end of the answer"),
        Panel("Refusals and failures by route", ((_REFUSED, "{{status}} {{route}}"),), "reqps"),
        Panel(
            "Duration without streams",
            tuple(
                (_quantile(share, "http_request_duration_seconds", _TIMED), f"p{100 * share:.0f}") for share in _SHARES
            ),
            "s",
        ),
        Panel("Mean duration by route", ((f"{_SECONDS} / {_COUNT}", "{{route}}"),), "s"),
    ),
    "Saturation": (
        Panel("Requests in progress", ((f"http_requests_in_progress{{{_JOB}}}", "{{instance}}"),)),
        Panel("Requests answered 503, by reason", ((_UNAVAILABLE, "{{reason}}"),), "reqps"),
        Panel(
            "Connections and streams",
            (
                (f"http_connections_open{{{_JOB}}}", "{{instance}}"),
                (f"http_streams_in_progress{{{_JOB}}}", "{{instance}} streams"),
            ),
        ),
        Panel("CPU, in cores", ((_rate("process_cpu_seconds_total"), "{{instance}}"),)),
        Panel("Memory", ((f"process_resident_memory_bytes{{{_JOB}}}", "{{instance}}"),), "bytes"),
        Panel(
            "Share of open files",
            ((f"process_open_fds{{{_JOB}}} / process_max_fds{{{_JOB}}}", "{{instance}}"),),
            "percentunit",
            meaning="Connections are files; beyond the maximum, only probes are answered",
        ),
        Panel("Pods that are scraped", ((f"sum(up{{{_JOB}}})", "pods"),), kind="stat"),
        Panel(
            "Drops",
            (
                (f"sum({_rate('log_lines_dropped_total')})", "log lines"),
                (f"sum({_rate('rate_limit_errors_total')})", "charges without storage"),
            ),
        ),
    ),
    "Model": (
        Panel(
            "Most frequent labels",
            ((f"topk(10, {_LABELS} / scalar({_NAMES}))", "{{label}}"),),
            "percentunit",
            meaning="Share of the names that got a label",
        ),
        Panel("Abstentions by reason", ((f"{_ABSTAINED} / scalar({_NAMES})", "{{reason}}"),), "percentunit"),
        Panel(
            "Version", ((f"count by (version, architecture) (model_info{{{_JOB}}})", "{{version}} {{architecture}}"),)
        ),
        Panel("New bundles within 1 h", ((_RELOADS, "{{outcome}}"),)),
        Panel("Names", ((_NAMES, "names a second"),)),
        Panel(
            "Confidence",
            tuple((_quantile(share, "prediction_confidence"), f"p{100 * share:.0f}") for share in (0.1, 0.5)),
            "percentunit",
            meaning="Probability of the most probable label: half, or 9 of 10, of the names have more",
        ),
    ),
    "Request log": (
        Panel(
            "Rows",
            tuple((f"sum({_rate(f'request_log_rows_{what}_total')})", what) for what in ("written", "shipped")),
            meaning="A second",
        ),
        Panel("Rows in the outbox", ((f"request_log_outbox_rows{{{_JOB}}}", "{{instance}}"),)),
        Panel("Oldest row", ((f"request_log_outbox_oldest_row_age_seconds{{{_JOB}}}", "{{instance}}"),), "s"),
        Panel(
            "99th percentile of writing",
            tuple((_quantile(0.99, f"request_log_{what}_seconds"), what) for what in ("commit", "ship")),
            "s",
        ),
        Panel(
            "Losses within 1 h",
            tuple(
                (f"sum(increase(request_log_{what}_total{{{_JOB}}}[1h]))", what)
                for what in ("rows_lost", "rows_skipped", "rows_rejected", "requests_refused")
            ),
        ),
        Panel("Failed attempts", ((_LOG_ERRORS, "{{stage}} {{error}}"),)),
    ),
    "Error budget": (
        Panel(
            "Left of the budgets of 30 days",
            (
                (_left("errors", "requests", "error_budget"), "errors"),
                (_left("slow_requests", "timed_requests", "latency_budget"), "latency"),
            ),
            "percentunit",
            "stat",
        ),
        Panel(
            "Burn rate of the error budget", _of_budget("error_ratio", "error_budget"), meaning="1 lasts for 30 days"
        ),
        Panel(
            "Burn rate of the latency budget", _of_budget("slow_ratio", "latency_budget"), meaning="1 lasts for 30 days"
        ),
    ),
}


def main() -> None:
    """Write the dashboard, or exit with 1 if it is not what this file says."""
    text = json.dumps(dashboard(), indent=1) + "\n"
    stale = not FILE.exists() or FILE.read_text(encoding="utf-8") != text
    if "--check" in sys.argv:
        sys.exit(f"{FILE.name}: not what docs/build_dashboard.py says; run `make docs`" if stale else 0)
    FILE.write_text(text, encoding="utf-8")


def dashboard() -> dict[str, Any]:
    """Return the dashboard as Grafana imports it."""
    return {
        "uid": "name-classifier",
        "title": "Name classifier",
        "tags": ["name-classifier"],
        "schemaVersion": 39,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": _variables()},
        "panels": [{"id": number} | panel for number, panel in enumerate(_panels(), 1)],
    }


def _variables() -> list[dict[str, Any]]:
    """Return what a reader chooses: Prometheus, a namespace, which may be none, and a release."""
    source = {"name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus"}
    choices = [
        {
            "name": name,
            "label": label,
            "type": "query",
            "datasource": _SOURCE,
            "query": query,
            "refresh": 2,
            "includeAll": True,
            "allValue": ".*",
            "current": {"text": "All", "value": "$__all"},
        }
        for name, label, query in (
            ("namespace", "Namespace", "label_values(model_info, namespace)"),
            ("job", "Release", 'label_values(model_info{namespace=~"$namespace"}, job)'),
        )
    ]
    return [source, *choices]


def _panels() -> Iterator[dict[str, Any]]:
    y = 0
    for title, panels in ROWS.items():
        yield {"type": "row", "title": title, "collapsed": False, "panels": [], "gridPos": _at(0, y, _N_COLUMNS, 1)}
        y += 1
        for number, panel in enumerate(panels):
            row, column = divmod(number, _N_COLUMNS // _WIDTH)
            yield _panel(panel) | {"gridPos": _at(column * _WIDTH, y + row * _HEIGHT, _WIDTH, _HEIGHT)}
        y += _HEIGHT * -(-len(panels) * _WIDTH // _N_COLUMNS)


def _at(x: int, y: int, width: int, height: int) -> dict[str, int]:
    return {"x": x, "y": y, "w": width, "h": height}


def _panel(panel: Panel) -> dict[str, Any]:
    targets = [
        {"refId": chr(ord("A") + number), "datasource": _SOURCE, "expr": query, "legendFormat": legend}
        for number, (query, legend) in enumerate(panel.queries)
    ]
    return {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.meaning,
        "datasource": _SOURCE,
        "fieldConfig": {
            "defaults": {"unit": panel.unit, "min": 0 if panel.kind == "timeseries" else None},
            "overrides": [],
        },
        "targets": targets,
    }


if __name__ == "__main__":
    main()
