"""A bundle to answers: numpy and ONNX Runtime only. Knows no torch, no training and no HTTP."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Literal, Self

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from model.artifacts import Bundle, BundleMetadata, read_bundle
from model.calibration import change_prior
from model.constants import DEFAULT_TOP_K, ONNX_FILE, UNKNOWN_ID
from model.errors import BundleError, InvalidNameError, InvalidPriorError, InvalidTopKError
from model.utils import build_vocabulary, encode, fold, group_by_length, log_softmax

Prior = Literal["natural", "uniform"] | Mapping[str, float]
"""How frequent labels are taken to be: as in the training names, alike, or weights by label; others are ruled out."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """The most probable labels of one name with their natural-log probabilities, best first."""

    labels: tuple[str, ...]
    log_probs: tuple[float, ...]


class OnnxClassifier:
    """An ONNX network that maps token sequences to logits; grouped by length, so a batch equals its singles."""

    def __init__(self, onnx: bytes, *, threads: int = 1) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        try:
            self._session = onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # noqa: BLE001 - ONNX Runtime raises a dozen types of its own
            raise BundleError(f"{ONNX_FILE} cannot be loaded by ONNX Runtime ({type(error).__name__}).") from None
        self.n_labels: int = self._session.get_outputs()[0].shape[1]

    def compute_logits(self, sequences: Sequence[Sequence[int]]) -> NDArray[np.float64]:
        """Return logits (N, L) of N token sequences of any lengths."""
        logits = np.empty((len(sequences), self.n_labels), dtype=np.float64)
        for positions, ids in group_by_length(sequences):
            logits[positions] = self._session.run(None, {"ids": ids})[0]
        return logits


class Predictor:
    """Answers with the labels that names look like; safe to share between threads."""

    def __init__(self, bundle: Bundle, *, threads: int = 1) -> None:
        self.metadata: BundleMetadata = bundle.metadata
        self.labels = bundle.metadata.labels
        self.n_parameters = bundle.n_parameters
        self._vocabulary = build_vocabulary(bundle.metadata.characters)
        self._classifier = OnnxClassifier(bundle.files[ONNX_FILE], threads=threads)
        if self._classifier.n_labels != len(self.labels):
            raise BundleError(
                f"{ONNX_FILE} answers {self._classifier.n_labels} labels, the metadata {len(self.labels)}."
            )

    @classmethod
    def load(cls, directory: Path, *, threads: int = 1) -> Self:
        """Load a verified bundle; `threads` is how many cores one call may use.

        Raises:
            BundleError: the bundle is missing, incomplete, tampered with or of an unknown schema.
        """
        return cls(read_bundle(directory), threads=threads)

    def log_probs(self, names: Sequence[str], prior: Prior = "natural") -> NDArray[np.float64]:
        """Return calibrated natural-log probabilities (N, L), columns in the order of `labels`.

        Raises:
            InvalidNameError: a name is empty or too long.
            InvalidPriorError: as `predict` does.
        """
        return self.log_probs_of_ids([self.encode(name) for name in names], prior)

    def predict(self, names: Sequence[str], top_k: int | None = None, prior: Prior = "natural") -> list[Prediction]:
        """Return the top_k labels of each name, in the order of the names; by default three, or all if there are fewer.

        Labels that the prior rules out are not among them.

        Raises:
            InvalidNameError: a name is empty, too long, or holds no character that the model knows.
            InvalidTopKError: top_k is not between 1 and the number of labels.
            InvalidPriorError: a weight is negative or not finite, none is positive, or the model lacks a label.
        """
        if top_k is None:
            top_k = min(DEFAULT_TOP_K, len(self.labels))
        if not 1 <= top_k <= len(self.labels):
            raise InvalidTopKError(f"The number of predictions must be between 1 and {len(self.labels)}.")
        sequences = [self.encode(name) for name in names]
        if any(all(i == UNKNOWN_ID for i in ids[1:-1]) for ids in sequences):
            raise InvalidNameError("The name holds no character that occurs in the names the model was trained on.")
        log_probs = self.log_probs_of_ids(sequences, prior)
        if prior != "natural":
            top_k = min(top_k, int(np.count_nonzero(self._weights(prior))))
        best = np.argsort(-log_probs, axis=1, kind="stable")[:, :top_k]
        return [
            Prediction(tuple(self.labels[i] for i in ids), tuple(row[ids].tolist()))
            for ids, row in zip(best, log_probs, strict=True)
        ]

    def encode(self, name: str) -> list[int]:
        """Return a name's token ids: start, one per folded character, end. Raises InvalidNameError as `fold` does."""
        return encode(fold(name), self._vocabulary)

    def log_probs_of_ids(self, sequences: Sequence[Sequence[int]], prior: Prior = "natural") -> NDArray[np.float64]:
        """Return what `log_probs` does, of token ids."""
        log_probs = log_softmax(self._classifier.compute_logits(sequences) / self.metadata.temperature)
        if prior == "natural":
            return log_probs
        natural = np.maximum(self.metadata.prior, np.finfo(np.float64).tiny)  # a label may have had no name to train on
        return change_prior(log_probs, natural, self._weights(prior))

    def _weights(self, prior: Prior) -> NDArray[np.float64]:
        """Return a weight per label (L,)."""
        if isinstance(prior, str):
            return np.ones(len(self.labels))
        if not prior.keys() <= set(self.labels):
            raise InvalidPriorError(f"The prior names a label that the model lacks; it has: {', '.join(self.labels)}.")
        if not all(isfinite(weight) and weight >= 0 for weight in prior.values()) or not any(prior.values()):
            raise InvalidPriorError("The weights of a prior must be finite and not negative, and one must be positive.")
        return np.array([float(prior.get(label, 0)) for label in self.labels])
