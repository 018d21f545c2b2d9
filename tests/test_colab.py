"""Copies for Colab and Kaggle: what their first cell installs, what it leaves alone, what it says when it cannot."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parent.parent

spec = importlib.util.spec_from_file_location("colab", ROOT / "tools" / "colab.py")
colab = importlib.util.module_from_spec(spec)
spec.loader.exec_module(colab)


@pytest.fixture
def copies(tmp_path):
    return colab.write_copies('https://example.org/it\'s "course".git', tmp_path, students=True, outputs=False)


def test_each_copy_is_a_notebook_that_first_installs_the_course(copies):
    assert [file.name for file in copies] == [file.name for file in sorted((ROOT / "notebooks").glob("[0-9]*.ipynb"))]
    for file in copies:
        notebook = nbformat.read(file, as_version=4)
        nbformat.validate(notebook)
        assert 'REPOSITORY = "https://example.org/it\'s \\"course\\".git"' in notebook.cells[0].source
        compile(notebook.cells[0].source, file.name, "exec")
        assert not [cell for cell in notebook.cells if {"solution", "notes"} & set(cell.metadata.get("tags", []))]
        assert not [cell for cell in notebook.cells if cell.get("outputs")]


def test_a_copy_keeps_solutions_and_outputs_where_nothing_else_is_asked():
    notebook = json.loads((ROOT / "notebooks" / "01_pruning_lenet.ipynb").read_text(encoding="utf-8"))
    assert colab.copy(notebook, "a")["cells"][1:] == notebook["cells"]


def test_without_an_address_nothing_is_written(tmp_path):
    with pytest.raises(ValueError, match="name the address of the repository: make colab REPO="):
        colab.write_copies(" ", tmp_path / "colab")
    assert not (tmp_path / "colab").exists()


def first_cell(folder, dependencies, before=""):
    """Run the first cell with a stand-in for pip and git, which note what they are asked; return what it says."""
    course = folder / "course"
    (course / "notebooks").mkdir(parents=True)
    (course / "pyproject.toml").write_text(f"[project]\ndependencies = {json.dumps(dependencies)}\n")
    source = colab.copy({"cells": [], "metadata": {}}, "file:///nowhere")["cells"][0]["source"]
    asked = folder / "asked.txt"
    stand_in = f"""
import subprocess, importlib.metadata as m
def run(command, **options):
    open({str(asked)!r}, "a").write(" ".join(command[1:]) + chr(10))
    return subprocess.CompletedProcess(command, 0, "", "")
subprocess.run = run
{before}
"""
    done = subprocess.run(
        [sys.executable, "-c", stand_in + "".join(source)],
        env=os.environ | {"LTCOURSE_COURSE": str(course)},
        capture_output=True,
        text=True,
        check=False,
    )
    return done, asked.read_text() if asked.exists() else ""


def test_what_is_missing_is_installed_and_pytorch_stays_as_it_is(tmp_path):
    done, asked = first_cell(tmp_path, ["numpy>=1.0", "numpy-that-is-not-here>=1.0", "torch>=2.6", "jupyterlab>=99"])
    assert done.returncode == 0, done.stderr
    lines = [line for line in asked.splitlines() if "pip install" in line]
    assert lines[0].endswith(" numpy-that-is-not-here>=1.0") and "--constraint" in lines[0]
    kept = (tmp_path / "course" / ".kept.txt").read_text()
    assert kept.startswith("torch==2.") and kept.count("\n") == 1
    assert "The course is ready: PyTorch 2." in done.stdout


@pytest.mark.parametrize("older", ["2.5.1", "1.13.1+cu117"])
def test_a_pytorch_that_is_too_old_is_one_clear_sentence(tmp_path, older):
    before = f"real = m.version\nm.version = lambda name: {older!r} if name == 'torch' else real(name)"
    done, asked = first_cell(tmp_path, ["torch>=2.6"], before)
    last = done.stderr.strip().splitlines()[-1]
    assert last == f"RuntimeError: torch {older} is here and the course needs 2.6 or later: choose a newer runtime"
    assert "pip" not in asked
