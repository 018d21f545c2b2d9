"""Which cells a function needs, and that other cells are not run for it."""

import pytest

from ltcourse.stage import slices

NEEDS_F = [
    (["import math", "def f(x):\n    return math.pi * x"], [0, 1]),
    (["from a import b as c", "import os", "def f():\n    return c"], [0, 2]),
    (["while True:\n    pass", "def f():\n    return 1"], [1]),
    (["def f():\n    return None", "def f():\n    return 1"], [0, 1]),
    (["def f():\n    return g()", "print(1)", "def g():\n    return h", "h = 1"], [0, 2, 3]),
    (["a = {}", "a['x'] = 1", "a.update(y=2)", "print(a)", "def f():\n    return a"], [0, 1, 2, 4]),
    (["net = 1", "net.fc = 2", "b = net.fc", "def f():\n    return net"], [0, 1, 3]),
    (["n = 3", "for n in range(4):\n    k = n", "def f(n):\n    m = n\n    return m"], [2]),
    (["k = 1", "def f():\n    return [k for k in (1, 2)]"], [1]),
    (["x = 1", "class A:\n    y = x", "def f(a=A):\n    return a"], [0, 1, 2]),
    (["def f(:\n    return 1", "def g():\n    return 1"], [0]),
    (["import math", "f = lambda x: math.pi"], [0, 1]),
    (["x = 1"], []),
]


@pytest.mark.parametrize(("cells", "wanted"), NEEDS_F)
def test_a_function_needs_what_defines_and_changes_what_it_uses(cells, wanted):
    assert slices.needed(cells, "f") == wanted


def test_source_that_no_parser_takes_is_no_error():
    assert slices.needed(["(" * 10_000, "\0", "def f():\n    return 1"], "f") == [2]
