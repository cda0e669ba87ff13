"""Predict labels from a bundle, with NumPy and ONNX Runtime alone."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import exp, log
from pathlib import Path
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray

from model.artifacts import Bundle, BundleMetadata, read_bundle
from model.calibration import change_prior, length_class
from model.constants import DEFAULT_TOP_K, END_ID, MAX_NAME_LENGTH, ONNX_FILE, START_ID, UNKNOWN_ID
from model.errors import BundleError, InvalidNameError, InvalidTopKError
from model.lexicon import Lexicon
from model.name_reader import NameReader
from model.onnx_network import OnnxClassifier
from model.priors import Prior, weigh_labels
from model.utils import is_letter, log_softmax, main_script, unmark

_FOREIGN_PENALTY = 10.0  # nats that a label loses on a name in a script of which it has no training name
Abstention = Literal["unfamiliar", "unknown characters"]
"""Why no label should be believed: it does not look like a name, or most of its letters cannot be read."""


@dataclass(frozen=True, slots=True)
class Prediction:
    """The most probable labels of one name with their natural-log probabilities, best first.

    Of an unfamiliar name they say what it would be if it were one; of unknown characters there are none.
    """

    labels: tuple[str, ...]
    log_probs: tuple[float, ...]
    abstained: Abstention | None = None
    familiarity: float | None = None
    """Logit of being a name at all; None if it cannot be read."""


class Predictor:
    """Answers with the labels that names look like; safe to share between threads."""

    def __init__(self, bundle: Bundle, *, threads: int = 1) -> None:
        """Take a bundle that was read; `load` takes a folder. Raises BundleError, or TypeError at what is no bundle."""
        if not isinstance(bundle, Bundle):
            raise TypeError("Predictor takes a bundle; Predictor.load(folder) reads one.")
        self.metadata: BundleMetadata = bundle.metadata
        self.labels = bundle.metadata.labels
        self.n_parameters = bundle.n_parameters
        self._reader = NameReader(bundle.metadata.characters, tuple(bundle.metadata.scripts))
        self.vocabulary = self._reader.vocabulary
        self._foreign = _foreign_labels(bundle.metadata)
        # most names are in a script of all labels, whose letters come first
        self._first_foreign = self._reader.first_id_of(frozenset(self._foreign))
        self._lexicon = Lexicon.of_bundle(bundle)
        self._classifier = OnnxClassifier(bundle.files[ONNX_FILE], threads=threads)
        self._scores_familiarity = bundle.metadata.schema_version > 1
        if self._classifier.n_outputs != len(self.labels) + self._scores_familiarity:
            raise BundleError(f"{ONNX_FILE} does not answer the {len(self.labels)} labels of the metadata.")
        self._classifier.check(_sequences_of_all(self.vocabulary))

    @classmethod
    def load(cls, directory: str | Path, *, threads: int = 1) -> Self:
        """Load a verified bundle; `threads` is how many cores one call may use.

        Raises:
            BundleError: the bundle is missing, incomplete, damaged or of an unknown schema.
        """
        return cls(read_bundle(Path(directory)), threads=threads)

    def log_probs(self, names: Sequence[str], prior: Prior = "natural", *, lexicon: bool = True) -> NDArray[np.float64]:
        """Return calibrated natural-log probabilities (N, L), columns in the order of `labels`.

        Without the lexicon they are what the network alone thinks, of any name as of one that no list holds: so names
        that were held out from training, which the lexicon lists too, are evaluated.

        Raises:
            InvalidNameError: a name is empty or too long.
            InvalidPriorError, TypeError: as `predict` does.
        """
        _check_names(names)
        texts = [self.read(name) for name in names]
        outputs = self._compute_outputs(texts) if lexicon else self._run_network(list(map(self._reader.encode, texts)))
        return self._apply_prior(self._calibrate(outputs), prior)

    def familiarity(self, names: Sequence[str], *, lexicon: bool = True) -> NDArray[np.float64]:
        """Return the logit (N,) of being a name at all; `metadata.abstention_threshold` parts names from others.

        Raises:
            InvalidNameError: a name is empty or too long.
            TypeError: as `predict` does.
        """
        _check_names(names)
        texts = [self.read(name) for name in names]
        outputs = self._run_network(list(map(self._reader.encode, texts)))
        rows = zip(texts, outputs[:, -1].tolist(), strict=True)
        return np.array([self._compare(text, familiarity, lexicon=lexicon) for text, familiarity in rows])

    def predict(self, names: Sequence[str], top_k: int | None = None, prior: Prior = "natural") -> list[Prediction]:
        """Return the top_k labels of each name, in the order of the names; by default three, or all if there are fewer.

        Labels that the prior rules out are not among them.

        Raises:
            InvalidNameError: a name is empty or too long.
            InvalidTopKError: top_k is not between 1 and the number of labels.
            InvalidPriorError: a weight is negative or not finite, none is positive, or the model lacks a label.
            TypeError: the names are one string.
        """
        _check_names(names)
        return self.predict_read([self.read(name) for name in names], top_k, prior)

    def predict_read(
        self, texts: Sequence[str], top_k: int | None = None, prior: Prior = "natural"
    ) -> list[Prediction]:
        """Return what `predict` does, of names as `read` gives them."""
        if top_k is None:
            top_k = min(DEFAULT_TOP_K, len(self.labels))
        if not 1 <= top_k <= len(self.labels):
            raise InvalidTopKError(f"The number of predictions must be between 1 and {len(self.labels)}.")
        if len(texts) == 1 and prior == "natural":
            return [self._predict_one(texts[0], top_k)]
        sequences = [self._reader.encode(text) for text in texts]
        outputs = self._compute_outputs(texts, sequences)
        log_probs = self._apply_prior(self._calibrate(outputs), prior)
        if prior != "natural":
            top_k = min(top_k, int(np.count_nonzero(weigh_labels(prior, self.labels))))
        best = np.argsort(-log_probs, axis=1, kind="stable")[:, :top_k]
        columns = (best.tolist(), np.take_along_axis(log_probs, best, axis=1).tolist(), outputs[:, -1].tolist())
        return [
            self._predict_from(label_ids, row, self._compare(text, familiarity))
            if self._is_readable(text, ids)
            else Prediction((), (), "unknown characters")
            for text, ids, label_ids, row, familiarity in zip(texts, sequences, *columns, strict=True)
        ]

    def predict_each(
        self, names: Sequence[str], top_k: int | None = None, prior: Prior = "natural"
    ) -> list[Prediction | str]:
        """Return the prediction of each name, or the sentence that says why it cannot be a name.

        Spellings of one name are predicted once. Raises as `predict` does, but for invalid names.
        """
        texts = [self._read_or_refuse(name) for name in names]
        places = {text: place for place, text in enumerate(dict.fromkeys(t for t, refusal in texts if not refusal))}
        predictions = self.predict_read(list(places), top_k, prior)
        return [refusal or predictions[places[text]] for text, refusal in texts]

    def _read_or_refuse(self, name: str) -> tuple[str, str]:
        """Return a name as the network reads it, or why it cannot be a name."""
        try:
            return self.read(name), ""
        except InvalidNameError as error:
            return "", str(error)

    def predict_label(self, name: str) -> str:
        """Return the most probable label. Raises InvalidNameError if most letters of the name are unknown."""
        labels = self.predict([name], top_k=1)[0].labels
        if not labels:
            raise InvalidNameError("Most letters of the name do not occur in the names the model was trained on.")
        return labels[0]

    def read(self, name: str) -> str:
        """Return a name as the network reads it: normalized, without frame and without marks it does not know.

        Where all training names are of one script, letters of others become those of this one.

        Raises:
            InvalidNameError: it is empty or too long, or a letter of it got lost on its way here.
        """
        return self._reader.read(name)

    def encode(self, name: str) -> list[int]:
        """Return a name's token ids: start, one per character that `read` gives, end. Raises as `fold` does."""
        return self._reader.encode(self.read(name))

    def log_probs_of_ids(self, sequences: Sequence[Sequence[int]], prior: Prior = "natural") -> NDArray[np.float64]:
        """Return what `log_probs` does, of token ids: what the network answers without the lexicon."""
        return self._apply_prior(self._calibrate(self._run_network(sequences)), prior)

    def _compute_outputs(self, texts: Sequence[str], sequences: Sequence[Sequence[int]] = ()) -> NDArray[np.float64]:
        """Return logits of the labels and of being a name (N, L + 1) of texts and their token ids."""
        outputs = self._run_network(sequences or [self._reader.encode(text) for text in texts])
        for row, text in zip(outputs, texts, strict=True):
            for label_ids, gains in self._lexicon.gains(unmark(text)):
                row[label_ids] += gains * self.metadata.temperature
        return outputs

    def _run_network(self, sequences: Sequence[Sequence[int]]) -> NDArray[np.float64]:
        """Return the same without the lexicon; a network without the last output knows all."""
        outputs = self._classifier.compute_outputs(sequences)
        for row, ids in zip(outputs, sequences, strict=True):
            if max(ids) >= self._first_foreign and (foreign := self._foreign.get(self._reader.script(ids))) is not None:
                row[foreign] -= _FOREIGN_PENALTY
        return outputs if self._scores_familiarity else np.pad(outputs, ((0, 0), (0, 1)), constant_values=np.inf)

    def _compare(self, text: str, familiarity: float, *, lexicon: bool = True) -> float:
        """Return a familiarity that can be compared with the threshold, whatever the script and length of the text."""
        threshold = self.metadata.abstention_threshold
        known, folded = self._reader.known, unmark(text)
        is_strange = not known.issuperset(text) and any(c not in known and not is_letter(c) for c in text)
        if is_strange and not (lexicon and folded in self._lexicon):
            return min(familiarity, threshold - 1)  # digits or symbols that next to no training name holds
        if offsets := self.metadata.familiarity_offsets.get(main_script(text)):
            familiarity -= offsets[length_class(len(text))]
        if lexicon and self._lexicon.lists_as_outlier(text):
            return min(familiarity, threshold - 1)
        if lexicon and threshold > familiarity >= threshold - self._lexicon.leniency(folded):
            return threshold
        return familiarity

    def _predict_one(self, text: str, top_k: int) -> Prediction:
        """Return what `predict` does under the natural prior; on the few numbers of one row, Python outruns numpy."""
        ids = self._reader.encode(text)
        if not self._is_readable(text, ids):
            return Prediction((), (), "unknown characters")
        *logits, familiarity = self._compute_outputs([text], [ids])[0].tolist()
        best = sorted(range(len(logits)), key=logits.__getitem__, reverse=True)[:top_k]
        temperature, largest = self.metadata.temperature, logits[best[0]]
        log_total = log(sum([exp((logit - largest) / temperature) for logit in logits]))
        log_probs = [(logits[i] - largest) / temperature - log_total for i in best]
        return self._predict_from(best, log_probs, self._compare(text, familiarity))

    def _is_readable(self, text: str, ids: Sequence[int]) -> bool:
        """Tell whether enough of a text's characters are known, or else the lexicon knows labels of it."""
        return self._reader.is_readable(text, ids) or any(len(found) for found, _ in self._lexicon.gains(unmark(text)))

    def _predict_from(self, label_ids: list[int], log_probs: list[float], familiarity: float) -> Prediction:
        abstained: Abstention | None = None if familiarity >= self.metadata.abstention_threshold else "unfamiliar"
        return Prediction(tuple([self.labels[i] for i in label_ids]), tuple(log_probs), abstained, familiarity)

    def _calibrate(self, outputs: NDArray[np.float64]) -> NDArray[np.float64]:
        return log_softmax(outputs[:, :-1] / self.metadata.temperature)

    def _apply_prior(self, log_probs: NDArray[np.float64], prior: Prior) -> NDArray[np.float64]:
        if prior == "natural":
            return log_probs
        natural = np.maximum(self.metadata.prior, np.finfo(np.float64).tiny)  # a label may have had no name to train on
        return change_prior(log_probs, natural, weigh_labels(prior, self.labels))


def _check_names(names: object) -> None:
    """Raise TypeError at one string, whose letters would pass for names."""
    if isinstance(names, (str, bytes)):
        raise TypeError("A list of names is wanted, not one name: put it into a list.")


def _foreign_labels(metadata: BundleMetadata) -> dict[int, NDArray[np.intp]]:
    """Return, by number of script, the ids of the labels that have no training name in it."""
    return {
        number: np.array([i for i, label in enumerate(metadata.labels) if label not in labels], dtype=np.intp)
        for number, labels in enumerate(metadata.scripts.values())
        if len(labels) < len(metadata.labels)
    }


def _sequences_of_all(vocabulary: Mapping[str, int]) -> list[list[int]]:
    """Return token sequences, no longer than names are, that hold every token."""
    ids = [UNKNOWN_ID, *vocabulary.values()]
    return [[START_ID, *ids[i : i + MAX_NAME_LENGTH], END_ID] for i in range(0, len(ids), MAX_NAME_LENGTH)]
