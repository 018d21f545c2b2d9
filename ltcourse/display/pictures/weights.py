"""Every weight of a layer as a point: its value before training against its value after it."""

from typing import Any

from matplotlib.axes import Axes
from torch import Tensor

from ltcourse.display import alt, sentences
from ltcourse.display.pictures.frames import NOTE, ink, mixed
from ltcourse.display.plots import BLUE


def before_and_after(initial: Tensor, trained: Tensor, kept: Tensor, ax: Axes, title: str = "") -> Axes:
    """Draw initial against trained weights, with the band in which weights are pruned.

    initial, trained: of one layer, any shape. kept: which of them the mask keeps, of the same shape.
    Lesson 03, "The algorithm by hand".
    """
    first, last, m = initial.flatten(), trained.flatten(), kept.flatten()
    limit = 1.02 * float(max(first.abs().max(), last.abs().max()))
    cut = float((last[m].abs().min() + last[~m].abs().max()) / 2) if m.any() and not m.all() else 0.0
    ax.axhspan(-cut, cut, color=mixed(0.13), linewidth=0, zorder=0)
    ax.plot([-limit, limit], [-limit, limit], color=ink(), linewidth=1.2, linestyle=":", zorder=3)
    for chosen, color in ((~m, mixed(0.45)), (m, BLUE)):
        ax.plot(
            first[chosen], last[chosen], ".", color=color, markersize=2.5, markeredgewidth=0, zorder=2, rasterized=True
        )
    place: dict[str, Any] = {"ha": "right", "fontsize": NOTE, "color": ink(), "zorder": 4}
    ax.text(0.99 * limit, 0, f"pruned: {int((~m).sum()):,}", va="center", **place)
    ax.text(0.99 * limit, -0.93 * limit, f"kept: {int(m.sum()):,}", va="center", **{**place, "color": BLUE})
    ax.text(0.8 * limit, 0.9 * limit, "unchanged", va="center", **place)
    ax.set(
        xlim=(-limit, limit), ylim=(-limit, limit), xlabel="initial weight, θ₀", ylabel="trained weight, θ", title=title
    )
    ax.set_aspect("equal")
    ax.grid(False)
    cuts = f"pruned where |trained weight| is below {sentences.number(cut)}" if cut else ""
    counts = f"{int(m.sum()):,} kept, {int((~m).sum()):,} pruned"
    grown = f"{int((last.abs() > first.abs()).sum()):,} are larger in magnitude than before"
    what = f"trained against initial value of {len(first):,} weights"
    alt.describe(ax, sentences.sentence(what, counts, cuts, grown))
    return ax
