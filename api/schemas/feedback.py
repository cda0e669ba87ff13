"""The body of feedback: the true label of an item that was answered."""

from typing import Annotated

from pydantic import AfterValidator, Field

from api.schemas.predict import Name, StrictRequest
from model.constants import MAX_LABEL_LENGTH


def _check_label(label: str) -> str:
    """Refuse what cannot name a file of names."""
    if not label.isprintable() or label != label.strip() or label.startswith(".") or not {"/", "\\"}.isdisjoint(label):
        raise ValueError("a label has printable characters, none of them / or \\, and begins with no dot or space")
    return label


class FeedbackRequest(StrictRequest):
    """Which item of which request, and what it is; the name comes again, as a hash cannot be trained on."""

    request_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9._:-]{1,128}$", examples=["9f86d081884c7d65"])]
    item_index: Annotated[int, Field(ge=0, le=2**31 - 1, description="Place of the name in the request, from 0.")] = 0
    name: Name
    label: Annotated[
        str, Field(min_length=1, max_length=MAX_LABEL_LENGTH, examples=["Irish"]), AfterValidator(_check_label)
    ]
