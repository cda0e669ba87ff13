"""The routes of the first version, kept as they were."""

from fastapi import APIRouter

from api.classify import answers
from api.classify.answers import JsonResponse
from api.routes.dependencies import MetricsDep, NameQuotaDep, RequireJson, ServedDep
from api.routes.traits import traits
from api.schemas.predict import PredictionRequest, PredictionResponse, ServiceMessage
from api.schemas.problem import PROBLEM_RESPONSES

router = APIRouter(tags=["classifier"])


@router.head("/check_service", include_in_schema=False)
@router.get("/check_service")
@traits(open=True)
async def check_service() -> ServiceMessage:
    """Say hello."""
    return ServiceMessage(Message="Hello world from service")


@router.post(
    "/get_prediction", dependencies=[RequireJson], responses=PROBLEM_RESPONSES, response_model=PredictionResponse
)
async def get_prediction(
    request: PredictionRequest, served: ServedDep, metrics: MetricsDep, quota: NameQuotaDep
) -> JsonResponse:
    """Answer with the labels that a name looks like, best first."""
    await quota.charge(1)
    # On the event loop on purpose: the model call is shorter than a hop to a worker thread.
    return JsonResponse(answers.predict_compat(served, metrics, request.name, request.n_predictions))
