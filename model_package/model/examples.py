"""What training sees, epoch by epoch: names, given names, full names, invented names and outliers. Knows no network."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from model.composition import ORDERS, compose
from model.constants import END_ID, MAX_SEED, START_ID, UNKNOWN_ID
from model.data import Dataset
from model.errors import ConfigError
from model.outliers import letters_of, training_outliers
from model.splitting import Split
from model.teacher import teach
from model.utils import Ids, build_vocabulary, encode, group_by_length

_LARGEST_RATIO = 1000
_INVENTED_WEIGHT = 0.5  # of a name that is real; more would drown the common ones
_INVENTED_EPOCHS = 4  # as many epochs pass before an invented name comes again


@dataclass(frozen=True)
class ExamplesConfig:
    """What training sees; ratios are to the number of training names, per epoch."""

    batch_size: int = 128
    emphasis: float = 5.0  # how much more the most common name of a label counts than a rare one
    teacher_share: float = 0.3  # of what a rare name aims at: other models' opinion of it; the rest is its label
    invented_names: float = 1.0
    given_names: float = 0.15
    full_names: float = 0.1
    outliers: float = 0.12
    character_dropout: float = 0.02
    seed: int = 0

    def __post_init__(self) -> None:
        if self.batch_size < 1:
            raise ConfigError("batch_size must be positive.")
        if not 0 <= self.seed <= MAX_SEED:
            raise ConfigError(f"seed must be between 0 and {MAX_SEED}.")
        for ratio in ("emphasis", "invented_names", "given_names", "full_names", "outliers"):
            if not 0 <= getattr(self, ratio) <= _LARGEST_RATIO:
                raise ConfigError(f"{ratio} must be between 0 and {_LARGEST_RATIO}.")
        if not 0 <= self.teacher_share <= 1:
            raise ConfigError("teacher_share must be between 0 and 1.")
        if not 0 <= self.character_dropout < 1:
            raise ConfigError("character_dropout must be at least 0 and below 1.")


@dataclass(frozen=True)
class Batch:
    """B examples of one length: ids (B, T), what they aim at (B, L), what that counts (B,), whether it is a name."""

    ids: Ids
    targets: NDArray[np.float32]
    weights: NDArray[np.float32]
    is_name: NDArray[np.float32]


@dataclass(frozen=True)
class _Rows:
    """Examples of any lengths, in parallel; outliers have neither targets nor weight."""

    sequences: Sequence[Sequence[int]]
    targets: NDArray[np.float32]
    weights: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.sequences)

    def take(self, positions: NDArray[np.intp]) -> "_Rows":
        return _Rows([self.sequences[i] for i in positions], self.targets[positions], self.weights[positions])


class Examples:
    """Shuffled batches of strings of one length, with characters dropped at random; each epoch deals anew."""

    def __init__(self, split: Split, characters: tuple[str, ...], config: ExamplesConfig) -> None:
        self._split, self._config = split, config
        self._rng = np.random.default_rng(config.seed)
        self._vocabulary = build_vocabulary(characters)
        self._letters = letters_of(characters)
        self._known = {*split.train.names, *(split.given.train.names if split.given else ())}
        self._one_hot = np.eye(len(split.train.labels), dtype=np.float32)
        self._weights = split.train.weights(config.emphasis)
        self._names, self._invented = self._teach()
        self._next_invented = 0

    def deal(self) -> list[Batch]:
        """Return the batches of one epoch."""
        rows = _concatenate([rows for rows in (self._names, *self._draw()) if len(rows)])
        batches = []
        for positions, ids in group_by_length(rows.sequences):
            order = self._rng.permutation(len(positions))
            for start in range(0, len(order), self._config.batch_size):
                chosen = order[start : start + self._config.batch_size]
                at = positions[chosen]
                targets = rows.targets[at]
                is_name = np.asarray(targets.any(axis=1), dtype=np.float32)
                batches.append(Batch(self._drop(ids[chosen]), targets, rows.weights[at], is_name))
        return [batches[i] for i in self._rng.permutation(len(batches))]

    def _teach(self) -> tuple[_Rows, _Rows]:
        """Return the names with what they aim at, and the invented ones."""
        train, share = self._split.train, self._config.teacher_share
        plain = replace(
            self._aim(train.names, np.arange(len(train)), train.label_ids), weights=self._weights.astype(np.float32)
        )
        if share == 0:
            return plain, plain.take(np.arange(0))
        n_invented = round(self._config.invented_names * _INVENTED_EPOCHS * len(train))
        lesson = teach(train, plain.sequences, self._weights, n_invented, self._config.seed)
        # the more common a name, the less its label needs a second opinion
        part = share * (1 - train.commonness()[:, None]).astype(np.float32)
        targets = (1 - part) * plain.targets + part * lesson.opinions
        weights = np.full(len(lesson.invented), _INVENTED_WEIGHT, dtype=np.float32)
        return _Rows(plain.sequences, targets, plain.weights), _Rows(lesson.invented, lesson.invented_opinions, weights)

    def _draw(self) -> Iterator[_Rows]:
        """Yield what differs from epoch to epoch."""
        n = len(self._split.train)
        per_epoch = len(self._invented) // _INVENTED_EPOCHS
        yield self._invented.take((self._next_invented + np.arange(per_epoch)) % max(1, len(self._invented)))
        self._next_invented += per_epoch
        if self._split.given:
            yield from self._draw_given(self._split.given.train, n)
        yield self._outliers(round(self._config.outliers * n))

    def _draw_given(self, given: Dataset, n: int) -> Iterator[_Rows]:
        """Yield given names, and full names made of them in either order."""
        weights = given.weights(self._config.emphasis)
        drawn = self._rng.choice(len(given), size=round(self._config.given_names * n), p=weights / len(given))
        yield self._aim(given.names, drawn, given.label_ids)
        chosen = self._rng.choice(n, size=round(self._config.full_names * n), p=self._weights / n)
        for part, order in zip(np.array_split(chosen, len(ORDERS)), ORDERS, strict=True):
            full = compose(given, self._split.train, part, order, self._rng)
            yield self._aim(full.names, np.arange(len(full)), full.label_ids)

    def _aim(self, names: Sequence[str], chosen: NDArray[np.intp], label_ids: Ids) -> _Rows:
        """Return the chosen names with their labels to aim at, all counting alike."""
        sequences = [encode(names[i], self._vocabulary) for i in chosen]
        return _Rows(sequences, self._one_hot[label_ids[chosen]], np.ones(len(chosen), dtype=np.float32))

    def _outliers(self, n: int) -> _Rows:
        drawn = training_outliers(self._letters, self._split.train.names, self._split.outliers[0], n, self._rng)
        sequences = [encode(text, self._vocabulary) for text in drawn if text not in self._known]
        targets = np.zeros((len(sequences), len(self._one_hot)), dtype=np.float32)
        return _Rows(sequences, targets, np.zeros(len(sequences), dtype=np.float32))

    def _drop(self, ids: Ids) -> Ids:
        # Teaches UNKNOWN, and to not lean on any one letter; the boundary marks stay.
        dropped = self._rng.random(ids.shape) < self._config.character_dropout
        return np.where(dropped & (ids != START_ID) & (ids != END_ID), UNKNOWN_ID, ids)


def _concatenate(parts: Sequence[_Rows]) -> _Rows:
    return _Rows(
        [sequence for part in parts for sequence in part.sequences],
        np.concatenate([part.targets for part in parts]),
        np.concatenate([part.weights for part in parts]),
    )
