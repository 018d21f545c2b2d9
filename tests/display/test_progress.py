"""Long work shows itself in place, and Ctrl-C inside the block keeps what was computed."""

import io
import re
import sys
from pathlib import Path

import pytest
import torch
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from matplotlib import pyplot as plt
from nbclient import NotebookClient
from nbformat.v4 import new_code_cell, new_notebook

from ltcourse.data import Dataset, Split
from ltcourse.display import progress
from ltcourse.display.progress import Live, watch
from ltcourse.networks import models
from ltcourse.pruning import loop, restarts
from ltcourse.training import Recipe, train

TIME = re.compile(r"\d\s*s\b|left|it/s|\d:\d\d")


class Screen:
    """What a notebook would show: one entry for each display, with all that it ever held."""

    def __init__(self):
        self.shown = []

    def display(self, content, raw=False, display_id=None):
        assert display_id is True, "without an id it could not be changed in place"
        handle = Handle(content, raw)
        self.shown.append(handle)
        return handle

    @property
    def lines(self):
        return next(h.history for h in self.shown if h.raw)

    @property
    def last(self):
        return self.lines[-1]["text/plain"]

    @property
    def figures(self):
        return [f for h in self.shown if not h.raw for f in h.history]


class Handle:
    def __init__(self, content, raw):
        self.raw, self.history = raw, [content]

    def update(self, content, raw=False):
        assert raw == self.raw
        self.history.append(content)


@pytest.fixture(params=["terminal", "notebook"])
def screen(request, monkeypatch):
    """Both places in turn; the screen is None in a terminal."""
    monkeypatch.setattr(progress, "INTERVAL", 0.0)  # draw every item
    if request.param == "terminal":
        monkeypatch.setattr(progress, "in_notebook", lambda: False)
        return None
    return as_notebook(monkeypatch)


@pytest.fixture
def notebook(monkeypatch):
    monkeypatch.setattr(progress, "INTERVAL", 0.0)
    return as_notebook(monkeypatch)


def as_notebook(monkeypatch):
    screen = Screen()
    monkeypatch.setattr(progress, "in_notebook", lambda: True)
    monkeypatch.setattr("IPython.display.display", screen.display)
    return screen


@pytest.fixture(autouse=True)
def no_figure_stays_open():
    plt.close("all")
    yield
    assert plt.get_fignums() == [], "a figure was left open: a notebook would show it twice"


def draw(items):
    figure, ax = plt.subplots()
    ax.plot(items)
    return figure


# As it should go


def test_all_items_come_through(screen):
    with Live(iter("abc"), "letters", total=3) as live:
        seen = list(live)
    assert seen == live.items == ["a", "b", "c"] and live.last == "c" and not live.interrupted


def test_watch_does_all_of_the_work(screen):
    live = watch(range(4), "counting", total=4, draw=draw)
    assert (live.items, live.last, live.interrupted) == ([0, 1, 2, 3], 3, False)


def test_a_notebook_shows_one_line_changed_in_place_and_the_last_has_no_times(notebook, monkeypatch):
    clock = iter(range(0, 1000, 7))
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    watch(["round 1", "round 2", "round 3"], "pruning", total=3)
    assert len(notebook.shown) == 1, "one line, in place"
    texts = [content["text/plain"] for content in notebook.lines]
    assert texts[0] == "pruning …"
    assert texts[1] == "pruning · round 1 · about 14 s left"
    assert texts[-1] == notebook.last == "pruning · round 3"
    assert not TIME.search(notebook.last)


def test_without_a_total_no_time_is_guessed(notebook):
    watch(["a", "b"], "letters")
    assert not any("left" in content["text/plain"] for content in notebook.lines)


def test_a_terminal_shows_a_bar(monkeypatch, capsys):
    monkeypatch.setattr(progress, "in_notebook", lambda: False)
    monkeypatch.setattr(progress, "INTERVAL", 0.0)
    watch(["round 1 · fine", "round 2 · better"], "pruning", total=2)
    written = capsys.readouterr().err
    assert "pruning" in written and "2/2" in written and "round 2 · better" in written


def test_the_figure_is_drawn_from_the_items_so_far_and_closed(screen):
    given = []

    def remember(items):
        given.append(list(items))
        return draw(items)

    watch([1, 2, 3], "numbers", draw=remember)
    assert given[0] == [1] and given[-1] == [1, 2, 3]
    if screen:
        assert len(screen.shown) == 2, "one line and one figure, each changed in place"
        assert len(screen.figures) == len(given)
        assert list(screen.figures[-1].axes[0].lines[0].get_ydata()) == [1, 2, 3]


