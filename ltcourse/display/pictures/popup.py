"""Edge-popup (S11): scores, the threshold, the edges that it uses, and how an edge pops up."""

from collections.abc import Sequence

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from torch import Tensor

from ltcourse.data import Dataset
from ltcourse.display.pictures import small
from ltcourse.display.pictures.frames import NOTE, Frames, blank, chips, gauge, head, ink, mixed, note, paper
from ltcourse.display.pictures.networks import CAME, edges, key
from ltcourse.display.pictures.small import Moment
from ltcourse.display.plots import BLUE, PURPLE

_HIGHEST = 3.2  # of the heights at which scores are drawn
_WORDS = ("scores", "threshold", "forward", "backward", "popped up")
_OPENING = (
    ("scores", "Each edge of a random network gets a score"),
    ("threshold", "A threshold: the upper half of each layer's scores"),
    ("forward", "Forward: only the edges above the threshold are used"),
    ("backward", "Backward: every score moves, used or not"),
    ("popped up", "A score has passed the threshold: its edge pops up"),
)


def edge_popup(digits: Dataset) -> Frames:
    """Return slide S11 as a picture: the first step of edge-popup taken apart, then the search to its end.

    digits: MNIST. The network, its scores and all numbers are those of `small.search`.
    Source: Ramanujan et al. 2020, Fig. 2 and Sec. 3.
    Lesson 07, "Watch the edges".
    """
    found = small.search(digits)
    moments = found.moments

    def paint(number: int, figure: Figure) -> None:
        word, said, now, then = _step(number, moments)
        if word in _WORDS:
            chips(figure, _WORDS, _WORDS.index(word), 0.14, 0.86, 0.84, BLUE)
        head(figure, said)
        _network(figure, found.weights, now, then, word)
        _scores(figure, now, then, word)
        if word not in ("scores", "threshold"):
            gauge(figure, now.accuracy, 0.14, 0.085, 0.36, BLUE, 1 / len(small.DIGITS))
            note(figure, f"step {now.iteration}", 0.04, 0.085, "left", NOTE + 3)
        else:
            key(figure, 0.3, 0.085, width=False)

    labels = [f"{i}: {word}" for i, (word, _) in enumerate(_OPENING)]
    labels += [f"{i}: step {m.iteration}" for i, m in enumerate(moments[2:], start=len(labels))]

    def says(number: int) -> str:
        word, said, now, _ = _step(number, moments)
        used = sum(int(m.sum()) for m in now.kept)
        edges = f"{used} of {sum(m.numel() for m in now.kept)} edges lie above their layer's threshold"
        before = word in ("scores", "threshold")
        reached = "" if before else f"; step {now.iteration}, accuracy {100 * now.accuracy:.1f} %"
        return f"{said}: {'every edge has a score' if word == 'scores' else edges}{reached}."

    return Frames(tuple(labels), paint, (1, 3, 4, len(labels) - 1), says)


def _step(number: int, moments: Sequence[Moment]) -> tuple[str, str, Moment, Moment]:
    """What a step is called and says, the moment that it shows, and the one that it is compared with."""
    first, second = moments[:2]
    if number < len(_OPENING):
        word, said = _OPENING[number]
        now, then = (second, first) if word == "popped up" else (first, second)  # backward: where the scores go
        return word, said, now, then
    now, then = moments[number - len(_OPENING) + 2], moments[number - len(_OPENING) + 1]
    return "search", "The supermask: no weight has changed" if now is moments[-1] else _said(now, then), now, then


def _said(now: Moment, then: Moment) -> str:
    came = sum(int((a & ~b).sum()) for a, b in zip(now.kept, then.kept, strict=True))
    return f"{came} edge{'s' if came > 1 else ''} popped up since step {then.iteration}"


def _network(figure: Figure, weights: Sequence[Tensor], now: Moment, then: Moment, word: str) -> None:
    """The network at the left: all of it, or the edges that are used."""
    ax = blank(figure, 0.03, 0.16, 0.5, 0.6 if word != "search" else 0.72)
    kept = None if word in ("scores", "threshold") else now.kept
    before = then.kept if word in ("popped up", "search") else None
    edges(
        weights,
        ax,
        kept=kept,
        before=before,
        largest=2.2 * max(float(w.abs().max()) for w in weights),
        quarters=True,
        outputs=[str(d) for d in small.DIGITS],
    )


def _scores(figure: Figure, now: Moment, then: Moment, word: str) -> None:
    """The scores at the right, a column for each layer, one threshold for all."""
    ax = figure.add_axes((0.63, 0.15, 0.34, 0.58 if word != "search" else 0.69))
    for layer, kept in enumerate(now.kept):
        cut, used = threshold(now.scores[layer], kept), kept.flatten()
        x, y = _places(layer, used.numel()), _height(now.scores[layer].flatten() / cut)
        above, below = (BLUE, mixed(0.35)) if word != "scores" else (mixed(0.6), mixed(0.6))
        for chosen, color in ((used, above), (~used, below)):
            ax.scatter(x[chosen], y[chosen], s=34, color=color, linewidths=0, zorder=2)
        if word == "backward":
            _moves(ax, x, y, (then.scores[layer].flatten() - now.scores[layer].flatten()) / cut)
        if word in ("popped up", "search"):
            came = used & ~then.kept[layer].flatten()
            ax.scatter(x[came], y[came], s=110, color=CAME, edgecolors=paper(), linewidths=1.2, zorder=4)
    if word != "scores":
        ax.axhline(1, color=ink(), linewidth=2, zorder=3)
        ax.text(2.62, 1, "threshold", ha="left", va="center", rotation=90, fontsize=NOTE, color=ink())
    ax.set(xlim=(-0.55, 2.55), ylim=(-0.06, _HIGHEST + 0.1), yticks=[], xticks=[0, 1, 2])
    ax.set_xticklabels(["layer 1", "layer 2", "layer 3"], fontsize=NOTE)
    ax.set_ylabel("|score|", fontsize=NOTE)
    ax.grid(False)


def _moves(ax: Axes, x: Tensor, y: Tensor, change: Tensor) -> None:
    """Where the next step takes each score; drawn longer than it is, so that it can be seen."""
    longest = float(change.abs().max()) or 1.0
    for at, start, by in zip(x.tolist(), y.tolist(), (change / longest).tolist(), strict=True):
        arrow = {"arrowstyle": "-|>", "color": PURPLE, "lw": 1.6, "shrinkA": 0, "shrinkB": 0, "mutation_scale": 10}
        ax.annotate("", (at, start + 0.5 * by), (at, start), arrowprops=arrow, zorder=3)


def _height(share: Tensor) -> Tensor:
    """Where a score stands that is so many times its layer's threshold: above it on a logarithmic scale."""
    return torch.where(share < 1, share, 1 + share.clamp(min=1).log()).clamp(max=_HIGHEST)


def _places(layer: int, count: int) -> Tensor:
    """Where the scores of a layer stand beside each other, so that none hides another."""
    return layer + 0.8 * (torch.arange(count) * 0.618034 % 1 - 0.5)


def threshold(scores: Tensor, kept: Tensor) -> float:
    """Return the score half-way between the lowest that is used and the highest that is not.

    Lesson 07, "Watch the edges".
    """
    return float((scores[kept].min() + scores[~kept].max()) / 2)
