"""A picture in steps: each step is a figure of its own, drawn when it is looked at."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import matplotlib as mpl
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from ltcourse.display import alt
from ltcourse.display.plots import ORANGE

WIDE, TALL = 12.0, 5.4  # inches of every frame
NUMBER, HEAD, TEXT, NOTE = 26, 20, 16, 13  # points of the letters: the back row reads the smallest


@dataclass(frozen=True)
class Frames:
    """A picture in steps, as `widgets.explore` shows it.

    labels: what each step is called, each name once. paint: draws a step, by its number, on an empty figure. told: the
    steps that together tell the story to a reader who cannot step through it. says: what a step shows, in words.
    Raises ValueError for a name that comes twice, and where there is none.
    Lesson 01, "The loop as a picture".
    """

    labels: tuple[str, ...]
    paint: Callable[[int, Figure], None]
    told: tuple[int, ...]
    says: Callable[[int], str]

    def __post_init__(self) -> None:
        if not self.labels or len(set(self.labels)) < len(self.labels):
            raise ValueError(f"the steps of a picture need a name each, each its own: {', '.join(self.labels)}")

    def __len__(self) -> int:
        return len(self.labels)

    def draw(self, step: int, dpi: float | None = None) -> Figure:
        """Draw a step, counted from 0. dpi: by default that of the style."""
        figure = plt.figure(figsize=(WIDE, TALL), dpi=dpi, layout="none")
        self.paint(step, figure)
        alt.describe(figure, self.says(step))
        return figure

    def story(self) -> str:
        """Say what the steps that tell the story show, one after the other."""
        if len(self.told) == 1:
            return self.says(self.told[0])
        return " ".join(f"({i}) {self.says(step)}" for i, step in enumerate(self.told, 1))


def ink() -> str:
    """Return the color of letters and outlines, which is that of the style: dark on white, light on black."""
    return to_hex(mpl.rcParams["text.color"])


def paper() -> str:
    """Return the color behind a picture, which is that of the style."""
    return to_hex(mpl.rcParams["figure.facecolor"])


def mixed(share: float, color: str | None = None) -> str:
    """Return a color as much paler than the ink, or than another color, as `share` is below 1."""
    over, under = to_rgb(color or ink()), to_rgb(paper())
    red, green, blue = (share * a + (1 - share) * b for a, b in zip(over, under, strict=True))
    return to_hex((red, green, blue))


def blank(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Add axes without lines or numbers, in shares of the figure."""
    ax = figure.add_axes((left, bottom, width, height))
    ax.set(xticks=[], yticks=[])
    ax.set_axis_off()
    return ax


def chips(
    figure: Figure, words: Sequence[str], here: int | None, left: float, right: float, y: float, color: str
) -> None:
    """Write words in a row, each in a frame with an arrow to the next one; that of the step at hand is filled.

    left, right, y: where, in shares of the figure.
    """
    gap = 0.022
    width = (right - left - gap * (len(words) - 1)) / len(words)
    for i, word in enumerate(words):
        x = left + i * (width + gap)
        chip(figure, word, x, y, width, color if i == here else None)
    for i, _ in enumerate(pairwise(words)):
        x = left + i * (width + gap) + width
        arrow(figure, (x + 0.002, y), (x + gap - 0.002, y), mixed(0.6))


def chip(figure: Figure, word: str, x: float, y: float, width: float, color: str | None, size: float = NOTE) -> None:
    """Write a word in a frame that begins at x, its middle at y, in shares of the figure: filled, or empty."""
    tall = size * 2.1 / 72 / TALL
    box = FancyBboxPatch(
        (x, y - tall / 2),
        width,
        tall,
        boxstyle="round,pad=0,rounding_size=0.008",
        transform=figure.transFigure,
        facecolor=color or paper(),
        edgecolor=color or mixed(0.4),
        linewidth=1.2,
        mutation_aspect=WIDE / TALL,
    )
    figure.add_artist(box)
    figure.text(
        x + width / 2,
        y - 0.002,
        word,
        ha="center",
        va="center",
        fontsize=size,
        color="white" if color and color != ORANGE else ink() if not color else "black",
        fontweight="bold" if color else "normal",
    )


def arrow(figure: Figure, start: tuple[float, float], end: tuple[float, float], color: str, width: float = 1.8) -> None:
    """Draw an arrow, in shares of the figure."""
    figure.add_artist(
        FancyArrowPatch(
            start,
            end,
            transform=figure.transFigure,
            arrowstyle="-|>",
            mutation_scale=7 + 5 * width,
            color=color,
            linewidth=width,
            shrinkA=0,
            shrinkB=0,
        )
    )


def gauge(
    figure: Figure, share: float, x: float, y: float, width: float, color: str, chance: float | None = None
) -> None:
    """Draw an accuracy as a bar from 0 to 100 %, with its number at the right; a tick marks chance.

    share: 0 to 1. x, y, width: where it begins, its middle, how long it is, in shares of the figure, number included.
    """
    long, tall = width - 0.105, 0.036
    for part, fill in ((1.0, mixed(0.12)), (share, color)):
        bar = FancyBboxPatch(
            (x, y - tall / 2),
            long * part,
            tall,
            boxstyle="square,pad=0",
            transform=figure.transFigure,
            facecolor=fill,
            edgecolor="none",
        )
        figure.add_artist(bar)
    if chance is not None:
        at = x + long * chance
        figure.add_artist(
            Line2D([at, at], [y - 0.032, y + 0.032], transform=figure.transFigure, color=ink(), linewidth=1.5)
        )
        figure.text(at, y - 0.045, "chance", ha="center", va="top", fontsize=NOTE, color=mixed(0.75))
    figure.text(
        x + width,
        y - 0.003,
        f"{100 * share:.1f} %",
        ha="right",
        va="center",
        fontsize=HEAD,
        fontweight="bold",
        color=ink(),
    )


def head(figure: Figure, words: str, x: float = 0.5, y: float = 0.95, ha: str = "center", size: float = HEAD) -> None:
    """Write a line in large letters, in shares of the figure."""
    figure.text(x, y, words, ha=ha, va="center", fontsize=size, fontweight="bold", color=ink())


def note(
    figure: Figure, words: str, x: float, y: float, ha: str = "center", size: float = NOTE, color: str = ""
) -> None:
    """Write a line in small letters, in shares of the figure."""
    figure.text(x, y, words, ha=ha, va="center", fontsize=size, color=color or mixed(0.8), linespacing=1.35)
