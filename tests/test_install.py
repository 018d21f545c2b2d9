"""Before the installation: what cannot be installed is one sentence; a clone that was moved is installed anew."""

import importlib.util
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
MAKE = pytest.mark.skipif(not shutil.which("make"), reason="no make")

spec = importlib.util.spec_from_file_location("preflight", ROOT / "tools" / "preflight.py")
preflight = importlib.util.module_from_spec(spec)
spec.loader.exec_module(preflight)

GOOD = {"version": (3, 12), "system": "Linux", "machine": "x86_64", "bits": 64, "libc": "glibc", "has_venv": True}


@pytest.mark.parametrize(
    ("here", "words"),
    [
        ({"version": (3, 10)}, "ltcourse needs Python 3.11 or later: name one, as in `make lab PYTHON=python3.12`"),
        ({"system": "Darwin", "libc": ""}, "is not made for Macs with Intel processors: use another machine, or Linux"),
        ({"bits": 32}, "is not made for a Python of 32 bits: install one of 64 bits"),
        ({"libc": ""}, "is not made for a Linux without glibc, such as Alpine: use another one"),
        ({"has_venv": False}, "this Python cannot make virtual environments: install its venv"),
    ],
)
def test_what_cannot_be_installed_is_one_sentence(here, words):
    said = preflight.refusal(**GOOD | here)
    assert words in said and "\n" not in said


@pytest.mark.parametrize(
    "here",
    [
        {},
        {"version": (3, 11)},
        {"machine": "aarch64"},
        {"system": "Darwin", "machine": "arm64", "libc": ""},
        {"system": "Windows", "machine": "AMD64", "libc": ""},
    ],
)
def test_what_can_be_installed_is(here):
    assert preflight.refusal(**GOOD | here) is None


@pytest.fixture
def clone(tmp_path):
    """A clone, with a space in its name, that seems to be installed."""
    folder = tmp_path / "a clone"
    (folder / "tools").mkdir(parents=True)
    for name in ("Makefile", "pyproject.toml", "constraints.txt", "tools/preflight.py"):
        shutil.copy(ROOT / name, folder / name)
    (folder / ".venv" / "bin").mkdir(parents=True)
    (folder / ".venv" / "bin" / "ltcourse").write_text(
        f'#!/bin/sh\n\'\'\'exec\' "{folder}/.venv/bin/python" "$0" "$@"\n'
    )
    (folder / ".venv" / "installed").touch()
    return folder


def planned(folder):
    """What `make lab` would do."""
    return subprocess.run(
        ["make", "--no-print-directory", "-n", "lab"], cwd=folder, capture_output=True, text=True, check=True
    ).stdout


@MAKE
def test_a_clone_that_was_moved_or_copied_is_installed_anew(clone):
    assert planned(clone) == planned(clone) == ".venv/bin/ltcourse lab\n", "it is installed"
    moved = clone.rename(clone.with_name("moved"))
    assert "pip install" in planned(moved) and planned(moved).endswith(".venv/bin/ltcourse lab\n")


@MAKE
def test_one_lesson_is_built_by_its_number_and_a_student_copy_installs_no_tests(clone):
    command = ["make", "--no-print-directory", "-n", "notebooks", "LESSON=03"]
    planned_build = subprocess.run(command, cwd=clone, capture_output=True, text=True, check=True).stdout
    assert planned_build == ".venv/bin/python tools/build_notebooks.py 03\n"
    (clone / ".venv" / "installed").unlink()
    assert "--editable '.'" in planned(clone)
    (clone / "tests").mkdir()
    assert "--editable '.[test]'" in planned(clone)


@MAKE
def test_make_stops_before_pip_where_nothing_can_be_installed(clone):
    (clone / "tools" / "preflight.py").write_text("import sys; sys.exit('no PyTorch for this machine')")
    shutil.rmtree(clone / ".venv")
    done = subprocess.run(["make", "lab", f"PYTHON={sys.executable}"], cwd=clone, capture_output=True, text=True)
    assert done.returncode and "no PyTorch for this machine" in done.stderr and not (clone / ".venv").exists()


def test_this_machine_can_install_it():
    done = subprocess.run([sys.executable, ROOT / "tools" / "preflight.py"], capture_output=True, text=True)
    assert done.returncode == 0 and done.stderr == ""
