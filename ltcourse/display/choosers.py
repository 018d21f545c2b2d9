"""How an answer is given, by keyboard or mouse: one of several, a number, an order, or the end of a curve.

Each has a `box` to show and a `value` to read and to set; nothing is shown in it that somebody has not chosen, except
the slider's own place.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from io import BytesIO
from math import log10
from typing import Any

import ipywidgets
from matplotlib import pyplot as plt
from matplotlib.figure import Figure

_PIXELS = 300  # how tall the picture of a curve is, and the slider beside it


class OneChosen:
    """One of several options, none at first: Tab leads from one to the next, Space chooses, and unchooses the others.

    Radio buttons need the arrow keys, which JupyterLab takes for itself.
    options: key → what is read.
    Lesson 01, "Look at the weights".
    """

    def __init__(self, options: Mapping[str, str]) -> None:
        self.boxes = {
            key: ipywidgets.Checkbox(description=text, indent=False, layout={"width": "auto", "max_width": "95%"})
            for key, text in options.items()
        }
        for key, box in self.boxes.items():
            box.observe(partial(self._ticked, key), "value")
        self.box = ipywidgets.VBox(list(self.boxes.values()))

    @property
    def value(self) -> str | None:
        """The key of the option, None before one is chosen."""
        return next((key for key, box in self.boxes.items() if box.value), None)

    @value.setter
    def value(self, key: str) -> None:
        """Choose the option of that key."""
        self.boxes[key].value = True

    def _ticked(self, key: str, change: Any) -> None:
        """Untick the others."""
        for other, box in self.boxes.items():
            if change["new"] and other != key:
                box.value = False


class _Typed:
    """What is slid to is typed as well, and that counts: a slider's place is not exact."""

    typed: ipywidgets.BoundedFloatText

    @property
    def value(self) -> float:
        """The number that is typed or slid to."""
        return float(self.typed.value)

    @value.setter
    def value(self, number: float) -> None:
        """Take that number."""
        self.typed.value = number


class NumberChosen(_Typed):
    """A number between two ends, on a slider or typed beside it.

    step: of the slider; a logarithmic one, whose ends are above 0, has three significant digits. unit: read behind it.
    Lesson 00, "A first network".
    """

    def __init__(self, low: float, high: float, step: float, unit: str, log: bool = False) -> None:
        kind = ipywidgets.FloatLogSlider if log else ipywidgets.FloatSlider
        middle = _rounded((low * high) ** 0.5) if log else low + step * round((high - low) / 2 / step)
        ends = _log_ends(low, high) if log else {"min": low, "max": high, "step": step}
        self.slider = kind(
            value=middle, **ends, readout=False, description="slide", layout={"width": "min(60%, 420px)"}
        )
        self.typed = ipywidgets.BoundedFloatText(
            value=middle,
            min=low,
            max=high,
            step=None if log else step,
            description="or type",
            layout={"width": "180px"},
        )
        self.slider.observe(self._slid, "value")
        self.typed.observe(self._wrote, "value")
        self.box = ipywidgets.HBox(
            [self.slider, self.typed, ipywidgets.Label(unit)], layout={"flex_flow": "row wrap", "width": "95%"}
        )
        self._log = log

    def _slid(self, change: Any) -> None:
        # a slider's place is not exact on a logarithmic axis, and what was typed stays as it is
        if self._log and abs(change["new"] / self.typed.value - 1) < 0.005:
            return
        self.typed.value = _rounded(change["new"])

    def _wrote(self, change: Any) -> None:
        self.slider.value = change["new"]


class Ranked:
    """Items in an order that is changed by moving one up or down; the key pressed next moves the same item on.

    options: key → what is read, in the order that is shown first.
    Lesson 01, "Which layer can spare most?".
    """

    def __init__(self, options: Mapping[str, str]) -> None:
        self._options = dict(options)
        self._order = list(options)
        last = len(self._order) - 1
        self.texts = [ipywidgets.Label(layout={"width": "auto", "min_width": "16em"}) for _ in self._order]
        self.up = [_mover("▲ up", disabled=i == 0) for i in range(last + 1)]
        self.down = [_mover("▼ down", disabled=i == last) for i in range(last + 1)]
        for i, (up, down) in enumerate(zip(self.up, self.down, strict=True)):
            up.on_click(lambda _, i=i: self.move(i, i - 1))
            down.on_click(lambda _, i=i: self.move(i, i + 1))
        rows = zip(self.up, self.down, self.texts, strict=True)
        self.box = ipywidgets.VBox([ipywidgets.HBox(list(row)) for row in rows])
        self._write()

    @property
    def value(self) -> list[str]:
        """The keys from the top to the bottom."""
        return list(self._order)

    @value.setter
    def value(self, order: Sequence[str]) -> None:
        """Put the items into that order."""
        self._order = list(order)
        self._write()

    def move(self, place: int, to: int) -> None:
        """Exchange two neighbors; the focus goes along with the one that was moved."""
        if not 0 <= to < len(self._order):
            return
        self._order[place], self._order[to] = self._order[to], self._order[place]
        self._write()
        same, other = (self.up, self.down) if to < place else (self.down, self.up)
        (other if same[to].disabled else same)[to].focus()

    def _write(self) -> None:
        for i, key in enumerate(self._order):
            text = self._options[key]
            self.texts[i].value = f"{i + 1}. {text}"
            self.up[i].tooltip, self.down[i].tooltip = f"move {text} up", f"move {text} down"


class EndChosen(_Typed):
    """The end of a curve whose beginning is known, slid up and down beside its picture, or typed below it.

    draw: the end → the figure. begin: where the slider starts.
    Lesson 04, "A residual network".
    """

    def __init__(
        self, draw: Callable[[float], Figure], low: float, high: float, step: float, unit: str, begin: float
    ) -> None:
        self._draw = draw
        ends = {"value": min(max(begin, low), high), "min": low, "max": high, "step": step}
        self.slider = ipywidgets.FloatSlider(
            **ends, description="its end", orientation="vertical", readout=False, layout={"height": f"{_PIXELS}px"}
        )
        self.typed = ipywidgets.BoundedFloatText(**ends, description="or type", layout={"width": "180px"})
        self.image = ipywidgets.Image(format="png", layout={"height": f"{_PIXELS}px", "object_fit": "contain"})
        ipywidgets.link((self.typed, "value"), (self.slider, "value"))
        self.typed.observe(lambda _: self._show(), "value")
        rows = (
            ipywidgets.HBox([self.image, self.slider]),
            ipywidgets.HBox([self.typed, ipywidgets.Label(unit)]),
        )
        self.box = ipywidgets.VBox(rows)
        self._show()

    def _show(self) -> None:
        figure, file = self._draw(self.value), BytesIO()
        try:
            figure.savefig(file, format="png")
        finally:
            plt.close(figure)
        self.image.value = file.getvalue()


def _mover(text: str, disabled: bool) -> ipywidgets.Button:
    return ipywidgets.Button(description=text, disabled=disabled, layout={"width": "6em"})


def _rounded(number: float) -> float:
    return float(f"{number:.3g}")


def _log_ends(low: float, high: float) -> dict[str, float]:
    return {"base": 10, "min": log10(low), "max": log10(high), "step": (log10(high) - log10(low)) / 200}
