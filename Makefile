# Everything runs from .venv and node_modules, in user space. `make demo` and `make test` need nothing done before.

PYTHON ?= python3
# Each worker of the tests reads what the first one compiled.
export PYTHONDONTWRITEBYTECODE :=
VENV := .venv
BIN := $(VENV)/bin
# Many tests wait for processes and intervals: two more workers than there are cores. Those of the longer tier go to the
# workers one at a time, the slowest first (tests/conftest.py); those that share what is slow to make, to one worker.
PYTEST = $(BIN)/python -m pytest --numprocesses=$$(($$(getconf _NPROCESSORS_ONLN) + 2)) --dist=worksteal --durations=20
PYTEST_LONG = $(PYTEST) --dist=loadscope --no-loadscope-reorder -m long
PIP_INSTALL := $(BIN)/python -m pip install -qq --disable-pip-version-check --require-hashes

.PHONY: help demo demo-reset test test-all bench lint ruff-check ruff-format mypy lint-imports screenshots package lock audit clean node-tools python-version
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

help:
	@echo "make demo         the whole product on this machine, with no account anywhere"
	@echo "make demo-reset   forget what was set up in the demo"
	@echo "make test         the checks of every day, in less than five minutes"
	@echo "make test-all     every check: also both databases everywhere, Chromium, crashes, load"
	@echo "make bench        what a change costs and how long it takes, into docs/performance.md"
	@echo "make lint         the checks that run nothing: style, types, walls"
	@echo "make screenshots  renew the pictures of the README and of the pages"
	@echo "make package      the Teams app package (ARGS=\"--bot-id ... --domain ...\")"
	@echo "make lock         renew requirements/*.txt and package-lock.json"
	@echo "make audit        ask whether a locked version is known to be vulnerable"
	@echo "make clean        remove what was installed and built here (data/ stays)"

demo: $(VENV)/.runtime-installed node-tools
	@exec $(BIN)/python -m sandbox.demo

demo-reset:
	@rm -rf data
	@echo "The demo has forgotten everything."

# The tests run even where the lint has something to say; either failing fails the whole. So it is with the two tiers.
test: $(VENV)/.dev-installed node-tools
	@failed=0; \
	$(MAKE) --no-print-directory --keep-going lint || failed=1; \
	$(PYTEST) -m "not long" $(ARGS) || failed=1; \
	exit $$failed

test-all: $(VENV)/.dev-installed node-tools
	@failed=0; began=$$(date +%s); \
	$(MAKE) --no-print-directory test || failed=1; \
	between=$$(date +%s); \
	$(PYTEST_LONG) $(ARGS) || failed=1; \
	ended=$$(date +%s); \
	echo "make test took $$((between - began)) s, the longer tier $$((ended - between)) s."; \
	exit $$failed

# Nothing else should run on the machine meanwhile: docs/performance.md.
bench: $(VENV)/.dev-installed
	@$(BIN)/python -m tests.bench

lint: ruff-check ruff-format mypy lint-imports

ruff-check: $(VENV)/.dev-installed
	@$(BIN)/ruff check .

ruff-format: $(VENV)/.dev-installed
	@$(BIN)/ruff format --check .

mypy: $(VENV)/.dev-installed
	@$(BIN)/mypy

lint-imports: $(VENV)/.dev-installed
	@$(BIN)/lint-imports --no-logo

screenshots: $(VENV)/.dev-installed node-tools
	@$(BIN)/python -m tests.cards.pictures --docs
	@PICTURES=yes $(BIN)/python -m pytest -q tests/e2e/test_by_hand.py
	@for picture in call chat switchboard; do \
		for language in en pt; do cp build/screenshots/$$picture.$$language.png docs/images/ || exit 1; done; \
	done
	@echo "Renewed the pictures in docs/images/."

# Python's own library is enough for it, so it needs no $(VENV), which may be another user's.
package: python-version
	@$(PYTHON) -B -m manifest $(ARGS)

# A maintainer's command: it alone needs uv, which it keeps to itself under build/.
lock: build/lock/.uv-installed
	@cd requirements && for name in runtime dev; do \
		../build/lock/bin/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --upgrade \
			--no-header --no-emit-index-url --no-emit-find-links $$name.in --output-file $$name.txt || exit 1; \
	done
	@npm update --package-lock-only --ignore-scripts --loglevel=error
	@echo "Renewed requirements/*.txt and package-lock.json."

build/lock/.uv-installed:
	@$(PYTHON) -m venv build/lock
	@build/lock/bin/python -m pip install -qq --disable-pip-version-check uv
	@touch $@

# Another: it needs the advisory services, and fails where they do not know a package (docs/dependencies.md).
audit: build/audit/.pip-audit-installed
	@failed=0; \
	for name in runtime dev; do \
		build/audit/bin/pip-audit --strict --require-hashes --disable-pip -r requirements/$$name.txt || failed=1; \
	done; \
	npm audit || failed=1; \
	exit $$failed

build/audit/.pip-audit-installed:
	@$(PYTHON) -m venv build/audit
	@build/audit/bin/python -m pip install -qq --disable-pip-version-check pip-audit
	@touch $@

clean:
	@rm -rf $(VENV) node_modules build .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache
	@find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Each stamp is newer than the lock file it stands for, so a second run installs nothing.

$(VENV)/.runtime-installed: requirements/runtime.txt | $(VENV)/.made
	@echo "Installing the product's locked dependencies into $(VENV) (about a minute, once) ..."
	@$(PIP_INSTALL) -r requirements/runtime.txt
	@$(BIN)/python -c 'import app, manifest.packer, sandbox.demo, sandbox.server, storage.schema'
	@touch $@

$(VENV)/.dev-installed: requirements/dev.txt $(VENV)/.runtime-installed
	@echo "Installing the tests' locked dependencies into $(VENV) (about a minute, once) ..."
	@$(PIP_INSTALL) -r requirements/dev.txt
	@touch $@

python-version:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
		echo "Python 3.11 or newer is needed; '$(PYTHON)' is not. Install it, or name it: make PYTHON=python3.12"; exit 1; }

$(VENV)/.made: | python-version
	@$(PYTHON) -m venv $(VENV) || { \
		echo "Python could not make $(VENV): on Debian and Ubuntu, install the package python3-venv."; exit 1; }
	@touch $@

# Microsoft's Teams-like client and card renderer. Without Node the rest still works: the demo and the tests say what they lack.
node-tools:
	@if ! node -e 'process.exit(Number(process.versions.node.split(".")[0] < 20))' 2>/dev/null; then \
		echo "Node.js 20 or newer is not here: going on without what needs it."; \
	elif ! command -v npm >/dev/null; then \
		echo "npm is not here: going on without what needs it."; \
	else \
		$(MAKE) --silent --no-print-directory node_modules/.installed || echo "npm could not install: going on without what needs it."; \
	fi

node_modules/.installed: package-lock.json
	@echo "Installing Microsoft's Teams-like client from its locked npm package (once) ..."
	@npm ci --loglevel=error --ignore-scripts
	@touch $@
