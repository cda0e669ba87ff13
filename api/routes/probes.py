"""What Kubernetes and Prometheus ask. Two truths: the process is not stuck; it may get traffic."""

from fastapi import APIRouter, HTTPException, Request, Response
from prometheus_client.exposition import choose_encoder

from api.routes.dependencies import LifecycleDep, MetricsDep
from api.routes.traits import traits
from api.schemas.probes import Status

router = APIRouter(tags=["operations"])
metrics_router = APIRouter(tags=["operations"])


@router.head("/livez", include_in_schema=False)
@router.get("/livez")
@traits(open=True, probe=True, quiet=True)
async def livez() -> Status:
    """Answer whenever the event loop turns."""
    return Status(status="alive")


@router.head("/readyz", include_in_schema=False)
@router.get("/readyz")
@traits(open=True, probe=True, quiet=True)
async def readyz(lifecycle: LifecycleDep) -> Status:
    """Answer until the process is to end; the listener opens once a verified model is loaded."""
    if lifecycle.draining:
        raise HTTPException(503, "The service is about to end.", {"Retry-After": "1"})
    return Status(status="ready")


@metrics_router.get("/metrics", response_class=Response)
@traits(open=True, probe=True, quiet=True)
async def get_metrics(request: Request, metrics: MetricsDep) -> Response:
    """Return all metrics as Prometheus text, or OpenMetrics where that is asked for."""
    try:
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
    except (TypeError, ValueError):  # it parses the versions in the header without checking them
        encode, content_type = choose_encoder("")
    return Response(encode(metrics.registry), media_type=content_type)
