"""What Prometheus scrapes from the service, healthy or in trouble, in promtool's notation."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

HOUR, DAY = 60, 1440
"""Durations are in minutes."""

JOB = 'job="name-classifier"'
ROUTE = f'{JOB}, route="/v1/predict"'
DEPLOYMENT = 'namespace="names", deployment="name-classifier"'
POD = 'namespace="names", pod="name-classifier-7d9c5b-x2x9z", container="api"'

OK = f'http_requests_total{{{ROUTE}, status="200"}}'
UNAVAILABLE = f'http_requests_total{{{ROUTE}, status="503"}}'
FAST = f'http_request_duration_seconds_bucket{{{ROUTE}, le="0.1"}}'
COUNT = f"http_request_duration_seconds_count{{{ROUTE}}}"
SECONDS = f"http_request_duration_seconds_sum{{{ROUTE}}}"
IN_PROGRESS = f"http_requests_in_progress{{{JOB}}}"
STARTED = f"process_start_time_seconds{{{JOB}}}"
READY = f"kube_deployment_status_replicas_ready{{{DEPLOYMENT}}}"
WANTED = f"kube_deployment_spec_replicas{{{DEPLOYMENT}}}"
RESTARTS = f"kube_pod_container_status_restarts_total{{{POD}}}"
MODEL_REFUSED = f"model_bundle_refused{{{JOB}}}"
KEYS_LOADED = f'api_key_reloads_total{{{JOB}, outcome="loaded"}}'
KEYS_REFUSED = f'api_key_reloads_total{{{JOB}, outcome="refused"}}'
COMMIT_FAILING = f'request_log_failing{{{JOB}, stage="commit"}}'
SHIP_FAILING = f'request_log_failing{{{JOB}, stage="ship"}}'
OUTBOX_ROWS = f"request_log_outbox_rows{{{JOB}}}"
OUTBOX_AGE = f"request_log_outbox_oldest_row_age_seconds{{{JOB}}}"
LOST = f"request_log_rows_lost_total{{{JOB}}}"
SKIPPED = f"request_log_rows_skipped_total{{{JOB}}}"
REJECTED = f"request_log_rows_rejected_total{{{JOB}}}"
LIMIT_ERRORS = f"rate_limit_errors_total{{{JOB}}}"
TRAINED = 'kube_job_status_completion_time{namespace="names", job_name="name-classifier-training-28000000"}'
TRAINING = 'kube_job_status_start_time{namespace="names", job_name="name-classifier-training-28001440"}'
TRAINING_FAILED = 'kube_job_failed{namespace="names", job_name="name-classifier-training-28001440", condition="true"}'
PREDICTIONS = f'predictions_total{{{JOB}, label="Polish"}}'
ABSTENTIONS = f'abstentions_total{{{JOB}, reason="unfamiliar"}}'

Stretch = tuple[float | None, float]
"""A counter's growth a minute, or a gauge's value, or None for no sample; for how many minutes."""

# As on a quiet day: 2 of 10,000 requests fail, 2 of 1,000 are slow, the model abstains on 2 of 100 names.
_COUNTERS = {
    OK: 600.0,
    UNAVAILABLE: 0.12,
    FAST: 598.92,
    COUNT: 600.12,
    SECONDS: 3,
    PREDICTIONS: 600,
    ABSTENTIONS: 12,
    **dict.fromkeys((KEYS_LOADED, KEYS_REFUSED, RESTARTS), 0),
    **dict.fromkeys((LOST, SKIPPED, REJECTED, LIMIT_ERRORS), 0),
}
_GAUGES = dict.fromkeys((COMMIT_FAILING, SHIP_FAILING, MODEL_REFUSED), 0.0) | {
    IN_PROGRESS: 2,
    STARTED: 1.7e9,
    READY: 2,
    WANTED: 2,
    OUTBOX_ROWS: 40,
    OUTBOX_AGE: 0.5,
    TRAINED: 1.7e9,
    TRAINING: 1.7e9 + 86_400,
    TRAINING_FAILED: 0,
}
_TRAFFIC = (OK, UNAVAILABLE, FAST, COUNT, SECONDS, PREDICTIONS, ABSTENTIONS)


@dataclass(frozen=True)
class Scenario:
    """Trouble begins at `start`: the alert fires by `fires`, alone, and has ended by `end`, in minutes."""

    alert: str
    severity: str
    start: int
    fires: int
    end: int
    changed: Mapping[str, tuple[Stretch, ...]]
    step: float
    """Time between two scrapes, and between two evaluations; longer where days have to pass."""
    follows: frozenset[str] = frozenset()
    """Alerts that are due later, before the end."""

    def series(self) -> dict[str, str]:
        """Return all series in promtool's notation."""
        return write(self.changed, self.end, self.step)


