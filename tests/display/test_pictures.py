"""Drawings of small networks: every edge is there once, in the color of what it is."""

from collections import Counter
from itertools import combinations, pairwise

import numpy as np
import pytest
import torch
from matplotlib import pyplot as plt
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex
from matplotlib.text import Text
from torch import nn

from ltcourse import data, papers
from ltcourse.display import pictures, plots
from ltcourse.display.pictures import popup, reasons, sketches, small
from ltcourse.networks import masks
from ltcourse.networks.initializers import signed_constant
from ltcourse.quantities import seeded
from ltcourse.training import evaluate

FIRST = torch.tensor([[1.0, -1.0, 2.0], [-1.0, 3.0, -2.0]])
SECOND = torch.tensor([[1.0, -1.0]])


@pytest.fixture
def ax():
    yield plt.subplots()[1]
    plt.close("all")


def lines(ax):
    """How many edges there are of each color."""
    found = Counter()
    for c in ax.collections:
        if isinstance(c, LineCollection):
            colors = [to_hex(color).upper() for color in c.get_color()]
            found.update(colors if len(colors) > 1 else colors * len(c.get_segments()))
    return found


def test_without_a_mask_all_edges_are_used_and_colored_by_their_sign(ax):
    assert pictures.edges([FIRST, SECOND], ax, title="both") is ax
    assert lines(ax) == {plots.BLUE: 4, plots.ORANGE: 4}
    assert ax.get_title() == "both"
    dots = [len(c.get_offsets()) for c in ax.collections if not isinstance(c, LineCollection)]
    assert dots == [3, 2, 1]


def test_edges_that_are_not_used_are_pale(ax):
    kept = [FIRST.abs() > 1.5, torch.tensor([[True, False]])]
    pictures.edges([FIRST, SECOND], ax, kept=kept)
    found = lines(ax)
    assert (found[plots.BLUE], found[plots.ORANGE]) == (3, 1)
    assert sum(found.values()) == 8 and len(found) == 3


def test_what_came_is_green_and_what_went_is_dashed(ax):
    before = [torch.ones(2, 3).bool(), torch.tensor([[True, False]])]
    kept = [FIRST > 0, torch.tensor([[True, True]])]
    pictures.edges([FIRST, SECOND], ax, kept=kept, before=before)
    found = lines(ax)
    assert (found[plots.GREEN], found["#000000"]) == (1, 3)
    assert (found[plots.BLUE], found[plots.ORANGE]) == (4, 0)
    assert sum(found.values()) == 8


def test_a_shadow_is_drawn_behind_the_edges_in_use_alone(ax):
    kept = [FIRST.abs() > 1.5, torch.tensor([[True, False]])]
    pictures.edges([FIRST, SECOND], ax, kept=kept, shadow=[2 * FIRST, SECOND])
    assert sum(lines(ax).values()) == 8 + 4


@pytest.mark.parametrize("value", [True, False])
def test_at_the_extremes(ax, value):
    pictures.edges([FIRST], ax, kept=[torch.full((2, 3), value)])
    assert (plots.BLUE in lines(ax)) == value and sum(lines(ax).values()) == 6


def test_every_layer_is_centered_and_within_the_picture(ax):
    pictures.edges([torch.ones(5, 2), torch.ones(1, 5)], ax)
    dots = [c.get_offsets()[:, 1] for c in ax.collections if not isinstance(c, LineCollection)]
    assert [np.mean(y) for y in dots] == pytest.approx([2.5, 2.5, 2.5])
    low, high = ax.get_ylim()
    assert all(low < y.min() and y.max() < high for y in dots)


@pytest.mark.parametrize("scale", [1e-6, 1.0, 50.0])
def test_an_edge_is_as_wide_as_its_weight_is_large(ax, scale):
    weights = [scale * FIRST, scale * SECOND]
    pictures.edges(weights, ax, kept=[FIRST.abs() < 9, torch.tensor([[True, False]])])
    found = {}
    for c in ax.collections:
        if isinstance(c, LineCollection):
            edges = [(tuple(a), tuple(b)) for a, b in c.get_segments()]
            found |= dict(zip(edges, c.get_linewidths(), strict=True))
    first = sorted(width for ((x, _), _), width in found.items() if x == 0)
    size = sorted(FIRST.abs().flatten().tolist())
    assert all((a < b) == (v < w) for a, b, v, w in zip(size, size[1:], first, first[1:], strict=False))
    assert min(v for ((x, _), _), v in found.items() if x == 1) < min(first), "an edge out of use is the thinnest"


