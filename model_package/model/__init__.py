"""A classifier for names and other short strings: data, training, bundle, prediction."""

import os

# ONNX Runtime 1.29 and newer report to their maker unless this stands before the first import.
os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")

__version__ = "0.1.0"
