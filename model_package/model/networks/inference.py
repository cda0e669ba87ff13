"""Run a network over token sequences of any lengths, without dropout and without gradients."""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from model.utils import group_by_length


def compute_outputs(classifier: nn.Module, sequences: Sequence[Sequence[int]], n_outputs: int) -> NDArray[np.float64]:
    """Return outputs (N, O) of N token sequences of any lengths, without dropout; the mode is left as it was."""
    was_training = classifier.training
    classifier.eval()
    outputs = np.empty((len(sequences), n_outputs), dtype=np.float64)
    with torch.inference_mode():
        for positions, ids in group_by_length(sequences):
            outputs[positions] = classifier(torch.from_numpy(ids)).numpy()
    classifier.train(was_training)
    return outputs
