"""The training pipeline as a DAG of Airflow 3: a task for each verb of `python -m model pipeline`.

It imports nothing of the project, so that Airflow has an environment of its own: each task is a command, run by bash on
the worker or in a pod of the training image. Settings are environment variables of Airflow's processes:

| variable | default | meaning |
|---|---|---|
| `PIPELINE_STORE` | `/store` | store of models, in which the new one is promoted |
| `PIPELINE_DROPS` | `/training/drops` | folder in which people put files of names |
| `PIPELINE_DATA` | `/training/data` | folder of the snapshots that become of them |
| `PIPELINE_ARGUMENTS` | | further arguments, such as `--text surname --label language --mlflow URI` |
| `PIPELINE_SCHEDULE` | `0 3 * * *` | cron expression, in UTC; no times if empty |
| `PIPELINE_RETRY_SECONDS` | `60` | before the first retry of what failed by error; doubled each time |
| `PIPELINE_PYTHON` | `python` | the Python in which the model package is installed |
| `PIPELINE_OPERATOR` | `bash` | `kubernetes` runs each verb in a pod |
| `PIPELINE_POD_TEMPLATE` | `pod.yaml` beside this file | that pod |
"""

import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from airflow.providers.standard.operators.bash import BashOperator
from airflow.providers.standard.triggers.file import FileDeleteTrigger
from airflow.sdk import (
    DAG,
    Asset,
    AssetOrTimeSchedule,
    AssetWatcher,
    BaseOperator,
    Context,
    CronTriggerTimetable,
    Param,
    chain,
)
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

VERBS: Mapping[str, timedelta] = {
    "ingest": timedelta(hours=1),
    "validate": timedelta(minutes=30),
    "train": timedelta(hours=6),
    "evaluate": timedelta(hours=1),
    "gate": timedelta(hours=1),
    "promote": timedelta(minutes=10),
}
"""The longest time that each verb may take."""
FINAL_EXIT_CODES = (2, 3)
"""Wrong usage, and a refusal: a retry would end the same way."""
COMMAND = (
    'exec "$PIPELINE_PYTHON" -m model pipeline --store "$PIPELINE_STORE" --data "$PIPELINE_DATA" '
    '--drops "$PIPELINE_DROPS" --run "$PIPELINE_RUN" --step "$PIPELINE_VERB" '
    '${PIPELINE_ACCEPT:+--accept "$PIPELINE_ACCEPT"} $PIPELINE_ARGUMENTS'
)

OPERATOR = os.environ.get("PIPELINE_OPERATOR", "bash")
STORE = os.environ.get("PIPELINE_STORE", "/store")
DROPS = os.environ.get("PIPELINE_DROPS", "/training/drops")
SCHEDULE = os.environ.get("PIPELINE_SCHEDULE", "0 3 * * *")


class FailsOnRefusal(BaseOperator):
    """Mixin that fails at once where a command exits with a code that its operator would skip the task for."""

    def execute(self, context: Context) -> object:
        """Run the command. Raises AirflowFailException, which is not retried, for such a code."""
        try:
            return super().execute(context)
        except AirflowSkipException as refusal:
            raise AirflowFailException(f"Refused; the log above says why. {refusal}") from None


class BashVerb(FailsOnRefusal, BashOperator):
    """A verb in a process of the worker."""


def _environment(verb: str) -> dict[str, str]:
    """Return what COMMAND reads; Airflow renders the templates."""
    return {
        "PIPELINE_VERB": verb,
        # the same for every try and after the run is cleared, so that what is done is not done again
        "PIPELINE_RUN": "{{ dag_run.run_after.strftime('%Y%m%dT%H%M%SZ') }}",
        "PIPELINE_ACCEPT": "{{ params.accept or '' }}",
        "PIPELINE_STORE": STORE,
        "PIPELINE_DROPS": DROPS,
        "PIPELINE_DATA": os.environ.get("PIPELINE_DATA", "/training/data"),
        "PIPELINE_ARGUMENTS": os.environ.get("PIPELINE_ARGUMENTS", ""),
        "PIPELINE_PYTHON": os.environ.get("PIPELINE_PYTHON", "python"),
    }