def test_layers_of_zeros_can_be_drawn(ax):
    pictures.edges([torch.zeros(2, 2)], ax)
    assert all(np.isfinite(c.get_linewidths()).all() for c in ax.collections)


# The small network


@pytest.fixture(scope="module")
def mnist():
    return data.load("mnist")


def accuracy(weights, kept, digits, sizes=small.SIZES):
    """Measured anew: of a network with these weights, those that are not kept set to 0."""
    network = small.network(sizes)
    layers = [module for module in network if isinstance(module, nn.Linear)]
    for layer, w, m in zip(layers, weights, kept, strict=True):
        layer.weight.data.copy_(w * m)
    return evaluate(network, small.problem(digits).validation)[1]


def test_every_accuracy_is_that_of_the_weights_under_the_mask(mnist):
    for step in (step for loop in small.loops(mnist) for step in loop):
        assert accuracy(step.weights, step.kept, mnist) == step.accuracy, step.name
    found = small.search(mnist)
    for moment in found.moments:
        assert accuracy(found.weights, moment.kept, mnist, small.WIDER) == moment.accuracy, moment.iteration
    whole = [torch.ones_like(m) for m in found.moments[0].kept]
    assert accuracy(found.weights, whole, mnist, small.WIDER) == small.untouched(mnist)


def test_the_ticket_goes_back_to_the_initial_weights_bit_for_bit_and_han_stays(mnist):
    han, ticket = small.loops(mnist)
    initial = list(small.network().parameters())
    back = [step for step in ticket if step.name == "back to θ₀"]
    assert len(back) == small.ROUNDS
    for step in (ticket[0], han[0], *back):
        assert all(torch.equal(w, θ0) for w, θ0 in zip(step.weights, initial, strict=True))
    for before, after in pairwise(han):
        if after.name == "keep":
            assert all(map(torch.equal, before.weights, after.weights))


def test_cut_weights_stay_cut_and_are_the_smallest(mnist):
    for loop in small.loops(mnist):
        for before, after in pairwise(loop):
            for w, old, new in zip(before.weights, before.kept, after.kept, strict=True):
                assert not (new & ~old).any()
                gone = old & ~new
                assert gone.any() == (after.name == "cut")
                if gone.any():
                    assert w[gone].abs().max() < w[new].abs().min()
        assert all((w[~m] == 0).all() for w, m in zip(loop[-1].weights, loop[-1].kept, strict=True))


def test_the_small_network_is_trained_and_both_loops_begin_with_one_training(mnist):
    han, ticket = small.loops(mnist)
    assert han[0].accuracy < 0.5 and min(han[1].accuracy, han[-1].accuracy, ticket[-1].accuracy) > 0.8
    assert all(map(torch.equal, han[1].weights, ticket[1].weights))
    assert [step.left for step in han] == [step.left for step in ticket]


def test_the_scores_choose_the_edges_and_no_weight_changes(mnist):
    found = small.search(mnist)
    drawn = small.network(small.WIDER, signed_constant, small._SEED_WIDER)
    assert all(map(torch.equal, found.weights, drawn.parameters()))
    for moment in found.moments:
        for scores, kept in zip(moment.scores, moment.kept, strict=True):
            assert torch.equal(kept, masks.keep_largest(scores, round(small.K * scores.numel())))
            cut = popup.threshold(scores, kept)
            assert scores[~kept].max() <= cut <= scores[kept].min()
    first, second, *_ = found.moments
    assert any(not torch.equal(a, b) for a, b in zip(first.kept, second.kept, strict=True)), "an edge pops up"
    assert found.moments[-1].accuracy > first.accuracy + 0.3


def test_a_second_process_would_find_the_same(mnist, global_randomness_untouched):
    before = small.loops(mnist), small.search(mnist), small.early_stops(mnist)
    for found in (small.loops, small._rounds, small.search):
        found.cache_clear()
    after = small.loops(mnist), small.search(mnist), small.early_stops(mnist)
    assert [s.accuracy for loop in before[0] for s in loop] == [s.accuracy for loop in after[0] for s in loop]
    last, again = before[1].moments[-1], after[1].moments[-1]
    assert all(map(torch.equal, last.scores, again.scores)) and before[2] == after[2]


