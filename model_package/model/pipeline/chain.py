"""The verbs in a row: each is run unless its result stands, and the first that is not done is the last."""

from contextlib import AbstractContextManager
from datetime import UTC, datetime
from time import perf_counter
from typing import Protocol

from model.errors import DataError, PipelineError
from model.pipeline.candidates import sweep
from model.pipeline.job import Job, Settings
from model.pipeline.runs import VERBS, Result, Run, Runs, Status
from model.pipeline.verbs import BY_NAME
from model.training import Progress


class Reporter(Protocol):
    """Shows how far a run is."""

    def waiting(self) -> None:
        """Tell that another pipeline of the store is at work, whose end is waited for."""

    def opened(self, run: Run) -> None:
        """Tell which run is at work."""

    def working(self, verb: str) -> AbstractContextManager[Progress | None]:
        """Show that a verb is at work, for as long as the context lasts; yield what shows how far training is."""

    def ended(self, result: Result) -> None:
        """Tell how a verb ended, in this process or in one before."""


def run_pipeline(
    settings: Settings, reporter: Reporter, *, run_id: str | None = None, step: str | None = None
) -> Status:
    """Run all verbs, or one whose predecessors are done; return how that ended.

    Without an id, the newest unfinished run is taken up, else a new one begins. Where it is refused, what else was
    dropped gets a run of its own; the status is then still that something was refused.

    Raises:
        PipelineError: something is in the way that may pass.
        ModelError: a bundle or the store is damaged.
    """
    runs = Runs(settings.store)
    with runs.working(reporter.waiting):
        if run_id is not None or step is not None:
            return _run(runs, runs.open(run_id), settings, reporter, step).status
        return _run_all(runs, settings, reporter)


def _run_all(runs: Runs, settings: Settings, reporter: Reporter) -> Status:
    """Run until nothing is new that was dropped, or nothing but what was refused just now."""
    last = _run_once(runs, settings, reporter)
    status, reasons = last.status, set[str | None]()
    while last.status is Status.REFUSED and settings.drops and settings.accept is None and last.reason not in reasons:
        reasons.add(last.reason)
        last = _run_once(runs, settings, reporter)
    return status


def _run_once(runs: Runs, settings: Settings, reporter: Reporter) -> Result:
    """Run all verbs; a run that found nothing at all leaves no trace."""
    run = runs.open(None)
    last = _run(runs, run, settings, reporter, None)
    if last.status is Status.UNCHANGED and last.verb == VERBS[0] and not last.facts["drops"]:
        runs.remove(run)
    return last


def _run(runs: Runs, run: Run, settings: Settings, reporter: Reporter, step: str | None) -> Result:
    """Run the verbs up to a step, which alone is run if it is given; return the last result."""
    if settings.accept is not None and step in {None, VERBS[0]}:
        _reopen(run)
    job = Job(run, [other for other in runs.all() if other.id != run.id], settings)
    sweep(settings.data, keep=run.id)
    reporter.opened(run)
    result: Result | None = None
    for verb in VERBS[: VERBS.index(step or VERBS[-1]) + 1]:
        result = run.result(verb)
        if result is None:
            if step not in {None, verb}:
                raise PipelineError(f"{verb} has not ended in run {run.id}; run it before {step}.")
            result = _execute(job, verb, reporter)
        if step in {None, verb} or result.status is not Status.DONE:
            reporter.ended(result)
        _tidy(job, result)
        if result.status is not Status.DONE:
            break
    assert result is not None  # there are verbs
    return result


def _reopen(run: Run) -> None:
    """Begin a run again that was refused for its data, which a person accepts now."""
    results = run.results()
    if results and results[-1].status is Status.REFUSED and results[-1].verb in {"ingest", "validate"}:
        run.forget(*VERBS)


def _execute(job: Job, verb: str, reporter: Reporter) -> Result:
    started_at, began = datetime.now(UTC), perf_counter()
    try:
        with reporter.working(verb) as progress:
            outcome = BY_NAME[verb](job, progress)
    except DataError as error:  # of names that were judged already, or are not there
        raise PipelineError(str(error)) from None
    result = Result(
        verb=verb,
        status=outcome.status,
        reason=outcome.reason,
        started_at=started_at,
        seconds=round(perf_counter() - began, 3),
        **outcome.facts,
    )
    job.run.write(result)
    return result


def _tidy(job: Job, result: Result) -> None:
    """Remove what no verb needs after this result."""
    if result.verb == "train":
        job.run.discard_bundle()
    if result.verb == "validate" or result.status is not Status.DONE:
        sweep(job.settings.data, keep=None)
