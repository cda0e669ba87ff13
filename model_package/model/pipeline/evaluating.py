"""A bundle on the test names of the data that it was trained on."""

from dataclasses import dataclass

from model.data.corpus import Corpus
from model.data.splitting import Split, split_corpus
from model.errors import DataError
from model.evaluation.metrics import LabelMetrics, Metrics, evaluate, label_metrics
from model.prediction import Predictor


@dataclass(frozen=True)
class Evaluation:
    """Metrics over all test names, and of each label."""

    metrics: Metrics
    labels: list[LabelMetrics]


def split_trained(predictor: Predictor, corpus: Corpus) -> Split:
    """Return the split that a bundle was trained on. Raises DataError if the corpus is another one."""
    identity = predictor.metadata.data
    if corpus.fingerprint() != identity.fingerprint:
        raise DataError("This is not the data that this bundle was trained on, the folders beside it included.")
    return split_corpus(corpus, identity.split_seed)


def evaluate_bundle(predictor: Predictor, split: Split) -> Evaluation:
    """Answer the test names as if no list held them, and count."""
    test = split.test
    log_probs = predictor.log_probs(test.spellings, lexicon=False)
    return Evaluation(
        evaluate(log_probs, test.label_ids, test.labels), label_metrics(log_probs, test.label_ids, test.labels)
    )
