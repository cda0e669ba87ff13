"""Wire the service together. Importing this has no effect; `create_app` builds an app, `python -m api` runs it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI

from api import openapi, problems
from api.classify.batching import Batcher
from api.classify.model_watcher import ModelWatcher
from api.classify.served_model import ModelHost
from api.classify.workers import Workers
from api.lifecycle import Lifecycle
from api.middleware import security
from api.middleware.admission import Admission
from api.middleware.body import RequestBody
from api.middleware.concurrency import ConcurrencyLimit
from api.middleware.hot_path import HotPath
from api.middleware.telemetry import Recorder, RequestTelemetry
from api.observability.logs import RequestLog
from api.observability.metrics import Metrics
from api.observability.tracing import Tracing
from api.routes import bulk, compat, inference, models, page, predict, probes
from api.routes.traits import RouteTraits, traits_of
from api.settings import Settings


def create_app(settings: Settings, lifecycle: Lifecycle | None = None) -> FastAPI:
    """Load the bundle and return an app that is ready to answer, under any ASGI server.

    Raises:
        BundleError: the bundle is missing, incomplete, damaged or of an unknown schema.
    """
    metrics = Metrics()
    tracing = Tracing()
    host = ModelHost(settings.bundle_dir, threads=settings.threads, metrics=metrics)
    app = _new_app(host, ModelWatcher(host, metrics), tracing)
    app.state.host = host
    app.state.metrics = metrics
    app.state.workers = Workers()
    app.state.lifecycle = lifecycle or Lifecycle()
    for router in routers(settings):
        app.include_router(router)
    problems.install(app)
    traits = route_traits(settings)
    open_paths = frozenset(path for path, marked in traits.items() if marked.open)
    openapi.install(app, open_paths=open_paths, key_needed=bool(settings.api_keys))
    _add_middleware(app, settings, traits)
    recorder = Recorder(metrics, RequestLog(settings.log_requests_per_second))
    app.add_middleware(RequestTelemetry, recorder=recorder, tracing=tracing, lifecycle=app.state.lifecycle)
    return app


def _new_app(host: ModelHost, watcher: ModelWatcher, tracing: Tracing) -> FastAPI:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        watcher.start()
        yield
        watcher.stop()
        tracing.shutdown()

    return FastAPI(
        title="Name classifier",
        summary="Which labels does this name look like?",
        version=host.current.version,
        redirect_slashes=False,  # a redirect would quote the request's host and query
        openapi_url=None,  # api.routes.page serves the document and its page
        lifespan=lifespan,
        # its own would hold paths, queries and refused values; api.observability.tracing makes ours
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )


def routers(settings: Settings) -> list[APIRouter]:
    """Return all routes that the settings switch on."""
    always = [compat.router, predict.router, bulk.router, models.router, inference.router, probes.router]
    switched = [(settings.metrics_enabled, probes.metrics_router), (settings.docs_enabled, page.docs_router)]
    return always + [router for enabled, router in switched if enabled]


def route_traits(settings: Settings) -> Mapping[str, RouteTraits]:
    """Return the traits of every route by its path template."""
    return traits_of(routers(settings))


def _add_middleware(app: FastAPI, settings: Settings, traits: Mapping[str, RouteTraits]) -> None:
    """Add middleware from the inside out: what is added last sees a request first."""
    metrics: Metrics = app.state.metrics
    app.add_middleware(HotPath, batcher=Batcher(app.state.host, metrics))
    app.add_middleware(
        RequestBody,
        max_bytes=settings.max_body_bytes,
        max_total_bytes=settings.max_buffered_bytes,
        stream_limits={bulk.STREAM_PATH: settings.max_stream_bytes, bulk.FILE_PATH: settings.max_file_bytes},
    )
    app.add_middleware(
        ConcurrencyLimit,
        max_requests=settings.max_concurrency,
        max_streams=settings.max_streams,
        max_streams_per_caller=settings.max_streams_per_caller,
        probe_paths=frozenset(path for path, marked in traits.items() if marked.probe),
        stream_paths=frozenset(path for path, marked in traits.items() if marked.stream),
    )
    admission = Admission(settings, metrics)
    if admission.needed:
        open_paths = frozenset(path for path, marked in traits.items() if marked.open)
        app.add_middleware(security.AdmissionControl, admission=admission, open_paths=open_paths)
    if settings.cors_origins:  # outside admission: a browser asks for permission without a key
        app.add_middleware(security.CrossOrigin, origins=settings.cors_origins)
