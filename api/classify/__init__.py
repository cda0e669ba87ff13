"""The use case: names and options to answers. Batching, the served model and its replacement."""
