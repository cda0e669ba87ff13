"""Scores a span of a table and commits it as a part: what one process, or one actor of a cluster, does."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import exp
from pathlib import Path

from model.constants import DEFAULT_TOP_K
from model.errors import InvalidTopKError
from model.prediction import Prediction, Predictor
from model.priors import Prior
from model.scoring.inputs import Input
from model.scoring.outputs import Answers, Output, encode_rejected
from model.scoring.parts import Counts, Parts
from model.scoring.rows import Batch, Rejected
from model.scoring.spans import Span


@dataclass(frozen=True)
class Options:
    """How names are answered; with `abstain`, what is not familiar gets no labels."""

    top_k: int | None = None
    prior: Prior = "natural"
    abstain: bool = False

    def width(self, n_labels: int) -> int:
        """Return how many labels a row has room for. Raises InvalidTopKError if there are not so many."""
        width = self.top_k or min(DEFAULT_TOP_K, n_labels)
        if not 1 <= width <= n_labels:
            raise InvalidTopKError(f"The number of predictions must be between 1 and {n_labels}.")
        return width

    def shown(self, prediction: Prediction) -> Prediction:
        """Return a prediction without labels where it abstains and that is asked for."""
        return Prediction((), (), prediction.abstained) if self.abstain and prediction.abstained else prediction


@dataclass(frozen=True)
class Job:
    """All that a process needs to score any span."""

    table: Input
    output: Output
    parts: Parts
    bundle: Path
    options: Options
    width: int


class Scorer:
    """Holds one predictor with one thread, and scores the spans that it is given."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._predictor = Predictor.load(job.bundle, threads=1)

    def __call__(self, span: Span) -> Counts:
        """Score a span and commit its part.

        Raises:
            DataError: the input is damaged, or has changed.
            OSError: the part cannot be written.
        """
        pieces: list[bytes] = []
        rejected: list[Rejected] = []
        n_scored = n_abstained = 0
        for batch in self._job.table.read(span):
            answers, kept = self._answer(batch)
            content = batch.content if len(kept) == len(batch.texts) else batch.content.select(kept)
            pieces.append(self._job.output.encode(content, answers))
            rejected += batch.rejected
            n_scored += len(kept)
            n_abstained += sum(answer[-1] is not None for answer in answers)
        counts = Counts(n_scored, n_abstained, Counter(row.reason for row in rejected))
        rejected.sort()
        self._job.parts.commit(span.index, self._job.output.finish(pieces), encode_rejected(rejected), counts)
        return counts

    def _answer(self, batch: Batch) -> tuple[Answers, Sequence[int]]:
        """Return the added cells and the places of the rows that can be scored; the others join the rejected."""
        outcomes = self._predictor.predict_each(batch.texts, self._job.options.top_k, self._job.options.prior)
        answers: list[list[str | float | None]] = []
        kept: list[int] = []
        for place, outcome in enumerate(outcomes):
            if isinstance(outcome, str):
                batch.rejected.append(Rejected(batch.numbers[place], outcome, batch.content.show(place)))
            else:
                answers.append(self._cells(self._job.options.shown(outcome)))
                kept.append(place)
        return answers, kept

    def _cells(self, prediction: Prediction) -> list[str | float | None]:
        missing = [None] * (self._job.width - len(prediction.labels))
        return [*prediction.labels, *missing, *map(exp, prediction.log_probs), *missing, prediction.abstained]
