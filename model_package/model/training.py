"""Fit a network to a split; returns the result and writes nothing."""

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from typing import get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from model.classifier import ClassifierConfig, Shape, build_classifier
from model.constants import MIN_SCRIPT_COUNT
from model.data.batches import NO_LABEL, Batch, BatchSampler, SamplingConfig
from model.data.dataset import Dataset
from model.data.splitting import Split
from model.errors import ConfigError
from model.networks.blending import blend
from model.networks.devices import Device, find_device, on_device
from model.networks.inference import compute_outputs
from model.networks.language_model import LanguageModel
from model.networks.modules import LinearNetwork, WideNetwork
from model.networks.optimiser import Optimiser
from model.token_sequences import TokenSequences
from model.utils import Ids, build_vocabulary, log_softmax

_EPOCHS = (3, 8)  # the least and the most, unless it is set
_NAMES_OF_MOST_EPOCHS = 85_000
_MAX_COUNTED = 1_000_000  # names, by the language models
_MAX_SETTING = 1e6  # of a setting; nan and infinity are none


@dataclass(frozen=True)
class TrainingConfig(SamplingConfig):
    """How to fit, and on what; `Shape` says what to fit."""

    epochs: int | None = None  # by default, fewer for more names: see `count_epochs`
    learning_rate: float = 4e-3
    ngram_learning_rate: float = 0.1  # of the table of n-grams, which Adagrad trains
    weight_decay: float = 0.01  # of all but that table
    gradient_clip: float = 1.0
    outlier_loss: float = 0.7  # what telling names from outliers counts beside telling labels apart
    device: Device = "auto"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.epochs is not None and not 0 < self.epochs <= _MAX_SETTING:
            raise ConfigError("epochs must be positive.")
        for setting in ("learning_rate", "ngram_learning_rate", "gradient_clip"):
            if not 0 < getattr(self, setting) <= _MAX_SETTING:
                raise ConfigError(f"{setting} must be positive.")
        if self.device not in get_args(Device):
            raise ConfigError(f"device must be one of {', '.join(get_args(Device))}.")
        if not (0 <= self.weight_decay <= _MAX_SETTING and 0 <= self.outlier_loss <= _MAX_SETTING):
            raise ConfigError("weight_decay and outlier_loss must not be negative.")

    def count_epochs(self, n_names: int) -> int:
        """Return how often the training names are passed: by default eight times, three times from 450,000 on."""
        suitable = round(_EPOCHS[1] * (_NAMES_OF_MOST_EPOCHS / n_names) ** 0.5)
        return self.epochs or min(_EPOCHS[1], max(_EPOCHS[0], suitable))


@dataclass(frozen=True)
class Epoch:
    """One pass over the training names, evaluated on the validation names."""

    number: int
    train_loss: float
    validation_nll: float
    validation_accuracy: float
    seconds: float


Progress = Callable[[float, Sequence[Epoch]], None]
"""Called after each batch and each epoch with the share of the work done, 1 at the end, and the epochs finished."""


@dataclass(frozen=True)
class TrainingResult:
    """The network of the best epoch, its input alphabet, and how it came about."""

    classifier: nn.Module
    config: ClassifierConfig
    training_config: TrainingConfig
    characters: tuple[str, ...]
    scripts: dict[str, tuple[str, ...]]
    validation_outputs: NDArray[np.float64]
    epochs: tuple[Epoch, ...]
    best_epoch: int
    language_model_share: float  # of each label's language model in the logits, 0 for none


