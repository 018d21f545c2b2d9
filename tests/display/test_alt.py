"""What figures show, in words: true numbers from the data, for every figure of the course, where readers find them."""

import ast
import html
import inspect
import re
from importlib import import_module
from pathlib import Path

import IPython.display
import nbformat
import numpy as np
import pytest
import torch
from IPython.core.interactiveshell import InteractiveShell
from IPython.core.pylabtools import select_figure_formats
from matplotlib import pyplot as plt
from matplotlib.ticker import PercentFormatter
from nbconvert import HTMLExporter

from ltcourse import data
from ltcourse.data import Dataset, Split
from ltcourse.display import ablations, alt, axes, costs, layers, pictures, plots, sentences, tickets
from ltcourse.instruments.sparsity import Layer
from ltcourse.stage.pieces import Pieces
from ltcourse.training import History

DISPLAY = Path(__file__).resolve().parents[2] / "ltcourse" / "display"
CURVES = {"ticket": {1.0: [0.966, 0.968], 0.11: [0.978, 0.98], 0.036: [0.974, 0.976]}, "random": {1.0: [0.967, 0.967]}}
MASK = torch.tensor([[True, False, True, True], [False, False, True, False]])
HISTORY = History([10, 20], train_loss=[1.0, 0.5], validation_loss=[0.9, 0.7], validation_accuracy=[0.5, 0.75])


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


@pytest.fixture
def ax():
    return plt.subplots()[1]


def few_images():
    part = Split(torch.rand(4, 1, 6, 6), torch.tensor([0, 0, 1, 1]))
    return Dataset("tiny", ("cat", "dog"), part, part, part, (0.0,), (1.0,), "")


def examples_of_two_classes(ax):
    tiny = few_images()
    return plots.examples(tiny, tiny.train, columns=2)


# Every function of the package that draws: how it is called, and what of its data must be in the words.
PAID = {"RigL at 2%": {1: (0.5, [0.90, 0.92]), 2: (2.0, [0.95, 0.97])}, "dense": {0: (1.0, [0.98, 0.98])}}


class Paid:
    """A record of sparse trainings: RigL at two costs, and the dense network at one."""

    methods = tuple(PAID)

    def rows(self, name):
        return [(0, {"round": number}) for number in PAID[name]]

    def values(self, name, number, key):
        cost, accuracies = PAID[name][number]
        return accuracies if key == "test_accuracy" else [cost, cost]


