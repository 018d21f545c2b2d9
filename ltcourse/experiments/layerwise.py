"""Pruning without training: a small language model layer by layer, and Optimal Brain Damage on LeNet-300-100."""

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ltcourse.data import Dataset, Split, Text, load
from ltcourse.data.texts import windows
from ltcourse.experiments.journal import Journal, Row
from ltcourse.experiments.trials import Experiment, Settings, small_data
from ltcourse.networks import masks, models, transformer
from ltcourse.networks.masks import Mask
from ltcourse.networks.models import snapshot
from ltcourse.pruning import Round, curvature, layerwise
from ltcourse.pruning.criteria import Criterion, at_random, magnitude
from ltcourse.training import Recipe, evaluate, train
from ltcourse.training.characters import evaluate_on_text, train_on_text

RESCALED = "rescaled"  # what a method's name ends with, where it prunes the network with outlier features


@dataclass(frozen=True, kw_only=True)
class Layerwise(Settings):
    """The settings of pruning a language model layer by layer.

    length: of the pieces of text. width, heads, depth: of the network. calibration: pieces of the training text whose
    inputs the layers are pruned by. methods: of `layerwise.METHODS`. shares: of the weights of each layer to prune, 0
    to 1. patterns: (n, m) each. outliers: channels of each norm that are multiplied by `factor` where the network is
    rescaled. rescaled: the share to prune there.
    Lesson 09, "Networks of today".
    """

    length: int
    width: int = 64
    heads: int = 4
    depth: int = 3
    calibration: int = 64
    methods: tuple[str, ...] = tuple(layerwise.METHODS)
    shares: tuple[float, ...]
    patterns: tuple[tuple[int, int], ...] = ((2, 4),)
    outliers: int = 4
    factor: float = 20.0
    rescaled: float = 0.5

    def create(self, text: Text, seed: int, device: str) -> transformer.Decoder:
        """Return the network of a trial, with freshly drawn weights.

        Lesson 09, "Networks of today".
        """
        sizes = {"length": self.length, "width": self.width, "heads": self.heads, "depth": self.depth}
        return transformer.decoder(len(text.alphabet), **sizes, seed=seed, device=device)


def prune_without_training(chosen: Layerwise, seed: int, device: str, journal: Journal) -> Iterator[Row]:
    """Train a language model, and prune it by each method to each share and pattern, without training it again.

    The rounds of a method are its shares and, after them, its patterns; "random" prunes as much of each layer. Then the
    network is rescaled, which changes none of its outputs, and pruned once more: methods that end with ", rescaled".
    Losses are in nats a character. "reconstruction" is the relative change of the layers' outputs, ‖WX − ŴX‖ / ‖WX‖ on
    the inputs of the dense network, averaged over the layers.
    Source: Sun et al. 2024, Sec. 4; Frantar & Alistarh 2023, Sec. 4.
    Lesson 09, "Networks of today".
    """
    text = load("python-topics", device=device)
    network = chosen.create(text, seed, device)
    names = transformer.linear_weights(network)
    examples = windows(text.train, chosen.length, chosen.calibration, seed)[:, :-1]

    def row(method: str, number: int, pruned: nn.Module, more: Row) -> Row:
        (validation_loss, validation), (test_loss, test) = (
            evaluate_on_text(pruned, part, chosen.length) for part in (text.validation, text.test)
        )
        weights = torch.cat([pruned.get_parameter(name).detach().flatten() for name in names])
        found = {
            "method": method, "round": number, "density": float(weights.count_nonzero()) / len(weights),
            "validation_loss": validation_loss, "validation_error": 1 - validation,
            "test_loss": test_loss, "test_error": 1 - test,
        }  # fmt: skip
        return found | more

    if journal.lacks("dense", 0):
        for history in train_on_text(network, text, chosen.recipe, chosen.length, seed=seed):  # noqa: B007
            pass
        journal.rounds["dense"] = Round(0, masks.dense(network), snapshot(network), history)
        yield row("dense", 0, network, {"outliers": outliers(network, examples, names)})
    network.load_state_dict(journal.rounds["dense"].state)
    seen = {name: layerwise.gram(network, examples, name) for name in names}
    patterns: list[layerwise.Pattern] = [*chosen.shares, *chosen.patterns]
    for number, pattern in enumerate(patterns, 1):
        for method in ("random", *chosen.methods):
            if journal.lacks(method, number):
                pruned = copy.deepcopy(network)
                prune(pruned, examples, method, pattern, names, seed)
                change = reconstruction(network, pruned, seen)
                yield row(method, number, pruned, {"pattern": named(pattern), "reconstruction": change})
    generator = masks.lot(seed)
    channels = torch.randperm(chosen.width, generator=generator)[: chosen.outliers]
    strange = transformer.rescale(copy.deepcopy(network), channels, chosen.factor)
    if journal.lacks(f"dense, {RESCALED}", 0):
        yield row(f"dense, {RESCALED}", 0, strange, {"outliers": outliers(strange, examples, names)})
    for method in chosen.methods:
        if journal.lacks(f"{method}, {RESCALED}", 1):
            pruned = copy.deepcopy(strange)
            prune(pruned, examples, method, chosen.rescaled, names, seed)
            yield row(f"{method}, {RESCALED}", 1, pruned, {"pattern": named(chosen.rescaled)})


