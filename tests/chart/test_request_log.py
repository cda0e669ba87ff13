"""The request log: what is kept, where the outbox is, and which Secrets it needs."""

import json
from typing import Any

import pytest

from api.settings import PREFIX
from tests.chart.rendering import PROD, Object, container, environment, pick, pod_spec, render, render_set


def _volume(objects: tuple[Object, ...]) -> Any:
    """Return the volume that is mounted where the service writes."""
    folder = environment(objects)[f"{PREFIX}REQUEST_LOG_DIR"]
    (mount,) = (mount for mount in container(objects)["volumeMounts"] if mount["mountPath"] == folder)
    assert not mount.get("readOnly")
    (volume,) = (volume for volume in pod_spec(objects)["volumes"] if volume["name"] == mount["name"])
    return volume


def test_by_default_the_outbox_is_bounded_twice_and_keeps_no_name() -> None:
    objects = render_set()
    names = environment(objects)
    assert names[f"{PREFIX}REQUEST_LOG"] == "fast"
    assert names[f"{PREFIX}REQUEST_LOG_NAMES"] == "absent"
    assert names[f"{PREFIX}REQUEST_LOG_MAX_BYTES"] == str(2**30)
    assert _volume(objects)["emptyDir"] == {"sizeLimit": "2Gi"}


@pytest.mark.parametrize(("size", "n_bytes"), [("64Mi", 64 * 2**20), ("500M", 500 * 10**6), ("1.5Gi", 3 * 2**29)])
def test_the_outbox_has_the_size_that_is_said(size: str, n_bytes: int) -> None:
    objects = render_set(f"requestLog.maxSize={size},requestLog.volume.sizeLimit=4Gi")
    assert environment(objects)[f"{PREFIX}REQUEST_LOG_MAX_BYTES"] == str(n_bytes)


def test_secrets_hold_the_database_and_the_hash_keys() -> None:
    objects = render_set("requestLog.databaseUrlSecretName=database", "requestLog.hashKeysSecretName=123", values=PROD)
    names = environment(objects)
    assert names[f"{PREFIX}DATABASE_URL"] == {"secretKeyRef": {"name": "database", "key": "url"}}
    assert names[f"{PREFIX}NAME_HASH_KEYS"] == {"secretKeyRef": {"name": "123", "key": "keys"}}
    (_, database) = pick(objects, "NetworkPolicy")["spec"]["egress"]
    assert [port["port"] for port in database["ports"]] == [5432]


def test_each_pod_may_have_a_claim_of_its_own() -> None:
    claim = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "5Gi"}}}
    options = ("--values", PROD, "--set-json", f"requestLog.volume.claimTemplate={json.dumps(claim)}")
    assert _volume(render(*options))["ephemeral"] == {"volumeClaimTemplate": {"spec": claim}}


def test_one_pod_may_have_a_claim_that_outlives_it() -> None:
    objects = render_set("requestLog.volume.existingClaim=outbox,strategy.type=Recreate")
    assert _volume(objects)["persistentVolumeClaim"] == {"claimName": "outbox"}


def test_switched_off_nothing_of_it_is_left() -> None:
    settings = "requestLog.mode=off,requestLog.databaseUrlSecretName=database,requestLog.names=hashed"
    objects = render_set(settings)
    ours = {name for name in environment(objects) if "REQUEST_LOG" in name or "DATABASE" in name or "HASH" in name}
    assert ours == {f"{PREFIX}REQUEST_LOG"}
    assert len(pick(objects, "NetworkPolicy")["spec"]["egress"]) == 1
