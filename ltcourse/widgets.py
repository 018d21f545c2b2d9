"""Sliders: a thin `interact` over a plain function that draws, with a picture for readers without a kernel."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import ipywidgets
from IPython.display import display
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from torch import nn

from ltcourse import masks, plots
from ltcourse.data import Split
from ltcourse.matrix import TransferMatrix
from ltcourse.pruning import Round
from ltcourse.restarts import State
from ltcourse.tables import percent
from ltcourse.training import evaluate

Draw = Callable[..., Figure]


def explore(draw: Draw, **choices: Sequence[Any] | Mapping[str, Any]) -> None:
    """Show a slider for each argument of `draw`, and the figure that it returns; keyboard arrows move a slider, too.

    choices: argument → the values that its slider goes through; the middle one is shown first. A notebook that is being
    built keeps the first figure alone, as a picture that needs no kernel.
    Lesson 01, "Move the threshold".
    """
    values_of = {name: list(v.values() if isinstance(v, Mapping) else v) for name, v in choices.items()}
    first = {name: values[len(values) // 2] for name, values in values_of.items()}

    def show(**values: Any) -> None:
        figure = draw(**values)
        display(figure)
        plt.close(figure)

    if os.environ.get("LTCOURSE_BUILD"):
        show(**first)
        return
    sliders = {
        name: ipywidgets.SelectionSlider(
            options=values if isinstance(values, Mapping) else list(values),
            value=first[name],
            description=name.replace("_", " "),
            continuous_update=True,
            style={"description_width": "initial"},
            layout={"width": "95%"},
        )
        for name, values in choices.items()
    }
    ipywidgets.interact(show, **sliders)


class ThresholdExplorer:
    """What a network would lose to a threshold, without retraining: a layer's histogram beside the accuracy.

    network: trained. split: examples to judge by. shares: of weights pruned, 0 to 1; the accuracies are computed once,
    here, so that a slider answers at once.
    Lesson 01, "Move the threshold".
    """

    def __init__(self, network: nn.Module, split: Split, shares: Sequence[float]) -> None:
        self.shares = tuple(shares)
        self.weights = {name: p.detach().clone() for name, p in masks.prunable(network).items()}
        whole = masks.dense(network)
        self.accuracies = []
        for share in self.shares:
            masks.apply(network, masks.magnitude(self.weights, whole, share))
            self.accuracies.append(evaluate(network, split)[1])
            for name, p in masks.prunable(network).items():
                p.data.copy_(self.weights[name])

    def draw(self, pruned: float, layer: str) -> Figure:
        """Draw the layer's weights with the threshold that prunes this share, beside accuracy against the share."""
        weights = self.weights[f"{layer}.weight"]
        figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.6))
        quality = masks.quality_for(weights, 1 - pruned)
        cut = quality * float(weights.std())
        plots.weight_histogram(weights, left, cut=cut, title=f"{layer}: threshold {quality:.2f} × std = {cut:.3f}")
        right.plot(self.shares, self.accuracies, color=plots.GRAY)
        here = self.accuracies[self.shares.index(pruned)]
        right.plot([pruned], [here], color=plots.ORANGE, marker="o", markersize=14)
        right.set(
            xlabel="pruned in every layer",
            ylabel="validation accuracy",
            ylim=(0, 1.03),
            title=f"{percent(pruned, 0)} pruned, not retrained: {percent(here)}",
        )
        for axis in (right.xaxis, right.yaxis):
            axis.set_major_formatter(plots.PercentFormatter(1))
        return figure


class TicketStepper:
    """Forward and back through the rounds of a lottery: the weights, the mask and the accuracy of each.

    rounds: of `prune_iteratively`, the dense network first. initial: θ₀. layer: whose weights and mask are shown; its
    inputs are the pixels of an image of `shape`, (height, width).
    Lesson 03, "Step through the rounds".
    """

    def __init__(self, rounds: Sequence[Round], initial: State, layer: str, shape: tuple[int, int]) -> None:
        self._rounds, self._initial, self._layer, self._shape = rounds, initial, layer, shape
        self.numbers = tuple(r.number for r in rounds)
        self._limit = 4 * float(initial[layer].std())

    def draw(self, round: int, weights: str) -> Figure:
        """Draw a round: its surviving weights ("before" or "after" training), its mask by pixel, its accuracy."""
        here = self._rounds[self.numbers.index(round)]
        figure, (left, middle, right) = plt.subplots(1, 3, figsize=(15, 4.6), width_ratios=(1.1, 0.9, 1.1))
        mask = here.mask[self._layer]
        values = {"before": self._initial, "after": here.state}[weights][self._layer]
        name = self._layer.removesuffix(".weight")
        plots.weight_histogram(
            values[mask], left, limit=self._limit, title=f"{name}: {int(mask.sum()):,} weights {weights} training"
        )
        plots.inputs_kept(mask, self._shape, middle, "what they look at")
        accuracies = {r.density: [r.history.validation_accuracy[-1]] for r in self._rounds}
        plots.against_density(
            {"ticket": accuracies}, right, ylabel="validation accuracy", reference={"dense": accuracies[1.0]}
        )
        right.plot([here.density], accuracies[here.density], color=plots.ORANGE, marker="o", markersize=15, zorder=3)
        right.set_title(f"round {round}: $P_m$ = {percent(here.density)}, {percent(accuracies[here.density][0])}")
        return figure


class TransferExplorer:
    """Where does a ticket win? The whole matrix at a density, and one source at one target along all densities.

    matrix: of a record or of a live run. densities: what a slider says → the round that is drawn.
    Lesson 05, "Pick a source, a target, a density".
    """

    def __init__(self, matrix: TransferMatrix) -> None:
        self._matrix = matrix
        self.sources, self.targets = matrix.sources, matrix.targets
        self.densities = {percent(matrix.density(number)): number for number in matrix.rounds}
        self._gains = {number: matrix.gains(number) for number in matrix.rounds}
        means = [abs(sum(v) / len(v)) for gains in self._gains.values() for v in gains.values()]
        self._limit = max(means, default=0.0) or 1.0  # one scale of colors for all densities

    def draw(self, source: str, target: str, density: int) -> Figure:
        """Draw the matrix at a round, the chosen cell framed, beside the accuracies of the cell and its controls."""
        figure, (left, right) = plt.subplots(1, 2, figsize=(15, 4.8), width_ratios=(1, 1.1))
        gains, size = self._gains[density], percent(self._matrix.density(density))
        plots.transfer_matrix(gains, left, f"ticket − random, points, $P_m$ = {size}", limit=self._limit)
        corner = self.targets.index(target) - 0.5, self.sources.index(source) - 0.5
        left.add_patch(plt.Rectangle(corner, 1, 1, fill=False, edgecolor="black", linewidth=4))
        curves = {"ticket": self._matrix.curve("ticket", target, target)}
        if source != target:
            curves["transferred"] = self._matrix.curve("ticket", source, target)
        for kind in ("re-initialized", "random"):
            if curve := self._matrix.curve(kind, source, target):
                curves[kind] = curve
        dense = {"dense": list(self._matrix.values("ticket", target, target, 0).values())}
        plots.against_density(curves, right, ylabel="test accuracy", reference=dense)
        tried = list(curves["ticket"])
        right.set_xticks(tried, [percent(p) for p in tried])
        here = curves.get("transferred", curves["ticket"])[self._matrix.density(density)]
        right.plot(
            [self._matrix.density(density)], [sum(here) / len(here)], color="black", marker="o", markersize=16,
            fillstyle="none", markeredgewidth=3, zorder=3,
        )  # fmt: skip
        right.set_title(f"found on {source}, trained on {target}")
        return figure
