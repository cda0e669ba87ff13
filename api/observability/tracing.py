"""OpenTelemetry: a span a request, sent where an OTLP endpoint is set; its packages are imported only then.

The standard OTEL_* variables apply. A span holds no name, body, query, key or raw path.
"""

import os
import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

_SERVICE_NAME = "name-classifier"
_ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
_FLUSH_SECONDS = 2.0


class ServerSpan:
    """The span of one request."""

    def __init__(self, span: "Span", name: str) -> None:
        self._span = span
        self._name = name
        context = span.get_span_context()
        self.trace_id = f"{context.trace_id:032x}"
        self.traceparent = f"00-{self.trace_id}-{context.span_id:016x}-{context.trace_flags:02x}"

    def end(self, route: str | None, status: int, error: str | None) -> None:
        """Send it; `route` is the template if there is one, `error` the type of what went wrong in the service."""
        from opentelemetry.trace import StatusCode

        if route is not None:
            self._span.update_name(f"{self._name} {route}")
            self._span.set_attribute("http.route", route)
        self._span.set_attribute("http.response.status_code", status)
        if status >= 500:
            self._span.set_attribute("error.type", error or str(status))
            self._span.set_status(StatusCode.ERROR)
        self._span.end()


class Tracing:
    """Starts spans and sends them in batches; ask `enabled` first."""

    def __init__(self) -> None:
        disabled = os.environ.get("OTEL_SDK_DISABLED", "").strip().lower() == "true"
        self.enabled = not disabled and any(os.environ.get(name) for name in _ENDPOINTS)
        if self.enabled:
            from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

            self._propagator = TraceContextTextMapPropagator()
            self._provider = _create_provider()
            self._tracer = self._provider.get_tracer("api")

    def start(self, method: str, scheme: str, headers: Mapping[bytes, bytes]) -> ServerSpan:
        """Start the span of a request, as the child of the one that its W3C headers name."""
        from opentelemetry.trace import SpanKind

        given = {name: headers.get(name.encode(), b"").decode("latin-1") for name in self._propagator.fields}
        known, name = ("_OTHER", "HTTP") if method == "OTHER" else (method, method)  # as the conventions have it
        attributes = {"http.request.method": known, "url.scheme": scheme}
        span = self._tracer.start_span(name, self._propagator.extract(given), SpanKind.SERVER, attributes)
        return ServerSpan(span, name)

    def shutdown(self) -> None:
        """Send what is left, and wait two seconds for it at most."""
        if self.enabled:
            # the SDK itself would wait half a minute for a collector that does not answer
            flushing = threading.Thread(target=self._provider.shutdown, daemon=True)
            flushing.start()
            flushing.join(_FLUSH_SECONDS)


def _create_provider() -> "TracerProvider":
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    resource = Resource.create()
    if str(resource.attributes["service.name"]).startswith("unknown_service"):  # the SDK's own default
        resource = resource.merge(Resource({"service.name": _SERVICE_NAME}))
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return provider
