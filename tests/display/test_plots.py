"""The figures draw the data that they are given, with labels, also at the extremes."""

import dataclasses
import re
import warnings
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pytest
import torch
from matplotlib import pyplot as plt
from matplotlib.colors import to_hex
from outlines import counted

from ltcourse.data import Dataset, Split
from ltcourse.display import alt, layers, plots
from ltcourse.display.layers import layer_sums, weights_and_flop
from ltcourse.instruments.sparsity import Layer
from ltcourse.networks import masks, models
from ltcourse.training import History

LESSONS = Path(__file__).resolve().parents[2] / "lessons"


@pytest.fixture
def ax():
    """Axes on which a warning of matplotlib is an error, and which can be rendered in the end."""
    figure, ax = plt.subplots()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield ax
        figure.canvas.draw()
    plt.close("all")


@pytest.fixture(autouse=True)
def close():
    yield
    plt.close("all")


def texts(ax):
    return [t.get_text() for t in ax.texts]


def legend(ax):
    return [t.get_text() for t in ax.get_legend().get_texts()]


def labeled(ax):
    assert ax.get_xlabel() and ax.get_ylabel(), "an axis has no label"
    return ax


def line(ax, label):
    (found,) = [x for x in ax.get_lines() if x.get_label() == label]
    return found


def histogram(ax, color):
    (outline,) = [p for p in ax.patches if to_hex(p.get_facecolor()) == color.lower()]
    return counted(outline)


# The style


def test_the_style_can_be_read_from_the_back_row():
    with mpl.rc_context():
        plots.use_style()
        for name in ("font.size", "axes.labelsize", "xtick.labelsize", "ytick.labelsize", "legend.fontsize"):
            assert mpl.rcParams[name] >= 13


@pytest.mark.parametrize("lesson", sorted(LESSONS.glob("*.py")), ids=lambda file: file.stem)
def test_a_lesson_draws_in_the_style_and_in_sizes_that_a_slide_can_show(lesson):
    text = lesson.read_text(encoding="utf-8")
    drawn = re.search(r"plt\.|plots\.|widgets\.", text)
    assert not drawn or "\nplots.use_style()\n" in text
    assert "rcParams" not in text and "plt.style" not in text
    assert all(int(size) >= 11 for size in re.findall(r"fontsize=(\d+)", text))
    assert all(float(wide) <= 15 for wide in re.findall(r"figsize=\(([\d.]+)", text)), "its letters shrink on a slide"


def test_colors_are_told_apart():
    assert len(set(plots.LAYERS)) == len(plots.LAYERS)
    for together in (
        ("magnitude", "random", "re-initialized", "dense", "L1", "L2"),
        ("ticket", "rewound", "re-initialized", "random", "dense"),
        ("ticket", "one shot", "reset at the end", "re-initialized"),
        ("fine-tuned", "from scratch", "dense"),
        ("zero", "too small", "xavier", "kaiming", "too large"),
        ("xavier", "kaiming", "signed constant"),
    ):
        assert len({plots.COLORS[m] for m in together}) == len(together)


# Examples


@pytest.mark.parametrize("channels", [1, 3])
def test_examples_shows_the_first_of_each_class(channels):
    y = torch.arange(60) % 3
    x = torch.rand(60, channels, 8, 8)
    split = Split(x, y)
    few = Split(x[:6], y[:6])
    data = Dataset("toys", ("ball", "cube", "ring"), split, few, few, (0.0,) * channels, (1.0,) * channels, "")
    figure = plots.examples(data, split, columns=5)
    (ax,) = figure.axes
    picture = np.asarray(ax.images[0].get_array())
    assert picture.shape == (30, 50, 3)[: 2 if channels == 1 else 3]
    for label in range(3):
        for i in range(5):
            tile = picture[10 * label + 1 : 10 * label + 9, 10 * i + 1 : 10 * i + 9]
            assert np.allclose(tile, x[y == label][i].permute(1, 2, 0).squeeze(2).numpy(), atol=1e-6)
    assert [t.get_text() for t in ax.get_yticklabels()] == ["ball", "cube", "ring"]
    assert ax.get_title() == "toys: 60 to train, 6 to validate, 6 to test"


