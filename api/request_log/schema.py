"""Names of the tables, their revisions and the locks around them, for code that does without SQLAlchemy."""

PREDICTION_REQUEST = "prediction_request"
FEEDBACK = "feedback"
ERASURE = "erasure"
OUTBOX_WRITER = "outbox_writer"
REVISION_TABLE = "request_log_revision"
"""Alembic's table, under a name that other programs in the same database do not use."""
CURRENT_REVISION_QUERY = f"SELECT version_num FROM {REVISION_TABLE}"  # noqa: S608 - a constant

COLUMNS = (
    *("id", "request_id", "item_index", "idempotency_key", "answered_at", "route", "api_key_name"),
    *("name", "name_hash", "name_hash_key", "name_length", "script", "familiarity"),
    *("options", "labels", "log_probs", "abstained", "model_version", "latency_seconds", "status"),
)
"""Of prediction_request, in order."""

REVISIONS = ("0001", "0002")
"""Oldest first."""
HEAD = REVISIONS[-1]

MIGRATION_LOCK = 5_203_117_480_001
"""PostgreSQL advisory lock, exclusive while the schema changes."""
PARTITION_LOCK = 5_203_117_480_002
"""PostgreSQL advisory lock, exclusive while a partition is made."""
ERASURE_LOCK = 5_203_117_480_003
"""PostgreSQL advisory lock: exclusive for an erasure; shared from before a batch is read until it is committed."""
RETENTION_LOCK = 5_203_117_480_004
"""PostgreSQL advisory lock, exclusive while old partitions are dropped."""

MIGRATE_COMMAND = "python -m api.request_log migrate"


def explain_revision(revision: str | None, *, command: str = MIGRATE_COMMAND) -> str:
    """Return why a database of a revision (None: an empty one) does not fit this release; empty if it does."""
    if revision == HEAD:
        return ""
    if revision is None:
        return f"The database of the request log has no tables yet: run `{command}`."
    if revision in REVISIONS:
        return f"The database of the request log has revision {revision}, this release needs {HEAD}: run `{command}`."
    return (
        f"The database of the request log has a revision that this release, with {HEAD}, does not know: "
        "a newer release made it, use that one."
    )


def explain_encoding(encoding: str | None) -> str:
    """Return why a database of PostgreSQL with an encoding cannot hold every name; empty if it can."""
    if encoding == "UTF8":
        return ""
    return (
        f"The database of the request log has the encoding {encoding}, which cannot hold every name: make another "
        "with `CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0`."
    )
