"""The command that takes data in: ingest."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from model.commands.data_folder import AsIsOption, print_warnings
from model.commands.terminal import console

if TYPE_CHECKING:
    from collections.abc import Iterable

    from model.data.ingest.ingestion import Drop
    from model.data.manifest import Manifest

_MAX_PLACES = 5
_DELIMITER_NAMES = {"\t": "tab", " ": "space"}


def ingest(
    source: Annotated[
        str,
        typer.Argument(
            help="CSV, TSV, NDJSON or Parquet file, or its URL; or a folder of <Label>.txt, such as exported feedback."
        ),
    ],
    data: Annotated[Path, typer.Argument(help="Folder of snapshots of the data; made if need be.")],
    *,
    text: Annotated[str, typer.Option(metavar="COLUMN", help="Column of the names, or its number.")] = "name",
    label: Annotated[str, typer.Option(metavar="COLUMN", help="Column of the labels, or its number.")] = "label",
    header: Annotated[bool, typer.Option(help="Whether the first row of a CSV names the columns.")] = True,
    encoding: Annotated[str | None, typer.Option(help="Of a text file; found out if left out.")] = None,
    as_is: AsIsOption = False,
    replace: Annotated[
        bool, typer.Option("--replace", help="Stand for the names that are there instead of adding to them.")
    ] = False,
) -> None:
    """Add a source of labelled names to a folder of snapshots, as a new snapshot that train and validate take."""
    from model.data.ingest.ingestion import Options, ingest
    from model.data.ingest.tables import Columns

    columns = Columns(text, label, header, encoding)
    ingested = ingest(source, data, Options(columns, as_is=as_is, replace=replace))
    if ingested.drop:
        _print_drop(ingested.drop)
    manifest = ingested.manifest
    if not ingested.is_new:
        console.print(f"Nothing new: snapshot {manifest.snapshot} of {data} holds all of this source already.")
        return
    print_warnings(_describe_similar(manifest.labels))
    print_warnings([f"The given names of {label} are left out: it has no names." for label in manifest.left_out])
    console.print(
        f"{manifest.added} names added, {manifest.known} known before, {manifest.repeated} repeated in the source.\n"
        f"Snapshot {manifest.snapshot}: {sum(count.names for count in manifest.labels.values())} names of "
        f"{len(manifest.labels)} labels{_describe_parent(manifest)}. Written to {ingested.snapshot}."
    )


def _print_drop(drop: "Drop") -> None:
    """Print how a source was read, and what of it was refused: where, never what."""
    print_warnings(drop.record.notes)
    delimiter = drop.record.delimiter
    details = (
        drop.record.kind,
        delimiter and f"delimiter {_DELIMITER_NAMES.get(delimiter, delimiter)}",
        drop.record.encoding,
    )
    console.print(f"{drop.record.location}: {', '.join(filter(None, details))}; {drop.names.rows} rows.")
    for reason, refused in drop.refused().items():
        places = ", ".join(refused.places[:_MAX_PLACES]) + (", ..." if refused.count > _MAX_PLACES else "")
        console.print(f"{refused.count} refused: {reason} (line {places}).")


def _describe_similar(labels: "Iterable[str]") -> list[str]:
    """Tell of labels that are one but for case: most likely one was mistyped."""
    by_form: dict[str, list[str]] = {}
    for label in labels:
        by_form.setdefault(label.casefold(), []).append(label)
    return [f"{' and '.join(alike)} differ in case only." for alike in by_form.values() if len(alike) > 1]


def _describe_parent(manifest: "Manifest") -> str:
    if not manifest.parent:
        return ""
    return f", {'instead of' if manifest.replaces else 'after'} {manifest.parent}"