def test_examples_undoes_the_normalization(clothes):
    figure = plots.examples(clothes, clothes.train, columns=3)
    picture = np.asarray(figure.axes[0].images[0].get_array())
    assert picture.shape == (300, 90) and picture.min() == 0 and picture.max() == 1


def test_examples_shows_fewer_where_there_are_fewer(clothes):
    plots.examples(clothes, Split(clothes.test.x[:45], clothes.test.y[:45]))


# Training


@pytest.mark.parametrize("count", [1, 4])
def test_learning_curves(count):
    history = History(
        [100, 200, 300, 400][:count], [2.0, 1.0, 0.5, 0.2][:count], [2.1, 0.9, 1.0, 1.2][:count], [0.5] * count
    )
    figure = plots.learning_curves(history)
    left, right = map(labeled, figure.axes)
    assert list(line(left, "training").get_ydata()) == history.train_loss
    assert list(line(left, "validation").get_ydata()) == history.validation_loss
    assert list(line(left, "validation").get_xdata()) == history.iterations
    assert set(line(left, "early stop").get_xdata()) == {history.early_stop} == {200 if count > 1 else 100}
    assert list(right.get_lines()[0].get_ydata()) == history.validation_accuracy
    assert set(legend(left)) == {"training", "validation", "early stop"}
    figure.canvas.draw()


def test_learning_curves_of_nothing_say_so():
    with pytest.raises(ValueError, match="train for at least one evaluation"):
        plots.learning_curves(History())


# Weights


def test_weight_histogram_counts_all_weights_on_their_side_of_the_cut(ax):
    weights = (torch.arange(-1000, 1001) / 1000).view(3, 667)
    assert plots.weight_histogram(weights, ax, cut=0.25, limit=1.0, title="fc1") is labeled(ax)
    (at_kept, kept), (at_pruned, pruned) = histogram(ax, plots.BLUE), histogram(ax, plots.ORANGE)
    assert kept.sum() == int((weights.abs() >= 0.25).sum())
    assert pruned.sum() == int((weights.abs() < 0.25).sum()) - 1  # the zero is not drawn
    assert (abs(at_pruned[pruned > 0]) < 0.26).all() and (abs(at_kept[kept > 0]) > 0.24).all()
    assert kept[at_kept > 0.9].sum() == int((weights > 0.9).sum())
    assert [x.get_xdata()[0] for x in ax.get_lines()] == [-0.25, 0.25]
    assert set(legend(ax)) == {"kept", "pruned"}
    assert (ax.get_title(), ax.get_xlim()) == ("fc1", (-1.0, 1.0))


def test_weight_histogram_without_a_cut_is_of_one_color(ax):
    plots.weight_histogram(torch.randn(1000, requires_grad=True), ax)
    assert len(ax.patches) == 1 and not ax.get_lines() and ax.get_legend() is None
    assert 990 <= histogram(ax, plots.BLUE)[1].sum() <= 1000  # its width leaves out a thousandth


@pytest.mark.parametrize("weights", [torch.zeros(5, 4), torch.zeros(0)], ids=["all pruned", "empty"])
def test_weight_histogram_of_nothing_says_so(ax, weights):
    assert plots.weight_histogram(weights, ax, cut=0.1, title="fc1") is ax
    assert texts(ax) == ["no weight is left"]
    assert ax.get_title() == "fc1", "which layer is it?"


def test_weight_histogram_with_all_pruned_and_with_one_weight(ax):
    plots.weight_histogram(torch.tensor([0.5, -0.5]), ax, cut=0.6)
    assert histogram(ax, plots.ORANGE)[1].sum() == 2
    plots.weight_histogram(torch.tensor([0.5]), ax)


def test_mask_image_is_the_mask(ax):
    mask = torch.rand(7, 12) < 0.4
    assert plots.mask_image(mask, ax, "fc1") is labeled(ax)
    assert np.array_equal(np.asarray(ax.images[0].get_array()), mask.numpy())
    assert ax.images[0].get_clim() == (0, 1), "all pruned and all kept must not look alike"
    assert ax.get_title() == "fc1"