def test_redraws_wait_for_what_an_eye_can_follow(notebook, monkeypatch):
    monkeypatch.setattr(progress, "INTERVAL", 0.2)
    now = [0.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])

    def work():
        for i in range(100):
            now[0] += 0.01  # 1 s in all
            yield i

    watch(work(), "fast", draw=draw)
    assert 4 <= len(notebook.figures) <= 6
    assert notebook.last == "fast · 99"


def test_nothing_to_do_is_no_error(screen):
    live = watch([], "nothing", total=0, draw=draw)
    assert live.items == [] and not live.interrupted


def test_last_before_the_first_item_is_one_sentence(screen):
    with pytest.raises(ValueError) as problem:
        _ = watch([], "pruning LeNet-5").last
    assert str(problem.value) == "pruning LeNet-5 was stopped before its first result: run the cell again"


# Ctrl-C


def stop_before(number, error):
    """Work whose item `number`, from 0, is never finished."""
    for i in range(5):
        if i == number:
            raise error
        yield i


@pytest.mark.parametrize("number", [0, 1, 4])
def test_ctrl_c_in_the_work_keeps_what_was_computed(screen, number):
    live = watch(stop_before(number, KeyboardInterrupt()), "counting", total=5, draw=draw)
    assert live.interrupted and live.items == list(range(number))
    if number:
        assert live.last == number - 1
    if screen:
        at = f" · {number - 1}" if number else ""
        assert screen.last == f"counting{at} · stopped after {number} of 5: what was computed is kept"
        assert bool(screen.figures) == bool(number)


@pytest.mark.parametrize("number", [0, 2])
def test_ctrl_c_in_the_block_keeps_the_item_it_came_at(screen, number):
    with Live(range(5), "counting") as live:
        for i in live:
            if i == number:
                raise KeyboardInterrupt
    assert live.interrupted and live.items == list(range(number + 1))
    if screen:
        assert screen.last == f"counting · {number} · stopped: what was computed is kept"


def test_ctrl_c_while_drawing_keeps_the_item(screen):
    stops = [KeyboardInterrupt()]

    def draw_or_stop(items):
        if len(items) == 2 and stops:
            raise stops.pop()
        return draw(items)

    live = watch(range(5), "counting", draw=draw_or_stop)
    assert live.interrupted and live.items == [0, 1]


def test_ctrl_c_while_an_item_describes_itself_keeps_it(screen):
    class Item:
        stops = 1

        def __str__(self):
            if Item.stops:
                Item.stops -= 1
                raise KeyboardInterrupt
            return "an item"

    live = watch([Item(), Item()], "items")
    assert live.interrupted and len(live.items) == 1


def test_ctrl_c_while_an_item_is_shown_ends_the_work_at_once(screen):
    ended = []

    def work():
        try:
            yield from range(5)
        finally:
            ended.append(True)

    def stop(items):
        if not ended and len(items) == 2:
            raise KeyboardInterrupt
        return draw(items)

    live = watch(work(), "counting", draw=stop)
    assert live.interrupted and live.items == [0, 1] and ended, "it would hold what it uses as long as it is kept"


def test_ctrl_c_while_the_end_is_shown_loses_nothing(screen, monkeypatch):
    stops, show = [KeyboardInterrupt()], Live._show

    def show_or_stop(self, line, drawn):
        if len(self.items) == 3 and stops:
            raise stops.pop()
        show(self, line, drawn)

    monkeypatch.setattr(progress, "INTERVAL", 1e9)  # only the end is shown
    monkeypatch.setattr(Live, "_show", show_or_stop)
    live = watch(range(3), "counting")
    assert live.interrupted and live.items == [0, 1, 2] and not stops
    stops.append(KeyboardInterrupt())
    live = watch(stop_before(3, KeyboardInterrupt()), "counting")
    assert live.interrupted and live.items == [0, 1, 2] and not stops


def test_ctrl_c_before_and_after_the_loop_is_swallowed_too(screen):
    with Live(range(2), "counting") as live:
        raise KeyboardInterrupt
    assert live.interrupted and live.items == []
    with Live(range(2), "counting") as live:
        list(live)
        raise KeyboardInterrupt
    assert live.interrupted and live.items == [0, 1]


@pytest.mark.parametrize("error", [ValueError("bad"), FloatingPointError("diverged"), SystemExit(2)], ids=repr)
def test_other_errors_are_thrown_and_the_items_stay(screen, error):
    live = Live(stop_before(2, error), "counting", draw=draw)
    with pytest.raises(type(error)), live:
        for _ in live:
            pass
    assert live.items == [0, 1] and not live.interrupted


