"""Sliders: a thin `interact` over a plain function that draws, with a picture for readers without a kernel."""

import asyncio
import base64
import gzip
import html
import math
import os
import re
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO, StringIO
from itertools import product
from typing import Any

import ipywidgets
import matplotlib as mpl
import numpy as np
from IPython.display import display
from matplotlib import pyplot as plt
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from PIL import Image
from torch import Tensor, nn

from ltcourse.data import Split
from ltcourse.display import alt, plots, sentences, vectors
from ltcourse.display.pictures.frames import Frames, paper
from ltcourse.display.tables import percent
from ltcourse.experiments.transfer_matrix import TransferMatrix
from ltcourse.instruments import signals
from ltcourse.networks import masks
from ltcourse.networks.initializers import with_gain
from ltcourse.pruning import Round, criteria, supermasks
from ltcourse.pruning.restarts import State
from ltcourse.training import evaluate

Draw = Callable[..., Figure]
Values = Sequence[Any] | Mapping[str, Any]

# What a built notebook stores beside a widget's picture, for its slides: {"caption": …, "image/webp": base64} each.
STEPS = "application/vnd.ltcourse.steps+json"
_AT_MOST = 5  # stored values of one slider
_ROOM = 250_000  # bytes for a widget's stored steps: a notebook stays under 1 MB
_BOARD_DPI = 60  # of the picture of several steps of a picture
_DELAY = 0.03  # seconds in which a slider may move on before anything is drawn
_STYLE = """<style>
.ltcourse-explorer .widget-label, .ltcourse-explorer .widget-readout {
    font-size: 18px; height: 32px; line-height: 32px;
}
.ltcourse-explorer .widget-readout { min-width: 7em; }
.ltcourse-explorer .widget-image {
    width: 100%; max-width: 1250px; height: auto; object-fit: contain; box-sizing: border-box;
    margin: 0;  /* which is 2 pixels, and 100 % with a margin is wider than the cell */
}
</style>"""


def explore(draw: Draw | Frames, **choices: Values) -> None:
    """Show a slider for each argument of `draw`, and the figure that it returns; keyboard arrows move a slider, too.

    choices: argument → the values that its slider goes through; the middle one is shown first. What was drawn once is
    kept, and of the values that a slider rushes through only the last is drawn. A notebook that is being built keeps
    the first figure, as a picture that needs no kernel, and a few others for its slides.
    draw: or a picture in steps, whose one slider begins at its first step, with a button that plays it. A notebook
    keeps all its steps, as drawings, and a picture of those that tell the story.
    Lesson 01, "Move the threshold".
    """
    if isinstance(draw, Frames):
        _step_through(draw)
        return
    first = {name: _values(v)[len(v) // 2] for name, v in choices.items()}
    if os.environ.get("LTCOURSE_BUILD"):
        steps = [{"caption": _caption(step, choices), **_webp(draw, step)} for step in _steps(choices)]
        while len(steps) > 3 and sum(len(step["image/webp"]) for step in steps) * 3 / 4 > _ROOM:
            steps = steps[::2]
        picture, says = _png(draw, first)
        _keep({"image/png": _encoded(picture), "text/plain": "<a widget>", STEPS: steps}, says)
    else:
        _Explorer(draw, choices, first).show()


def _step_through(frames: Frames) -> None:
    """Show a picture in steps: one slider, which begins at the first."""
    choices = {"step": {label: i for i, label in enumerate(frames.labels)}}
    if os.environ.get("LTCOURSE_BUILD"):
        drawings = [_vector(frames.draw(i)) for i in range(len(frames))]
        captions = [{"caption": label, "alt": frames.says(i)} for i, label in enumerate(frames.labels)]
        steps = [{**caption, **drawing} for caption, drawing in zip(captions, drawings, strict=True)]
        picture = {"image/png": _encoded(_board(frames)), "text/plain": "<a picture in steps>"}
        _keep({**picture, **drawings[0], STEPS: steps}, frames.story())
    else:
        _Explorer(frames.draw, choices, {"step": 0}, playing=True).show()


def _keep(bundle: dict[str, Any], says: str) -> None:
    """Show a picture that needs no kernel, and say what it shows."""
    display(bundle, metadata=alt.metadata(says), raw=True)
    alt.below(says)


def _vector(figure: Figure) -> dict[str, str]:
    """A figure as a drawing, for slides: letters as text, and four digits a place, or it would fill the notebook."""
    file = StringIO()
    try:
        with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "ltcourse"}):
            figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    finally:
        plt.close(figure)
    drawing = re.sub(r"-?\d+\.\d{3,}", lambda number: f"{float(number[0]):.4g}", file.getvalue())
    return {vectors.VECTOR: _encoded(gzip.compress(drawing.encode(), compresslevel=9, mtime=0))}


