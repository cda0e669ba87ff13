"""The chart on the cluster that kubectl names: install, answer, upgrade under load, survive a bad release.

Everything lives in a namespace of its own, which is deleted whatever happens.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

Run = Callable[..., str]

CHART = Path(__file__).parents[2] / "infra" / "chart_api"
DEPLOYMENT, SERVICE = "deployment/fastapi-ml-dev", "fastapi-svc-dev"
ON_NODE = "docker.io/library/fastapi-ml:latest"  # what the chart's fastapi-ml:latest means on a node
API_PODS = "app.kubernetes.io/component=api"
MIN_REQUESTS = 200


def _context() -> str:
    command = ["kubectl", "config", "current-context"]
    if shutil.which("kubectl") is None:
        return ""
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def _why_no_cluster() -> str:
    """Say what is missing; a context of unknown kind is used only if KUBECONFIG names it on purpose."""
    context = _context()
    if not context:
        return "no cluster: kubectl is missing or has no current context; set KUBECONFIG"
    if "KUBECONFIG" not in os.environ and not re.fullmatch(r"minikube|kind-.*", context):
        return f"no cluster: {context} is neither minikube nor kind; set KUBECONFIG if you mean it"
    probe = ["kubectl", "get", "--raw=/readyz", "--request-timeout=10s"]
    if subprocess.run(probe, capture_output=True, check=False).returncode:
        return f"no cluster: {context} does not answer"
    return ""


def _load_command(archive: str) -> list[str]:
    """Choose how the image gets onto the node; empty where the cluster has to pull it."""
    context = _context()
    if loader := os.environ.get("LOAD_IMAGE"):
        return [*shlex.split(loader), archive]
    if context.startswith("kind-"):
        return ["kind", "load", "image-archive", archive, "--name", context.removeprefix("kind-")]
    if context == "minikube":
        return ["minikube", "image", "load", archive]
    return []


@pytest.fixture(scope="module", autouse=True)
def cluster(run: Run, engine: str, image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Bring the image to a cluster that answers, and make a namespace for helm and kubectl."""
    if reason := _why_no_cluster():
        # E2E_CLUSTER=required is for a machine that has just started a cluster: no cluster is an error there
        (pytest.fail if os.environ.get("E2E_CLUSTER") == "required" else pytest.skip)(reason)
    namespace = f"e2e-{uuid.uuid4().hex[:8]}"
    archive = str(tmp_path_factory.mktemp("image") / "fastapi-ml.tar")
    if load := _load_command(archive):
        run(engine, "tag", image, ON_NODE)
        run(engine, "save", "--output", archive, ON_NODE)
        if engine == "podman":  # for docker it is the name that the image has anyway
            run(engine, "untag", image, ON_NODE)
        run(*load)
    else:
        print(f"\nno way known to load an image into {_context()}: it has to pull {ON_NODE}")
    with pytest.MonkeyPatch.context() as environment:
        environment.chdir(CHART)
        environment.setenv("HELM_NAMESPACE", namespace)
        try:
            run("kubectl", "create", "namespace", namespace)
            # current clusters refuse any pod below the restricted profile then
            enforce = "pod-security.kubernetes.io/enforce=restricted"
            run("kubectl", "label", "namespace", namespace, enforce)
            yield
        finally:
            run("helm", "uninstall", "api-chart", "--ignore-not-found", check=False)
            # pods first and at once: a namespace that still holds some is deleted only after their grace periods
            pods = ("pods", "--all", f"--namespace={namespace}", "--grace-period=0", "--force")
            run("kubectl", "delete", *pods, check=False)
            run("kubectl", "delete", "namespace", namespace, "--timeout=120s", check=False)


def _kubectl(run: Run, *arguments: str, **options: Any) -> str:
    return run("kubectl", "--namespace", os.environ["HELM_NAMESPACE"], *arguments, **options)


def _rolled_out(run: Run) -> None:
    """Wait for the rollout; if it fails, show what an operator would look at."""
    said = _kubectl(run, "rollout", "status", DEPLOYMENT, "--timeout=180s", check=False)
    if "successfully rolled out" not in said:
        _kubectl(run, "describe", "pods", check=False)
        _kubectl(run, "logs", f"--selector={API_PODS}", "--tail=20", check=False)
        pytest.fail(f"the rollout failed: {said}", pytrace=False)


def _pods(run: Run) -> list[str]:
    return _kubectl(run, "get", "pods", f"--selector={API_PODS}", "--output=name").split()


def _wait_until_ended(run: Run, pod: str, seconds: float) -> None:
    """Wait until the pod's only container has ended; an object that is gone has ended too."""
    ended = "jsonpath={.status.containerStatuses[0].state.terminated.exitCode}"
    deadline = time.monotonic() + seconds
    while not _kubectl(run, "get", pod, "--ignore-not-found", f"--output={ended}").strip():
        if not _kubectl(run, "get", pod, "--ignore-not-found", "--output=name").strip():
            return
        assert time.monotonic() < deadline, f"{pod} does not end in {seconds:.0f} s"
        time.sleep(1)


