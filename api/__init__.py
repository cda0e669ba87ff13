"""The HTTP service. Calls the prediction side of `model`; knows no torch and no training."""
