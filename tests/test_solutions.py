"""The folded solutions of the lessons pass their checks, and the stubs that a reader finds are not done yet."""

import ast
import inspect
import re
from pathlib import Path
from types import FunctionType

import jupytext
import pytest

from ltcourse import checks
from ltcourse.checks import Verdict

LESSONS = sorted((Path(__file__).resolve().parent.parent / "lessons").glob("*.py"))
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)


def tagged(lesson, tag):
    """The sources of a lesson's cells that carry a tag."""
    return [c.source for c in jupytext.read(lesson).cells if tag in c.metadata.get("tags", [])]


def pieces(tag):
    """(lesson, source) of each exercise, or of each block of Python in a solution."""
    return [
        pytest.param(lesson, source, id=f"{lesson.stem} {source.split('(')[0]}")
        for lesson in LESSONS
        for cell in tagged(lesson, tag)
        for source in (BLOCK.findall(cell) if tag == "solution" else [cell])
    ]


def imports(lesson):
    """A namespace with what the lesson imports."""
    namespace = {}
    for cell in jupytext.read(lesson).cells:
        if cell.cell_type == "code":
            wanted = [node for node in ast.parse(cell.source).body if isinstance(node, (ast.Import, ast.ImportFrom))]
            exec(compile(ast.Module(wanted, []), str(lesson), "exec"), namespace)
    return namespace


def defined(lesson, source):
    """The one function that a piece of a lesson defines, in the lesson's imports."""
    namespace = imports(lesson)
    known = set(namespace)
    exec(source, namespace)
    (function,) = [v for k, v in namespace.items() if k not in known and isinstance(v, FunctionType)]
    return function


def public_checks():
    return {
        name
        for name, f in inspect.getmembers(checks, inspect.isfunction)
        if not name.startswith("_") and inspect.signature(f).return_annotation is Verdict
    }


@pytest.mark.parametrize(("lesson", "source"), pieces("solution"))
def test_a_solution_passes_its_check(lesson, source):
    function = defined(lesson, source)
    verdict = getattr(checks, function.__name__)(function)
    assert verdict.passed is True, str(verdict)


@pytest.mark.parametrize(("lesson", "source"), pieces("exercise"))
def test_a_stub_is_not_done_yet(lesson, source):
    function = defined(lesson, source)
    verdict = getattr(checks, function.__name__)(function)
    assert verdict.passed is None
    assert "not done yet" in str(verdict)


def test_each_check_has_one_exercise_and_one_solution_of_the_same_arguments():
    for tag in ("exercise", "solution"):
        names = [defined(*piece.values).__name__ for piece in pieces(tag)]
        assert sorted(names) == sorted(public_checks()), f"the cells tagged {tag}"
    given = {(f.__name__, str(inspect.signature(f))) for f in (defined(*p.values) for p in pieces("exercise"))}
    solved = {(f.__name__, str(inspect.signature(f))) for f in (defined(*p.values) for p in pieces("solution"))}
    assert given == solved


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.stem)
def test_each_exercise_is_checked_in_the_next_code_cell_and_has_hints_and_a_solution(lesson):
    cells = jupytext.read(lesson).cells
    for i, cell in enumerate(cells):
        if "exercise" in cell.metadata.get("tags", []):
            name = ast.parse(cell.source).body[0].name
            assert cells[i + 1].source == f"checks.{name}({name})"
            assert [cells[i + k].metadata.get("tags") for k in (2, 3)] == [["hint"], ["solution"]]
            assert 2 <= cells[i + 2].source.count("<summary>Hint") <= 3
