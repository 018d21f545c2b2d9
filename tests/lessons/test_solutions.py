"""The folded solutions of the lessons pass their checks, and the stubs that a reader finds are not done yet."""

import ast
import builtins
import inspect

import jupytext
import matplotlib
import pytest
from lesson_solutions import BLOCK, LESSONS, defined, imports, pieces, tagged
from verdict_reports import public_checks

from ltcourse.classroom import checks
from ltcourse.classroom.checks.verdict import Verdict


def parameters(tag):
    return [pytest.param(lesson, source, id=f"{lesson.stem} {source.split('(')[0]}") for lesson, source in pieces(tag)]


@pytest.mark.parametrize(("lesson", "source"), parameters("solution"))
def test_a_solution_passes_its_check(lesson, source):
    function = defined(lesson, source)
    verdict = getattr(checks, function.__name__)(function)
    assert verdict.passed is True, str(verdict)


@pytest.mark.parametrize(("lesson", "source"), parameters("exercise"))
def test_a_stub_is_not_done_yet(lesson, source):
    function = defined(lesson, source)
    verdict = getattr(checks, function.__name__)(function)
    assert verdict.passed is None
    assert "not done yet" in str(verdict)


def test_each_check_has_one_exercise_and_one_solution_of_the_same_arguments():
    for tag in ("exercise", "solution"):
        names = [defined(*piece).__name__ for piece in pieces(tag)]
        assert sorted(names) == sorted(public_checks()), f"the cells tagged {tag}"
    given = {(f.__name__, str(inspect.signature(f))) for f in (defined(*p) for p in pieces("exercise"))}
    solved = {(f.__name__, str(inspect.signature(f))) for f in (defined(*p) for p in pieces("solution"))}
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


# All solutions in place of their stubs, in one notebook


def solved(lesson):
    """The code of a lesson's cells before its exercises, and from there on, each stub replaced by its solution.

    A solution of several blocks stands for as many stubs, the last ones before it.
    """
    before, after, stubs = [], [], []
    for cell in jupytext.read(lesson).cells:
        tags = cell.metadata.get("tags", [])
        if cell.cell_type == "code":
            (after if after or stubs or "exercise" in tags else before).append(cell.source)
            if "exercise" in tags:
                stubs.append(len(after) - 1)
        elif "solution" in tags:
            blocks = BLOCK.findall(cell.source)
            for block in reversed(blocks):
                after[stubs.pop()] = block
    assert stubs == [], "a stub has no solution"
    return before, after


def names(tree, context):
    """The names that a piece of code reads (ast.Load) or gives (ast.Store), functions and arguments included."""
    found = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name) and isinstance(node.ctx, context)}
    if context is ast.Store:
        found |= {node.name for node in ast.walk(tree) if isinstance(node, (ast.FunctionDef, ast.ClassDef))}
        found |= {node.arg for node in ast.walk(tree) if isinstance(node, ast.arg)}
    return found


def wanted(source):
    """The names that a cell takes from cells before it."""
    given, taken = set(dir(builtins)), set()
    for statement in ast.parse(source).body:
        own = names(statement, ast.Store)
        if isinstance(statement, (ast.Assign, ast.AugAssign)):
            own -= {node.id for target in getattr(statement, "targets", []) for node in ast.walk(target)
                    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)}  # fmt: skip
        taken |= names(statement, ast.Load) - given - own
        given |= names(statement, ast.Store)
    return taken


def slice_of(before, after, known):
    """The cells before the exercises without which those cannot run, found from the last one to the first."""
    need = set()
    for source in reversed(after):
        need = (need - names(ast.parse(source), ast.Store)) | wanted(source)
    kept = []
    for source in reversed(before):
        gives = names(ast.parse(source), ast.Store)
        if (need - known) & gives:
            kept.insert(0, source)
            need = (need - gives) | wanted(source)
    return kept


@pytest.mark.parametrize("lesson", LESSONS, ids=lambda lesson: lesson.stem)
def test_with_all_solutions_in_place_the_exercises_run_and_every_check_passes(lesson, monkeypatch):
    monkeypatch.setenv("LTCOURSE_BUDGET", "smoke")
    matplotlib.use("agg")
    namespace = imports(lesson)
    before, after = solved(lesson)
    verdicts = []
    for source in [*slice_of(before, after, set(namespace)), *after]:
        *body, last = ast.parse(source).body
        exec(compile(ast.Module(body, []), lesson.name, "exec"), namespace)
        if isinstance(last, ast.Expr):
            verdicts.append(eval(compile(ast.Expression(last.value), lesson.name, "eval"), namespace))
        else:
            exec(compile(ast.Module([last], []), lesson.name, "exec"), namespace)
    verdicts = [verdict for verdict in verdicts if isinstance(verdict, Verdict)]
    assert len(verdicts) == len(tagged(lesson, "exercise"))
    assert all(verdict.passed for verdict in verdicts), "\n".join(map(str, verdicts))


def test_a_wrong_solution_in_place_would_be_seen():
    """The cells that run are those of the lesson, with the solutions in them."""
    _, after = solved(next(lesson for lesson in LESSONS if lesson.stem.startswith("02")))
    assert "    return None" not in "\n".join(after) and "checks.count_parameters(count_parameters)" in after
    assert wanted("a = a + 1") == {"a"} and wanted("a = 1\nb = a") == set()
    assert wanted("def f(x):\n    return x + y") == {"y"} and wanted("z = [i for i in w]") == {"w"}
    assert slice_of(["a = 1", "b = a", "c = 2", "print(c)"], ["b"], set()) == ["a = 1", "b = a"]
    assert slice_of(["a = 1", "b = a"], ["b"], {"a"}) == ["b = a"]
