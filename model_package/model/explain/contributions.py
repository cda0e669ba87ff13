"""What each letter contributes to a label's log-probability: the name is predicted again with each letter hidden."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from model.constants import UNKNOWN_ID
from model.errors import UnknownLabelError
from model.prediction import Predictor


@dataclass(frozen=True, slots=True)
class Explanation:
    """What each character of the name, as the network reads it, adds to the natural-log probability of the label.

    Negative: without the character, the label would be more probable. What the lexicon adds comes on top of what the
    characters do: it is 0 unless the name, or a word of it, is a training name.
    """

    label: str
    log_prob: float
    lexicon: float
    characters: tuple[str, ...]
    contributions: tuple[float, ...]


def explain(predictor: Predictor, name: str, label: str | None = None) -> Explanation:
    """Explain a label, or the most probable one, in one batch of twice as many names as the name has characters.

    Raises:
        InvalidNameError: the name is empty, too long, or holds no character that the model knows.
        UnknownLabelError: the model has no such label.
    """
    best = predictor.predict_label(name)
    if label is not None and label not in predictor.labels:
        raise UnknownLabelError(f"The model has no such label; it has: {', '.join(predictor.labels)}.")
    label_id = predictor.labels.index(label or best)
    ids = predictor.encode(name)
    log_prob = float(predictor.log_probs([name])[0, label_id])
    lexicon = log_prob - float(predictor.log_probs_of_ids([ids])[0, label_id])
    contributions = tuple(occlude(predictor, ids, label_id).tolist())
    return Explanation(predictor.labels[label_id], log_prob, lexicon, tuple(predictor.read(name)), contributions)


def occlude(predictor: Predictor, ids: list[int], label_id: int) -> NDArray[np.float64]:
    """Return how much the label's log-probability falls when each character (T - 2,) is hidden.

    The mean of two ways to hide it: take it out, and put the unknown character in its place. Each way alone finds the
    letters that matter to itself; the mean is close to the better one by either (benchmarks/explanation.py).
    Zeiler and Fergus, "Visualizing and Understanding Convolutional Networks", 2014.
    """
    positions = range(1, len(ids) - 1)
    taken_out = [ids[:i] + ids[i + 1 :] for i in positions]
    masked = [[*ids[:i], UNKNOWN_ID, *ids[i + 1 :]] for i in positions]
    log_probs = predictor.log_probs_of_ids([ids, *taken_out, *masked])[:, label_id]
    without = log_probs[1:].reshape(2, len(ids) - 2)
    return np.asarray(log_probs[0] - without.mean(axis=0))