# Where it runs


def test_this_is_no_notebook():
    assert not progress.in_notebook()


@pytest.mark.parametrize(("shell", "expected"), [("ZMQInteractiveShell", True), ("TerminalInteractiveShell", False)])
def test_a_notebook_is_known_by_its_shell(monkeypatch, shell, expected):
    import IPython

    monkeypatch.setattr(IPython, "get_ipython", lambda: type(shell, (), {})())
    assert progress.in_notebook() is expected


FIGURES = (
    "import matplotlib.pyplot as plt\nfrom ltcourse.display import plots\n{}\nplots.use_style()",
    "figure, axes = plt.subplots()\n_ = axes.plot([1, 2])",
    "plt.get_backend(), plt.rcParams['font.size']",
)
INLINE = "module://matplotlib_inline.backend_inline"


@pytest.mark.parametrize(
    ("environment", "chosen", "figures"),
    [
        (None, "", 1),
        ("", "", 1),
        ("agg", "", 1),
        ("Agg", "", 1),
        ("module://matplotlib.backends.backend_agg", "", 1),
        ("TkAgg", "", 1),
        (INLINE, "", 1),
        (None, "%matplotlib agg", 0),
    ],
)
def test_a_notebook_shows_its_figures_whatever_the_environment_says(monkeypatch, environment, chosen, figures):
    monkeypatch.delenv("MPLBACKEND", raising=False)
    if environment is not None:
        monkeypatch.setenv("MPLBACKEND", environment)
    notebook = new_notebook(cells=[new_code_cell(source.format(chosen)) for source in FIGURES])
    kernels = KernelSpecManager(kernel_dirs=[], ensure_native_kernel=True)
    manager = AsyncKernelManager(kernel_name="python3", kernel_spec_manager=kernels)
    NotebookClient(notebook, km=manager, timeout=None).execute(cwd=str(Path(__file__).parents[2]))
    shown = [output for cell in notebook.cells for output in cell.outputs if "image/png" in output.get("data", {})]
    assert len(shown) == figures
    assert "15.0" in notebook.cells[2].outputs[0].data["text/plain"], "the style of the course"


def test_without_ipython_it_is_a_terminal(monkeypatch):
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert not progress.in_notebook()


# With real work


@pytest.fixture(scope="module")
def blobs():
    """A small data set of 28 × 28 images, ten noisy patterns."""
    generator = torch.Generator().manual_seed(0)
    patterns = torch.randn(10, 1, 28, 28, generator=generator)

    def part(n):
        y = torch.arange(n) % 10
        return Split(patterns[y] + torch.randn(n, 1, 28, 28, generator=generator), y)

    return Dataset("blobs", tuple("0123456789"), part(300), part(100), part(100), (0.0,), (1.0,), "none")


def pruning_of(network, data, after=None):
    recipe = Recipe(iterations=10, batch=20, evaluate_every=5)
    return loop.prune_iteratively(network, data, recipe, rate=0.5, rounds=4, restart=restarts.keep, after=after)


@pytest.mark.parametrize("rounds_done", [0, 1, 3])
def test_pruning_interrupted_inside_a_round_loses_no_finished_round(screen, blobs, monkeypatch, rounds_done):
    unbroken = list(pruning_of(models.create("lenet-300-100"), blobs))

    calls = []

    def stopped(*given, **named):
        calls.append(given)
        if len(calls) > rounds_done:
            train(*given, **named | {"end": 3})  # half of a round, which leaves the network somewhere
            raise KeyboardInterrupt
        return train(*given, **named)

    network = models.create("lenet-300-100")
    monkeypatch.setattr(loop, "train", stopped)
    live = watch(pruning_of(network, blobs), "pruning", total=5)
    monkeypatch.setattr(loop, "train", train)
    assert live.interrupted and len(live.items) == rounds_done

    rest = watch(pruning_of(network, blobs, live.last), "pruning, on").items if rounds_done else []
    finished = [*live.items, *rest]
    assert [r.number for r in finished] == list(range(5 if rounds_done else 0))
    for ours, theirs in zip(finished, unbroken, strict=bool(rounds_done)):
        assert ours.history == theirs.history
        assert all(torch.equal(ours.mask[name], m) for name, m in theirs.mask.items())
        assert all(torch.equal(ours.state[name], p) for name, p in theirs.state.items())


def test_progress_does_not_write_where_results_are_printed(monkeypatch):
    monkeypatch.setattr(progress, "in_notebook", lambda: False)
    out = io.StringIO()
    monkeypatch.setattr(sys, "stdout", out)
    watch(range(3), "counting")
    assert out.getvalue() == ""
