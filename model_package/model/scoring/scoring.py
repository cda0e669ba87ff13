"""Score a table of any length: parts by an engine, joined into one file at the end."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from model.artifacts import read_metadata
from model.data.ingest.kinds import detect_kind
from model.data.ingest.sources import describe_location, hash_file, local_path
from model.data.ingest.text import check_encoding
from model.errors import DataError
from model.scoring import spans
from model.scoring.columns import added_columns
from model.scoring.destination import check_destination, parts_folder, publish, rejected_name, withdraw
from model.scoring.inputs import Columns, Input, open_input
from model.scoring.outputs import check_suffix, join_rejected, keeps_keys, make_output
from model.scoring.parts import COPY, JOINED, Counts, Parts, clear, working_in
from model.scoring.pool import score_in_processes
from model.scoring.scorer import Job, Options
from model.scoring.spans import Span

Engine = Literal["local", "ray"]
Progress = Callable[[int, int], None]
"""Is told how many rows are done, and of how many."""
_FORMAT = 1  # of the parts; those of another are not taken up


@dataclass(frozen=True)
class Settings:
    """By which bundle names are answered, how a table is read, and what does the work."""

    bundle: Path
    columns: Columns = field(default_factory=Columns)
    options: Options = field(default_factory=Options)
    engine: Engine = "local"
    n_processes: int = 1
    restart: bool = False


@dataclass(frozen=True)
class Scored:
    """What became of a table."""

    counts: Counts
    n_resumed: int
    """Rows that were done before this run."""
    description: str
    """What the input was found to be."""
    rejected: str | None
    """Where the rows are that cannot be scored; None if all can."""


def score(source: str, output: str, settings: Settings, progress: Progress = lambda *_: None) -> Scored:
    """Write a table with the labels of each name to a file, or to a URL that fsspec opens.

    Rows that cannot be scored go to a CSV file beside it, with their numbers and why. A run that was killed goes on
    where it was.

    Raises:
        ModelError: the input cannot be read, the output cannot be written, or the bundle is damaged.
    """
    check_suffix(output)
    if settings.columns.encoding:
        check_encoding(settings.columns.encoding)
    metadata = read_metadata(settings.bundle)
    settings.options.width(len(metadata.labels))
    location, folder = describe_location(source), parts_folder(output)
    check_destination(source, output)
    with local_path(source) as path:
        if path.is_dir():
            raise DataError(f"{location} is a folder; score takes one file.")
        state = _state(path)
        kind = detect_kind(path, location, settings.columns.encoding)
        identity = _identify(path, output, metadata.version, settings)
        with working_in(folder, identity, restart=settings.restart):
            # what does not read the input here reads it where it came from
            place = source if settings.engine == "ray" and "://" in source else str(path.resolve())
            columns, copy = settings.columns, folder.resolve() / COPY
            table = open_input(path, place, kind, columns, copy, keeps_keys=keeps_keys(output))
            job = _make_job(table, output, len(metadata.labels), settings)
            done, n_resumed = _score(job, settings, progress)
            if _state(path) != state:
                raise DataError(f"{location} changed while it was scored: add --restart to score what it holds now.")
            total = Counts.sum(list(done.values()))
            result = Scored(total, n_resumed, table.description, _join(job, output, len(done), total))
            clear(folder)
    return result


def _state(path: Path) -> tuple[int, ...]:
    """Return what differs once a file was written to or replaced. Raises DataError if it is gone."""
    try:
        status = path.stat()
    except OSError as error:
        raise DataError(f"{path} cannot be read: {error.strerror}.") from None
    return status.st_ino, status.st_size, status.st_mtime_ns


def _make_job(table: Input, output: str, n_labels: int, settings: Settings) -> Job:
    width = settings.options.width(n_labels)
    added = added_columns(width, table.columns, "abstained")
    parts = Parts(parts_folder(output).resolve(), check_suffix(output))
    return Job(table, make_output(output, table, added), parts, settings.bundle.resolve(), settings.options, width)


def _score(job: Job, settings: Settings, progress: Progress) -> tuple[dict[int, Counts], int]:
    """Score what is not done yet; return the counts of each part, and how many rows were done before."""
    all_spans = list(job.table.spans())
    done = {span.index: counts for span in all_spans if (counts := job.parts.find(span.index))}
    n_resumed = sum(span.rows for span in all_spans if span.index in done)
    n_rows, n_done = sum(span.rows for span in all_spans), n_resumed
    progress(n_done, n_rows)
    for span, counts in _run(job, [span for span in all_spans if span.index not in done], settings):
        done[span.index] = counts
        n_done += span.rows
        progress(n_done, n_rows)
    return done, n_resumed


def _run(job: Job, spans: Sequence[Span], settings: Settings) -> Iterator[tuple[Span, Counts]]:
    if settings.engine == "ray":
        from model.scoring.ray_engine import score_on_ray

        return score_on_ray(job, spans, settings.n_processes)
    return score_in_processes(job, spans, settings.n_processes)


def _join(job: Job, output: str, n_parts: int, counts: Counts) -> str | None:
    """Write the output and, if need be, the file of rejected rows, each whole; return where the latter is."""
    joined = job.parts.folder / JOINED
    rejected = rejected_name(output)
    if counts.rejected:
        join_rejected(job.parts.rejected(n_parts), joined)
        publish(joined, rejected)
    else:
        withdraw(rejected)
    job.output.join(job.parts.content(n_parts), joined)
    publish(joined, output)
    return rejected if counts.rejected else None


def _identify(path: Path, output: str, version: str, settings: Settings) -> dict[str, Any]:
    """Return what must be the same for a run to go on with the parts of another."""
    columns, options = settings.columns, settings.options
    prior = options.prior if isinstance(options.prior, str) else json.dumps(options.prior, sort_keys=True)
    return {
        "input": hash_file(path),
        "kind of output": check_suffix(output),
        "model version": version,
        "choice of columns": [columns.text, columns.has_header, columns.encoding],
        "top-k": options.top_k,
        "prior": prior,
        "abstain": options.abstain,
        "format": [_FORMAT, spans.SPAN_ROWS],
    }
