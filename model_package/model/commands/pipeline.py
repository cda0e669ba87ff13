"""The command that goes from fresh data to a promoted model: pipeline."""

import signal
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from threading import Event
from types import FrameType
from typing import TYPE_CHECKING, Annotated, Any

import typer

from model.commands.terminal import DEFAULT_STORE, MlflowOption, console, progress_console
from model.commands.training_progress import show_training

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from model.pipeline.job import Settings
    from model.pipeline.runs import Result, Run, Status
    from model.training import Progress

REFUSED_EXIT = 3
_MAX_PLACES = 3


class Verb(StrEnum):
    """The verbs of the pipeline, in order."""

    INGEST = "ingest"
    VALIDATE = "validate"
    TRAIN = "train"
    EVALUATE = "evaluate"
    GATE = "gate"
    PROMOTE = "promote"


def pipeline(
    *,
    data: Annotated[Path, typer.Option(help="Folder of snapshots, made if need be; or a folder of <Label>.txt.")],
    store: Annotated[
        Path, typer.Option("--store", help="Folder that keeps every version, its history, and the runs.")
    ] = DEFAULT_STORE,
    drops: Annotated[
        Path | None, typer.Option(help="Folder in which people put CSV, TSV, NDJSON, Parquet, or folders of lists.")
    ] = None,
    text: Annotated[str, typer.Option(metavar="COLUMN", help="Column of the names in what is dropped.")] = "name",
    label: Annotated[str, typer.Option(metavar="COLUMN", help="Column of the labels in what is dropped.")] = "label",
    replace: Annotated[
        bool, typer.Option("--replace", help="What is dropped stands for the names that were there.")
    ] = False,
    run: Annotated[
        str | None,
        typer.Option(
            metavar="ID", help="Which run to go on with; the newest unfinished one, or a new one, if left out."
        ),
    ] = None,
    step: Annotated[Verb | None, typer.Option(help="This verb alone; those before it have to be done.")] = None,
    accept: Annotated[
        str | None, typer.Option(metavar="REASON", help="Take data that validate refuses; the reason is recorded.")
    ] = None,
    config: Annotated[Path | None, typer.Option(help="TOML file with tables [shape] and [training].")] = None,
    mlflow: MlflowOption = None,
    watch: Annotated[
        float | None, typer.Option(min=1, metavar="SECONDS", help="Run again and again, with a pause between.")
    ] = None,
) -> None:
    """Ingest, validate, train, evaluate, gate and promote; what a kill interrupted goes on where it was.

    Exits with 0 if a version was promoted or nothing is new, 3 if something was refused, 1 if something is in the way
    that may pass.
    """
    from model.config import read_config
    from model.data.ingest.tables import Columns
    from model.errors import ConfigError
    from model.pipeline.job import Settings
    from model.pipeline.runs import Status
    from model.registry import tracking

    if accept is not None and not accept.strip():
        raise typer.BadParameter("say why, in words that the history keeps", param_hint="--accept")
    if watch and (run or step or accept):
        raise typer.BadParameter("goes with neither --run nor --step nor --accept", param_hint="--watch")
    try:
        shape, training = read_config(config)
    except ConfigError as error:
        raise typer.BadParameter(str(error), param_hint="--config") from None
    if mlflow:
        tracking.check_installed()
    settings = Settings(store, data, drops, Columns(text, label), replace, shape, training, accept)
    reporter = _Reporter()
    if watch:
        _watch(lambda: _run(settings, reporter, mlflow, None, None), watch)
    elif _run(settings, reporter, mlflow, run, step) is Status.REFUSED:
        raise typer.Exit(REFUSED_EXIT)


def _run(
    settings: "Settings", reporter: "_Reporter", mlflow: str | None, run: str | None, step: str | None
) -> "Status":
    from model.pipeline.chain import run_pipeline
    from model.registry import tracking
    from model.registry.store import Store

    status = run_pipeline(settings, reporter, run_id=run, step=step)
    kept = Store(settings.store)
    if mlflow and kept.history():
        tracking.record(kept, mlflow)
    return status


def _watch(run: "Callable[[], Status]", seconds: float) -> None:
    """Run again and again until SIGTERM; whatever goes wrong is told and counted."""
    stopping = Event()

    def stop(_: int, __: FrameType | None) -> None:
        stopping.set()
        raise typer.Exit(0)  # what this cuts short goes on at the next start

    signal.signal(signal.SIGTERM, stop)
    failures = 0
    while not stopping.is_set():
        try:
            run()
        except typer.Exit:
            raise
        except Exception as error:  # noqa: BLE001 - a loop that must not end
            failures += 1
            progress_console.print(f"error: {str(error) or type(error).__name__} Failures so far: {failures}.")
        stopping.wait(seconds)


class _Reporter:
    """Prints a line for each verb that ended, and again and again the same one once.

    On a terminal it also shows the verb that is at work.
    """

    def __init__(self) -> None:
        self._run_id = ""
        self._unchanged: str | None = None

    def waiting(self) -> None:
        progress_console.print("Another pipeline is at work in this store; waiting for its end.")

    def opened(self, run: "Run") -> None:
        self._run_id = run.id

    @contextmanager
    def working(self, verb: str) -> "Iterator[Progress | None]":
        if verb == Verb.TRAIN:
            with show_training() as progress:
                yield progress
        elif progress_console.is_terminal:
            with progress_console.status(verb):
                yield None
        else:
            yield None

    def ended(self, result: "Result") -> None:
        repeats = result.status == "unchanged" and result.reason == self._unchanged
        self._unchanged = result.reason if result.status == "unchanged" else None
        if repeats:
            return
        head = f"{self._run_id} {result.verb}: {result.status.value}"
        if result.reason:
            console.print(f"{head}. {result.reason}")
        else:
            console.print(f"{head} in {result.seconds:.1f} s. {_describe(result.verb, result.facts)}")


def _describe(verb: str, facts: "Mapping[str, Any]") -> str:
    """Tell what a verb found, in one sentence or one for each source."""
    match Verb(verb):
        case Verb.INGEST:
            return " ".join(map(_describe_drop, facts["drops"])) or "Nothing was dropped."
        case Verb.VALIDATE:
            accepted = f" Accepted by hand: {facts['accepted']}." if facts["accepted"] else ""
            return f"{facts['names']} names of {facts['labels']} labels.{accepted}"
        case Verb.TRAIN:
            return f"Version {facts['version']}."
        case Verb.EVALUATE:
            metrics = facts["metrics"]
            return f"Accuracy {metrics['accuracy']:.4f}, macro-F1 {metrics['macro_f1']:.4f} on {metrics['n']} names."
        case Verb.GATE:
            champion = facts["champion"]
            return f"No worse than {champion}." if champion else "There is no champion to compare with."
        case Verb.PROMOTE:
            before = f" instead of {facts['previous']}" if facts["previous"] else ""
            return f"{facts['version']} is champion{before}."


def _describe_drop(drop: "Mapping[str, Any]") -> str:
    counts = [f"{drop['added']} names added", f"{drop['known']} known", f"{drop['repeated']} repeated"]
    refused = [
        f"{found['count']} refused: {reason} (line {', '.join(found['places'][:_MAX_PLACES])})"
        for reason, found in drop["refused"].items()
    ]
    return f"{drop['location']}: {', '.join(counts)}{'; ' if refused else ''}{'; '.join(refused)}."
