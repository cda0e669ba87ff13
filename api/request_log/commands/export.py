"""export: answered items as CSV or Parquet, or feedback in the shape of training data."""

from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from api.request_log.commands.places import read_places
from api.request_log.errors import RequestLogError


class Format(StrEnum):
    """How rows are written."""

    CSV = "csv"
    PARQUET = "parquet"


def _parse_time(value: str | datetime) -> datetime:
    try:
        at = datetime.fromisoformat(str(value))
    except ValueError:
        raise typer.BadParameter("a date or time is wanted, such as 2026-11-30 or 2026-11-30T21:27:30+01:00") from None
    return at.replace(tzinfo=at.tzinfo or UTC)


Since = Annotated[
    datetime | None,
    typer.Option(parser=_parse_time, metavar="TIME", help="From this date or time on; UTC if it names no zone."),
]
Until = Annotated[datetime | None, typer.Option(parser=_parse_time, metavar="TIME", help="Before this date or time.")]


def export(
    *,
    output: Annotated[Path | None, typer.Option(help="File to write; standard output if left out.")] = None,
    file_format: Annotated[Format, typer.Option("--format", help="Parquet needs pyarrow and --output.")] = Format.CSV,
    since: Since = None,
    until: Until = None,
    version: Annotated[str | None, typer.Option(help="Only of this version of the model.")] = None,
    label: Annotated[
        str | None, typer.Option(help="Only where this label is the most probable, or the true one.")
    ] = None,
    feedback: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Instead write a new folder of <Label>.txt files from the feedback."),
    ] = None,
) -> None:
    """Write answered items in order of time, or with --feedback the names whose true label was given."""
    from api.request_log.commands.connecting import connected
    from api.request_log.commands.feedback_files import export_feedback
    from api.request_log.commands.row_files import export_rows
    from api.request_log.commands.selecting import select_feedback, select_rows

    if feedback and (output or version or file_format is not Format.CSV):
        raise RequestLogError("--feedback takes --since, --until and --label, and writes text files only.")
    if file_format is Format.PARQUET and not output:
        raise RequestLogError("Parquet needs a file: name one with --output.")
    with connected(read_places().url, read_only=True) as connection, connection.begin():
        if feedback:
            export_feedback(connection, select_feedback(since, until, label), feedback)
        else:
            parquet = file_format is Format.PARQUET
            query = select_rows(since, until, label, version, as_text=not parquet)
            export_rows(connection, query, output, parquet=parquet)
