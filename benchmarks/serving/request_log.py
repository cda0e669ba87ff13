"""What the request log costs the service: its CPU time with the log off, fast, strict, and fast with a PostgreSQL.

Run `python benchmarks/serving/request_log.py [--rounds 5] [--seconds 3]`; prints Markdown. The modes take turns, as in
bench.py; a ratio is to the log switched off in the same round. What a request leaves to be written or shipped later
counts too: a figure is taken once the service is idle again. PostgreSQL has the client's core and is not counted.
"""

import argparse
import statistics
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from load import CONNECTIONS, require_wrk
from processes import CLIENT_CORE, on_core
from rounds import Figures, measure
from servers import ROOT, SERVICE, Server

from api.request_log.migrating import migrate
from api.tests.postgresql import PostgreSQL
from model.prediction import Predictor

OFF, FAST, STRICT, SHIPPED = "off", "fast", "strict", "fast, shipped"
LISTS = "list of 1,000 names, a name"


def service(name: str, mode: str, **settings: str) -> Server:
    """Return the service with its request log in a mode; one route will do, as both write the same row."""
    values = {"REQUEST_LOG": mode, **settings}
    environment = {**SERVICE.environment, **{f"NAME_CLASSIFIER_{key}": value for key, value in values.items()}}
    return replace(SERVICE, name=name, routes=SERVICE.routes[:1], environment=environment)


@contextmanager
def database() -> Iterator[str]:
    """Yield the URL of an empty database at the newest revision."""
    postgresql = PostgreSQL()
    try:
        with on_core(CLIENT_CORE):
            postgresql.start()
        url = postgresql.url(postgresql.new_database())
        migrate(url)
        yield url
    finally:
        postgresql.remove()


def microseconds(figures: Figures) -> dict[str, float]:
    """Return CPU time per single request by number of connections, and per name of a list."""
    found = {f"{key.rpartition(' ')[2]} connections": 1e6 * cpu for key, cpu in figures.cpu.items()}
    assert figures.batch_names_per_cpu_second is not None
    return found | {LISTS: 1e6 / figures.batch_names_per_cpu_second}


def print_table(rounds: Iterable[dict[str, dict[str, float]]]) -> None:
    """Print medians, and of the ratios to `OFF` the median, the lowest and the highest."""
    rounds = list(rounds)
    modes = list(rounds[0])
    print("| CPU µs per request | " + " | ".join(modes) + " |")
    print("|---|" + "---|" * len(modes))
    for key in rounds[0][OFF]:
        cells = [f"{statistics.median(seen[OFF][key] for seen in rounds):.1f}"]
        for mode in modes[1:]:
            ratios = sorted(seen[mode][key] / seen[OFF][key] for seen in rounds)
            median = statistics.median(seen[mode][key] for seen in rounds)
            cells.append(f"{median:.1f}: {statistics.median(ratios):.2f} ({ratios[0]:.2f} to {ratios[-1]:.2f})")
        print(f"| {key} | " + " | ".join(cells) + " |")


def main() -> None:
    """Measure all modes in turn and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=3, help="of load with each number of connections and round")
    parser.add_argument("--modes", nargs="+", default=[OFF, FAST, STRICT, SHIPPED])
    arguments = parser.parse_args()
    require_wrk()
    predictor = Predictor.load(ROOT / "artifacts")
    rounds: list[dict[str, dict[str, float]]] = []
    with database() as url:
        servers = [
            service(OFF, "off"),
            service(FAST, "fast"),
            service(STRICT, "strict"),
            service(SHIPPED, "fast", DATABASE_URL=url),
        ]
        for _ in range(arguments.rounds):
            rounds.append({})
            for server in servers:
                if server.name in arguments.modes:
                    figures = measure(server, predictor, arguments.seconds, CONNECTIONS)
                    rounds[-1][server.name] = microseconds(figures)
                    print(server.name, {key: round(value, 1) for key, value in rounds[-1][server.name].items()})
    print_table(rounds)


if __name__ == "__main__":
    main()
