"""The words for figures, by their kind: curves, bars, histograms, maps and images, each said from its data."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from torch import Tensor

Say = Callable[[float], str]
_MANY = 6  # lines or bars; of more, the highest and the lowest are enough to hear


def share(value: float) -> str:
    """Return a share as text, with so many digits that it is not 0 where it is not: 0.976 → "97.6 %"."""
    percents = 100 * value
    if not percents or abs(percents) >= 1:
        return f"{percents:.1f} %"
    return f"{percents:.2f} %" if abs(percents) >= 0.1 else f"{percents:.2g} %"


def size(value: float) -> str:
    """Return a share that was chosen, such as a density, as text: 1.0 → "100 %", 0.107 → "10.7 %"."""
    return share(value).replace(".0 %", " %")


def number(value: float) -> str:
    """Return a number as text: whole where it is, else to three digits."""
    if abs(value) < 1e9 and (float(value).is_integer() or abs(value) >= 1000):
        return f"{value:,.0f}"
    return f"{value:.3g}"


def times(value: float) -> str:
    """Return a factor as text: 0.5 → "0.5×"."""
    return f"{value:g}×"


def in_points(value: float) -> str:
    """Return a difference of shares in percentage points: 0.003 → "+0.3 points"."""
    return f"{100 * value:+.1f} points"


def sentence(what: str, *parts: str) -> str:
    """Return parts as one sentence under what they are of."""
    text = f"{what}: {'; '.join(filter(None, parts))}."
    return text[0].upper() + text[1:]


def curve(points: Mapping[Any, float], say_x: Say, say_y: Say, *, falling: bool = False) -> str:
    """Return a curve in its first value, the highest or lowest between, whichever stands out more, and the last.

    falling: whether it is drawn from the largest x to the smallest, as against P_m.
    """
    x = sorted(points, reverse=falling)
    y = [points[at] for at in x]
    told = {0: "", len(x) - 1: ""}
    over, under = max(y) - max(y[0], y[-1]), min(y[0], y[-1]) - min(y)
    between = y.index(max(y) if over >= under else min(y))
    ends = {say_y(y[0]), say_y(y[-1])}
    if max(over, under) > 0 and say_y(y[between]) not in ends:
        told[between] = "highest " if over >= under else "lowest "
    return ", ".join(f"{told[i]}{say_y(y[i])} at {say_x(x[i])}" for i in sorted(told))


def each(lines: Mapping[str, Mapping[Any, float]], say_x: Say, say_y: Say, *, falling: bool = False) -> list[str]:
    """Return each of several curves by its label; of many, how many they are, and which end highest and lowest."""
    drawn = {label: points for label, points in lines.items() if points}
    if len(drawn) <= _MANY:
        return [f"{label} {curve(points, say_x, say_y, falling=falling)}".strip() for label, points in drawn.items()]
    last = {label: points[min(points) if falling else max(points)] for label, points in drawn.items()}
    high, low = max(last, key=last.__getitem__), min(last, key=last.__getitem__)
    told = {label: curve(drawn[label], say_x, say_y, falling=falling) for label in (high, low)}
    return [
        f"{len(drawn)} lines ({', '.join(drawn)})",
        f"at the end {high} is highest ({told[high]})",
        f"{low} is lowest ({told[low]})",
    ]


def curves(
    lines: Mapping[str, Mapping[Any, Sequence[float]]],
    what: str,
    along: str,
    *,
    say_x: Say = number,
    say_y: Say = share,
    falling: bool = False,
    reference: Mapping[str, Sequence[float]] | None = None,
) -> str:
    """Return several curves of trials in their means, and the levels that they are compared with.

    lines: label → x → the trials' values. what, along: the labels of the axes. reference: name → values.
    """
    means = {label: {x: float(np.mean(values)) for x, values in line.items()} for label, line in lines.items()}
    counts = {len(values) for line in lines.values() for values in line.values()}
    many = f", means of {max(counts)} trials" if len(counts) == 1 and max(counts) > 1 else ""
    levels = [f"{name} {say_y(float(np.mean(values)))}" for name, values in (reference or {}).items()]
    found = each(means, say_x, say_y, falling=falling)
    return sentence(f"{what} against {along}{many}", *(found or ["nothing yet"]), *levels)


def by_x(x: Sequence[float], trials: Sequence[Sequence[float]]) -> dict[float, Sequence[float]]:
    """Return the trials' curves as values at each x."""
    return dict(zip(x, zip(*trials, strict=True), strict=True))


