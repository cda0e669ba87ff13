"""Every error that this package raises on purpose.

ModelError
├── DataError              the folder of names cannot be used; the sentence says which file and why
├── BundleError            a bundle is missing, incomplete, damaged or of an unknown schema
│   ├── ParityError        torch and ONNX Runtime disagree, so nothing was exported
│   └── StoreError         a store of bundles lacks what is asked of it, is damaged, or cannot be written
├── GateError              a version falls short of the champion, so it was not promoted
├── PipelineError          a run of the pipeline cannot go on; what stands in its way may pass
├── TraceError             where a request was answered from cannot be told
├── TrackingError          MLflow lacks a record; bundle and store have it
├── ConfigError            a training or architecture setting is out of range
└── PredictionError        one request cannot be answered
    ├── InvalidNameError   the name is empty, too long, or holds nothing that the model knows
    ├── InvalidTopKError   more or fewer answers are asked for than there can be
    ├── InvalidPriorError  a weight cannot be one, or is of a label that the model lacks
    └── UnknownLabelError  the model has no such label

Messages never quote a name: they end up in logs and in answers.
"""


class ModelError(Exception):
    """Base of all errors here; its message is one sentence for a person."""


class DataError(ModelError):
    """The folder of names cannot be used."""


class BundleError(ModelError):
    """A bundle is missing, incomplete, damaged or of an unknown schema."""


class ParityError(BundleError):
    """The exported network does not compute what the trained one does."""


class StoreError(BundleError):
    """A store of bundles lacks what is asked of it, is damaged, or cannot be written."""


class GateError(ModelError):
    """A version falls short of the champion."""


class PipelineError(ModelError):
    """A run of the pipeline cannot go on; what stands in its way may pass."""


class TraceError(ModelError):
    """Where a request was answered from cannot be told."""


class TrackingError(ModelError):
    """MLflow lacks a record that the store has."""


class ConfigError(ModelError):
    """A training or architecture setting is out of range."""


class PredictionError(ModelError):
    """One request cannot be answered."""


class InvalidNameError(PredictionError):
    """The name is empty, too long, or holds nothing that the model knows."""


class InvalidTopKError(PredictionError):
    """More or fewer answers are asked for than there can be."""


class InvalidPriorError(PredictionError):
    """A weight cannot be one, or is of a label that the model lacks."""


class UnknownLabelError(PredictionError):
    """The model has no such label."""
