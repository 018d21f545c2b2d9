"""Figures of a network's layers: how large they are, what one of their neurons adds up, and what goes through them."""

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator, PercentFormatter

from ltcourse.display import alt, sentences
from ltcourse.display.axes import plain
from ltcourse.display.plots import BLUE, COLORS, LAYERS, MARKERS, ORANGE
from ltcourse.instruments.sparsity import Layer


def weights_and_flop(layers: Sequence[Layer], ax: Axes, title: str = "") -> Axes:
    """Draw the share that each layer has of all weights and of all FLOP of the dense network, side by side.

    Lesson 02, "Why the dense layers".
    """
    names = [layer.name.removesuffix(".weight") for layer in layers]
    y = np.arange(len(layers))
    said = []
    for offset, values, label, color in (
        (-0.2, [layer.weights for layer in layers], "of the weights", BLUE),
        (0.2, [layer.flop for layer in layers], "of the FLOP", ORANGE),
    ):
        shares = [v / sum(values) for v in values]
        ax.barh(y + offset, shares, height=0.4, label=label, color=color)
        said.append(f"{label}, {sentences.bars(dict(zip(names, shares, strict=True)), sentences.share)}")
    ax.set_yticks(y, names)
    ax.invert_yaxis()
    ax.xaxis.set_major_formatter(PercentFormatter(1))
    ax.set(xlabel="share of the dense network", title=title)
    ax.legend(loc="best")
    alt.describe(ax, sentences.sentence("share that each layer has", *said))
    return ax


def layer_sums(into: int, out: int, ax: Axes, *, back: bool = False) -> Axes:
    """Draw two layers and the products that one neuron adds up: on the way forward, or on the way back.

    into, out: neurons of layers i − 1 and i.
    Lesson 06, "One neuron adds up".
    """
    left, right = (np.linspace(-1, 1, n) * (n - 1) / max(max(into, out) - 1, 1) for n in (into, out))
    one = (into if back else out) // 2
    color = ORANGE if back else BLUE
    for a, y in enumerate(left):
        for b, z in enumerate(right):
            used = one == (a if back else b)
            ax.plot([0, 1], [y, z], color=color if used else "#DDDDDD", linewidth=2.5 if used else 1, zorder=1 + used)
    for x, places, chosen in ((0, left, back), (1, right, not back)):
        fill = [color if chosen and k == one else "white" for k in range(len(places))]
        ax.scatter([x] * len(places), places, s=330, c=fill, edgecolors="#333333", linewidths=1.6, zorder=3)
    ax.text(0, -1.25, f"layer $i-1$\n$n_{{i-1}}$ = {into}", ha="center", va="top")
    ax.text(1, -1.25, f"layer $i$\n$n_i$ = {out}", ha="center", va="top")
    ax.annotate(
        "",
        (0.2, 1.25) if back else (0.8, 1.25),
        (0.8, 1.25) if back else (0.2, 1.25),
        arrowprops={"arrowstyle": "-|>", "color": color, "lw": 2.5},
    )
    ax.set(xlim=(-0.35, 1.35), ylim=(-1.75, 1.35))
    count = f"$n_i$ = {out}" if back else f"$n_{{i-1}}$ = {into}"
    ax.set_title(f"{'back' if back else 'forward'}: a sum of {count} products")
    ax.set_axis_off()
    there, here = (out, into) if back else (into, out)
    which = "Every neuron of the layer before" if back else "Every neuron of the next layer"
    alt.describe(ax, f"{which} ({here} of them) adds up {there} products; those of one are in color.")
    return ax


def through_layers(
    curves: Mapping[str, Sequence[Sequence[float]]], ax: Axes, *, ylabel: str, title: str = "", legend: bool = True
) -> Axes:
    """Draw a number layer by layer on a logarithmic axis: the mean of the trials as a line, their range as a band.

    curves: label → one list per trial, the images (layer 0) first. The mean is that of the logarithms. What is exactly
    0 has no place on the axis: its line ends there, and the legend, which stands at the right of the axes, says so.
    Source: Glorot & Bengio 2010, whose figures of activations and gradients are histograms.
    Lesson 06, "Thirty layers".
    """
    for i, (label, trials) in enumerate(curves.items()):
        values = np.array(trials, dtype=float)
        lost = (values == 0).any(0)
        values[:, lost] = np.nan
        color = COLORS.get(label, LAYERS[i % len(LAYERS)])
        ax.plot(
            range(values.shape[1]),
            np.exp(np.log(values).mean(0)),
            color=color,
            marker=MARKERS[i % len(MARKERS)],
            markersize=5,
            label=f"{label} (exactly 0)" if lost.any() else label,
        )
        ax.fill_between(range(values.shape[1]), values.min(0), values.max(0), color=color, alpha=0.2, linewidth=0)
    ax.set_yscale("log")
    ax.set(xlabel="layer (0: the images)", ylabel=ylabel, title=title)
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    if legend:
        ax.legend(loc="center left", bbox_to_anchor=(1.0, 0.5))
    alt.describe(ax, sentences.layers(curves, ylabel, plain(ax.get_xlabel())))
    return ax
