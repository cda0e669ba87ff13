"""As tutorials do it: the torch network in a plain route, text prepared per request, a middleware that logs."""

import json
import logging
import time
import unicodedata
from pathlib import Path

import torch
from fastapi import FastAPI
from pydantic import BaseModel
from safetensors.torch import load_file
from starlette.middleware.base import BaseHTTPMiddleware

from model.classifier import ClassifierConfig, build_classifier

logging.basicConfig(level=logging.INFO)
logger = logging.getLogger(__name__)

metadata = json.loads(Path("artifacts/metadata.json").read_text(encoding="utf-8"))
classifier = build_classifier(ClassifierConfig(**metadata["config"]))
classifier.load_state_dict(load_file("artifacts/weights.safetensors"))
classifier.eval()


class LoggingMiddleware(BaseHTTPMiddleware):
    """Log each request and how long it took."""

    async def dispatch(self, request, call_next):  # noqa: ANN001, ANN201, D102 - as tutorials write it
        start = time.time()
        response = await call_next(request)
        duration = (time.time() - start) * 1000
        logger.info("%s %s %s %.2fms", request.method, request.url.path, response.status_code, duration)
        return response


app = FastAPI()
app.add_middleware(LoggingMiddleware)


class PredictionRequest(BaseModel):
    """A name and how many labels to answer with."""

    name: str
    n_predictions: int | None = None


class PredictionResponse(BaseModel):
    """Labels and their log-probabilities, best first."""

    predictions: list[str]
    probabilities: list[float]


def name_to_tensor(name: str) -> torch.Tensor:
    """Map a name to token ids (1, T)."""
    vocabulary = {character: 3 + i for i, character in enumerate(metadata["characters"])}
    text = "".join(c for c in unicodedata.normalize("NFD", name.lower()) if unicodedata.category(c) != "Mn")
    return torch.tensor([[1, *(vocabulary.get(c, 0) for c in text), 2]])


@app.post("/get_prediction")
def get_prediction(request: PredictionRequest) -> PredictionResponse:
    """Predict the labels of a name."""
    with torch.no_grad():
        outputs = classifier(name_to_tensor(request.name))
        log_probs = torch.log_softmax(outputs[0, :-1] / metadata["temperature"], dim=0)
    top = log_probs.topk(request.n_predictions or 3)
    return PredictionResponse(
        predictions=[metadata["labels"][i] for i in top.indices.tolist()], probabilities=top.values.tolist()
    )
