# `make demo` and `make test` do everything on a fresh machine: virtual environment, install, run.
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin
PIP_FLAGS ?= --quiet --disable-pip-version-check

.PHONY: demo test test-slow lint benchmark clean

demo: $(VENV)/installed
	$(BIN)/gan-topdis discover --outdir demo_out --config configs/demo.yaml --resume
	@echo "Open demo_out/report.html and demo_out/grid.png"

test: $(VENV)/installed lint
	$(BIN)/python -m pytest

# minutes: axis recovery over five seeds and on other renderers, the face generator end to end
test-slow: $(VENV)/installed
	$(BIN)/python -m pytest -m slow

lint: $(VENV)/installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

benchmark: $(VENV)/installed
	$(BIN)/pip install $(PIP_FLAGS) -c constraints.txt -e '.[benchmark]'
	$(BIN)/python benchmarks/persistence.py

$(VENV)/installed: setup.cfg pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "gan_topdis needs Python 3.11 or newer, $(PYTHON) is older: make PYTHON=python3.11 ..."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install $(PIP_FLAGS) -c constraints.txt -e '.[test]'
	touch $@

clean:
	rm -rf $(VENV) demo_out build *.egg-info .pytest_cache .mypy_cache .ruff_cache