def prune(network: nn.Module, examples: torch.Tensor, method: str, pattern: Any, names: list[str], seed: int) -> None:
    """Prune some layers of a network in place, by a method of `layerwise` or, the control, at random.

    Lesson 09, "Networks of today".
    """
    if method != "random":
        layerwise.prune_layers(network, examples, method, pattern, names)
        return
    weights = {name: network.get_parameter(name).detach() for name in names}
    generator = masks.lot(seed)
    for w in weights.values():
        scores = torch.rand(w.shape, generator=generator).to(w.device)
        w.mul_(layerwise.choose_by(scores, pattern))


def named(pattern: layerwise.Pattern) -> str:
    """Return a pattern as text: "50 %", or "2:4".

    Lesson 09, "Networks of today".
    """
    return f"{pattern[0]}:{pattern[1]}" if isinstance(pattern, tuple) else f"{pattern:.0%}".replace("%", " %")


def reconstruction(dense: nn.Module, pruned: nn.Module, seen: Mapping[str, torch.Tensor]) -> float:
    """Return ‖WX − ŴX‖ / ‖WX‖, averaged over the layers, given the Gram matrices XXᵀ of the dense network's inputs.

    Source: Frantar & Alistarh 2023, Eq. 1.
    Lesson 09, "Networks of today".
    """

    def size(w: torch.Tensor, gram: torch.Tensor) -> float:
        return float(((w @ gram) * w).sum().clamp(min=0).sqrt())

    found = []
    for name, gram in seen.items():
        w, other = (layerwise.as_matrix(n.get_parameter(name).detach()).double() for n in (dense, pruned))
        found.append(size(w - other, gram) / size(w, gram))
    return sum(found) / len(found)


def outliers(network: nn.Module, examples: torch.Tensor, names: list[str]) -> dict[str, float]:
    """Return, for each layer, the norm ‖x‖ of its largest input as a multiple of the median input's.

    Source: Dettmers et al. 2022, "LLM.int8()", Sec. 4, describes such features in large language models.
    Lesson 09, "Networks of today".
    """
    norms = {name: layerwise.gram(network, examples, name).diagonal().sqrt() for name in names}
    return {name: float(norm.max() / norm.median()) for name, norm in norms.items()}


@dataclass(frozen=True, kw_only=True)
class Damage(Settings):
    """The settings of pruning one trained network by several criteria, without training it again.

    examples: of the training set, by which the curvature is computed. densities: shares of all weights kept, falling.
    Lesson 09, "The fathers".
    """

    examples: int
    densities: tuple[float, ...]


