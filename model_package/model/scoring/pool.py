"""Spans over the processes of one machine, a few at a time."""

import os
import signal
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from multiprocessing import connection, get_context, parent_process

from model.errors import DataError
from model.scoring.parts import Counts
from model.scoring.scorer import Job, Scorer
from model.scoring.spans import Span

_WAITING_PER_PROCESS = 2
_scorer: Scorer | None = None


def score_in_processes(job: Job, spans: Sequence[Span], n_processes: int) -> Iterator[tuple[Span, Counts]]:
    """Score spans, and yield each that is done, in any order; one process is this one.

    Raises:
        ModelError: the bundle or the input is damaged, or a process was killed.
    """
    n_processes = min(n_processes, len(spans))
    if n_processes < 2:
        scorer = Scorer(job)
        yield from ((span, scorer(span)) for span in spans)
        return
    rest = iter(spans)
    pool = ProcessPoolExecutor(n_processes, get_context("spawn"), _start, (job,))
    try:
        running = {pool.submit(_score, span): span for span in islice(rest, n_processes * _WAITING_PER_PROCESS)}
        while running:
            done, _ = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                yield running.pop(future), _result(future)
                for span in islice(rest, 1):
                    running[pool.submit(_score, span)] = span
    finally:
        pool.shutdown(cancel_futures=True)


def _result(future: "Future[Counts]") -> Counts:
    try:
        return future.result()
    except BrokenProcessPool:
        raise DataError(
            "A process that scores was killed, perhaps for lack of memory: run the command again to go on, "
            "with fewer --processes if that repeats."
        ) from None


def _start(job: Job) -> None:
    """Load the model once in each process."""
    global _scorer  # noqa: PLW0603 - what a process of a pool keeps between calls
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches all: the parts that are begun are finished
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _scorer = Scorer(job)


def _score(span: Span) -> Counts:
    assert _scorer is not None
    return _scorer(span)


def _end_with_parent() -> None:
    """End this process once the one that started it is killed; it would wait for work for ever."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os._exit(1)
