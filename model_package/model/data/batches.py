"""Sample what training sees in each epoch: names, given names, full names and outliers, in batches."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Final, get_args

import numpy as np
from numpy.typing import NDArray

from model.constants import FIRST_CHARACTER_ID, MAX_SEED, UNKNOWN_ID
from model.data.composition import ORDERS, compose
from model.data.dataset import Dataset, Ranked
from model.data.outliers import letters_of, training_outliers
from model.data.splitting import Split
from model.errors import ConfigError
from model.name_reader import NameReader
from model.token_sequences import TokenSequences
from model.utils import Ids, build_vocabulary, script_of, unmark

NO_LABEL: Final = -1
"""Stands for the label of what is no name."""

_MAX_RATIO = 1000
_BATCH_SIZES = (128, 1024)  # the least and the most, unless it is set
_NAMES_PER_ROW = 750
_GIVEN_NAME_SHARES = (0.9, 0.95)  # of twenty given names, one is joined to another by a hyphen and one by a space


@dataclass(frozen=True)
class SamplingConfig:
    """What training sees; ratios are to the number of training names, per epoch."""

    batch_size: int | None = None  # by default, more for more names: see `rows_a_batch`
    ranked: Ranked = "auto"
    emphasis: float = 5.0  # how much more the most common name of a label counts than a rare one
    given_names: float = 0.3
    full_names: float = 0.2
    outliers: float = 0.5
    unmarked: float = 0.7  # of the names with marks, how many are seen without them
    variants: float = 0.15  # of the names with variants, how many are seen in one of them
    character_dropout: float = 0.02
    seed: int = 0

    def __post_init__(self) -> None:
        if self.batch_size is not None and self.batch_size < 1:
            raise ConfigError("batch_size must be positive.")
        if self.ranked not in get_args(Ranked):
            raise ConfigError(f"ranked must be one of {', '.join(get_args(Ranked))}.")
        if not 0 <= self.seed <= MAX_SEED:
            raise ConfigError(f"seed must be between 0 and {MAX_SEED}.")
        for ratio in ("emphasis", "given_names", "full_names", "outliers"):
            if not 0 <= getattr(self, ratio) <= _MAX_RATIO:
                raise ConfigError(f"{ratio} must be between 0 and {_MAX_RATIO}.")
        if not (0 <= self.character_dropout < 1 and 0 <= self.unmarked <= 1 and 0 <= self.variants <= 1):
            raise ConfigError("character_dropout must be at least 0 and below 1, unmarked and variants at most 1.")

    def rows_a_batch(self, n_names: int) -> int:
        """Return how many examples are learnt from at once: by default 128, up to 1024 for a million training names."""
        suitable = 1 << max(0, (n_names // _NAMES_PER_ROW).bit_length() - 1)
        return self.batch_size or min(_BATCH_SIZES[1], max(_BATCH_SIZES[0], suitable))


@dataclass(frozen=True)
class Batch:
    """B examples of one length: ids (B, T), labels (B,) or NO_LABEL of what is no name, what each counts (B,)."""

    ids: Ids
    label_ids: Ids
    weights: NDArray[np.float32]


@dataclass(frozen=True)
class _Examples:
    """Examples of any lengths, in parallel; outliers have neither label nor weight."""

    sequences: TokenSequences
    label_ids: Ids
    weights: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.sequences)


class Epoch:
    """The batches of one epoch, each made when its turn comes."""

    def __init__(
        self,
        examples: _Examples,
        batch_size: int,
        character_dropout: float,
        stand_ins: Ids,
        rng: np.random.Generator,
    ) -> None:
        self._examples, self._stand_ins, self._rng = examples, stand_ins, rng
        self._character_dropout = character_dropout
        batches = [
            part
            for group in examples.sequences.by_length()
            for part in np.split(rng.permutation(group), range(batch_size, len(group), batch_size))
        ]
        self._batches = [batches[i] for i in rng.permutation(len(batches))]

    def __len__(self) -> int:
        return len(self._batches)

    def __iter__(self) -> Iterator[Batch]:
        rows = self._examples
        for positions in self._batches:
            ids = self._drop(rows.sequences.stack(positions))
            yield Batch(ids, rows.label_ids[positions], rows.weights[positions])

    def _drop(self, ids: Ids) -> Ids:
        # Teaches UNKNOWN and scripts' tokens, and to not lean on any one letter; the boundary marks stay.
        dropped = self._rng.random(ids.shape) < self._character_dropout
        known = (ids >= FIRST_CHARACTER_ID) & (ids < FIRST_CHARACTER_ID + len(self._stand_ins))
        stand_ins = self._stand_ins[np.where(known, ids - FIRST_CHARACTER_ID, 0)]
        return np.where(dropped & known, stand_ins, ids)


class BatchSampler:
    """Shuffled batches of strings of one length, with characters dropped at random; each epoch draws anew."""

    def __init__(
        self, split: Split, characters: tuple[str, ...], config: SamplingConfig, scripts: tuple[str, ...] = ()
    ) -> None:
        self._split, self._config = split, config
        self._rng = np.random.default_rng(config.seed)
        self._vocabulary = build_vocabulary(characters, scripts)
        self._stand_ins = np.array([self._vocabulary.get(script_of(c), UNKNOWN_ID) for c in characters])
        self._letters = letters_of(characters)
        self._listed = list(map(NameReader(characters, scripts).read_normalized, split.outliers[0]))
        parts = (split.train, split.given.train) if split.given else (split.train,)
        self._known = {text for part in parts for text in part.names + part.spellings}
        self._known |= {variant for part in parts for variants in part.variants for variant in variants}
        self._weights = split.train.weights(config.emphasis)
        everyone = np.arange(len(split.train))
        names = self._label(split.train, everyone)
        self._names = replace(names, weights=self._weights.astype(np.float32))
        self._bare = self._label(replace(split.train, spellings=()), everyone).sequences
        self._variants = TokenSequences.encode(split.train.all_variants().spellings, self._vocabulary)

    def __len__(self) -> int:
        """How many training names there are."""
        return len(self._split.train)

    def draw_epoch(self) -> Epoch:
        """Return the batches of one epoch."""
        outliers = self._outliers(round(self._config.outliers * len(self._split.train)))
        examples = _concatenate([self._draw_names(), *self._draw_given(), outliers])
        batch_size = self._config.rows_a_batch(len(self._names))
        return Epoch(examples, batch_size, self._config.character_dropout, self._stand_ins, self._rng)

    def labelled(self) -> tuple[TokenSequences, Ids]:
        """Return every name, and the given and full names of one epoch, as token ids and with their label ids (N,).

        Names with marks are there without them, too, and those with variants in such as one epoch has.
        """
        train = self._split.train
        marked = np.flatnonzero([name != text for name, text in zip(train.names, train.spellings, strict=True)])
        bare = _Examples(self._bare.take(marked), self._names.label_ids[marked], self._names.weights[marked])
        chosen, variants = self._draw_variants()
        respelled = _Examples(self._variants.take(variants), self._names.label_ids[chosen], self._names.weights[chosen])
        rows = _concatenate([self._names, bare, respelled, *self._draw_given()])
        return rows.sequences, rows.label_ids

    def _draw_names(self) -> _Examples:
        bare = self._rng.random(len(self._names)) < self._config.unmarked
        places = np.arange(len(bare)) + len(bare) * bare
        chosen, variants = self._draw_variants()
        places[chosen] = 2 * len(bare) + variants
        every = TokenSequences.concatenate([self._names.sequences, self._bare, self._variants])
        return replace(self._names, sequences=every.take(places))

    def _draw_variants(self) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return which names are seen in a variant, and in which of all variants."""
        if not len(self._variants):
            return np.zeros(0, dtype=np.intp), np.zeros(0, dtype=np.intp)
        counts = np.array(list(map(len, self._split.train.variants)))
        chosen = np.flatnonzero((counts > 0) & (self._rng.random(len(counts)) < self._config.variants))
        nth = (self._rng.random(len(chosen)) * counts[chosen]).astype(np.intp)
        return chosen, (np.cumsum(counts) - counts)[chosen] + nth

    def _draw_given(self) -> Iterator[_Examples]:
        """Yield given names, double ones, and full names in either order; they differ from one call to the next."""
        if self._split.given is None:
            return
        n = len(self._split.train)
        train, given = self._respell(self._split.train), self._respell(self._split.given.train)
        weights = given.weights(self._config.emphasis)
        drawn = self._rng.choice(len(given), size=round(self._config.given_names * n), p=weights / weights.sum())
        single, hyphened, spaced = np.split(drawn, (len(drawn) * np.array(_GIVEN_NAME_SHARES)).astype(int))
        yield self._label(self._unmark(given), single)
        chosen = self._rng.choice(n, size=round(self._config.full_names * n), p=self._weights / n)
        first, last = np.array_split(chosen, 2)
        for names, part, order, joint in (
            (given, hyphened, ORDERS[0], "-"),
            (given, spaced, ORDERS[0], " "),
            (train, first, ORDERS[0], " "),
            (train, last, ORDERS[1], " "),
        ):
            composed = compose(given, names, part, order, self._rng, joint=joint)
            yield self._label(self._unmark(composed), np.arange(len(composed)))

    def _label(self, names: Dataset, chosen: NDArray[np.intp]) -> _Examples:
        """Return the chosen names as they are spelled, with their labels to aim at, all counting alike."""
        sequences = TokenSequences.encode([names.spellings[i] for i in chosen], self._vocabulary)
        return _Examples(sequences, names.label_ids[chosen], np.ones(len(chosen), dtype=np.float32))

    def _respell(self, names: Dataset) -> Dataset:
        """Return names of which some of those with variants are one of these."""
        if not any(names.variants):
            return names
        drawn, nth = self._rng.random(len(names)) < self._config.variants, self._rng.random(len(names))
        rows = zip(names.spellings, names.variants, drawn.tolist(), nth.tolist(), strict=True)
        spellings = tuple(
            variants[int(share * len(variants))] if use and variants else spelling
            for spelling, variants, use, share in rows
        )
        return replace(names, names=tuple(map(unmark, spellings)), spellings=spellings)

    def _unmark(self, names: Dataset) -> Dataset:
        """Return names of which some have lost their marks."""
        bare = self._rng.random(len(names)) < self._config.unmarked
        rows = zip(names.names, names.spellings, bare.tolist(), strict=True)
        return replace(names, spellings=tuple([name if drop else spelling for name, spelling, drop in rows]))

    def _outliers(self, n: int) -> _Examples:
        drawn = training_outliers(self._letters, self._split.train.names, self._listed, n, self._rng)
        sequences = TokenSequences.encode([text for text in drawn if text not in self._known], self._vocabulary)
        label_ids = np.full(len(sequences), NO_LABEL, dtype=np.int64)
        return _Examples(sequences, label_ids, np.zeros(len(sequences), dtype=np.float32))


def _concatenate(parts: Sequence[_Examples]) -> _Examples:
    return _Examples(
        TokenSequences.concatenate([part.sequences for part in parts]),
        np.concatenate([part.label_ids for part in parts]),
        np.concatenate([part.weights for part in parts]),
    )