def compare_criteria(chosen: Damage, seed: int, device: str, journal: Journal) -> Iterator[Row]:
    """Train a network, and prune it by magnitude, by Optimal Brain Damage's saliency and at random.

    All prune the whole network at once; "magnitude by layer" prunes the same share of each layer. "promised" is by how
    much the loss grows by the sum of the saliencies that are pruned, "lost" by how much it does, on the examples.
    Source: LeCun et al. 1990, Sec. 3.
    Lesson 09, "The fathers".
    """
    data: Dataset = load(chosen.data, device=device)
    network = models.create(chosen.network, shape=data.shape, seed=seed, device=device)
    examples = Split(data.train.x[: chosen.examples], data.train.y[: chosen.examples])
    if journal.lacks("dense", 0):
        history = train(network, data, chosen.recipe, seed=seed)
        journal.rounds["dense"] = Round(0, masks.dense(network), snapshot(network), history)
        yield _judged("dense", 0, network, masks.dense(network), data)
    trained, whole = journal.rounds["dense"].state, masks.dense(network)
    network.load_state_dict(trained)
    curved = curvature.hessian_diagonal(network, examples)
    weights = {name: trained[name] for name in whole}
    worth, before = curvature.saliency(weights, curved), evaluate(network, examples)[0]
    ways: dict[str, tuple[Criterion, str]] = {
        "magnitude": (magnitude, "global"),
        "magnitude by layer": (magnitude, "layer"),
        "optimal brain damage": (curvature.brain_damage(curved), "global"),
        "random": (at_random(seed), "global"),
    }
    for number, density in enumerate(chosen.densities, 1):
        for method, (criterion, scope) in ways.items():
            if journal.lacks(method, number):
                mask = criterion(weights, whole, 1 - density, scope)
                network.load_state_dict(trained)
                masks.apply(network, mask)
                promised = sum(float(worth[name][~m].sum()) for name, m in mask.items())
                lost = evaluate(network, examples)[0] - before
                yield _judged(method, number, network, mask, data) | {"promised": promised, "lost": lost}


def _judged(method: str, number: int, network: nn.Module, mask: Mask, data: Dataset) -> Row:
    (validation_loss, validation), (test_loss, test) = (
        evaluate(network, part) for part in (data.validation, data.test)
    )
    return {
        "method": method, "round": number, "kept": masks.kept(mask), "density": masks.density(mask),
        "layers": {name: masks.density({name: m}) for name, m in mask.items()},
        "validation_loss": validation_loss, "validation_error": 1 - validation,
        "test_loss": test_loss, "test_error": 1 - test,
    }  # fmt: skip


_LANGUAGE = Recipe(optimizer="adamw", batch=8, lr=5e-3, weight_decay=0.01, schedule="cosine")


def _layerwise(iterations: int, shares: tuple[float, ...], seeds: int, **more: Any) -> Layerwise:
    recipe = _LANGUAGE.but(iterations=iterations, warmup=iterations // 20, evaluate_every=max(1, iterations // 5))
    return Layerwise(
        network="transformer", data="python-topics", recipe=recipe, length=64, shares=shares, seeds=tuple(range(seeds)),
        **more,
    )  # fmt: skip


def _damage(at: str, iterations: int, examples: int, densities: tuple[float, ...], seeds: int) -> Damage:
    recipe = Recipe(iterations=iterations, evaluate_every=iterations // 5, batch=32 if at == "smoke" else 60)
    return Damage(
        network="lenet-300-100", data=small_data(at, "mnist"), recipe=recipe, examples=examples, densities=densities,
        seeds=tuple(range(seeds)),
    )  # fmt: skip


EXPERIMENTS = (
    Experiment(
        name="layerwise-transformer",
        question="Which weights of a language model can go, if it is not trained again?",
        lesson="09_frontier",
        budgets={
            "smoke": _layerwise(20, (0.5,), 1, width=16, depth=1, calibration=4),
            "class": _layerwise(2_000, (0.5, 0.7), 2, calibration=32),
            "desk": _layerwise(5_000, (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8), 3),
        },
        trial=prune_without_training,
    ),
    Experiment(
        name="brain-damage-lenet-300-100",
        question="Does the curvature of the loss choose better than magnitude?",
        lesson="09_frontier",
        budgets={
            "smoke": _damage("smoke", 20, 16, (0.5, 0.1), 1),
            "class": _damage("class", 1_000, 200, (0.4, 0.2, 0.1, 0.05), 2),
            "desk": _damage("desk", 4_000, 1_000, (0.8, 0.6, 0.4, 0.3, 0.2, 0.15, 0.1, 0.07, 0.05), 3),
        },
        trial=compare_criteria,
    ),
)
