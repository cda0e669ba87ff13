"""The dashboard is what its source says, and a real Prometheus answers every one of its queries."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from api.tests.conftest import ROOT, free_port
from tests.monitoring.panels import DASHBOARD, count_series, load, scraped


def test_it_is_current() -> None:
    command = [sys.executable, "docs/build_dashboard.py", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_no_panel_lies_on_another() -> None:
    places = [panel["gridPos"] for panel in DASHBOARD["panels"]]
    cells = [
        (x, y) for at in places for x in range(at["x"], at["x"] + at["w"]) for y in range(at["y"], at["y"] + at["h"])
    ]
    assert len(cells) == len(set(cells))
    assert max(x for x, _ in cells) < 24


@pytest.mark.skipif(shutil.which("prometheus") is None, reason="prometheus is not on PATH: no panel is tried")
def test_every_query_finds_something(tmp_path: Path) -> None:
    nowhere = f"postgresql+psycopg://nobody@127.0.0.1:{free_port()}/none"  # so that rows wait and attempts fail
    with scraped(tmp_path, nowhere) as (service, prometheus):
        load(service, 4)
        counts = count_series(prometheus, "5s")
    assert len(counts) >= 20
    assert {panel: numbers for panel, numbers in counts.items() if 0 in numbers} == {}
