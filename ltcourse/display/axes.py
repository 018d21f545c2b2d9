"""Axes read back into words: the lines, bars, points and images that anybody has drawn, with their labels and units.

It is what a figure is described by where no function of the course described it.
"""

import re
from collections.abc import Container, Iterator
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.axis import Axis, XAxis
from matplotlib.collections import PathCollection
from matplotlib.container import BarContainer
from matplotlib.lines import Line2D
from matplotlib.patches import Polygon, Rectangle, StepPatch
from matplotlib.ticker import FixedLocator, PercentFormatter

from ltcourse.display import sentences
from ltcourse.display.sentences import Say, number, share, size

_TEX = {r"\theta": "θ", r"\odot": "⊙", r"\sigma": "σ", r"\tau": "τ", r"\times": "×", r"\,": " ", r"\ ": " "}


def read(ax: Axes, known: Container[Artist] = ()) -> str:
    """Return what axes show, in a sentence or two, "" for nothing. known: what needs no words any more.

    Lesson 00, "The data".
    """
    parts = [*_lines(ax, known), *_bars(ax, known), *_others(ax, known)]
    if not parts:
        parts = [f"“{plain(text.get_text())}”" for text in ax.texts if text.get_text() and text not in known]
    if not parts:
        return ""
    up, along = plain(ax.get_ylabel()), plain(ax.get_xlabel())
    what = " against ".join(filter(None, (up, along)))
    text = f"{what}: {'; '.join(parts)}" if what and not known else "; ".join(parts)
    return f"{text[0].upper()}{text[1:]}."


def plain(text: str) -> str:
    """Return a label without the marks of a formula: "$P_m$ (logarithmic)" → "P_m"."""
    for tex, letter in _TEX.items():
        text = text.replace(tex, letter)
    text = re.sub(r"\\(?:math|text)\w+\s*|[${}]", "", text)
    return re.sub(r"\s+", " ", text.replace("(logarithmic)", "").removeprefix("_")).strip()


def say(axis: Axis) -> Say:
    """Return how values on an axis are said: in percent, by the name that a tick has, or as numbers."""
    formatter = axis.get_major_formatter()
    percent = size if isinstance(axis, XAxis) else share
    if isinstance(formatter, PercentFormatter):
        whole = formatter.xmax
        return lambda value: percent(value / whole)
    names = _names(axis)
    if names and all(name.endswith("%") for name in names.values()):
        return percent
    return lambda value: names.get(round(float(value), 6)) or number(value)


def _names(axis: Axis) -> dict[float, str]:
    """What somebody called the places of an axis, such as the networks below bars; nothing where nobody did."""
    if not isinstance(axis.get_major_locator(), FixedLocator):
        return {}
    places = axis.get_majorticklocs().tolist()
    names = [plain(label) for label in axis.get_major_formatter().format_ticks(places)]
    return {round(float(at), 6): name for at, name in zip(places, names, strict=True) if name}


def _lines(ax: Axes, known: Container[Artist]) -> Iterator[str]:
    """Each line: its first, highest or lowest, and last value; those across the whole axes by where they stand."""
    say_x, say_y = say(ax.xaxis), say(ax.yaxis)
    curves: dict[str, dict[float, float]] = {}
    for line in (line for line in ax.lines if line not in known and line.get_visible()):
        x, y = (np.asarray(values, dtype=float) for values in line.get_data(orig=False))
        if (across := _across(ax, line, x, y, say_x, say_y)) is not None:
            yield across
        elif len(x) == 1:
            yield f"{_label(line) or 'a point'}: {say_y(y[0])} at {say_x(x[0])}"
        elif len(x):
            name = _label(line) or f"line {len(curves) + 1}"
            curves[name] = {a: b for a, b in zip(x.tolist(), y.tolist(), strict=True) if np.isfinite(b)}
    if list(curves) == ["line 1"]:  # which nothing needs to be told from
        curves = {"": curves["line 1"]}
    yield from sentences.each(curves, say_x, say_y, falling=bool(ax.xaxis_inverted()))


def _across(ax: Axes, line: Line2D, x: np.ndarray, y: np.ndarray, say_x: Say, say_y: Say) -> str | None:
    """A line that runs across the axes, as `axhline` and `axvline` draw it; None for any other."""
    transform = line.get_transform()
    if transform == ax.get_yaxis_transform(which="grid"):
        return f"{_label(line) or 'a level line'} {say_y(y[0])}"
    if transform == ax.get_xaxis_transform(which="grid"):
        return f"{_label(line) or 'an upright line'} at {say_x(x[0])}"
    return None


def _bars(ax: Axes, known: Container[Artist]) -> Iterator[str]:
    """Each group of bars: what each bar is called, and how long it is."""
    for group in ax.containers:
        bars = [bar for bar in group if isinstance(bar, Rectangle) and bar not in known]
        if not isinstance(group, BarContainer) or not bars:
            continue
        flat = group.orientation == "horizontal"
        axis, along = (ax.yaxis, ax.xaxis) if flat else (ax.xaxis, ax.yaxis)
        long = [float(bar.get_width() if flat else bar.get_height()) for bar in bars]
        places = [(b.get_y() + b.get_height() / 2 if flat else b.get_x() + b.get_width() / 2) for b in bars]
        names, label = _names(axis), _label(group)
        if names:
            called = [names[min(names, key=lambda tick: abs(tick - at))] for at in places]
            text = sentences.bars(dict(zip(called, long, strict=True)), say(along))
        else:  # of a histogram, say
            top = places[long.index(max(long))]
            ends = f"from {number(min(places))} to {number(max(places))}"
            text = f"{len(bars)} bars {ends}, the longest, {say(along)(max(long))}, at {number(top)}"
        yield f"{label}: {text}" if label else text


def _others(ax: Axes, known: Container[Artist]) -> Iterator[str]:
    """Images, clouds of points, and the outlines of histograms."""
    for image in (image for image in ax.images if image not in known):
        values: Any = image.get_array()
        of = "an image" if values.ndim == 3 or image.get_cmap().name == "gray" else "a map of colors"
        ends = "" if of == "an image" else f", from {number(float(values.min()))} to {number(float(values.max()))}"
        yield f"{of} of {values.shape[0]} × {values.shape[1]} pixels{ends}"
    for points in (c for c in ax.collections if isinstance(c, PathCollection) and c not in known):
        at = np.asarray(points.get_offsets(), dtype=float)
        if len(at):
            (left, low), (right, high) = at.min(0), at.max(0)
            sides = f"{say(ax.xaxis)(left)} to {say(ax.xaxis)(right)} by {say(ax.yaxis)(low)} to {say(ax.yaxis)(high)}"
            yield f"{_label(points) or 'points'}: {len(at):,}, from {sides}"
    for patch in (p for p in ax.patches if isinstance(p, (Polygon, StepPatch)) and p not in known):
        corners = np.asarray(patch.get_path().vertices)
        ends = f"from {say(ax.xaxis)(corners[:, 0].min())} to {say(ax.xaxis)(corners[:, 0].max())}"
        yield f"{_label(patch) or 'an area'} {ends}, up to {say(ax.yaxis)(corners[:, 1].max())}"


def _label(artist: Any) -> str:
    """The name that the legend gives it, "" if it has none."""
    label = str(artist.get_label())
    return "" if label.startswith("_") else plain(label)
