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
    location, folder = describe_location(source), _parts_folder(output)
    with local_path(source) as path:
        if path.is_dir():
            raise DataError(f"{location} is a folder; score takes one file.")
        if path.resolve() == Path(output).resolve():
            raise DataError("INPUT and OUTPUT are the same file; name another for the result.")
        kind = detect_kind(path, location, settings.columns.encoding)
        identity = _identify(path, output, metadata.version, settings)
        with working_in(folder, identity, restart=settings.restart):
            # what does not read the input here reads it where it came from
            place = source if settings.engine == "ray" and "://" in source else str(path.resolve())
            columns, copy = settings.columns, folder.resolve() / COPY
            table = open_input(path, place, kind, columns, copy, keeps_keys=keeps_keys(output))
            result = _score(_make_job(table, output, len(metadata.labels), settings), output, settings, progress)
            clear(folder)
    return result


def _make_job(table: Input, output: str, n_labels: int, settings: Settings) -> Job:
    width = settings.options.width(n_labels)
    added = added_columns(width, table.columns, "abstained")
    parts = Parts(_parts_folder(output).resolve(), check_suffix(output))
    return Job(table, make_output(output, table, added), parts, settings.bundle.resolve(), settings.options, width)


def _score(job: Job, output: str, settings: Settings, progress: Progress) -> Scored:
    """Score what is not done yet, and join all parts."""
    all_spans = list(job.table.spans())
    done = {span.index: counts for span in all_spans if (counts := job.parts.find(span.index))}
    n_resumed = sum(span.rows for span in all_spans if span.index in done)
    n_rows, n_done = sum(span.rows for span in all_spans), n_resumed
    progress(n_done, n_rows)
    for span, counts in _run(job, [span for span in all_spans if span.index not in done], settings):
        done[span.index] = counts
        n_done += span.rows
        progress(n_done, n_rows)
    total = Counts.sum(list(done.values()))
    return Scored(total, n_resumed, job.table.description, _join(job, output, len(all_spans), total))


def _run(job: Job, spans: Sequence[Span], settings: Settings) -> Iterator[tuple[Span, Counts]]:
    if settings.engine == "ray":
        from model.scoring.ray_engine import score_on_ray

        return score_on_ray(job, spans, settings.n_processes)
    return score_in_processes(job, spans, settings.n_processes)


def _join(job: Job, output: str, n_parts: int, counts: Counts) -> str | None:
    """Write the output and, if need be, the file of rejected rows, each whole; return where the latter is."""
    joined = job.parts.folder / JOINED
    rejected = _rejected_name(output)
    if counts.rejected:
        join_rejected(job.parts.rejected(n_parts), joined)
        _publish(joined, rejected)
    else:
        _withdraw(rejected)
    job.output.join(job.parts.content(n_parts), joined)
    _publish(joined, output)
    return rejected if counts.rejected else None


def _publish(path: Path, target: str) -> None:
    """Move a file to its place, by rename."""
    if "://" not in target:
        path.replace(target)
        return
    try:
        system, place = _open_url(target)
        system.put_file(str(path), f"{place}.part")
        system.mv(f"{place}.part", place)
    except Exception as error:  # noqa: BLE001 - each file system of fsspec raises what it likes
        raise DataError(f"{describe_location(target)} cannot be written ({type(error).__name__}).") from None
    path.unlink()


def _withdraw(target: str) -> None:
    """Remove what a run before left of rejected rows."""
    if "://" not in target:
        Path(target).unlink(missing_ok=True)
        return
    system, place = _open_url(target)
    if system.exists(place):
        system.rm(place)


def _open_url(url: str) -> Any:  # noqa: ANN401 - fsspec has no types
    try:
        import fsspec
    except ImportError:
        raise DataError(
            'URLs need fsspec, which is not installed: run `pip install "model_package[ingest]"`.'
        ) from None
    return fsspec.core.url_to_fs(url)


def _parts_folder(output: str) -> Path:
    """Return the folder of the parts: beside a file, in the working directory for a URL."""
    name = f"{Path(describe_location(output)).name}.parts"
    return Path(name) if "://" in output else Path(output).with_name(name)


def _rejected_name(output: str) -> str:
    base, _, _ = output.rpartition(".")
    return f"{base}.rejected.csv"


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
