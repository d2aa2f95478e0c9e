# Everything runs from `.venv`, made here from the lock file: a fresh machine needs Python 3.11+ and make, nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SETUP := $(VENV)/.rice-setup
RUN := $(VENV)/.rice-run
SECONDS ?=
STORE ?= postgres
LOCK := $(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate

.PHONY: setup demo test bench lint lock clean

# Everything: the package, its extras, and the tools of test, lint and training. The demo makes do with what runs.
setup: $(SETUP)

define install
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "rice_stream needs Python 3.11 or newer; found $$($(PYTHON) --version). Try: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "setup: installing the locked dependencies into $(VENV)" >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r $<
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@$(BIN)/python -m rice_stream.sandbox.stack
endef

$(SETUP): requirements-dev.lock pyproject.toml
	$(install)
	@touch $(RUN) $(SETUP)

$(RUN): requirements.lock pyproject.toml
	$(install)
	@touch $(RUN)

demo: $(RUN)
	@$(BIN)/rice-stream demo --store $(STORE) $(if $(SECONDS),--seconds $(SECONDS))

# A service that cannot start fails the run; it is never skipped. What needs services runs in one of the processes.
test: setup
	RICE_REQUIRE_SERVICES=1 $(BIN)/python -m pytest -n 2

bench: setup
	$(BIN)/python -m benchmarks

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo --no-cache

# Maintainers: refresh the locks (hashes, no download addresses) for every supported Python and platform.
lock: setup
	$(BIN)/python -m pip install --quiet uv
	$(LOCK) --extra dev --upgrade -o requirements-dev.lock
	$(LOCK) --extra local --extra editable -c requirements-dev.lock -o requirements.lock

clean:
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis
