"""Prometheus objects of one app. Hold no name, no key, no raw path."""

from collections import Counter as Tally
from collections.abc import Iterable, Iterator, Sequence
from functools import cache

from prometheus_client import (
    GC_COLLECTOR,
    PLATFORM_COLLECTOR,
    PROCESS_COLLECTOR,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
)
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from api.observability.log_writer import LogWriter, standard_error
from model.prediction import Prediction

_SECONDS = (0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class _DroppedLines(Collector):
    """What a log writer has counted."""

    def __init__(self, writer: LogWriter) -> None:
        self._writer = writer

    def collect(self) -> Iterator[CounterMetricFamily]:
        """Yield the count."""
        text = "Log lines dropped because nobody read them fast enough."
        yield CounterMetricFamily("log_lines_dropped", text, value=self._writer.n_dropped)


class Metrics:
    """The metrics of one app, in a registry of its own so that two apps can live in one process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        for collector in (PROCESS_COLLECTOR, PLATFORM_COLLECTOR, GC_COLLECTOR):
            self.registry.register(collector)
        self.registry.register(_DroppedLines(standard_error))
        self.requests = Counter(
            "http_requests", "Requests answered.", ("method", "route", "status"), registry=self.registry
        )
        self.duration = Histogram(
            "http_request_duration_seconds",
            "Time from request to the end of the answer.",
            ("method", "route"),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._observers: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}
        self.in_progress = 0  # as a number: a gauge takes ten times as long to count
        Gauge("http_requests_in_progress", "Requests that are being answered.", registry=self.registry).set_function(
            lambda: self.in_progress
        )
        self.predictions = Counter(
            "predictions", "Names answered, by their most probable label.", ("label",), registry=self.registry
        )
        self._predictions_of = cache(self.predictions.labels)  # labels() takes as long as all the rest, here and below
        self.abstentions = Counter(
            "abstentions", "Names on which the model abstained, by reason.", ("reason",), registry=self.registry
        )
        self.model_info = Gauge(
            "model_info", "1 for the model that is served.", ("version", "architecture"), registry=self.registry
        )
        self._described: tuple[str, str] | None = None

        self.rate_limit_errors = Counter(
            "rate_limit_errors",
            "Charges that the shared storage of limits did not count because it did not answer.",
            registry=self.registry,
        )
        self.api_key_reloads = Counter(
            "api_key_reloads",
            "Lists of API keys that were read again, or refused.",
            ("outcome",),
            registry=self.registry,
        )
        self.model_reloads = Counter(
            "model_reloads",
            "Bundles that replaced the served one, or were refused.",
            ("outcome",),
            registry=self.registry,
        )
        for outcome in ("loaded", "refused"):
            self.api_key_reloads.labels(outcome)
            self.model_reloads.labels(outcome)

    def describe_model(self, version: str, architecture: str, labels: Iterable[str]) -> None:
        """Name the served model; a label that was never answered counts 0 instead of being absent."""
        described, self._described = self._described, (version, architecture)
        self.model_info.labels(version, architecture).set(1)
        if described and described != self._described:  # after the new one: a scrape meanwhile finds one at least
            self.model_info.remove(*described)
        for label in labels:
            self._predictions_of(label)

    def count_predictions(self, predictions: Sequence[Prediction]) -> None:
        """Count answered names by their most probable label, and the abstentions."""
        for label, number in Tally([p.labels[0] for p in predictions if p.labels]).items():
            self._predictions_of(label).inc(number)
        for reason in [p.abstained for p in predictions if p.abstained]:
            self.abstentions.labels(reason).inc()

    def observe_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """Count one answered request; `route` is the template, never the path."""
        observers = self._observers.get((method, route, status))
        if observers is None:
            observers = self.requests.labels(method, route, str(status)), self.duration.labels(method, route)
            self._observers[method, route, status] = observers
        requests, duration = observers
        requests.inc()
        duration.observe(seconds)
