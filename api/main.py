"""Wire the service together. Importing this has no effect; `create_app` builds an app, `python -m api` runs it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, FastAPI

from api import problems
from api.classify.served_model import ModelHost
from api.classify.workers import Workers
from api.middleware import security
from api.middleware.admission import Admission
from api.middleware.body_limit import BodyLimit
from api.middleware.fast_lane import FastLane
from api.middleware.telemetry import Recorder, RequestTelemetry
from api.observability.logs import RequestLog
from api.observability.metrics import Metrics
from api.observability.tracing import Tracing
from api.routes import bulk, compat, inference, models, page, predict, probes
from api.server.guard import Guard
from api.settings import Settings


def create_app(settings: Settings) -> FastAPI:
    """Load the bundle and return an app that is ready to answer.

    Raises:
        BundleError: the bundle is missing, incomplete, tampered with or of an unknown schema.
    """
    metrics = Metrics()
    recorder = Recorder(metrics, RequestLog(settings.log_requests_per_second))
    tracing = Tracing()
    admission = Admission(settings, metrics)
    host = ModelHost(settings.bundle_dir, threads=settings.threads, metrics=metrics)
    app = _new_app(host, tracing)
    lane = FastLane(host, admission, recorder)
    app.state.guard = Guard(
        bounds=settings,
        fast_lane=lane,
        hot_paths={} if tracing.enabled else lane.paths,
        stream_paths=frozenset({bulk.STREAM_PATH, bulk.FILE_PATH}),
        probe_paths=frozenset({b"/livez", b"/readyz", b"/v2/health/live", b"/v2/health/ready", b"/metrics"}),
        refused=lambda status: recorder.record("OTHER", "unmatched", status, 0, None),
    )
    app.state.host = host
    app.state.metrics = metrics
    app.state.workers = Workers()
    app.state.admission = admission
    _add_routes(app, settings)
    _add_middleware(app, settings, admission)
    app.add_middleware(RequestTelemetry, recorder=recorder, tracing=tracing)  # added last, so outermost
    return app


def _new_app(host: ModelHost, tracing: Tracing) -> FastAPI:
    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        watching = asyncio.create_task(host.watch())
        yield
        watching.cancel()
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


def _add_routes(app: FastAPI, settings: Settings) -> None:
    for router in routers(settings):
        app.include_router(router)
    problems.install(app)
    security.describe(app, key_needed=bool(settings.api_keys))


def _add_middleware(app: FastAPI, settings: Settings, admission: Admission) -> None:
    app.add_middleware(
        BodyLimit,
        max_bytes=settings.max_body_bytes,
        by_path={bulk.STREAM_PATH: settings.max_stream_bytes, bulk.FILE_PATH: settings.max_file_bytes},
    )
    if admission.needed:
        app.add_middleware(security.AdmissionControl, admission=admission)
    if settings.cors_origins:  # outside admission: a browser asks for permission without a key
        app.add_middleware(security.CrossOrigin, origins=settings.cors_origins)
