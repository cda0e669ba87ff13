"""One round: each server started, warmed up, loaded and stopped in turn, and what each cost."""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from load import Load, Names, post_each, run_wrk
from processes import SERVER_CORE, cpu_seconds, on_core, resident_bytes, wait_until_idle
from servers import CONSTANT, FIRST_NAME, SERVICE, Route, Running, Server, running

from model.prediction import Predictor

WARM_UP = 2000
BATCHES = 30
BATCH = 1000
BATCH_ROUTE = replace(SERVICE.routes[1], body='{"names": NAMES, "top_k": 3}')


@dataclass
class Figures:
    """What one server cost in one round; `load` and `cpu` (seconds a request) by path and number of connections."""

    first_answer_seconds: float
    resident_bytes: int
    load: dict[str, Load] = field(default_factory=dict)
    cpu: dict[str, float] = field(default_factory=dict)
    batch_names_per_cpu_second: float | None = None
    predictor_names_per_cpu_second: float | None = None


def measure(server: Server, predictor: Predictor, seconds: int, connections: Sequence[int]) -> Figures:
    """Start a server, check what it answers and measure each of its routes."""
    with running(server) as process:
        if server is not CONSTANT:
            _check(process, predictor)
        names = Names()
        route = server.routes[0]
        post_each(process.port, route, (route.body.replace("NAME", json.dumps(n)) for n in names.take(WARM_UP)))
        figures = Figures(process.first_answer_seconds, resident_bytes(process.process.pid))
        for route in server.routes:
            for number in connections:
                measure_load(process, route, names, figures, seconds=seconds, connections=number)
        if server.answers_lists:
            measure_batches(process, names, predictor, figures)
        return figures


def _check(process: Running, predictor: Predictor) -> None:
    """Raise RuntimeError unless a server answers with the predictor's labels, in their order."""
    (expected,) = predictor.predict([FIRST_NAME], top_k=3)
    text = json.dumps(process.first_answer, ensure_ascii=False)
    places = [text.find(json.dumps(label, ensure_ascii=False)) for label in expected.labels]
    if -1 in places or places != sorted(places):
        raise RuntimeError(f"it answers {text:.200} where the predictor answers {expected.labels}")


def measure_load(
    process: Running, route: Route, names: Names, figures: Figures, *, seconds: int, connections: int
) -> None:
    """Load a route; what it leaves to be done later counts too. Raises RuntimeError if a request fails."""
    before = cpu_seconds(process.process.pid)
    load = run_wrk(process.port, route, names.skip(0), seconds, connections=connections)
    wait_until_idle(process.process.pid)
    cpu = cpu_seconds(process.process.pid) - before
    names.skip(load.requests + connections)
    if load.refused or load.broken:
        raise RuntimeError(f"{route.path}: {load.refused} requests refused and {load.broken} broken, so no figure")
    figures.load[f"{route.path} {connections}"] = load
    figures.cpu[f"{route.path} {connections}"] = cpu / load.requests


def measure_batches(process: Running, names: Names, predictor: Predictor, figures: Figures) -> None:
    """Send lists of names, and let the predictor answer the same in this process."""
    batches = [names.take(BATCH) for _ in range(BATCHES)]
    bodies = [BATCH_ROUTE.body.replace("NAMES", json.dumps(batch)) for batch in batches]
    before = cpu_seconds(process.process.pid)
    post_each(process.port, BATCH_ROUTE, bodies)
    wait_until_idle(process.process.pid)
    figures.batch_names_per_cpu_second = BATCH * BATCHES / (cpu_seconds(process.process.pid) - before)
    with on_core(SERVER_CORE):
        started = time.process_time()
        for batch in batches:
            predictor.predict(batch, top_k=3)
        figures.predictor_names_per_cpu_second = BATCH * BATCHES / (time.process_time() - started)
