"""How many strings of kinds that training never saw are called unfamiliar, kind by kind.

Run `python benchmarks/outliers_by_kind.py [--data NAMES] [--epochs N]`; it trains eleven times, each time without the
words of one language and one other kind, and prints Markdown. A string that stands in other files, too, is left out as
well.
"""

import argparse
import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from model.artifacts import DataIdentity
from model.constants import OUTLIER_FOLDER
from model.data.corpus import Corpus, load_corpus
from model.data.label_folder import read_strings
from model.data.splitting import split_corpus
from model.export import save_bundle
from model.prediction import Predictor
from model.training import TrainingConfig, train
from model.utils import unmark

NAMES = Path(__file__).parents[1] / "data" / "names"
# Files of `outliers/` that are left out together: a language's words, and a kind that is not of this language.
FOLDS = (
    ("English words", "english", "urls"),
    ("finnish", "missing"),
    ("czech", "placeholders"),
    ("french", "phones"),
    ("german", "numbers"),
    ("italian", "markup"),
    ("polish", "companies"),
    ("russian", "places"),
    ("spanish", "emails"),
    ("swedish", "products"),
    ("turkish", "job_titles"),
)


def train_without(corpus: Corpus, left_out: set[str], epochs: int | None) -> tuple[Predictor, float]:
    """Train without some folded outliers; return the predictor, and the share of test names that it flags."""
    kept = tuple(text for text in corpus.outliers if unmark(text) not in left_out)
    split = split_corpus(replace(corpus, outliers=kept), seed=0)
    identity = DataIdentity(fingerprint="0", names=len(corpus.names), split_seed=0)
    with tempfile.TemporaryDirectory() as folder:
        save_bundle(Path(folder), train(split, TrainingConfig(epochs=epochs)), split, identity)
        predictor = Predictor.load(folder)
    familiarity = predictor.familiarity(split.test.spellings, lexicon=False)
    return predictor, float((familiarity < predictor.metadata.abstention_threshold).mean())


def flagged(predictor: Predictor, strings: list[str]) -> float:
    """Return the share of strings that get no label, or one with the mark that they look unfamiliar."""
    return float(np.mean([answer.abstained is not None for answer in predictor.predict(strings, top_k=1)]))


def main() -> None:
    """Print one row a kind."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=NAMES)
    parser.add_argument("--epochs", type=int, help="instead of the default of a training")
    arguments = parser.parse_args()
    corpus = load_corpus(arguments.data)
    kinds = read_strings(arguments.data.resolve().parent / OUTLIER_FOLDER)
    print("| kind that training did not see | strings | flagged | test names flagged |\n| --- | ---: | ---: | ---: |")
    for fold in FOLDS:
        strings = {kind: sorted(kinds[kind] & set(corpus.outliers)) for kind in fold if kind in kinds}
        left_out = {unmark(text) for found in strings.values() for text in found}
        predictor, of_names = train_without(corpus, left_out, arguments.epochs)
        for kind, found in strings.items():
            print(f"| {kind} | {len(found):,} | {flagged(predictor, found):.1%} | {of_names:.1%} |", flush=True)


if __name__ == "__main__":
    main()
