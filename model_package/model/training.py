"""Fit a network to a split; returns the result and writes nothing. Knows no file and no bundle."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from model.classifier import ClassifierConfig, build_classifier, compute_logits
from model.constants import END_ID, START_ID, UNKNOWN_ID
from model.data import Dataset
from model.errors import ConfigError
from model.splitting import Split
from model.teacher import soft_targets
from model.utils import Ids, build_vocabulary, encode, group_by_length, log_softmax


@dataclass(frozen=True)
class TrainingConfig:
    """How to fit; `ClassifierConfig` says what."""

    epochs: int = 12
    batch_size: int = 128
    learning_rate: float = 4e-3
    weight_decay: float = 0.01
    character_dropout: float = 0.02
    gradient_clip: float = 1.0
    emphasis: float = 4.0  # how much more the most common name of a label counts than a rare one
    teacher_share: float = 0.4  # of what a rare name aims at: a language model's opinion; the rest is its label
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.epochs, self.batch_size) < 1 or self.learning_rate <= 0:
            raise ConfigError("epochs, batch_size and learning_rate must be positive.")
        if not 0 <= self.character_dropout < 1:
            raise ConfigError("character_dropout must be at least 0 and below 1.")
        if not 0 <= self.teacher_share < 1:
            raise ConfigError("teacher_share must be at least 0 and below 1.")
        if self.emphasis < 0:
            raise ConfigError("emphasis must not be negative.")


@dataclass(frozen=True)
class Epoch:
    """One pass over the training names, judged on the validation names."""

    number: int
    train_loss: float
    validation_nll: float
    validation_accuracy: float
    seconds: float


Progress = Callable[[int, int, Sequence[Epoch]], None]
"""Called after each batch with batches done, batches in all, and the epochs finished so far."""


@dataclass(frozen=True)
class TrainingResult:
    """The network of the best epoch, its input alphabet, and how it came about."""

    classifier: nn.Module
    config: ClassifierConfig
    training_config: TrainingConfig
    characters: tuple[str, ...]
    validation_logits: NDArray[np.float64]
    epochs: tuple[Epoch, ...]
    best_epoch: int


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
    *,
    architecture: str = ClassifierConfig.architecture,
    progress: Progress | None = None,
) -> TrainingResult:
    """Train one network and keep the epoch with the best validation accuracy.

    The same split, configs and seed give the same weights.

    Raises:
        ConfigError: a setting is out of range.
    """
    torch.manual_seed(training_config.seed)
    characters = split.train.characters()
    config = ClassifierConfig(len(characters), len(split.train.labels), architecture)
    classifier = build_classifier(config)
    batches = _Batches(split.train, characters, training_config)
    validation = encode_all(split.validation, characters)
    step = _optimisation_step(classifier, training_config, len(batches) * training_config.epochs)

    epochs: list[Epoch] = []
    best: tuple[Epoch, dict[str, Tensor], NDArray[np.float64]] | None = None
    for number in range(1, training_config.epochs + 1):
        started, losses = time.monotonic(), []
        for batch in batches:
            losses.append(step(*batch))
            if progress:
                progress(len(batches) * len(epochs) + len(losses), len(batches) * training_config.epochs, epochs)
        logits = compute_logits(classifier, validation, config.n_labels)
        nll, accuracy = _judge(logits, split.validation)
        epochs.append(Epoch(number, float(np.mean(losses)), nll, accuracy, time.monotonic() - started))
        if best is None or accuracy > best[0].validation_accuracy:
            best = epochs[-1], {key: value.clone() for key, value in classifier.state_dict().items()}, logits
    assert best is not None  # TrainingConfig refuses zero epochs
    classifier.load_state_dict(best[1])
    classifier.eval()
    return TrainingResult(classifier, config, training_config, characters, best[2], tuple(epochs), best[0].number)


def encode_all(dataset: Dataset, characters: tuple[str, ...]) -> list[list[int]]:
    """Return the token ids of every name, in order."""
    vocabulary = build_vocabulary(characters)
    return [encode(name, vocabulary) for name in dataset.names]


class _Batches:
    """Shuffled batches of names of one length, with characters dropped at random; each pass deals anew."""

    def __init__(self, dataset: Dataset, characters: tuple[str, ...], config: TrainingConfig) -> None:
        self._config = config
        self._rng = np.random.default_rng(config.seed)
        sequences = encode_all(dataset, characters)
        weights = dataset.weights(config.emphasis)
        targets = soft_targets(dataset, sequences, weights, config.teacher_share, config.seed)
        self._groups = [
            (ids, targets[positions], weights[positions].astype(np.float32))
            for positions, ids in group_by_length(sequences)
        ]

    def __len__(self) -> int:
        return sum(-(-len(ids) // self._config.batch_size) for ids, _, _ in self._groups)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
        batches = [
            (ids[chosen], targets[chosen], weights[chosen])
            for ids, targets, weights in self._groups
            for chosen in self._deal(len(ids))
        ]
        for i in self._rng.permutation(len(batches)):
            ids, targets, weights = batches[i]
            yield torch.from_numpy(self._drop_characters(ids)), torch.from_numpy(targets), torch.from_numpy(weights)

    def _deal(self, n: int) -> list[NDArray[np.intp]]:
        order = self._rng.permutation(n)
        return [order[i : i + self._config.batch_size] for i in range(0, n, self._config.batch_size)]

    def _drop_characters(self, ids: Ids) -> Ids:
        # Teaches UNKNOWN, and to not lean on any one letter; the boundary marks stay.
        dropped = self._rng.random(ids.shape) < self._config.character_dropout
        return np.where(dropped & (ids != START_ID) & (ids != END_ID), UNKNOWN_ID, ids)


def _optimisation_step(
    classifier: nn.Module, config: TrainingConfig, n_steps: int
) -> Callable[[Tensor, Tensor, Tensor], float]:
    """Return a function that learns from one batch, ids (B, T), targets (B, L), weights (B,), and returns its loss."""
    optimiser = torch.optim.AdamW(classifier.parameters(), config.learning_rate, weight_decay=config.weight_decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, config.learning_rate, total_steps=n_steps)

    def step(ids: Tensor, targets: Tensor, weights: Tensor) -> float:
        classifier.train()
        loss = (nn.functional.cross_entropy(classifier(ids), targets, reduction="none") * weights).mean()
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(classifier.parameters(), config.gradient_clip)
        optimiser.step()
        schedule.step()
        return loss.item()

    return step


def _judge(logits: NDArray[np.float64], dataset: Dataset) -> tuple[float, float]:
    """Return mean negative log-likelihood (nats) and accuracy."""
    log_probs = log_softmax(logits)
    nll = -log_probs[np.arange(len(dataset)), dataset.label_ids].mean()
    return float(nll), float((log_probs.argmax(axis=1) == dataset.label_ids).mean())
