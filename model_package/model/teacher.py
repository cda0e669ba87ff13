"""What training aims at beside the labels: the opinion of a language model that did not see the name."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from model.data import Dataset
from model.language_model import LanguageModel
from model.utils import log_softmax

_FOLDS = 5
_SHARPNESS = 0.6  # n-grams overlap, so their evidence counts for less than independent evidence would


def soft_targets(
    dataset: Dataset, sequences: Sequence[Sequence[int]], weights: NDArray[np.float64], share: float, seed: int
) -> NDArray[np.float32]:
    """Mix each name's label with what a model of the other names thinks of it: probabilities (N, L).

    `sequences` are the names' token ids, `weights` (N,) how much each counts in the prior, `share` the teacher's part
    for a rare name; the more common a name, the less its label needs a second opinion.
    Hinton et al., "Distilling the Knowledge in a Neural Network", 2015; the teacher is another kind of model.
    """
    n_labels = len(dataset.labels)
    targets = np.eye(n_labels)[dataset.label_ids]
    if share > 0:
        log_prior = np.log(np.bincount(dataset.label_ids, weights, minlength=n_labels) / weights.sum())
        for seen, unseen in _folds(dataset, seed):
            teacher = LanguageModel([sequences[i] for i in seen], dataset.label_ids[seen], n_labels)
            log_probs = log_softmax(_SHARPNESS * teacher.log_probs([sequences[i] for i in unseen]) + log_prior)
            part = share * (1 - dataset.commonness()[unseen, None])
            targets[unseen] = (1 - part) * targets[unseen] + part * np.exp(log_probs)
    return targets.astype(np.float32)


def _folds(dataset: Dataset, seed: int) -> list[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Deal the names of each label into folds; return, for each, the positions outside and inside."""
    rng = np.random.default_rng(seed)
    fold_of = np.empty(len(dataset), dtype=np.int64)
    for label_id in range(len(dataset.labels)):
        own = rng.permutation(np.flatnonzero(dataset.label_ids == label_id))
        fold_of[own] = np.arange(len(own)) % _FOLDS
    return [(np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold)) for fold in range(_FOLDS)]
