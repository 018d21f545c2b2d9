"""The figures of the course: data in, Axes out. One color per method everywhere, letters that the back row can read."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib as mpl
import numpy as np
import torch
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, PercentFormatter
from torch import Tensor

from ltcourse.data import Dataset, Split
from ltcourse.display import alt, axes, sentences
from ltcourse.display.axes import plain
from ltcourse.display.progress import figures_below_cells
from ltcourse.training import History

# Okabe & Ito's colors, told apart by color-blind eyes and on a bad projector. One a method, in the whole course.
BLUE, ORANGE, GREEN, RED, PURPLE, SKY, YELLOW, GRAY = (
    "#0072B2", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#56B4E9", "#F0E442", "#7F7F7F",
)  # fmt: skip
COLORS = {
    "dense": GRAY,
    "dense, trained on": GRAY,
    "neither": GRAY,
    "magnitude": BLUE,
    "ticket": BLUE,
    "rewound": GREEN,
    "re-initialized": ORANGE,
    "from scratch": ORANGE,
    "from scratch, longer": PURPLE,
    "fine-tuned": GREEN,
    "one shot": PURPLE,
    "iterative": BLUE,
    "not retrained": GRAY,
    "reset at the end": SKY,
    "random": RED,
    "random filters": RED,
    "trained": GRAY,
    "kaiming": BLUE,
    "xavier": ORANGE,
    "signed constant": GREEN,
    "transferred": PURPLE,
    "L2": GREEN,
    "L1": PURPLE,
    "zero": GRAY,
    "too small": PURPLE,
    "too large": RED,
    "magnitude at initialization": SKY,
    "SNIP": ORANGE,
    "GraSP": GREEN,
    "SynFlow": PURPLE,
    "random, ERK": RED,
    "random, uniform": YELLOW,
    "gradual": ORANGE,
    "RigL": PURPLE,
    "rate rewound": SKY,
    "weights rewound": BLUE,
}
LAYERS = (BLUE, ORANGE, GREEN, RED, PURPLE, SKY)
MARKERS = "os^Dvp"
_FEW = 3  # so few measured points are no curve: the line between them is dotted, their ranges are bars and not a band
_THOUSANDS = FuncFormatter(lambda value, _: f"{value:,.0f}")


def use_style() -> None:
    """Set the fonts, sizes and lines of the course for all figures that follow, and show them below their cells.

    Lesson 00, "The data".
    """
    figures_below_cells()
    mpl.rcParams.update(
        {
            "figure.figsize": (9, 4.5),
            "figure.dpi": 80,
            "savefig.dpi": 80,
            "figure.constrained_layout.use": True,
            "font.size": 15,
            "axes.titlesize": 16,
            "axes.labelsize": 15,
            "legend.fontsize": 13,
            "xtick.labelsize": 13,
            "ytick.labelsize": 13,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.grid": True,
            "grid.alpha": 0.3,
            "lines.linewidth": 2.5,
            "lines.markersize": 7,
            "legend.frameon": False,
        }
    )


def examples(data: Dataset, split: Split, columns: int = 12) -> Figure:
    """Show the first examples of each class, one row per class.

    Lesson 00, "The data".
    """
    rows = []
    for label in range(len(data.classes)):
        x = data.pixels(split.x[split.y == label][:columns])
        tiles = torch.nn.functional.pad(x, (1, 1, 1, 1), value=1.0)
        tiles = torch.cat([tiles, tiles.new_ones(columns - len(tiles), *tiles.shape[1:])])  # a class of fewer
        rows.append(torch.cat(list(tiles), dim=2))
    picture = torch.cat(rows, dim=1).permute(1, 2, 0).squeeze(2).cpu().numpy()
    figure, ax = plt.subplots(figsize=(7.5, 6.2))
    ax.imshow(picture, cmap="gray", vmin=0, vmax=1, interpolation="nearest")
    height = picture.shape[0] / len(data.classes)
    ax.set_yticks([height * (i + 0.5) for i in range(len(data.classes))], data.classes)
    ax.set_xticks([])
    ax.grid(False)
    sizes = [len(part) for part in (data.train, data.validation, data.test)]
    ax.set_title("{}: {:,} to train, {:,} to validate, {:,} to test".format(data.name, *sizes))
    for spine in ax.spines.values():
        spine.set_visible(False)
    alt.describe(ax, f"Images, one row per class with its first {columns}: {', '.join(data.classes)}.")
    return figure


def learning_curves(history: History) -> Figure:
    """Draw losses and validation accuracy against iterations, with the early stop marked.

    Lesson 00, "A first network".
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 4.2))
    left.plot(history.iterations, history.train_loss, color=GRAY, marker="o", label="training")
    left.plot(history.iterations, history.validation_loss, color=BLUE, marker="s", label="validation")
    left.axvline(history.early_stop, color=ORANGE, linestyle="--", label="early stop")
    left.set(xlabel="iteration", ylabel="loss (nats)", ylim=(0, None))
    left.legend()
    right.plot(history.iterations, history.validation_accuracy, color=BLUE, marker="s")
    right.set(xlabel="iteration", ylabel="validation accuracy")
    right.yaxis.set_major_formatter(
        PercentFormatter(1, decimals=1 if np.ptp(history.validation_accuracy) > 0.01 else 2)
    )
    for ax in (left, right):
        ax.xaxis.set_major_formatter(_THOUSANDS)
    losses = {"training": history.train_loss, "validation": history.validation_loss}
    said = {name: sentences.by_x(history.iterations, [values]) for name, values in losses.items()}
    stop = f"early stop at iteration {history.early_stop:,}"
    alt.describe(left, f"{sentences.curves(said, 'loss', 'iteration', say_y=sentences.number)[:-1]}; {stop}.")
    alt.describe(right, axes.read(right))
    return figure


