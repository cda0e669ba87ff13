"""Send the service what clients send by mistake: made by hand, generated, and what its own OpenAPI document suggests.

`make fuzz FUZZ=10000` runs this, against the service as a try of it and as production runs it. FUZZ is about how many
requests are generated; a tenth of them are schemathesis's, which are slow. Ends with 1 if an answer was not what it
must be (judge.py), a name stood in a log, a metric or an error, or the service failed. `--seed` repeats a run.
"""

import argparse
import hashlib
import http.client
import json
import re
import sys
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from hypothesis import HealthCheck, Phase, given, seed, settings

from tests.attack.service import ROOT, Service, serving
from tests.fuzz.cases import load
from tests.fuzz.generated import requests
from tests.fuzz.judge import find_fault
from tests.fuzz.markers import find_marker
from tests.fuzz.schema import run_schemathesis
from tests.fuzz.sending import KEY, Client, Request

WORK = ROOT / "build" / "fuzz"
CONNECTIONS = 16
SCHEMATHESIS_SHARE = 0.1
_COMMON = {
    "LOG_REQUESTS_PER_SECOND": "1000000",  # every one, so that every one is searched
    "MAX_STREAMS": "100",  # none is refused for there being too many
    "MAX_STREAMS_PER_CALLER": "100",
}
MODES: Mapping[str, Mapping[str, str]] = {
    "development": _COMMON | {"LOG_LEVEL": "debug"},
    "production": _COMMON
    | {
        "ENVIRONMENT": "production",
        "API_KEYS": json.dumps([{"name": "fuzz", "sha256": hashlib.sha256(KEY.encode()).hexdigest()}]),
        "RATE_LIMIT": "1000000/second",
    },
}
"""What each way of running the service sets; in both, every request holds the key."""
_SAMPLE = re.compile(r'http_requests_total\{method="(.*)",route="(.*)",status="(\d+)"\} (\S+)')
_METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "OTHER"}
_QUIET = {"DEBUG", "INFO", "WARNING"}


def judge(client: Client, request: Request) -> str:
    """Send a request; return what is wrong with its answer, or nothing."""
    try:
        return find_fault(client.send(request), request.statuses) or ""
    except (OSError, http.client.HTTPException) as error:
        return f"no answer: {type(error).__name__}"


def send_cases(client: Client, mode: str) -> int:
    """Send what was made by hand; return the number of failures."""
    cases = list(load(mode))
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        faults = list(pool.map(lambda case: judge(client, case), cases))
    for case, fault in zip(cases, faults, strict=True):
        if fault:
            print(f"FAILED {case.name}: {fault}\n  {case.method} {case.target[:100]} {case.body[:300]!r}")
    print(f"{mode}: {len(cases)} requests made by hand")
    return sum(map(bool, faults))


def send_generated(client: Client, count: int, number: int) -> int:
    """Let hypothesis generate requests; return 1 if it found a failure, which it has shrunk and printed, else 0."""

    @seed(number)
    @settings(
        max_examples=max(1, count),
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
    )
    @given(requests())
    def answered_as_it_must_be(request: Request) -> None:
        fault = judge(client, request)
        assert not fault, fault

    try:
        answered_as_it_must_be()
    except (AssertionError, ExceptionGroup) as error:
        print("FAILED", error, *getattr(error, "__notes__", ()), sep="\n  ")
        return 1
    return 0


def counts(service: Service) -> Counter[tuple[str, str, int]]:
    """Return the requests that the service counted, by method, route and status."""
    samples = _SAMPLE.findall(service.get("/metrics", x_api_key=KEY).decode())
    return Counter({(method, route, int(status)): int(float(count)) for method, route, status, count in samples})


def find_faults(service: Service, reference: object) -> Iterator[str]:
    """Yield what is wrong with a service after all this."""
    if service.process.poll() is not None:
        yield "the service ended"
    if self_description(service) != reference:
        yield "it answers otherwise than before"
    if marker := find_marker(service.get("/metrics")):
        yield f"a metric holds {marker}"
    routes = {*json.loads(service.get("/openapi.json"))["paths"], "/", "/openapi.json", "unmatched"}
    for method, route, status in counts(service):
        if method not in _METHODS or not (route in routes or route.startswith("/docs")):
            yield f"a metric has the label {method} {route}"
        if status >= 500 and status != 503:
            yield f"it counted {status} on {method} {route}"
    yield from _faults_of_log(service)


def _faults_of_log(service: Service) -> Iterator[str]:
    """Yield a name in the log, a line that is not JSON, a failure."""
    for line in service.log.read_bytes().splitlines():
        entry = {}
        with suppress(ValueError):
            entry = json.loads(line)
        if marker := find_marker(line):
            yield f"the log holds {marker}: {line[:300]!r}"
        elif entry.get("level") not in _QUIET:
            yield f"the log says: {line[:1000]!r}"


def self_description(service: Service) -> object:
    """Return what the service says of itself, but for what changes from request to request."""
    model = json.loads(service.get("/v1/model", x_api_key=KEY))
    model.pop("request_id")
    return model, json.loads(service.get("/v1/similar?name=Kowalska", x_api_key=KEY))["similar"]


def attack(mode: str, count: int, number: int) -> int:
    """Send it all to the service in one mode; return the number of failures."""
    with serving(WORK / f"{mode}.log", MODES[mode]) as service:
        reference, client, started = self_description(service), Client(service.port), time.monotonic()
        failures = send_cases(client, mode)
        before = service.resident_mib()
        failures += send_generated(client, round(count * (1 - SCHEMATHESIS_SHARE)), number)
        failures += run_schemathesis(service, round(count * SCHEMATHESIS_SHARE), number)
        faults = list(find_faults(service, reference))
        print(f"{mode}: {counts(service).total():,} requests counted in {time.monotonic() - started:.0f} s", end="; ")
        print(f"resident MiB {before:.0f}, then {service.resident_mib():.0f}", flush=True)
    for fault in faults[:20]:
        print(f"FAILED {mode}: {fault}")
    return failures + len(faults)


def main() -> None:
    """Attack the service in every mode."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("requests", type=int, nargs="?", default=10_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mode", choices=MODES)
    arguments = parser.parse_args()
    modes = [arguments.mode] if arguments.mode else list(MODES)
    failures = sum(attack(mode, arguments.requests // len(modes), arguments.seed) for mode in modes)
    print(f"{failures} failures" if failures else "no failure")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
