"""A stopped cell and those below it, in a shell of IPython: each lack is told once, in one line."""

import ast
import sys

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from ltcourse.display import stopped

SETUP = """
from ltcourse.display.progress import watch
from torch import nn

def stop_after(count):
    for i in range(5):
        if i == count:
            raise KeyboardInterrupt
        yield i

class Halves(nn.Module):
    def train_on(self):
        raise KeyboardInterrupt
"""
LACKS = "'counting' was stopped after 2 of 5: run its cell, [7], to the end, then those below"
STOPPED = "live = watch(stop_after(2), 'counting', total=5)"


class Cells:
    """A shell that follows its cells."""

    def __init__(self, monkeypatch):
        self.shell = InteractiveShell.instance(colors="nocolor")
        self.shell.execution_count = 7
        monkeypatch.setattr(stopped, "_followed", stopped.Stops(self.shell))
        self.run(SETUP)

    def run(self, source):
        """Run a cell; return whether the notebook goes on, and what it said."""
        with capture_output() as captured:
            result = self.shell.run_cell(source, store_history=False)
        return result.success, captured.stdout


@pytest.fixture
def cells(monkeypatch):
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])  # a shell sets its own there
    yield Cells(monkeypatch)
    InteractiveShell.clear_instance()


def test_a_cell_that_works_with_what_there_is_says_that_it_is_not_all(cells):
    assert cells.run(STOPPED)[0]
    assert cells.run("print(len(live.items))") == (True, f"2\nIncomplete: {LACKS}.\n")


@pytest.mark.parametrize(
    "source", ["live.items[2]", "a, b, c = live.items", "unknown(live)", "live\nraise SystemError"]
)
def test_a_cell_that_cannot_work_says_so_in_one_line_and_the_notebook_goes_on(cells, source):
    cells.run(STOPPED)
    goes_on, said = cells.run(source)
    assert (
        goes_on and said.startswith(f"Not there yet: {LACKS} (") and said.count("\n") == 1 and "Traceback" not in said
    )


def test_what_is_made_of_it_is_incomplete_too_and_names_that_were_not_given_are_told(cells):
    cells.run(STOPPED)
    cells.run("half = [2 * i for i in live.items]")
    assert LACKS in cells.run("sum(half)")[1]
    cells.run("third = live.items[2]")
    assert cells.run("third + 1") == (True, f"Not there yet: {LACKS} (NameError: name 'third' is not defined).\n")


def test_when_the_cell_has_run_to_its_end_nothing_is_said(cells):
    cells.run(STOPPED)
    cells.run("third = live.items[2]")
    cells.run("live = watch(stop_after(6), 'counting', total=5)")
    assert cells.run("len(live.items)")[1].endswith("5\n")
    assert cells.run("third = live.items[2]") == (True, "")
    assert cells.run("print(third)") == (True, "2\n")


def test_a_cell_that_is_stopped_and_cannot_go_on_says_so_and_an_end_before_any_result(cells):
    goes_on, said = cells.run("a, b = watch(stop_after(0), 'counting', total=5).items")
    assert goes_on and "Not there yet: 'counting' was stopped after 0 of 5" in said
    assert "'counting' was stopped after 0 of 5" in cells.run("a + b")[1]


def test_a_cell_that_is_not_watched_ends_as_ever_and_what_it_had_in_hand_is_incomplete(cells):
    cells.run("network, others = Halves(), []")
    goes_on, said = cells.run("others.append(1)\nhistory = network.train_on()")
    assert not goes_on and "KeyboardInterrupt" in said
    for name in ("network", "others", "history"):
        goes_on, said = cells.run(f"print({name})")
        assert goes_on and "'others.append(1)' was stopped before its end: run its cell, [7], to the end" in said


def test_what_has_nothing_to_do_with_it_is_as_ever(cells):
    cells.run(STOPPED)
    assert cells.run("print(1)") == (True, "1\n")
    goes_on, said = cells.run("1 / 0")
    assert not goes_on and "Traceback" in said and "ZeroDivisionError" in said and "Not there yet" not in said
    goes_on, said = cells.run("live +")
    assert not goes_on and "SyntaxError" in said


def test_an_error_looks_the_same_before_and_after(cells):
    before = cells.run("1 / 0")
    cells.run(STOPPED)
    assert cells.run("1 / 0") == before


def test_outside_a_notebook_nobody_follows(monkeypatch):
    monkeypatch.setattr(stopped, "_followed", None)
    stopped.note("counting", "after 2 of 5")


@pytest.mark.parametrize(
    ("source", "taken", "given", "changed"),
    [
        ("a = a + 1", {"a"}, {"a"}, set()),
        ("a = 1\nb = a", set(), {"a", "b"}, set()),
        ("a += b", {"a", "b"}, {"a"}, set()),
        ("def f(x):\n    y = x + z\n    return y", {"z"}, {"f"}, set()),
        ("b = [n for n in c]", {"c"}, {"b"}, set()),
        ("def f(a):\n    return a\nf(a)", {"a"}, {"f"}, set()),
        ("import x.y as z, v.w", set(), {"z", "v"}, set()),
        ("a[0].b = c", {"a", "c"}, set(), {"a"}),
        ("a.b.append(c)\nlen(d)", {"a", "c", "d"}, set(), {"a"}),
    ],
)
def test_the_names_that_a_cell_takes_gives_and_changes(source, taken, given, changed):
    tree = ast.parse(source)
    assert (stopped.taken(tree), stopped.given(tree), stopped.changed(tree)) == (taken, given, changed)
