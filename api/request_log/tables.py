"""The tables of the request log: what SQLite and PostgreSQL hold once every revision is applied."""

from sqlalchemy import JSON, Column, DateTime, Float, Index, Integer, MetaData, String, Table, Text, Uuid
from sqlalchemy.dialects.postgresql import JSONB

from api.request_log.schema import ERASURE, FEEDBACK, OUTBOX_WRITER, PREDICTION_REQUEST

metadata = MetaData(naming_convention={"ix": "ix_%(table_name)s_%(column_0_name)s", "pk": "pk_%(table_name)s"})

_Json = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")

prediction_request = Table(
    PREDICTION_REQUEST,
    metadata,
    Column("id", Uuid, primary_key=True),  # UUID of version 7
    Column("request_id", String(128), nullable=False),
    Column("item_index", Integer),  # place in the request from 0; null: the request was refused as a whole
    Column("idempotency_key", String(128)),
    Column("answered_at", DateTime(timezone=True), nullable=False),  # UTC
    Column("route", String(64), nullable=False),  # template, as /v1/predict
    Column("api_key_name", String(64)),
    Column("name", Text),  # cleaned; only if the settings keep raw names
    Column("name_hash", String(64)),  # hexadecimal HMAC-SHA-256 of the folded name
    Column("name_hash_key", String(64)),  # id of the key; empty: plain SHA-256
    Column("name_length", Integer),  # characters
    Column("script", String(32)),  # as Latin, Cyrillic, Han or mixed
    Column("familiarity", Float),  # logit of being a name
    Column("options", _Json),  # top_k, prior, abstain
    Column("labels", _Json),  # the top k, best first
    Column("log_probs", _Json),  # of the labels, natural logarithms
    Column("abstained", String(32)),  # reason
    Column("model_version", String(64)),
    Column("latency_seconds", Float, nullable=False),  # from the arrival until the answer was ready
    Column("status", Integer, nullable=False),  # HTTP status of the item
    postgresql_partition_by="RANGE (id)",
)

feedback = Table(
    FEEDBACK,
    metadata,
    Column("id", Uuid, primary_key=True),  # UUID of version 7
    Column("request_id", String(128), nullable=False),
    Column("item_index", Integer, nullable=False),
    Column("given_at", DateTime(timezone=True), nullable=False),  # UTC
    Column("api_key_name", String(64)),
    Column("name", Text, nullable=False),  # raw, as the caller gave it with the label
    Column("name_hash", String(64), nullable=False),
    Column("name_hash_key", String(64), nullable=False),
    Column("label", String(100), nullable=False),
)
for table, *columns in ((prediction_request, "request_id", "name_hash"), (feedback, "name_hash")):
    for column in columns:
        Index(None, table.c[column], info={"dialect": "postgresql"})  # in SQLite one costs more than the row

erasure = Table(
    ERASURE,
    metadata,
    Column("name_hash", String(64), primary_key=True),
    Column("name_hash_key", String(64), primary_key=True),  # empty: plain SHA-256, or erased by its hash alone
    Column("erased_at", DateTime(timezone=True), nullable=False),  # UTC; rows answered before are not shipped
)

outbox_writer = Table(
    OUTBOX_WRITER,
    metadata,
    Column("id", String(32), primary_key=True),
    Column("n_rows", Integer, nullable=False),  # rows that one process has committed
    info={"dialect": "sqlite"},
)
"""Only in SQLite: what a kill has lost is counted from it."""
