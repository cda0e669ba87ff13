"""A client that asks now and then, each time on a connection of its own as probes and new users do, and notes all."""

import http.client
import math
import resource
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from processes import CLIENT_CORE, on_core
from servers import FIRST_NAME, Route

TIMEOUT_SECONDS = 30


@dataclass(frozen=True)
class Probe:
    """When a request was sent (of time.monotonic), how long its answer took, and the status: 0 if there was none."""

    sent: float
    seconds: float
    status: int


class Prober:
    """Asks a route for a label, or else /livez, in a thread of its own for as long as its context lasts."""

    def __init__(self, port: int, *, every: float, route: Route | None = None) -> None:
        self.probes: list[Probe] = []
        self._port, self._every = port, every
        self._request: tuple[Any, ...] = ("GET", "/livez")
        if route:
            self._request = ("POST", route.path, route.body.replace("NAME", f'"{FIRST_NAME}"'), dict(route.headers))
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stopped.set()
        self._thread.join()

    def _run(self) -> None:
        with on_core(CLIENT_CORE):
            while not self._stopped.wait(self._every):
                sent = time.monotonic()
                status = self._ask()
                self.probes.append(Probe(sent, time.monotonic() - sent, status))

    def _ask(self) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=TIMEOUT_SECONDS)
        try:
            connection.request(*self._request)
            response = connection.getresponse()
            response.read()
        except (OSError, http.client.HTTPException):
            return 0
        else:
            return response.status
        finally:
            connection.close()


def describe(probes: Sequence[Probe]) -> str:
    """Return how many there are and the percentiles of their times."""
    if not probes:
        return "none"
    ordered = sorted(probe.seconds for probe in probes)
    percentiles = (f"p{p:g} {1000 * percentile(ordered, p):.1f}" for p in (50, 90, 99))
    return f"{len(ordered):,}, ms: {', '.join(percentiles)}, longest {1000 * ordered[-1]:.1f}"


def percentile(ordered: Sequence[float], p: float) -> float:
    """Return the smallest value that p% of the ordered values do not exceed."""
    return ordered[max(0, math.ceil(len(ordered) * p / 100) - 1)]


def allow_many_sockets() -> int:
    """Raise the bound on open files as far as the system lets, here and for what is started; return it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    return hard