@pytest.mark.parametrize("value", [True, False])
def test_mask_image_at_the_extremes(ax, value):
    plots.mask_image(torch.full((3, 4), value), ax)
    shade = ax.images[0].cmap(ax.images[0].norm(float(value)))
    assert to_hex(shade) == (plots.BLUE.lower() if value else "#ffffff")


@pytest.mark.parametrize("density", [0.0, 0.3, 1.0])
def test_inputs_kept_counts_by_pixel(ax, density):
    mask = torch.rand(5, 6, generator=torch.Generator().manual_seed(0)) < density
    assert plots.inputs_kept(mask, (2, 3), ax, "by pixel") is ax
    assert np.array_equal(np.asarray(ax.images[0].get_array()), mask.sum(0).view(2, 3).numpy())
    assert ax.get_title() == "by pixel"
    assert ax.figure.axes[1].get_ylabel() == "weights kept"


# Curves


def test_against_density_draws_means_and_ranges(ax):
    curves = {
        "magnitude": {0.1: [0.02, 0.04], 1.0: [0.01, 0.03], 0.5: [0.02, 0.02], 0.2: [0.02, 0.02]},
        "random": {0.1: [0.2, 0.4], 1.0: [0.01, 0.03], 0.5: [0.1, 0.1], 0.2: [0.1, 0.3]},
    }
    assert plots.against_density(curves, ax, ylabel="test error", reference={"dense": [0.01, 0.02]}) is labeled(ax)
    magnitude = line(ax, "magnitude")
    assert list(magnitude.get_xdata()) == [0.1, 0.2, 0.5, 1.0]
    assert magnitude.get_ydata() == pytest.approx([0.03, 0.02, 0.02, 0.02])
    assert magnitude.get_color() == plots.COLORS["magnitude"]
    assert line(ax, "random").get_ydata() == pytest.approx([0.3, 0.2, 0.1, 0.02])
    assert list(line(ax, "dense").get_ydata()) == pytest.approx([0.015] * 2)
    band = ax.collections[1].get_paths()[0].vertices
    assert (band[:, 1].min(), band[:, 1].max()) == (0.01, 0.4)
    assert legend(ax) == ["magnitude", "random", "dense"]
    assert ax.get_xscale() == "log" and ax.xaxis_inverted(), "from dense to sparse"
    assert [t.get_text() for t in ax.get_xticklabels()] == ["100 %", "50 %", "20 %", "10 %"]
    assert (ax.get_ylabel(), "$P_m$" in ax.get_xlabel()) == ("test error", True)


@pytest.mark.parametrize("points", [{1.0: [0.02]}, {1.0: [0.02], 0.001: [0.9]}], ids=["dense only", "very sparse"])
def test_against_density_of_one_trial(ax, points):
    plots.against_density({"a new method": points}, ax, ylabel="error")
    assert list(line(ax, "a new method").get_ydata()) == [points[p][0] for p in sorted(points)]
    assert ax.get_xticks()[0] == 1
    ax.figure.canvas.draw()
    low, high = sorted(ax.get_xlim())
    assert low <= min(points) and high >= 1


def many(count):
    """As many measured points, by x, of two trials each."""
    return {2.0**-i: [0.1 * i, 0.1 * i + 0.2] for i in range(count)}


def over_time(count):
    """The same, as curves over iterations."""
    x = range(1, count + 1)
    return [{"iterations": list(x), "error": [0.1 * i + more for i in x]} for more in (0, 0.2)]


DRAWN = {  # each figure that joins measured points, of one method with as many points
    "against_density": lambda ax, n: plots.against_density({"a": many(n)}, ax, ylabel="error"),
    "against": lambda ax, n: plots.against({"a": many(n)}, ax, xlabel="k", ylabel="accuracy"),
    "against_iterations": lambda ax, n: plots.against_iterations({"a": over_time(n)}, ax, key="error", ylabel="e"),
    "against_depth": lambda ax, n: plots.against_depth({"a": {i: [0.1, 0.2] for i in range(n)}}, ax),
    "along_a_line": lambda ax, n: plots.along_a_line({"a": [[0.1] * n, [0.2] * n]}, ax),
}