# The pictures in steps

PICTURES = {
    "opening": lambda _: pictures.opening(),
    "pruning loop": pictures.pruning_loop,
    "hypothesis": pictures.hypothesis,
    "ticket loop": pictures.ticket_loop,
    "valleys": lambda _: pictures.valleys(),
    "hidden": pictures.hidden,
    "straight through": lambda _: pictures.straight_through(),
    "edge-popup": pictures.edge_popup,
    "subset sums": lambda _: pictures.subset_sums(),
    "closing": pictures.closing,
}


def said(figure):
    return [text.get_text() for text in figure.findobj(Text) if text.get_visible() and text.get_text()]


@pytest.mark.parametrize("dark", [False, True])
@pytest.mark.parametrize("name", PICTURES)
def test_every_step_can_be_read(mnist, name, dark):
    """No letter is smaller than 9 points, outside of the picture, or of the color of the paper."""
    style = {"text.color": "#e6e6e6", "figure.facecolor": "#111418", "axes.facecolor": "#111418"} if dark else {}
    with plt.rc_context(style):
        frames = PICTURES[name](mnist)
        assert set(frames.told) <= set(range(len(frames)))
        for step in range(len(frames)):
            figure = frames.draw(step)
            figure.canvas.draw()
            width, height = figure.bbox.size
            for text in figure.findobj(Text):
                if text.get_visible() and text.get_text():
                    box = text.get_window_extent()
                    assert text.get_fontsize() >= 9
                    inside = box.x0 > -1 and box.y0 > -1 and box.x1 < width + 1 and box.y1 < height + 1
                    assert inside, f"{frames.labels[step]}: {text.get_text()!r} is cut off"
                    on_paper = text.get_color() != "white"  # which is on a color
                    assert not on_paper or to_hex(text.get_color()) != to_hex(plt.rcParams["figure.facecolor"])
            plt.close(figure)


@pytest.mark.parametrize(("name", "which"), [("pruning loop", 0), ("ticket loop", 1)])
def test_the_edges_drawn_are_those_of_the_mask_and_the_accuracy_is_the_measured_one(mnist, name, which):
    frames = PICTURES[name](mnist)
    steps = [s for s in small.loops(mnist)[which] if name != "pruning loop" or s.name != "keep"]
    assert len(frames) == len(steps)
    for number, step in enumerate(steps):
        figure = frames.draw(number)
        shadows = step.left if step.name == "back to θ₀" else 0
        found = lines(next(ax for ax in figure.axes if any(isinstance(c, LineCollection) for c in ax.collections)))
        positive = sum(int((w[m] > 0).sum()) for w, m in zip(step.weights, step.kept, strict=True))
        assert found[plots.BLUE] + found[plots.ORANGE] == step.left + shadows
        assert shadows or found[plots.BLUE] == positive
        cut = steps[number - 1].left - step.left if step.name == "cut" else 0
        assert found["#000000"] == cut
        assert f"{100 * step.accuracy:.1f} %" in said(figure)
        plt.close(figure)


def test_edge_popup_has_twenty_steps_or_more_and_ends_with_the_supermask(mnist):
    frames, found = pictures.edge_popup(mnist), small.search(mnist)
    assert len(frames) >= 20
    last = found.moments[-1]
    figure = frames.draw(len(frames) - 1)
    assert f"{100 * last.accuracy:.1f} %" in said(figure) and "The supermask: no weight has changed" in said(figure)
    drawn = lines(figure.axes[0])
    came = sum(int((a & ~b).sum()) for a, b in zip(last.kept, found.moments[-2].kept, strict=True))
    assert drawn[plots.BLUE] + drawn[plots.ORANGE] + came == sum(int(m.sum()) for m in last.kept)
    plt.close(figure)
    figure = frames.draw(4)
    assert lines(figure.axes[0])[plots.GREEN] > 0, "the edge that pops up is green"


