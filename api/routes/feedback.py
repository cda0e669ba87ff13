"""The true label of a name that was answered: what the next training learns from."""

from fastapi import APIRouter, Response

from api.routes.dependencies import CallerDep, NameQuotaDep, RequestLogDep, RequireJson
from api.schemas.feedback import FeedbackRequest
from api.schemas.problem import PROBLEM_RESPONSES
from model.utils import clean, fold_cleaned

router = APIRouter(prefix="/v1", tags=["feedback"], responses=PROBLEM_RESPONSES)


@router.post("/feedback", status_code=204, response_class=Response, dependencies=[RequireJson])
async def give_feedback(
    feedback: FeedbackRequest, request_log: RequestLogDep, caller: CallerDep, quota: NameQuotaDep
) -> None:
    """Keep the true label of a name that was answered, with the name itself, for training.

    Nothing checks that there was such an item: clients choose request ids, and its row may be shipped or gone.
    The label need not be one that the model knows. `python -m api.request_log export --feedback` writes what was given
    as training data.
    """
    name = clean(feedback.name)
    fold_cleaned(name)  # refuses what cannot be one
    await quota.charge(1)
    await request_log.add_feedback(feedback.request_id, feedback.item_index, name, feedback.label, caller.name)
