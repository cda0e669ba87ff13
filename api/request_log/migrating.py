"""Brings a database to this release's revision; several processes may do it at once, and one does the work."""

import re
from pathlib import Path
from typing import Any

from alembic.command import upgrade
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.util.exc import CommandError
from sqlalchemy import Connection, text
from sqlalchemy.schema import SchemaItem

from api.request_log.engines import (
    check_encoding,
    create_private_file,
    explained_errors,
    open_engine,
    sqlite_driver,
    sqlite_file,
)
from api.request_log.errors import RequestLogError
from api.request_log.schema import HEAD, MIGRATION_LOCK, REVISION_TABLE, explain_revision
from api.request_log.tables import metadata

MIGRATIONS = Path(__file__).parent / "migrations"


def migration_config() -> Config:
    """Return Alembic's configuration: the folder of the revisions."""
    config = Config()
    config.set_main_option("script_location", re.sub("%", "%%", str(MIGRATIONS)))
    config.set_main_option("path_separator", "os")
    return config


def migration_options(dialect: str) -> dict[str, Any]:
    """Return what Alembic's context takes beside a connection, for upgrades and for comparing tables."""

    def is_ours(schema_object: SchemaItem, name: str | None, kind: str, reflected: bool, _: object) -> bool:
        """Leave out partitions, which come and go with the months, and what is of other programs or dialects."""
        if kind == "table" and reflected:
            return name in metadata.tables
        return reflected or bool(schema_object.info.get("dialect", dialect) == dialect)

    return {
        "target_metadata": metadata,
        "version_table": REVISION_TABLE,
        "include_object": is_ours,
        "compare_type": True,
    }


def migrate(url: str, *, revision: str = HEAD) -> tuple[str | None, str]:
    """Upgrade the database at a URL, in one transaction; return its revision before and after.

    Raises:
        RequestLogError: the database cannot be reached or written, is newer than this release, or has no UTF-8.
    """
    if file := sqlite_file(url):
        create_private_file(file)
    with explained_errors(url), open_engine(url).connect() as connection:
        return _upgrade(connection, revision)


def _upgrade(connection: Connection, revision: str) -> tuple[str | None, str]:
    if connection.dialect.name == "sqlite":
        _prepare_file(connection)
    with connection.begin():
        if connection.dialect.name == "postgresql":
            check_encoding(connection)
            connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": MIGRATION_LOCK})
        before = current_revision(connection)
        config = migration_config()
        config.attributes["connection"] = connection
        try:
            upgrade(config, revision)
        except CommandError:
            raise RequestLogError(explain_revision(before)) from None
        return before, current_revision(connection) or revision


def _prepare_file(connection: Connection) -> None:
    """Let an empty file give pages back later; it has no effect on one that has tables."""
    sqlite_driver(connection).execute("PRAGMA auto_vacuum = INCREMENTAL")


def current_revision(connection: Connection) -> str | None:
    """Return the revision of a database, None if it has none."""
    return MigrationContext.configure(connection, opts={"version_table": REVISION_TABLE}).get_current_revision()
