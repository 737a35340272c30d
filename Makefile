# The two commands for a newcomer: `make demo` and `make test`. Everything is installed into .venv.

PYTHON ?= python3
BIN := .venv/bin
REPRO := $(BIN)/repro
export REPRO_DATA

.DEFAULT_GOAL := help
.PHONY: help install demo test test-long gpu-check lint table reproduce-cpu reproduce-all bench clean

help:  ## show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 16

# uv installs; where it is missing, it is fetched into the environment itself.
.venv/installed: pyproject.toml
	@command -v uv >/dev/null || { test -x $(BIN)/uv || { $(PYTHON) -m venv .venv && $(BIN)/python -m pip install -q uv; }; }
	@uv=$$(command -v uv || echo $(BIN)/uv); \
	  test -x $(BIN)/python || $$uv venv -q --python $(PYTHON) .venv; \
	  $$uv pip install -q --compile-bytecode --python $(BIN)/python -e '.[dev]'
	@touch $@

install: .venv/installed  ## create .venv and install everything

demo: install  ## run two small recipes and show reported against measured (no data, no GPU)
	@$(REPRO) run supcon-simplex-toy siren-image-mini --force --results .repro/demo

test: install  ## run the tests (about 15 minutes on two cores)
	@$(BIN)/pytest -n auto

test-long: install  ## run the tests that take ten seconds to minutes each
	@$(BIN)/pytest -m long

gpu-check: install  ## run the tests that need a GPU (five minutes at most); without one, say so
	@if $(BIN)/python -c 'import sys, torch; sys.exit(not torch.cuda.is_available())'; \
	  then timeout 300 $(BIN)/pytest -m cuda tests/test_cuda.py -s; \
	  else echo "gpu-check: torch finds no CUDA device here; nothing was checked."; fi

lint: install  ## check style and types
	@$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(REPRO) check

table: install  ## write the generated results page and its picture
	@$(REPRO) table --write
	@$(REPRO) table --dataset cifar10 --tier cpu --metric knn.top1 --metric probe.top1 --plot results/cifar10-methods.svg

reproduce-cpu: install  ## run every CPU recipe that this machine can run, then the table
	@$(REPRO) run --all --tier cpu

reproduce-all: install  ## run every recipe that this machine can run, then the table
	@$(REPRO) run --all

bench: install  ## measure speed as ratios, in pairs
	@$(BIN)/python -m repro.bench

clean:  ## remove the environment and unfinished runs (records stay)
	rm -rf .venv .repro
