"""The CronJob that runs the training pipeline against the store that the service serves."""

import json
from pathlib import Path

import pytest

from model.commands.pipeline import REFUSED_EXIT
from tests.chart.rendering import PROD, SWITCHES, Object, container, environment, pick, pod_spec, render, render_set

TRAINING = "-training"
SWITCH = SWITCHES["trainingJob"]


def _job(*settings: str, release: str = "api-chart", options: tuple[str, ...] = ()) -> Object:
    values = [word for setting in (SWITCH, *settings) for word in ("--set", setting)]
    objects = render("--values", PROD, *values, *options, release=release)
    spec: Object = pick(objects, "CronJob", hook=TRAINING)["spec"]
    return spec


def _pod_spec(*settings: str, options: tuple[str, ...] = ()) -> Object:
    spec: Object = _job(*settings, options=options)["jobTemplate"]["spec"]["template"]["spec"]
    return spec


def _mounts(found: Object) -> dict[str, Object]:
    return {mount["mountPath"]: mount for mount in found["volumeMounts"]}


def test_it_promotes_in_the_store_that_the_service_serves() -> None:
    settings = (SWITCH, "persistence.existingClaim=mine", "persistence.subPath=models", "trainingJob.subPath=names")
    objects = render_set(*settings, values=PROD)
    (found,) = _pod_spec(*settings[1:])["containers"]
    store = environment(objects)["NAME_CLASSIFIER_BUNDLE_DIR"]
    assert found["args"] == ["pipeline", f"--store={store}", "--data=/training/data", "--drops=/training/drops"]
    mounts = _mounts(found)
    assert mounts[store]["subPath"] == _mounts(container(objects))[store]["subPath"] == "models"
    assert not mounts[store].get("readOnly")
    assert [mounts[f"/training/{name}"]["subPath"] for name in ("data", "drops")] == ["names/data", "names/drops"]
    claims = {
        volume["name"]: volume["persistentVolumeClaim"]
        for spec in (pod_spec(objects), _pod_spec(*settings[1:]))
        for volume in spec["volumes"]
        if "persistentVolumeClaim" in volume
    }
    assert claims == {"store": {"claimName": "mine"}}


def test_the_names_of_the_shipped_model_come_first_unless_labels_are_your_own() -> None:
    spec = _pod_spec()
    (first,), (found,) = spec["initContainers"], spec["containers"]
    assert first["args"] == ["ingest", "data/names", "/training/data"]
    assert (first["image"], first["securityContext"]) == (found["image"], found["securityContext"])
    assert _mounts(first)["/training/data"] == _mounts(found)["/training/data"]
    assert set(first["resources"]) == {"requests", "limits"}
    assert "initContainers" not in _pod_spec("trainingJob.shippedNames=false")


def test_its_arguments_are_those_of_the_command_line() -> None:
    (found,) = _pod_spec("trainingJob.args={--text,surname,--label,language}")["containers"]
    assert found["args"][-4:] == ["--text", "surname", "--label", "language"]
    dockerfile = (Path(__file__).parents[2] / "Dockerfile").read_text(encoding="utf-8")
    assert 'ENTRYPOINT ["python", "-m", "model"]' in dockerfile


@pytest.mark.parametrize(
    ("settings", "image"),
    [
        ("image.tag=1.2", "fastapi-ml-training:0.1.0"),
        ("trainingJob.image.tag=1.3", "fastapi-ml-training:1.3"),
        (f"trainingJob.image.digest=sha256:{'0' * 64}", f"fastapi-ml-training@sha256:{'0' * 64}"),
    ],
)
def test_its_image_is_the_training_image(settings: str, image: str) -> None:
    assert _pod_spec(settings)["containers"][0]["image"] == image


def test_runs_do_not_overlap_and_end() -> None:
    spec = _job("trainingJob.schedule=@weekly", "trainingJob.timeZone=Europe/Rome", "trainingJob.suspend=true")
    assert (spec["schedule"], spec["timeZone"], spec["suspend"]) == ("@weekly", "Europe/Rome", True)
    assert spec["concurrencyPolicy"] == "Forbid"
    assert spec["startingDeadlineSeconds"] > 0
    assert spec["successfulJobsHistoryLimit"] == spec["failedJobsHistoryLimit"] == 3
    job = spec["jobTemplate"]["spec"]
    assert job["activeDeadlineSeconds"] > 0
    assert job["template"]["spec"]["restartPolicy"] == "Never"


