"""A model of MLflow's python_function: https://mlflow.org/docs/latest/ml/model/python_model.

This saves it; `mlflow models serve` serves it.
"""

import sys
from pathlib import Path

import mlflow

from model.prediction import Predictor


class NameClassifier(mlflow.pyfunc.PythonModel):
    """The predictor behind MLflow's scoring server."""

    def load_context(self, context):  # noqa: ANN001, ANN201, ARG002 - MLflow's signature
        """Load the bundle."""
        self.predictor = Predictor.load(Path("artifacts"))

    def predict(self, context, model_input: list[str], params=None):  # noqa: ANN001, ANN201, ARG002
        """Answer a list of names."""
        answers = self.predictor.predict(model_input, top_k=3)
        return [{"predictions": list(a.labels), "probabilities": list(a.log_probs)} for a in answers]


if __name__ == "__main__":
    mlflow.pyfunc.save_model(sys.argv[1], python_model=NameClassifier())