@contextmanager
def _one_thread() -> Iterator[None]:
    """Hold torch to one core: weights then do not depend on how many there are, and two gain little here."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@_one_thread()
def train(
    split: Split,
    training_config: TrainingConfig,
    shape: Shape | None = None,
    *,
    progress: Progress | None = None,
) -> TrainingResult:
    """Train one network, keep the epoch with the lowest validation loss, and finish its table of n-grams if it has one.

    The same split, settings and seed give the same weights on a processor, and nearly so on an accelerator.

    Raises:
        ConfigError: a setting is out of range.
    """
    device = find_device(training_config.device)
    torch.manual_seed(training_config.seed)
    n_names, n_labels, shape = len(split.train), len(split.train.labels), shape or Shape()
    training_config = replace(
        training_config,
        device=device,
        epochs=training_config.count_epochs(n_names),
        batch_size=training_config.rows_a_batch(n_names),
    )
    characters, scripts = _characters(split), _labels_by_script(split)
    shape = replace(shape, ngram_bits=shape.count_bits(n_names, n_labels))
    config = ClassifierConfig(**asdict(shape), n_characters=len(characters) + len(scripts), n_labels=n_labels)
    classifier = build_classifier(config)
    sampler = BatchSampler(split, characters, training_config, tuple(scripts))
    held_out = encode_all(split.validation, characters, tuple(scripts))
    with on_device(classifier, device):
        epochs, best = _fit(classifier, sampler, held_out, split.validation, training_config, progress=progress)
    language_model_share = 0.0
    if isinstance(classifier, WideNetwork):
        language = LanguageModel(*_sample(*sampler.labelled(), training_config), config.n_labels, config.n_tokens)
        language_model_share = blend(classifier, language, held_out, split.validation.label_ids)
    for module in classifier.modules():
        if isinstance(module, LinearNetwork):
            module.compress()
    outputs = compute_outputs(classifier, held_out, config.n_outputs)
    return TrainingResult(
        classifier, config, training_config, characters, scripts, outputs, tuple(epochs), best, language_model_share
    )


def _sample(sequences: TokenSequences, label_ids: Ids, config: TrainingConfig) -> tuple[TokenSequences, Ids]:
    """Return sequences and their labels, of very many as many as are to be counted."""
    if len(sequences) <= _MAX_COUNTED:
        return sequences, label_ids
    chosen = np.random.default_rng(config.seed).choice(len(sequences), _MAX_COUNTED, replace=False)
    return sequences.take(chosen), label_ids[chosen]


def _fit(
    classifier: nn.Module,
    sampler: BatchSampler,
    held_out: TokenSequences,
    validation: Dataset,
    training_config: TrainingConfig,
    *,
    progress: Progress | None,
) -> tuple[list[Epoch], int]:
    """Train all epochs; leave the weights of the best in the network, in evaluation mode, and return its number too."""
    epochs: list[Epoch] = []
    best: tuple[Epoch, dict[str, Tensor]] | None = None
    step = _optimisation_step(classifier, training_config)
    n_epochs = training_config.count_epochs(len(sampler))
    for number in range(1, n_epochs + 1):
        started, losses, batches = time.monotonic(), [], sampler.draw_epoch()
        for done, batch in enumerate(batches, 1):
            share = (number - 1 + done / len(batches)) / n_epochs
            losses.append(step(batch, share))
            if progress:
                progress(share, epochs)
        nll, accuracy = _validate(compute_outputs(classifier, held_out, len(validation.labels) + 1)[:, :-1], validation)
        epochs.append(Epoch(number, float(np.mean(losses)), nll, accuracy, time.monotonic() - started))
        if best is None or nll < best[0].validation_nll:  # less noisy than accuracy
            best = epochs[-1], {key: value.clone() for key, value in classifier.state_dict().items()}
        if progress:
            progress(number / n_epochs, epochs)
    assert best is not None  # TrainingConfig refuses zero epochs
    classifier.load_state_dict(best[1])
    classifier.eval()
    return epochs, best[0].number


def _characters(split: Split) -> tuple[str, ...]:
    """Return, sorted, the characters that occur in enough training names to learn from."""
    if split.given is None:
        return split.train.characters()
    return tuple(sorted({*split.train.characters(), *split.given.train.characters(), " "}))


def _labels_by_script(split: Split) -> dict[str, tuple[str, ...]]:
    """Return the labels that have training names in each script, or nothing if all names are of one."""
    found: dict[str, Counter[str]] = defaultdict(Counter)
    for part in (split.train, split.given and split.given.train):
        for script, label_id in zip(part.scripts, part.label_ids.tolist(), strict=True) if part else ():
            found[script][split.train.labels[label_id]] += 1
    common = {script: counts for script, counts in found.items() if script and counts.total() >= MIN_SCRIPT_COUNT}
    return {script: tuple(sorted(common[script])) for script in sorted(common)} if len(common) > 1 else {}


def encode_all(dataset: Dataset, characters: tuple[str, ...], scripts: tuple[str, ...] = ()) -> TokenSequences:
    """Return the token ids of every name as it is spelled, in order."""
    return TokenSequences.encode(dataset.spellings, build_vocabulary(characters, scripts))


def _optimisation_step(classifier: nn.Module, config: TrainingConfig) -> Callable[[Batch, float], float]:
    """Return a function that learns from one batch, at a share of the whole training, and returns its loss."""
    device = next(classifier.parameters()).device
    optimiser = Optimiser(
        classifier,
        learning_rate=config.learning_rate,
        ngram_learning_rate=config.ngram_learning_rate,
        weight_decay=config.weight_decay,
        gradient_clip=config.gradient_clip,
    )

    def step(batch: Batch, share: float) -> float:
        classifier.train()
        outputs = classifier(torch.from_numpy(batch.ids).to(device))
        loss = _loss(outputs, batch, config.outlier_loss)
        optimiser.step(loss, share)
        return loss.item()

    return step


def _loss(outputs: Tensor, batch: Batch, outlier_loss: float) -> Tensor:
    """Return the loss of outputs (B, L + 1): cross-entropy over labels, for names, and of being a name, for all."""
    label_ids = torch.from_numpy(batch.label_ids).to(outputs.device)
    of_labels = nn.functional.cross_entropy(outputs[:, :-1], label_ids, reduction="none", ignore_index=NO_LABEL)
    of_names = nn.functional.binary_cross_entropy_with_logits(
        outputs[:, -1], (label_ids != NO_LABEL).to(outputs.dtype), reduction="none"
    )
    return (of_labels * torch.from_numpy(batch.weights).to(outputs.device) + outlier_loss * of_names).mean()


def _validate(logits: NDArray[np.float64], dataset: Dataset) -> tuple[float, float]:
    """Return mean negative log-likelihood (nats) and accuracy."""
    log_probs = log_softmax(logits)
    nll = -log_probs[np.arange(len(dataset)), dataset.label_ids].mean()
    return float(nll), float((log_probs.argmax(axis=1) == dataset.label_ids).mean())
