"""stats: how many items there are, of what kind, and how much room they take."""

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from api.request_log.commands.places import read_places

if TYPE_CHECKING:
    from api.request_log.commands.counting import Summary

_LISTED = 14
"""Days, labels and so on that are printed; JSON has all."""
_MEGABYTE = 1_000_000


def stats(
    *,
    exact: Annotated[bool, typer.Option("--exact", help="Count every item of a large database too.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of text.")] = False,
) -> None:
    """Count items by day, route, status, label and version; of a large database from a sample, which is said."""
    from api.request_log.commands.connecting import connected
    from api.request_log.commands.counting import count, summarise
    from api.request_log.engines import sqlite_url
    from api.request_log.tables import prediction_request

    places = read_places()
    with connected(places.url, read_only=True) as connection, connection.begin():
        summary = summarise(connection, exact=exact)
    outbox = sqlite_url(places.outbox)
    if outbox != places.url and places.outbox.exists():
        with connected(outbox, read_only=True) as connection, connection.begin():
            summary.waiting = count(connection, prediction_request)
    typer.echo(summary.model_dump_json(indent=1) if as_json else "\n".join(_describe(summary)))


def _describe(summary: "Summary") -> Iterator[str]:
    estimated = summary.share_read < 1
    source = f", estimated from {summary.share_read:.1%} of the table" if estimated else ""
    yield f"{summary.items:,} item{'s' * (summary.items != 1)}{source}"
    if summary.oldest and summary.newest:
        yield f"oldest {summary.oldest:%Y-%m-%d %H:%M:%S}, newest {summary.newest:%Y-%m-%d %H:%M:%S} (UTC)"
    yield f"{summary.bytes / _MEGABYTE:,.1f} MB with indexes"
    yield f"{summary.abstained / max(summary.answered, 1):.2%} of {summary.answered:,} answered items abstained"
    yield f"{summary.feedback:,} of feedback, {summary.erasures:,} erased hashes"
    if summary.waiting is not None:
        yield f"{summary.waiting:,} items wait in the local outbox"
    for dimension, counts in summary.by.items():
        yield from _list(dimension, counts, estimated=estimated)


def _list(dimension: str, counts: Mapping[str, int], *, estimated: bool) -> Iterator[str]:
    """Yield a heading and a line for each value: the latest days, or the most frequent of another dimension."""
    yield f"\nby {dimension}" + (" (estimated)" if estimated else "")
    skipped = max(len(counts) - _LISTED, 0)
    listed = islice(counts.items(), skipped if dimension == "day" else 0, None)
    for value, n in islice(listed, _LISTED):
        yield f"  {value}  {n:,}"
    if skipped:
        yield f"  and {skipped} more"
