"""Feedback as a folder of training data: <Label>.txt, one name a line."""

import os
import shutil
from collections.abc import Iterable, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import typer
from sqlalchemy import Connection, Executable

from api.request_log.errors import RequestLogError
from model.constants import MAX_LABEL_LENGTH
from model.errors import InvalidNameError
from model.utils import fold

_FETCHED = 10_000


def export_feedback(connection: Connection, query: Executable, folder: Path) -> None:
    """Write the names of a query for (label, name), ordered by label, to a new folder that is there once complete.

    Raises:
        RequestLogError: the folder holds files already, or cannot be written.
    """
    temporary = folder.with_name(f".{folder.name}.{os.getpid()}")
    options = {"stream_results": True, "yield_per": _FETCHED}
    try:
        if folder.exists() and any(folder.iterdir()):
            raise RequestLogError(f"{folder} holds files already: name a new folder.")
        temporary.mkdir(mode=0o700, parents=True)
        with connection.execute(query, execution_options=options) as rows:
            n_names, n_left_out = _write_labels(rows, temporary)
        temporary.replace(folder)
    except OSError as error:
        raise RequestLogError(f"{folder} cannot be written: {error.strerror}.") from None
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    typer.echo(f"Wrote {n_names} names to {folder}.", err=True)
    if n_left_out:
        typer.echo(f"Left out {n_left_out} names under labels that cannot name a file.", err=True)


def _write_labels(rows: Iterable[Sequence[str]], folder: Path) -> tuple[int, int]:
    """Write a file for each label; return how many names were written, and how many cannot be."""
    n_names, n_left_out = 0, 0
    for label, labelled in groupby(rows, key=itemgetter(0)):
        names = _distinct(row[1] for row in labelled)
        if _can_name_a_file(label):
            (folder / f"{label}.txt").write_text("".join(f"{name}\n" for name in names), encoding="utf-8")
            n_names += len(names)
        else:
            n_left_out += len(names)
    return n_names, n_left_out


def _distinct(names: Iterable[str]) -> list[str]:
    """Return one spelling of each name, in alphabetical order, which tells training nothing of how common they are."""
    spellings: dict[str, str] = {}
    for name in names:
        try:
            spellings.setdefault(fold(name), " ".join(name.split()))
        except InvalidNameError:  # accepted by a release that folded otherwise
            continue
    return [spellings[folded] for folded in sorted(spellings)]


def _can_name_a_file(label: str) -> bool:
    fits = 0 < len(label) <= MAX_LABEL_LENGTH and label.isprintable() and label == label.strip()
    return fits and "/" not in label and not label.startswith(".")
