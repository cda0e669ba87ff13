"""erase: delete what is kept of one name, in the database and in the local outbox."""

import re
import sys
from collections.abc import Collection
from typing import TYPE_CHECKING, Annotated

import typer

from api.hash_keys import PLAIN, HashKey, digest
from api.request_log.commands.places import read_places
from api.request_log.errors import RequestLogError
from model.errors import InvalidNameError

if TYPE_CHECKING:
    from sqlalchemy import Connection

_STANDARD_INPUT = "-"
_MAX_INPUT = 10_000
_HASH = re.compile("[0-9a-f]{64}")

Digests = Collection[tuple[str, str]]
"""Hashes of a name, each with the id of its key."""


def erase(
    name: Annotated[
        list[str] | None,
        typer.Argument(help="The name, or - to read it from standard input, out of the shell's history."),
    ] = None,
    *,
    name_hash: Annotated[str | None, typer.Option("--hash", metavar="HEX", help="A hash instead of the name.")] = None,
) -> None:
    """Delete the rows of a name, however it was spelled, by its hashes under every key of the settings.

    Rows that wait in other outboxes are dropped before they are shipped.
    """
    from api.request_log.commands.connecting import connected
    from api.request_log.engines import sqlite_url

    places = read_places()
    digests = _digests(" ".join(name) if name else None, name_hash, places.name_hash_keys)
    with connected(places.url) as connection:
        _report(_erase_rows(connection, digests), "the database")
    outbox = sqlite_url(places.outbox)
    if outbox != places.url and places.outbox.exists():
        with connected(outbox) as connection:
            _report(_erase_rows(connection, digests), f"the outbox {places.outbox}")


def _digests(name: str | None, name_hash: str | None, keys: Collection[HashKey]) -> Digests:
    if (name is None) == (name_hash is None):
        raise RequestLogError("Give either a name, or - to read it from standard input, or --hash.")
    if name_hash is not None:
        if not _HASH.fullmatch(name_hash.lower()):
            raise RequestLogError("A hash has 64 hexadecimal digits.")
        return [(name_hash.lower(), PLAIN)]
    if name == _STANDARD_INPUT:
        name = sys.stdin.readline(_MAX_INPUT)
    try:
        return [digest(name or "", key) for key in (*keys, None)]
    except InvalidNameError as error:
        raise RequestLogError(str(error)) from None


def _erase_rows(connection: "Connection", digests: Digests) -> dict[str, int]:
    """Return how many rows of each table were deleted; in SQLite their bytes are gone from the file and its log."""
    from sqlalchemy import delete, func, select

    from api.request_log.engines import truncate_wal
    from api.request_log.schema import ERASURE_LOCK
    from api.request_log.tables import feedback, prediction_request

    hashes = [name_hash for name_hash, _ in digests]
    on_server = connection.dialect.name == "postgresql"
    with connection.begin():
        if on_server:  # waits for the batches that are being shipped; later ones see the erasure
            connection.execute(select(func.pg_advisory_xact_lock(ERASURE_LOCK)))
            _record(connection, digests)
        n_rows = {
            table.name: connection.execute(delete(table).where(table.c.name_hash.in_(hashes))).rowcount
            for table in (prediction_request, feedback)
        }
    if not on_server:
        truncate_wal(connection)
    return n_rows


def _record(connection: "Connection", digests: Digests) -> None:
    """Leave in PostgreSQL what shippers check their batches against."""
    from sqlalchemy import func
    from sqlalchemy.dialects.postgresql import insert

    from api.request_log.tables import erasure

    rows = [
        {"name_hash": name_hash, "name_hash_key": key, "erased_at": func.clock_timestamp()}
        for name_hash, key in digests
    ]
    statement = insert(erasure).values(rows)
    latest = {"erased_at": statement.excluded.erased_at}
    connection.execute(statement.on_conflict_do_update(index_elements=erasure.primary_key, set_=latest))


def _report(n_rows: dict[str, int], place: str) -> None:
    counts = " and ".join(f"{n} of {table}" for table, n in n_rows.items())
    typer.echo(f"Rows deleted in {place}: {counts}.")
