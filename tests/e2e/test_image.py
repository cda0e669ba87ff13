"""The image as `docker run` meets it, under the harshest settings that the chart uses."""

import http.client
import json
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest

Run = Callable[..., str]

HARDENED = (
    "--read-only",
    "--cap-drop=ALL",
    "--security-opt=no-new-privileges",
    "--memory=256m",
    "--cpus=1",
    "--pids-limit=128",
    "--no-healthcheck",  # run by hand below: podman's scheduler needs systemd
)
PUBLISH = "--publish=127.0.0.1::8000"  # a free port
START_LIMIT_SECONDS = 60
RSS_LIMIT_MIB = 200  # of the 256 MiB that the chart allows
SIZE_LIMIT_MB = 600  # torch alone would be more


@dataclass(frozen=True)
class Container:
    """A running container and how long it took to its first answer."""

    name: str
    port: int
    seconds_to_first_answer: float


def _post(connection: http.client.HTTPConnection, name: str, count: int) -> tuple[int, Any]:
    body = json.dumps({"name": name, "n_predictions": count})
    connection.request("POST", "/get_prediction", body, {"Content-Type": "application/json"})
    response = connection.getresponse()
    return response.status, json.load(response)


def _first_answer(port: int) -> None:
    deadline = time.monotonic() + START_LIMIT_SECONDS
    while True:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            status, _ = _post(connection, "Jordan", 2)
        except (OSError, http.client.HTTPException):
            assert time.monotonic() < deadline, f"no answer in {START_LIMIT_SECONDS} s"
            time.sleep(0.02)
        else:
            assert status == 200
            return
        finally:
            connection.close()


@pytest.fixture(scope="module")
def hardened(engine: str) -> tuple[str, ...]:
    """Give the options of `run`: podman would mount a writable /tmp into a read-only container."""
    return (*HARDENED, "--read-only-tmpfs=false") if engine == "podman" else HARDENED


@pytest.fixture(scope="module")
def container(run: Run, engine: str, image: str, hardened: tuple[str, ...]) -> Iterator[Container]:
    """Run the image hardened, on a free loopback port, and remove it whatever happens."""
    name = f"e2e-{uuid.uuid4().hex[:8]}"
    try:
        started = time.monotonic()
        run(engine, "run", "--detach", f"--name={name}", PUBLISH, *hardened, image)
        port = int(run(engine, "port", name, "8000/tcp").split(":")[-1])
        _first_answer(port)
        yield Container(name, port, time.monotonic() - started)
    finally:
        run(engine, "logs", "--tail=20", name, check=False)
        run(engine, "rm", "--force", name, check=False)


def test_the_image_says_what_it_is(image_config: dict[str, Any]) -> None:
    """User, health check, labels and size are set in the image itself."""
    size_mb = image_config["Size"] / 1e6
    print(f"\nimage size: {size_mb:.0f} MB")
    assert image_config["User"] == "10001:10001"
    assert "8000/tcp" in image_config["ExposedPorts"]
    assert image_config["Healthcheck"]["Test"][:2] == ["CMD", "python"]
    labels = {key.removeprefix("org.opencontainers.image.") for key in image_config["Labels"]}
    assert {"title", "version", "revision", "created", "licenses"} <= labels
    assert size_mb < SIZE_LIMIT_MB


def test_it_answers_read_only_without_capabilities_in_256_mb(container: Container) -> None:
    """The contract's two routes answer as documented."""
    print(f"\nfrom start to first answer: {container.seconds_to_first_answer:.2f} s")
    connection = http.client.HTTPConnection("127.0.0.1", container.port, timeout=10)
    connection.request("GET", "/check_service")
    assert json.load(connection.getresponse()) == {"Message": "Hello world from service"}
    status, answer = _post(connection, "Jordan", 2)
    print(f"POST /get_prediction: {status} {answer}")
    assert status == 200
    assert len(answer["predictions"]) == len(answer["probabilities"]) == 2
    assert 0 >= answer["probabilities"][0] >= answer["probabilities"][1]
    connection.close()


def test_it_runs_as_10001_and_cannot_write(run: Run, engine: str, container: Container) -> None:
    """The process has the image's user, no capability, and no place to write."""
    wanted = "^(Uid|Gid|CapEff|NoNewPrivs):"
    status = run(engine, "exec", container.name, "grep", "-E", wanted, "/proc/1/status")
    fields = dict(line.split(":", 1) for line in status.splitlines())
    assert set(fields["Uid"].split()) == set(fields["Gid"].split()) == {"10001"}
    assert int(fields["CapEff"], 16) == 0
    for place in ("/app/x", "/tmp/x", "/x"):
        said = run(engine, "exec", container.name, "touch", place, check=False)
        assert "Read-only file system" in said


