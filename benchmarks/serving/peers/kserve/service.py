"""A custom predictor of KServe: https://kserve.github.io/website/docs/model-serving/predictive-inference/frameworks/custom-predictor/custom-predictor."""

import argparse
from pathlib import Path

from kserve import Model, ModelServer, model_server

from model.prediction import Predictor


class NameClassifier(Model):
    """The predictor behind KServe's V1 protocol."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.load()

    def load(self) -> None:
        """Load the bundle."""
        self.predictor = Predictor.load(Path("artifacts"))
        self.ready = True

    def predict(self, payload, headers=None):  # noqa: ANN001, ANN201, ARG002 - KServe's signature
        """Answer one list of names."""
        answers = self.predictor.predict(payload["instances"], top_k=3)
        return {"predictions": [{"predictions": a.labels, "probabilities": a.log_probs} for a in answers]}


parser = argparse.ArgumentParser(parents=[model_server.parser])
args, _ = parser.parse_known_args()

if __name__ == "__main__":
    ModelServer().start([NameClassifier("names")])
