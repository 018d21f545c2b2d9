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

.PHONY: lab test notebooks site site-check colab bench clean

lab: .venv/installed
	$(BIN)/ltcourse lab

test: .venv/installed
	$(BIN)/python -m pytest -n 2 --dist loadscope
	LTCOURSE_BUDGET=smoke LTCOURSE_ANSWERS=off $(BIN)/python -m pytest -n 2 --dist loadscope --nbval-lax --nbval-current-env notebooks

notebooks: .venv/installed
	$(BIN)/python tools/build_notebooks.py $(LESSON)

# The course as pages: site/whole, or without solutions site/students.
site: .venv/installed-site
	$(BIN)/python tools/site/build.py $(if $(STUDENT),--students)

site-check: .venv/installed-site
	$(BIN)/python tools/site/check.py $(wildcard site/whole site/students)

# Copies of the notebooks that install the course from a git address, for Colab and Kaggle: make colab REPO=address
colab: .venv/installed
	$(BIN)/python tools/colab.py '$(REPO)' $(if $(STUDENT),--students)

.venv/installed-site: .venv/installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[site]'
	@touch $@

bench: .venv/installed
	$(BIN)/python -m pytest benchmarks -s

.venv/installed: pyproject.toml constraints.txt
	@$(PYTHON) tools/preflight.py
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.$(EXTRA)'
	@touch $@

clean:
	rm -rf .venv
