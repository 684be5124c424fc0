# Seawall. `make` lists the targets. Everything lives in .venv, peers in .venv-peers; nothing is installed outside them.
#
#   make demo                          the tour: two markets, one agent, two verdicts
#   make demo PYTHON=python3.12        with another interpreter
#   make demo TORCH_INDEX=<address>    with another build of torch, for example the CUDA wheels

PYTHON ?= python3
TORCH ?= torch==2.13.0
# Address of the package index that torch itself is taken from; empty means the one pip is set up with.
TORCH_INDEX ?=
# Tests run in as many processes as there are cores; empty for one: make test PYTEST_WORKERS=
PYTEST_WORKERS ?= -n auto
PYTEST_ARGS ?=

VENV := .venv
PEERS := .venv-peers
BIN := $(VENV)/bin
INPUTS := pyproject.toml constraints.txt

.DEFAULT_GOAL := help
.NOTPARALLEL:
.PHONY: help install demo test test-all check bench bench-learning peers docs clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' Makefile

install: $(VENV)/.installed ## make .venv and install Seawall into it

demo: $(VENV)/.installed ## train on a market with an edge and on one without, judge both, open nothing else
	@$(BIN)/seawall demo

test: $(VENV)/.installed-dev ## run the fast tests
	@$(BIN)/python -m pytest $(PYTEST_WORKERS) $(PYTEST_ARGS)

test-all: $(VENV)/.installed-dev ## run every test, the slow ones too
	@$(BIN)/python -m pytest -m "slow or not slow" $(PYTEST_WORKERS) $(PYTEST_ARGS)

check: $(VENV)/.installed-dev ## format, lint, types, import layers, fast tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports
	$(BIN)/python -m pytest $(PYTEST_WORKERS) $(PYTEST_ARGS)

bench: $(VENV)/.installed-bench ## measure the data, the features, the simulator and the learner beside their peers, and a judgement
	@$(BIN)/python bench/data.py
	@$(BIN)/python bench/features.py
	@$(BIN)/python bench/simulator.py
	@$(BIN)/python bench/throughput.py
	@$(BIN)/python bench/throughput_dqn.py
	@$(BIN)/python bench/inference.py
	@$(BIN)/python bench/report.py

bench-learning: $(VENV)/.installed-bench ## measure seconds to 70 % of the attainable beside Stable-Baselines3; about an hour
	@$(BIN)/python bench/learning.py

peers: $(PEERS)/.installed ## make .venv-peers with the engines and environments that tests and benchmarks compare with

docs: $(VENV)/.installed-docs ## build the documentation into site/
	@NO_MKDOCS_2_WARNING=1 $(BIN)/python -m mkdocs build --strict --quiet
	@echo "documentation: site/index.html"

clean: ## remove what make made (.venv, .venv-peers, site, caches); runs/ and data/ stay
	rm -rf $(VENV) $(PEERS) site dist build .pytest_cache .ruff_cache .hypothesis .benchmarks .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Each stamp is one install into the same .venv, redone only when an input changes. torch comes first and alone:
# asked for as a dependency, pip may choose a build with several gigabytes of CUDA libraries.
$(VENV)/.installed: $(INPUTS)
	@$(call install,-e ".[live$(comma)hdf5$(comma)zoo]")
	@touch $@

$(VENV)/.installed-dev: $(INPUTS)
	@$(call install,-e ".[dev$(comma)live$(comma)hdf5$(comma)onnx$(comma)zoo$(comma)explain]")
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-docs: $(INPUTS)
	@$(call install,-e ".[docs]")
	@touch $@ $(VENV)/.installed

$(VENV)/.installed-bench: $(INPUTS) bench/requirements.txt bench/requirements-no-deps.txt
	@$(call install,-e ".[live$(comma)hdf5$(comma)onnx]" -r bench/requirements.txt)
	@$(BIN)/python -m pip install -q --no-deps -r bench/requirements-no-deps.txt
	@touch $@ $(VENV)/.installed

# Peers need packages that Seawall cannot stand beside, so they have an environment to themselves; nothing of Seawall is in it.
$(PEERS)/.installed: bench/peers/requirements.txt bench/peers/requirements-no-deps.txt bench/peers/constraints.txt
	@"$(PYTHON)" -m venv $(PEERS)
	@$(PEERS)/bin/python -m pip install -q -c bench/peers/constraints.txt -r bench/peers/requirements.txt
	@$(PEERS)/bin/python -m pip install -q --no-deps -r bench/peers/requirements-no-deps.txt
	@touch $@

comma := ,

define install
set -e; start=$$(date +%s); \
if [ ! -x $(BIN)/python ]; then \
  "$(PYTHON)" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || { \
    echo "Seawall needs Python 3.11 or newer; '$(PYTHON)' is $$("$(PYTHON)" --version 2>&1 || true)." >&2; \
    echo "Name one that is: make $(or $(MAKECMDGOALS),install) PYTHON=python3.12" >&2; exit 1; }; \
  "$(PYTHON)" -m venv $(VENV) || { rm -rf $(VENV); \
    echo "'$(PYTHON)' could not make a virtual environment; on Debian and Ubuntu install the package python3-venv." >&2; exit 1; }; \
fi; \
echo "installing $(TORCH) ..."; \
$(BIN)/python -m pip install -q $(if $(TORCH_INDEX),-i "$(TORCH_INDEX)") "$(TORCH)"; \
echo "installing Seawall ..."; \
$(BIN)/python -m pip install -q -c constraints.txt $(1); \
echo "installed into $(VENV) in $$(( $$(date +%s) - start )) s"
endef
