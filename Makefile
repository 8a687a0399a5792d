# Two commands do all the set-up: `make run` and `make test`. Everything is installed into .venv with pinned versions.
PYTHON ?= python3
# Tests wait for servers more than they compute: three workers fill two cores.
WORKERS ?= 3
# Business histories that are delivered badly, after which the mirror must equal the sandbox.
SEEDS ?= 1000
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check -q install -c constraints.txt

.DEFAULT_GOAL := help
.PHONY: help run test check lab clean schema proto docs

help: ## Print what can be done
	@awk -F ':.*## ' '/^[a-z]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: $(VENV)/.run ## The whole loop offline: three months of business, mirrored, reconciled, reported
	@$(BIN)/payment-kit demo $(ARGS)

test: $(VENV)/.dev check ## Every check and every test (ARGS go to pytest), then a thousand histories
	@$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile $(ARGS)
	@test -n "$(ARGS)" || $(BIN)/python -m tests.convergence --seeds $(SEEDS)

check: $(VENV)/.dev ## Lint, types, floors, contract, migrations, container
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check -q .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache
	@$(BIN)/buf lint proto
	@$(BIN)/buf format proto -d --exit-code
	@$(BIN)/python proto/breaking.py
	@$(BIN)/squawk sql/migrations/*.sql
	@$(BIN)/hadolint Dockerfile
	@$(BIN)/check-jsonschema -q --builtin-schema vendor.compose-spec compose.yaml
	@$(BIN)/compose-lint --quiet --strict-config --skip-suppressed --fail-on low compose.yaml

lab: $(VENV)/.run ## Open the notebooks in JupyterLab
	@$(BIN)/payment-kit lab $(ARGS)

schema: $(VENV)/.dev ## Write sql/schema.sql from the migrations
	@$(BIN)/python -m payment_kit.database.schema

proto: $(VENV)/.dev ## Write payment_kit/v1 from the .proto files
	@$(BIN)/python proto/generate.py

docs: $(VENV)/.dev ## Write the documents that are rendered from the code
	@$(BIN)/python docs/render.py

clean: ## Remove what was built and the demo's data
	@rm -rf $(VENV) var dist build .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit("payment_kit needs Python 3.11 or newer; set PYTHON=…" if sys.version_info < (3, 11) else 0)'
	@$(PYTHON) -m venv $(VENV) || { echo "Python's venv module is missing (Debian and Ubuntu: apt install python3-venv)."; exit 1; }

$(VENV)/.run: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing payment_kit into $(VENV) (about a minute, once) …"
	@$(PIP) -e '.[embedded,notebooks]'
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing payment_kit and its development tools into $(VENV) (about a minute, once) …"
	@$(PIP) -e '.[embedded,notebooks,dev]'
	@touch $@ $(VENV)/.run
