"""Values that cannot work together are refused with a sentence."""

import pytest

from tests.chart.rendering import PROD, refusal

_ONE_NODE = "persistence.enabled=true,persistence.accessModes={ReadWriteOnce,ReadWriteOncePod}"
_OUTBOX = "requestLog.volume.existingClaim=outbox"


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ("production=true", "production needs API keys: set apiKeys.secretName to a Secret"),
        ("production=true,apiKeys.secretName=keys,logLevel=debug", "production does not log at debug"),
        ("production=true,apiKeys.secretName=keys,corsOrigins={*}", 'corsOrigins may not hold "*"'),
        ("production=true,apiKeys.secretName=keys,trustedProxies={0.0.0.0/0}", "trustedProxies may not hold 0.0.0.0/0"),
        ("resources.limits.cpu=0", "resources.limits.cpu is 0, with which nothing runs"),
        ("resources.limits.cpu=0m", "resources.limits.cpu is 0, with which nothing runs"),
        ("resources.requests.cpu=2", "resources.requests.cpu (2) is above resources.limits.cpu (1)"),
        ("resources.requests.cpu=1001m", "resources.requests.cpu (1001m) is above resources.limits.cpu (1)"),
        ("resources.requests.memory=1Gi", "resources.requests.memory (1Gi) is above resources.limits.memory (384Mi)"),
        ("resources.requests.memory=403M", "resources.requests.memory (403M) is above resources.limits.memory (384Mi)"),
        ("strategy.maxSurge=0", "strategy.maxUnavailable and strategy.maxSurge are both 0"),
        ("strategy.maxSurge=0%", "strategy.maxUnavailable and strategy.maxSurge are both 0"),
        ("terminationGracePeriodSeconds=20", "it must be above drainSeconds + shutdownGraceSeconds (20)"),
        ("extraEnv[0].name=NAME_CLASSIFIER_PORT", "extraEnv: NAME_CLASSIFIER_PORT is set already"),
        ("extraEnv[0].name=A,extraEnv[1].name=A", "extraEnv: A is set already"),
        ("apiKeys.secretName=keys,extraVolumes[0].name=keys", "extraVolumes: there is a volume keys already"),
        ("commonLabels.app\\.kubernetes\\.io/name=x", "commonLabels: the chart sets app.kubernetes.io/name itself"),
        ("podLabels.app\\.kubernetes\\.io/component=x", "podLabels: the chart sets app.kubernetes.io/component itself"),
        ("podLabels.a=x,commonLabels.a=x", "podLabels: a stands in commonLabels already"),
        ("autoscaling.enabled=true,autoscaling.minReplicas=11", "autoscaling.minReplicas (11) is above"),
        ("autoscaling.enabled=true,autoscaling.targetCPUUtilizationPercentage=null", "autoscaling needs a target"),
        (
            "autoscaling.enabled=true,resources.requests.cpu=null",
            "is a share of resources.requests.cpu, which is not set",
        ),
        ("persistence.enabled=true,persistence.accessModes={ReadWriteOnce}", "lets one node mount the volume"),
        (f"{_ONE_NODE},strategy.type=Recreate,replicas=2", "lets one node mount the volume"),
        (f"{_ONE_NODE},strategy.type=Recreate,replicas=null", "lets one node mount the volume"),
        (f"{_ONE_NODE},strategy.type=Recreate,autoscaling.enabled=true", "lets one node mount the volume"),
        ("requestLog.names=hashed", "requestLog.names is hashed, which needs a key"),
        ("production=true,apiKeys.secretName=keys,requestLog.names=raw", "production records no name as it is"),
        ("requestLog.volume.existingClaim=outbox", "holds the outbox of one pod"),
        (f"{_OUTBOX},strategy.type=Recreate,replicas=2", "holds the outbox of one pod"),
        (
            f"{_OUTBOX},requestLog.volume.claimTemplate.storageClassName=x",
            "set existingClaim or claimTemplate, not both",
        ),
        ("requestLog.volume.sizeLimit=1Gi", "leaves an outbox of requestLog.maxSize (1Gi) too little room"),
        ("requestLog.maxSize=1.5Gi", "leaves an outbox of requestLog.maxSize (1.5Gi) too little room"),
        ("migrations.enabled=true", "migrations needs a database: set requestLog.databaseUrlSecretName"),
        ("migrations.enabled=true,requestLog.mode=off", "migrations has no tables to make: requestLog.mode is off"),
        ("serviceMonitor.enabled=true,metricsEnabled=false", "serviceMonitor needs /metrics"),
        ("prometheusRule.enabled=true,metricsEnabled=false", "prometheusRule needs /metrics"),
        ("dashboard.enabled=true,metricsEnabled=false", "dashboard needs /metrics"),
        ("persistence.enabled=true,extraVolumes[0].name=store", "extraVolumes: there is a volume store already"),
        (
            "persistence.enabled=true,extraEnv[0].name=NAME_CLASSIFIER_BUNDLE_DIR",
            "NAME_CLASSIFIER_BUNDLE_DIR is set already",
        ),
        ("trainingJob.enabled=true", "trainingJob has no store to promote in: set persistence.enabled"),
        (
            "trainingJob.enabled=true,persistence.enabled=true,trainingJob.resources.requests.memory=5Gi",
            "trainingJob.resources.requests.memory (5Gi) is above trainingJob.resources.limits.memory (3Gi)",
        ),
        (
            "trainingJob.enabled=true,persistence.enabled=true,trainingJob.args={--store=/elsewhere}",
            "trainingJob.args: --store is set by the chart",
        ),
        (
            "trainingJob.enabled=true,persistence.enabled=true,trainingJob.args={--watch=60}",
            "trainingJob.args: --watch is for a pipeline that is not started by a schedule",
        ),
        (
            "trainingJob.enabled=true,persistence.enabled=true,persistence.accessModes={ReadOnlyMany}",
            "trainingJob writes to the store: persistence.accessModes (ReadOnlyMany)",
        ),
        ("rateLimitStorage.url=redis://r,rateLimitStorage.secretName=r", "set url or secretName, not both"),
    ],
)
def test_a_combination_is_refused(settings: str, sentence: str) -> None:
    assert sentence in refusal(settings)


def test_everything_wrong_is_said_at_once() -> None:
    said = refusal("apiKeys.secretName=", "logLevel=debug", "resources.limits.cpu=0", values=PROD)
    for words in ("needs API keys", "does not log at debug", "resources.limits.cpu is 0"):
        assert words in said
