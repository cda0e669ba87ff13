"""Prometheus objects of one app. Hold no name, no key, no raw path."""

from bisect import bisect_left
from collections import Counter as Tally
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from itertools import accumulate
from math import exp, log
from threading import Lock

from prometheus_client import (
    GC_COLLECTOR,
    PLATFORM_COLLECTOR,
    PROCESS_COLLECTOR,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
)
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.registry import Collector

from api.errors import Unavailable
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


class Confidence(Collector):
    """A histogram of the best labels' probabilities, filled a batch at a time: a Histogram takes 1 µs for each name."""

    _BOUNDS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1.0)
    _LOG_BOUNDS = tuple(map(log, _BOUNDS[:-1]))

    def __init__(self) -> None:
        self._counts = [0] * len(self._BOUNDS)
        self._sum = 0.0
        self._lock = Lock()  # lists are answered in threads

    def observe(self, log_probs: Sequence[float]) -> None:
        """Count natural-log probabilities."""
        buckets = [bisect_left(self._LOG_BOUNDS, log_prob) for log_prob in log_probs]
        total = sum(map(exp, log_probs))
        with self._lock:
            for bucket in buckets:
                self._counts[bucket] += 1
            self._sum += total

    def collect(self) -> Iterator[HistogramMetricFamily]:
        """Yield the histogram."""
        with self._lock:
            counts, total = list(accumulate(self._counts)), self._sum
        buckets = [*zip(map(str, self._BOUNDS), counts, strict=True), ("+Inf", counts[-1])]
        text = "Probability of the most probable label of each answered name."
        yield HistogramMetricFamily("prediction_confidence", text, buckets=buckets, sum_value=total)


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
        self.connections = Gauge(
            "http_connections_open",
            "Connections that are open; 0 under a server that does not tell.",
            registry=self.registry,
        )
        self.streams = Gauge(
            "http_streams_in_progress", "Streams and files that are being answered.", registry=self.registry
        )
        self.unavailable = Counter(
            "http_requests_unavailable", "Requests answered 503, by reason.", ("reason",), registry=self.registry
        )
        for reason in Unavailable:
            self.unavailable.labels(reason)
        self.predictions = Counter(
            "predictions", "Names answered, by their most probable label.", ("label",), registry=self.registry
        )
        self._predictions_of = cache(self.predictions.labels)  # labels() takes as long as all the rest, here and below
        self._confidence = Confidence()
        self.registry.register(self._confidence)
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
        self.model_refused = Gauge(
            "model_bundle_refused",
            "1 while the bundle that is found was refused and an older one is served.",
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
        """Count answered names by their most probable label and by its probability, and the abstentions."""
        self._confidence.observe([p.log_probs[0] for p in predictions if p.labels])
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