@pytest.mark.parametrize("figure", DRAWN)
@pytest.mark.parametrize("count", [1, 2, 3, 4, 9])
def test_two_or_three_measured_points_are_no_curve(ax, figure, count):
    DRAWN[figure](ax, count)
    drawn = line(ax, "a")
    (spread,) = ax.collections
    if count <= 3:
        assert drawn.get_linestyle() == ":" and drawn.get_marker() not in ("", "None"), "each point is seen"
        low, high = zip(*(sorted(bar[:, 1]) for bar in spread.get_segments()), strict=True)
        assert len(low) == count and all(a <= y <= b for a, y, b in zip(low, drawn.get_ydata(), high, strict=True))
    else:
        assert drawn.get_linestyle() == "-" and len(spread.get_paths()) == 1, "a band"


@pytest.mark.parametrize(
    ("stops", "censored"),
    [
        ({1.0: [2_800], 0.2: [1_300], 0.03: [20_000]}, [0.03]),
        ({1.0: [2_800, 20_000], 0.2: [1_300, 900], 0.1: [800, 900], 0.03: [20_000, 20_000]}, [0.03, 1.0]),
        ({1.0: [19_900], 0.2: [100]}, []),
    ],
    ids=["at the end", "one trial of two", "none"],
)
def test_an_early_stop_at_the_end_of_the_run_is_marked_as_at_least_that(ax, stops, censored):
    plots.against_density({"random": stops}, ax, ylabel="early stop", shares=False, end=20_000)
    hollow = [x for x in ax.get_lines() if x.get_markerfacecolor() == "white"]
    assert [x.get_xdata()[0] for x in hollow] == censored
    assert [x.get_ydata()[0] for x in hollow] == [np.mean(stops[p]) for p in censored]
    assert texts(ax) == ["≥"] * len(censored) and legend(ax) == ["random"]


def test_methods_without_a_color_of_their_own_get_different_ones(ax):
    plots.against_density({f"method {i}": {1.0: [0.1], 0.5: [0.2]} for i in range(6)}, ax, ylabel="error")
    assert len({x.get_color() for x in ax.get_lines()}) == 6


def test_against_density_of_counts(ax):
    labeled(plots.against_density({"ticket": {1.0: [7_400], 0.2: [4_500]}}, ax, ylabel="early stop", shares=False))
    assert ax.yaxis.get_major_formatter()(7_400, 0) == "7,400"


@pytest.mark.parametrize(
    ("xs", "labels"), [((0.1, 0.5, 0.9), ["10 %", "50 %", "90 %"]), ((0.25, 1, 4), ["0.25×", "1×", "4×"])]
)
def test_against_draws_shares_and_factors_with_a_tick_for_each(ax, xs, labels):
    curves = {"kaiming": {x: [0.1 * i, 0.1 * i + 0.2] for i, x in enumerate(reversed(xs))}, "xavier": {xs[0]: [0.5]}}
    assert plots.against(curves, ax, xlabel="weights kept", ylabel="accuracy", reference={"trained": [0.9, 0.7]}) is ax
    kaiming, xavier, trained = ax.get_lines()
    assert list(kaiming.get_xdata()) == list(xs) and list(kaiming.get_ydata()) == pytest.approx([0.3, 0.2, 0.1])
    assert list(xavier.get_xdata()) == [xs[0]]
    assert trained.get_ydata()[0] == pytest.approx(0.8) and trained.get_linestyle() == "--"
    assert [t.get_text() for t in ax.get_xticklabels()] == labels
    assert (ax.get_xscale() == "log") == (xs[-1] > 1)
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["kaiming", "xavier", "trained"]


@pytest.mark.parametrize("kept", [0, 1, 300, 1_000])
def test_score_histogram_counts_the_kept_and_the_others(ax, kept):
    scores = torch.rand(1_000, generator=torch.Generator().manual_seed(0))
    assert plots.score_histogram(scores, ax, kept=kept) is ax
    counts = [counted(outline)[1].sum() for outline in ax.patches]
    assert counts == [kept, 1_000 - kept], "none is left out, the few largest neither"
    assert [t.get_text() for t in ax.get_legend().get_texts()] == [f"{kept:,} kept", f"{1_000 - kept:,} not used"]


