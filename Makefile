# Everything starts here; `make bench` and `make test` set up whatever they need.
SUITE ?= embedded
RUN   ?= runs/$(SUITE)
BASELINE ?= baseline
PYTHON ?= python3
BIN   := .venv/bin
READY := .venv/ready

.PHONY: setup bench test test-slow check report gate performance clean

setup: $(READY)

# constraints.txt pins torch too: a machine with a GPU gets the CUDA build of that same version.
$(READY): constraints.txt requirements-embedded.txt pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	$(BIN)/pip install --quiet --no-deps --require-hashes --requirement requirements-embedded.txt
	touch $(READY)

bench: $(READY)
	$(BIN)/tunefair run $(SUITE)

report: $(READY)
	$(BIN)/tunefair report $(RUN)

gate: $(READY)
	$(BIN)/tunefair gate $(RUN) --baseline $(BASELINE)

test: $(READY)
	@$(BIN)/python -m tests.chromium
	$(BIN)/pytest --numprocesses=2

# axe-core checks the page's accessibility in a real browser.
AXE := tests/browser/node_modules
$(AXE): tests/browser/package.json
	npm install --prefix tests/browser --no-package-lock --no-audit --no-fund --silent
	touch $(AXE)

test-slow: $(READY) $(AXE)
	@$(BIN)/python -m tests.chromium
	$(BIN)/pytest --numprocesses=2 -m 'slow and not gpu and not performance'

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

# Ratios, measured side by side in one run; never part of the suite, for machines are noisy.
performance: $(READY)
	OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive $(BIN)/pytest tests/performance -m performance -s -p no:xdist

clean:
	rm -rf .venv build *.egg-info