def weight_histogram(
    weights: Tensor, ax: Axes, *, cut: float = 0.0, limit: float | None = None, title: str = ""
) -> Axes:
    """Draw how the non-zero weights are spread, those smaller than `cut` in magnitude in another color.

    weights: any shape. cut: a threshold, in the units of the weights. limit: half of the width shown.
    Lesson 01, "Look at the weights".
    """
    values = weights.detach().flatten().cpu().numpy()
    values = values[values != 0]
    if not values.size:
        ax.text(0.5, 0.5, "no weight is left", ha="center", transform=ax.transAxes)
        ax.set(title=title)
        alt.describe(ax, "No weight is left.")
        return ax
    limit = limit or float(np.quantile(np.abs(values), 0.999))
    bins = np.linspace(-limit, limit, 121).tolist()
    # one outline: a bar for each bin would take several times as long to draw, too long under a slider
    ax.hist(values[np.abs(values) >= cut], bins=bins, histtype="stepfilled", color=BLUE, label="kept")
    if cut > 0:
        ax.hist(values[np.abs(values) < cut], bins=bins, histtype="stepfilled", color=ORANGE, label="pruned")
        for x in (-cut, cut):
            ax.axvline(x, color="black", linestyle="--", linewidth=1.5)
        ax.legend(loc="upper right")
    ax.set(xlabel="weight", ylabel="weights", title=title, xlim=(-limit, limit))
    ax.yaxis.set_major_formatter(_THOUSANDS)
    alt.describe(ax, sentences.histogram(values, "weights", cut=cut))
    return ax


def mask_image(mask: Tensor, ax: Axes, title: str = "") -> Axes:
    """Draw a layer's mask as the paper does: one row per neuron, one column per input, dark where a weight is kept.

    mask: (out, in).
    Source: Han et al. 2015, Fig. 4.
    Lesson 01, "Which pixels does it still look at?".
    """
    ax.imshow(
        mask.cpu().numpy(), cmap=ListedColormap(["white", BLUE]), vmin=0, vmax=1, aspect="auto", interpolation="nearest"
    )
    ax.set(xlabel="input pixel, row by row", ylabel="neuron of the first layer", title=title)
    ax.grid(False)
    alt.describe(ax, sentences.mask(mask, "neuron", "input pixels"))
    return ax


