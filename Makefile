# make lab: install, open the first lesson. make test: install, run all tests.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: lab test notebooks bench clean

lab: .venv/installed
	$(BIN)/ltcourse lab

test: .venv/installed
	$(BIN)/python -m pytest -n 2 --dist loadscope
	LTCOURSE_BUDGET=smoke $(BIN)/python -m pytest -n 2 --dist loadscope --nbval-lax --nbval-current-env notebooks

notebooks: .venv/installed
	$(BIN)/python tools/build_notebooks.py

bench: .venv/installed
	$(BIN)/python -m pytest benchmarks -s

.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "ltcourse needs Python 3.11 or later: make PYTHON=python3.12 …")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[test]'
	@touch $@

clean:
	rm -rf .venv
