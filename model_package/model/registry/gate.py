"""Decide whether a version may replace the champion: both answer the same held-out names, criterion by criterion.

Only labels that both know are compared, and each model chooses among those alone.
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from time import perf_counter

import numpy as np

from model.artifacts import read_bundle
from model.constants import ONNX_FILE, PARITY_TOLERANCE, SIMILAR_FILE, WEIGHTS_FILE
from model.data.corpus import Corpus
from model.data.dataset import Dataset
from model.data.splitting import split_corpus
from model.errors import DataError
from model.evaluation.comparison import Criterion, compare_answers
from model.evaluation.metrics import Answers
from model.explain.similar_names import SimilarNames
from model.export import load_classifier, measure_parity
from model.prediction import Predictor
from model.utils import log_softmax

MIN_HELD_OUT = 100
"""Fewer names than this cannot tell two models apart."""

_MAX_SIZE_RATIO = 2.0
_MAX_LATENCY_RATIO = 1.5
_LATENCY_ROUNDS = 200


def compare_bundles(challenger: Path, champion: Path | None, corpus: Corpus) -> list[Criterion]:
    """Compare two bundles on the challenger's test names, without those that the champion was trained on.

    Without a champion, only parity counts.

    Raises:
        BundleError: a bundle is missing, incomplete or damaged.
        DataError: the corpus is not the one that the challenger was trained on.
    """
    new = Predictor.load(challenger)
    if corpus.fingerprint() != new.metadata.data.fingerprint:
        raise DataError("This is not the data that the challenger was trained on, the folders beside it included.")
    test = split_corpus(corpus, new.metadata.data.split_seed).test
    parity = _parity(challenger, new.vocabulary, test.spellings)
    if champion is None:
        return [parity]
    old = Predictor.load(champion)
    test = _take_fair(test, old.labels, _names_seen(champion))
    criteria = [
        Criterion("held-out names", None, len(test), MIN_HELD_OUT, at_least=True),
        Criterion("labels of the champion", len(old.labels), len(test.labels), len(old.labels), at_least=True),
        parity,
        _size(champion, challenger),
    ]
    if len(test) >= MIN_HELD_OUT:
        criteria += [
            _speed(old, new, test.spellings),
            *compare_answers(_answer(old, test), _answer(new, test), test.labels),
        ]
    return criteria


def _names_seen(champion: Path) -> set[str]:
    files = read_bundle(champion).files
    return SimilarNames(files[SIMILAR_FILE]).all_names() if SIMILAR_FILE in files else set()


def _take_fair(test: Dataset, known: Collection[str], seen: Collection[str]) -> Dataset:
    """Return the names of labels that both know, which become all there are, without those that are seen."""
    labels = tuple(label for label in test.labels if label in known)
    new_ids = np.array([labels.index(label) if label in labels else -1 for label in test.labels])
    unseen = np.array([name not in seen for name in test.names], dtype=bool)
    fair = test.take(unseen & (new_ids[test.label_ids] >= 0))
    return Dataset(labels, fair.names, new_ids[fair.label_ids], fair.ranks, fair.spellings)


def _parity(challenger: Path, vocabulary: Mapping[str, int], names: Sequence[str]) -> Criterion:
    difference = measure_parity(
        load_classifier(challenger), read_bundle(challenger).files[ONNX_FILE], vocabulary, names
    )
    return Criterion("parity of torch and ONNX Runtime", None, difference, PARITY_TOLERANCE, at_least=False)


def _size(champion: Path, challenger: Path) -> Criterion:
    """Compare the bytes that serve, of the files that both have: a kind of file that is new is not growth."""
    old, new = (read_bundle(folder).files for folder in (champion, challenger))
    shared = [name for name in old.keys() & new.keys() if name != WEIGHTS_FILE and "/" not in name]
    before, after = (sum(len(files[name]) for name in shared) for files in (old, new))
    return Criterion("bytes that serve", before, after, _MAX_SIZE_RATIO * before, at_least=False)


def _speed(old: Predictor, new: Predictor, names: Sequence[str]) -> Criterion:
    """Compare the medians of calls with one name, in turns, so that other work on the machine slows both."""
    seconds: dict[Predictor, list[float]] = {old: [], new: []}
    for i in range(_LATENCY_ROUNDS):
        for predictor in (old, new) if i % 2 else (new, old):
            started = perf_counter()
            predictor.log_probs([names[i % len(names)]])
            seconds[predictor].append(perf_counter() - started)
    before, after = (float(np.median(seconds[predictor])) * 1e6 for predictor in (old, new))
    return Criterion("microseconds a call", before, after, _MAX_LATENCY_RATIO * before, at_least=False)


def _answer(predictor: Predictor, test: Dataset) -> Answers:
    columns = [predictor.labels.index(label) for label in test.labels]
    log_probs = log_softmax(predictor.log_probs(test.spellings, lexicon=False)[:, columns])
    return Answers.from_log_probs(log_probs, test.label_ids)
