"""A guess in a figure: where it is, in whichever direction the axis runs, and with room made for it."""

import pytest
from matplotlib import pyplot as plt

from ltcourse.display import guesses


@pytest.fixture
def ax():
    figure, ax = plt.subplots()
    ax.plot([1, 0.01], [0.5, 0.9])
    yield ax
    plt.close(figure)


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("scale", ["linear", "log"])
@pytest.mark.parametrize("place", [0.001, 0.3, 5.0])
@pytest.mark.parametrize("along", ["x", "y"])
def test_the_axis_makes_room_and_keeps_its_direction(ax, along, place, scale, inverted):
    (ax.set_xscale if along == "x" else ax.set_yscale)(scale)
    if inverted:
        (ax.invert_xaxis if along == "x" else ax.invert_yaxis)()
    guesses.line(ax, place, "you: 3", along=along)
    first, last = ax.get_xlim() if along == "x" else ax.get_ylim()
    assert min(first, last) <= place <= max(first, last) and (first > last) == inverted
    data = ax.get_lines()[-1].get_xdata() if along == "x" else ax.get_lines()[-1].get_ydata()
    assert data[0] == place


def test_what_has_no_place_on_a_logarithmic_axis_leaves_it_alone(ax):
    ax.set_yscale("log")
    before = ax.get_ylim()
    guesses.line(ax, 0.0, "you: 0")
    assert ax.get_ylim() == before


def test_two_guesses_on_one_axis_do_not_write_over_each_other(ax):
    guesses.line(ax, 0.5, "you: one", along="x")
    guesses.line(ax, 0.5, "you: two", along="x")
    heights = [text.xy[1] for text in ax.texts]
    assert heights[1] - heights[0] > 0.05


@pytest.mark.parametrize(("x", "side"), [(0.05, "left"), (0.95, "right")])
def test_the_text_at_the_end_of_a_curve_stays_within_the_figure(ax, x, side):
    guesses.end(ax, x, 0.7, "you: 70 %")
    assert ax.texts[-1].get_ha() == side and ax.get_lines()[-1].get_marker() == "*"


def test_words_stand_below_what_the_axis_says(ax):
    ax.set_xlabel("weights kept")
    guesses.words(ax, "you: A")
    guesses.words(ax, "you: B")
    assert ax.get_xlabel() == "weights kept\nyou: A\nyou: B"


def test_words_are_no_wider_than_their_axes():
    figure, axes = plt.subplots(1, 3, figsize=(15, 4))
    guesses.words(axes[0], "you: " + "one > " * 12 + "two; measured: two")
    label = axes[0].xaxis.label
    assert label.get_text().endswith("\nmeasured: two") and label.get_text().count("\n") >= 2
    assert label.get_window_extent().width < 1.1 * axes[0].get_window_extent().width
    plt.close(figure)
