"""Run a network over token sequences of any lengths, without dropout and without gradients."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from model.token_sequences import TokenSequences

_MAX_BATCH_ROWS = 512  # a linear network holds a number for each of their n-grams and outputs


def compute_outputs(
    classifier: nn.Module, sequences: TokenSequences | Sequence[Sequence[int]], n_outputs: int
) -> NDArray[np.float64]:
    """Return outputs (N, O) of N token sequences of any lengths, without dropout; the mode is left as it was."""
    was_training = classifier.training
    classifier.eval()
    packed, device = TokenSequences.pack(sequences), next(classifier.parameters()).device
    outputs = np.empty((len(packed), n_outputs), dtype=np.float64)
    with torch.inference_mode():
        for group in packed.by_length():
            for start in range(0, len(group), _MAX_BATCH_ROWS):
                positions = group[start : start + _MAX_BATCH_ROWS]
                ids = torch.from_numpy(packed.stack(positions)).to(device)
                outputs[positions] = classifier(ids).cpu().numpy()
    classifier.train(was_training)
    return outputs
