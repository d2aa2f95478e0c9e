# Everything runs from `.venv`, made here from the lock file: a fresh machine needs Python 3.11+ and make, nothing else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SETUP := $(VENV)/.rice-setup
RUN := $(VENV)/.rice-run
SECONDS ?=
STORE ?= postgres
SCALE ?=
PYTEST ?=
# Compiled once here, in all processes at once, rather than by every command where Python may not write what it compiles. Large
# packages that only tests and training import are left out. What does not compile (examples for other versions) is left as it is.
UNCOMPILED := litellm|matplotlib|scipy|sklearn|xgboost|mypy|/tests?/
LOCK := $(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-emit-find-links --no-header --no-annotate

.DEFAULT_GOAL := help
.PHONY: help setup demo quick test lint format coverage drill bench bench-large screenshots hosted release lock clean

help:  ## this list
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)$$/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r name what; do printf '  make %-12s %s\n' "$$name" "$$what"; done

# Everything: the package, its extras, and the tools of test, lint and training. The demo makes do with what runs.
setup: $(SETUP)  ## everything needed, into .venv (idempotent)

define install
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "rice_stream needs Python 3.11 or newer; found $$($(PYTHON) --version). Try: make $(MAKECMDGOALS) PYTHON=python3.12" >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@echo "setup: installing the locked dependencies into $(VENV)" >&2
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --require-hashes -r $<
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	@$(BIN)/python -m compileall -q -j 0 -x '$(UNCOMPILED)' $$($(BIN)/python -c 'import sysconfig; print(sysconfig.get_path("purelib"))') rice_stream || true
	@$(BIN)/python -m rice_stream.sandbox.stack
endef

$(SETUP): requirements-dev.lock pyproject.toml
	$(install)
	@touch $(RUN) $(SETUP)

$(RUN): requirements.lock pyproject.toml
	$(install)
	@touch $(RUN)

demo: $(RUN)  ## the demo, on a throw-away Kafka and database: [SECONDS=n] [STORE=postgres|sqlite]
	@$(BIN)/rice-stream demo --store $(STORE) $(if $(SECONDS),--seconds $(SECONDS))

# Compiled test modules are kept, also where Python may not write what it compiles: collecting them takes half the time then.
quick: export PYTHONDONTWRITEBYTECODE =
quick: lint  ## lint, types and unit tests: what to run before a commit
	$(BIN)/python -m pytest -q -n 2 -m "not services" --durations=5 tests/unit

# A service that cannot start fails the run; it is never skipped.
test: setup  ## the whole suite, with a real Kafka and PostgreSQL that it starts itself
	@$(BIN)/python -m tests.tools
	RICE_REQUIRE_SERVICES=1 $(BIN)/python -m pytest -n auto $(PYTEST)

lint: setup  ## style, formatting, types and the rules of who may import whom
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-logo --no-cache

format: setup  ## write the code the way that lint wants it
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

coverage: setup  ## which lines the unit tests run
	$(BIN)/python -m pytest -q -n 2 --durations=5 --cov --cov-report= tests/unit
	$(BIN)/coverage report

drill: setup  ## the long proofs, by hand (hours); writes docs/drill.md: [SCALE=0.01]
	$(BIN)/python -m tests.drill $(if $(SCALE),--scale $(SCALE))

bench: setup  ## every benchmark, with its ceiling; writes benchmarks/results.json
	$(BIN)/python -m benchmarks

bench-large: setup  ## the benchmarks of 10 and 100 million records, by hand (hours, 60 GB); writes benchmarks/large.json
	$(BIN)/python -m benchmarks --large

screenshots: setup  ## the README's pictures of the dashboard, in a real browser; writes docs/images
	@$(BIN)/python -m tests.tools
	$(BIN)/python -m tests.screenshots

# Maintainers: the wheel is built of the commit that is checked out, tried where nothing else is, and listed with what it needs.
release: setup  ## maintainers: wheel, source archive, bill of materials and their digests, into dist
	$(BIN)/python -m tests.release

# After a change of the law, the model table, the prices or the hosts: the same tables give the same bytes.
hosted: setup  ## fits the rows of hosted models; writes hosted.csv and docs/validation-hosted.md
	$(BIN)/python -m training.hosted

# Maintainers: refresh the locks (hashes, no download addresses) for every supported Python and platform.
lock: setup  ## maintainers: newest versions into the lock files
	$(BIN)/python -m pip install --quiet uv
	$(LOCK) --extra dev --upgrade -o requirements-dev.lock
	$(LOCK) --extra all --extra local --extra editable -c requirements-dev.lock -o requirements.lock
	$(LOCK) --extra all -c requirements-dev.lock -o deploy/locks/image.lock
	$(LOCK) --extra all --extra parquet --extra reports --extra archive --extra otel -c requirements-dev.lock -o deploy/locks/image-full.lock
	echo 'hatchling>=1.27' | $(subst pyproject.toml,-,$(LOCK)) -c requirements-dev.lock -o deploy/locks/build.lock
	echo 'cyclonedx-bom>=7' | $(subst pyproject.toml,-,$(LOCK)) -c requirements-dev.lock -o deploy/locks/release.lock

clean:  ## remove .venv and every cache
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .coverage
