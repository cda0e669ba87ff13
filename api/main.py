"""Wire the service together. Importing this has no effect; `create_app` builds an app, `python -m api` runs it."""

import logging

from fastapi import FastAPI

from api import problems
from api.limits import BodyLimit
from api.metrics import Metrics
from api.routes import compat, probes
from api.settings import Settings
from api.telemetry import RequestTelemetry
from model.prediction import Predictor
from model.store import resolve_bundle

logger = logging.getLogger("api")


def create_app(settings: Settings) -> FastAPI:
    """Load the bundle and return an app that is ready to answer.

    Raises:
        BundleError: the bundle is missing, incomplete, tampered with or of an unknown schema.
    """
    predictor = Predictor.load(resolve_bundle(settings.bundle_dir), threads=settings.threads)
    metrics = Metrics()
    metrics.describe_model(predictor.metadata.version, predictor.metadata.architecture, predictor.labels)
    app = FastAPI(
        title="Name classifier",
        summary="Which labels does this name look like?",
        version=predictor.metadata.version,
        redirect_slashes=False,  # a redirect would quote the request's host and query
    )
    app.state.predictor = predictor
    app.state.metrics = metrics
    app.include_router(compat.router)
    app.include_router(probes.router)
    problems.install(app)
    app.add_middleware(BodyLimit, max_bytes=settings.max_body_bytes)
    app.add_middleware(RequestTelemetry, metrics=metrics)  # added last, so outermost
    logger.info("model loaded", extra={"version": predictor.metadata.version, "labels": len(predictor.labels)})
    return app
