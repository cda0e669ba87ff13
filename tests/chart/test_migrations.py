"""The Job that makes the tables of the request log before the release's own objects are there."""

import json

import pytest

from api.settings import PREFIX
from tests.chart.rendering import PROD, SWITCHES, Object, pick, render, render_set

HOOK = "-migrations"


def _migrations(*settings: str, release: str = "api-chart") -> tuple[Object, ...]:
    return render_set(SWITCHES["migrations"], *settings, values=PROD, release=release)


def _pod_spec(objects: tuple[Object, ...]) -> Object:
    spec: Object = pick(objects, "Job", hook=HOOK)["spec"]["template"]["spec"]
    return spec


def test_it_migrates_the_database_of_the_request_log_with_the_serving_image() -> None:
    objects = _migrations("image.tag=1.2")
    (found,) = _pod_spec(objects)["containers"]
    assert found["command"] == ["python", "-m", "api.request_log", "migrate"]
    assert found["image"] == "fastapi-ml:1.2"
    secret = {"secretKeyRef": {"name": "database", "key": "url"}}
    assert found["env"] == [{"name": f"{PREFIX}DATABASE_URL", "valueFrom": secret}]


def test_it_is_over_before_anything_is_installed_or_upgraded() -> None:
    for found in _migrations():
        if not found["metadata"]["name"].endswith(HOOK):
            continue
        annotations = found["metadata"]["annotations"]
        assert annotations["helm.sh/hook"] == "pre-install,pre-upgrade"
        assert annotations["helm.sh/hook-delete-policy"] == "before-hook-creation,hook-succeeded"
        assert annotations["helm.sh/hook-weight"] == ("0" if found["kind"] == "Job" else "-1")


@pytest.mark.parametrize("created", ["true", "false"])
def test_its_account_is_there_before_that_of_the_release(created: str) -> None:
    objects = _migrations(f"serviceAccount.create={created},serviceAccount.annotations.role=writer")
    names = {found["metadata"]["name"] for found in objects if found["kind"] == "ServiceAccount"}
    account = _pod_spec(objects)["serviceAccountName"]
    if created == "true":
        assert pick(objects, "ServiceAccount", hook=HOOK)["metadata"]["annotations"]["role"] == "writer"
        assert account in names
    else:
        assert (account, names) == ("default", set())


def test_it_ends_by_itself_and_a_failure_can_be_looked_at() -> None:
    spec = pick(_migrations("migrations.backoffLimit=7"), "Job", hook=HOOK)["spec"]
    assert spec["backoffLimit"] == 7
    assert spec["template"]["spec"]["restartPolicy"] == "Never"
    assert 0 < spec["activeDeadlineSeconds"] < 300  # helm's own --timeout
    assert spec["ttlSecondsAfterFinished"] > 0


def test_what_a_connection_needs_beside_its_url_is_there() -> None:
    extra = {
        "extraEnv": [{"name": "PGSSLMODE", "value": "verify-full"}],
        "extraEnvFrom": [{"secretRef": {"name": "password"}}],
        "extraVolumes": [{"name": "ca", "secret": {"secretName": "ca"}}],
        "extraVolumeMounts": [{"name": "ca", "mountPath": "/ca"}],
    }
    options = [word for key, value in extra.items() for word in ("--set-json", f"{key}={json.dumps(value)}")]
    spec = _pod_spec(render("--set", SWITCHES["migrations"], *options))
    (found,) = spec["containers"]
    assert found["env"][1:] == extra["extraEnv"]
    assert (found["envFrom"], spec["volumes"]) == (extra["extraEnvFrom"], extra["extraVolumes"])
    assert found["volumeMounts"] == extra["extraVolumeMounts"]


def test_it_reaches_name_servers_and_the_database_only() -> None:
    objects = _migrations()
    policy = pick(objects, "NetworkPolicy", hook=HOOK)["spec"]
    labels = pick(objects, "Job", hook=HOOK)["spec"]["template"]["metadata"]["labels"]
    assert policy["podSelector"]["matchLabels"].items() <= labels.items()
    assert "ingress" not in policy
    assert [port["port"] for port in policy["egress"][-1]["ports"]] == [5432]
    serving = pick(objects, "Deployment")["spec"]["selector"]["matchLabels"]
    assert not serving.items() <= labels.items()


def test_without_it_nothing_of_it_is_left() -> None:
    assert not [found for found in render_set(values=PROD) if found["metadata"]["name"].endswith(HOOK)]


def test_the_database_may_come_from_elsewhere() -> None:
    options = ("--set", "migrations.enabled=true", "--set-json", 'extraEnvFrom=[{"secretRef":{"name":"database"}}]')
    assert pick(render(*options), "Job", hook=HOOK)


@pytest.mark.parametrize("release", ["a" * 53, "1" * 53])
def test_its_name_fits_into_a_label(release: str) -> None:
    names = {
        pick(_migrations(release=name), "Job", hook=HOOK)["metadata"]["name"] for name in (release, f"{release[:-1]}x")
    }
    assert len(names) == 2
    assert max(map(len, names)) <= 63