def score_histogram(scores: Tensor, ax: Axes, *, kept: int) -> Axes:
    """Draw how the magnitudes of scores are spread, the `kept` largest in another color than those below the cut.

    scores: magnitudes, any shape.
    Lesson 07, "Move k".
    """
    ordered = scores.flatten().sort(descending=True).values.cpu().numpy()
    edges = np.linspace(0, float(ordered[len(ordered) // 500]), 60)
    groups = ((ordered[:kept], BLUE, "kept"), (ordered[kept:], GRAY, "not used"))
    for values, color, label in groups:
        shown, label = np.clip(values, 0, edges[-1]), f"{len(values):,} {label}"
        ax.hist(shown, bins=edges.tolist(), histtype="stepfilled", color=color, alpha=0.8, label=label)
    ax.set(xlabel="|score|", yticks=[], title="its scores", ylim=(0, 1.35 * ax.get_ylim()[1]))
    ax.legend(loc="upper right")
    used = f"the {kept:,} largest of {len(ordered):,} are kept"
    cut = f", those above {sentences.number(float(ordered[kept - 1]))}" if kept else ""
    alt.describe(ax, f"Histogram of the magnitudes of scores: {used}{cut}; the largest is {ordered[0]:.3g}.")
    return ax


def inputs_kept(mask: Tensor, shape: tuple[int, int], ax: Axes, title: str = "") -> Axes:
    """Draw, at each input pixel, how many weights of the first layer still read it.

    mask: (out, height · width).
    Source: Han et al. 2015, Fig. 4, folded back into the image.
    Lesson 01, "Which pixels does it still look at?".
    """
    counts = mask.sum(0).view(shape).cpu().numpy()
    picture = ax.imshow(counts, cmap="viridis", vmin=0)
    ax.set(title=title, xticks=[], yticks=[])
    ax.grid(False)
    bar = ax.figure.colorbar(picture, ax=ax, shrink=0.85)
    bar.set_label("weights kept")
    alt.describe(ax, sentences.pixels(counts, "weights kept"))
    return ax


def against_density(
    curves: Mapping[str, Mapping[float, Sequence[float]]],
    ax: Axes,
    *,
    ylabel: str,
    reference: Mapping[str, Sequence[float]] | None = None,
    shares: bool = True,
    end: float | None = None,
) -> Axes:
    """Draw a number against P_m, one line per method: the mean of the trials, their range as a band.

    curves: method → P_m → the trials' values. reference: name → values of networks that are not pruned, each a dashed
    line. shares: whether the values are shares from 0 to 1 (accuracy, error), or counts. end: the last iteration, for
    curves of early stops. A run whose validation loss was smallest there has no early stop yet: its point is hollow,
    under a "≥". Three points or fewer are joined by a dotted line, with bars in place of the band.
    Lesson 01, "The slides' two rows".
    """
    _density_axis(ax, _lines(curves, ax, reference, end))
    ax.set(ylabel=ylabel)
    ax.yaxis.set_major_formatter(PercentFormatter(1) if shares else _THOUSANDS)
    ax.legend()
    say = sentences.share if shares else sentences.number
    _say(ax, curves, sentences.size, say, falling=True, reference=reference)
    return ax


def against(
    curves: Mapping[str, Mapping[Any, Sequence[float]]],
    ax: Axes,
    *,
    xlabel: str,
    ylabel: str,
    shares: bool = True,
    reference: Mapping[str, Sequence[float]] | None = None,
) -> Axes:
    """Draw numbers, such as accuracies, against shares or names on an even axis, or factors on one that doubles.

    curves: label → x → the trials' values; x is a name, a share where all are from 0 to 1, else a factor. shares,
    reference: as in `against_density`.
    Source: Ramanujan et al. 2020, Fig. 3 and 4.
    Lesson 07, "How many edges?".
    """
    named = all(isinstance(x, str) for curve in curves.values() for x in curve)
    if named:
        ax.xaxis.update_units(sorted({x for curve in curves.values() for x in curve}))
    every = _lines(curves, ax, reference)
    say: sentences.Say = sentences.times
    if named:
        say = str
    elif all(x <= 1 for x in every):
        ax.set_xticks(every, [f"{100 * x:g} %" for x in every])
        say = sentences.size
    else:
        ax.set_xscale("log", base=2)
        ax.set_xticks(every, [f"{x:g}×" for x in every])
        ax.minorticks_off()
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.yaxis.set_major_formatter(PercentFormatter(1) if shares else FuncFormatter(lambda value, _: f"{value:g}"))
    ax.legend()
    _say(ax, curves, say, sentences.share if shares else sentences.number, reference=reference)
    return ax


def against_iterations(
    curves: Mapping[str, Sequence[Mapping[str, Sequence[float]]]],
    ax: Axes,
    *,
    key: str,
    ylabel: str,
    shares: bool = True,
) -> Axes:
    """Draw how a number changed during training, one line per network: the mean of the trials, their range as a band.

    curves: label → one curve per trial, {"iterations": …, key: …}, all of the same iterations. shares: as in
    `against_density`.
    Source: Frankle & Carbin 2019, Fig. 3.
    Lesson 03, "Faster?".
    """
    for i, (label, trials) in enumerate(curves.items()):
        _line_and_band(
            ax, trials[0]["iterations"], list(zip(*(t[key] for t in trials), strict=True)), label, i, marker=""
        )
    ax.set(xlabel="iteration", ylabel=ylabel)
    ax.xaxis.set_major_formatter(_THOUSANDS)
    ax.yaxis.set_major_formatter(PercentFormatter(1) if shares else FuncFormatter(lambda value, _: f"{value:g}"))
    ax.legend()
    each = {plain(label): sentences.by_x(t[0]["iterations"], [one[key] for one in t]) for label, t in curves.items()}
    _say(ax, each, sentences.number, sentences.share if shares else sentences.number)
    return ax


def _say(
    ax: Axes,
    curves: Mapping[str, Mapping[Any, Sequence[float]]],
    say_x: sentences.Say,
    say_y: sentences.Say,
    *,
    falling: bool = False,
    reference: Mapping[str, Sequence[float]] | None = None,
) -> None:
    """Say what curves show, by the labels of the axes."""
    what, along = plain(ax.get_ylabel()), plain(ax.get_xlabel())
    forms: dict[str, Any] = {"say_x": say_x, "say_y": say_y, "falling": falling}
    alt.describe(ax, sentences.curves(curves, what, along, reference=reference, **forms))


def _lines(
    curves: Mapping[str, Mapping[Any, Sequence[float]]],
    ax: Axes,
    reference: Mapping[str, Sequence[float]] | None,
    end: float | None = None,
) -> list[Any]:
    """A line with its band for each of the curves, a dashed line for each reference; return all x in order."""
    for i, (label, points) in enumerate(curves.items()):
        if not (x := sorted(points)):
            continue  # of a run that was stopped before it
        _line_and_band(ax, x, [points[p] for p in x], label, i)
        if end is not None:
            _mark_censored(ax, {p: points[p] for p in x if max(points[p]) >= end})
    for name, values in (reference or {}).items():
        ax.axhline(float(np.mean(values)), color=COLORS.get(name, GRAY), linestyle="--", label=name)
    return sorted({x for points in curves.values() for x in points})


def _line_and_band(
    ax: Axes, x: Sequence[float], values: Sequence[Sequence[float]], label: str, i: int, marker: str | None = None
) -> None:
    """One line: the mean of the trials at each x, and their range as a band; `i` chooses what the label does not."""
    color = COLORS.get(label, LAYERS[i % len(LAYERS)])
    few = len(x) <= _FEW
    marker = MARKERS[i % len(MARKERS)] if marker is None or few else marker
    means, low, high = ([float(of(v)) for v in values] for of in (np.mean, min, max))
    ax.plot(x, means, color=color, marker=marker, linestyle=":" if few else "-", label=label)
    if few:
        ax.vlines(x, low, high, color=color, alpha=0.5)
    else:
        ax.fill_between(x, low, high, color=color, alpha=0.2, linewidth=0)


def _mark_censored(ax: Axes, censored: Mapping[float, Sequence[float]]) -> None:
    """Mark those points of the line that was drawn last which are only known to be at least as large."""
    drawn = ax.get_lines()[-1]
    for x, values in censored.items():
        y, color = float(np.mean(values)), drawn.get_color()
        ax.plot(x, y, color=color, marker=drawn.get_marker(), markerfacecolor="white", label="_censored")
        ax.annotate("≥", (x, y), (0, 7), textcoords="offset points", ha="center", color=color)


def _density_axis(ax: Axes, values: Sequence[float]) -> None:
    """A logarithmic axis of P_m that goes from dense to sparse, with plain percentages."""
    ax.set_xscale("log")
    ax.invert_xaxis()
    low, high = min(values, default=1), max(values, default=1)
    ticks = [t for t in (1, 0.5, 0.2, 0.1, 0.05, 0.02, 0.01) if low * 0.8 <= t <= high * 1.1]
    ax.set_xticks(ticks, [f"{100 * t:g} %" for t in ticks])
    ax.minorticks_off()
    ax.set(xlabel="weights kept, $P_m$ (logarithmic)")


def sensitivity(scan: Mapping[str, Sequence[float]], shares: Sequence[float], ax: Axes, title: str = "") -> Axes:
    """Draw accuracy against the share kept of one layer at a time.

    scan: layer → accuracies, one per share. shares: 0 to 1.
    Source: Han et al. 2015, Fig. 6.
    Lesson 01, "Which layer can spare most?".
    """
    for i, (layer, accuracies) in enumerate(scan.items()):
        ax.plot(
            shares,
            accuracies,
            color=LAYERS[i % len(LAYERS)],
            marker=MARKERS[i % len(MARKERS)],
            linestyle="-" if i < len(LAYERS) else "--",
            label=layer.removesuffix(".weight"),
        )
    ax.invert_xaxis()
    ax.set(xlabel="weights kept of this layer alone", ylabel="validation accuracy", title=title)
    ax.xaxis.set_major_formatter(PercentFormatter(1))
    ax.yaxis.set_major_formatter(PercentFormatter(1))
    ax.legend(loc="lower left")
    each = {layer.removesuffix(".weight"): sentences.by_x(shares, [values]) for layer, values in scan.items()}
    _say(ax, each, sentences.size, sentences.share, falling=True)
    return ax


def along_a_line(errors: Mapping[str, Sequence[Sequence[float]]], ax: Axes, title: str = "") -> Axes:
    """Draw the error between two networks, from one end of the line to the other, for several pairs.

    errors: label → one list of errors per trial, 0 to 1, evenly spaced along the line.
    Source: Frankle et al. 2020, "Linear Mode Connectivity and the Lottery Ticket Hypothesis", Fig. 2.
    Lesson 04, "Do two runs end in the same valley?".
    """
    for i, (label, trials) in enumerate(errors.items()):
        x = np.linspace(0, 1, len(trials[0])).tolist()
        _line_and_band(ax, x, list(zip(*trials, strict=True)), label, i)
    ax.set(xlabel="way from one network to the other", ylabel="test error", title=title)
    ax.set_ylim(0, max(ax.get_ylim()[1], 1.05 * ax.dataLim.y1))  # axes that share theirs show the highest of all
    for axis in (ax.xaxis, ax.yaxis):
        axis.set_major_formatter(PercentFormatter(1))
    ax.legend()
    each = {label: sentences.by_x(np.linspace(0, 1, len(t[0])).tolist(), t) for label, t in errors.items()}
    _say(ax, each, sentences.size, sentences.share)
    return ax


def against_depth(
    curves: Mapping[str, Mapping[int, Sequence[float]]], ax: Axes, *, guess: float | None = None, title: str = ""
) -> Axes:
    """Draw accuracy against the number of layers, one line per method: the mean of the trials, their range as a band.

    curves: method → layers → the trials' values, 0 to 1. guess: what always saying the most frequent class reaches.
    Lesson 06, "Does it train?".
    """
    reference = None if guess is None else {"one class for all": [guess]}
    ax.set_xticks(_lines(curves, ax, reference))
    ax.set(xlabel="layers", ylabel="test accuracy", title=title, ylim=(0, 1.03))
    ax.yaxis.set_major_formatter(PercentFormatter(1))
    ax.legend()
    _say(ax, curves, sentences.number, sentences.share, reference=reference)
    return ax


def transfer_matrix(
    gains: Mapping[tuple[str, str], Sequence[float]], ax: Axes, title: str = "", *, limit: float | None = None
) -> Axes:
    """Draw how much better each source's ticket is at each target than a control: blue better, red worse.

    gains: (source, target) → differences of accuracies, one per seed; a pair that is left out stays white. limit: of
    the colors, by default the largest mean difference. A cell says the mean and the range, in percentage points.
    Source: Morcos et al. 2019 (tickets of several sources at several targets).
    Lesson 05, "The matrix".
    """
    sources, targets = (list(dict.fromkeys(names)) for names in zip(*gains, strict=True))
    means = np.full((len(sources), len(targets)), np.nan)
    for (source, target), values in gains.items():
        means[sources.index(source), targets.index(target)] = np.mean(values)
    limit = limit or float(np.nanmax(np.abs(means))) or 1.0
    ax.imshow(means, cmap="RdBu", vmin=-limit, vmax=limit, aspect="auto")
    for (source, target), values in gains.items():
        at = targets.index(target), sources.index(source)
        color = "white" if abs(np.mean(values)) > 0.6 * limit else "black"
        ends = f"\n{100 * min(values):+.1f} to {100 * max(values):+.1f}" if len(values) > 1 else ""
        ax.text(*at, f"{100 * np.mean(values):+.1f}{ends}", ha="center", va="center", color=color)
    ax.set_xticks(range(len(targets)), targets)
    ax.set_yticks(range(len(sources)), sources)
    ax.set(xlabel="trained on", ylabel="found on", title=title)
    ax.grid(False)
    each = {pair: float(np.mean(values)) for pair, values in gains.items()}
    alt.describe(ax, sentences.cells(each, "found on", "trained on", sentences.in_points))
    return ax
