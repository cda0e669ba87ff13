"""A real PostgreSQL on a socket in a temporary folder, where one is installed."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from itertools import count
from pathlib import Path

import psycopg
import pytest

REQUIRED = "REQUIRE_POSTGRES"
PROGRAMS = Path("/usr/lib/postgresql")
_FAST_OPTIONS = ("fsync=off", "synchronous_commit=off", "full_page_writes=off", "shared_buffers=32MB")


def find_program(name: str) -> str | None:
    """Return the path of one of PostgreSQL's programs; Debian keeps them beside PATH."""
    versions = sorted(PROGRAMS.glob(f"*/bin/{name}"), key=lambda path: float(path.parts[-3]))
    return shutil.which(name) or (str(versions[-1]) if versions else None)


class PostgreSQL:
    """A server that tests start and stop; it listens on no port."""

    def __init__(self, *, durable: bool = False) -> None:
        """Make its folder; unless it is `durable`, it is fast and keeps nothing if the machine fails."""
        self._initdb, self._postgres = find_program("initdb"), find_program("postgres")
        if not (self._initdb and self._postgres):
            explain = pytest.fail if os.environ.get(REQUIRED) == "1" else pytest.skip
            explain(
                "PostgreSQL is not installed: its initdb and postgres are neither on PATH nor where Debian has them"
            )
        self._user = "postgres" if os.geteuid() == 0 else None  # PostgreSQL refuses to run as root
        self.folder = Path(tempfile.mkdtemp(prefix="postgresql"))  # a socket's path may have 107 characters at most
        self._options = () if durable else _FAST_OPTIONS
        self._process: subprocess.Popen[bytes] | None = None
        self._numbers = count(1)
        if self._user:
            os.chown(self.folder, pwd.getpwnam(self._user).pw_uid, -1)
        options = (
            "--no-sync",
            "--no-instructions",
            "--auth=trust",
            "--username=postgres",
            "--encoding=UTF8",
            "--no-locale",
        )
        self._run(self._initdb, *options, "-D", str(self._data))

    @property
    def _data(self) -> Path:
        return self.folder / "data"

    def _run(self, *command: str | None) -> None:
        subprocess.run([*filter(None, command)], user=self._user, cwd=self.folder, check=True, capture_output=True)

    def start(self) -> None:
        """Start it and wait until it answers."""
        options = (*self._options, "listen_addresses=", f"unix_socket_directories={self.folder}")
        command = [str(self._postgres), "-D", str(self._data), *(part for option in options for part in ("-c", option))]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen(command, user=self._user, cwd=self.folder, stdout=log, stderr=log)
        deadline = time.monotonic() + 30
        while True:
            try:
                psycopg.connect(self.conninfo("postgres")).close()
            except psycopg.OperationalError:
                assert time.monotonic() < deadline, (self.folder / "log").read_text()
                time.sleep(0.02)
            else:
                return

    def stop(self) -> None:
        """Stop it, as an operator in haste would: sessions are cut, nothing is lost."""
        if self._process:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(timeout=30)
            self._process = None

    def remove(self) -> None:
        """Stop it and delete what it held."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def conninfo(self, database: str) -> str:
        """Return how psycopg connects to a database."""
        return f"host={self.folder} user=postgres dbname={database}"

    def new_database(self, encoding: str = "UTF8") -> str:
        """Make an empty database; return its name."""
        name = f"test_{next(self._numbers)}"
        with psycopg.connect(self.conninfo("postgres"), autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name} ENCODING '{encoding}' TEMPLATE template0")
        return name

    def url(self, database: str) -> str:
        """Return a database as NAME_CLASSIFIER_DATABASE_URL names it."""
        return f"postgresql+psycopg://postgres@/{database}?host={self.folder}"
