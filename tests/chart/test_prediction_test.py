"""What `helm test` runs, against the service itself."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from api.middleware.api_keys import new_key
from api.tests.conftest import free_port
from tests.chart.rendering import pick, render_set

ROOT = __file__.partition("/tests/")[0]


def _script() -> str:
    (found,) = pick(render_set(), "Pod", hook="-test")["spec"]["containers"]
    assert found["command"][:2] == ["python", "-c"]
    script: str = found["command"][2]
    return script


def _start_test(port: int, wait_seconds: int, **variables: str) -> subprocess.Popen[str]:
    environ = {"SERVICE": f"http://127.0.0.1:{port}", "WAIT_SECONDS": str(wait_seconds), "KEY_NEEDED": ""} | variables
    command = [sys.executable, "-c", _script()]
    return subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@contextmanager
def _service(port: int, **settings: str) -> Iterator[None]:
    variables = {f"NAME_CLASSIFIER_{name}": value for name, value in {"PORT": str(port), **settings}.items()}
    process = subprocess.Popen(
        [sys.executable, "-m", "api"], cwd=ROOT, env=os.environ | variables, stderr=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)


def test_it_waits_for_a_service_that_is_still_starting() -> None:
    port = free_port()
    test = _start_test(port, 60)
    assert test.stdout is not None
    assert "not ready yet" in test.stdout.readline()
    with _service(port):
        assert "a prediction: 200" in test.communicate(timeout=60)[0]
    assert test.returncode == 0


def test_it_fails_where_nothing_answers() -> None:
    test = _start_test(free_port(), 0)
    assert "refused" in test.communicate(timeout=30)[0]
    assert test.returncode == 1


@pytest.mark.parametrize("with_key", [True, False])
def test_it_tries_without_a_key_and_with_that_of_the_secret(*, with_key: bool) -> None:
    port = free_port()
    key, entry = new_key("test")
    with _service(port, API_KEYS=f"[{entry}]"):
        test = _start_test(port, 60, KEY_NEEDED="yes", **({"API_KEY": key} if with_key else {}))
        output = test.communicate(timeout=60)[0]
    assert "without a key: 401" in output
    assert ("a prediction: 200" in output) == with_key
    assert test.returncode == 0


def test_it_fails_where_a_key_should_be_needed_and_is_not() -> None:
    port = free_port()
    with _service(port):
        test = _start_test(port, 60, KEY_NEEDED="yes")
        assert "a request without a key is refused" in test.communicate(timeout=60)[0]
    assert test.returncode == 1


def test_the_chart_says_whether_a_key_is_needed_and_which_to_use() -> None:
    objects = render_set("apiKeys.secretName=keys,test.apiKeySecretName=test")
    (found,) = pick(objects, "Pod", hook="-test")["spec"]["containers"]
    names = {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in found["env"]}
    assert names["KEY_NEEDED"] == "yes"
    assert names["API_KEY"] == {"secretKeyRef": {"name": "test", "key": "key"}}
