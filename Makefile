# `make demo` and `make test` install what they need; nothing has to be done before.
PYTHON ?= python3
ARCHIVE ?= replica
VENV := .venv
BIN := $(VENV)/bin

.PHONY: demo run ui test lint clean install
.DEFAULT_GOAL := demo

demo: $(VENV)/installed ## materialise the whole graph with small settings: make demo [ARCHIVE=folder:PATH]
	$(BIN)/modality demo --archive "$(ARCHIVE)"

run: $(VENV)/installed ## the same graph with the settings of a full-size study
	$(BIN)/modality run --archive "$(ARCHIVE)"

ui: $(VENV)/installed ## the Dagster UI on port 3000, the dashboard on port 8501
	@exec $(BIN)/modality ui --archive "$(ARCHIVE)"

install: $(VENV)/installed

test: $(VENV)/installed-dev ## linter, type checker, import contracts, tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/pytest $(PYTEST_ARGS)

clean: ## remove what these made: the environment, the results, the caches
	rm -rf $(VENV) data screenshots build *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or later is needed; name one: make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/installed: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

$(VENV)/installed-dev: $(VENV)/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[dev]'
	touch $@
