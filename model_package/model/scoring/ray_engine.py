"""Spans over the actors of a Ray cluster, each with a predictor."""

import logging
from collections.abc import Iterator, Sequence
from typing import Any

from model.errors import DataError
from model.scoring.parts import Counts
from model.scoring.scorer import Job, Scorer
from model.scoring.spans import Span

_ACTOR_BYTES = 2**30
"""What an actor reserves; it needs about a third."""


class _Actor:
    """Scores the spans whose places in a list it is given."""

    def __init__(self, job: Job, spans: Sequence[Span]) -> None:
        self._score = Scorer(job)
        self._spans = spans

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Commit a part for each span; a span that comes again, after its actor was lost, is the same part again."""
        for place in batch["item"]:
            self._score(self._spans[int(place)])
        return batch


def score_on_ray(job: Job, spans: Sequence[Span], n_actors: int) -> Iterator[tuple[Span, Counts]]:
    """Score spans on the cluster that RAY_ADDRESS names, else on one that is started here; yield what is done.

    Input and parts must lie where every node finds them at the same path.

    Raises:
        DataError: Ray is not installed, or gave up.
    """
    try:
        import ray
        from ray.data import ActorPoolStrategy
    except ImportError:
        raise DataError('Ray is not installed: run `pip install "model_package[ray]"`.') from None
    if not spans:
        return
    if not ray.is_initialized():
        ray.init(logging_level=logging.WARNING)
    ray.data.DataContext.get_current().enable_progress_bars = False
    places = ray.data.from_items(list(range(len(spans))), override_num_blocks=len(spans))
    done = places.map_batches(
        _Actor,
        fn_constructor_args=(job, spans),
        batch_size=1,
        compute=ActorPoolStrategy(min_size=1, max_size=n_actors),
        num_cpus=1,
        memory=_ACTOR_BYTES,
    )
    for row in done.iter_rows():
        span = spans[row["item"]]
        counts = job.parts.find(span.index)
        if counts is None:
            raise DataError(f"Part {span.index} is not in {job.parts.folder}: every node must share that folder.")
        yield span, counts
