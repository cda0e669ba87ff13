"""Names that occur nowhere else, through every route: where they are found afterwards.

`python -m tests.durability.canaries --names 10000` sends them with the request log on PostgreSQL, once with raw names
and once with hashed ones, and exits with 1 if one is found in the log, metrics, traces or errors, or with hashed ones
in a database. Feedback is raw by design, so there is none beside hashed names; a well-formed X-Request-ID is logged by
design, so no canary is one.
"""

import argparse
import json
import os
import re
import shutil
import string
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import cycle, product
from pathlib import Path

import httpx
import psycopg

from api.tests.postgresql import PostgreSQL
from api.tests.test_tracing import Collector
from tests.attack.resources import Report
from tests.attack.service import ROOT, Service, serving
from tests.durability.outage import database
from tests.durability.reading import metric

FOLDER = ROOT / "build/durability/canaries"
OUTBOX = FOLDER / "outbox"
_MARK = "Zqxj"
_CANARY = re.compile(rb"zqxj[a-z]{4}", re.IGNORECASE)
SETTINGS = {
    "LOG_LEVEL": "debug",
    "LOG_REQUESTS_PER_SECOND": "1000000",
    "REQUEST_LOG": "fast",
    "REQUEST_LOG_DIR": str(OUTBOX),
    "NAME_HASH_KEYS": json.dumps([{"id": "2026-11", "key": "5" * 64}]),
}
SHIP_SECONDS = 60
N_TO_CHOOSE_FROM = 10

Send = Callable[[httpx.Client, Sequence[str]], httpx.Response]
"""Sends some of ten canaries."""


def canaries() -> Iterator[str]:
    """Yield names that are letters only."""
    for letters in product(string.ascii_lowercase, repeat=4):
        yield _MARK + "".join(letters)


def _post(path: str, body: Callable[[Sequence[str]], object]) -> Send:
    return lambda client, names: client.post(path, json=body(names))


def _content(path: str, media_type: str, body: Callable[[Sequence[str]], str]) -> Send:
    return lambda client, names: client.post(path, content=body(names), headers={"content-type": media_type})


def _infer(path: str) -> Send:
    """Ask for all names but the first, which is the request's id, on a path that may hold the version or a name."""

    def send(client: httpx.Client, names: Sequence[str]) -> httpx.Response:
        tensor = {"name": "name", "datatype": "BYTES", "shape": [len(names) - 1], "data": names[1:]}
        version = client.get("/v1/model").json()["model_version"]
        return client.post(path.format(version=version, name=names[0]), json={"id": names[0], "inputs": [tensor]})

    return send


_JSON = "application/json"
ANSWERED: list[Send] = [
    _post("/get_prediction", lambda names: {"name": names[0]}),
    _post("/v1/predict", lambda names: {"names": names}),
    _post("/v1/predict", lambda names: {"names": names, "abstain": True, "prior": "uniform"}),
    _content(
        "/v1/predict/stream",
        "application/x-ndjson",
        lambda names: "\n".join(json.dumps({"name": name, "id": f"id-{name}"}) for name in names),
    ),
    _content("/v1/predict/stream", "application/x-ndjson", lambda names: "\n".join([*names, f"{names[0]}1", "{"])),
    _content(
        "/v1/predict/file",
        "text/csv",
        lambda names: "name,note\n" + "\n".join(f"{name},of {name}" for name in names) + f"\ntoo,many,{names[0]}\n",
    ),
    _post("/v1/explain", lambda names: {"name": names[0]}),
    lambda client, names: client.get("/v1/similar", params={"name": names[0]}),
    _infer("/v2/models/name-classifier/infer"),
    _infer("/v2/models/name-classifier/versions/{version}/infer"),
    lambda client, names: client.post(f"/get_prediction?name={names[0]}", json={"name": names[1]}),
    lambda client, names: client.post(
        "/get_prediction",
        json={"name": names[0]},
        headers={
            **dict.fromkeys(("user-agent", "referer", "cookie", "x-api-key", "traceparent", "accept"), names[1]),
            "authorization": f"Bearer {names[2]}",
            "x-request-id": f"{names[3]} {names[3]}",
            names[4]: names[4],
        },
    ),
]
REFUSED: list[Send] = [
    _post("/get_prediction", lambda names: {"name": f"{names[0]}\x00"}),
    _post("/get_prediction", lambda names: {"name": names[0] * 20}),
    _post("/get_prediction", lambda names: {"name": [names[0]]}),
    _post("/get_prediction", lambda names: {"name": names[0], "n_predictions": names[1]}),
    _post("/get_prediction", lambda names: {"name": names[0], names[1]: 1}),
    _post("/v1/predict", lambda names: {"names": [*names, 7]}),
    _post("/v1/predict", lambda names: {"names": [*names, f"{names[0]}\n{names[1]}" * 9]}),
    _post("/v1/predict", lambda names: {"names": names, "prior": {names[0]: 1}}),
    _post("/v1/predict", lambda names: {"names": names, "top_k": names[1]}),
    _post("/v1/explain", lambda names: {"name": names[0], "label": names[1]}),
    _post("/v1/feedback", lambda names: {"request_id": f"{names[0]} ", "name": names[1] * 20, "label": names[2]}),
    _content("/get_prediction", _JSON, lambda names: f'{{"name": "{names[0]}"'),
    _content("/get_prediction", _JSON, lambda names: f'{{"name": "{names[0]}\\ud800"}}'),
    _content("/get_prediction", f"text/{_MARK}", lambda names: names[0]),
    _content("/v1/predict", _JSON, lambda names: f"[{names[0]}]"),
    _content("/v1/predict/file", "text/csv", lambda names: f"{names[0]},x\n{names[1]},\n"),
    _content("/v1/predict/file?column=Zqxjcolu", "text/csv", lambda names: f"name\n{names[0]}\n"),
    lambda client, names: client.get("/v1/similar", params={"name": names[0], "label": names[1]}),
    lambda client, names: client.get("/v1/similar", params={"name": names[0], "n": names[1]}),
    lambda client, names: client.get(f"/{names[0]}"),
    lambda client, names: client.get(f"/v1/{names[0]}", params={"name": names[1]}),
    lambda client, names: client.request(names[0], "/get_prediction"),
    _infer("/v2/models/{name}/infer"),
]


