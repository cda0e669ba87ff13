"""True labels that callers give, and hashes of erased names."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "feedback",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("request_id", sa.String(128), nullable=False),
        sa.Column("item_index", sa.Integer(), nullable=False),
        sa.Column("given_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("api_key_name", sa.String(64)),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("name_hash", sa.String(64), nullable=False),
        sa.Column("name_hash_key", sa.String(64), nullable=False),
        sa.Column("label", sa.String(100), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_feedback"),
    )
    if op.get_context().dialect.name == "postgresql":
        op.create_index("ix_feedback_name_hash", "feedback", ["name_hash"])
    op.create_table(
        "erasure",
        sa.Column("name_hash", sa.String(64), nullable=False),
        sa.Column("name_hash_key", sa.String(64), nullable=False),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name_hash", "name_hash_key", name="pk_erasure"),
    )
