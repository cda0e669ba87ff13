"""A service of BentoML: https://docs.bentoml.com/en/latest/get-started/hello-world.html."""

from pathlib import Path

import bentoml

from model.prediction import Predictor


@bentoml.service(workers=1)
class NameClassifier:
    """The predictor behind one route."""

    def __init__(self) -> None:
        self.predictor = Predictor.load(Path(__file__).parents[4] / "artifacts")

    @bentoml.api
    def get_prediction(self, name: str, n_predictions: int = 3) -> dict[str, list]:
        """Answer one name."""
        (answer,) = self.predictor.predict([name], n_predictions)
        return {"predictions": list(answer.labels), "probabilities": list(answer.log_probs)}
