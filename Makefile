# Every command sets up what it needs; nothing but Python 3.11+ is expected on the machine.
PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
READY  := $(VENV)/.ready
OUT    ?= demo-out
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export TOKENIZERS_PARALLELISM := false

.DEFAULT_GOAL := help
.PHONY: help setup demo test browser check fmt docs bench clean

help:            ## list these commands
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z]+):.*## */  make \1\t/' | expand -t 16

setup: $(READY)  ## make .venv with everything in it (CPU torch first, from constraints.txt)

$(READY): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("segue needs Python 3.11 or newer; set PYTHON=...") if sys.version_info < (3, 11) else None'
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || { \
	  echo "python3-venv is missing; installing it with apt-get"; \
	  apt-get update -qq && apt-get install -y -qq python3-venv; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@$(BIN)/python -c 'import importlib.util as u, sys; sys.exit("torchvision must not be installed here: CPU torch and torchvision builds clash") if u.find_spec("torchvision") else None'
	@touch $@

demo: $(READY)   ## talk to the embedded models about the sample scenes; pictures go to demo-out/
	$(BIN)/segue demo $(OUT)

test: $(READY) browser  ## all tests, doctests included
	$(BIN)/python -m pytest -n 2 --dist loadgroup --max-worker-restart 0

browser:         ## Chromium for the tests of the web page, where apt-get can install it
	@command -v chromium >/dev/null || { \
	  test "$$(id -u)" = 0 && command -v apt-get >/dev/null \
	  && echo "chromium is missing; installing it with apt-get" \
	  && apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium >/dev/null; } \
	|| echo "no chromium: the tests of the web page will be skipped"

check: $(READY)  ## style, types, layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest -n 0 -p no:cacheprovider tests/test_layers.py

fmt: $(READY)    ## put the code in order
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs:            ## build the site of guides and API into site/, in an environment of its own
	test -x .venv-docs/bin/mkdocs || { $(PYTHON) -m venv .venv-docs && .venv-docs/bin/python -m pip install --quiet 'mkdocs-material>=9.6' 'mkdocstrings[python]>=0.30'; }
	.venv-docs/bin/mkdocs build --strict --quiet

bench: $(READY)  ## measure speed, as ratios within one run
	$(BIN)/python -m benchmarks

clean:           ## remove what the other commands made
	rm -rf $(VENV) .venv-docs site $(OUT) .pytest_cache .mypy_cache .ruff_cache
