# Everything that a person runs here. `make` alone lists it.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PORT ?= 8000
SEED ?= 0
FAST_TESTS := tests/ecm_client tests/model
SHELL := /bin/bash
export PIP_DISABLE_PIP_VERSION_CHECK = 1

.DEFAULT_GOAL := help
.PHONY: help install demo demo-page docs docs-links test test-page check test-slow lint serve \
	bench performance benchmark-training \
	benchmark-serving benchmark-overload soak audit mutate clean

help: ## list these targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-22s %s\n", $$1, $$2}'

# pip prints a line for each package that it looks at; awk turns them into one line that counts, and
# keeps the reason of a conflict.
define count_packages
awk '/^Collecting/ { printf "\r%4d packages: %-40.40s", ++found, $$2; fflush() } \
     /^Installing collected/ { printf "\rinstalling %d packages %-40s\n", found, ""; fflush() } \
     /^The conflict is caused by/ { fails = 1; print "" } fails { print }'
endef

$(VENV)/ready: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("error: Python 3.11 or newer is needed; set PYTHON=python3.12, for example" if sys.version_info < (3, 11) else 0)'
	@echo "installing Python packages into $(VENV): about 140, 2 GB on the disk; two minutes on a fast network"
	@$(PYTHON) -m venv $(VENV)
	@set -o pipefail; $(BIN)/pip install --progress-bar off --constraint constraints.txt \
		--editable '.[service,train,dev]' | $(count_packages)
	@touch $@

install: $(VENV)/ready ## install ecm and all that it needs into .venv

demo: $(VENV)/ready ## train on simulated videos, export, serve, ask over HTTP, draw
	$(BIN)/python examples/demo.py

demo-page: $(VENV)/ready ## the same from rendered videos, and keep serving their page on PORT (8000); SEED=0
	$(BIN)/python examples/demo_page.py --port $(PORT) --seed $(SEED)

# The test processes share the cores already, so a library's own threads would only wait for each other.
test test-page check: export OMP_NUM_THREADS = 1
test test-page check: export OMP_WAIT_POLICY = PASSIVE

test: $(VENV)/ready lint docs ## run every check and every test without a browser; seven minutes on two cores
	$(BIN)/pytest --numprocesses auto --dist worksteal --ignore tests/page

test-page: $(VENV)/ready ## run the tests of the web page in Chromium; three minutes
	$(BIN)/pytest --numprocesses auto --dist loadfile tests/page

check: $(VENV)/ready lint ## run the checks and the fast tests; a minute, for every day
	$(BIN)/pytest --numprocesses auto --dist worksteal $(FAST_TESTS)

test-slow: $(VENV)/ready ## run the tests that take minutes
	$(BIN)/pytest -m slow

lint: $(VENV)/ready ## format, lint, types, borders between the packages
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: $(VENV)/ready ## build the documentation site; a warning is an error
	$(BIN)/sphinx-build --fresh-env --fail-on-warning --keep-going --quiet docs docs/_site
	@echo "open docs/_site/index.html in a browser"

docs-links: $(VENV)/ready ## ask every address in the documents; needs the network
	$(BIN)/sphinx-build --builder linkcheck --quiet docs docs/_site/links

serve: $(VENV)/ready ## serve ./models on PORT (8000)
	$(BIN)/python -m service serve --repository models --port $(PORT)

bench: $(VENV)/ready ## run the quick benchmarks and compare with each alternative
	$(BIN)/python benchmarks/quick.py

performance: $(VENV)/ready ## write the tables of docs/explanation/performance.md from docs/measurements
	$(BIN)/cog -r -I benchmarks -p 'from record import measured' docs/explanation/performance.md

benchmark-training: $(VENV)/ready ## measure the training step, its time and memory; takes minutes
	$(BIN)/python benchmarks/training_step.py
	$(BIN)/python benchmarks/training_step.py --memory

benchmark-overload: $(VENV)/ready ## offer the service ten times what it can do; five minutes, alone on the machine
	$(BIN)/python -m reliability.overload

soak: $(VENV)/ready ## wrong requests, rude clients and mixed load, one after the other; half an hour
	$(BIN)/python -m reliability.mutations
	$(BIN)/python -m reliability.connections
	$(BIN)/python -m reliability.soak

benchmark-serving: $(VENV)/ready ## measure the service beside LitServe, BentoML, mosec and Ray Serve; half an hour
	$(BIN)/python benchmarks/serving

audit: $(VENV)/ready ## look the pinned packages up among known weaknesses; needs the network
	$(PYTHON) -m venv $(VENV)/audit
	$(VENV)/audit/bin/pip install --quiet pip-audit
	grep -F == constraints.txt > $(VENV)/audit/pinned.txt
	$(VENV)/audit/bin/pip-audit --requirement $(VENV)/audit/pinned.txt --no-deps --disable-pip

mutate: $(VENV)/ready ## change FILES="..." in small ways and count what their tests notice; SAMPLE=25 SEED=0
	@test -n "$(FILES)" || { echo 'error: name sources, as in make mutate FILES="model/spec.py"'; exit 2; }
	$(BIN)/python benchmarks/mutation $(FILES) --seed $(SEED) $(if $(SAMPLE),--sample $(SAMPLE)) \
		$(if $(LIMIT_S),--limit-s $(LIMIT_S)) $(if $(TOTAL_S),--total-s $(TOTAL_S))

clean: ## remove what `make demo` and the tests left; the environment stays
	rm -rf demo breaches docs/_site docs/generated docs/reference/generated .pytest_cache .mypy_cache .ruff_cache .import_linter_cache
