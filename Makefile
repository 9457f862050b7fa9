# One Makefile for everything. Every target first makes .venv from nothing if it is not there.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
TORCH ?= torch==2.13.0
READY := $(VENV)/.ready

.PHONY: help setup demo test check format bench docs clean
help:            ## show this list
	@grep -hE '^[a-z]+: .*##|^[a-z]+:  *##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 12

setup: $(READY)  ## make .venv and install everything into it
$(READY): pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "$(TORCH)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[dev,demo]"
	touch $(READY)

demo: setup      ## index sample clips, or VIDEOS=~/Videos, and answer three queries
	$(BIN)/reeltune demo $(if $(VIDEOS),"$(VIDEOS)")

test: setup      ## run the test suite, a process of one thread for each core, at most four
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n logical --maxprocesses 4 --dist loadfile

check: setup     ## lint, types and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup    ## format and mend what lint can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup     ## run every benchmark; one JSON line each, appended to benchmarks/results.jsonl
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e ".[bench]"
	for file in benchmarks/bench_*.py; do $(BIN)/python $$file | tee -a benchmarks/results.jsonl || exit 1; done

docs: setup      ## build the documentation into site/
	$(BIN)/mkdocs build --strict --quiet

clean:           ## remove everything that was built
	rm -rf $(VENV) build dist site demo .pytest_cache .mypy_cache .ruff_cache .hypothesis