def _board(frames: Frames) -> bytes:
    """The steps that tell the story, side by side in one picture, for readers without a kernel."""
    pictures = [Image.open(BytesIO(_png(frames.draw, {"step": i, "dpi": _BOARD_DPI})[0])) for i in frames.told]
    columns = 1 if len(pictures) == 1 else 2
    wide, tall = pictures[0].size
    board = Image.new("RGB", (columns * wide, -(-len(pictures) // columns) * tall), paper())
    for i, picture in enumerate(pictures):
        board.paste(picture, (i % columns * wide, i // columns * tall))
    file = BytesIO()
    board.quantize(32, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
    return file.getvalue()


class _Explorer:
    """Sliders above the picture of what they say."""

    def __init__(
        self, draw: Draw, choices: Mapping[str, Values], first: Mapping[str, Any], *, playing: bool = False
    ) -> None:
        self._draw = draw
        self._drawn: dict[tuple[Any, ...], tuple[bytes, str]] = {}
        self._due: asyncio.TimerHandle | None = None
        self.sliders = {
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
        self.player = [_player(slider) for slider in self.sliders.values() if playing]
        self.image = ipywidgets.Image(format="png")
        self.text, self.words = "", ipywidgets.HTML()
        self.says = ipywidgets.Accordion([self.words], titles=("What the figure shows",), selected_index=None)
        self.problem = ipywidgets.Label()
        for slider in self.sliders.values():
            slider.observe(self._moved, "value")
        self.update()

    def show(self) -> None:
        """Display the widget, with its picture for whoever opens the saved notebook without a kernel."""
        parts = (*self.sliders.values(), *self.player, self.image, self.says, self.problem)
        box = ipywidgets.VBox([ipywidgets.HTML(_STYLE), *parts])
        box.add_class("ltcourse-explorer")
        if self.player:
            box.add_class("ltcourse-playing")
        bundle = box._repr_mimebundle_()
        display({**bundle, "image/png": _encoded(self.image.value)}, metadata=alt.metadata(self.text), raw=True)

    def update(self) -> None:
        """Draw what the sliders say. What cannot be drawn leaves the last picture, and says why below it."""
        self._due = None
        values = {name: slider.value for name, slider in self.sliders.items()}
        key = tuple(slider.index for slider in self.sliders.values())
        try:
            if key not in self._drawn:
                self._drawn[key] = _png(self._draw, values)
            (self.image.value, self.text), self.problem.value = self._drawn[key], ""
            self.words.value = f"<p>{html.escape(self.text)}</p>"
        except Exception as error:
            self.problem.value = f"{type(error).__name__}: {error}"

    def _moved(self, change: Any) -> None:
        """Draw a moment later, unless the slider has moved on by then: in that time its other messages arrive."""
        if self._due is not None:
            self._due.cancel()
        try:
            self._due = asyncio.get_running_loop().call_later(_DELAY, self.update)
        except RuntimeError:  # no kernel that could call later
            self.update()


def _player(slider: ipywidgets.SelectionSlider) -> ipywidgets.Play:
    """A button that moves a slider on by itself, and stops at its end."""
    player = ipywidgets.Play(value=slider.index, max=len(slider.options) - 1, interval=1200, show_repeat=False)
    ipywidgets.link((player, "value"), (slider, "index"))
    return player


def _values(values: Values) -> list[Any]:
    return list(values.values() if isinstance(values, Mapping) else values)


def _labels(values: Values) -> list[str]:
    return [str(value) for value in values]


def _steps(choices: Mapping[str, Values]) -> list[dict[str, Any]]:
    """A few settings: each slider in turn goes from end to end, while the others stay in the middle."""
    middle = {name: len(values) // 2 for name, values in choices.items()}
    found: list[dict[str, int]] = []
    for name, values in choices.items():
        count = min(_AT_MOST, len(values))
        for i in range(count):
            step = {**middle, name: round(i * (len(values) - 1) / max(count - 1, 1))}
            if step not in found:
                found.append(step)
    return [{name: _values(choices[name])[index] for name, index in step.items()} for step in found]


def _caption(step: Mapping[str, Any], choices: Mapping[str, Values]) -> str:
    """What the sliders say: "pruned 0.5, layer fc2"."""
    said = {name: _labels(choices[name])[_values(choices[name]).index(value)] for name, value in step.items()}
    return ", ".join(
        label if label.startswith(f"{name} ") else f"{name.replace('_', ' ')} {label}" for name, label in said.items()
    )


def _png(draw: Draw, values: Mapping[str, Any]) -> tuple[bytes, str]:
    """The figure as a picture, of one size at all values, and what it shows.

    It is laid out and drawn once; saving it would draw it twice.
    """
    figure = draw(**values)
    try:
        if not figure.axes:
            raise ValueError("the figure is empty")
        canvas, file = FigureCanvasAgg(figure), BytesIO()
        canvas.draw()
        Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB").save(file, "PNG")
        return file.getvalue(), alt.of(figure)
    finally:
        plt.close(figure)


def _webp(draw: Draw, values: Mapping[str, Any]) -> dict[str, str]:
    """The same picture in a third of the bytes, with its alt text."""
    small = BytesIO()
    png, says = _png(draw, values)
    with Image.open(BytesIO(png)) as picture:
        picture.convert("RGB").quantize(128, dither=Image.Dither.NONE).convert("RGB").save(
            small, "WEBP", lossless=True, method=6
        )
    return {"image/webp": _encoded(small.getvalue()), "alt": says}


def _encoded(picture: bytes) -> str:
    return base64.b64encode(picture).decode("ascii")


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
        try:
            for share in self.shares:
                masks.apply(network, criteria.magnitude(self.weights, whole, share))
                self.accuracies.append(evaluate(network, split)[1])
                self._restore(network)
        finally:  # a Ctrl-C must not leave the network pruned
            self._restore(network)

    def _restore(self, network: nn.Module) -> None:
        for name, p in masks.prunable(network).items():
            p.data.copy_(self.weights[name])

    def draw(self, pruned: float, layer: str) -> Figure:
        """Draw the layer's weights with the threshold that prunes this share, beside accuracy against the share."""
        weights = self.weights[f"{layer}.weight"]
        figure, (left, right) = plt.subplots(1, 2, figsize=(12, 4.6))
        quality = criteria.quality_for(weights, 1 - pruned)
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
        every = {"all shares": sentences.by_x(self.shares, [self.accuracies])}
        alt.describe(right, sentences.curves(every, "validation accuracy", "the share pruned", say_x=sentences.size))
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
        figure, (left, middle, right) = plt.subplots(1, 3, figsize=(13, 4.6), width_ratios=(1.1, 0.9, 1.1))
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


class PopupExplorer:
    """Other shares k with the scores as they were trained: accuracy against k, beside the pixels that are looked at.

    network: with trained scores. split: examples to judge by. ks: shares kept, 0 to 1; the accuracies are computed
    once, here. layer: whose edges are shown; its inputs are the pixels of an image of `shape`, (height, width).
    Lesson 07, "Move k".
    """

    def __init__(
        self, network: nn.Module, split: Split, ks: Sequence[float], layer: str, shape: tuple[int, int]
    ) -> None:
        self.ks = tuple(ks)
        self._shape = shape
        self.trained_at = {name: popup.k for name, popup in supermasks.scored(network).items()}
        self.accuracies, self.masks = [], []
        try:
            for k in self.ks:
                supermasks.set_k(network, k)
                self.accuracies.append(evaluate(network, split)[1])
                self.masks.append(supermasks.supermask(network)[layer])
        finally:  # a Ctrl-C must not leave the network at another k
            supermasks.set_k(network, self.trained_at)
        self._scores = supermasks.scored(network)[layer].scores.detach().abs().flatten()
        self._k = self.trained_at[layer]

    def draw(self, k: float) -> Figure:
        """Draw accuracy against k, the scores with the cut at this k, and the pixels that the kept edges look at."""
        here = self.ks.index(k)
        figure, (left, middle, right) = plt.subplots(1, 3, figsize=(13, 4.6), width_ratios=(1.1, 1.1, 0.9))
        left.plot(self.ks, self.accuracies, color=plots.BLUE)
        left.axvline(self._k, color=plots.GRAY, linestyle="--", label=f"trained at k = {percent(self._k, 0)}")
        left.plot([k], [self.accuracies[here]], color=plots.ORANGE, marker="o", markersize=15)
        left.set(xlabel="weights kept, k", ylabel="validation accuracy", ylim=(0, 1.03))
        left.set_title(f"k = {percent(k, 0)}: {percent(self.accuracies[here])}")
        left.legend(loc="lower center")
        for axis in (left.xaxis, left.yaxis):
            axis.set_major_formatter(plots.PercentFormatter(1))
        every = {"the scores as trained": sentences.by_x(self.ks, [self.accuracies])}
        alt.describe(left, sentences.curves(every, "validation accuracy", "k", say_x=sentences.size))
        plots.score_histogram(self._scores, middle, kept=int(self.masks[here].sum()))
        plots.inputs_kept(self.masks[here], self._shape, right, "what the first layer looks at")
        return figure


class SignalExplorer:
    """What goes through a deep network, and what comes back, for every choice of depth, width, gain and activation.

    x, y: labeled images. depths: layers of weights. widths: neurons of the hidden layers. gains: label → the weights'
    std times sqrt(fan_in). seeds: of the networks, a line each. All is computed here, so that a slider answers at once.
    Lesson 06, "Move the gain".
    """

    activations = ("tanh", "ReLU")
    _limits = (1e-15, 1e15)  # a scale that jumps hides what changes

    def __init__(
        self,
        x: Tensor,
        y: Tensor,
        *,
        depths: Sequence[int],
        widths: Sequence[int],
        gains: Mapping[str, float],
        seeds: Sequence[int] = (0, 1),
    ) -> None:
        self.depths, self.widths, self.gains = tuple(depths), tuple(widths), dict(gains)
        self._found = {
            choice: [signals.measure(_plain(*choice, inputs=x[0].numel(), seed=seed), x, y) for seed in seeds]
            for choice in product(self.depths, self.widths, self.gains.values(), self.activations)
        }

    def draw(self, depth: int, width: int, gain: float, activation: str) -> Figure:
        """Draw the spread of the activations and of the gradients, layer by layer, one line per network."""
        found = self._found[depth, width, gain, activation]
        figure, axes = plt.subplots(1, 2, figsize=(13, 4.6), sharey=True)
        for ax, name in zip(axes, ("activations", "gradients"), strict=True):
            trials = [getattr(f, name) for f in found]
            for spreads in trials:
                ax.plot(spreads, color=plots.BLUE if name == "activations" else plots.ORANGE, marker="o", markersize=4)
            # of the hidden layers: the images and the logits are of other sizes
            layer = math.prod(signals.factor(t[1:-1]) for t in trials) ** (1 / len(trials))
            way = layer if name == "activations" else 1 / layer
            ax.set(
                yscale="log", ylim=self._limits, xlabel="layer (0: the images)", title=f"{name}: × {way:.2f} per layer"
            )
            ax.xaxis.set_major_locator(MaxNLocator(integer=True))
            lines = {f"network {i}": dict(enumerate(map(float, spreads))) for i, spreads in enumerate(trials, 1)}
            each = sentences.each(lines, sentences.number, sentences.number)
            alt.describe(ax, sentences.sentence(f"spread of the {name} by layer", *each))
        axes[0].set_ylabel("spread")
        figure.suptitle(f"{depth} layers of {width} neurons, {activation}, gain {gain:.3g}")
        return figure


def _plain(depth: int, width: int, gain: float, activation: str, *, inputs: int, seed: int) -> nn.Sequential:
    return signals.plain(depth, width, activation=activation, inputs=inputs, initializer=with_gain(gain), seed=seed)


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
        figure, (left, right) = plt.subplots(1, 2, figsize=(13, 4.8), width_ratios=(1, 1.1))
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
