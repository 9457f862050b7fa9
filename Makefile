# One Makefile for everything. Every target first makes .venv from nothing if it is not there.
# PYTHON=python3.12 chooses the interpreter and TORCH=torch==2.14.1 a build of torch; .venv keeps both.
# Bytecode is kept, also in a container that sets this: each start of a process compiled torch anew.
export PYTHONDONTWRITEBYTECODE :=
PYTHON ?= python3
BIN := .venv/bin
SUITE := -m pytest -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder
# Those of other packages: Reeltune itself deprecates nothing (tests/house), so that ours stay errors.
SHOWN := DeprecationWarning PendingDeprecationWarning FutureWarning numpy.exceptions.VisibleDeprecationWarning

SIZE := quick

.PHONY: help setup browser demo test coverage test-newest upgrade check format bench bench-full bench-compare docs clean
help:            ## show this list
	@grep -hE '^[a-z-]+: .*##|^[a-z-]+:  *##' $(MAKEFILE_LIST) | sed -E 's/:[^#]*##/\t/' | expand -t 13

setup:           ## make .venv and install everything into it, exact versions from locks/
	@$(PYTHON) scripts/set_up.py

demo: setup      ## index sample clips, or VIDEOS=~/Videos, and answer three queries
	$(BIN)/reeltune demo $(if $(VIDEOS),"$(VIDEOS)")

browser:         ## install Debian's chromium, which tests of the page drive, where root runs this
	@$(PYTHON) scripts/browser.py

test: setup browser ## run the test suite, a process of one thread for each core, at most four
	rm -rf build/coverage && mkdir -p build/coverage
	COVERAGE_FOLDER=build/coverage OMP_NUM_THREADS=1 $(BIN)/python $(SUITE)
	@$(BIN)/slipcover --merge build/coverage/*.json --out build/coverage.json > build/coverage.txt || \
		{ tail -n 1 build/coverage.txt; echo "Too little is covered: see make coverage"; exit 1; }
	@tail -n 1 build/coverage.txt

coverage:        ## show which lines and branches the last `make test` did not reach
	@cat build/coverage.txt

test-newest:     ## the same with the newest versions that pyproject.toml allows; deprecations are counted
	@$(PYTHON) scripts/set_up.py --newest
	OMP_NUM_THREADS=1 .venv-newest/bin/python $(SUITE) $(SHOWN:%=-W default::%)

upgrade:         ## renew locks/, then run the suite with what they now name
	$(PYTHON) scripts/lock.py
	$(MAKE) test

check: setup     ## lint, types and formatting
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: setup    ## format and mend what lint can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

bench: setup     ## run the short benchmarks, and write docs/measured/benchmarks.md
	$(BIN)/python -m pip --disable-pip-version-check install --quiet --require-hashes --no-deps -r locks/bench.txt
	$(BIN)/python benchmarks/run.py $(SIZE)
	$(BIN)/python benchmarks/page.py

bench-full:      ## the same with every benchmark, which takes hours
	$(MAKE) bench SIZE=full

bench-compare: setup ## say which figures got worse since an earlier run on this machine
	$(BIN)/python benchmarks/compare.py

docs: setup      ## build the documentation, with the API reference, into site/
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

clean:           ## remove everything that was built
	rm -rf .venv .venv-newest build dist site demo .pytest_cache .mypy_cache .ruff_cache .hypothesis
