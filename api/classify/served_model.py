"""The model that is served: a bundle that was read, verified, warmed and checked.

A request takes `ModelHost.current` once and answers wholly by it, whatever replaces it meanwhile.
"""

import logging
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import onnxruntime
import safetensors.numpy

from api.classify.bundle_state import BundleState, read_state
from api.classify.workers import Pause
from api.observability.metrics import Metrics
from model.artifacts import read_bundle
from model.constants import END_ID, FIRST_CHARACTER_ID, MAX_NAME_LENGTH, ONNX_FILE, START_ID, UNKNOWN_ID, WEIGHTS_FILE
from model.errors import BundleError
from model.explain.similar_names import SimilarNames
from model.prediction import Predictor

logger = logging.getLogger("api")

_VERSION = re.compile(r"[\w.+-]{1,64}", re.ASCII)
"""What may stand in a header."""
_FATAL = 4


@dataclass(frozen=True)
class ServedModel:
    """A verified bundle, ready to answer, and the state in which its files were read."""

    predictor: Predictor
    similar: SimilarNames
    state: BundleState

    @property
    def version(self) -> str:
        """The version that every answer names."""
        return self.predictor.metadata.version

    @classmethod
    def load(cls, path: Path, *, threads: int, fallback: Path | None = None) -> Self:
        """Load a bundle, or a store's champion, and answer with it, so that the first request is not the slow one.

        `fallback` is the bundle in the place of one that is not there yet.

        Raises:
            BundleError: the bundle is missing, incomplete, damaged or of an unknown schema, or cannot answer.
        """
        onnxruntime.set_default_logger_severity(_FATAL)  # what goes wrong is raised too, and its lines are no JSON
        try:
            state = read_state(path, fallback)  # before the files are read, so that no change is missed
            bundle = read_bundle(state.folder)
            _check_version(bundle.metadata.version)
            safetensors.numpy.load(bundle.files[WEIGHTS_FILE])  # not served, but a bundle is whole or none
            predictor = Predictor(bundle, threads=threads)
            _check(predictor)
            return cls(predictor, SimilarNames.from_bundle(bundle), state)
        except BundleError:
            raise
        except Exception as error:
            raise BundleError(f"{path} cannot be loaded: {type(error).__name__}.") from error


class ModelHost:
    """Holds the served model: what is at the path, and the fallback until something has been there."""

    def __init__(self, path: Path, *, threads: int, metrics: Metrics, fallback: Path | None = None) -> None:
        self.path = path
        self.pause = Pause()
        """Held while two models are in memory: what many names at once take comes on top of both."""
        self._fallback = fallback
        self._threads = threads
        self._metrics = metrics
        self._serve(ServedModel.load(path, threads=threads, fallback=fallback))

    def read_state(self) -> BundleState:
        """Return the state of what is to be served now. Raises as `bundle_state.read_state` does."""
        return read_state(self.path, self._fallback)

    def reload(self) -> None:
        """Serve what is at the path now, as warm as the model before; may be called in any thread.

        Raises as `ServedModel.load` does; the model before then goes on.
        """
        with self.pause.held():
            served = ServedModel.load(self.path, threads=self._threads, fallback=self._fallback)
            if self.current.similar.is_warm:
                served.similar.warm()
            self._serve(served)

    def _serve(self, served: ServedModel) -> None:
        self.current = served
        if served.state.folder != self._fallback:
            self._fallback = None  # a store that vanishes must not bring an old model back
        metadata = served.predictor.metadata
        self._metrics.describe_model(metadata.version, metadata.architecture, served.predictor.labels)
        logger.info("model loaded", extra={"version": metadata.version, "labels": len(metadata.labels)})


def _check_version(version: str) -> None:
    if not _VERSION.fullmatch(version):
        raise BundleError("A version has 1 to 64 letters, digits, dots, dashes, underscores and plus signs.")


def _check(predictor: Predictor) -> None:
    """Run the network on every character. Raises BundleError if it fails, or answers anything but L finite numbers."""
    probes = _probes(len(predictor.metadata.characters))
    try:
        with np.errstate(all="ignore"):  # what is no number is looked for below
            singles = np.array([predictor.log_probs_of_ids([ids])[0] for ids in probes])
            batch = predictor.log_probs_of_ids(probes)
            familiarity = predictor.familiarity(["a"])
    except Exception as error:
        raise BundleError(f"{ONNX_FILE} cannot be run: {type(error).__name__}.") from error
    if singles.shape != (len(probes), len(predictor.labels)):
        raise BundleError(f"{ONNX_FILE} does not answer with one number a label.")
    judges_familiarity = predictor.metadata.schema_version > 1  # before, every name was familiar: infinitely so
    if not np.isfinite(singles).all() or (judges_familiarity and not np.isfinite(familiarity).all()):
        raise BundleError(f"{ONNX_FILE} answers with what is no number.")
    if not np.allclose(singles, batch, atol=1e-3):
        raise BundleError(f"{ONNX_FILE} answers names together otherwise than one by one.")


def _probes(n_characters: int) -> Sequence[Sequence[int]]:
    """Return token sequences that hold every character; of the first three, two have the same length."""
    known = range(FIRST_CHARACTER_ID, FIRST_CHARACTER_ID + n_characters)
    parts = [known[start : start + MAX_NAME_LENGTH] for start in range(0, n_characters, MAX_NAME_LENGTH)]
    return [[START_ID, *part, END_ID] for part in ([UNKNOWN_ID], known[:1], known[:2], *parts)]
