"""The cluster that kubectl names, as tests use it: the image on its node, a namespace of its own, load inside it."""

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
ON_NODE = "docker.io/library/fastapi-ml:{}"
"""What the chart's image of a tag means on a node."""
TAGS = ("latest", "next")
"""Of one image: an upgrade from one to the other replaces every pod."""
API_PODS = "app.kubernetes.io/component=api"


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


@contextmanager
def namespace_with_image(run: Run, engine: str, image: str, archive: str) -> Iterator[None]:
    """Bring the image to a cluster that answers, and make a namespace for helm and kubectl."""
    if reason := _why_no_cluster():
        # E2E_CLUSTER=required is for a machine that has just started a cluster: no cluster is an error there
        (pytest.fail if os.environ.get("E2E_CLUSTER") == "required" else pytest.skip)(reason)
    namespace = f"e2e-{uuid.uuid4().hex[:8]}"
    if load := _load_command(archive):
        names = [ON_NODE.format(tag) for tag in TAGS]
        for name in names:
            run(engine, "tag", image, name)
        several = ("--multi-image-archive",) if engine == "podman" else ()
        run(engine, "save", *several, "--output", archive, *names)
        if engine == "podman":  # for docker one of them is the name that the image has anyway
            for name in names:
                run(engine, "untag", image, name)
        run(*load)
    else:
        print(f"\nno way known to load an image into {_context()}: it has to pull {ON_NODE.format(TAGS[0])}")
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


def kubectl(run: Run, *arguments: str, **options: Any) -> str:
    return run("kubectl", "--namespace", os.environ["HELM_NAMESPACE"], *arguments, **options)


def rolled_out(run: Run) -> None:
    """Wait for the rollout; if it fails, show what an operator would look at."""
    said = kubectl(run, "rollout", "status", DEPLOYMENT, "--timeout=180s", check=False)
    if "successfully rolled out" not in said:
        kubectl(run, "describe", "pods", check=False)
        kubectl(run, "logs", f"--selector={API_PODS}", "--tail=20", check=False)
        pytest.fail(f"the rollout failed: {said}", pytrace=False)


def pods(run: Run) -> list[str]:
    return kubectl(run, "get", "pods", f"--selector={API_PODS}", "--output=name").split()


def wait_until_ended(run: Run, pod: str, seconds: float) -> None:
    """Wait until the pod's only container has ended; an object that is gone has ended too."""
    ended = "jsonpath={.status.containerStatuses[0].state.terminated.exitCode}"
    deadline = time.monotonic() + seconds
    while not kubectl(run, "get", pod, "--ignore-not-found", f"--output={ended}").strip():
        if not kubectl(run, "get", pod, "--ignore-not-found", "--output=name").strip():
            return
        assert time.monotonic() < deadline, f"{pod} does not end in {seconds:.0f} s"
        time.sleep(1)


@contextmanager
def forwarded() -> Iterator[str]:
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


def predict(base: str) -> Any:
    body = json.dumps({"name": "Jordan", "n_predictions": 2}).encode()
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{base}/get_prediction", body, headers)
    with urllib.request.urlopen(request, timeout=10) as response:
        answer = json.load(response)
    print(f"POST {base}/get_prediction: {answer}")
    return answer


def answered(pod: str) -> int:
    """Read from a pod's own metrics how many predictions it has answered."""
    path = f"/api/v1/namespaces/{os.environ['HELM_NAMESPACE']}/pods/{pod.split('/')[1]}:8000"
    command = ["kubectl", "get", f"--raw={path}/proxy/metrics"]
    text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    counts = re.findall(r'^http_requests_total\{[^}]*"/get_prediction"[^}]*\} (\S+)$', text, re.MULTILINE)
    return int(sum(map(float, counts)))


@contextmanager
def load(run: Run, *kinds: str) -> Iterator[dict[str, Any]]:
    """Send load from a pod inside the cluster meanwhile; the figures of each kind are there at the end."""
    figures: dict[str, Any] = {}
    name = f"load-{uuid.uuid4().hex[:8]}"
    kubectl(run, "apply", "--filename=-", stdin=json.dumps(_client(name, os.environ["HELM_NAMESPACE"], kinds)))
    kubectl(run, "wait", "--for=condition=Ready", f"pod/{name}", "--timeout=60s")
    try:
        yield figures
    finally:
        kubectl(run, "exec", name, "--", "sh", "-c", "kill -TERM 1", check=False)
        wait_until_ended(run, f"pod/{name}", 60)
        last = kubectl(run, "logs", name, "--tail=1")
        kubectl(run, "delete", f"pod/{name}", "--wait=false")
    figures |= json.loads(last)


def _client(name: str, namespace: str, kinds: tuple[str, ...]) -> dict[str, Any]:
    """Describe the pod that sends load, as unprivileged as the service itself."""
    source = (Path(__file__).parent / "load.py").read_text(encoding="utf-8")
    url = f"http://{SERVICE}.{namespace}.svc.cluster.local"
    container = {
        "name": "client",
        "image": f"fastapi-ml:{TAGS[0]}",
        "imagePullPolicy": "IfNotPresent",
        "command": ["python", "-c", source, url, *kinds],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    spec = {
        "restartPolicy": "Never",
        "automountServiceAccountToken": False,
        "terminationGracePeriodSeconds": 1,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": 10001,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "containers": [container],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": spec}
