"""Predict labels from a bundle, with NumPy and ONNX Runtime alone."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from math import exp, inf, isfinite, log
from pathlib import Path
from typing import Literal, Self

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from model.artifacts import Bundle, BundleMetadata, read_bundle
from model.calibration import change_prior, length_class
from model.constants import (
    DEFAULT_TOP_K,
    END_ID,
    FIRST_CHARACTER_ID,
    MAX_NAME_LENGTH,
    ONNX_FILE,
    START_ID,
    UNKNOWN_ID,
)
from model.errors import BundleError, InvalidNameError, InvalidPriorError, InvalidTopKError
from model.frames import unframe
from model.name_set import NameSet
from model.utils import (
    build_vocabulary,
    encode,
    is_letter,
    is_readable,
    log_softmax,
    main_script,
    normalize,
    pad,
    script_of,
    transliterate,
    unmark,
)

Prior = Literal["natural", "uniform"] | Mapping[str, float]
"""How frequent labels are taken to be: as in the training names, alike, or weights by label; others are ruled out."""

_EXTERNAL_DATA = b"\x0a\x08location"  # the key of every tensor that ONNX keeps in another file, as protobuf writes it
_REPLACEMENT = "\ufffd"
_FOREIGN_PENALTY = 10.0  # nats that a label loses on a name in a script of which it has no training name
_SHORTEST_CLASS = 15  # lengths up to 16 share a call, then those up to 32, 64 and 128
_MAX_BATCH_ROWS = 32  # of one call: more are hardly faster a name, and ONNX Runtime keeps the memory that they take

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


class OnnxClassifier:
    """An ONNX network of token sequences; a batch equals its singles.

    A network that takes `lengths` runs sequences of similar lengths together, padded; another one those of one length.
    """

    def __init__(self, onnx: bytes, *, threads: int = 1) -> None:
        """Load a network; raise BundleError if ONNX Runtime refuses it, or it is not of token ids (B, T) to (B, O)."""
        if _EXTERNAL_DATA in onnx:
            raise BundleError(f"{ONNX_FILE} keeps weights in another file, which no hash covers.")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        options.enable_mem_pattern = False  # one a shape: with names of any length and number, memory that only grows
        try:
            self._session = onnxruntime.InferenceSession(onnx, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # noqa: BLE001 - ONNX Runtime raises a dozen types of its own
            raise BundleError(f"{ONNX_FILE} cannot be loaded by ONNX Runtime ({type(error).__name__}).") from None
        self._session._model_bytes = None  # noqa: SLF001 - the whole file, kept for another provider; there is one
        self._outputs = [node.name for node in self._session.get_outputs()]
        self._takes_lengths = len(self._session.get_inputs()) > 1
        self.n_outputs = self._count_outputs()

    def _count_outputs(self) -> int:
        inputs = [node.name for node in self._session.get_inputs()]
        shapes = {node.name: node.shape for node in self._session.get_outputs()}
        match inputs, [(name, *shape) for name, shape in shapes.items()]:
            case ["ids"] | ["ids", "lengths"], [("outputs" | "logits", _, int(n_outputs))]:  # logits: in schema 1
                return n_outputs
        raise BundleError(
            f"{ONNX_FILE} does not map ids (batch, length), and perhaps their lengths, to outputs (batch, labels)."
        )

    def check(self, sequences: Sequence[Sequence[int]]) -> None:
        """Run each sequence by itself; raise BundleError unless outputs are finite numbers of the declared shape."""
        for ids in sequences:
            try:
                outputs = self._run([ids])
            except Exception as error:  # noqa: BLE001 - as above
                raise BundleError(f"{ONNX_FILE} cannot be run by ONNX Runtime ({type(error).__name__}).") from None
            if outputs.shape != (1, self.n_outputs) or outputs.dtype.kind != "f" or not np.isfinite(outputs).all():
                raise BundleError(f"{ONNX_FILE} does not answer with a finite number for each label.")

    def compute_outputs(self, sequences: Sequence[Sequence[int]]) -> NDArray[np.float64]:
        """Return outputs (N, L + 1) of N token sequences of any lengths: logits of the labels, and of being a name."""
        if len(sequences) == 1:
            return self._run(sequences)
        outputs = np.empty((len(sequences), self.n_outputs), dtype=np.float64)
        for positions in self._batches(sequences):
            outputs[positions] = self._run([sequences[i] for i in positions])
        return outputs

    def _batches(self, sequences: Sequence[Sequence[int]]) -> Iterator[list[int]]:
        """Yield the positions of the sequences that one call takes."""
        lengths = [len(ids) for ids in sequences]
        order = sorted(range(len(lengths)), key=lengths.__getitem__)
        for _, group in groupby(order, lambda i: self._length_class(lengths[i])):
            positions = list(group)
            for start in range(0, len(positions), _MAX_BATCH_ROWS):
                yield positions[start : start + _MAX_BATCH_ROWS]

    def _length_class(self, length: int) -> int:
        """Return what lengths of one call have in common; at worst, padding doubles what a sequence costs."""
        return max(_SHORTEST_CLASS, length - 1).bit_length() if self._takes_lengths else length

    def _run(self, sequences: Sequence[Sequence[int]]) -> NDArray[np.float64]:
        ids, lengths = pad(sequences)
        feed = {"ids": ids, "lengths": lengths} if self._takes_lengths else {"ids": ids}
        outputs: NDArray[np.float64] = self._session.run(self._outputs, feed)[0]
        return outputs


class Predictor:
    """Answers with the labels that names look like; safe to share between threads."""

    def __init__(self, bundle: Bundle, *, threads: int = 1) -> None:
        """Take a bundle that was read; `load` takes a folder. Raises BundleError, or TypeError at what is no bundle."""
        if not isinstance(bundle, Bundle):
            raise TypeError("Predictor takes a bundle; Predictor.load(folder) reads one.")
        self.metadata: BundleMetadata = bundle.metadata
        self.labels = bundle.metadata.labels
        self.n_parameters = bundle.n_parameters
        self.vocabulary = build_vocabulary(bundle.metadata.characters, tuple(bundle.metadata.scripts))
        self._known = frozenset(self.vocabulary)
        self._foreign = _foreign_labels(bundle.metadata)
        self._script_ids = _script_ids(bundle.metadata)
        # most names are in a script of all labels, whose letters come first
        self._first_foreign = min((i for i, s in enumerate(self._script_ids) if s in self._foreign), default=inf)
        self._training_names = NameSet.of_bundle(bundle)
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

    def log_probs(self, names: Sequence[str], prior: Prior = "natural") -> NDArray[np.float64]:
        """Return calibrated natural-log probabilities (N, L), columns in the order of `labels`.

        Raises:
            InvalidNameError: a name is empty or too long.
            InvalidPriorError, TypeError: as `predict` does.
        """
        _check_names(names)
        return self.log_probs_of_ids([self.encode(name) for name in names], prior)

    def familiarity(self, names: Sequence[str]) -> NDArray[np.float64]:
        """Return the logit (N,) of being a name at all; `metadata.abstention_threshold` parts names from others.

        Raises:
            InvalidNameError: a name is empty or too long.
            TypeError: as `predict` does.
        """
        _check_names(names)
        texts = [self.read(name) for name in names]
        outputs = self._compute_outputs([encode(text, self.vocabulary) for text in texts])
        rows = zip(texts, outputs[:, -1].tolist(), strict=True)
        return np.array([self._compare(text, familiarity) for text, familiarity in rows])

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
        sequences = [encode(text, self.vocabulary) for text in texts]
        outputs = self._compute_outputs(sequences)
        log_probs = self._apply_prior(self._calibrate(outputs), prior)
        if prior != "natural":
            top_k = min(top_k, int(np.count_nonzero(self._weights(prior))))
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
        if _REPLACEMENT in name:
            raise InvalidNameError("A letter of the name is lost: it holds the replacement character U+FFFD.")
        text = unframe(normalize(name))
        if self._known.issuperset(text):
            return text
        if not self.metadata.scripts:
            return transliterate(unmark(text), self.vocabulary)
        try:
            return "".join([self._spell(character) for character in text])
        except InvalidNameError:  # it would be too long
            return text

    def _spell(self, character: str) -> str:
        """Return a known character as it is, another without its marks if that makes it one."""
        if character in self._known or not character.isalpha():
            return character
        bare = unmark(character)
        return bare if self._known.issuperset(bare) else character

    def encode(self, name: str) -> list[int]:
        """Return a name's token ids: start, one per character that `read` gives, end. Raises as `fold` does."""
        return encode(self.read(name), self.vocabulary)

    def log_probs_of_ids(self, sequences: Sequence[Sequence[int]], prior: Prior = "natural") -> NDArray[np.float64]:
        """Return what `log_probs` does, of token ids."""
        return self._apply_prior(self._calibrate(self._compute_outputs(sequences)), prior)

    def _compute_outputs(self, sequences: Sequence[Sequence[int]]) -> NDArray[np.float64]:
        """Return logits of the labels and of being a name (N, L + 1); a network without the latter knows all."""
        outputs = self._classifier.compute_outputs(sequences)
        for row, ids in zip(outputs, sequences, strict=True):
            if max(ids) >= self._first_foreign and (foreign := self._foreign.get(self._script(ids))) is not None:
                row[foreign] -= _FOREIGN_PENALTY
        return outputs if self._scores_familiarity else np.pad(outputs, ((0, 0), (0, 1)), constant_values=np.inf)

    def _is_readable(self, text: str, ids: Sequence[int]) -> bool:
        # most names are letters and spaces alone, all known
        return (UNKNOWN_ID not in ids and text.replace(" ", "").isalpha()) or is_readable(text, self.vocabulary)

    def _script(self, ids: Sequence[int]) -> int:
        """Return the number of the script of most letters of token ids (T,), or -1."""
        found = [script for i in ids if (script := self._script_ids[i]) >= 0]
        return max(set(found), key=found.count) if found else -1

    def _compare(self, text: str, familiarity: float) -> float:
        """Return a familiarity that can be compared with the threshold, whatever the script and length of the text."""
        threshold = self.metadata.abstention_threshold
        if not self._known.issuperset(text) and any(c not in self._known and not is_letter(c) for c in text):
            return min(familiarity, threshold - 1)  # digits or symbols that no training name holds
        if offsets := self.metadata.familiarity_offsets.get(main_script(text)):
            familiarity -= offsets[length_class(len(text))]
        if familiarity < threshold and all(word in self._training_names for word in unmark(text).split()):
            return threshold
        return familiarity

    def _predict_one(self, text: str, top_k: int) -> Prediction:
        """Return what `predict` does under the natural prior; on the few numbers of one row, Python outruns numpy."""
        ids = encode(text, self.vocabulary)
        if not self._is_readable(text, ids):
            return Prediction((), (), "unknown characters")
        *logits, familiarity = self._compute_outputs([ids])[0].tolist()
        best = sorted(range(len(logits)), key=logits.__getitem__, reverse=True)[:top_k]
        temperature, largest = self.metadata.temperature, logits[best[0]]
        log_total = log(sum([exp((logit - largest) / temperature) for logit in logits]))
        log_probs = [(logits[i] - largest) / temperature - log_total for i in best]
        return self._predict_from(best, log_probs, self._compare(text, familiarity))

    def _predict_from(self, label_ids: list[int], log_probs: list[float], familiarity: float) -> Prediction:
        abstained: Abstention | None = None if familiarity >= self.metadata.abstention_threshold else "unfamiliar"
        return Prediction(tuple([self.labels[i] for i in label_ids]), tuple(log_probs), abstained, familiarity)

    def _calibrate(self, outputs: NDArray[np.float64]) -> NDArray[np.float64]:
        return log_softmax(outputs[:, :-1] / self.metadata.temperature)

    def _apply_prior(self, log_probs: NDArray[np.float64], prior: Prior) -> NDArray[np.float64]:
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


def _script_ids(metadata: BundleMetadata) -> list[int]:
    """Return the number of the script of each token id, or -1."""
    numbers = {script: number for number, script in enumerate(metadata.scripts)}
    of_characters = [numbers.get(script_of(character), -1) for character in metadata.characters]
    return [*[-1] * FIRST_CHARACTER_ID, *of_characters, *numbers.values()]


def _sequences_of_all(vocabulary: Mapping[str, int]) -> list[list[int]]:
    """Return token sequences, no longer than names are, that hold every token."""
    ids = [UNKNOWN_ID, *vocabulary.values()]
    return [[START_ID, *ids[i : i + MAX_NAME_LENGTH], END_ID] for i in range(0, len(ids), MAX_NAME_LENGTH)]
