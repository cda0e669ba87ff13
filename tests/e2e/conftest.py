"""What the end-to-end tests share: commands shown with their output, the container engine and the image.

Nothing is built here: `make image` comes first. Nothing is replaced by a fake either.
"""

import json
import os
import shlex
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.e2e.cluster import namespace_with_image


def _run(*command: str, stdin: str | None = None, check: bool = True, timeout: float = 300) -> str:
    """Run a command, print it with its output and duration, and return the output."""
    line = shlex.join(command)
    print(f"\n$ {line if len(line) < 400 else line[:400] + ' ...'}")
    started = time.monotonic()
    try:
        done = subprocess.run(
            command,
            input=stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=timeout,
        )
    except subprocess.TimeoutExpired as late:
        pytest.fail(f"{line} did not end in {timeout:.0f} s: {late.output!r}", pytrace=False)
    print(f"{done.stdout.rstrip()}\n# exit {done.returncode}, {time.monotonic() - started:.1f} s")
    if check and done.returncode:
        pytest.fail(f"{line} ended with {done.returncode}:\n{done.stdout}", pytrace=False)
    return done.stdout


@pytest.fixture(scope="session")
def run() -> Callable[..., str]:
    """Give the tests the one way to run a command, so that the log is evidence."""
    return _run


@pytest.fixture(scope="session")
def engine() -> str:
    """Name the container engine: $ENGINE, else docker if its daemon answers, else podman."""
    named = os.environ.get("ENGINE")
    for name in (named,) if named else ("docker", "podman"):
        try:
            if subprocess.run([name, "info"], capture_output=True, check=False).returncode == 0:
                return name
        except FileNotFoundError:
            continue
    pytest.fail("no container engine answers: start docker or install podman", pytrace=False)


@pytest.fixture(scope="session")
def image(engine: str) -> str:
    """Name the image under test, $IMAGE or fastapi-ml; `make image` has built it."""
    name = os.environ.get("IMAGE", "fastapi-ml")
    found = subprocess.run([engine, "image", "inspect", name], capture_output=True, check=False)
    if found.returncode:
        pytest.fail(f"{engine} has no image {name}: run `make image` first", pytrace=False)
    return name


@pytest.fixture(scope="session")
def image_config(engine: str, image: str) -> dict[str, Any]:
    """Return what the image says of itself, health check included, in docker's spelling."""
    command = [engine, "image", "inspect", image]
    inspected = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)[0]
    config: dict[str, Any] = inspected["Config"]
    config["Id"], config["Size"] = inspected["Id"].removeprefix("sha256:"), inspected["Size"]
    # podman keeps the health check one level higher
    config.setdefault("Healthcheck", inspected.get("HealthCheck") or inspected.get("Healthcheck"))
    return config


@pytest.fixture(scope="module")
def cluster(
    run: Callable[..., str], engine: str, image: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[None]:
    """Give helm and kubectl a namespace on the cluster, with the image on its node."""
    archive = str(tmp_path_factory.mktemp("image") / "fastapi-ml.tar")
    with namespace_with_image(run, engine, image, archive):
        yield
