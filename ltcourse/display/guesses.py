"""What somebody predicted, drawn into the figure that shows what came of it: a line, the end of a curve, or words."""

import textwrap

from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke

COLOR = "#111111"  # no method of the course has it
_GUESS = "guess"
_LETTER = 0.55  # how wide a letter is, of its height
_HALO = [withStroke(linewidth=3, foreground="white")]


def line(ax: Axes, place: float, text: str, *, along: str = "y") -> None:
    """Draw a predicted number as a dotted line, labeled where it meets the border; the axis grows to hold it.

    along: the axis, "x" or "y", on which the number is.
    Lesson 01, "What breaks".
    """
    _make_room(ax, place, along)
    if along == "x":
        ax.axvline(place, color=COLOR, linestyle=":", linewidth=2)
        lines = sum(text.get_gid() == _GUESS for text in ax.texts)
        ends, where = ax.get_xlim(), (place, 0.03 + 0.09 * lines)  # two guesses do not write over each other
        right = _beyond_middle(ax, place, ends, ax.get_xscale())
        ax.annotate(
            f" {text} ", where, xycoords=ax.get_xaxis_transform(), color=COLOR, path_effects=_HALO,
            ha="right" if right else "left", va="bottom", gid=_GUESS,
        )  # fmt: skip
    else:
        ax.axhline(place, color=COLOR, linestyle=":", linewidth=2)
        above = not _beyond_middle(ax, place, ax.get_ylim(), ax.get_yscale())
        ax.annotate(
            text, (0.02, place), xycoords=ax.get_yaxis_transform(), color=COLOR, path_effects=_HALO,
            xytext=(0, 4 if above else -4), textcoords="offset points", va="bottom" if above else "top",
        )  # fmt: skip


def end(ax: Axes, x: float, y: float, text: str, begin: tuple[float, float] | None = None) -> None:
    """Draw the predicted end of a curve as a star, and the way to it from a known beginning.

    Lesson 04, "A residual network".
    """
    _make_room(ax, y, "y")
    if begin:
        ax.plot(*zip(begin, (x, y), strict=True), color=COLOR, linestyle=":", linewidth=2)
    ax.plot([x], [y], color=COLOR, marker="*", markersize=18, linestyle="", markeredgecolor="white")
    right = _beyond_middle(ax, x, ax.get_xlim(), ax.get_xscale())
    ax.annotate(
        text, (x, y), (-12 if right else 12, 8), textcoords="offset points", color=COLOR, path_effects=_HALO,
        ha="right" if right else "left", va="center",
    )  # fmt: skip


def words(ax: Axes, text: str) -> None:
    """Write a prediction that has no place on the axes below them, in lines that are no wider than they are.

    Lesson 01, "Look at the weights".
    """
    points = 72 * ax.bbox.width / ax.figure.dpi
    letters = max(12, int(points / (_LETTER * float(ax.xaxis.label.get_fontsize()))))
    lines = [line for part in text.split("; ") for line in textwrap.wrap(part, letters)]
    ax.set_xlabel("\n".join(filter(None, [ax.get_xlabel(), *lines])))


def _make_room(ax: Axes, place: float, along: str) -> None:
    """Let an axis hold a place, in whichever direction it runs."""
    ends, set_ends = (ax.get_xlim(), ax.set_xlim) if along == "x" else (ax.get_ylim(), ax.set_ylim)
    low, high = sorted(ends)
    if low <= place <= high:
        return
    scale = ax.get_xscale() if along == "x" else ax.get_yscale()
    if scale == "log":
        if place <= 0:
            return
        low, high = min(low, place / 1.1), max(high, place * 1.1)
    else:
        room = 0.04 * (max(high, place) - min(low, place))
        low, high = min(low, place - room), max(high, place + room)
    set_ends((low, high) if ends[0] < ends[1] else (high, low))


def _beyond_middle(ax: Axes, place: float, ends: tuple[float, float], scale: str) -> bool:
    """Whether a place is in the half of the axis that is right or above, as it is drawn."""
    first, last = ends
    if scale == "log":
        return place > 0 and (place / first > (last / first) ** 0.5) == (last > first)
    return (place - first) / ((last - first) or 1) > 0.5
