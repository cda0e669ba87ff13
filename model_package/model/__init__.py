"""A classifier for names and other short strings: data, training, bundle, prediction."""

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from model.prediction import Predictor

# ONNX Runtime 1.29 and newer report to their maker unless this stands before the first import.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__all__ = ["Predictor", "__version__"]
__version__ = "0.1.0"


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever is exported
    """Import `Predictor` on first use, so that `import model` itself stays cheap."""
    if name == "Predictor":
        from model.prediction import Predictor

        return Predictor
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
