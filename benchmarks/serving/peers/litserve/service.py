"""LitServe: https://lightning.ai/docs/litserve."""

import sys
from pathlib import Path

import litserve

from model.prediction import Predictor


class NameClassifier(litserve.LitAPI):
    """The predictor behind LitServe's hooks."""

    def setup(self, device):  # noqa: ANN001, ANN201, ARG002 - LitServe's signature
        """Load the bundle."""
        self.predictor = Predictor.load(Path("artifacts"))

    def decode_request(self, request):  # noqa: ANN001, ANN201
        """Take the name out of the body."""
        return request["name"]

    def predict(self, x):  # noqa: ANN001, ANN201
        """Answer one name."""
        return self.predictor.predict([x], top_k=3)[0]

    def encode_response(self, output):  # noqa: ANN001, ANN201
        """Put the answer into a body."""
        return {"predictions": output.labels, "probabilities": output.log_probs}


if __name__ == "__main__":
    server = litserve.LitServer(NameClassifier(), accelerator="cpu")
    server.run(host="127.0.0.1", port=int(sys.argv[1]), generate_client_file=False)
