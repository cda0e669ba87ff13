"""Exports: what was filled in comes out, of the range and kind that was asked for, whole or not at all."""

import csv
import io
import os
import stat
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest
from pyarrow import parquet

from api.request_log.commands import row_files
from api.request_log.engines import open_engine
from api.request_log.identifiers import time_of
from api.request_log.schema import COLUMNS
from api.request_log.tables import feedback
from api.tests.request_log.conftest import RequestLog
from model.data.label_folder import read_folder

START = datetime(2026, 11, 30, 21, 27, 30, 123456, UTC)
NAME = 'Zoë "Zed", d’Arc\n'
ANSWER = {"name": NAME, "labels": ["Irish", "English"], "log_probs": [-0.25, -1.5], "model_version": "v1"}
OPTIONS = {"top_k": 2, "prior": {"Irish": 1.5}, "abstain": True}


def fill(log: RequestLog) -> None:
    """Five rows, a day apart, from the last day of a month on."""
    versions = ["v1", "v1", "v2", "v2", None]
    labels = [["Irish", "English"], ["English", "Irish"], ["Irish"], [], None]
    answers = [{"model_version": version, "labels": names} for version, names in zip(versions, labels, strict=True)]
    log.fill(
        [
            answer | {"answered_at": START + timedelta(days=day), "request_id": str(day)}
            for day, answer in enumerate(answers)
        ]
    )


def exported(log: RequestLog, *arguments: str) -> list[str]:
    result = log.run("export", *arguments)
    assert result.exit_code == 0, result.exception
    return [row["request_id"] for row in csv.DictReader(io.StringIO(result.stdout))]


def test_a_row_comes_out_as_it_went_in(request_log: RequestLog) -> None:
    request_log.fill([ANSWER | {"answered_at": START, "options": OPTIONS, "name_hash_key": ""}])
    header, row = list(csv.reader(io.StringIO(request_log.run("export").stdout, newline="")))
    assert tuple(header) == COLUMNS
    values = dict(zip(header, row, strict=True))
    assert values["answered_at"] == "2026-11-30T21:27:30.123456+00:00"
    assert UUID(values["id"]).version == 7 and time_of(values["id"].replace("-", "")) <= START
    assert values["name"] == NAME
    assert (values["labels"], values["log_probs"]) == ('["Irish", "English"]', "[-0.25, -1.5]")
    assert (values["script"], values["status"], values["latency_seconds"]) == ("", "200", "0.01")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), "01234"),
        (("--since", "2026-12-01"), "1234"),
        (("--since", "2026-12-01", "--until", "2026-12-02"), "1"),
        (("--until", "2026-12-01T21:27:30.123Z"), "0"),
        (("--until", "2026-12-01T22:27:30.124+01:00"), "01"),
        (("--since", "2026-12-01T21:27:30.124"), "234"),
        (("--version", "v2"), "23"),
        (("--label", "Irish"), "02"),
        (("--label", "Irish", "--version", "v1", "--until", "2027-01-01"), "0"),
        (("--label", "Welsh"), ""),
    ],
)
def test_what_is_exported_can_be_chosen(request_log: RequestLog, arguments: tuple[str, ...], expected: str) -> None:
    fill(request_log)
    assert exported(request_log, *arguments) == list(expected)


