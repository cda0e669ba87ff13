"""The chart on the cluster that kubectl names: install, answer, upgrade under load, survive a bad release."""

import time
from typing import Any

import pytest

from tests.e2e.cluster import (
    API_PODS,
    DEPLOYMENT,
    SERVICE,
    Run,
    answered,
    forwarded,
    kubectl,
    load,
    pods,
    predict,
    rolled_out,
    wait_until_ended,
)

MIN_REQUESTS = 200
pytestmark = pytest.mark.usefixtures("cluster")


def test_install(run: Run, image_config: dict[str, Any]) -> None:
    """The documented command, with no flag more, ends in an available Deployment."""
    started = time.monotonic()
    run("helm", "install", "api-chart", ".", "-f", "values.dev.yaml")
    rolled_out(run)
    print(f"installed and ready in {time.monotonic() - started:.1f} s")
    said = kubectl(run, "get", "deployments,services,pods", "--output=wide")
    assert "deployment.apps/fastapi-ml-dev" in said
    assert f"service/{SERVICE}" in said
    assert '"model loaded"' in kubectl(run, "logs", DEPLOYMENT)
    running = "jsonpath={.items[*].status.containerStatuses[*].imageID}"
    kubectl(run, "get", "pods", f"--selector={API_PODS}", f"--output={running}")
    print(f"the image under test: {image_config['Id']}")


def test_answer_through_the_service(run: Run) -> None:
    """From this machine by port-forward, and from inside the cluster by helm test."""
    with forwarded() as base:
        answer = predict(base)
    assert len(answer["predictions"]) == len(answer["probabilities"]) == 2
    assert "Phase:          Succeeded" in run("helm", "test", "api-chart", "--timeout=120s")


def test_rolling_upgrade_loses_no_request(run: Run) -> None:
    """Clients inside the cluster notice nothing while every pod is replaced."""
    (old,) = pods(run)
    before = answered(old)
    with load(run) as figures:
        deadline = time.monotonic() + 60
        while answered(old) < before + MIN_REQUESTS // 4:
            assert time.monotonic() < deadline, "the load does not reach the service"
            time.sleep(0.5)
        started = time.monotonic()
        run("helm", "upgrade", "api-chart", ".", "-f", "values.dev.yaml", "--set", "logLevel=info")
        rolled_out(run)
        wait_until_ended(run, old, 90)
        print(f"every pod replaced, the old one ended, in {time.monotonic() - started:.1f} s")
        time.sleep(3)  # and a little longer on the new pod alone
        (new,) = (pod for pod in pods(run) if pod != old)
        by_new = answered(new)
    print(f"the load: {figures}; {new} answered {by_new} of the requests by the first route")
    assert not [kind for kind, found in figures.items() if found["failed"]]
    assert figures["compat"]["sent"] >= MIN_REQUESTS
    assert by_new > 0


def test_a_release_that_cannot_start_harms_nobody(run: Run) -> None:
    """The old pods serve on beside a broken new one, and a rollback clears it away."""
    broken = ("--set", "image.tag=there-is-no-such-tag", "--set", "image.pullPolicy=Never")
    run("helm", "upgrade", "api-chart", ".", "-f", "values.dev.yaml", *broken)
    said = kubectl(run, "rollout", "status", DEPLOYMENT, "--timeout=10s", check=False)
    assert "successfully rolled out" not in said
    with forwarded() as base:
        assert len(predict(base)["predictions"]) == 2
    run("helm", "rollback", "api-chart")
    rolled_out(run)
