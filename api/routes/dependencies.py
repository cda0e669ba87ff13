"""What routes ask for, as `Annotated` aliases. All async: FastAPI would run a plain function in its thread pool."""

from typing import Annotated

from fastapi import Depends, Header, HTTPException, Request, params

from api.classify.served_model import ModelHost, ServedModel
from api.classify.workers import Workers
from api.context import context_of
from api.lifecycle import Lifecycle
from api.name_quota import NameQuota
from api.observability.metrics import Metrics


async def _host(request: Request) -> ModelHost:
    host: ModelHost = request.app.state.host
    return host


async def _served(request: Request) -> ServedModel:
    served: ServedModel = request.app.state.host.current
    context_of(request.scope).model_version = served.version
    return served


async def _lifecycle(request: Request) -> Lifecycle:
    lifecycle: Lifecycle = request.app.state.lifecycle
    return lifecycle


async def _workers(request: Request) -> Workers:
    workers: Workers = request.app.state.workers
    return workers


async def _names(request: Request) -> NameQuota:
    return context_of(request.scope).names


async def _request_id(request: Request) -> str:
    return context_of(request.scope).request_id


async def _metrics(request: Request) -> Metrics:
    metrics: Metrics = request.app.state.metrics
    return metrics


def require_media_type(accepted: str, *more: str) -> params.Depends:
    """Return a dependency that refuses a body which is declared as something else."""

    async def check(content_type: Annotated[str, Header(include_in_schema=False)] = "") -> None:
        if content_type.partition(";")[0].strip().lower() not in {accepted, *more}:
            raise HTTPException(415, f"Send the body as {accepted}.")

    return params.Depends(check)


ServedDep = Annotated[ServedModel, Depends(_served)]
"""The model that answers this request, wholly."""
LifecycleDep = Annotated[Lifecycle, Depends(_lifecycle)]
WorkersDep = Annotated[Workers, Depends(_workers)]
HostDep = Annotated[ModelHost, Depends(_host)]
"""Where models come from; what answers is `ServedDep`."""
NameQuotaDep = Annotated[NameQuota, Depends(_names)]
"""What the names of this request are charged to."""
RequestIdDep = Annotated[str, Depends(_request_id)]
MetricsDep = Annotated[Metrics, Depends(_metrics)]
RequireJson = require_media_type("application/json")
