"""The exercises of the lessons and their folded solutions, as functions."""

import ast
import re
from functools import cache
from pathlib import Path
from types import FunctionType

import jupytext

LESSONS = sorted((Path(__file__).resolve().parents[1] / "lessons").glob("*.py"))
BLOCK = re.compile(r"^```python\n(.*?)^```", re.DOTALL | re.MULTILINE)


@cache
def cells(lesson):
    """The cells of a lesson."""
    return jupytext.read(lesson).cells


def tagged(lesson, tag):
    """The sources of a lesson's cells that carry a tag."""
    return [c.source for c in cells(lesson) if tag in c.metadata.get("tags", [])]


def pieces(tag):
    """(lesson, source) of each exercise, or of each block of Python in a solution."""
    return [
        (lesson, source)
        for lesson in LESSONS
        for cell in tagged(lesson, tag)
        for source in (BLOCK.findall(cell) if tag == "solution" else [cell])
    ]


def imports(lesson):
    """A namespace with what the lesson imports."""
    namespace = {}
    for cell in cells(lesson):
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


@cache
def solutions():
    """The solution of each check, by its name."""
    functions = [defined(*piece) for piece in pieces("solution")]
    return {function.__name__: function for function in functions}
