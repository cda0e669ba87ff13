"""migrate: bring a database to this release's revision."""

from typing import Annotated

import typer

from api.request_log.commands.places import read_places


def migrate(
    *,
    outbox: Annotated[
        bool, typer.Option("--outbox", help="The local SQLite file, also if there is a database.")
    ] = False,
) -> None:
    """Make or upgrade the tables of the database, or of the local file; safe to repeat, and by several at once."""
    from api.request_log.engines import sqlite_url
    from api.request_log.migrating import migrate as upgrade

    places = read_places()
    before, after = upgrade(sqlite_url(places.outbox) if outbox else places.url)
    if before == after:
        typer.echo(f"Revision {after}: there was nothing to do.")
    else:
        typer.echo(f"Revision {before} became {after}." if before else f"Revision {after} was made.")
