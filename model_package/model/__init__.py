"""A classifier for names and other short strings: data, training, bundle, prediction. Knows nothing of HTTP."""

__version__ = "0.1.0"
