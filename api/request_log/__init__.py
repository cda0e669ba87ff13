"""The request log: every answered item becomes one row, first in a local SQLite file, then in PostgreSQL."""