def bash_verb(verb: str) -> BaseOperator:
    """Return the task of a verb that runs on the worker."""
    return BashVerb(
        task_id=verb,
        bash_command=COMMAND,
        env=_environment(verb),
        append_env=True,
        skip_on_exit_code=FINAL_EXIT_CODES,
        execution_timeout=VERBS[verb],
        do_xcom_push=False,
    )


def pod_verb(verb: str) -> BaseOperator:
    """Return the task of a verb that runs in a pod."""
    # slow to import, and from a provider of its own
    from airflow.providers.cncf.kubernetes.operators.pod import KubernetesPodOperator

    class PodVerb(FailsOnRefusal, KubernetesPodOperator):
        """A verb in a pod."""

    return PodVerb(
        task_id=verb,
        name=f"name-classifier-{verb}",
        pod_template_file=os.environ.get("PIPELINE_POD_TEMPLATE", str(Path(__file__).with_name("pod.yaml"))),
        cmds=["sh", "-c", COMMAND],
        env_vars=_environment(verb),
        skip_on_exit_code=FINAL_EXIT_CODES,
        execution_timeout=VERBS[verb],
        on_finish_action="delete_succeeded_pod",  # one that failed stays, for kubectl logs
        do_xcom_push=False,
    )


def schedule() -> AssetOrTimeSchedule | list[Asset]:
    """Return when a run starts by itself: at the times of PIPELINE_SCHEDULE, and after events of the drops' asset."""
    # a marker, not the files: whoever writes it says that they are whole. The triggerer does not see what a pod mounts
    watcher = AssetWatcher(name="ready", trigger=FileDeleteTrigger(filepath=f"{DROPS}/.ready"))
    watchers = [watcher] if OPERATOR == "bash" else []
    drops = Asset(name="name_classifier_drops", uri=f"file://{DROPS}", watchers=watchers)
    if not SCHEDULE:
        return [drops]
    return AssetOrTimeSchedule(timetable=CronTriggerTimetable(SCHEDULE, timezone="UTC"), assets=[drops])


MAKE_TASK = {"bash": bash_verb, "kubernetes": pod_verb}[OPERATOR]

with DAG(
    dag_id="name_classifier",
    description="From fresh names to a promoted model",
    doc_md=f"""
### From fresh names to a promoted model

Takes what lies in `{DROPS}`, checks it, trains, compares the new model with the champion of `{STORE}` and promotes it.
The service that serves this store takes the new champion by itself.

A run starts by the schedule, by hand, or by an event of the asset `name_classifier_drops`. The file `{DROPS}/.ready` is
such an event: write it once your files are there; it is deleted, and the run begins.

- **A task that failed after one try was refused**: its log and `{STORE}/runs` say why, and nothing was promoted. If the
  data is right all the same, trigger a run with the parameter `accept`, the reason why.
- **A task that failed after three tries met errors.** Clear it once they are mended; what is done is not done again.
- If nothing is new, every verb says so and changes nothing.
""",
    schedule=schedule(),
    start_date=datetime(2026, 1, 1, tzinfo=UTC),
    catchup=False,
    max_active_runs=1,
    dagrun_timeout=timedelta(hours=12),
    default_args={
        "retries": 2,
        "retry_delay": timedelta(seconds=float(os.environ.get("PIPELINE_RETRY_SECONDS", "60"))),
        "retry_exponential_backoff": True,
        "max_retry_delay": timedelta(minutes=30),
    },
    params={
        "accept": Param(
            None, type=["null", "string"], maxLength=200, description="Why data that `validate` refuses is right"
        )
    },
    tags=["training"],
) as dag:
    chain(*(MAKE_TASK(verb) for verb in VERBS))
