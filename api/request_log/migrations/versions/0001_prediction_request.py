"""The table of answered items, and in SQLite the count of what each process has committed."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Make the tables; partitions are made when their first row comes."""
    json = sa.JSON().with_variant(JSONB(), "postgresql")
    op.create_table(
        "prediction_request",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("request_id", sa.String(128), nullable=False),
        sa.Column("item_index", sa.Integer()),
        sa.Column("idempotency_key", sa.String(128)),
        sa.Column("answered_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("route", sa.String(64), nullable=False),
        sa.Column("api_key_name", sa.String(64)),
        sa.Column("name", sa.Text()),
        sa.Column("name_hash", sa.String(64)),
        sa.Column("name_hash_key", sa.String(64)),
        sa.Column("name_length", sa.Integer()),
        sa.Column("script", sa.String(32)),
        sa.Column("familiarity", sa.Float()),
        sa.Column("options", json),
        sa.Column("labels", json),
        sa.Column("log_probs", json),
        sa.Column("abstained", sa.String(32)),
        sa.Column("model_version", sa.String(64)),
        sa.Column("latency_seconds", sa.Float(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_prediction_request"),
        postgresql_partition_by="RANGE (id)",
    )
    if op.get_context().dialect.name == "postgresql":
        op.create_index("ix_prediction_request_request_id", "prediction_request", ["request_id"])
        op.create_index("ix_prediction_request_name_hash", "prediction_request", ["name_hash"])
    else:
        op.create_table(
            "outbox_writer",
            sa.Column("id", sa.String(32), nullable=False),
            sa.Column("n_rows", sa.Integer(), nullable=False),
            sa.PrimaryKeyConstraint("id", name="pk_outbox_writer"),
        )