def write(changed: Mapping[str, tuple[Stretch, ...]], minutes: int, step: float) -> dict[str, str]:
    """Return the series of a healthy service in promtool's notation, but for what is changed."""
    stretches = {name: ((value, minutes),) for name, value in (_COUNTERS | _GAUGES).items()} | dict(changed)
    return {name: (_counter if name in _COUNTERS else _gauge)(parts, step) for name, parts in stretches.items()}


def _counter(stretches: Sequence[Stretch], step: float) -> str:
    total, parts = 0.0, ["_" if stretches[0][0] is None else "0"]
    for growth, minutes in stretches:
        n_steps, by = round(minutes / step), (growth or 0) * step
        parts.append(f"_x{n_steps}" if growth is None else f"{total + by:.12g}+{by:.12g}x{n_steps - 1}")
        total += by * n_steps
    return " ".join(parts)


def _gauge(stretches: Sequence[Stretch], step: float) -> str:
    parts = [f"{stretches[0][0]:.12g}"]
    for value, minutes in stretches:
        n_steps = round(minutes / step)
        parts.append(f"stale _x{n_steps - 1}" if value is None else f"{value:.12g}+0x{n_steps - 1}")
    return " ".join(parts)


def normal_week() -> dict[str, tuple[Stretch, ...]]:
    """Return what changes in seven days with a tenth of the traffic at night and a new version every morning."""
    day_and_night = {name: ((_COUNTERS[name], DAY / 2), (_COUNTERS[name] / 10, DAY / 2)) * 7 for name in _TRAFFIC}
    slow = ((120, 2 * HOUR), (_COUNTERS[SECONDS], DAY / 2 - 2 * HOUR))  # 0.2 s a request
    return day_and_night | {
        SECONDS: (*day_and_night[SECONDS][:6], *slow, *day_and_night[SECONDS][7:]),
        STARTED: tuple((1.7e9 + 86_400 * day, DAY) for day in range(7)),
        READY: ((2, DAY - 4), (1, 4)) * 7,
        RESTARTS: ((0, 3 * DAY), (0.25, 4), (0, 4 * DAY - 4)),
        MODEL_REFUSED: ((0, 2 * DAY), (1, 4), (0, 5 * DAY - 4)),  # while it was being copied
        TRAINING_FAILED: ((0, 3 * DAY), (1, 4 * DAY)),  # its Job stays, but the run after it has succeeded
        TRAINED: ((1.7e9, 3 * DAY), (1.7e9 + 2 * 86_400, 4 * DAY)),
        OUTBOX_AGE: ((0.5, 5 * DAY), (300, 20), (0.5, 2 * DAY - 20)),  # while the database restarts
    }


def _trouble(
    alert: str,
    severity: str,
    series: Mapping[str, float | None],
    *,
    start: int = HOUR,
    lasts: int,
    fires: int,
    ends: int,
    step: float = 1,
    follows: frozenset[str] = frozenset(),
) -> Scenario:
    """Return a scenario in which series have other values, or grow otherwise, for a while; times are from its start."""
    normal = _COUNTERS | _GAUGES
    changed = {
        name: ((normal[name], start), (value, lasts), (normal[name], ends - lasts)) for name, value in series.items()
    }
    return Scenario(
        f"NameClassifier{alert}", severity, start, start + fires, start + ends, changed, step=step, follows=follows
    )


