"""Without PostgreSQL the tests that need it are skipped, except where it is required, as in CI."""

from pathlib import Path

import pytest

from api.tests import postgresql


@pytest.mark.parametrize(("required", "outcome"), [("", pytest.skip.Exception), ("1", pytest.fail.Exception)])
def test_a_missing_server_is_not_overlooked(
    required: str, outcome: type[BaseException], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv(postgresql.REQUIRED, required)
    monkeypatch.setattr(postgresql, "PROGRAMS", tmp_path)
    with pytest.raises(outcome, match="PostgreSQL is not installed"):
        postgresql.PostgreSQL()
