"""The routes of the first version, kept as they were."""

from fastapi import APIRouter, Response

from api.classify.classifier import Options
from api.formats.json_bodies import compat_body
from api.routes.dependencies import ClassifyDep, RequireJson
from api.routes.traits import traits
from api.schemas.predict import PredictionRequest, PredictionResponse, ServiceMessage
from api.schemas.problem import PROBLEM_RESPONSES

router = APIRouter(tags=["classifier"])


@router.head("/check_service", include_in_schema=False)
@router.get("/check_service")
@traits(open=True)
async def check_service() -> ServiceMessage:
    """Check that the service answers."""
    return ServiceMessage(Message="Hello world from service")


@router.post(
    "/get_prediction", dependencies=[RequireJson], responses=PROBLEM_RESPONSES, response_model=PredictionResponse
)
@traits(recorded=True)
async def get_prediction(request: PredictionRequest, classify: ClassifyDep) -> Response:
    """Answer with the labels that a name looks like, best first."""
    answer = await classify([request.name], Options(request.n_predictions, needs_label=True))
    return Response(compat_body(answer), media_type="application/json")