def test_against_iterations_draws_means_and_ranges(ax):
    at = [100, 200, 300, 400]
    trials = [{"iterations": at, "error": [0.2, 0.1, 0.1, 0.1]}, {"iterations": at, "error": [0.4, 0.3, 0.1, 0.1]}]
    curves = {"ticket": trials, "another": trials[:1]}
    labeled(plots.against_iterations(curves, ax, key="error", ylabel="validation error"))
    assert legend(ax) == ["ticket", "another"]
    drawn = line(ax, "ticket")
    assert list(drawn.get_xdata()) == at and list(drawn.get_ydata()) == pytest.approx([0.3, 0.2, 0.1, 0.1])
    assert drawn.get_marker() in ("", "None"), "of so many evaluations each would hide the line"
    assert drawn.get_color() == plots.COLORS["ticket"] != line(ax, "another").get_color()
    band = ax.collections[0].get_paths()[0].vertices
    assert {(100, 0.2), (100, 0.4), (200, 0.1), (200, 0.3)} <= {(x, round(y, 6)) for x, y in band.tolist()}
    assert ax.xaxis.get_major_formatter()(1_500, 0) == "1,500"
    assert isinstance(ax.yaxis.get_major_formatter(), plots.PercentFormatter)


def test_along_a_line_goes_from_one_end_to_the_other(ax):
    labeled(
        plots.along_a_line({"k = 0": [[0.1, 0.5, 0.2], [0.2, 0.7, 0.2]], "k = 50": [[0.1, 0.1, 0.1]]}, ax, "ResNet")
    )
    drawn = line(ax, "k = 0")
    assert list(drawn.get_xdata()) == [0, 0.5, 1] and list(drawn.get_ydata()) == pytest.approx([0.15, 0.6, 0.2])
    assert legend(ax) == ["k = 0", "k = 50"] and ax.get_title() == "ResNet" and ax.get_ylim()[0] == 0


@pytest.mark.parametrize("highest", [(0.03, 0.6), (0.6, 0.03)])
def test_lines_on_axes_that_share_theirs_are_all_seen(highest):
    figure, axes = plt.subplots(1, 2, sharey=True)
    for ax, top in zip(axes, highest, strict=True):
        plots.along_a_line({"k = 0": [[0.0, top, 0.01]]}, ax)
    assert all(ax.get_ylim()[0] == 0 and 0.6 < ax.get_ylim()[1] < 0.7 for ax in axes)
    plt.close(figure)


@pytest.mark.parametrize("network", ["lenet-300-100", "lenet-5", "conv-6", "conv-8"])
def test_sensitivity_draws_a_line_a_layer(ax, network):
    layers = list(masks.dense(models.create(network, device="meta")))
    shares = [1.0, 0.5, 0.1]
    scan = {name: [0.9, 0.8 - 0.01 * i, 0.3] for i, name in enumerate(layers)}
    assert plots.sensitivity(scan, shares, ax, "a network") is labeled(ax)
    for name in layers:
        drawn = line(ax, name.removesuffix(".weight"))
        assert list(drawn.get_xdata()) == shares and list(drawn.get_ydata()) == scan[name]
    looks = {(x.get_color(), x.get_marker(), x.get_linestyle()) for x in ax.get_lines()}
    assert len(looks) == len(layers), "two layers look the same"
    assert ax.xaxis_inverted() and ax.get_title() == "a network"
    assert legend(ax) == [name.removesuffix(".weight") for name in layers]


@pytest.mark.parametrize("back", [False, True])
@pytest.mark.parametrize(("into", "out"), [(6, 4), (1, 1), (2, 7)])
def test_layer_sums_marks_what_one_neuron_adds_up(ax, into, out, back):
    assert layer_sums(into, out, ax, back=back) is ax
    color = plots.ORANGE if back else plots.BLUE
    lines = ax.get_lines()
    used = [x for x in lines if x.get_color() == color]
    assert len(lines) == into * out and len(used) == (out if back else into)
    end = 0 if back else 1
    assert len({x.get_ydata()[end] for x in used}) == 1, "all of them meet in one neuron"
    assert len({x.get_ydata()[1 - end] for x in used}) == len(used)
    assert f"= {out if back else into} products" in ax.get_title()
    assert any(f"= {into}" in t for t in texts(ax)) and any(f"= {out}" in t for t in texts(ax))


