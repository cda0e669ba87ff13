"""The command that goes from a request, or a version, back to its data: trace."""

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from model.commands.terminal import DEFAULT_STORE, StoreOption, console

if TYPE_CHECKING:
    from model.data.manifest import Manifest
    from model.pipeline.request_rows import Answered
    from model.pipeline.trace import Origin

_OUTBOX = "request_log.sqlite"
_MAX_SOURCES = 20


def trace(
    request: Annotated[
        str, typer.Argument(metavar="REQUEST_ID", help="What X-Request-ID said with the answer; or a version.")
    ],
    store: StoreOption = DEFAULT_STORE,
    *,
    data: Annotated[
        Path | None, typer.Option(help="Folder of snapshots; where the run that trained had it if left out.")
    ] = None,
    outbox: Annotated[
        Path | None, typer.Option(help="File of the service's request log; by its settings if left out.")
    ] = None,
    database: Annotated[
        str | None,
        typer.Option(
            metavar="URL", envvar="NAME_CLASSIFIER_DATABASE_URL", help="PostgreSQL that the log is shipped to."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print where the answers to a request came from: version, run, snapshot of the data with its sources, commit."""
    from model.errors import StoreError
    from model.pipeline.request_rows import find_answered
    from model.pipeline.trace import find_origin
    from model.registry.store import Store

    kept = Store(store)
    kept.check_exists()
    answered: list[Answered] = []
    try:
        kept.folder(request)
        versions = [request]
    except StoreError:
        log = Path(os.environ.get("NAME_CLASSIFIER_REQUEST_LOG_DIR", "request_log"))
        answered = find_answered(request, outbox or log / _OUTBOX, database or None)
        versions = list(dict.fromkeys(found.version for found in answered))
    origins = [find_origin(kept, version, data) for version in versions]
    if as_json:
        typer.echo(
            json.dumps({"request": [vars(found) for found in answered], "versions": list(map(_record, origins))})
        )
        return
    for found in answered:
        console.print(f"request   {request}: {found.items} item(s) by {found.route} at {found.answered_at}")
    for origin in origins:
        _print_origin(origin)


def _print_origin(origin: "Origin") -> None:
    metadata = origin.metadata
    console.print(f"version   {metadata.version}, {origin.role}, trained at {metadata.created_at.isoformat()}")
    for entry in origin.events:
        reason = f" ({entry.reason})" if entry.reason else ""
        console.print(f"          {entry.event} at {entry.time.isoformat()}{reason}")
    console.print(f"run       {origin.run or 'none: trained by hand'}")
    if metadata.data.snapshot is None:
        console.print(f"data      no snapshot; {metadata.data.names} names, fingerprint {metadata.data.fingerprint}")
    else:
        console.print(f"snapshot  {_describe_snapshot(origin)}")
        for manifest in origin.snapshots[:_MAX_SOURCES]:
            console.print(f"source    {_describe_source(manifest)}")
        if n_more := len(origin.snapshots[_MAX_SOURCES:]):
            console.print(f"          and {n_more} older sources")
    console.print(f"commit    {metadata.git_commit or 'not known'}")


def _describe_snapshot(origin: "Origin") -> str:
    data = origin.metadata.data
    state = "not there any more"
    if origin.snapshots:
        state = "unchanged" if origin.is_verified else "changed since"
    folder = f"{origin.data}/" if origin.data else ""
    return f"{folder}{data.snapshot}: {data.names} names, manifest {data.manifest_sha256}, {state}"


def _describe_source(manifest: "Manifest") -> str:
    source = manifest.source
    return f"{source.location}: {manifest.added} names added, SHA-256 {source.sha256}"


def _record(origin: "Origin") -> dict[str, Any]:
    metadata = origin.metadata
    return {
        "version": metadata.version,
        "role": origin.role,
        "created_at": metadata.created_at.isoformat(),
        "git_commit": metadata.git_commit,
        "run": origin.run,
        "events": [entry.model_dump(mode="json", exclude={"gate"}) for entry in origin.events],
        "data": metadata.data.model_dump() | {"folder": str(origin.data) if origin.data else None},
        "is_verified": origin.is_verified,
        "sources": [
            {"snapshot": manifest.snapshot, "added": manifest.added, **manifest.source.model_dump()}
            for manifest in origin.snapshots
        ],
    }
