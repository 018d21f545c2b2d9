"""What a figure shows, in words: the alt text of its picture, and the folded sentence below it.

A function that draws says it by `describe`, from its data (`sentences` has the words). What nobody described, a
lesson's own lines or bars, `axes` reads from the drawing. In a notebook the text goes into the metadata of the output,
where pages and slides find it. JupyterLab shows no alt text from there, so it also stands, folded, below the figure.
"""

import html
import os
import re
from collections import Counter
from collections.abc import Container, Iterable
from typing import Any
from weakref import WeakKeyDictionary, WeakSet

from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from nbformat import NotebookNode

from ltcourse.display import axes, vectors

_BEGINS = '<details class="ltcourse-alt">'  # by which the folded text is known among the outputs of a cell
_PICTURES = ("image/png", "image/svg+xml", "image/jpeg")

_figures: WeakKeyDictionary[Figure, str] = WeakKeyDictionary()
_panels: WeakKeyDictionary[Axes, tuple[str, WeakSet[Artist]]] = WeakKeyDictionary()
_to_show: dict[str, None] = {}  # of the figures of the running cell, each once


def describe(drawn: Axes | Figure, text: str) -> None:
    """Say what axes or a whole figure show, in a sentence or two; a later sentence takes the place of an earlier one.

    text: of axes, without their title, which stands before it. What is drawn into the axes afterwards is read from
    them and added.
    """
    if isinstance(drawn, Figure):
        _figures[drawn] = text
    else:
        _panels[drawn] = (text, WeakSet(drawn.get_children()))


def said(ax: Axes) -> str:
    """Return the sentence that the function which drew the axes gave, "" if none did."""
    return _panels[ax][0] if ax in _panels else ""


def of(figure: Figure) -> str:
    """Return the alt text of a figure: what it is described by, or else the sentences of its axes in their order.

    Lesson 00, "The data".
    """
    if figure in _figures:
        return _figures[figure]
    panels = [ax for ax in figure.axes if ax.get_visible() and ax.get_label() != "<colorbar>"]
    parts = [_panel(ax) for ax in panels]
    text = [_ended(axes.plain(figure.get_suptitle()))]
    for (title, sentence), count in Counter(parts).items():  # a row of small images needs one sentence
        many = f"{count} panels, each: " if count > 1 else ""
        text += [_ended(title), many + (sentence[:1].lower() + sentence[1:] if many else sentence)]
    return " ".join(filter(None, text)) or "An empty figure."


def _panel(ax: Axes) -> tuple[str, str]:
    """The title of axes, and what they show: as it was described, and what was drawn into them since."""
    title = axes.plain(ax.get_title())
    if ax not in _panels:
        return title, axes.read(ax)
    text, known = _panels[ax]
    added = axes.read(ax, known)
    return title, f"{text} Added: {added}" if added else text


def _ended(text: str) -> str:
    return text if not text or text[-1] in ".!?" else f"{text}."


def metadata(text: str) -> dict[str, dict[str, str]]:
    """Return the metadata of an output whose picture shows this, by the type of the picture.

    Lesson 00, "The data".
    """
    return {kind: {"alt": text} for kind in _PICTURES}


def text_of(output: NotebookNode | dict[str, Any]) -> str:
    """Return the alt text of a stored output, "" if it has none.

    Lesson 00, "The data".
    """
    found = output.get("metadata", {})
    return next((found[kind]["alt"] for kind in _PICTURES if found.get(kind, {}).get("alt")), "")


def folded(texts: Iterable[str]) -> str:
    """Return what figures show as HTML that is folded; nothing for no texts.

    Lesson 00, "The data".
    """
    once = list(dict.fromkeys(texts))
    if not once:
        return ""
    title = "What the figure shows" if len(once) == 1 else "What the figures show"
    paragraphs = "".join(f"<p>{html.escape(text)}</p>" for text in once)
    return f"{_BEGINS}<summary>{title}</summary>{paragraphs}</details>"


def is_folded(output: NotebookNode | dict[str, Any]) -> bool:
    """Whether an output is the folded text below a figure, which slides and pages with alt texts do not need.

    Lesson 00, "The data".
    """
    return re.sub(r"\s+", " ", "".join(output.get("data", {}).get("text/html", ""))).startswith(_BEGINS)


def below(text: str) -> None:
    """Let a text stand, folded, below the running cell."""
    _to_show[text] = None


def forget(text: str) -> None:
    """Let a text not stand below the running cell, since its figure has been drawn anew."""
    _to_show.pop(text, None)


def follow(shell: Any) -> None:
    """Give each figure that a notebook shows its alt text, and the folded text below its cell.

    A notebook that is being built also keeps each figure's drawing, for its slides.
    Lesson 00, "The data".
    """
    shell.display_formatter.mimebundle_formatter.for_type(Figure, _bundle)
    shell.events.register("pre_run_cell", _begin)
    shell.events.register("post_run_cell", _end)


def _bundle(figure: Figure, include: Container[str] | None = None, exclude: Container[str] | None = None) -> Any:
    """What a figure brings along beside its picture: its drawing where a notebook is built, and its alt text."""
    text = of(figure)
    below(text)
    return (vectors.bundle(figure) if os.environ.get("LTCOURSE_BUILD") else {}), metadata(text)


def _begin(_: Any) -> None:
    _to_show.clear()


def _end(_: Any) -> None:
    """After a cell and its figures: what they show, folded."""
    from IPython.display import display

    if _to_show:
        display({"text/html": folded(_to_show), "text/plain": "\n".join(_to_show)}, raw=True)
        _to_show.clear()