_TICKET = frozenset({"NameClassifierErrorBudgetSlowBurn"})

SCENARIOS = {
    "every request fails": _trouble(
        "ErrorBudgetFastBurn",
        "page",
        {OK: 0, UNAVAILABLE: 600},
        start=6 * HOUR,
        lasts=5,
        fires=3,
        ends=50,
        follows=_TICKET,
    ),
    "1% of the requests fail": _trouble(
        "ErrorBudgetFastBurn",
        "page",
        {OK: 594, UNAVAILABLE: 6},
        start=DAY,
        lasts=HOUR,
        fires=HOUR,
        ends=HOUR + 10,
        step=2,
    ),
    "0.4% of the requests fail": _trouble(
        "ErrorBudgetSlowBurn",
        "ticket",
        {OK: 597.6, UNAVAILABLE: 2.4},
        start=DAY,
        lasts=7 * HOUR,
        fires=7 * HOUR,
        ends=13 * HOUR,
        step=2,
    ),
    "every request is slow": _trouble(
        "LatencyBudgetFastBurn", "page", {FAST: 0}, start=DAY, lasts=16, fires=16, ends=24, step=2
    ),
    "4% of the requests are slow": _trouble(
        "LatencyBudgetSlowBurn",
        "ticket",
        {FAST: 576},
        start=DAY,
        lasts=7 * HOUR,
        fires=7 * HOUR,
        ends=13 * HOUR,
        step=2,
    ),
    "requests take 0.2 s on average": _trouble(
        "MeanLatencyHigh", "ticket", {SECONDS: 120}, start=DAY, lasts=6 * HOUR, fires=6 * HOUR, ends=26 * HOUR, step=4
    ),
    "no pod is ready": _trouble("NoReadyPod", "page", {READY: 0}, lasts=5, fires=3, ends=6, step=0.5),
    "nothing is scraped": _trouble("MetricsAbsent", "page", {IN_PROGRESS: None}, lasts=5, fires=3, ends=6, step=0.5),
    "a container restarts three times": _trouble("Restarts", "ticket", {RESTARTS: 1}, lasts=3, fires=5, ends=70),
    "a training run fails": _trouble("TrainingFailed", "ticket", {TRAINING_FAILED: 1}, lasts=30, fires=3, ends=32),
    "a bundle is refused": _trouble("ModelRefused", "ticket", {MODEL_REFUSED: 1}, lasts=DAY, fires=8, ends=DAY + 3),
    "a list of keys is refused": _trouble("ApiKeysRefused", "ticket", {KEYS_REFUSED: 1}, lasts=1, fires=8, ends=70),
    "the disk is full": _trouble("RequestLogFailing", "ticket", {COMMIT_FAILING: 1}, lasts=15, fires=12, ends=16),
    "the database does not answer": _trouble(
        "RequestLogFailing", "ticket", {SHIP_FAILING: 1}, lasts=15, fires=12, ends=16
    ),
    "rows pile up": _trouble("RequestLogDepth", "ticket", {OUTBOX_ROWS: 600_000}, lasts=15, fires=12, ends=16),
    "rows grow old": _trouble("RequestLogAge", "ticket", {OUTBOX_AGE: 1200}, lasts=15, fires=7, ends=16),
    "rows are lost in a kill": _trouble("RequestLogLoss", "ticket", {LOST: 7}, lasts=1, fires=3, ends=20),
    "rows are skipped": _trouble("RequestLogLoss", "ticket", {SKIPPED: 600}, lasts=5, fires=3, ends=25),
    "the database does not take a row": _trouble("RequestLogLoss", "ticket", {REJECTED: 1}, lasts=1, fires=3, ends=20),
    "Redis is down": _trouble("RateLimitStorageDown", "ticket", {LIMIT_ERRORS: 600}, lasts=15, fires=8, ends=22),
    "half of the names are not familiar": _trouble(
        "AbstentionJump", "ticket", {ABSTENTIONS: 300}, start=DAY, lasts=32, fires=32, ends=2 * HOUR, step=2
    ),
}
