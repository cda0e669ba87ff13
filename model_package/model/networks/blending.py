"""Blend a label-wise language model into a network's table of n-grams: both are sums over n-grams, so it adds no cost.

The two err differently: together they are better than either, and than a network trained beside the language model.
"""

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.calibration import fit_temperature
from model.networks.inference import compute_outputs
from model.networks.language_model import LanguageModel
from model.networks.modules import LinearNetwork, WideNetwork
from model.utils import Ids, log_softmax

_SHARES = np.linspace(0, 0.5, 11)
_UNSEEN_COUNT = 1e-6  # of a token that was never counted: it has a weight, too, but gives way to any n-gram that was


def blend(network: WideNetwork, language: LanguageModel, sequences: Sequence[Sequence[int]], label_ids: Ids) -> float:
    """Add a share of the language model's log-probabilities to the network's logits; return the share.

    The share, from none to a half, is the one with the lowest negative log-likelihood on held-out token sequences with
    labels (N,), each share at the temperature that suits it.
    """
    table, weights = _to_table(language, network.wide), network.wide.weights.weight.data
    before = weights.clone()
    n_outputs = weights.shape[1]
    alone = compute_outputs(network, sequences, n_outputs)[:, :-1]
    weights += table
    added = compute_outputs(network, sequences, n_outputs)[:, :-1] - alone
    share = min(_SHARES, key=lambda share: _loss(alone + share * added, label_ids))
    weights.copy_(before + share * table)
    return float(share)


def _loss(logits: NDArray[np.float64], label_ids: Ids) -> float:
    log_probs = log_softmax(logits / fit_temperature(logits, label_ids))
    return float(-log_probs[np.arange(len(label_ids)), label_ids].mean())


def _to_table(language: LanguageModel, network: LinearNetwork) -> Tensor:
    """Return the language model's weights by bucket (2^bits, L + 1); n-grams that share a bucket share their mean."""
    table = np.zeros(tuple(network.weights.weight.shape), dtype=np.float32)
    counts = np.zeros((len(table), 1), dtype=np.float32)
    for ngrams in language.ngrams():
        buckets = network.buckets(torch.from_numpy(ngrams.tokens))[:, -1].numpy()  # the last is the whole n-gram
        often = np.maximum(ngrams.counts, _UNSEEN_COUNT)[:, None]
        # what is the same for all labels tells nothing and would cost precision
        np.add.at(table[:, :-1], buckets, often * (ngrams.weights - ngrams.weights.mean(axis=1, keepdims=True)))
        np.add.at(counts, buckets, often)
    return torch.from_numpy(table / np.maximum(counts, _UNSEEN_COUNT))
