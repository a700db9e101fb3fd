# Everything starts here; `make bench` and `make test` set up whatever they need.
SUITE ?= embedded
RUN   ?= runs/$(SUITE)
BASELINE ?= baseline
PYTHON ?= python3
BIN   := .venv/bin
READY := .venv/ready

.PHONY: setup bench test test-slow check report gate docs performance fuzz kills ray-kills check-supply clean

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
	$(BIN)/deptry bench strategies

# The documentation as a site: site/index.html opens without a server and fetches nothing.
docs: $(READY)
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

# Ratios, measured side by side in one run; never part of the suite, for machines are noisy.
performance: $(READY)
	OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive $(BIN)/pytest tests/performance -m performance -s -p no:xdist

# Inputs and interruptions nobody thought of, 20,000 of each kind: an hour, niced.
fuzz: $(READY)
	nice $(BIN)/pytest tests/test_fuzz.py tests/test_store_states.py --hypothesis-profile=fuzz --hypothesis-show-statistics

# A small run is killed again and again and resumed: predictions must not change.
kills: $(READY)
	OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive nice $(BIN)/python -m tests.performance.kills

# Workers and nodes of a Ray cluster of its own are killed under a run; needs the extra `ray`.
ray-kills: $(READY)
	OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive nice $(BIN)/python -m tests.performance.ray_kills

# Known weaknesses of the pinned packages, and every licence; the first asks a service.
check-supply: $(READY)
	$(PYTHON) -m venv .venv/supply
	.venv/supply/bin/pip install --quiet pip-audit==2.10.1
	$(BIN)/python -m tests.licences
	.venv/supply/bin/pip-audit --strict --no-deps --disable-pip --requirement constraints.txt \
		|| { echo "weaknesses found, or the vulnerability service was not reached (see above)"; exit 1; }

clean:
	rm -rf .venv build *.egg-info