def test_what_is_claimed_stands_beside_what_was_measured(mnist):
    τ, search = small.loops(mnist)[0][1], small.search(mnist)
    shown = said(pictures.hidden(mnist).draw(3))
    for share in (τ.accuracy, small.untouched(mnist), search.moments[-1].accuracy):
        assert f"{100 * share:.1f} %" in shown
    ticket = small.loops(mnist)[1]
    shown = " ".join(said(pictures.hypothesis(mnist).draw(3)))
    assert f"{100 * ticket[1].accuracy:.1f} %" in shown and f"{100 * ticket[4].accuracy:.1f} %" in shown
    assert all(f"here: {stop}" in shown for stop in small.early_stops(mnist))


def test_the_opening_says_what_the_paper_says():
    frames = pictures.opening()
    shown = said(frames.draw(0))
    assert all(f"{cost:g} pJ" in shown for cost in papers.HAN_PICOJOULE.values()) and "Han et al. 2015, Fig. 1" in shown
    shown = " ".join(said(frames.draw(2)))
    assert "138M → 10.3M weights · 552 → 41 MB · 13× fewer" in shown and "42.78 % → 42.77 %" in shown
    assert reasons.count("267K") == 267_000


def test_the_sums_of_paths_are_the_closest_ones():
    frames = pictures.subset_sums(most=6)
    paths = 2 * torch.rand(6, generator=seeded(6)) - 1
    for n in range(1, 7):
        every = [sum(some) for k in range(n + 1) for some in combinations(paths[:n].tolist(), k)]
        error = min(abs(total - 0.62) for total in every)
        assert any(text.endswith(f"error {error:.3f}") for text in said(frames.draw(n - 1)))
    plt.close("all")


def test_the_sketch_has_a_barrier_between_two_valleys_and_none_in_one():
    frames = pictures.valleys()
    assert "error barrier" in said(frames.draw(1)) and "no barrier" in said(frames.draw(3))
    for step in range(4):
        assert any("sketch" in text for text in said(frames.draw(step)))
    way = sketches.descent((-1.0, 1.5))
    assert (np.diff(sketches.loss(*way.T)) < 0).all()
    plt.close("all")


def test_before_and_after_counts_what_is_pruned(ax):
    first, last = torch.linspace(-1, 1, 11), torch.linspace(-1, 1, 11) * 0.9
    pictures.before_and_after(first, last, last.abs() > 0.4, ax, "a layer")
    assert {"pruned: 5", "kept: 6"} <= {t.get_text() for t in ax.texts}
    band = ax.patches[0].get_extents().transformed(ax.transData.inverted())
    assert 0.36 < band.y1 < 0.54 and band.y0 == pytest.approx(-band.y1)
    pictures.before_and_after(first, last, torch.ones(11, dtype=torch.bool), ax)


@pytest.mark.parametrize("labels", [(), ("one", "one")])
def test_the_steps_of_a_picture_have_names_of_their_own(labels):
    with pytest.raises(ValueError, match="need a name each"):
        pictures.Frames(labels, lambda number, figure: None, (0,), str)


# Masks as networks


def test_paths_draws_a_line_a_weight_and_a_dot_a_neuron(ax):
    first = torch.tensor([[True, False, True], [False, False, False]])  # neuron 1 hears nothing
    second = torch.tensor([[True, True]])
    assert pictures.paths([first, second], ax, "tiny") is ax
    assert len(ax.get_lines()) == 4
    used = [to_hex(x.get_color()) == plots.BLUE.lower() for x in ax.get_lines()]
    assert used == [True, True, True, False], "the line out of the dead neuron is faint"
    assert [len(c.get_offsets()) for c in ax.collections] == [3, 2, 1]
    faces = [[to_hex(f) == plots.BLUE.lower() for f in c.get_facecolors()] for c in ax.collections]
    assert faces == [[True, False, True], [True, False], [True]]
    assert ax.get_title() == "tiny"


@pytest.mark.parametrize("value", [True, False])
def test_paths_at_the_extremes(ax, value):
    layers = [torch.full((4, 3), value), torch.full((2, 4), value)]
    pictures.paths(layers, ax)
    assert len(ax.get_lines()) == (20 if value else 0)
    assert all((to_hex(f) != "#ffffff") == value for c in ax.collections for f in c.get_facecolors())


def test_paths_of_one_neuron_a_layer(ax):
    pictures.paths([torch.tensor([[True]])], ax)
    assert np.isfinite(ax.get_lines()[0].get_ydata()).all()
