"""What routes ask for, as `Annotated` aliases. All async: FastAPI would run a plain function in its thread pool."""

from typing import Annotated

from fastapi import Depends, Header, HTTPException, Request

from api.metrics import Metrics
from model.prediction import Predictor


async def _predictor(request: Request) -> Predictor:
    predictor: Predictor = request.app.state.predictor
    return predictor


async def _metrics(request: Request) -> Metrics:
    metrics: Metrics = request.app.state.metrics
    return metrics


async def require_json(content_type: Annotated[str, Header(include_in_schema=False)] = "") -> None:
    """Refuse a body that is not declared as JSON."""
    if content_type.partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "Send the body as application/json.")


PredictorDep = Annotated[Predictor, Depends(_predictor)]
MetricsDep = Annotated[Metrics, Depends(_metrics)]
RequireJson = Depends(require_json)
