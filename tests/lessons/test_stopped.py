"""Every cell that trains, stopped at once and half way: all cells below run, and those that lack something say what."""

import re
import sys
import time
from collections import Counter
from pathlib import Path

import jupytext
import matplotlib
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output
from matplotlib import pyplot

from ltcourse.data import Split
from ltcourse.display import progress, stopped
from ltcourse.experiments import catalog, executors, trials
from ltcourse.training import loop

LESSONS = sorted((Path(__file__).resolve().parents[2] / "lessons").glob("*.py"))
# a cell of no more of the processor's seconds runs below every stopped one, others where they lack something
QUICK = 0.2
SAYS = re.compile(r"^(?:Incomplete|Not there yet): (.*?) was stopped (.*?): run its cell, \[\d+\], to the end", re.M)


class Stopper:
    """Counts the results and evaluations of a cell, and raises KeyboardInterrupt in place of one of them."""

    def __init__(self):
        self.count, self.at, self.watched = 0, None, False

    def tick(self):
        if self.count == self.at:
            self.at = None
            raise KeyboardInterrupt
        self.count += 1

    def iterate(self, live):
        """In place of `Live.__iter__`: its work, which counts by results and no longer by evaluations."""
        self.watched = True
        for item in live._work:
            self.tick()
            live.items.append(item)
            yield item


def one_after_another(name, chosen, seeds, device, folder):
    """Trials in this process, where the stop is."""
    for seed in seeds:
        for row in trials.rows(catalog.get(name), chosen, seed, device, executors.journal_of(folder, seed)):
            yield seed, row


@pytest.fixture
def stopper(monkeypatch):
    """A course in which nothing is learned, in no time, and which stops where it is told to."""
    stopper = Stopper()
    record, look = loop.record, loop.look_at

    def noted(*given, **named):
        record(*given, **named)
        if not stopper.watched:
            stopper.tick()

    def first(network, split, each, *, chunk=None):
        return look(network, Split(split.x[:4], split.y[:4]), each, chunk=chunk)

    monkeypatch.setattr(loop.Step, "__call__", lambda step, x, y: None)
    monkeypatch.setattr(loop, "look_at", first)
    monkeypatch.setattr(loop, "record", noted)
    monkeypatch.setattr(progress.Live, "__iter__", lambda live: stopper.iterate(live))
    monkeypatch.setattr(executors, "_pool", one_after_another)
    monkeypatch.setenv("LTCOURSE_BUDGET", "smoke")
    monkeypatch.setenv("LTCOURSE_DEVICE", "cpu")
    matplotlib.use("agg")
    return stopper


class Notebook:
    """A lesson in a shell of IPython, whose cells can be run from any of them on."""

    def __init__(self, lesson, stopper):
        self.cells = [cell.source for cell in jupytext.read(lesson).cells if cell.cell_type == "code"]
        self.stopper = stopper
        self.shell = InteractiveShell.instance(colors="nocolor")
        self.stops = stopped.Stops(self.shell)

    def run(self, number, stop=None):
        """Run a cell, stopped in place of a result; return what came of it, what it said and how many results."""
        self.stopper.count, self.stopper.at, self.stopper.watched = 0, stop, False
        with capture_output() as captured:
            result = self.shell.run_cell(self.cells[number], store_history=False)
        pyplot.close("all")
        return result, captured.stdout, self.stopper.count

    def run_all(self):
        """Run it whole; remember the names before each cell, and how long and of how many results it was."""
        self.before, self.seconds, self.counts = [], [], []
        for number in range(len(self.cells)):
            self.before.append(dict(self.shell.user_ns))
            begun = time.process_time()
            result, said, count = self.run(number)
            assert result.success and not SAYS.search(said), f"cell {number}: {said}"
            self.seconds.append(time.process_time() - begun)
            self.counts.append(count)
        self.before.append(dict(self.shell.user_ns))

    def run_again(self):
        """Which cells run a second time, as those must that run below several stopped ones, and take no time."""
        self.again = set()
        for number, seconds in enumerate(self.seconds):
            self.return_to(number)
            if seconds <= QUICK and self.run(number)[0].success:
                self.again.add(number)

    def return_to(self, number):
        self.stops.forget()
        self.shell.user_ns.clear()
        self.shell.user_ns.update(self.before[number])

    def below(self, number):
        """Run the cells below; yield the source of each, what came of it, what it said, what it needs."""
        for below in range(number + 1, len(self.cells)):
            lacks = self.stops.lacks(stopped.parsed(self.cells[below]))
            if not lacks and below not in self.again:
                names = stopped.given(stopped.parsed(self.cells[below]))
                self.shell.user_ns.update({k: v for k, v in self.before[below + 1].items() if k in names})
                continue
            result, said, _ = self.run(below)
            yield self.cells[below], result, said, lacks


@pytest.fixture
def notebook(request, stopper, monkeypatch):
    monkeypatch.setattr(stopped, "_followed", None)
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])  # a shell sets its own there
    opened = Notebook(request.param, stopper)
    monkeypatch.setattr(stopped, "_followed", opened.stops)
    yield opened
    opened.shell.reset()
    InteractiveShell.clear_instance()


@pytest.mark.parametrize("notebook", LESSONS, indirect=True, ids=lambda lesson: lesson.stem)
def test_below_a_stopped_cell_all_cells_run_and_say_what_they_lack(notebook):
    notebook.run_all()
    notebook.run_again()
    found = Counter()
    for number, count in enumerate(notebook.counts):
        for stop in sorted({0, count // 2} if count else ()):
            notebook.return_to(number)
            source = notebook.cells[number]
            result, said, _ = notebook.run(number, stop)
            watched = "watch(" in source
            about = f"stopped after {stop} of {count} results:\n\n{source}\n"
            assert result.success or (isinstance(result.error_in_exec, KeyboardInterrupt) and not watched), about + said
            found["stopped"] += 1
            for below, result, said, lacks in notebook.below(number):
                assert result.success, f"{result.error_in_exec!r} below a cell {about} in\n\n{below}"
                assert len(SAYS.findall(said)) == bool(lacks), f"below a cell {about} in\n\n{below}\n\n{said}"
                found[(SAYS.search(said) or [""])[0].partition(":")[0]] += 1
    print(dict(found))
