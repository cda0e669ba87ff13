"""Export a trained network to a bundle: safetensors, ONNX, proof that the two agree, report."""

import importlib.metadata
import inspect
import os
import platform
import subprocess
import tempfile
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path

import numpy as np
import safetensors.torch
import torch
from numpy.typing import NDArray
from torch import nn

from model import __version__
from model.artifacts import Bundle, BundleMetadata, DataIdentity, read_bundle, write_bundle
from model.calibration import fit_abstention_threshold, fit_familiarity_offsets, fit_temperature
from model.classifier import ClassifierConfig, build_classifier
from model.constants import (
    KNOWN_FILE,
    LONG_PARITY_TOLERANCE,
    MAX_NAME_LENGTH,
    ONNX_FILE,
    PARITY_TOLERANCE,
    SCHEMA_VERSION,
    SIMILAR_FILE,
    START_ID,
    WEIGHTS_FILE,
)
from model.data.batches import SamplingConfig
from model.data.composition import ORDERS, compose, slices
from model.data.dataset import Dataset
from model.data.outliers import held_out_outliers
from model.data.splitting import Split
from model.errors import BundleError, ConfigError, ParityError
from model.evaluation.metrics import evaluate
from model.evaluation.report import build_report
from model.explain.similar_names import build_index
from model.lexicon import Lexicon
from model.name_reader import NameReader
from model.networks.inference import compute_outputs
from model.networks.modules import LinearNetwork
from model.onnx_network import OnnxClassifier
from model.prediction import Predictor
from model.training import TrainingResult
from model.utils import build_vocabulary, encode, log_softmax, main_script, unmark

_PARITY_NAMES_PER_LENGTH = 20


def save_bundle(directory: Path, result: TrainingResult, split: Split, data: DataIdentity) -> BundleMetadata:
    """Export a trained network, prove the export, evaluate it on the held-out names, write the bundle whole.

    Raises:
        ParityError: torch and ONNX Runtime disagree; nothing is written.
        BundleError: the folder cannot be written.
    """
    onnx = export_onnx(result.classifier)
    check_parity(result, onnx, split.test.spellings)
    reader = NameReader(result.characters, tuple(result.scripts))
    files = {
        WEIGHTS_FILE: safetensors.torch.save(result.classifier.state_dict()),
        ONNX_FILE: onnx,
        SIMILAR_FILE: build_index(split.train.labels, split.train.names, split.train.label_ids),
        KNOWN_FILE: _build_lexicon(split, result.training_config, reader).to_bytes(),
    }
    logits = result.validation_outputs[:, :-1]
    names = _names_to_recognise(split)
    familiarity = _compute_familiarity(result, names)
    label_weights = _label_weights(split.train, result.training_config.emphasis)
    metadata = BundleMetadata(
        schema_version=SCHEMA_VERSION,
        version=sha256(files[WEIGHTS_FILE] + files[KNOWN_FILE]).hexdigest()[:12],  # both decide what is answered
        created_at=datetime.now(UTC).replace(microsecond=0),
        git_commit=find_commit(),
        architecture=result.config.architecture,
        config=asdict(result.config),
        training=asdict(result.training_config)
        | {"language_model_share": result.language_model_share}
        | {"best_epoch": result.best_epoch, "epochs": [asdict(epoch) for epoch in result.epochs]},
        labels=split.train.labels,
        characters=result.characters,
        scripts=result.scripts,
        familiarity_offsets=fit_familiarity_offsets(familiarity, list(map(main_script, names)), list(map(len, names))),
        prior=tuple((label_weights / label_weights.sum()).tolist()),
        temperature=fit_temperature(logits, split.validation.label_ids),
        abstention_threshold=fit_abstention_threshold(familiarity),
        metrics={},
        data=data,
        libraries=_library_versions(),
    )
    predictor = Predictor(Bundle(metadata, files))
    metadata = metadata.model_copy(update={"metrics": _held_out_metrics(predictor, split)})
    write_bundle(
        directory, metadata, files | build_report(predictor, slices(split), held_out_outliers(split, result.characters))
    )
    return metadata


def _names_to_recognise(split: Split) -> list[str]:
    """Return validation names, and given and full names of their parts, by which familiarity is judged."""
    names = [*split.validation.spellings]
    if split.given and len(split.given.validation):
        given, rng = split.given.validation, np.random.default_rng(0)
        names += given.spellings
        for order in ORDERS:
            names += compose(given, split.validation, np.arange(len(split.validation)), order, rng).spellings
    return names


def _compute_familiarity(result: TrainingResult, names: Sequence[str]) -> NDArray[np.float64]:
    vocabulary = build_vocabulary(result.characters, tuple(result.scripts))
    sequences = [encode(name, vocabulary) for name in names]
    return compute_outputs(result.classifier, sequences, result.config.n_outputs)[:, -1]


def _build_lexicon(split: Split, config: SamplingConfig, reader: NameReader) -> Lexicon:
    """Return the lexicon of everything that the data lists, held out or not, as names are read when they are looked up.

    Names and their variants are met as often as training would see them.
    """
    groups = [(split, 1.0)]
    if split.given:
        groups.append((split.given, config.given_names * _count(split) / _count(split.given)))
    parts = [(part, share) for group, share in groups for part in (group.train, group.validation, group.test)]
    parts += [(part.all_variants(), share * config.variants) for part, share in parts]
    parts = [(part, share) for part, share in parts if len(part)]
    return Lexicon.build(
        [unmark(reader.read_normalized(name)) for part, _ in parts for name in part.names],
        np.concatenate([part.label_ids for part, _ in parts]),
        np.concatenate([share * part.weights(config.emphasis) for part, share in parts]),
        [reader.read_normalized(text) for texts in split.outliers for text in texts],
    )


