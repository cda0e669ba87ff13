"""CSV, NDJSON and Open Inference Protocol tensors: bytes to names, predictions to bytes."""
