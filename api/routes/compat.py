"""The routes of the first version, kept as they were."""

from fastapi import APIRouter

from api.dependencies import MetricsDep, PredictorDep, RequireJson
from api.schemas import PROBLEM_RESPONSES, PredictionRequest, PredictionResponse, ServiceMessage
from model.errors import InvalidNameError

router = APIRouter(tags=["classifier"])


@router.head("/check_service", include_in_schema=False)
@router.get("/check_service")
async def check_service() -> ServiceMessage:
    """Say hello."""
    return ServiceMessage(Message="Hello world from service")


@router.post("/get_prediction", dependencies=[RequireJson], responses=PROBLEM_RESPONSES)
async def get_prediction(
    request: PredictionRequest, predictor: PredictorDep, metrics: MetricsDep
) -> PredictionResponse:
    """Answer with the labels that a name looks like, best first."""
    # On the event loop on purpose: the model call is shorter than a hop to a worker thread.
    (prediction,) = predictor.predict([request.name], request.n_predictions)
    if not prediction.labels:
        raise InvalidNameError("Most letters of the name do not occur in the names the model was trained on.")
    metrics.predictions.labels(prediction.labels[0]).inc()
    return PredictionResponse(predictions=list(prediction.labels), probabilities=list(prediction.log_probs))
