"""The networks: one config, one forward, a table of builders. Knows no file, no training and no export.

Every architecture maps token ids (B, T) of names of one length T to logits (B, L).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from model.constants import FIRST_CHARACTER_ID
from model.errors import ConfigError
from model.utils import group_by_length


@dataclass(frozen=True)
class ClassifierConfig:
    """Everything that fixes the shape of a network; stored in the bundle, enough to build it again."""

    n_characters: int
    n_labels: int
    architecture: str = "gru"
    embedding_size: int = 64
    hidden_size: int = 160
    bidirectional: bool = True
    dropout: float = 0.1

    def __post_init__(self) -> None:
        if self.architecture not in ARCHITECTURES:
            raise ConfigError(f"Unknown architecture; choose one of: {', '.join(sorted(ARCHITECTURES))}.")
        if min(self.n_characters, self.embedding_size, self.hidden_size) < 1 or self.n_labels < 2:
            raise ConfigError("Sizes must be positive, and there must be two labels or more.")
        if not 0 <= self.dropout < 1:
            raise ConfigError("dropout must be at least 0 and below 1.")


class RecurrentClassifier(nn.Module):
    """Embedding, one recurrent layer, a linear readout of its final states and of its maximum over time."""

    def __init__(self, config: ClassifierConfig, cell: type[nn.RNN | nn.GRU | nn.LSTM]) -> None:
        super().__init__()
        directions = 2 if config.bidirectional else 1
        self.embedding = nn.Embedding(FIRST_CHARACTER_ID + config.n_characters, config.embedding_size)
        self.recurrent = cell(
            config.embedding_size, config.hidden_size, batch_first=True, bidirectional=config.bidirectional
        )
        self.dropout = nn.Dropout(config.dropout)
        # In double: a sum of this many float32 terms differs by 1e-5 from one runtime to another.
        self.readout = nn.Linear(2 * directions * config.hidden_size, config.n_labels, dtype=torch.float64)

    def forward(self, ids: Tensor) -> Tensor:
        """Map token ids (B, T) to logits (B, L)."""
        states, last = self.recurrent(self.dropout(self.embedding(ids)))  # (B, T, D*H), (D, B, H)
        if isinstance(last, tuple):  # an LSTM returns its hidden and its cell state
            last = last[0]
        final = last.transpose(0, 1).flatten(1)  # (B, D*H)
        summary = torch.cat([final, states.amax(dim=1)], dim=1)  # (B, 2*D*H)
        logits: Tensor = self.readout(self.dropout(summary).double())
        return logits


ARCHITECTURES: dict[str, Callable[[ClassifierConfig], nn.Module]] = {
    "rnn": lambda config: RecurrentClassifier(config, nn.RNN),
    "gru": lambda config: RecurrentClassifier(config, nn.GRU),
    "lstm": lambda config: RecurrentClassifier(config, nn.LSTM),
}


def build_classifier(config: ClassifierConfig) -> nn.Module:
    """Return a freshly initialised network; the caller seeds torch."""
    return ARCHITECTURES[config.architecture](config)


def compute_logits(classifier: nn.Module, sequences: Sequence[Sequence[int]], n_labels: int) -> NDArray[np.float64]:
    """Return logits (N, L) of N token sequences of any lengths, without dropout, and leave the mode as it was."""
    was_training = classifier.training
    classifier.eval()
    logits = np.empty((len(sequences), n_labels), dtype=np.float64)
    with torch.inference_mode():
        for positions, ids in group_by_length(sequences):
            logits[positions] = classifier(torch.from_numpy(ids)).numpy()
    classifier.train(was_training)
    return logits
