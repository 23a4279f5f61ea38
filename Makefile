# Every target works alone on a fresh Debian or Ubuntu that has Python 3.11 or later with venv.
# `make` or `make help` lists them.
#
#   PYTHON=python3.13 make test     another interpreter (used when the environment is first set up)
#   VENV=.venv-x make test          another place for the environment
#   TESTS="tests/core -k queue"     what pytest is to run
#   PARALLEL=                       one test at a time
#   DURATION=120 make chaos         how many seconds
#   ROUNDS=5 BUDGET=60 make faults  how many rounds of each fault, and seconds after which it is left

PYTHON ?= python3
VENV ?= .venv
TESTS ?= tests
# Two at a time: most tests wait for processes. The tests of one file stay together, as they share what it sets up.
PARALLEL ?= -n 2 --dist loadfile
REPORT ?= reports/review.html
HISTORIES ?= 20000
EXAMPLES ?= 500
DURATION ?= 600
EVERY ?= 0.3
ROUNDS ?= 50
BUDGET ?= 20

# Absolute, so that a recipe may change its directory.
BIN := $(abspath $(VENV))/bin
STAMP := $(VENV)/.installed
# Colour and progress bars belong to a terminal, not to a log.
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1
# Tests start hundreds of interpreters: without the cache of bytecode each of them would compile the library anew.
unexport PYTHONDONTWRITEBYTECODE

# `python3 -m venv` is there on Debian without the package python3-venv, and fails late and obscurely: ensurepip tells.
define CHECK_PYTHON
command -v $(PYTHON) >/dev/null 2>&1 || { \
    echo "make: no '$(PYTHON)' here. Install Python 3.11 or later: apt-get install python3 python3-venv" >&2; exit 1; }; \
$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
    echo "make: Python 3.11 or later is needed, and $(PYTHON) is $$($(PYTHON) -V 2>&1)." \
         "Install a later one and name it: make PYTHON=python3.12 ..." >&2; exit 1; }; \
$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
    echo "make: $(PYTHON) cannot make virtual environments. On Debian or Ubuntu: apt-get install python3-venv" >&2; exit 1; }
endef

.DEFAULT_GOAL := help
.PHONY: help demo test test-all test-pythons test-browser simulate chaos faults messages lint format format-check types coverage bench performance clean venv

help: ## this list
	@awk -F ':.*## ' '/^[a-z][a-z-]*:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

# Set up once, and again when pyproject.toml is newer. A half-built environment never has the stamp.
$(STAMP): pyproject.toml
	@$(CHECK_PYTHON)
	@echo "make: setting up $(VENV) with $$($(PYTHON) -V), which takes about a minute the first time"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --editable '.[all,dev]'
	@touch $@

venv: $(STAMP) ## set up the environment that all the others use
	@echo "make: $(VENV) is ready, with $$($(BIN)/python -V)"

demo: $(STAMP) ## review this project with `actors review` and say where the report is
	@mkdir -p $(dir $(REPORT))
	@$(BIN)/actors review . --html $(REPORT)
	@echo "The report: $(abspath $(REPORT))"

test: $(STAMP) ## the tests, without the slow ones
	@$(BIN)/python -m pytest -m "not slow" $(PARALLEL) $(TESTS)

test-all: $(STAMP) ## all the tests, the slow ones too
	@$(BIN)/python -m pytest $(PARALLEL) $(TESTS)

# Each interpreter gets an environment of its own beside .venv. One that fails does not keep the others from running.
test-pythons: ## the tests of `make test` on each Python 3.11, 3.12 and 3.13 of this machine
	@seen=0; failed=""; \
	for version in 3.11 3.12 3.13; do \
	    python=$$(VERSION=$$version sh tools/find_python.sh) || { echo "make: no Python $$version here: skipped"; continue; }; \
	    seen=$$((seen + 1)); \
	    echo "make: Python $$version is $$python"; \
	    $(MAKE) --no-print-directory test PYTHON="$$python" VENV=.venv-$$version || failed="$$failed $$version"; \
	done; \
	[ $$seen -gt 0 ] || { echo "make: no Python 3.11, 3.12 or 3.13 found in PATH or under pyenv" >&2; exit 1; }; \
	[ -z "$$failed" ] || { echo "make: the tests failed on:$$failed" >&2; exit 1; }

# The browser itself comes from the system: apt-get install chromium.
test-browser: $(STAMP) ## the report in a real Chromium, at desktop and phone widths; screenshots in reports/browser
	@$(BIN)/python -m pip install --quiet --editable '.[browser]'
	@$(BIN)/python -m pytest -m browser tests/browser

simulate: $(STAMP) ## the whole system in virtual time: HISTORIES random histories, EXAMPLES of Hypothesis beside them
	@$(BIN)/python -m actors.testing simulate --histories $(HISTORIES) --examples $(EXAMPLES)

chaos: $(STAMP) ## real processes under faults for DURATION seconds, one each EVERY; the promises, figures and a picture
	@mkdir -p reports
	@$(BIN)/python -m benchmarks.chaos --seconds $(DURATION) --every $(EVERY) \
	    --json reports/chaos.json --picture reports/chaos.svg

# The peers are installed where they are measured only. Without a terminal a line for each library and fault is printed.
faults: $(STAMP) ## what each fault does to this library and to its peers (half an hour), written into docs/faults.md
	@mkdir -p reports
	@$(BIN)/python -m pip install --quiet --editable '.[benchmarks]'
	@$(BIN)/python -m benchmarks.faults --rounds $(ROUNDS) --budget $(BUDGET) --json reports/faults.json --docs docs/faults.md

messages: $(STAMP) ## tell and ask beside other actor libraries (ten minutes), written into docs/messages.md
	@mkdir -p reports
	@$(BIN)/python -m pip install --quiet --editable '.[benchmarks]'
	@$(BIN)/python -m benchmarks.messages --json reports/messages.json --docs docs/messages.md

coverage: $(STAMP) ## line and branch coverage of `make test` (the program, not its agents)
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest -m "not slow" $(TESTS)
	@$(BIN)/coverage combine -q
	@$(BIN)/coverage report

lint: $(STAMP) ## ruff, and the contracts of the order of the rooms
	@$(BIN)/ruff check .
	@$(BIN)/lint-imports --no-logo

format: $(STAMP) ## format all files in place
	@$(BIN)/ruff format .

format-check: $(STAMP) ## say which files `make format` would change
	@$(BIN)/ruff format --check --diff .

types: $(STAMP) ## mypy in its strict mode
	@$(BIN)/mypy

bench: $(STAMP) ## the benchmarks against the standard library's pools, in two minutes, into reports/benchmarks.json
	@mkdir -p reports
	@$(BIN)/python -m benchmarks --quick --json reports/benchmarks.json

performance: $(STAMP) ## all benchmarks against all peers (twenty minutes), written into docs/performance.md
	@mkdir -p reports
	@$(BIN)/python -m pip install --quiet --editable '.[benchmarks]'
	@$(BIN)/python -m benchmarks --json reports/performance.json --docs docs/performance.md

clean: ## remove what the other targets made
	@rm -rf .venv .venv-* build dist reports htmlcov .coverage .coverage.* \
	    .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +
