"""Drawings of networks so small that every edge can be seen: neurons, the edges in use, and the others."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from ltcourse.data import Dataset, Split
from ltcourse.display.plots import BLUE, GRAY, GREEN, ORANGE, RED
from ltcourse.networks.initializers import initialize, kaiming_normal
from ltcourse.pruning import supermasks
from ltcourse.training import Recipe, evaluate, train

_PALE, _INK = "#D9D9D9", "#333333"


@dataclass(frozen=True)
class Hidden:
    """A small network τ that was trained, a larger random one, N, and a subnetwork τ′ of N that edge-popup found.

    trained, random: the weights of τ and of N, one per layer, (out, in). kept: which weights of N are those of τ′.
    accuracy: the share of the test images that each of "τ", "N" and "τ′" reads, 0 to 1.
    Lesson 07, "What is hidden?".
    """

    trained: list[Tensor]
    random: list[Tensor]
    kept: list[Tensor]
    accuracy: dict[str, float]


def hidden(digits: Dataset, seed: int = 3) -> Hidden:
    """Train a network small enough to be drawn, and search a larger random one for a subnetwork that is as good.

    digits: images (n, 1, 28, 28); of these the zeros and ones are used, averaged down to 3 × 3 pixels. seed: of both
    networks, the scores, and the order of the images. Half of the weights of each layer of N are kept.
    Source: Ramanujan et al. 2020, Fig. 1.
    Lesson 07, "What is hidden?".
    """

    def coarse(part: Split) -> Split:
        chosen = part.y < 2
        return Split(avg_pool2d(part.x[chosen], 10, stride=9), part.y[chosen])

    def accuracy(network: nn.Module) -> float:
        return evaluate(network, examples.test)[1]

    examples = digits.each(coarse)
    small, large = (initialize(_dense(*sizes), kaiming_normal, seed=seed) for sizes in ((9, 4, 2), (9, 8, 8, 2)))
    recipe = Recipe(iterations=100, batch=32, optimizer="adam", lr=0.02, evaluate_every=100)
    train(small, examples, recipe, seed=seed)
    found = {"τ": accuracy(small), "N": accuracy(large)}
    train(supermasks.edge_popup(large, 0.5, seed=seed), examples, recipe.but(optimizer="sgd"), seed=seed)
    found["τ′"] = accuracy(large)
    trained, random = supermasks.frozen(small), supermasks.frozen(large)
    return Hidden([*trained.values()], [*random.values()], [*supermasks.supermask(large).values()], found)


def _dense(*sizes: int) -> nn.Sequential:
    layers: list[nn.Module] = [nn.Flatten()]
    with torch.device("meta"):  # so that no weight is drawn before it is initialized
        for into, out in pairwise(sizes):
            layers += [nn.Linear(into, out, bias=False), nn.ReLU()]
    return nn.Sequential(*layers[:-1]).to_empty(device="cpu")


def edges(
    weights: Sequence[Tensor],
    ax: Axes,
    *,
    kept: Sequence[Tensor] | None = None,
    before: Sequence[Tensor] | None = None,
    title: str = "",
) -> Axes:
    """Draw a network of dense layers from left to right: an edge in use is blue if its weight is positive, else orange.

    The larger |w| is beside the others of its layer, the wider is the edge.
    weights: one per layer, (out, in). kept: which of them are used, by default all; the others are pale. before: which
    were used earlier: an edge that came since is green, one that went is red.
    Source: Ramanujan et al. 2020, Fig. 1 and 2.
    Lesson 07, "Watch the edges".
    """
    sizes = [weights[0].shape[1], *(w.shape[0] for w in weights)]
    tallest = max(sizes)
    heights = [np.arange(n) * (tallest / n) + tallest / n / 2 for n in sizes]
    drawn: dict[str, list[tuple[tuple[float, float], tuple[float, float]]]] = {}
    widths: dict[str, list[float]] = {}
    for layer, w in enumerate(weights):
        relative = w.abs() / w.abs().max().clamp(min=1e-30)
        for out in range(w.shape[0]):
            for into in range(w.shape[1]):
                used = kept is None or bool(kept[layer][out, into])
                was = used if before is None else bool(before[layer][out, into])
                color = GREEN if used and not was else RED if was and not used else _PALE if not used else ""
                color = color or (BLUE if w[out, into] > 0 else ORANGE)
                line = ((layer, heights[layer][into]), (layer + 1, heights[layer + 1][out]))
                drawn.setdefault(color, []).append(line)
                least = 2.0 if color in (RED, GREEN) else 0.6  # a change is seen, however small the weight
                widths.setdefault(color, []).append(0.7 if color == _PALE else least + 3.4 * float(relative[out, into]))
    for color in (_PALE, BLUE, ORANGE, RED, GREEN):
        if color in drawn:
            order = 1 if color == _PALE else 2
            ax.add_collection(LineCollection(drawn[color], colors=color, linewidths=widths[color], zorder=order))
    for layer, y in enumerate(heights):
        ax.scatter([layer] * len(y), y, s=90, color="white", edgecolors=_INK, linewidths=1.5, zorder=3)
    ax.set(xlim=(-0.15, len(weights) + 0.15), ylim=(-0.3, tallest + 0.3), xticks=[], yticks=[], title=title)
    ax.grid(False)
    for side in ax.spines.values():
        side.set_visible(False)
    return ax


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