def _feedback(client: httpx.Client, names: Sequence[str]) -> httpx.Response:
    return client.post("/v1/feedback", json={"request_id": "r", "name": names[0], "label": "Irish"})


def find(data: bytes) -> set[bytes]:
    """Return the canaries in bytes."""
    return {found.lower() for found in _CANARY.findall(data)}


def find_in(place: Path) -> set[bytes]:
    """Return the canaries in a file, or in the files of a folder."""
    files = [path for path in (place, *place.rglob("*")) if path.is_file()]
    return set[bytes]().union(*(find(path.read_bytes()) for path in files))


class Sender:
    """Sends canaries through every route in turn."""

    def __init__(self, service: Service) -> None:
        self.sent = set[bytes]()
        self.returned = set[bytes]()
        """In errors, and in heads of answers."""
        self.statuses = Counter[int]()
        hooks = {"request": [self._note]}
        self._client = httpx.Client(base_url=f"http://127.0.0.1:{service.port}", timeout=30, event_hooks=hooks)

    def send(self, n_names: int, kinds: Sequence[Send]) -> None:
        """Send so many different canaries or a few more."""
        names = canaries()
        with self._client:
            for kind in cycle(kinds):
                if len(self.sent) >= n_names:
                    break
                response = kind(self._client, [next(names) for _ in range(N_TO_CHOOSE_FROM)])
                self.statuses[response.status_code] += 1
                self.returned |= find(repr(response.headers.raw).encode())
                if response.status_code >= 400:
                    self.returned |= find(response.content)

    def _note(self, request: httpx.Request) -> None:
        self.sent |= find(str(request.url).encode() + request.method.encode() + request.read())
        self.sent |= find(repr(request.headers.raw).encode())


def run(report: Report, kept: str, n_names: int, postgresql: PostgreSQL, name: str) -> None:
    """Send canaries while names are kept raw or hashed, and look where they are."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    settings = SETTINGS | {"DATABASE_URL": postgresql.url(name), "REQUEST_LOG_NAMES": kept}
    with Collector() as collector:
        threading.Thread(target=collector.serve_forever, daemon=True).start()
        os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://127.0.0.1:{collector.server_port}"
        with serving(FOLDER / "log", settings) as service:
            postgresql.stop()
            sender = Sender(service)
            sender.send(n_names, ANSWERED + REFUSED + [_feedback] * (kept == "raw"))
            time.sleep(1)
            in_outbox = find_in(OUTBOX)
            postgresql.start()
            _wait_until_shipped(service)
            metrics = find(service.get("/metrics"))
        collector.shutdown()
    with psycopg.connect(postgresql.conninfo(name), autocommit=True) as connection:
        connection.execute("CHECKPOINT")
    in_database = find_in(postgresql.folder) | find_in(OUTBOX)
    places = {
        "errors": sender.returned,
        "log": find_in(FOLDER / "log"),
        "metrics": metrics,
        "traces": find(collector.raw),
    }
    report.show(f"{kept}: {len(sender.sent)} sent, statuses {dict(sender.statuses)}")
    report.show(f"{len(collector.spans)} spans of {len(collector.raw)} bytes")
    report.show(f"found in {', '.join(f'{place}: {len(found)}' for place, found in places.items())}")
    report.show(
        f"found in the outbox: {len(in_outbox)}, in PostgreSQL's folder and what is left of it: {len(in_database)}"
    )
    for place, found in places.items():
        report.expect(not found, f"{kept}: in {place}: {sorted(found)[:5]}")
    report.expect(bool(collector.spans), "no spans came")
    if kept == "raw":
        report.expect(bool(in_outbox and in_database), "what is looked for is not found where it is kept")
    else:
        report.expect(not (in_outbox | in_database), f"{kept}: {sorted(in_outbox | in_database)[:5]}")


def _wait_until_shipped(service: Service) -> None:
    deadline = time.monotonic() + SHIP_SECONDS
    while metric(service, "request_log_outbox_rows ") or metric(service, "request_log_failing"):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def main() -> None:
    """Run it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--names", type=int, default=1000, help="how many canaries")
    arguments = parser.parse_args()
    report = Report(0)
    for kept in ("hashed", "raw"):
        with database(durable=False) as (postgresql, name):
            run(report, kept, arguments.names, postgresql, name)
    for fault in report.faults:
        print(f"  FAILED: {fault}", flush=True)
    sys.exit(bool(report.faults))


if __name__ == "__main__":
    main()
