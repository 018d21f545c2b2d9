"""The figures of when tickets fail: against the size, against the length of the training, against the iteration k."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, PercentFormatter

from ltcourse.display import alt, plots, sentences
from ltcourse.experiments.runs import Record

STABLE = 0.02  # below this error barrier Frankle et al. 2020, Sec. 2, call two runs one
_POINTS = FuncFormatter(lambda value, _: f"{100 * value:+.0f}" if round(100 * value) else "0")
_APART = 0.07  # of the height of the axes: two lines of text do not touch


def against_dense(curves: Mapping[str, Mapping[float, Sequence[float]]], ax: Axes) -> Axes:
    """Draw accuracy against P_m, one line per method, and write at each end how far it is from the dense network.

    curves: as in `plots.against_density`, each with the dense network at P_m = 1.
    Lesson 04, "A residual network".
    """
    dense = next(iter(curves.values()))[1.0]
    plots.against_density(curves, ax, ylabel="test accuracy", reference={"dense": dense})
    ends = {}
    for method, curve in curves.items():
        last = min(curve)
        change = np.mean([a - b for a, b in zip(curve[last], curve[1.0], strict=True)])
        ends[method] = (last, float(np.mean(curve[last])), f"{100 * change:+.1f} points")
    _label(ax, ends)
    changes = ", ".join(f"{method} {text}" for method, (_, _, text) in ends.items())
    alt.describe(ax, f"{alt.said(ax)} At the last point, minus dense: {changes}.")
    return ax


def gains_by_length(record: Record) -> dict[str, dict[float, list[float]]]:
    """Return how much better than the dense network each method is, by the length of the training, of every seed.

    record: of "lottery-length"; of a run that was stopped, what there is.
    Lesson 04, "When to believe a ticket".
    """
    dense = {(seed, row["length"]): row["test_error"] for seed, row in record.rows("dense")}
    gains: dict[str, dict[float, list[float]]] = {}
    for method in ("rewound", "ticket", "re-initialized"):
        for seed, row in record.rows(method):
            gain = dense[seed, row["length"]] - row["test_error"]
            gains.setdefault(method, {}).setdefault(row["length"], []).append(gain)
    return gains


def against_length(gains: Mapping[str, Mapping[float, Sequence[float]]], ax: Axes) -> Axes:
    """Draw how much better than the dense network each method is, against the length of the training.

    gains: method → iterations → accuracy minus that of the dense network of the same length, one per seed.
    Lesson 04, "When to believe a ticket".
    """
    plots.against(
        gains, ax, xlabel="iterations of every training", ylabel="minus dense (points)", reference={"dense": [0.0]}
    )
    lengths = sorted({length for curve in gains.values() for length in curve})
    ax.set_xticks(lengths, [f"{length:,.0f}" for length in lengths])
    ax.yaxis.set_major_formatter(_POINTS)
    what = "accuracy minus that of the dense network"
    alt.describe(ax, sentences.curves(gains, what, "iterations", say_y=sentences.in_points))
    return ax


def barriers(heights: Mapping[str, Mapping[int, Sequence[float]]], ax: Axes) -> Axes:
    """Draw the error barrier between two runs against the iteration from which they differ, one color per method.

    heights: method → iteration k → one barrier per seed, 0 to 1. The iterations stand at even distances; points are the
    seeds' means, bars their range.
    Source: Frankle et al. 2020, "Linear Mode Connectivity and the Lottery Ticket Hypothesis", Fig. 3 and 5.
    Lesson 04, "Does a ticket win where it is stable?".
    """
    every = sorted({k for curve in heights.values() for k in curve})
    for (method, curve), marker in zip(heights.items(), "so^", strict=False):
        x, color = [every.index(k) for k in curve], plots.COLORS[method]
        mean, low, high = (np.array([of(values) for values in curve.values()]) for of in (np.mean, min, max))
        ax.plot(x, mean, color=color, marker=marker, linestyle=":", label=method)
        ax.vlines(x, low, high, color=color, alpha=0.5)
    ax.axhline(STABLE, color="black", linestyle="--", linewidth=1.5, label="stable below this")
    ax.set_xticks(range(len(every)), [f"{k:,}" for k in every])
    ax.set(xlabel="iteration $k$, from which two runs differ", ylabel="error barrier", ylim=(0, None))
    ax.yaxis.set_major_formatter(PercentFormatter(1))
    ax.legend()
    stable = {"stable below": [STABLE]}
    along = "the iteration k from which two runs differ"
    alt.describe(ax, sentences.curves(heights, "error barrier", along, reference=stable))
    return ax


def _label(ax: Axes, ends: Mapping[str, tuple[float, float, str]]) -> None:
    """Write beside the last point of each line, in its color, from the lowest up and so that no two texts touch."""
    low, high = ax.get_ylim()
    at = -np.inf
    for method, (x, y, text) in sorted(ends.items(), key=lambda item: item[1][1]):
        at = max(y, at + _APART * (high - low))
        ax.annotate(
            text,
            (x, at),
            (12, 0),
            textcoords="offset points",
            va="center",
            color=plots.COLORS[method],
            annotation_clip=False,
        )