@pytest.mark.parametrize(("version", "known"), [("1.25", False), ("1.26", True)])
def test_a_refusal_is_not_tried_again_but_an_error_is(version: str, known: bool) -> None:
    job = _job(options=("--kube-version", version))["jobTemplate"]["spec"]
    assert job["backoffLimit"] == (2 if known else 0)
    assert ("podFailurePolicy" in job) == known
    if known:
        drained, final = job["podFailurePolicy"]["rules"]
        assert drained["onPodConditions"] == [{"type": "DisruptionTarget", "status": "True"}]
        assert final["action"] == "FailJob"
        codes = final["onExitCodes"]
        assert codes["containerName"] == job["template"]["spec"]["containers"][0]["name"]
        assert codes["values"] == [2, REFUSED_EXIT]


def test_torch_has_no_more_threads_than_cores_and_writes_to_a_volume() -> None:
    spec = _pod_spec("trainingJob.resources.limits.cpu=4", "trainingJob.scratchSize=8Gi")
    (found,) = spec["containers"]
    (threads,) = found["env"]
    assert threads["name"] == "OMP_NUM_THREADS"
    assert threads["valueFrom"]["resourceFieldRef"]["resource"] == "limits.cpu"
    assert found["resources"]["limits"] == {"cpu": 4, "memory": "3Gi"}
    (scratch,) = (volume for volume in spec["volumes"] if volume["name"] == _mounts(found)["/tmp"]["name"])
    assert scratch["emptyDir"] == {"sizeLimit": "8Gi"}


PLACED = {
    "nodeSelector": {"pool": "batch"},
    "tolerations": [{"key": "batch", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {}},
    "priorityClassName": "low",
}


@pytest.mark.parametrize("field", PLACED)
def test_it_is_placed_apart_from_what_serves(field: str) -> None:
    options = ("--set-json", f"trainingJob.{field}={json.dumps(PLACED[field])}")
    assert _pod_spec(options=options)[field] == PLACED[field]
    assert field not in pod_spec(render("--set", SWITCH, *options))
    assert field not in _pod_spec(options=("--set-json", f"{field}={json.dumps(PLACED[field])}"))


def test_it_gets_its_own_environment() -> None:
    options = (
        *("--set-json", 'trainingJob.extraEnv=[{"name":"MLFLOW_TRACKING_USERNAME","value":"names"}]'),
        *("--set-json", 'trainingJob.extraEnvFrom=[{"secretRef":{"name":"mlflow"}}]'),
    )
    (found,) = _pod_spec(options=options)["containers"]
    assert found["env"][-1] == {"name": "MLFLOW_TRACKING_USERNAME", "value": "names"}
    assert found["envFrom"] == [{"secretRef": {"name": "mlflow"}}]


def test_nothing_reaches_it_and_it_reaches_name_servers_and_what_the_values_say() -> None:
    mlflow = "trainingJob.egress[0].ports[0].port=5000"
    objects = render_set(SWITCH, mlflow, values=PROD)
    policy = pick(objects, "NetworkPolicy", hook=TRAINING)["spec"]
    template = pick(objects, "CronJob", hook=TRAINING)["spec"]["jobTemplate"]["spec"]["template"]
    labels = template["metadata"]["labels"]
    assert policy["podSelector"]["matchLabels"].items() <= labels.items()
    assert set(policy["policyTypes"]) == {"Ingress", "Egress"}
    assert "ingress" not in policy
    assert policy["egress"][1:] == [{"ports": [{"port": 5000}]}]
    assert not pick(objects, "Deployment")["spec"]["selector"]["matchLabels"].items() <= labels.items()


def test_a_claim_that_is_there_may_have_any_access_mode() -> None:
    assert _job("persistence.existingClaim=mine", "persistence.accessModes={ReadOnlyMany}")


def test_without_it_nothing_of_it_is_left() -> None:
    objects = render_set("persistence.enabled=true", values=PROD)
    assert not [found for found in objects if found["metadata"]["name"].endswith(TRAINING)]


@pytest.mark.parametrize("release", ["a" * 53, "1" * 53])
def test_its_name_leaves_room_for_those_of_its_jobs(release: str) -> None:
    names = set()
    for name in (release, f"{release[:-1]}x"):
        objects = render_set(SWITCH, release=name)
        names.add(pick(objects, "CronJob", hook=TRAINING)["metadata"]["name"])
    assert len(names) == 2
    assert max(map(len, names)) <= 52
