"""The command that answers a table of any length: score."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from model.commands.terminal import DEFAULT_STORE, console, progress_console

if TYPE_CHECKING:
    from model.scoring.scoring import Progress as ProgressCallback
    from model.scoring.scoring import Scored

_DEFAULT_BUNDLE = Path("artifacts")
_SECONDS_PER_LINE = 30
_MAX_REASONS = 10


def score(
    source: Annotated[
        str,
        typer.Argument(metavar="INPUT", help="CSV, TSV, NDJSON or Parquet file with a column of names, or its URL."),
    ],
    output: Annotated[
        str, typer.Argument(help="File or URL to write; its suffix says which: .csv, .tsv, .ndjson, .jsonl, .parquet.")
    ],
    *,
    text: Annotated[
        str, typer.Option(metavar="COLUMN", help="Column of the names, or its number; or two, as in first,last.")
    ] = "name",
    header: Annotated[bool, typer.Option(help="Whether the first row of a CSV names the columns.")] = True,
    encoding: Annotated[str | None, typer.Option(help="Of a text file; found out if left out.")] = None,
    bundle: Annotated[
        Path | None,
        typer.Option(help=f"Folder of a bundle; the store's champion, else {_DEFAULT_BUNDLE}, if left out."),
    ] = None,
    store: Annotated[Path | None, typer.Option(help=f"Folder of a store; {DEFAULT_STORE} if left out.")] = None,
    processes: Annotated[int | None, typer.Option(min=1, help="How many; one a core if left out.")] = None,
    top_k: Annotated[int | None, typer.Option(min=1, help="Labels per name; three if left out.")] = None,
    prior: Annotated[
        Literal["natural", "uniform"], typer.Option(help="Take labels to be as frequent as in training, or alike.")
    ] = "natural",
    abstain: Annotated[
        bool, typer.Option("--abstain", help="Give no labels to what does not look like a name.")
    ] = False,
    engine: Annotated[
        Literal["local", "ray"], typer.Option(help="Processes of this machine, or actors of a Ray cluster.")
    ] = "local",
    restart: Annotated[
        bool, typer.Option("--restart", help="Drop the parts that a run before left unfinished.")
    ] = False,
) -> None:
    """Write a table with the labels of each name; what was killed goes on where it was.

    Rows that cannot be scored go to OUTPUT with .rejected.csv in the place of its suffix.
    """
    from model.scoring import scoring
    from model.scoring.inputs import Columns
    from model.scoring.scorer import Options

    settings = scoring.Settings(
        _find_bundle(bundle, store),
        Columns(text, header, encoding),
        Options(top_k, prior, abstain),
        engine,
        processes or _count_cores(),
        restart,
    )
    try:
        with _progress() as progress:
            result = scoring.score(source, output, settings, progress)
    except (KeyboardInterrupt, SystemExit):  # the latter is what Ctrl-C raises here
        progress_console.print("Stopped: the same command goes on behind the parts that are done.")
        raise
    _print_result(result, output)


def _count_cores() -> int:
    """Return how many cores this process may use; not all systems tell more than how many there are."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _find_bundle(bundle: Path | None, store: Path | None) -> Path:
    """Return the folder of the bundle that is meant, and print which it is. Raises StoreError."""
    from model.registry.store import Store, resolve_bundle

    if bundle is None and store is not None:
        Store(store).check_exists()
    if bundle is None and (store is not None or Store(DEFAULT_STORE).champion()):
        bundle = store or DEFAULT_STORE
    folder = resolve_bundle(bundle or _DEFAULT_BUNDLE)
    console.print(f"Scoring with the bundle in {folder}.")
    return folder


def _print_result(result: "Scored", output: str) -> None:
    counts = result.counts
    console.print(f"Input: {result.description}.")
    if result.n_resumed:
        console.print(f"{result.n_resumed} rows were done before.")
    console.print(
        f"{counts.scored} rows scored, {counts.abstained} of them with a reason to abstain. Written to {output}."
    )
    if result.rejected:
        console.print(f"{counts.rejected.total()} rows cannot be scored; they are in {result.rejected}:")
        for reason, count in counts.rejected.most_common(_MAX_REASONS):
            console.print(f"  {count}: {reason}")


@contextmanager
def _progress() -> "Iterator[ProgressCallback]":
    """Yield what shows how far scoring is: a bar on a terminal, a line now and then where there is none."""
    if not progress_console.is_terminal:
        yield _Lines()
        return
    columns = (TextColumn("rows"), BarColumn(), MofNCompleteColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=progress_console) as bar:
        task = bar.add_task("rows", total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


class _Lines:
    """Prints how many rows are done, twice a minute at most and at the end."""

    def __init__(self) -> None:
        self._started = self._printed = time.monotonic()
        self._before: int | None = None

    def __call__(self, done: int, total: int) -> None:
        now = time.monotonic()
        if self._before is None:
            self._before = done
        if done == total or now - self._printed >= _SECONDS_PER_LINE:
            self._printed = now
            speed = (done - self._before) / max(now - self._started, 1e-9)
            progress_console.print(f"{done} of {total} rows, {speed:.0f} per second")
