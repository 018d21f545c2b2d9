"""Drawings of networks so small that every edge can be seen: neurons, the edges in use, and the others."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from torch import Tensor

from ltcourse.display import alt, sentences
from ltcourse.display.pictures.frames import NOTE, ink, mixed, note, paper
from ltcourse.display.plots import BLUE, GRAY, GREEN, ORANGE

POSITIVE, NEGATIVE, CAME = BLUE, ORANGE, GREEN  # what a color of an edge says, in every picture
_WIDEST, _LEAST, _GHOST = 6.5, 0.9, 0.8  # points

Line = tuple[tuple[float, float], tuple[float, float]]


@dataclass
class _Lines:
    """The edges of one kind: where they run, how wide they are, their colors."""

    order: float
    dashes: tuple[float, ...] = ()
    alpha: float = 1.0
    where: list[Line] = field(default_factory=list)
    widths: list[float] = field(default_factory=list)
    colors: list[str] = field(default_factory=list)

    def add(self, line: Line, width: float, color: str) -> None:
        self.where.append(line)
        self.widths.append(width)
        self.colors.append(color)


def edges(
    weights: Sequence[Tensor],
    ax: Axes,
    *,
    kept: Sequence[Tensor] | None = None,
    before: Sequence[Tensor] | None = None,
    shadow: Sequence[Tensor] | None = None,
    largest: float | None = None,
    outputs: Sequence[str] = (),
    quarters: bool = False,
    title: str = "",
) -> Axes:
    """Draw a network of dense layers from left to right: an edge in use is blue if its weight is positive, else orange.

    weights: one per layer, (out, in); the larger |w|, the wider the edge. kept: which of them are used, by default all;
    the others are pale and dotted. before: which were used earlier: an edge that came since is green, one that went is
    dashed. shadow: weights of an earlier moment, drawn pale behind the edges in use. largest: the |w| of the widest
    edge, by default the largest of `weights`; the same in pictures that are compared. outputs: names beside the last
    neurons. quarters: whether the four inputs are the quarters of an image, which are then drawn beside them.
    Source: Ramanujan et al. 2020, Fig. 1 and 2.
    Lesson 07, "What is hidden?".
    """
    sizes = [weights[0].shape[1], *(w.shape[0] for w in weights)]
    tallest = max(sizes)
    heights = [[(i + 0.5) * tallest / n for i in reversed(range(n))] for n in sizes]
    scale = _WIDEST / (largest or max(float(w.abs().max()) for w in weights) or 1.0)
    ghosts, shadows, used = _Lines(1, (2, 3)), _Lines(1.5, alpha=0.35), _Lines(2)
    went, came = _Lines(2.4, (4, 2)), _Lines(2.5)
    for layer, w in enumerate(weights):
        for out, into in np.ndindex(*w.shape):
            line = ((layer, heights[layer][into]), (layer + 1, heights[layer + 1][out]))
            value = float(w[out, into])
            in_use = kept is None or bool(kept[layer][out, into])
            was = in_use if before is None else bool(before[layer][out, into])
            width = min(_LEAST + scale * abs(value), _LEAST + _WIDEST)
            if in_use and not was:
                came.add(line, max(width, 3.5), CAME)
            elif was and not in_use:
                went.add(line, max(width, 2), ink())
            elif not in_use:
                ghosts.add(line, _GHOST, mixed(0.28))
            else:
                used.add(line, width, POSITIVE if value > 0 else NEGATIVE)
            if shadow is not None and in_use:
                old = float(shadow[layer][out, into])
                shadows.add(line, 4 + min(scale * abs(old), _WIDEST), POSITIVE if old > 0 else NEGATIVE)
    for lines in (ghosts, shadows, used, went, came):
        if lines.where:
            style = (0, lines.dashes) if lines.dashes else "solid"
            ax.add_collection(
                LineCollection(
                    lines.where,
                    colors=lines.colors,
                    linewidths=lines.widths,
                    linestyles=[style],
                    alpha=lines.alpha,
                    zorder=lines.order,
                    capstyle="butt",
                )
            )
    for layer, places in enumerate(heights):
        ax.scatter([layer] * len(places), places, s=150, color=paper(), edgecolors=ink(), linewidths=1.6, zorder=3)
    left, right = -0.15, len(weights) + 0.15
    if quarters:
        left = -0.55
    for word, y in zip(outputs, heights[-1], strict=bool(outputs)):
        ax.text(len(weights) + 0.16, y, word, ha="left", va="center", fontsize=NOTE + 4, fontweight="bold", color=ink())
        right = len(weights) + 0.3
    ax.set(xlim=(left, right), ylim=(-0.05, tallest + 0.05), xticks=[], yticks=[], title=title)
    if quarters:
        _quarters(ax, heights[0])
    ax.grid(False)
    ax.set_axis_off()
    alt.describe(ax, _said(sizes, [len(lines.where) for lines in (used, came, went)], sum(w.numel() for w in weights)))
    return ax


def _said(sizes: Sequence[int], drawn: Sequence[int], size: int) -> str:
    """What a network shows: its layers, how many of its edges are in use, and how many came and went."""
    used, came, went = drawn
    layers = "–".join(map(str, sizes))
    changed = f", {came} of them new, {went} just gone" if came or went else ""
    return f"A network of {layers} neurons: {used + came} of {size} edges are in use{changed}."


def key(figure: Figure, x: float, y: float, width: bool = True) -> None:
    """Say below a network what the colors of its edges are, and their widths where these say something.

    x, y: the middle of the line, in shares of the figure.
    Lesson 01, "The loop as a picture".
    """
    words = [("positive", POSITIVE), ("negative", NEGATIVE), *([("width: |weight|", "")] if width else [])]
    start = x - 0.055 * len(words)
    for i, (word, color) in enumerate(words):
        left = start + 0.115 * i
        if color:
            line = Line2D([left, left + 0.025], [y, y], transform=figure.transFigure, color=color, linewidth=4)
            figure.add_artist(line)
        note(figure, word, left + (0.031 if color else 0), y, "left")


def _quarters(ax: Axes, heights: Sequence[float]) -> None:
    """Beside each of four inputs the quarter of the image that it reads."""
    box, (left, right), (low, high) = ax.get_window_extent(), ax.get_xlim(), ax.get_ylim()
    tall = (high - low) / 12
    wide = tall * box.height / (high - low) / box.width * (right - left)  # square on the figure
    for i, y in enumerate(heights):
        x = -0.17 - wide
        for row in range(2):
            for column in range(2):
                ax.add_patch(
                    Rectangle(
                        (x + column * wide / 2, y + (0 if row else tall / 2) - tall / 2),
                        wide / 2,
                        tall / 2,
                        facecolor=ink() if 2 * row + column == i else "none",
                        edgecolor=ink(),
                        linewidth=1.1,
                    )
                )


def paths(layers: Sequence[Tensor], ax: Axes, title: str = "") -> Axes:
    """Draw a small dense network: a dot a neuron, a line a weight that is kept; neurons with no way through are faint.

    layers: boolean masks (out, in), first layer first.
    Lesson 01, "Two pictures of one network".
    """
    sizes = [layers[0].shape[1], *(layer.shape[0] for layer in layers)]
    place = [np.linspace(-1, 1, n) * (n - 1) / max(max(sizes) - 1, 1) for n in sizes]
    alive = _alive(layers)
    for i, layer in enumerate(layers):
        for out, into in layer.nonzero().tolist():
            used = bool(alive[i][into] and alive[i + 1][out])
            ax.plot(
                [i, i + 1],
                [place[i][into], place[i + 1][out]],
                color=BLUE if used else GRAY,
                alpha=0.75 if used else 0.3,
                linewidth=1.4,
                zorder=1,
            )
    for i, living in enumerate(alive):
        colors = [BLUE if a else "white" for a in living]
        edges = [BLUE if a else "#BBBBBB" for a in living]
        ax.scatter([i] * sizes[i], place[i], s=190, c=colors, edgecolors=edges, linewidths=1.6, zorder=2)
    ax.set_title(title)
    ax.set_axis_off()
    kept, size = (sum(int(of) for of in counts) for counts in zip(*((m.sum(), m.numel()) for m in layers), strict=True))
    dead = sum(not a for living in alive for a in living)
    without = f"{dead} of {sum(sizes)} neurons have no way through" if dead else "every neuron has a way through"
    network = f"network of {'–'.join(map(str, sizes))} neurons"
    alt.describe(ax, sentences.sentence(network, f"{kept} of {size} edges are kept", without))
    return ax


def _alive(layers: Sequence[Tensor]) -> list[list[bool]]:
    """Say of each neuron whether any path from the inputs to the outputs goes through it."""
    reached = [torch.ones(layers[0].shape[1], dtype=torch.bool)]
    for layer in layers:
        reached.append((layer & reached[-1]).any(1))
    needed = [torch.ones(layers[-1].shape[0], dtype=torch.bool)]
    for layer in reversed(layers):
        needed.append((layer & needed[-1][:, None]).any(0))
    return [(r & n).tolist() for r, n in zip(reached, reversed(needed), strict=True)]
