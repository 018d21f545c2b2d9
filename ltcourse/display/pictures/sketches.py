"""Drawn from formulas: two valleys and the line between them (04), the step and its stand-in, the subset sums (07)."""

from typing import Any

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from torch import Tensor

from ltcourse.display.pictures.frames import HEAD, NOTE, TEXT, Frames, blank, head, ink, mixed, note, paper
from ltcourse.display.plots import BLUE, GRAY, GREEN, ORANGE, RED
from ltcourse.instruments import subset_sum
from ltcourse.quantities import seeded

_BEGIN = (-0.12, 1.9)  # of both runs
_KICKS = ((-0.35, 0.05), (0.3, -0.1))  # what another order of the examples does to each
_TOGETHER = {"early": 0, "late": 160}  # steps before they part
_LABEL: dict[str, Any] = {"fontsize": TEXT, "fontweight": "bold"}
_LOW = 0.43  # the loss at which a run ends


def loss(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return the loss of the sketch at a point: a bowl with two valleys in it, at the left and at the right.

    Lesson 04, "Do two runs end in the same valley?".
    """
    left, right = ((x + 1.3) ** 2 + (y + 0.4) ** 2), ((x - 1.3) ** 2 + (y + 0.5) ** 2)
    return np.asarray(1.15 + 0.1 * (x**2 + y**2) - np.exp(-left / 0.7) - np.exp(-right / 0.7))


def descent(start: tuple[float, float]) -> np.ndarray:
    """Return the points through which gradient descent on `loss` goes from a start to the floor, (steps, 2).

    Lesson 04, "Do two runs end in the same valley?".
    """
    point, way, h = np.array(start, dtype=float), [np.array(start, dtype=float)], 1e-4
    while loss(*point) > _LOW and len(way) < 1000:
        x, y = point
        slope = [loss(x + h, y) - loss(x - h, y), loss(x, y + h) - loss(x, y - h)]
        point = point - 0.04 * np.array(slope) / (2 * h)
        way.append(point)
    return np.array(way)


def _runs(part: str) -> tuple[np.ndarray, list[np.ndarray]]:
    """What two runs have in common, and where each goes from there."""
    common = descent(_BEGIN)[: _TOGETHER[part] + 1]
    fork = common[-1]
    apart = [np.vstack([fork, descent((fork[0] + x, fork[1] + y))]) for x, y in _KICKS]
    return common, apart


def valleys() -> Frames:
    """Return two runs in a landscape with two valleys, the straight line between their ends, and the barrier on it.

    A sketch: the landscape is a formula of two weights, `loss`, and the runs are gradient descent on it.
    Source: Frankle et al. 2020, "Linear Mode Connectivity and the Lottery Ticket Hypothesis", Fig. 1.
    Lesson 04, "Do two runs end in the same valley?".
    """
    said = (
        ("early", "Two runs part early, and end in two valleys"),
        ("early", "The straight line between them climbs over a barrier"),
        ("late", "Two runs part later, and end in one valley"),
        ("late", "The straight line between them stays low: stable"),
    )

    def paint(number: int, figure: Figure) -> None:
        which, words = said[number]
        head(figure, words)
        common, ways = _runs(which)
        _landscape(figure.add_axes((0.05, 0.15, 0.5, 0.73)), common, ways, line=number % 2 == 1)
        if number % 2 == 1:
            _profile(figure.add_axes((0.62, 0.22, 0.34, 0.6)), ways)
        note(figure, "A sketch: the landscape is a formula of two weights.", 0.05, 0.04, "left")

    labels = ("0: two valleys", "1: the barrier", "2: one valley", "3: no barrier")

    def says(number: int) -> str:
        which, words = said[number]
        _, heights, barrier = _on_the_line(_runs(which)[1])
        rises = f"rises from {heights[0]:.2f} to {heights.max():.2f}" if barrier > 0.05 else "does not rise"
        on_it = f" On it the loss {rises}."
        return f"{words}, in a landscape that is a formula of two weights.{on_it if number % 2 else ''}"

    return Frames(labels, paint, (1, 3), says)


def _on_the_line(ways: list[np.ndarray]) -> tuple[np.ndarray, np.ndarray, float]:
    """Points on the straight line between the ends of two runs, the loss at each, and how far it rises."""
    t = np.linspace(0, 1, 101)
    ends = [way[-1] for way in ways]
    heights = loss(*(np.outer(1 - t, ends[0]) + np.outer(t, ends[1])).T)
    return t, heights, float(heights.max() - (heights[0] + heights[-1]) / 2)


def _landscape(ax: Axes, common: np.ndarray, ways: list[np.ndarray], line: bool) -> None:
    x, y = np.meshgrid(np.linspace(-2.6, 2.6, 70), np.linspace(-1.5, 2.1, 60))
    shades = LinearSegmentedColormap.from_list("depth", [mixed(0.75, BLUE), mixed(0.25, BLUE), paper()])
    levels = np.linspace(0.3, 2, 15)
    ax.contourf(x, y, loss(x, y), levels=levels, cmap=shades, extend="max")
    ax.contour(x, y, loss(x, y), levels=levels, colors=mixed(0.3), linewidths=0.6)
    ax.plot(*common.T, color=ink(), linewidth=3)
    ax.plot(*common[0], "o", color=ink(), markersize=9)
    for way, color, name, aside in zip(ways, (ORANGE, GREEN), ("θ₁", "θ₂"), (-0.28, 0.28), strict=True):
        ax.plot(*way.T, color=color, linewidth=3.5)
        ax.plot(*way[-1], "o", color=color, markersize=13, markeredgecolor=ink(), markeredgewidth=1.6, zorder=4)
        ax.text(way[-1][0] + aside, way[-1][1] - 0.12, name, ha="center", va="center", fontsize=HEAD, color=ink())
    if line:
        ax.plot(*np.array([way[-1] for way in ways]).T, color=ink(), linewidth=2.5, linestyle="--", zorder=3)
    ax.set(xticks=[], yticks=[])
    ax.set_xlabel("one weight", fontsize=NOTE)
    ax.set_ylabel("another weight", fontsize=NOTE)
    ax.grid(False)


def _profile(ax: Axes, ways: list[np.ndarray]) -> None:
    t, heights, barrier = _on_the_line(ways)
    ax.plot(t, heights, color=ink(), linestyle="--", linewidth=2.5)
    ax.plot(0, heights[0], "o", color=ORANGE, markersize=13, markeredgecolor=ink(), zorder=4)
    ax.plot(1, heights[-1], "o", color=GREEN, markersize=13, markeredgecolor=ink(), zorder=4)
    top, base = int(heights.argmax()), (heights[0] + heights[-1]) / 2
    if barrier > 0.05:
        ax.hlines(base, 0, 1, color=mixed(0.5), linestyle=":", linewidth=1.5)
        ax.annotate(
            "", (t[top], heights[top]), (t[top], base), arrowprops={"arrowstyle": "<|-|>", "color": RED, "lw": 3}
        )
        ax.text(t[top], heights[top] + 0.1, "error barrier", color=RED, fontsize=TEXT, fontweight="bold", ha="center")
    else:
        ax.text(0.5, base + 0.16, "no barrier", color=GREEN, fontsize=TEXT, fontweight="bold", ha="center")
    ax.set(ylim=(0, 1.5), xticks=[0, 1], yticks=[], xlim=(-0.08, 1.08))
    ax.set_xticklabels(["θ₁", "θ₂"], fontsize=TEXT)
    ax.set_xlabel("on the straight line", fontsize=NOTE)
    ax.set_ylabel("loss", fontsize=NOTE)
    ax.grid(False)


def straight_through() -> Frames:
    """Return the step from a score to the mask, its slope of 0, and the straight line that stands in for it backward.

    Source: Bengio, Léonard & Courville 2013; Ramanujan et al. 2020, Sec. 3.
    Lesson 07, "Edge-popup by hand".
    """
    said = (
        "Forward: an edge is used, or it is not",
        "The slope of a step is 0: no score would ever move",
        "Backward, a straight line stands in for the step",
    )

    def paint(number: int, figure: Figure) -> None:
        head(figure, said[number])
        left = _step_axes(figure, 0.07, "forward: the mask")
        left.plot([0, 1], [0, 0], color=BLUE, linewidth=4)
        left.plot([1, 2], [1, 1], color=BLUE, linewidth=4)
        left.plot([1, 1], [0, 1], color=BLUE, linewidth=1.5, linestyle=":")
        left.text(1.55, 1.08, "mask", color=BLUE, ha="center", **_LABEL)
        if not number:
            return
        right = _step_axes(figure, 0.57, "backward: its slope")
        right.plot([0, 2], [0, 0], color=BLUE, linewidth=4)
        right.text(0.55, 0.09, "slope of the step", color=BLUE, ha="center", **_LABEL)
        if number == 2:
            left.plot([0, 2], [0, 2], color=ORANGE, linewidth=4, linestyle="--", zorder=1)
            left.text(0.08, 1.2, "stand-in: |score|", color=ORANGE, **_LABEL)
            right.plot([0, 2], [1, 1], color=ORANGE, linewidth=4, linestyle="--")
            right.text(1, 1.09, "slope of the stand-in: 1", color=ORANGE, ha="center", **_LABEL)

    def says(number: int) -> str:
        parts = (
            "the mask is 0 below the threshold and 1 above it",
            "its slope is 0 on both sides",
            "the stand-in is the line |score|, with the slope 1 everywhere",
        )
        return f"{said[number]}: {'; '.join(parts[: number + 1])}."

    return Frames(("0: the step", "1: its slope", "2: the stand-in"), paint, (2,), says)


def _step_axes(figure: Figure, left: float, title: str) -> Axes:
    ax = figure.add_axes((left, 0.2, 0.4, 0.6))
    ax.set_title(title, fontsize=TEXT, color=ink(), pad=12)
    ax.set(xlim=(0, 2), ylim=(-0.12, 1.6), xticks=[1], yticks=[0, 1])
    ax.set_xticklabels(["threshold"], fontsize=NOTE)
    ax.set_yticklabels(["0", "1"], fontsize=NOTE)
    ax.set_xlabel("|score|", fontsize=NOTE)
    ax.grid(False)
    return ax


def subset_sums(target: float = 0.62, most: int = 10, seed: int = 6) -> Frames:
    """Return a weight that is built from random ones: n paths through hidden neurons, of which the best sum is kept.

    target: the weight. most: paths, at most `subset_sum.MOST`; they are uniform on [−1, 1]. seed: of the paths. Which
    are kept is computed by `subset_sum.closest`.
    Source: Pensia et al. 2020, "Optimal Lottery Tickets via SubsetSum", Sec. 3.
    Lesson 07, "Why should there be one?".
    """
    every = 2 * torch.rand(most, generator=seeded(seed)) - 1
    counts = range(1, most + 1)
    chosen = [subset_sum.closest(torch.tensor([target]), every[None, :n])[0] for n in counts]

    def paint(number: int, figure: Figure) -> None:
        paths, kept = every[: counts[number]], chosen[number]
        total = float(paths[kept].sum())
        head(
            figure, f"{len(paths)} random path{'s' if len(paths) > 1 else ''}, {2 ** len(paths):,} sums to choose from"
        )
        _gadget(blank(figure, 0.03, 0.1, 0.5, 0.76), paths, kept)
        ax = figure.add_axes((0.64, 0.2, 0.32, 0.64))
        _sum(ax, paths[kept], target)
        ax.set_title(
            f"sum {_signed(total, 3)}, error {abs(total - target):.3f}", fontsize=TEXT, fontweight="bold", color=ink()
        )

    def says(number: int) -> str:
        paths, kept = every[: counts[number]], chosen[number]
        total = float(paths[kept].sum())
        sums = f"{int(kept.sum())} of {len(paths)} random paths kept, their sum is {_signed(total, 3)}"
        return f"The weight to build is {_signed(target, 2)}: {sums}, error {abs(total - target):.3f}."

    names = tuple(f"{n} path{'s' if n > 1 else ''}" for n in counts)
    return Frames(names, paint, (0, 2, 4, most - 1), says)


def _gadget(ax: Axes, paths: Tensor, kept: Tensor) -> None:
    """An input, a hidden neuron for each path, an output; the paths that are kept are colored by their sign."""
    heights = np.linspace(1, -1, len(paths)) if len(paths) > 1 else np.zeros(1)
    for value, used, y in zip(paths.tolist(), kept.tolist(), heights, strict=True):
        color = (BLUE if value > 0 else ORANGE) if used else mixed(0.3)
        wide, style = (1.5 + 5 * abs(value), "-") if used else (1.2, ":")
        ax.plot([0, 1, 2], [0, y, 0], color=color, linewidth=wide, linestyle=style, zorder=1, solid_joinstyle="round")
        neuron = {"boxstyle": "round,pad=0.25", "facecolor": paper(), "edgecolor": color, "linewidth": 1.6}
        ax.text(
            1,
            y,
            _signed(value, 2),
            ha="center",
            va="center",
            fontsize=NOTE,
            color=ink() if used else mixed(0.55),
            zorder=4,
            fontweight="bold" if used else "normal",
            bbox=neuron,
        )
    ax.scatter([0, 2], [0, 0], s=190, color=paper(), edgecolors=ink(), linewidths=1.6, zorder=3)
    ax.text(-0.08, 0, "input", ha="right", va="center", fontsize=NOTE, color=ink())
    ax.text(2.08, 0, "output", ha="left", va="center", fontsize=NOTE, color=ink())
    ax.set(xlim=(-0.35, 2.42), ylim=(-1.12, 1.25))


def _sum(ax: Axes, parts: Tensor, target: float) -> None:
    """The kept paths as arrows, one beginning where the other ends, beside the weight that they are to add up to."""
    at, left = 0.0, sorted(parts.tolist())
    for i in range(len(left)):
        value = left.pop(-1 if at < target / 2 or left[0] > 0 else 0)  # up and down in turn: the sums stay in sight
        color = BLUE if value > 0 else ORANGE
        ax.annotate(
            "",
            (i + 0.5, at + value),
            (i + 0.5, at),
            arrowprops={"arrowstyle": "-|>", "color": color, "lw": 5, "shrinkA": 0, "shrinkB": 0},
        )
        at += value
        ax.plot([i + 0.5, i + 1.5], [at, at], color=mixed(0.4), linewidth=1, zorder=1)
    ax.axhline(target, color=RED, linewidth=2.5, linestyle="--")
    ax.text(
        7.9, target + 0.04, f"the weight: {_signed(target, 2)}", color=RED, fontsize=NOTE, fontweight="bold", ha="right"
    )
    ax.axhline(0, color=GRAY, linewidth=1)
    ax.set(xlim=(0, 8), ylim=(-0.3, 1.3), xticks=[], yticks=[0, 1])
    ax.set_yticklabels(["0", "1"], fontsize=NOTE)
    ax.grid(False)


def _signed(value: float, digits: int) -> str:
    return f"{value:+.{digits}f}".replace("-", "−")
