"""The architectures behind one forward: their configuration and a table of builders.

Every architecture maps token ids (B, T) of names of one length T to outputs (B, L + 1): a logit per label, and one that
the name is of any label at all. To add one, write a function of ClassifierConfig and give it a name in ARCHITECTURES.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

from torch import nn

from model.constants import FIRST_CHARACTER_ID
from model.errors import ConfigError
from model.networks.modules import ConvolutionalNetwork, LinearNetwork, RecurrentNetwork, WideNetwork

_MAX_SIZE = 4096
_MAX_BITS = 22
_LEAST_BITS, _DEFAULT_BITS = 10, 17
_ROWS_A_NAME = 2
_MAX_WEIGHTS = 2**26


@dataclass(frozen=True)
class Shape:
    """What a user may choose of a network."""

    architecture: str = "wide_gru"
    embedding_size: int = 32
    hidden_size: int = 64  # of each direction; of a CNN, the filters of each width; a linear one has none
    dropout: float = 0.1
    ngram_bits: int | None = None
    """2^bits rows of weights, which n-grams share by hash, in a linear or wide network; see `count_bits`."""

    def __post_init__(self) -> None:
        if self.architecture not in ARCHITECTURES:
            raise ConfigError(f"Unknown architecture; choose one of: {', '.join(sorted(ARCHITECTURES))}.")
        if not (1 <= self.hidden_size <= _MAX_SIZE and 4 <= self.embedding_size <= _MAX_SIZE):
            raise ConfigError(f"hidden_size must be 1 to {_MAX_SIZE}, embedding_size 4 to {_MAX_SIZE}.")
        if self.ngram_bits is not None and not 1 <= self.ngram_bits <= _MAX_BITS:
            raise ConfigError(f"ngram_bits must be 1 to {_MAX_BITS}.")
        if not 0 <= self.dropout < 1:
            raise ConfigError("dropout must be at least 0 and below 1.")

    def count_bits(self, n_names: int, n_labels: int) -> int:
        """Return `ngram_bits`, by default for two rows a training name, as far as 64 MB hold them.

        Half as many rows took 0.7 points of 158 labels with 33,000 names, twice as many brought 0.1.
        """
        if self.ngram_bits is not None:
            return self.ngram_bits
        most = int(_MAX_WEIGHTS / (n_labels + 1)).bit_length() - 1
        return max(_LEAST_BITS, min(_MAX_BITS, most, round(math.log2(_ROWS_A_NAME * n_names))))


@dataclass(frozen=True, kw_only=True)
class ClassifierConfig(Shape):
    """Everything that fixes a network but its weights; stored in the bundle, enough to build it again."""

    n_characters: int
    n_labels: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.n_characters < 1 or self.n_labels < 2:
            raise ConfigError("There must be a character or more, and two labels or more.")

    @property
    def n_tokens(self) -> int:
        """How many token ids there are."""
        return FIRST_CHARACTER_ID + self.n_characters

    @property
    def n_outputs(self) -> int:
        """A logit per label, and the one of being a name."""
        return self.n_labels + 1


def _recurrent(
    cell: type[nn.RNN | nn.GRU | nn.LSTM], *, bidirectional: bool = False
) -> Callable[[ClassifierConfig], nn.Module]:
    return lambda config: RecurrentNetwork(
        cell,
        nn.Embedding(config.n_tokens, config.embedding_size),
        config.n_outputs,
        hidden_size=config.hidden_size,
        dropout=config.dropout,
        bidirectional=bidirectional,
    )


def _cnn(config: ClassifierConfig) -> nn.Module:
    return ConvolutionalNetwork(
        config.n_tokens,
        config.n_outputs,
        embedding_size=config.embedding_size,
        filters=config.hidden_size,
        dropout=config.dropout,
    )


def _linear(config: ClassifierConfig) -> LinearNetwork:
    return LinearNetwork(config.n_outputs, bits=config.ngram_bits or _DEFAULT_BITS, dropout=config.dropout)


def _wide_gru(config: ClassifierConfig) -> nn.Module:
    return WideNetwork(_recurrent(nn.GRU, bidirectional=True)(config), _linear(config))


ARCHITECTURES: dict[str, Callable[[ClassifierConfig], nn.Module]] = {
    "wide_gru": _wide_gru,
    "bigru": _recurrent(nn.GRU, bidirectional=True),
    "gru": _recurrent(nn.GRU),
    "lstm": _recurrent(nn.LSTM),
    "rnn": _recurrent(nn.RNN),
    "cnn": _cnn,
    "linear": _linear,
}


def build_classifier(config: ClassifierConfig) -> nn.Module:
    """Return a freshly initialised network; the caller seeds torch."""
    return ARCHITECTURES[config.architecture](config)
