"""The figure of an ablation draws the means that it is given, and tells what is kept from what is drawn at random."""

import matplotlib as mpl
import pytest
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex

from ltcourse.display import ablations
from ltcourse.experiments.deconstruction import STARTS, named_criteria

CURVES = {start: {0.3: [0.9, 0.8 + 0.01 * i], 0.1: [0.6, 0.7]} for i, start in enumerate(STARTS)}


@pytest.fixture
def ax():
    figure, ax = plt.subplots()
    yield ax
    figure.canvas.draw()
    plt.close("all")


def lines(ax):
    return {line.get_label(): line for line in ax.get_lines()}


def test_each_line_is_the_mean_of_the_trials_from_dense_to_sparse(ax):
    drawn = lines(ablations.against_rounds(CURVES, ax, ylabel="accuracy"))
    assert list(drawn) == list(STARTS)
    for i, line in enumerate(drawn.values()):
        assert list(line.get_ydata()) == pytest.approx([(1.7 + 0.01 * i) / 2, 0.65])
        assert list(line.get_xdata().round()) == [0, 1]
    assert [t.get_text() for t in ax.get_xticklabels()] == ["30.0 %", "10.0 %"]


def test_signs_at_random_have_the_color_of_their_magnitudes_and_another_line(ax):
    drawn = lines(ablations.against_rounds(CURVES, ax, ylabel="accuracy"))
    for magnitudes in ("values", "constant", "redrawn"):
        kept, at_random = drawn[magnitudes], drawn[f"{magnitudes}, random signs"]
        assert kept.get_color() == at_random.get_color()
        assert kept.get_linestyle() == "-" != at_random.get_linestyle()
    assert len({to_hex(drawn[m].get_color()) for m in ("values", "constant", "redrawn")}) == 3


def test_every_criterion_has_a_color_of_its_own(ax):
    names = list(named_criteria({}, 0))
    drawn = lines(ablations.against_rounds({name: {0.3: [0.5]} for name in names}, ax, ylabel="accuracy"))
    assert len({to_hex(line.get_color()) for line in drawn.values()}) == len(names)


def test_every_trial_is_within_the_bar(ax):
    ablations.against_rounds({"values": {0.3: [0.4, 0.9]}}, ax, ylabel="accuracy")
    (bar,) = [c for c in ax.collections if isinstance(c, mpl.collections.LineCollection)]
    assert bar.get_segments()[0][:, 1].tolist() == pytest.approx([0.4, 0.9])
