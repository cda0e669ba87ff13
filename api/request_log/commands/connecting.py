"""How commands connect: to a database that is there and has this release's revision."""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from api.request_log.engines import check_encoding, explained_errors, open_engine, sqlite_file
from api.request_log.errors import RequestLogError
from api.request_log.migrating import current_revision
from api.request_log.schema import MIGRATE_COMMAND, explain_revision


@contextmanager
def connected(url: str, *, read_only: bool = False) -> Iterator[Connection]:
    """Yield a connection without a transaction.

    Raises:
        RequestLogError: there is no such database, it has another revision, or it fails.
    """
    file = sqlite_file(url)
    if file and not file.exists():
        raise RequestLogError(f"There is no request log at {file}: the service makes it, and `{MIGRATE_COMMAND}` does.")
    with explained_errors(url), open_engine(url, read_only=read_only).connect() as connection:
        with connection.begin():
            check_encoding(connection)
            revision = current_revision(connection)
        if problem := explain_revision(revision):
            raise RequestLogError(problem)
        yield connection
