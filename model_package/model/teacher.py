"""What training aims at beside the labels: the opinion of other kinds of models, which never saw the name they judge.

An n-gram logistic regression and a language model per label, together better than either. Names that the language model
invents carry their opinion to where no list reaches. Knows no network.
"""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from threadpoolctl import threadpool_limits

from model.data import Dataset
from model.language_model import LanguageModel
from model.utils import Ids, log_softmax

_FOLDS = 4
_REGRESSION_PART, _LANGUAGE_MODEL_PART = 0.5, 0.25  # n-grams overlap: their evidence counts for less than it seems to
_NGRAMS = (1, 4)
_STEPS = 40  # of the regression's optimiser: more make it better by itself, not beside the language model
_LONGEST = 40
_FIRST_CODE_POINT = 0x20000  # far from any white space, which scikit-learn would run together


@dataclass(frozen=True)
class Lesson:
    """What the teacher thinks: probabilities (N, L) of the names, then invented names with theirs (M, L)."""

    opinions: NDArray[np.float32]
    invented: list[list[int]]
    invented_opinions: NDArray[np.float32]


def teach(
    dataset: Dataset, sequences: Sequence[Sequence[int]], weights: NDArray[np.float64], n_invented: int, seed: int
) -> Lesson:
    """Judge each name by teachers of the other folds, and invented names by one of all.

    `sequences` are the names' token ids, `weights` (N,) how much each counts.
    Hinton et al., "Distilling the Knowledge in a Neural Network", 2015; the teachers are other kinds of models.
    """
    with threadpool_limits(1):  # sums, and so the opinions, would depend on the number of cores
        return _teach(dataset, sequences, weights, n_invented, np.random.default_rng(seed))


def _teach(
    dataset: Dataset,
    sequences: Sequence[Sequence[int]],
    weights: NDArray[np.float64],
    n_invented: int,
    rng: np.random.Generator,
) -> Lesson:
    n_labels = len(dataset.labels)
    opinions = np.empty((len(dataset), n_labels), dtype=np.float32)
    for seen, unseen in _folds(dataset, rng):
        teacher = _Teacher([sequences[i] for i in seen], dataset.label_ids[seen], weights[seen], n_labels)
        opinions[unseen] = teacher.judge([sequences[i] for i in unseen])
    if n_invented == 0:
        return Lesson(opinions, [], opinions[:0])
    teacher = _Teacher(sequences, dataset.label_ids, weights, n_labels)
    frequencies = np.bincount(dataset.label_ids, weights, n_labels)
    drawn = rng.choice(n_labels, size=n_invented, p=frequencies / frequencies.sum())
    known = set(map(tuple, sequences))
    invented = [name for name in teacher.invent(drawn, rng) if len(name) > 2 and name not in known]
    invented_names = [list(name) for name in dict.fromkeys(invented)]
    return Lesson(opinions, invented_names, teacher.judge(invented_names))


class _Teacher:
    """Two models of the same names, asked as one."""

    def __init__(
        self, sequences: Sequence[Sequence[int]], label_ids: Ids, weights: NDArray[np.float64], n_labels: int
    ) -> None:
        from sklearn.feature_extraction.text import CountVectorizer
        from sklearn.linear_model import LogisticRegression

        self._language_model = LanguageModel(sequences, label_ids, n_labels)
        self._vectorizer = CountVectorizer(analyzer="char", ngram_range=_NGRAMS, min_df=2, binary=True, lowercase=False)
        features = self._vectorizer.fit_transform(map(_to_text, sequences)).astype(np.float32)
        self._regression = LogisticRegression(max_iter=_STEPS)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it stops before it converges is meant
            self._regression.fit(features, label_ids, sample_weight=weights)
        self._columns = self._regression.classes_
        self._n_labels = n_labels

    def judge(self, sequences: Sequence[Sequence[int]]) -> NDArray[np.float32]:
        """Return probabilities (N, L)."""
        if not sequences:
            return np.empty((0, self._n_labels), dtype=np.float32)
        regression = np.full((len(sequences), self._n_labels), -np.inf)
        features = self._vectorizer.transform(map(_to_text, sequences)).astype(np.float32)
        regression[:, self._columns] = self._regression.predict_log_proba(features)
        language_model = self._language_model.log_probs(sequences)
        return np.exp(log_softmax(_REGRESSION_PART * regression + _LANGUAGE_MODEL_PART * language_model)).astype(
            np.float32
        )

    def invent(self, label_ids: Ids, rng: np.random.Generator) -> list[tuple[int, ...]]:
        """Return a name in the manner of each label (N,)."""
        return [tuple(name) for name in self._language_model.sample(label_ids, rng, _LONGEST)]


def _to_text(sequence: Sequence[int]) -> str:
    """Return a character per token, boundaries included: the regression then knows the alphabet of the network."""
    return "".join(chr(_FIRST_CODE_POINT + token) for token in sequence)


def _folds(dataset: Dataset, rng: np.random.Generator) -> Iterator[tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Deal the names of each label into folds; yield, for each, the positions outside and inside."""
    fold_of = np.empty(len(dataset), dtype=np.int64)
    for label_id in range(len(dataset.labels)):
        own = rng.permutation(np.flatnonzero(dataset.label_ids == label_id))
        fold_of[own] = np.arange(len(own)) % _FOLDS
    for fold in range(_FOLDS):
        yield np.flatnonzero(fold_of != fold), np.flatnonzero(fold_of == fold)
