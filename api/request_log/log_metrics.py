"""Prometheus objects of the request log."""

import time
from collections.abc import Callable, Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

_SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class _OutboxState(Collector):
    """What waits in the outbox of a service that ships its rows."""

    def __init__(self, n_rows: Callable[[], int], oldest_at: Callable[[], float | None]) -> None:
        self._n_rows = n_rows
        self._oldest_at = oldest_at

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Yield the number of rows and the age of the oldest."""
        oldest_at = self._oldest_at()
        age = 0.0 if oldest_at is None else max(0.0, time.time() - oldest_at)
        yield GaugeMetricFamily("request_log_outbox_rows", "Rows that wait to be shipped.", value=self._n_rows())
        yield GaugeMetricFamily(
            "request_log_outbox_oldest_row_age_seconds", "Age of the oldest row that waits to be shipped.", value=age
        )


class RequestLogMetrics:
    """What is told of rows; holds no name and no message of an error, which might quote a row."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._registry = registry

        def counter(name: str, text: str, *labels: str) -> Counter:
            return Counter(f"request_log_{name}", text, labels, registry=registry)

        self.written = counter("rows_written", "Rows committed to the outbox.")
        self.shipped = counter("rows_shipped", "Rows committed to the database.")
        self.skipped = counter("rows_skipped", "Rows left out because they could not be written.")
        self.rejected = counter("rows_rejected", "Rows that the database does not take, kept in a file beside.")
        self.lost = counter("rows_lost", "Rows lost by kills of the process, since the outbox's file began.")
        self.refused = counter("requests_refused", "Requests answered 503 because they could not be recorded.")
        self.set_aside = counter("files_set_aside", "Damaged outbox files that were replaced by new ones.")
        self._errors = counter("errors", "Attempts to commit or to ship that failed.", "stage", "error")
        self._last_error = Gauge(
            "request_log_last_error_timestamp_seconds",
            "When an attempt to commit or to ship last failed with an error of this class.",
            ("stage", "error"),
            registry=registry,
        )
        self._failing = Gauge(
            "request_log_failing",
            "1 while the last attempt to commit or to ship failed.",
            ("stage",),
            registry=registry,
        )
        self.commit_seconds = Histogram(
            "request_log_commit_seconds", "Time of a commit to the outbox.", buckets=_SECONDS, registry=registry
        )
        self.ship_seconds = Histogram(
            "request_log_ship_seconds",
            "Time to ship a batch of rows to the database.",
            buckets=_SECONDS,
            registry=registry,
        )
        self.n_outbox_rows = 0
        self.oldest_at: float | None = None
        for stage in ("commit", "ship"):
            self._failing.labels(stage)

    def show_outbox(self) -> None:
        """Show what waits to be shipped; without a database nothing waits."""
        self._registry.register(_OutboxState(lambda: self.n_outbox_rows, lambda: self.oldest_at))

    def fail(self, stage: str, error: Exception) -> None:
        """Note a failed attempt by the class of its error."""
        kind = type(error).__name__
        self._errors.labels(stage, kind).inc()
        self._last_error.labels(stage, kind).set_to_current_time()
        self._failing.labels(stage).set(1)

    def succeed(self, stage: str) -> None:
        """Note a successful attempt."""
        self._failing.labels(stage).set(0)