def test_through_layers_draws_the_geometric_mean_and_the_range(ax):
    curves = {"kaiming": [[1.0, 1.0, 1.0], [1.0, 4.0, 16.0]], "other": [[2.0, 2.0, 2.0]]}
    assert labeled(layers.through_layers(curves, ax, ylabel="spread", title="t")) is ax
    assert ax.get_yscale() == "log" and legend(ax) == ["kaiming", "other"] and ax.get_title() == "t"
    drawn = line(ax, "kaiming")
    assert list(drawn.get_xdata()) == [0, 1, 2] and drawn.get_ydata() == pytest.approx([1, 2, 4])
    assert drawn.get_color() == plots.COLORS["kaiming"]
    band = ax.collections[0].get_paths()[0].vertices[:, 1]
    assert (band.min(), band.max()) == (1, 16)


def test_through_layers_says_what_is_exactly_zero(ax):
    layers.through_layers({"zero": [[1.0, 0.0, 0.0]], "xavier": [[1.0, 1e-30, 1e30]]}, ax, ylabel="spread")
    assert legend(ax) == ["zero (exactly 0)", "xavier"]
    drawn = line(ax, "zero (exactly 0)").get_ydata()
    assert drawn[0] == pytest.approx(1) and np.isnan(drawn[1:]).all()


def test_through_layers_can_do_without_a_legend(ax):
    layers.through_layers({"xavier": [[1.0, 1.0]]}, ax, ylabel="spread", legend=False)
    assert ax.get_legend() is None


def test_against_depth_draws_means_and_ranges(ax):
    curves = {"xavier": {5: [0.9, 0.8], 30: [0.1, 0.1]}, "kaiming": {5: [0.9, 0.9], 30: [0.3, 0.7]}}
    assert labeled(plots.against_depth(curves, ax, guess=0.11)) is ax
    assert legend(ax) == ["xavier", "kaiming", "one class for all"]
    assert list(ax.get_xticks()) == [5, 30]
    for method, points in curves.items():
        assert line(ax, method).get_ydata() == pytest.approx([np.mean(v) for v in points.values()])
    assert line(ax, "one class for all").get_ydata()[0] == 0.11


def test_no_figure_function_needs_a_screen_or_shows_itself(monkeypatch, clothes):
    monkeypatch.setattr(plt, "show", lambda *given, **named: pytest.fail("a figure showed itself"))
    plots.examples(dataclasses.replace(clothes), clothes.train, columns=2)
    plots.learning_curves(History([1], [1.0], [1.0], [0.1]))


def test_weights_and_flop_are_drawn_as_shares_of_the_whole(ax):
    layers = [Layer("conv1.weight", (2, 1, 1, 1), 2, 2, 80, 80, None), Layer("fc1.weight", (2, 3), 6, 6, 20, 20, None)]
    assert weights_and_flop(layers, ax, "a title") is ax
    widths = [[bar.get_width() for bar in bars] for bars in ax.containers]
    assert widths == [[0.25, 0.75], [0.8, 0.2]]
    assert [t.get_text() for t in ax.get_yticklabels()] == ["conv1", "fc1"]
    assert [t.get_text() for t in ax.get_legend().get_texts()] == ["of the weights", "of the FLOP"]
    assert ax.get_xlabel() and ax.get_title() == "a title"


def test_names_stand_on_an_even_axis_and_in_the_alt_text(ax):
    curves = {"kaiming": {"Conv-2": [0.75, 0.77], "Conv-8": [0.87]}, "trained": {"Conv-2": [0.79], "Conv-4": [0.86]}}
    plots.against(curves, ax, xlabel="network", ylabel="test accuracy")
    ax.figure.canvas.draw()
    assert [label.get_text() for label in ax.get_xticklabels()] == ["Conv-2", "Conv-4", "Conv-8"]
    assert "kaiming 76.0 % at Conv-2, 87.0 % at Conv-8" in alt.of(ax.figure)