CALLS = {
    "costs.against_cost": (
        lambda ax: costs.against_cost(Paid(), 0.02, ax),
        ["Test accuracy at 2 % of the weights", "RigL 91.0 % at 0.5×, 96.0 % at 2×", "dense 98.0 % at 1×"],
    ),
    "plots.examples": (examples_of_two_classes, ["cat, dog"]),
    "plots.learning_curves": (
        lambda ax: plots.learning_curves(HISTORY),
        ["training 1 at 10, 0.5 at 20", "early stop at iteration 20", "50.0 % at 10, 75.0 % at 20"],
    ),
    "plots.weight_histogram": (
        lambda ax: plots.weight_histogram(torch.tensor([0.0, 0.1, -0.2, 0.3, 0.4]), ax, cut=0.25),
        ["4 weights", "from -0.2 to 0.4", "2 (50.0 %) lie below the cut of 0.25"],
    ),
    "plots.mask_image": (
        lambda ax: plots.mask_image(MASK, ax),
        ["2 × 4 weights", "4 of 8 kept (50.0 %)", "per neuron 1 to 3", "1 of 4 input pixels have none"],
    ),
    "plots.score_histogram": (
        lambda ax: plots.score_histogram(torch.arange(1.0, 6.0), ax, kept=2),
        ["the 2 largest of 5 are kept", "above 4", "the largest is 5"],
    ),
    "plots.inputs_kept": (
        lambda ax: plots.inputs_kept(MASK, (2, 2), ax),
        ["2 × 2 pixels", "4 in all, most (2) in row 2, column 1", "none at 1 pixels"],
    ),
    "plots.against_density": (
        lambda ax: plots.against_density(CURVES, ax, ylabel="test accuracy", reference={"dense": [0.967, 0.967]}),
        [
            "Test accuracy against weights kept, P_m, means of 2 trials: ",
            "ticket 96.7 % at 100 %, highest 97.9 % at 11 %, 97.5 % at 3.6 %; ",
            "dense 96.7 %.",
        ],
    ),
    "plots.against": (
        lambda ax: plots.against({"kaiming": {0.5: [0.9], 2.0: [0.95]}}, ax, xlabel="width", ylabel="test accuracy"),
        ["Test accuracy against width: kaiming 90.0 % at 0.5×, 95.0 % at 2×."],
    ),
    "plots.against_iterations": (
        lambda ax: plots.against_iterations(
            {"$P_m$ = 3 %": [{"iterations": [100, 200, 300], "e": [0.1, 0.05, 0.07]}]}, ax, key="e", ylabel="error"
        ),
        ["Error against iteration: P_m = 3 % 10.0 % at 100, lowest 5.0 % at 200, 7.0 % at 300."],
    ),
    "plots.sensitivity": (
        lambda ax: plots.sensitivity({"fc1.weight": [0.9, 0.4]}, [1.0, 0.1], ax),
        ["fc1 90.0 % at 100 %, 40.0 % at 10 %"],
    ),
    "plots.along_a_line": (
        lambda ax: plots.along_a_line({"LeNet": [[0.1, 0.6, 0.2]]}, ax),
        ["LeNet 10.0 % at 0 %, highest 60.0 % at 50 %, 20.0 % at 100 %"],
    ),
    "layers.through_layers": (
        lambda ax: layers.through_layers(
            {"xavier": [[1.0, 0.5], [4.0, 0.5]], "zero": [[1.0, 0.0]]}, ax, ylabel="spread"
        ),
        ["xavier 2 at 0, 0.5 at 1", "zero (exactly 0 at layer 1) 1 at 0"],
    ),
    "plots.against_depth": (
        lambda ax: plots.against_depth({"kaiming": {3: [0.9], 30: [0.1]}}, ax, guess=0.11),
        ["kaiming 90.0 % at 3, 10.0 % at 30", "one class for all 11.0 %"],
    ),
    "plots.transfer_matrix": (
        lambda ax: plots.transfer_matrix({("a", "a"): [0.01, 0.03], ("a", "b"): [-0.002]}, ax),
        ["Found on → trained on: a → a +2.0 points; a → b -0.2 points."],
    ),
    "ablations.against_rounds": (
        lambda ax: ablations.against_rounds({"movement": {0.5: [0.9], 0.1: [0.8]}}, ax, ylabel="test accuracy"),
        ["movement 90.0 % at 50 %, 80.0 % at 10 %"],
    ),
    "layers.weights_and_flop": (
        lambda ax: layers.weights_and_flop(
            [Layer("c.weight", (1, 1, 1, 1), 1, 1, 30, 30, None), Layer("f", (1, 3), 3, 3, 10, 10, None)], ax
        ),
        ["of the weights, c 25.0 %, f 75.0 %", "of the FLOP, c 75.0 %, f 25.0 %"],
    ),
    "layers.layer_sums": (
        lambda ax: layers.layer_sums(6, 4, ax),
        ["Every neuron of the next layer (4 of them) adds up 6 products"],
    ),
    "tickets.against_dense": (
        lambda ax: tickets.against_dense({"ticket": {1.0: [0.9], 0.1: [0.88]}}, ax),
        ["ticket 90.0 % at 100 %, 88.0 % at 10 %", "minus dense: ticket -2.0 points"],
    ),
    "tickets.against_length": (
        lambda ax: tickets.against_length({"rewound": {500: [0.02], 4000: [0.001]}}, ax),
        ["against iterations: rewound +2.0 points at 500, +0.1 points at 4,000"],
    ),
    "tickets.barriers": (
        lambda ax: tickets.barriers({"dense": {0: [0.3, 0.5], 100: [0.01, 0.01]}}, ax),
        ["dense 40.0 % at 0, 1.0 % at 100", "stable below 2.0 %"],
    ),
    "pictures.networks.edges": (
        lambda ax: pictures.edges([torch.ones(2, 4)], ax, kept=[MASK], before=[torch.ones(2, 4).bool()]),
        ["4–2 neurons: 4 of 8 edges are in use, 0 of them new, 4 just gone"],
    ),
    "pictures.networks.paths": (
        lambda ax: pictures.paths([MASK, torch.tensor([[True, False]])], ax),
        ["4–2–1 neurons", "5 of 10 edges are kept", "2 of 7 neurons have no way through"],
    ),
    "pictures.weights.before_and_after": (
        lambda ax: pictures.before_and_after(
            torch.tensor([1.0, 2.0, 3.0]), torch.tensor([2.0, 0.5, 4.0]), torch.tensor([True, False, True]), ax
        ),
        ["3 weights", "2 kept, 1 pruned", "below 1.25", "2 are larger in magnitude than before"],
    ),
}


def drawing_functions():
    """The public functions of the room that return axes or a figure, by the module and their names."""
    found = []
    for file in sorted(DISPLAY.rglob("*.py")):
        module = ".".join(file.relative_to(DISPLAY).with_suffix("").parts)
        for node in ast.parse(file.read_text(encoding="utf-8")).body:
            returned = ast.unparse(node.returns) if isinstance(node, ast.FunctionDef) and node.returns else ""
            if returned in ("Axes", "Figure") and not node.name.startswith("_"):
                found.append(f"{module}.{node.name}")
    return found


