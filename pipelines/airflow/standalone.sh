#!/bin/bash
# Run Airflow on SQLite with the DAG, in AIRFLOW_HOME, by default for this machine alone; DATA are the first names.
# Usage, by `make airflow` and compose.yaml: bash pipelines/airflow/standalone.sh DATA PORT
set -euo pipefail
cd "$(dirname "$0")/../.."

data=$1 port=$2
export AIRFLOW_HOME=${AIRFLOW_HOME:-$PWD/build/airflow}
export PIPELINE_STORE=${PIPELINE_STORE:-$AIRFLOW_HOME/store}
export PIPELINE_DROPS=${PIPELINE_DROPS:-$AIRFLOW_HOME/drops}
export PIPELINE_DATA=${PIPELINE_DATA:-$AIRFLOW_HOME/data}
export PIPELINE_PYTHON=${PIPELINE_PYTHON:-$PWD/.venv/bin/python}
export PIPELINE_SCHEDULE=${PIPELINE_SCHEDULE-} # by drops and by hand

export PATH=$PWD/build/airflow-venv/bin:$PATH
export AIRFLOW__CORE__DAGS_FOLDER=$PWD/pipelines/airflow
export AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION=False
export AIRFLOW__CORE__LOAD_EXAMPLES=False
export AIRFLOW__CORE__PARALLELISM=2
export AIRFLOW__API__HOST=${AIRFLOW__API__HOST:-127.0.0.1}
export AIRFLOW__API__PORT=$port
export AIRFLOW__API__BASE_URL=http://127.0.0.1:$port
export AIRFLOW__CORE__EXECUTION_API_SERVER_URL=http://127.0.0.1:$port/execution/
export AIRFLOW__USAGE_DATA_COLLECTION__ENABLED=False

start() { # start PART OPTION...: a part of Airflow, whose output goes to a file
  airflow "$@" > "$AIRFLOW_HOME/$1.log" 2>&1 &
}

mkdir -p "$PIPELINE_STORE" "$PIPELINE_DROPS" "$PIPELINE_DATA"
if [ -z "$(ls -A "$PIPELINE_DATA")" ]; then
  "$PIPELINE_PYTHON" -m model ingest "$data" "$PIPELINE_DATA"
  touch "$PIPELINE_DROPS/.ready" # the event that a run waits for
fi

echo "Starting Airflow in $AIRFLOW_HOME; this takes half a minute."
airflow db migrate > "$AIRFLOW_HOME/migrate.log" 2>&1
trap 'kill $(jobs -p) 2>/dev/null; wait' EXIT
trap 'exit 0' INT TERM
# not `airflow standalone`: its servers of logs listen on every address, and tasks start before the API answers
start api-server
until (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do
  kill -0 $! 2>/dev/null || { tail "$AIRFLOW_HOME/api-server.log" >&2; exit 1; }
  sleep 0.5
done
start scheduler --skip-serve-logs
start dag-processor
start triggerer --skip-serve-logs
echo "http://127.0.0.1:$port/dags/name_classifier; user and password: $(cat "$AIRFLOW_HOME/simple_auth_manager_passwords.json.generated")"
echo "Put files of names into $PIPELINE_DROPS; a run starts by: touch $PIPELINE_DROPS/.ready"
wait -n
echo "A part of Airflow ended; the logs are in $AIRFLOW_HOME." >&2
exit 1
