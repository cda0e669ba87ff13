"""Wire the service together. Importing this has no effect; `create_app` builds an app, `python -m api` runs it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import APIRouter, Depends, FastAPI
from starlette.types import ASGIApp, Lifespan

from api import openapi, problems
from api.classify.classifier import Classifier
from api.classify.model_watcher import ModelWatcher
from api.classify.served_model import ModelHost
from api.classify.workers import Workers
from api.lifecycle import Lifecycle
from api.middleware.api_keys import KeyRing
from api.middleware.authentication import Authentication, Authenticator
from api.middleware.body import RequestBody
from api.middleware.client_address import TrustedProxies
from api.middleware.concurrency import ConcurrencyLimit
from api.middleware.cors import CrossOrigin
from api.middleware.hot_path import HotPath
from api.middleware.key_file import KeyFile
from api.middleware.rate_limit import RateLimit, RateLimiter
from api.middleware.telemetry import Recorder, RequestTelemetry
from api.observability.logs import AccessLog
from api.observability.metrics import Metrics
from api.observability.tracing import Tracing
from api.request_log.request_log import RequestLog
from api.routes import bulk, compat, feedback, inference, models, page, predict, probes
from api.routes.dependencies import require_utf8_query
from api.routes.traits import PathTemplates, RoutePaths, traits_of
from api.settings import RequestLogMode, Settings


def create_app(settings: Settings, lifecycle: Lifecycle | None = None) -> FastAPI:
    """Load the bundle and return an app that is ready to answer, under any ASGI server.

    Raises:
        BundleError: the bundle is missing, incomplete, damaged or of an unknown schema.
        OSError: the folder of the request log cannot be written to.
    """
    metrics = Metrics()
    tracing = Tracing()
    fallback = settings.fallback_bundle_dir
    host = ModelHost(settings.bundle_dir, threads=settings.threads, metrics=metrics, fallback=fallback)
    keys = KeyRing(settings.api_keys, required=settings.key_needed)
    key_file = KeyFile(settings, keys, metrics)
    limiter = RateLimiter(settings, keys, metrics)
    traits = traits_of(routers(settings))
    paths = RoutePaths.of(traits)
    request_log = None
    if settings.request_log is not RequestLogMode.OFF:
        request_log = RequestLog(settings, metrics.registry, paths.recorded)
    app = _new_app(host, _lifespan(ModelWatcher(host, metrics), key_file, limiter, tracing, request_log))
    app.state.request_log = request_log
    app.state.host = host
    app.state.metrics = metrics
    app.state.workers = Workers(host.pause)
    app.state.classifier = Classifier(host, metrics, app.state.workers)
    app.state.lifecycle = lifecycle or Lifecycle()
    app.state.key_file = key_file
    for router in routers(settings):
        app.include_router(router)
    problems.install(app)
    openapi.install(app, open_paths=paths.open, key_needed=settings.key_needed)
    recorder = Recorder(metrics, AccessLog(settings.log_requests_per_second, quiet_routes=paths.quiet))
    stack = _middleware(app, settings, paths, keys, limiter)
    app.middleware_stack = RequestTelemetry(
        stack,
        recorder=recorder,
        tracing=tracing,
        lifecycle=app.state.lifecycle,
        find_template=PathTemplates(traits).find,
        new_recording=request_log.recording if request_log else None,
    )
    return app


def _lifespan(
    watcher: ModelWatcher, key_file: KeyFile, limiter: RateLimiter, tracing: Tracing, request_log: RequestLog | None
) -> Lifespan[FastAPI]:
    """Return what runs beside the app from its start to its end."""

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        watcher.start()
        if request_log:
            request_log.start()
        watching = asyncio.create_task(key_file.watch())
        yield
        watching.cancel()
        watcher.stop()
        await limiter.close()
        if request_log:
            await request_log.close()
        tracing.shutdown()

    return lifespan


def _new_app(host: ModelHost, lifespan: Lifespan[FastAPI]) -> FastAPI:
    return FastAPI(
        title="Name classifier",
        summary="Which labels does this name look like?",
        version=host.current.version,
        dependencies=[Depends(require_utf8_query)],
        redirect_slashes=False,  # a redirect would quote the request's host and query
        openapi_url=None,  # api.routes.page serves the document and its page
        lifespan=lifespan,
        # its own would hold paths, queries and refused values; api.observability.tracing makes ours
        telemetry={"tracing": False, "metrics": False, "logs": False, "auto_configure": False},
    )


def routers(settings: Settings) -> list[APIRouter]:
    """Return all routes that the settings switch on."""
    always = [
        *(compat.router, predict.router, bulk.router, models.router, inference.router, probes.router),
        page.page_router(docs_enabled=settings.docs_enabled),
    ]
    switched = [
        (settings.metrics_enabled, probes.metrics_router),
        (settings.docs_enabled, page.docs_router),
        (settings.request_log is not RequestLogMode.OFF, feedback.router),
    ]
    return always + [router for enabled, router in switched if enabled]


def _middleware(app: FastAPI, settings: Settings, paths: RoutePaths, keys: KeyRing, limiter: RateLimiter) -> ASGIApp:
    """Return the app's own stack inside ours, from the inside out: what is added last sees a request first.

    Outside of FastAPI's, so that the hot path does not pass through what FastAPI adds for its routes.
    """
    stack: ASGIApp = HotPath(app.build_middleware_stack(), classifier=app.state.classifier)
    stack = RequestBody(
        stack,
        max_bytes=settings.max_body_bytes,
        max_total_bytes=settings.max_buffered_bytes,
        stream_limits={bulk.STREAM_PATH: settings.max_stream_bytes, bulk.FILE_PATH: settings.max_file_bytes},
    )
    if limiter.needed:
        stack = RateLimit(stack, limiter=limiter, open_paths=paths.open)
    limit = ConcurrencyLimit(
        stack,
        max_requests=settings.max_concurrency,
        max_streams=settings.max_streams,
        max_streams_per_caller=settings.max_streams_per_caller,
        probe_paths=paths.probe,
        stream_paths=paths.stream,
    )
    app.state.metrics.streams.set_function(lambda: limit.n_streams)
    authenticator = Authenticator(keys, TrustedProxies(settings.trusted_proxies))
    stack = Authentication(limit, authenticator=authenticator, open_paths=paths.open)
    if settings.cors_origins:  # outside authentication: a browser asks for permission without a key
        stack = CrossOrigin(stack, origins=settings.cors_origins)
    return stack