def test_rows_come_in_order_however_many_are_fetched_at_once(
    request_log: RequestLog, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(row_files, "_FETCHED", 2)
    fill(request_log)
    assert exported(request_log) == list("01234")


def test_only_the_months_of_the_range_are_read(postgresql_log: RequestLog) -> None:
    from api.request_log.commands.selecting import select_rows

    fill(postgresql_log)
    query = select_rows(START, START + timedelta(hours=1), None, None)
    with open_engine(postgresql_log.url).connect() as connection:
        sql = query.compile(connection, compile_kwargs={"literal_binds": True})  # type: ignore[attr-defined]
        plan = "\n".join(row[0] for row in connection.exec_driver_sql(f"EXPLAIN {sql}"))
    assert "prediction_request_2026_11" in plan and "prediction_request_2026_12" not in plan


def test_a_file_is_there_once_it_is_complete(request_log: RequestLog, tmp_path: Path) -> None:
    fill(request_log)
    target = tmp_path / "rows.csv"
    result = request_log.run("export", "--output", str(target))
    assert (result.stdout, result.stderr) == ("", f"Wrote 5 rows to {target}.\n")
    assert target.read_text() == request_log.run("export").stdout
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    (tmp_path / "taken").mkdir()
    os.mkfifo(tmp_path / "pipe")
    for place in ("taken", "pipe", "rows.csv/below"):
        failed = request_log.run("export", "--output", str(tmp_path / place))
        assert failed.exit_code == 1 and "cannot be written" in str(failed.exception)
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert {path.name for path in tmp_path.iterdir()} <= {"rows.csv", "taken", "pipe", "log"}


def test_parquet_holds_what_the_table_does(request_log: RequestLog, tmp_path: Path) -> None:
    request_log.fill([ANSWER | {"answered_at": START, "options": OPTIONS}, {"answered_at": START, "status": 422}])
    target = tmp_path / "rows.parquet"
    assert request_log.run("export", "--format", "parquet", "--output", str(target)).exit_code == 0
    table = parquet.read_table(target)
    assert tuple(table.column_names) == COLUMNS
    answered, refused = sorted(table.to_pylist(), key=lambda row: row["status"])
    assert answered["answered_at"] == START
    assert {name: answered[name] for name in ANSWER} == ANSWER
    assert (refused["labels"], refused["options"], refused["status"]) == (None, None, 422)


def test_parquet_without_pyarrow_is_explained(
    request_log: RequestLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "--output" in str(request_log.run("export", "--format", "parquet").exception)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    result = request_log.run("export", "--format", "parquet", "--output", str(tmp_path / "rows"))
    assert result.exit_code == 1 and "pip install pyarrow" in str(result.exception)


def test_a_time_that_is_none_is_refused(request_log: RequestLog) -> None:
    result = request_log.run("export", "--since", "yesterday")
    assert result.exit_code == 2 and "2026-11-30" in result.stderr


def give(log: RequestLog, *answers: tuple[str, str, str]) -> None:
    """Give feedback, a second apart: request, label, name."""
    rows = [
        {"request_id": request, "label": label, "name": name, "name_hash": "0", "name_hash_key": ""}
        for request, label, name in answers
    ]
    log.fill([row | {"given_at": START + timedelta(seconds=i)} for i, row in enumerate(rows)], feedback)


def test_feedback_becomes_a_folder_of_training_data(request_log: RequestLog, tmp_path: Path) -> None:
    give(
        request_log,
        *(("1", "Irish", "Zoë"), ("2", "German", "Müller"), ("3", "German", "MULLER"), ("4", "German", "Abel")),
        *(("1", "Polish", "Zoë"), ("5", "../Irish", "Eve")),
    )
    folder = tmp_path / "new" / "names"
    result = request_log.run("export", "--feedback", str(folder))
    assert "Wrote 3 names" in result.stderr and "Left out 1" in result.stderr
    assert read_folder(folder).names == {"German": ["abel", "muller"], "Polish": ["zoe"]}
    assert (folder / "Polish.txt").read_text() == "Zoë\n"
    again = request_log.run("export", "--feedback", str(folder))
    assert again.exit_code == 1 and "holds files already" in str(again.exception)
    assert {path.name for path in folder.parent.iterdir()} == {"names"}


def test_feedback_of_another_key_or_name_takes_nothing_back(request_log: RequestLog, tmp_path: Path) -> None:
    row = {"request_id": "1", "name": "Zoë", "name_hash": "0", "name_hash_key": "", "label": "Irish"}
    others = [{"api_key_name": "other", "label": "Polish"}, {"name": "Eve", "name_hash": "1", "label": "German"}]
    changes = [{}, *others]
    request_log.fill(
        [row | change | {"given_at": START + timedelta(seconds=i)} for i, change in enumerate(changes)], feedback
    )
    request_log.run("export", "--feedback", str(tmp_path / "names"))
    assert read_folder(tmp_path / "names").names == {"German": ["eve"], "Irish": ["zoe"], "Polish": ["zoe"]}


def test_feedback_can_be_chosen(request_log: RequestLog, tmp_path: Path) -> None:
    give(request_log, ("1", "Irish", "Zoë"), ("2", "German", "Abel"), ("3", "German", "Cain"))
    arguments = ("--label", "German", "--since", "2026-11-30T21:27:32")
    request_log.run("export", "--feedback", str(tmp_path / "names"), *arguments)
    assert [path.read_text() for path in (tmp_path / "names").iterdir()] == ["Cain\n"]
    assert request_log.run("export", "--feedback", str(tmp_path / "more"), "--version", "v1").exit_code == 1