def test_it_records_what_it_answers(run: Run, engine: str, container: Container) -> None:
    """Rows reach the volume with nothing else to write to, and the commands find them there."""
    connection = http.client.HTTPConnection("127.0.0.1", container.port, timeout=30)
    for _ in range(3):
        body = json.dumps({"names": ["Jordan"] * 1000})
        connection.request("POST", "/v1/predict", body, {"Content-Type": "application/json"})
        assert connection.getresponse().read()
    connection.close()
    deadline = time.monotonic() + 30
    stats = (engine, "exec", container.name, "python", "-m", "api.request_log", "stats", "--json")
    while (n_items := json.loads(run(*stats))["items"]) < 3000:
        assert time.monotonic() < deadline, n_items
    owner_only = run(engine, "exec", container.name, "stat", "--format=%a %U:%G", "/data/request_log.sqlite")
    assert owner_only.startswith("600 ")


def test_nothing_that_builds_or_trains_is_inside(run: Run, engine: str, container: Container) -> None:
    """No torch, no package manager of Python, no compiler."""
    probe = "import importlib.util as u; print([m for m in {} if u.find_spec(m)])"
    modules = ["torch", "pip", "setuptools", "onnx", "mlflow", "ray", "pytest"]
    found = run(engine, "exec", container.name, "python", "-c", probe.format(modules))
    assert found.strip() == "[]"
    commands = "command -v pip pip3 gcc cc g++ make git curl; true"
    assert run(engine, "exec", container.name, "sh", "-c", commands).strip() == ""


def test_the_health_check_tells_well_from_ill(
    run: Run, engine: str, image: str, image_config: dict[str, Any], container: Container
) -> None:
    """The image's own command passes on a service that answers and fails on one that does not."""
    command = image_config["Healthcheck"]["Test"][1:]
    run(engine, "exec", container.name, *command)
    ill = run(engine, "run", "--rm", "--no-healthcheck", image, *command, check=False)
    assert "Connection refused" in ill


def test_memory_after_1000_requests(run: Run, engine: str, container: Container) -> None:
    """The service stays far below the chart's limit."""
    connection = http.client.HTTPConnection("127.0.0.1", container.port, timeout=10)
    started = time.monotonic()
    statuses = [_post(connection, "jordanlee"[: 2 + i % 8] + chr(97 + i % 26), 3)[0] for i in range(1000)]
    seconds = time.monotonic() - started
    connection.close()
    assert set(statuses) == {200}
    status = run(engine, "exec", container.name, "grep", "VmRSS", "/proc/1/status")
    rss = int(status.split()[1]) / 1024
    print(f"\n1,000 requests in {seconds:.1f} s; resident afterwards: {rss:.0f} MiB")
    assert rss < RSS_LIMIT_MIB


def test_it_stops_when_asked(run: Run, engine: str, image: str, hardened: tuple[str, ...]) -> None:
    """SIGTERM ends the process by itself, with 0, long before it would be killed."""
    name = f"e2e-{uuid.uuid4().hex[:8]}"
    try:
        run(engine, "run", "--detach", f"--name={name}", PUBLISH, *hardened, image)
        _first_answer(int(run(engine, "port", name, "8000/tcp").split(":")[-1]))
        started = time.monotonic()
        run(engine, "stop", "-t", "20", name)
        assert time.monotonic() - started < 10
        assert run(engine, "inspect", "--format={{.State.ExitCode}}", name).strip() == "0"
    finally:
        run(engine, "rm", "--force", name, check=False)


def test_a_damaged_bundle_is_refused_with_a_sentence(
    run: Run, engine: str, image: str, hardened: tuple[str, ...]
) -> None:
    """No half-working service: the process ends with a non-zero code and one line that says why."""
    script = (
        "cp -r artifacts /tmp/damaged && echo x >> /tmp/damaged/model.onnx && "
        "NAME_CLASSIFIER_BUNDLE_DIR=/tmp/damaged timeout 30 python -m api; echo code $?"
    )
    options = ("--rm", "--tmpfs=/tmp")
    sentence, code = run(engine, "run", *options, *hardened, image, "sh", "-c", script).splitlines()
    assert code == "code 1"
    assert "model.onnx" in sentence


def test_the_runtime_reports_to_nobody(run: Run, engine: str, image: str, hardened: tuple[str, ...]) -> None:
    """ONNX Runtime's telemetry is off; where it is on, a read-only root makes it complain."""
    said = run(engine, "run", "--rm", *hardened, image, "python", "-c", "import model.prediction")
    assert said.strip() == ""
