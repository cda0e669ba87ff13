"""Statistics: exact on what is small, near the truth on what is large, and in plain words."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from api.request_log.commands import counting
from api.request_log.tables import feedback
from api.tests.request_log.conftest import RequestLog

START = datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC)


def fill(log: RequestLog, n: int = 10) -> None:
    """Insert n answers half a second apart; every tenth abstained, every fifth is of version 2; then a refusal."""
    answers: list[dict[str, Any]] = [
        {
            "answered_at": START + timedelta(seconds=i / 2),
            "labels": [["Irish", "Greek"], ["English"]][i % 2],
            "abstained": None if i % 10 else "unfamiliar",
            "model_version": "v1" if i % 5 else "v2",
            "route": "/v1/predict",
        }
        for i in range(n)
    ]
    log.fill([*answers, {"answered_at": START, "status": 422, "route": "/get_prediction"}])


def test_small_tables_are_counted(request_log: RequestLog) -> None:
    fill(request_log)
    truth = {"given_at": START, "name": "Anna", "name_hash": "0", "name_hash_key": "", "label": "German"}
    request_log.fill([truth], feedback)
    summary = json.loads(request_log.run("stats", "--json").stdout)
    assert summary["by"] == {
        "day": {"2026-11-30": 3, "2026-12-01": 8},
        "route": {"/v1/predict": 10, "/get_prediction": 1},
        "status": {"200": 10, "422": 1},
        "label": {"Irish": 5, "English": 5},
        "version": {"v1": 8, "v2": 2},
    }
    counts = {name: summary[name] for name in ("items", "answered", "abstained", "feedback", "erasures", "share_read")}
    assert counts == {"items": 11, "answered": 10, "abstained": 1, "feedback": 1, "erasures": 0, "share_read": 1}
    assert (summary["oldest"], summary["newest"]) == ("2026-11-30T23:59:59Z", "2026-12-01T00:00:03.500000Z")
    assert summary["bytes"] > 0 and summary["waiting"] is None


def test_they_are_told_in_words(request_log: RequestLog) -> None:
    fill(request_log)
    text = request_log.run("stats").stdout
    assert text.startswith("11 items\noldest 2026-11-30 23:59:59, newest 2026-12-01 00:00:03 (UTC)\n")
    assert "10.00% of 10 answered items abstained\n" in text and "  2026-12-01  8\n" in text


def test_an_empty_log_has_statistics(request_log: RequestLog) -> None:
    assert request_log.run("stats").stdout.startswith("0 items\n")


def test_many_days_are_cut(sqlite_log: RequestLog) -> None:
    sqlite_log.fill([{"answered_at": START + timedelta(days=day)} for day in range(20)])
    days = sqlite_log.run("stats").stdout.partition("by day\n")[2].partition("\n\n")[0].split("\n")
    assert days[0] == "  2026-12-06  1" and days[-2:] == ["  2026-12-19  1", "  and 6 more"]


def test_large_tables_are_estimated(postgresql_log: RequestLog, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(postgresql_log, 20_000)
    monkeypatch.setattr(counting, "_SAMPLED_BYTES", 1_000_000)
    summary = json.loads(postgresql_log.run("stats", "--json").stdout)
    assert 0.1 < summary["share_read"] < 0.6
    assert summary["items"] == pytest.approx(20_001, rel=0.3)
    assert summary["by"]["label"]["Irish"] == pytest.approx(summary["items"] / 2, rel=0.05)
    assert "estimated from" in postgresql_log.run("stats").stdout
    assert json.loads(postgresql_log.run("stats", "--json", "--exact").stdout)["items"] == 20_001


def test_the_outbox_is_counted(postgresql_log: RequestLog, sqlite_log: RequestLog) -> None:
    fill(sqlite_log)
    text = postgresql_log.run("stats").stdout
    assert text.startswith("0 items") and "11 items wait in the local outbox" in text


@pytest.mark.parametrize("command", [("stats",), ("export",), ("erase", "Anna"), ("retain", "--days", "1")])
def test_a_log_that_is_missing_is_explained(sqlite_log: RequestLog, command: tuple[str, ...]) -> None:
    result = sqlite_log.run(*command, REQUEST_LOG_DIR=str(sqlite_log.folder / "missing"))
    assert result.exit_code == 1 and "There is no request log at" in str(result.exception)
    assert not (sqlite_log.folder / "missing").exists()