def panels_without_a_sentence(figure):
    drawn = [ax for ax in figure.axes if ax.get_label() != "<colorbar>"]
    return [ax for ax in drawn if not alt.said(ax)]


def test_every_function_that_draws_is_called_here():
    blank = "pictures.frames.blank"  # which adds axes for others to draw in
    assert sorted(set(drawing_functions()) - {blank}) == sorted(CALLS)


@pytest.mark.parametrize("name", CALLS)
def test_a_function_that_draws_says_what_it_shows_from_its_data(name, ax):
    call, wanted = CALLS[name]
    drawn = call(ax)
    figure = drawn if isinstance(drawn, plt.Figure) else drawn.figure
    assert panels_without_a_sentence(figure) == []
    text = alt.of(figure)
    assert [words for words in wanted if words not in text] == [], text
    assert text.endswith(".") and "$" not in text and "\\" not in text


def test_a_panel_that_nobody_described_is_found():
    figure, (left, right) = plt.subplots(1, 2)
    plots.mask_image(MASK, left)
    right.plot([1, 2], [3, 4])
    assert panels_without_a_sentence(figure) == [right]


# Pictures in steps


@pytest.fixture(scope="module")
def digits():
    return data.load("mnist")


@pytest.mark.parametrize("name", [name for name in pictures.__all__ if name[0].islower()])
def test_each_step_of_a_picture_says_something_of_its_own(name, digits):
    make = getattr(pictures, name)
    if inspect.signature(make).return_annotation != "Frames" and "Frames" not in str(inspect.signature(make)):
        pytest.skip("not a picture in steps: it is among the functions above")
    frames = make(digits) if "digits" in inspect.signature(make).parameters else make()
    told = [frames.says(i) for i in range(len(frames))]
    assert len(set(told)) == len(told) and all(text.endswith(".") for text in told)
    assert all(frames.says(i) in frames.story() for i in frames.told)
    figure = frames.draw(len(frames) - 1)
    assert alt.of(figure) == told[-1]
    drawn = " ".join(text.get_text() for text in figure.findobj(plt.Text))
    measured = set(re.findall(r"\d+\.\d %", told[-1]))
    assert measured <= set(re.findall(r"\d+\.\d %", drawn)) | {"33.3 %"}, "the words have the numbers of the picture"


# What a lesson draws itself


def test_lines_bars_points_and_images_of_anybody_are_read_from_the_axes(ax):
    ax.plot([0.0, 0.5, 1.0], [0.1, 0.05, 0.2], label="a $\\theta$")
    ax.axhline(0.02, label="limit")
    ax.set(xlabel="share", ylabel="error", title="Two")
    ax.yaxis.set_major_formatter(PercentFormatter(1))
    assert (
        alt.of(ax.figure) == "Two. Error against share: limit 2.0 %; a θ 10.0 % at 0, lowest 5.0 % at 0.5, 20.0 % at 1."
    )


def test_bars_are_called_by_their_ticks(ax):
    ax.bar(np.arange(2) - 0.2, [12.2, 9.0], 0.4, label="ratio")
    ax.bar(np.arange(2) + 0.2, [3.0, 4.0], 0.4, label="speed")
    ax.set_xticks(range(2), ["LeNet", "AlexNet"])
    assert alt.of(ax.figure) == "Ratio: LeNet 12.2, AlexNet 9; speed: LeNet 3, AlexNet 4."


def test_a_histogram_is_said_by_its_ends_and_its_top(ax):
    ax.hist([1, 1, 1, 2, 3], bins=[0.5, 1.5, 2.5, 3.5])
    assert alt.of(ax.figure) == "3 bars from 1 to 3, the longest, 3, at 1."


def test_points_maps_and_upright_lines_are_read(ax):
    ax.scatter([1, 2], [3, 5], label="pairs")
    ax.imshow(np.array([[0.0, 2.5]]), cmap="viridis")
    ax.axvline(7)
    text = alt.of(ax.figure)
    for words in ("pairs: 2, from 1 to 2 by 3 to 5", "1 × 2 pixels, from 0 to 2.5", "an upright line at 7"):
        assert words.lower() in text.lower()


def test_a_loss_is_no_share(ax):
    plots.against({"wanda": {0.1: [1.42], 0.8: [4.3]}}, ax, xlabel="share pruned", ylabel="test loss", shares=False)
    assert alt.said(ax) == "Test loss against share pruned: wanda 1.42 at 10 %, 4.3 at 80 %."
    assert ax.yaxis.get_major_formatter()(1.42) == "1.42"


def test_equal_panels_are_said_once():
    figure, panels = plt.subplots(1, 3)
    for ax in panels:
        ax.imshow(np.zeros((4, 5)), cmap="gray")
    assert alt.of(figure) == "3 panels, each: an image of 4 × 5 pixels."


