"""Load a service that a real Prometheus scrapes, run every panel's query, and print or draw what comes back.

`python -m tests.monitoring.panels --plot docs/dashboard.png` does both; it needs Prometheus and PostgreSQL.
"""

import argparse
import hashlib
import itertools
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from api.tests.conftest import ROOT, free_port, start, stop
from api.tests.postgresql import PostgreSQL

CHART = ROOT / "infra" / "chart_api"
RULES = CHART / "rules" / "name-classifier.yaml"
DASHBOARD = json.loads((CHART / "dashboards" / "name-classifier.json").read_text(encoding="utf-8"))
KEY = "a-key-for-the-dashboard"
NAMES = ("Kowalska", "Müller", "Rossi", "O'Brien", "Tanaka", "Ivanova", "Nguyen", "asdfghjkl", "Papadopoulos", "Yılmaz")
_PAUSE_SECONDS = 0.02

Series = dict[str, Any]


@contextmanager
def prometheus(folder: Path, port_of_service: int) -> Iterator[httpx.Client]:
    """Run Prometheus with the chart's rules; it scrapes the service each second."""
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(RULES)],
        "scrape_configs": [
            {
                "job_name": "name-classifier",
                "static_configs": [{"targets": [f"127.0.0.1:{port_of_service}"]}],
            }
        ],
    }
    (folder / "prometheus.yml").write_text(json.dumps(config), encoding="utf-8")
    address = f"127.0.0.1:{free_port()}"
    options = ("--config.file=prometheus.yml", "--storage.tsdb.path=data", "--log.level=error")
    process = subprocess.Popen(["prometheus", *options, f"--web.listen-address={address}"], cwd=folder)
    client = httpx.Client(base_url=f"http://{address}", timeout=30)
    try:
        _wait_until_scraping(client, process)
        yield client
    finally:
        client.close()
        process.terminate()
        process.wait(timeout=30)


def _wait_until_scraping(client: httpx.Client, process: subprocess.Popen[bytes]) -> None:
    """Return after the first scrape, for which Prometheus takes 5 s."""
    deadline = time.monotonic() + 60
    while not _is_scraping(client):
        assert process.poll() is None, "Prometheus ended"
        assert time.monotonic() < deadline, "Prometheus does not scrape"
        time.sleep(0.1)


def _is_scraping(client: httpx.Client) -> bool:
    try:
        return bool(query(client, "up == 1", "5s"))
    except httpx.HTTPError:
        return False


@contextmanager
def scraped(folder: Path, database_url: str) -> Iterator[tuple[httpx.Client, httpx.Client]]:
    """Run the shipped bundle with a key, limits and the request log, and Prometheus; yield a client of each."""
    keys = [{"name": "dashboard", "sha256": hashlib.sha256(KEY.encode()).hexdigest(), "limit": "10000/second"}]
    service = start(
        ROOT / "artifacts",
        folder / "service.log",
        API_KEYS=json.dumps(keys),
        REQUEST_LOG="fast",
        REQUEST_LOG_DIR=str(folder),
        DATABASE_URL=database_url,
    )
    try:
        with prometheus(folder, service.client.base_url.port or 0) as client:
            yield service.client, client
    finally:
        stop(service)


def load(client: httpx.Client, seconds: float) -> None:
    """Ask every kind of question for a while, some of which are refused."""
    key, ndjson = {"x-api-key": KEY}, {"content-type": "application/x-ndjson"}
    end = time.monotonic() + seconds
    for number, name in enumerate(itertools.cycle(NAMES)):
        if time.monotonic() > end:
            return
        client.post("/get_prediction", json={"name": name, "n_predictions": 3}, headers=key)
        if number % 2:
            client.post("/v1/predict", json={"names": NAMES[: 1 + number % len(NAMES)]}, headers=key)
        if number % 5 == 0:
            client.get("/v1/similar", params={"name": name}, headers=key)
            client.post("/v1/predict/stream", content=f"{json.dumps(name)}\n" * 50, headers=key | ndjson)
        if number % 10 == 0:
            client.post("/get_prediction", json={"name": name})
            client.post("/v1/predict", json={"names": [""]}, headers=key)
        time.sleep(_PAUSE_SECONDS)


def query(client: httpx.Client, expression: str, window: str, **span: float) -> list[Series]:
    """Return the series of a panel's query, now or over a span from `start` to `end` in steps of `step` seconds."""
    for variable, value in (("$namespace", ".*"), ("$job", ".*"), ("$__rate_interval", window)):
        expression = expression.replace(variable, value)
    answer = client.post(f"/api/v1/query{'_range' if span else ''}", data={"query": expression} | span)
    answer.raise_for_status()
    found: list[Series] = answer.json()["data"]["result"]
    return found


def count_series(client: httpx.Client, window: str) -> Mapping[tuple[str, str], list[int]]:
    """Return how many series each query of a panel gives, by the panel's row and title."""
    row, counts = "", {}
    for panel in DASHBOARD["panels"]:
        if panel["type"] == "row":
            row = panel["title"]
        else:
            counts[row, panel["title"]] = [len(query(client, t["expr"], window)) for t in panel["targets"]]
    return counts


def plot(client: httpx.Client, path: Path, seconds: float) -> None:
    """Draw the panels of the first row."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 5), dpi=64, layout="constrained")
    for axes, panel in zip(figure.subplots(2, 3).flat, DASHBOARD["panels"][1:], strict=False):
        for name, times, values in _lines(client, panel, seconds):
            axes.plot(times, values, label=name)
        axes.set_title(f"{panel['title']} ({panel['fieldConfig']['defaults']['unit']})", fontsize=9)
        axes.set_ylim(bottom=0)
        axes.tick_params(labelsize=7)
        axes.legend(fontsize=6, frameon=False)
    figure.supxlabel("seconds", fontsize=8)
    figure.savefig(path, pil_kwargs={"optimize": True})


def _lines(client: httpx.Client, panel: Series, seconds: float) -> Iterator[tuple[str, list[float], list[float]]]:
    """Yield name, seconds since the start and values of each series of a panel."""
    end = time.time()
    start = end - seconds
    for target in panel["targets"]:
        for series in query(client, target["expr"], "10s", start=start, end=end, step=1):
            name = target["legendFormat"]
            for label, value in series["metric"].items():
                name = name.replace(f"{{{{{label}}}}}", value)
            yield name, [at - start for at, _ in series["values"]], [float(value) for _, value in series["values"]]


def main() -> None:
    """Load the service with a database whose tables come late; print a table, and draw the first row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    database = PostgreSQL()
    try:
        database.start()
        url = database.url(database.new_database())
        with tempfile.TemporaryDirectory() as folder, scraped(Path(folder), url) as (service, client):
            load(service, options.seconds / 4)
            migrate = (sys.executable, "-m", "api.request_log", "migrate")
            subprocess.run(migrate, env=os.environ | {"NAME_CLASSIFIER_DATABASE_URL": url}, check=True)
            load(service, options.seconds * 3 / 4)
            print("| row | panel | series of each query |\n| --- | --- | --- |")
            for (row, title), counts in count_series(client, "30s").items():
                print(f"| {row} | {title} | {', '.join(map(str, counts))} |")
            if options.plot:
                plot(client, options.plot, options.seconds)
    finally:
        database.remove()


if __name__ == "__main__":
    main()