def _count(split: Split) -> int:
    return len(split.train) + len(split.validation) + len(split.test)


def _label_weights(train: Dataset, emphasis: float) -> NDArray[np.float64]:
    """Return what the names of each label (L,) weigh: those of the most common script, if all labels have some."""
    weights, n_labels = train.weights(emphasis), len(train.labels)
    common = Counter(train.scripts).most_common(1)[0][0]
    in_common = np.array([script == common for script in train.scripts])
    if not np.bincount(train.label_ids, in_common, minlength=n_labels).all():
        in_common[:] = True
    return np.asarray(np.bincount(train.label_ids, weights * in_common, minlength=n_labels), dtype=np.float64)


def load_classifier(directory: Path) -> nn.Module:
    """Build the torch network of a verified bundle, in evaluation mode.

    Raises:
        BundleError: as `read_bundle` does; its network cannot be built any more, or the weights are not its own.
    """
    bundle = read_bundle(directory)
    try:
        classifier = build_classifier(ClassifierConfig(**bundle.metadata.config))
        weights = safetensors.torch.load(bundle.files[WEIGHTS_FILE])
        if torch.int8 in {tensor.dtype for tensor in weights.values()}:
            for module in classifier.modules():
                if isinstance(module, LinearNetwork):
                    module.compress()
        classifier.load_state_dict(weights)
    except (ConfigError, TypeError, RuntimeError):  # torch raises the latter for other shapes
        raise BundleError(f"{directory} holds a network that this version cannot build; train it again.") from None
    return classifier.eval()


def export_onnx(classifier: nn.Module) -> bytes:
    """Return the network as ONNX: int64 ids (batch, length) to float64 outputs (batch, labels + 1).

    A network whose forward has `lengths` gets a second input for them, int64 (batch,).
    """
    takes_lengths = "lengths" in inspect.signature(classifier.forward).parameters
    names = ["ids", "lengths"] if takes_lengths else ["ids"]
    examples = (torch.full((2, 3), START_ID), torch.tensor([3, 2]))
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        # torch calls this exporter the older one; its newer one fixes a recurrent layer's length to the example's.
        warnings.simplefilter("ignore")
        path = Path(folder, ONNX_FILE)
        torch.onnx.export(
            classifier.eval(),
            examples[: len(names)],
            path,
            dynamo=False,
            input_names=names,
            output_names=["outputs"],
            dynamic_axes={"ids": {0: "batch", 1: "length"}, "lengths": {0: "batch"}, "outputs": {0: "batch"}},
        )
        return path.read_bytes()


def check_parity(result: TrainingResult, onnx: bytes, names: Sequence[str]) -> None:
    """Check parity on the folded names, and on 20 names of each length that a request may have, put together from them.

    Raises:
        ParityError: it is over PARITY_TOLERANCE, or over LONG_PARITY_TOLERANCE on what was put together.
    """
    put_together = list(_names_of_every_length(names))
    for checked, tolerance in ((names, PARITY_TOLERANCE), (put_together, LONG_PARITY_TOLERANCE)):
        difference = measure_parity(
            result.classifier, onnx, build_vocabulary(result.characters, tuple(result.scripts)), checked
        )
        if not difference <= tolerance:
            raise ParityError(
                f"torch and ONNX Runtime differ by {difference:.1e} in log-probability; nothing was written."
            )


def measure_parity(classifier: nn.Module, onnx: bytes, vocabulary: Mapping[str, int], names: Sequence[str]) -> float:
    """Return the largest difference between torch and ONNX Runtime, relative where a figure is over 1 in size.

    float32 holds about seven digits of a state, so the log-probability of an absurd label may differ in the fifth.
    """
    sequences = [encode(name, vocabulary) for name in names]
    exported = OnnxClassifier(onnx)
    expected = _to_comparable(compute_outputs(classifier, sequences, exported.n_outputs))
    actual = _to_comparable(exported.compute_outputs(sequences))
    return float((np.abs(expected - actual) / np.maximum(1, np.abs(expected))).max())


def _to_comparable(outputs: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return log-probabilities of labels and the logit of being a name (N, L + 1)."""
    return np.column_stack([log_softmax(outputs[:, :-1]), outputs[:, -1]])


def _names_of_every_length(names: Sequence[str]) -> Iterator[str]:
    rng = np.random.default_rng(0)
    for length in range(1, MAX_NAME_LENGTH + 1):
        for _ in range(_PARITY_NAMES_PER_LENGTH):
            # a folded name has at least one character, so this many reach the length
            yield " ".join(names[i] for i in rng.integers(len(names), size=length))[:length]


def _held_out_metrics(predictor: Predictor, split: Split) -> dict[str, dict[str, float]]:
    return {
        part: asdict(evaluate(predictor.log_probs(dataset.spellings, lexicon=False), dataset.label_ids, dataset.labels))
        for part, dataset in (("validation", split.validation), ("test", split.test))
    }


def _library_versions() -> dict[str, str]:
    packages = ("numpy", "onnxruntime", "safetensors", "torch")
    versions = {name: importlib.metadata.version(name) for name in packages}
    return {"python": platform.python_version(), "model": __version__} | versions


def find_commit() -> str | None:
    """Return the commit of the working folder, marked if the tree differs from it; outside a repository, GIT_COMMIT."""
    try:
        described = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=40", "--exclude=*"],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
    except (OSError, subprocess.CalledProcessError):
        return os.environ.get("GIT_COMMIT") or None
    return described.stdout.strip()
