"""The command line: what it prints, its exit codes, and that no secret is echoed."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from api.request_log.__main__ import main
from api.request_log.engines import sqlite_url
from api.request_log.migrating import migrate
from api.request_log.schema import HEAD
from api.tests.postgresql import PostgreSQL

ROOT = Path(__file__).parents[3]


def run(*arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "api.request_log", *arguments],
        cwd=ROOT,
        env=os.environ | {f"NAME_CLASSIFIER_{name}": value for name, value in settings.items()},
        capture_output=True,
        text=True,
        check=False,
    )


def test_migrate_makes_the_database_and_the_file(postgresql_url: str, tmp_path: Path) -> None:
    settings = {"DATABASE_URL": postgresql_url, "REQUEST_LOG_DIR": str(tmp_path)}
    done = run("migrate", **settings)
    assert (done.returncode, done.stdout) == (0, f"Revision {HEAD} was made.\n")
    assert not list(tmp_path.iterdir())
    assert run("migrate", "--outbox", **settings).stdout == f"Revision {HEAD} was made.\n"
    assert [path.name for path in tmp_path.iterdir()] == ["request_log.sqlite"]
    assert run("migrate", REQUEST_LOG_DIR=str(tmp_path)).stdout == f"Revision {HEAD}: there was nothing to do.\n"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("DATABASE_URL", "postgresql://user:secret@host/log"),
        ("DATABASE_URL", "postgresql+psycopg://user:secret@127.0.0.1:1/log"),
        ("NAME_HASH_KEYS", '["secret"]'),
        ("REQUEST_LOG_DIR", "/dev/null/secret"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_1(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(f"NAME_CLASSIFIER_{name}", value)
    monkeypatch.setattr(sys, "argv", ["request_log", "migrate"])
    with pytest.raises(SystemExit) as caught:
        main()
    message = str(caught.value.code)  # Python prints it to standard error and ends with 1
    assert message.startswith("error: ") and "\n" not in message
    assert "secret" not in message or name == "REQUEST_LOG_DIR"


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("command", ["export", "stats"])
def test_output_that_cannot_be_written_is_one_sentence(tmp_path: Path, command: str) -> None:
    migrate(sqlite_url(tmp_path / "request_log.sqlite"))
    line = f"NAME_CLASSIFIER_REQUEST_LOG_DIR={tmp_path} {sys.executable} -m api.request_log {command} >/dev/full"
    done = subprocess.run(line, shell=True, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith("error: Standard output cannot be written: No space left")


@pytest.mark.parametrize("encoding", ["SQL_ASCII", "LATIN1"])
@pytest.mark.parametrize("command", ["migrate", "stats"])
def test_a_database_that_cannot_hold_every_name_is_refused(
    postgresql: PostgreSQL, encoding: str, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NAME_CLASSIFIER_DATABASE_URL", postgresql.url(postgresql.new_database(encoding)))
    monkeypatch.setattr(sys, "argv", ["request_log", command])
    with pytest.raises(SystemExit, match=f"has the encoding {encoding}, which cannot hold every name"):
        main()


def test_the_encoding_of_the_environment_does_not_matter(
    postgresql_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PGCLIENTENCODING", "SQL_ASCII")
    monkeypatch.setenv("NAME_CLASSIFIER_DATABASE_URL", postgresql_url)
    monkeypatch.setattr(sys, "argv", ["request_log", "migrate"])
    with pytest.raises(SystemExit, match="0"):
        main()
    assert "was made" in capsys.readouterr().out
