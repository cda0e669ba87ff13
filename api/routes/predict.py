"""What a name looks like: one or many in the same shape."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.classify.classifier import Options
from api.formats.json_bodies import predict_body
from api.routes.dependencies import (
    ClassifyDep,
    NameQuotaDep,
    RecordingDep,
    RequestIdDep,
    RequireJson,
    ServedDep,
    WorkersDep,
)
from api.routes.traits import traits
from api.schemas.predict import ExplainRequest, ExplainResponse, PredictRequest, PredictResponse, SimilarResponse
from api.schemas.problem import PROBLEM_RESPONSES
from model.constants import DEFAULT_NEIGHBOURS, MAX_NAME_LENGTH, MAX_NEIGHBOURS
from model.explain.contributions import explain
from model.explain.similar_names import similar
from model.prediction import Prediction

router = APIRouter(prefix="/v1", tags=["classifier"], responses=PROBLEM_RESPONSES)


@router.post("/predict", dependencies=[RequireJson], response_model=PredictResponse)
@traits(recorded=True)
async def predict(request: PredictRequest, classify: ClassifyDep, request_id: RequestIdDep) -> Response:
    """Answer with the labels that each name looks like, best first, in the order of the names.

    All names are answered, or none: a name that cannot be one is named by its place in the list.
    """
    options = Options(request.top_k, request.prior, request.abstain)
    answer = await classify(request.names, options, field="names")
    return Response(predict_body(answer, request_id, options), media_type="application/json")


@router.post("/explain", dependencies=[RequireJson])
@traits(recorded=True)
async def explain_label(
    *,
    request: ExplainRequest,
    served: ServedDep,
    request_id: RequestIdDep,
    workers: WorkersDep,
    quota: NameQuotaDep,
    recording: RecordingDep,
) -> ExplainResponse:
    """Show what each letter adds to the log-probability of a label, or of the most probable one."""
    await quota.charge(1)
    explanation = await workers.run(explain, served.predictor, request.name, request.label)
    prediction = Prediction((explanation.label,), (explanation.log_prob,))
    await recording.answered(served.version, [request.name], [prediction], Options())
    return ExplainResponse(
        model_version=served.version,
        request_id=request_id,
        label=explanation.label,
        log_probability=explanation.log_prob,
        lexicon=explanation.lexicon,
        characters=list(explanation.characters),
        contributions=list(explanation.contributions),
    )


@router.get("/similar")
@traits(recorded=True)
async def similar_names(
    *,
    served: ServedDep,
    request_id: RequestIdDep,
    workers: WorkersDep,
    quota: NameQuotaDep,
    recording: RecordingDep,
    name: Annotated[str, Query(min_length=1, max_length=MAX_NAME_LENGTH, examples=["Kowalska"])],
    n: Annotated[int, Query(ge=1, le=MAX_NEIGHBOURS)] = DEFAULT_NEIGHBOURS,
    label: Annotated[str | None, Query(description="The label to search; the most probable one if left out.")] = None,
) -> SimilarResponse:
    """Find the training names of a label that are most like a name."""
    await quota.charge(1)
    found = await workers.run(similar, served.predictor, served.similar, name, label, n)
    await recording.answered(served.version, [name], [Prediction((found.label,), ())], Options())
    return SimilarResponse(
        model_version=served.version,
        request_id=request_id,
        label=found.label,
        similar=[{"name": near.name, "similarity": near.similarity} for near in found.neighbours],
    )
