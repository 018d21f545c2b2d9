"""Drawings of small networks: every edge is there once, in the color of what it is."""

from collections import Counter

import numpy as np
import pytest
import torch
from matplotlib import pyplot as plt
from matplotlib.collections import LineCollection
from matplotlib.colors import to_hex

from ltcourse import data
from ltcourse.display import pictures, plots
from ltcourse.networks import masks
from ltcourse.networks.initializers import initialize, kaiming_normal

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
            found[to_hex(c.get_color()[0]).upper()] += len(c.get_segments())
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


def test_what_came_is_green_and_what_went_is_red(ax):
    before = [torch.ones(2, 3).bool(), torch.tensor([[True, False]])]
    kept = [FIRST > 0, torch.tensor([[True, True]])]
    pictures.edges([FIRST, SECOND], ax, kept=kept, before=before)
    found = lines(ax)
    assert (found[plots.GREEN], found[plots.RED]) == (1, 3)
    assert (found[plots.BLUE], found[plots.ORANGE]) == (4, 0)
    assert sum(found.values()) == 8


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
def test_an_edge_is_as_wide_as_its_weight_is_large_within_its_layer(ax, scale):
    pictures.edges([scale * FIRST, 1000 * SECOND], ax, kept=[FIRST.abs() < 9, torch.tensor([[True, False]])])
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


# What is hidden


def test_a_trained_network_and_what_is_found_in_a_random_one(global_randomness_untouched):
    mnist = data.load("mnist")
    drawn = pictures.hidden(mnist)
    assert [w.shape for w in drawn.trained] == [(4, 9), (2, 4)]
    sizes = [w.numel() for w in drawn.random]
    assert sizes == [72, 64, 16] and [int(m.sum()) for m in drawn.kept] == [n // 2 for n in sizes]
    largest = [masks.keep_largest(w.abs(), w.numel() // 2) for w in drawn.random]
    assert not any(torch.equal(a, b) for a, b in zip(drawn.kept, largest, strict=True)), "scores choose, not weights"
    as_drawn = initialize(pictures._dense(9, 8, 8, 2), kaiming_normal, seed=3)
    assert all(torch.equal(w, p) for w, p in zip(drawn.random, as_drawn.parameters(), strict=True)), "never trained"
    untrained = initialize(pictures._dense(9, 4, 2), kaiming_normal, seed=3)
    assert not any(torch.equal(w, p) for w, p in zip(drawn.trained, untrained.parameters(), strict=True))
    assert drawn.accuracy["N"] < 0.6 and min(drawn.accuracy["τ"], drawn.accuracy["τ′"]) > 0.9
    assert pictures.hidden(mnist).accuracy == drawn.accuracy


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
