"""Which model answers, and which there were."""

import logging
from typing import Any

from fastapi import APIRouter, HTTPException

from api.routes.dependencies import HostDep, RequestIdDep, ServedDep, WorkersDep
from api.routes.model_descriptions import describe_model, describe_models
from api.schemas.models import ModelResponse, ModelsResponse
from api.schemas.problem import PROBLEM_RESPONSES
from model.errors import BundleError

logger = logging.getLogger("api")

router = APIRouter(prefix="/v1", tags=["models"])

_DAMAGED: dict[int | str, dict[str, Any]] = {
    503: {"content": PROBLEM_RESPONSES[422]["content"], "description": "The store of models is damaged."}
}


@router.get("/model")
async def served_model(served: ServedDep, request_id: RequestIdDep) -> ModelResponse:
    """Say which model answers: its version, labels, training data, calibration and metrics."""
    return describe_model(served, request_id)


@router.get("/models", responses=_DAMAGED)
async def models(host: HostDep, served: ServedDep, request_id: RequestIdDep, workers: WorkersDep) -> ModelsResponse:
    """List the models in the store: which is champion, which is served, and what happened."""
    try:
        return await workers.run(describe_models, host.path, served, request_id)
    except (BundleError, OSError) as error:
        logger.error("the store cannot be read", extra={"reason": str(error)})  # noqa: TRY400 - one line says it
        raise HTTPException(503, "The store of models is damaged; the log says how.", {"retry-after": "60"}) from None
