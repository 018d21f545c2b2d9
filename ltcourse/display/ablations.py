"""The figures of an ablation of tickets: a color for what is kept, broken lines where the signs are drawn at random."""

from collections.abc import Mapping, Sequence
from statistics import fmean

from matplotlib.axes import Axes
from matplotlib.ticker import PercentFormatter

from ltcourse.display import alt, sentences
from ltcourse.display.axes import plain
from ltcourse.display.plots import BLUE, GRAY, GREEN, ORANGE, PURPLE, RED, SKY

COLORS = {
    "large final": BLUE,
    "large final, same sign": SKY,
    "magnitude increase": GREEN,
    "movement": PURPLE,
    "small final": GRAY,
    "random": RED,
    "values": BLUE,
    "constant": GREEN,
    "redrawn": ORANGE,
}
_LINES = {"random signs": (0, (4, 2)), "all positive": (0, (1, 1.5))}


def against_rounds(
    curves: Mapping[str, Mapping[float, Sequence[float]]],
    ax: Axes,
    *,
    ylabel: str,
    title: str = "",
) -> Axes:
    """Draw shares, such as accuracies, at the few densities of a search in rounds: the mean of the trials, and all.

    curves: label → P_m → the trials' values; the words behind the last comma choose the kind of line. The rounds are
    evenly spaced.
    Source: Zhou et al. 2019, Sec. 2 and 3.
    Lesson 07, "Values or signs?".
    """
    densities = sorted({d for points in curves.values() for d in points}, reverse=True)
    for i, (label, points) in enumerate(curves.items()):
        name, _, how = label.rpartition(", ")
        known = label in COLORS
        color, line = COLORS[label if known else name], "-" if known else _LINES[how]
        x = [densities.index(d) + 0.04 * (i - (len(curves) - 1) / 2) for d in points]  # beside each other
        ax.plot(x, [fmean(v) for v in points.values()], color=color, linestyle=line, marker="o", label=label)
        for place, values in zip(x, points.values(), strict=True):
            ax.vlines(place, min(values), max(values), color=color, linewidth=1.5)
    ax.set_xticks(range(len(densities)), [f"{100 * d:.1f} %" for d in densities])
    ax.set(xlabel="weights kept, $P_m$", ylabel=ylabel, title=title)
    ax.yaxis.set_major_formatter(PercentFormatter(1))
    along = plain(ax.get_xlabel())
    alt.describe(ax, sentences.curves(curves, ylabel, along, say_x=sentences.size, falling=True))
    return ax
