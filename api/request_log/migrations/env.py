"""Runs revisions over the connection that `api.request_log.migrating` has opened, within its transaction."""

from alembic import context

from api.request_log.migrating import migration_options

connection = context.config.attributes["connection"]
context.configure(connection=connection, **migration_options(connection.dialect.name))
context.run_migrations()
