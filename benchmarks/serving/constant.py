"""The reference: a stock FastAPI route with a body and an answer of pydantic that does nothing."""

from fastapi import FastAPI
from pydantic import BaseModel


class Request(BaseModel):
    """What `POST /get_prediction` takes."""

    name: str
    n_predictions: int | None = None


class Response(BaseModel):
    """What it answers."""

    predictions: list[str]
    probabilities: list[float]


app = FastAPI()


@app.post("/get_prediction")
async def get_prediction(_: Request) -> Response:
    """Answer with the same words to everyone."""
    return Response(
        predictions=["English", "Irish", "Scottish"],
        probabilities=[-1.2400000095367432, -1.909999966621399, -2.5399999618530273],
    )
