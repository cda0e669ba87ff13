# docker build -t fastapi-ml -f Dockerfile . && docker run -p 8000:8000 fastapi-ml

# all stages must have the same Python; a release names a newer one with its digest
ARG PYTHON_IMAGE=python:3.11-slim-bookworm

# --- build: a virtual environment with the locked serving dependencies, and the service
FROM ${PYTHON_IMAGE} AS build
WORKDIR /app
RUN python3 -m venv venv
# the lock comes first: a change of code alone reuses this layer; wheels only, so no compiler is needed
COPY requirements/serve.txt requirements/
RUN venv/bin/pip install --no-cache-dir --no-compile --only-binary=:all: --require-hashes \
      --requirement requirements/serve.txt
# without its dependencies, which the lock holds: no torch. pip goes then: an image that cannot install is harder to abuse
COPY model_package model_package
RUN venv/bin/pip install --no-cache-dir --no-compile --no-deps ./model_package \
 && venv/bin/pip uninstall --yes --quiet setuptools pip
COPY api app/api
COPY artifacts app/artifacts
# bytecode by hash, not by time stamp: it stays valid however the files are copied
RUN venv/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash venv/lib app/api

# --- training-build: a virtual environment with the locked training dependencies, and the model package
FROM ${PYTHON_IMAGE} AS training-build
WORKDIR /app
RUN python3 -m venv venv
COPY requirements/training.txt requirements/torch.txt requirements/
RUN venv/bin/pip install --no-cache-dir --no-compile --only-binary=:all: --no-deps --require-hashes \
      --requirement requirements/training.txt
# the CPU build, elsewhere than on PyPI, where it is several GB of CUDA; empty where pip has a CPU wheel at hand
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN venv/bin/pip install --no-cache-dir --no-compile --only-binary=:all: --no-deps \
      ${TORCH_INDEX:+--index-url "${TORCH_INDEX}"} --requirement requirements/torch.txt
COPY model_package model_package
RUN venv/bin/pip install --no-cache-dir --no-compile --no-deps ./model_package \
 && venv/bin/pip uninstall --yes --quiet pip
# not torch's own tests, some of which only newer Pythons can read
RUN venv/bin/python -m compileall -q -j 0 -x torch/testing --invalidation-mode unchecked-hash venv/lib

# --- training: docker build --target training: python -m model, with torch
FROM ${PYTHON_IMAGE} AS training
RUN rm -rf /usr/local/bin/pip* /usr/local/lib/python3.*/site-packages /usr/local/lib/python3.*/ensurepip
# plots want a folder for their fonts, whoever the user is; with a read-only root, mount something at /tmp
ENV PATH=/app/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    MPLCONFIGDIR=/tmp/matplotlib
WORKDIR /app
COPY --from=training-build /app/venv venv
RUN python -c "import model.__main__, torch, matplotlib, mlflow, pyarrow" && rm -rf /tmp/*
ENV PYTHONDONTWRITEBYTECODE=1
# a first drop: the names that the shipped model was trained on
COPY data/names data/names
COPY data/given_names data/given_names
COPY data/outliers data/outliers
COPY data/variants data/variants

ARG VERSION=dev
ARG REVISION=unknown
ARG CREATED=unknown
LABEL org.opencontainers.image.title="fastapi-ml-training" \
      org.opencontainers.image.description="Trains the model that tells which language a name comes from" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"
# what the models that it trains say of their origin
ENV GIT_COMMIT=${REVISION}

# models, and drops with the snapshots that become of them
RUN install -d -o 10001 -g 10001 -m 700 /store /training /training/data /training/drops
VOLUME /store /training
USER 10001:10001
ENTRYPOINT ["python", "-m", "model"]
CMD ["--help"]

# --- airflow-build: an environment for Airflow, whose requirements are not ours
FROM ${PYTHON_IMAGE} AS airflow-build
WORKDIR /app
RUN python3 -m venv airflow-venv
COPY requirements/airflow.txt requirements/
RUN airflow-venv/bin/pip install --no-cache-dir --no-compile --only-binary=:all: --no-deps --require-hashes \
      --requirement requirements/airflow.txt \
 && airflow-venv/bin/pip uninstall --yes --quiet pip \
 && airflow-venv/bin/python -m compileall -q -j 0 --invalidation-mode unchecked-hash airflow-venv/lib

# --- airflow: docker build --target airflow: Airflow on SQLite with the DAG, for compose.yaml
FROM training AS airflow
COPY --from=airflow-build /app/airflow-venv airflow-venv
COPY pipelines/airflow pipelines/airflow
# a name for the user, who has none in /etc/passwd; Python's environment of the DAG's commands is the training image's
ENV PATH=$PATH:/app/airflow-venv/bin \
    HOME=/airflow \
    USER=airflow \
    AIRFLOW_HOME=/airflow \
    AIRFLOW__API__HOST=0.0.0.0 \
    PIPELINE_PYTHON=/app/venv/bin/python \
    PIPELINE_STORE=/store \
    PIPELINE_DROPS=/training/drops \
    PIPELINE_DATA=/training/data
USER 0
RUN install -d -o 10001 -g 10001 -m 700 /airflow
VOLUME /airflow
USER 10001:10001
EXPOSE 8080
ENTRYPOINT ["bash", "pipelines/airflow/standalone.sh"]
CMD ["data/names", "8080"]

# --- final: Python, the environment, the service and its bundle
FROM ${PYTHON_IMAGE}
# the official image has a pip of its own, outside the environment
RUN rm -rf /usr/local/bin/pip* /usr/local/lib/python3.*/site-packages /usr/local/lib/python3.*/ensurepip
# OMP_NUM_THREADS: numpy's pool would follow the node's cores, not the limit; inference has NAME_CLASSIFIER_THREADS
ENV PATH=/app/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    OMP_NUM_THREADS=1 \
    NAME_CLASSIFIER_HOST=0.0.0.0 \
    NAME_CLASSIFIER_PORT=8000 \
    NAME_CLASSIFIER_REQUEST_LOG_DIR=/data
WORKDIR /app
COPY --from=build /app/venv venv
COPY --from=build /app/app .
# one import while root may still write: it proves that nothing is missing and leaves the standard library's
# bytecode, which the official image lacks and a read-only root could never keep
RUN python -c "import api.main, uvicorn"
ENV PYTHONDONTWRITEBYTECODE=1

ARG VERSION=dev
ARG REVISION=unknown
ARG CREATED=unknown
LABEL org.opencontainers.image.title="fastapi-ml" \
      org.opencontainers.image.description="Tells which language a name comes from" \
      org.opencontainers.image.licenses="MIT" \
      org.opencontainers.image.version="${VERSION}" \
      org.opencontainers.image.revision="${REVISION}" \
      org.opencontainers.image.created="${CREATED}"

# the request log: all that is ever written
RUN install -d -o 10001 -g 10001 -m 700 /data
VOLUME /data
# by number, so that Kubernetes can check runAsNonRoot; nothing in the image but /data belongs to this user
USER 10001:10001
EXPOSE 8000
HEALTHCHECK --interval=30s --timeout=3s --start-period=30s --retries=3 \
  CMD ["python", "-c", "import os, urllib.request as r; \
       r.urlopen('http://127.0.0.1:' + os.environ['NAME_CLASSIFIER_PORT'] + '/livez', timeout=2)"]
CMD ["python", "-m", "api"]
