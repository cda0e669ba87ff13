"""Blend a label-wise language model into a network's table of n-grams: both are sums over n-grams, so it adds no cost.

The two err differently: together they are better than either, and than a network trained beside the language model.
"""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from model.calibration import fit_temperature
from model.networks.inference import compute_outputs
from model.networks.language_model import LanguageModel
from model.networks.modules import LinearNetwork, WideNetwork
from model.token_sequences import TokenSequences
from model.utils import Ids, log_softmax

_SHARES = np.linspace(0, 0.5, 11)
_CHUNK = 2**16  # n-grams that are hashed at once
_UNSEEN_COUNT = 1e-6  # of a token that was never counted: it has a weight, too, but gives way to any n-gram that was


def blend(network: WideNetwork, language: LanguageModel, sequences: TokenSequences, label_ids: Ids) -> float:
    """Add a share of the language model's log-probabilities to the network's logits; return the share.

    The share, from none to a half, is the one with the lowest negative log-likelihood on held-out token sequences with
    labels (N,), each share at the temperature that suits it.
    """
    table, weights = _to_table(language, network.wide), network.wide.weights.weight.data
    n_outputs = weights.shape[1]
    alone = compute_outputs(network, sequences, n_outputs)[:, :-1]
    weights += table
    added = compute_outputs(network, sequences, n_outputs)[:, :-1] - alone
    share = float(min(_SHARES, key=lambda share: _loss(alone + share * added, label_ids)))
    weights.sub_(table, alpha=1 - share)
    return share


def _loss(logits: NDArray[np.float64], label_ids: Ids) -> float:
    log_probs = log_softmax(logits / fit_temperature(logits, label_ids))
    return float(-log_probs[np.arange(len(label_ids)), label_ids].mean())


def _to_table(language: LanguageModel, network: LinearNetwork) -> Tensor:
    """Return the language model's weights by bucket (2^bits, L + 1); n-grams that share a bucket share their mean."""
    table = np.zeros(tuple(network.weights.weight.shape), dtype=np.float32)
    counts = np.zeros(len(table), dtype=np.float32)
    for ngrams in language.ngrams():
        buckets = np.concatenate(
            [
                network.buckets(torch.from_numpy(ngrams.tokens[start : start + _CHUNK]))[:, -1].numpy()  # the whole one
                for start in range(0, len(ngrams.tokens), _CHUNK)
            ]
        )
        often = np.maximum(ngrams.counts.astype(np.float32), _UNSEEN_COUNT)
        np.add.at(counts, buckets, often)
        cells = buckets[ngrams.rows] * table.shape[1] + ngrams.label_ids
        np.add.at(table.reshape(-1), cells, often[ngrams.rows] * ngrams.weights)
    # what is the same for all labels tells nothing and would cost precision
    table[:, :-1] -= table[:, :-1].mean(axis=1, keepdims=True)
    table /= np.maximum(counts, _UNSEEN_COUNT)[:, None]
    return torch.from_numpy(table)
