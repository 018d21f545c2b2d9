# make lab: install, open the first lesson. make test: install, run all tests. make notebooks LESSON=03: build one.
PYTHON ?= python3
BIN := .venv/bin
# A student copy has no tests, and does not install what they need.
ifneq ($(wildcard tests),)
EXTRA := [test]
endif

# What .venv holds names the folder that it was installed in: a clone that was moved or copied is installed anew.
ifneq ($(wildcard .venv/installed),)
ifeq ($(shell grep -sF -- "$(CURDIR)/$(BIN)/" $(BIN)/ltcourse),)
$(shell rm .venv/installed)
endif
endif

.PHONY: lab test notebooks bench clean

lab: .venv/installed
	$(BIN)/ltcourse lab

test: .venv/installed
	$(BIN)/python -m pytest -n 2 --dist loadscope
	LTCOURSE_BUDGET=smoke LTCOURSE_ANSWERS=off $(BIN)/python -m pytest -n 2 --dist loadscope --nbval-lax --nbval-current-env notebooks

notebooks: .venv/installed
	$(BIN)/python tools/build_notebooks.py $(LESSON)

bench: .venv/installed
	$(BIN)/python -m pytest benchmarks -s

.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) tools/preflight.py
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.$(EXTRA)'
	@touch $@

clean:
	rm -rf .venv
