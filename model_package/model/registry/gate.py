"""Whether a version may replace the champion: both answer the same held-out names, and each comparison is a line.

Only labels that both know are compared, and each model chooses among those alone. Knows no store.
"""

from collections.abc import Collection, Sequence
from pathlib import Path
from time import perf_counter

import numpy as np

from model.artifacts import read_bundle
from model.constants import ONNX_FILE, PARITY_TOLERANCE, SIMILAR_FILE, WEIGHTS_FILE
from model.data.corpus import Corpus, Dataset
from model.data.splitting import split_corpus
from model.errors import DataError
from model.evaluation.comparison import Answers, Line, compare_answers
from model.explain.similar_names import SimilarNames
from model.export import load_classifier, measure_parity
from model.prediction import Predictor
from model.utils import log_softmax

MIN_HELD_OUT = 100
"""Fewer names than this cannot tell two models apart."""

_LARGEST = 2.0
_SLOWEST = 1.5
_ROUNDS = 200


def judge(challenger: Path, champion: Path | None, corpus: Corpus) -> list[Line]:
    """Compare two bundles on the challenger's test names, without those that the champion was trained on.

    Without a champion, only parity counts.

    Raises:
        BundleError: a bundle is missing, incomplete or tampered with.
        DataError: the corpus is not the one that the challenger was trained on.
    """
    new = Predictor.load(challenger)
    if corpus.fingerprint() != new.metadata.data.fingerprint:
        raise DataError("This is not the data that the challenger was trained on, the folders beside it included.")
    test = split_corpus(corpus, new.metadata.data.split_seed).test
    parity = _parity(challenger, new.metadata.characters, test.names)
    if champion is None:
        return [parity]
    old = Predictor.load(champion)
    test = _take_fair(test, old.labels, _names_seen(champion))
    lines = [
        Line("held-out names", None, len(test), MIN_HELD_OUT, at_least=True),
        Line("labels of the champion", len(old.labels), len(test.labels), len(old.labels), at_least=True),
        parity,
        _size(champion, challenger),
    ]
    if len(test) >= MIN_HELD_OUT:
        lines += [_speed(old, new, test.names), *compare_answers(_answer(old, test), _answer(new, test), test.labels)]
    return lines


def _names_seen(champion: Path) -> set[str]:
    files = read_bundle(champion).files
    return SimilarNames(files[SIMILAR_FILE]).all_names() if SIMILAR_FILE in files else set()


def _take_fair(test: Dataset, known: Collection[str], seen: Collection[str]) -> Dataset:
    """Return the names of labels that both know, which become all there are, without those that are seen."""
    labels = tuple(label for label in test.labels if label in known)
    new_ids = np.array([labels.index(label) if label in labels else -1 for label in test.labels])
    unseen = np.array([name not in seen for name in test.names], dtype=bool)
    fair = test.take(unseen & (new_ids[test.label_ids] >= 0))
    return Dataset(labels, fair.names, new_ids[fair.label_ids], fair.ranks)


def _parity(challenger: Path, characters: Sequence[str], names: Sequence[str]) -> Line:
    difference = measure_parity(
        load_classifier(challenger), read_bundle(challenger).files[ONNX_FILE], characters, names
    )
    return Line("parity of torch and ONNX Runtime", None, difference, PARITY_TOLERANCE, at_least=False)


def _size(champion: Path, challenger: Path) -> Line:
    """Compare the bytes that serve, of the files that both have: a kind of file that is new is not growth."""
    old, new = (read_bundle(folder).files for folder in (champion, challenger))
    shared = [name for name in old.keys() & new.keys() if name != WEIGHTS_FILE and "/" not in name]
    before, after = (sum(len(files[name]) for name in shared) for files in (old, new))
    return Line("bytes that serve", before, after, _LARGEST * before, at_least=False)


def _speed(old: Predictor, new: Predictor, names: Sequence[str]) -> Line:
    """Compare the medians of calls with one name, in turns, so that other work on the machine slows both."""
    seconds: dict[Predictor, list[float]] = {old: [], new: []}
    for i in range(_ROUNDS):
        for predictor in (old, new) if i % 2 else (new, old):
            started = perf_counter()
            predictor.log_probs([names[i % len(names)]])
            seconds[predictor].append(perf_counter() - started)
    before, after = (float(np.median(seconds[predictor])) * 1e6 for predictor in (old, new))
    return Line("microseconds a call", before, after, _SLOWEST * before, at_least=False)


def _answer(predictor: Predictor, test: Dataset) -> Answers:
    columns = [predictor.labels.index(label) for label in test.labels]
    log_probs = log_softmax(predictor.log_probs(test.names)[:, columns])
    return Answers(test.label_ids, log_probs.argmax(axis=1), np.exp(log_probs.max(axis=1)))
