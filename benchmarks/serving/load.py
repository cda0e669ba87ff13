"""Load on one route, with names that were not sent before: by wrk, or one request after the other."""

import contextlib
import http.client
import json
import shutil
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import names
from processes import CLIENT_CORE, on_core
from servers import Route

CONNECTIONS = (1, 16, 64)


@dataclass(frozen=True)
class Load:
    """What wrk saw in one run: `refused` are statuses from 400 on, `broken` are requests without an answer."""

    requests: int
    seconds: float
    refused: int
    broken: int
    p50_ms: float
    p99_ms: float


def require_wrk() -> None:
    """End with a sentence where there is no wrk."""
    if not shutil.which("wrk"):
        sys.exit("wrk is not installed: on Debian or Ubuntu, apt-get install wrk; elsewhere, github.com/wg/wrk.")


def run_wrk(port: int, route: Route, first: int, seconds: int, *, connections: int, think_seconds: float = 0) -> Load:
    """Send names from number `first` on for some seconds, from one thread on the client's core.

    A connection sends its next request as soon as it has its answer and has thought for `think_seconds`.
    """
    address = f"http://127.0.0.1:{port}{route.path}"
    script = Path(__file__).with_name("load.lua")
    headers = [word for name, value in route.headers.items() for word in ("-H", f"{name}: {value}")]
    command = (
        "wrk",
        "-t1",
        f"-c{connections}",
        f"-d{seconds}s",
        "--timeout",
        "30s",
        *headers,
        "-s",
        str(script),
        address,
    )
    with on_core(CLIENT_CORE):
        arguments = (str(names.FILE), str(first), route.body, str(round(1000 * think_seconds)))
        done = subprocess.run((*command, "--", *arguments), capture_output=True, text=True, check=True)
    return Load(**json.loads(done.stdout.splitlines()[-1]))


class Names:
    """Hands out the invented names to one server, none twice."""

    def __init__(self) -> None:
        self._names = names.read_names()
        self._position = 0

    def skip(self, count: int) -> int:
        """Leave names to somebody else; return the number of the first."""
        first = self._position
        self._position += count
        if self._position > len(self._names):
            raise RuntimeError("there are no more names: raise names.COUNT, or measure shorter rounds")
        return first

    def take(self, count: int) -> list[str]:
        """Return the next names."""
        first = self.skip(count)
        return self._names[first : first + count]


def post_each(port: int, route: Route, bodies: Iterable[str]) -> None:
    """Send bodies one after the other on one connection. Raises RuntimeError at the first that is not answered 200."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    with contextlib.closing(connection), on_core(CLIENT_CORE):
        for body in bodies:
            connection.request("POST", route.path, body.encode(), dict(route.headers))
            response = connection.getresponse()
            response.read()
            if response.status != 200:
                raise RuntimeError(f"{route.path} answered {response.status}")