def test_many_lines_are_summed_up(ax):
    for i in range(9):
        ax.plot([0, 1], [0, i / 10], label=f"l{i}")
    text = alt.of(ax.figure)
    assert text.startswith("9 lines (l0, l1") and "l8 is highest (0 at 0, 0.8 at 1)" in text and "l0 is lowest" in text


def test_what_is_drawn_into_described_axes_is_added_and_a_later_title_is_read(ax):
    plots.against_density(CURVES, ax, ylabel="test accuracy")
    before = alt.of(ax.figure)
    ax.plot([0.11], [0.979], "o")
    ax.set_title("here")
    assert alt.of(ax.figure) == f"here. {before} Added: A point: 97.9 % at 11 %."


def test_nothing_and_a_figure_without_axes_have_words():
    assert alt.of(plt.figure()) == "An empty figure."
    assert alt.of(plt.subplots()[0]) == "An empty figure."
    assert sentences.curves({}, "error", "density") == "Error against density: nothing yet."


def test_labels_lose_the_marks_of_formulas():
    assert axes.plain("weights kept, $P_m$ (logarithmic)") == "weights kept, P_m"
    assert axes.plain(r"layer $i-1$, $n_{i-1}$ = 6") == "layer i-1, n_i-1 = 6"


# Where readers find it


@pytest.fixture
def shell(monkeypatch):
    """A shell whose figures are given words, and what it displays by itself."""
    shell = InteractiveShell()
    select_figure_formats(shell, {"png"})
    alt.follow(shell)
    shell.shown = []
    monkeypatch.setattr(IPython.display, "display", lambda bundle, raw: shell.shown.append(bundle))
    monkeypatch.delenv("LTCOURSE_BUILD", raising=False)
    yield shell
    InteractiveShell.clear_instance()


def drawn(value):
    figure, ax = plt.subplots(figsize=(2, 1))
    ax.plot([1, 2], [0, value])
    return figure


def test_a_figure_that_a_notebook_shows_has_its_words_in_the_metadata_and_once_below_the_cell(shell):
    shell.events.trigger("pre_run_cell", None)
    figure = drawn(3)
    bundle, metadata = shell.display_formatter.format(figure)
    shell.display_formatter.format(figure)
    assert "image/png" in bundle and metadata["image/png"] == {"alt": "0 at 1, 3 at 2."} == {"alt": alt.of(figure)}
    assert shell.shown == []
    shell.events.trigger("post_run_cell", None)
    (below,) = shell.shown
    assert (
        below["text/html"].count("0 at 1, 3 at 2.") == 1
        and "<summary>What the figure shows</summary>" in below["text/html"]
    )
    assert alt.is_folded({"data": below})
    shell.events.trigger("post_run_cell", None)
    assert len(shell.shown) == 1, "a cell without figures has nothing below"


def test_of_a_figure_that_is_drawn_anew_the_last_words_stay(shell):
    shell.events.trigger("pre_run_cell", None)
    for value in (3, 4):
        shell.display_formatter.format(drawn(value))
    alt.forget("0 at 1, 3 at 2.")
    shell.events.trigger("post_run_cell", None)
    assert "3 at 2" not in shell.shown[0]["text/html"] and "4 at 2" in shell.shown[0]["text/html"]


def stored():
    """A cell as a built notebook stores it: a figure, and its words below."""
    png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    figure = nbformat.v4.new_output("display_data", {"image/png": png}, metadata=alt.metadata('1 < 2 & "so".'))
    below = nbformat.v4.new_output("display_data", {"text/html": alt.folded(['1 < 2 & "so".']), "text/plain": "1"})
    return nbformat.v4.new_code_cell("draw()", outputs=[figure, below])


def test_a_slide_has_the_alt_text_and_not_the_folded_words():
    (block,) = Pieces(Path(), {}, code="none").of(stored())
    assert 'alt="1 &lt; 2 &amp; &quot;so&quot;."' in block.html and "<details" not in block.html


def test_a_page_has_the_alt_text():
    page, _ = HTMLExporter(template_name="classic").from_notebook_node(nbformat.v4.new_notebook(cells=[stored()]))
    (alt_text,) = re.findall(r"<img\b[^>]*?\balt=(\"[^\"]*\"|'[^']*')", page)
    assert html.unescape(alt_text[1:-1]) == '1 < 2 & "so".'


def test_the_words_of_a_text_do_not_become_html():
    assert alt.folded(["a < b"]).count("a &lt; b") == 1 and alt.folded([]) == ""


def test_outside_of_ipython_importing_registers_nothing():
    module = import_module("ltcourse.display.progress")
    assert not module.in_notebook() and alt._to_show == {}
