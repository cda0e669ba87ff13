"""Queries over ranges of time, which are ranges of ids: months outside them are not looked at."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Column, ColumnElement, Executable, Text, cast, func, select

from api.request_log.identifiers import lower_bound
from api.request_log.tables import feedback, prediction_request


def within(identifier: Column[Any], since: datetime | None, until: datetime | None) -> list[ColumnElement[bool]]:
    """Return conditions on an id: of a time from `since` on, and before `until`."""
    conditions = []
    if since:
        conditions.append(identifier >= lower_bound(since))
    if until:
        conditions.append(identifier < lower_bound(until))
    return conditions


def select_rows(
    since: datetime | None, until: datetime | None, label: str | None, version: str | None, *, as_text: bool = False
) -> Executable:
    """Select items in order of time, of a most probable label and a version if they are given.

    With `as_text`, columns of JSON come as the text that they are, which spares parsing and writing it again.
    """
    columns = prediction_request.c
    shown = [
        cast(column, Text).label(column.name) if isinstance(column.type, JSON) and as_text else column
        for column in columns
    ]
    query = select(*shown).where(*within(columns.id, since, until)).order_by(columns.id)
    if label is not None:
        query = query.where(columns.labels[0].as_string() == label)
    if version is not None:
        query = query.where(columns.model_version == version)
    return query


def select_feedback(since: datetime | None, until: datetime | None, label: str | None) -> Executable:
    """Select (label, name), by label; where a caller gave an item several true labels, the last one counts.

    Clients choose request ids: what another key, or another name, says of one takes nothing back.
    """
    columns = feedback.c
    item = (columns.api_key_name, columns.request_id, columns.item_index, columns.name_hash, columns.name_hash_key)
    recency = func.row_number().over(partition_by=item, order_by=columns.id.desc())
    latest = (
        select(columns.label, columns.name, recency.label("recency"))
        .where(*within(columns.id, since, until))
        .subquery()
    )
    query = select(latest.c.label, latest.c.name).where(latest.c.recency == 1).order_by(latest.c.label)
    return query if label is None else query.where(latest.c.label == label)