def layers(trials: Mapping[str, Sequence[Sequence[float]]], what: str, along: str) -> str:
    """Return what goes through layers in means of logarithms; where one is exactly 0, its curve ends there.

    trials: label → one list per trial, a number for each layer.
    """
    means: dict[str, dict[int, float]] = {}
    for label, values in trials.items():
        logs = {i: np.log(at) for i, at in enumerate(np.array(values, dtype=float).T) if (at != 0).all()}
        lost = next((i for i in range(len(values[0])) if i not in logs), None)
        name = label if lost is None else f"{label} (exactly 0 at layer {lost})"
        means[name] = {i: float(np.exp(log.mean())) for i, log in logs.items()}
    return sentence(f"{what} against {along}", *each(means, number, number))


def bars(values: Mapping[str, float], say: Say = number) -> str:
    """Return bars by name; of many, the longest and the shortest."""
    if len(values) <= _MANY:
        return ", ".join(f"{name} {say(value)}" for name, value in values.items())
    high, low = max(values, key=values.__getitem__), min(values, key=values.__getitem__)
    return f"{len(values)} bars, the longest {high} {say(values[high])}, the shortest {low} {say(values[low])}"


def histogram(values: np.ndarray, what: str, *, cut: float = 0.0) -> str:
    """Return how values are spread, and how many of them are smaller in magnitude than a cut."""
    spread = f"mean {number(float(values.mean()))}, standard deviation {number(float(values.std()))}"
    ends = f"from {number(float(values.min()))} to {number(float(values.max()))}"
    if cut <= 0:
        return sentence(f"histogram of {len(values):,} {what}", f"{ends}, {spread}")
    gone = int((np.abs(values) < cut).sum())
    return sentence(
        f"histogram of {len(values):,} {what}",
        f"{ends}, {spread}",
        f"{gone:,} ({share(gone / len(values))}) lie below the cut of {number(cut)} in magnitude",
    )


def mask(kept: Tensor, rows: str, columns: str) -> str:
    """Return how many entries of a mask are kept, and how they are spread over its rows and columns.

    kept: boolean, two dimensions. rows, columns: what one of them is.
    """
    by_row, by_column = kept.sum(1), kept.sum(0)
    total, size = int(kept.sum()), kept.numel()
    return sentence(
        f"mask of {kept.shape[0]} × {kept.shape[1]} weights",
        f"{total:,} of {size:,} kept ({share(total / size)})",
        f"per {rows} {int(by_row.min())} to {int(by_row.max())}",
        f"{int((by_column == 0).sum()):,} of {len(by_column):,} {columns} have none",
    )


def pixels(counts: np.ndarray, what: str) -> str:
    """Return where in an image a count is largest, how much of it the middle holds, and where there is none.

    counts: (height, width).
    """
    height, width = counts.shape
    row, column = np.unravel_index(int(counts.argmax()), counts.shape)
    middle = counts[height // 4 : height - height // 4, width // 4 : width - width // 4]
    total = counts.sum()
    held = f"the middle half of the rows and columns holds {share(float(middle.sum() / total))}" if total else ""
    return sentence(
        f"{what} at each of {height} × {width} pixels",
        f"{int(total):,} in all, most ({int(counts.max()):,}) in row {int(row) + 1}, column {int(column) + 1}",
        held,
        f"none at {int((counts == 0).sum()):,} pixels",
    )


def cells(values: Mapping[tuple[str, str], float], rows: str, columns: str, say: Say) -> str:
    """Return the cells of a table of colors by row and column; of many, the highest and the lowest.

    values: (row, column) → value. rows, columns: the labels of the axes.
    """
    if len(values) <= _MANY:
        told = [f"{row} → {column} {say(value)}" for (row, column), value in values.items()]
    else:
        high, low = max(values, key=values.__getitem__), min(values, key=values.__getitem__)
        ends = ((high, "highest"), (low, "lowest"))
        told = [f"{word} {row} → {column} {say(values[row, column])}" for (row, column), word in ends]
        told.append(f"{sum(value > 0 for value in values.values())} of {len(values)} above 0")
    return sentence(f"{rows} → {columns}", *told)
