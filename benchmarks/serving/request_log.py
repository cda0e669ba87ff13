"""What the request log costs the service: its CPU time with the log off, fast, strict, and fast with a PostgreSQL.

Run `python benchmarks/serving/request_log.py [--rounds 8] [--seconds 1]`; prints Markdown. All modes run side by side
on one core and take turns of seconds, so that what else the machine does strikes all; a ratio is to the log switched
off in the same turn. What a request leaves to be written or shipped later counts too: a figure is taken once the
service is idle again. PostgreSQL has the client's core and is not counted.
"""

import argparse
import statistics
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from load import CONNECTIONS, Names, require_wrk
from processes import CLIENT_CORE, on_core
from rounds import Figures, measure_batches, measure_load
from servers import ROOT, SERVICE, Running, Server, running

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


def take_turns(
    processes: Iterable[Running], predictor: Predictor, rounds: int, seconds: int
) -> list[dict[str, dict[str, float]]]:
    """Return what each process took in each round."""
    names = {process.server.name: (process, Names()) for process in processes}
    found: list[dict[str, dict[str, float]]] = []
    for number in range(1, rounds + 1):
        print(f"round {number} of {rounds}", flush=True)
        seen = {name: Figures(0, 0) for name in names}
        for connections in CONNECTIONS:
            for name, (process, left) in names.items():
                route = process.server.routes[0]
                measure_load(process, route, left, seen[name], seconds=seconds, connections=connections)
        for name, (process, left) in names.items():
            measure_batches(process, left, predictor, seen[name])
        found.append({name: microseconds(figures) for name, figures in seen.items()})
    return found


def print_table(rounds: Sequence[dict[str, dict[str, float]]]) -> None:
    """Print medians, and of the ratios to `OFF` the median and the quartiles."""
    modes = list(rounds[0])
    print("| CPU µs per request | " + " | ".join(modes) + " |")
    print("|---|" + "---|" * len(modes))
    for key in rounds[0][OFF]:
        cells = [f"{statistics.median(seen[OFF][key] for seen in rounds):.1f}"]
        for mode in modes[1:]:
            low, ratio, high = statistics.quantiles(seen[mode][key] / seen[OFF][key] for seen in rounds)
            median = statistics.median(seen[mode][key] for seen in rounds)
            cells.append(f"{median:.1f}: {ratio:.2f} ({low:.2f} to {high:.2f})")
        print(f"| {key} | " + " | ".join(cells) + " |")


def main() -> None:
    """Measure all modes in turn and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--seconds", type=int, default=1, help="of load with each number of connections and round")
    arguments = parser.parse_args()
    require_wrk()
    predictor = Predictor.load(ROOT / "artifacts")
    with database() as url, ExitStack() as stack:
        servers = [
            service(OFF, "off"),
            service(FAST, "fast"),
            service(STRICT, "strict"),
            service(SHIPPED, "fast", DATABASE_URL=url),
        ]
        processes = [stack.enter_context(running(server)) for server in servers]
        take_turns(processes, predictor, 1, 1)  # to warm up
        rounds = take_turns(processes, predictor, arguments.rounds, arguments.seconds)
    print_table(rounds)


if __name__ == "__main__":
    main()