@contextmanager
def _forwarded() -> Iterator[str]:
    """Reach the Service from here, as NOTES.txt tells a person to."""
    namespace = os.environ["HELM_NAMESPACE"]
    command = ["kubectl", "--namespace", namespace, "port-forward", f"service/{SERVICE}", ":80"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            line = process.stdout.readline()
            print(f"\n$ {shlex.join(command)}\n{line}")
            yield f"http://127.0.0.1:{line.split(' -> ')[0].split(':')[-1]}"
        finally:
            process.terminate()


def _predict(base: str) -> Any:
    body = json.dumps({"name": "Jordan", "n_predictions": 2}).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{base}/get_prediction", body, headers)
    with urllib.request.urlopen(request, timeout=10) as response:
        answer = json.load(response)
    print(f"POST {base}/get_prediction: {answer}")
    return answer


def _answered(pod: str) -> int:
    """Read from a pod's own metrics how many predictions it has answered."""
    path = f"/api/v1/namespaces/{os.environ['HELM_NAMESPACE']}/pods/{pod.split('/')[1]}:8000"
    command = ["kubectl", "get", f"--raw={path}/proxy/metrics"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    counts = re.findall(r'^http_requests_total\{[^}]*"/get_prediction"[^}]*\} (\S+)$', text, re.MULTILINE)
    return int(sum(map(float, counts)))


def _client(namespace: str) -> dict[str, Any]:
    """Describe the pod that sends the trickle, as unprivileged as the service itself."""
    source = (Path(__file__).parent / "trickle.py").read_text(encoding="utf-8")
    url = f"http://{SERVICE}.{namespace}.svc.cluster.local/get_prediction"
    container = {
        "name": "client",
        "image": "fastapi-ml:latest",
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "-c", source, url],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    spec = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 10001,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "trickle"}, "spec": spec}


def test_install(run: Run, image_config: dict[str, Any]) -> None:
    """The documented command, with no flag more, ends in an available Deployment."""
    started = time.monotonic()
    run("helm", "install", "api-chart", ".", "-f", "values.dev.yaml")
    _rolled_out(run)
    print(f"installed and ready in {time.monotonic() - started:.1f} s")
    said = _kubectl(run, "get", "deployments,services,pods", "--output=wide")
    assert "deployment.apps/fastapi-ml-dev" in said
    assert f"service/{SERVICE}" in said
    assert '"model loaded"' in _kubectl(run, "logs", DEPLOYMENT)
    running = "jsonpath={.items[*].status.containerStatuses[*].imageID}"
    _kubectl(run, "get", "pods", f"--selector={API_PODS}", f"--output={running}")
    print(f"the image under test: {image_config['Id']}")


def test_answer_through_the_service(run: Run) -> None:
    """From this machine by port-forward, and from inside the cluster by helm test."""
    with _forwarded() as base:
        answer = _predict(base)
    assert len(answer["predictions"]) == len(answer["probabilities"]) == 2
    assert "Phase:          Succeeded" in run("helm", "test", "api-chart", "--timeout=120s")


def test_rolling_upgrade_loses_no_request(run: Run) -> None:
    """Clients inside the cluster notice nothing while every pod is replaced."""
    (old,) = _pods(run)
    client = json.dumps(_client(os.environ["HELM_NAMESPACE"]))
    _kubectl(run, "apply", "--filename=-", stdin=client)
    _kubectl(run, "wait", "--for=condition=Ready", "pod/trickle", "--timeout=60s")
    before, deadline = _answered(old), time.monotonic() + 60
    while _answered(old) < before + MIN_REQUESTS // 4:
        assert time.monotonic() < deadline, "the trickle does not reach the service"
        time.sleep(0.5)
    print(f"{old} has answered {_answered(old) - before} requests of the trickle so far")

    started = time.monotonic()
    run("helm", "upgrade", "api-chart", ".", "-f", "values.dev.yaml", "--set", "logLevel=info")
    _rolled_out(run)
    _wait_until_ended(run, old, 90)
    print(f"every pod replaced, the old one ended, in {time.monotonic() - started:.1f} s")
    time.sleep(3)  # and a little longer on the new pod alone
    (new,) = (pod for pod in _pods(run) if pod != old)
    by_new = _answered(new)

    _kubectl(run, "exec", "trickle", "--", "sh", "-c", "kill -TERM 1")
    _wait_until_ended(run, "pod/trickle", 30)
    result = json.loads(_kubectl(run, "logs", "trickle").splitlines()[-1])
    print(f"the trickle: {result}; {new} answered {by_new} of it")
    assert result["failed"] == 0
    assert result["sent"] >= MIN_REQUESTS
    assert by_new > 0


def test_a_release_that_cannot_start_harms_nobody(run: Run) -> None:
    """The old pods serve on beside a broken new one, and a rollback clears it away."""
    broken = ("--set", "image.tag=there-is-no-such-tag", "--set", "image.pullPolicy=Never")
    run("helm", "upgrade", "api-chart", ".", "-f", "values.dev.yaml", *broken)
    said = _kubectl(run, "rollout", "status", DEPLOYMENT, "--timeout=10s", check=False)
    assert "successfully rolled out" not in said
    with _forwarded() as base:
        assert len(_predict(base)["predictions"]) == 2
    run("helm", "rollback", "api-chart")
    _rolled_out(run)
