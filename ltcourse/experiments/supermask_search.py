"""The experiments on supermasks: accuracy against k, against initialization and against width (slides S13, S14)."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from torch import nn

from ltcourse.data import Dataset, load
from ltcourse.experiments.journal import Journal, Row
from ltcourse.experiments.trials import Experiment, Settings, row_of, small_data
from ltcourse.networks import masks, models
from ltcourse.networks.initializers import named
from ltcourse.pruning import Round, supermasks
from ltcourse.training import History, Recipe, evaluate, train


@dataclass(frozen=True, kw_only=True)
class SupermaskSearch(Settings):
    """The settings of a search for supermasks: recipe is that of the scores.

    trained: the recipe of the same network with its weights trained. ks: shares kept, 0 to 1; at 1 there is nothing to
    search for. initializers: by name, each searched at every k. width: of the networks, as a share of the paper's.
    widths: others, searched at `k`, one of `ks`, with the first initializer, and trained. random: whether the
    subnetworks of the scores that the search begins with are evaluated, too.
    Lesson 07, "How many edges?".
    """

    trained: Recipe
    ks: tuple[float, ...]
    initializers: tuple[str, ...]
    width: float = 1
    widths: tuple[float, ...] = ()
    k: float = 0.5
    random: bool = False

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data, without the width where it is the paper's: as records have it that are older than it.

        Lesson 07, "How many edges?".
        """
        return {name: value for name, value in super().to_dict().items() if name != "width" or value != 1}

    @property
    def rows(self) -> int:
        """How many rows a trial has.

        Lesson 07, "How many edges?".
        """
        return 1 + len(self.ks) * (len(self.initializers) + self.random) + 2 * len(self.widths)


def find_supermasks(chosen: SupermaskSearch, seed: int, device: str, journal: Journal) -> Iterator[Row]:
    """Train a network, and search for the supermasks of networks with the same seed that are not trained.

    Every row has its `k` and its `width`; the rows of a trained network have k = 1.
    Source: Ramanujan et al. 2020, Sec. 4.
    Lesson 07, "How many edges?".
    """
    data = load(chosen.data, device=device)

    def network(initializer: str, width: float = chosen.width) -> nn.Sequential:
        return models.create(
            chosen.network, shape=data.shape, width=width, initializer=named(initializer), seed=seed, device=device
        )

    def trained(number: int, width: float) -> Row:
        dense = network(chosen.initializers[0], width)
        history = train(dense, data, chosen.trained, seed=seed)
        return row_of("trained", Round(number, masks.dense(dense), {}, history)) | {"k": 1.0, "width": width}

    def searched(method: str, number: int, initializer: str, k: float, width: float = chosen.width) -> Row:
        hidden = supermasks.edge_popup(network(initializer, width), k, seed=seed)
        before = supermasks.checksum(hidden)
        fixed = method == "random" or k == 1
        history = _untrained(hidden, data) if fixed else train(hidden, data, chosen.recipe, seed=seed)
        if supermasks.checksum(hidden) != before:
            raise RuntimeError("a random weight has moved")
        done = Round(number, supermasks.supermask(hidden), {}, history)
        return row_of(method, done) | {"k": k, "width": width}

    if journal.lacks("trained", 0):
        yield trained(0, chosen.width)
    for number, k in enumerate(chosen.ks, 1):
        for initializer in chosen.initializers:
            if journal.lacks(initializer, number):
                yield searched(initializer, number, initializer, k)
        if chosen.random and journal.lacks("random", number):
            yield searched("random", number, chosen.initializers[0], k)
    for number, width in enumerate(chosen.widths, 1):
        if journal.lacks("by width", number):
            yield searched("by width", number, chosen.initializers[0], chosen.k, width)
        if journal.lacks("trained", number):
            yield trained(number, width)


def _untrained(network: nn.Module, data: Dataset) -> History:
    """What a training of no iterations would record."""
    (loss, accuracy), (test_loss, test_accuracy) = evaluate(network, data.validation), evaluate(network, data.test)
    return History([0], [math.nan], [loss], [accuracy], test_loss, test_accuracy, test_accuracy)


_KS = (0.1, 0.3, 0.5, 0.7, 0.9)
_ALL = ("kaiming", "xavier", "signed constant")
# Ramanujan et al. 2020, Sec. 4: SGD 0.1, momentum 0.9, weight decay 1e-4, cosine, batches of 128, 100 epochs
_POPUP = Recipe(optimizer="sgd", lr=0.1, weight_decay=1e-4, schedule="cosine", batch=128)


def _lenet(at: str, iterations: int, ks: tuple[float, ...], widths: tuple[float, ...], seeds: int) -> SupermaskSearch:
    popup = _POPUP.but(iterations=iterations, evaluate_every=iterations)
    return SupermaskSearch(
        network="lenet-300-100",
        data=small_data(at, "mnist"),
        recipe=popup,
        trained=popup.but(optimizer="adam", lr=1.2e-3, weight_decay=0.0, schedule="constant"),
        ks=ks,
        initializers=_ALL,
        widths=widths,
        random=True,
        seeds=tuple(range(seeds)),
    )


def _conv(network: str, lr: float, ks: tuple[float, ...] = (0.5,), widths: tuple[float, ...] = ()) -> Experiment:
    """Return the search in one of the paper's networks for CIFAR-10.

    lr: of the training that it is set beside. ks, widths: what the night budget searches at; they are spread over the
    networks, so that each of the paper's figures has a network.
    """

    def at(
        data: str, popup: Recipe, ks: tuple[float, ...], initializers: tuple[str, ...], seeds: int, **plan: Any
    ) -> SupermaskSearch:
        beside = popup.but(optimizer="adam", lr=lr, weight_decay=0.0, schedule="constant")
        settings: dict[str, Any] = {"trained": beside, "ks": ks, "initializers": initializers} | plan
        return SupermaskSearch(network=network, data=data, recipe=popup, seeds=tuple(range(seeds)), **settings)

    tiny = _POPUP.but(iterations=4, evaluate_every=4, batch=8, augment="crop-flip")
    short = _POPUP.but(iterations=30, evaluate_every=30, batch=64)
    # so short that no image is seen twice: nothing to augment
    desk = _POPUP.but(iterations=300, evaluate_every=300, batch=64)
    # Ten epochs, after which the trained networks, too, are near their end. No crops: by 4 of 16 pixels they move an
    # image twice as far as at full size, and in ten epochs the scores learn little from such images.
    night = _POPUP.but(iterations=3_510, evaluate_every=351, precision="bfloat16")
    ended = night.but(optimizer="adam", lr=1e-3, weight_decay=0.0)
    # products in bfloat16, the one setting that is ours
    paper = _POPUP.but(iterations=35_100, evaluate_every=1_755, augment="crop-flip", precision="bfloat16")
    return Experiment(
        name=f"hidden-{network}",
        question=f"How well does a subnetwork of a random {network} do on CIFAR-10?",
        lesson="07_supermasks",
        budgets={
            "smoke": at("cifar-10-mini", tiny, (0.5,), ("kaiming",), 1),
            "class": at("cifar-10-mini", short, (0.5,), ("kaiming",), 1),
            "desk": at("cifar-10", desk, _KS, ("kaiming", "xavier"), 2),
            "night": at("cifar-10-half", night, ks, _ALL, 3, trained=ended, width=0.5, widths=widths),
            "paper": at("cifar-10", paper, (0.5,), ("kaiming", "signed constant"), 3),
        },
        trial=find_supermasks,
    )


def _in_float32(found: Experiment) -> Experiment:
    """Return a search at half of the edges whose products are not rounded to bfloat16; nothing else differs."""
    budgets = {}
    for at in ("smoke", "class", "night"):
        plan = found.budgets[at]
        assert isinstance(plan, SupermaskSearch)
        exact = {part: getattr(plan, part).but(precision="float32") for part in ("recipe", "trained")}
        budgets[at] = replace(plan, **exact, ks=(plan.k,))
    return Experiment(
        name="precision-conv-2",
        question="Is anything else found in Conv-2 if its products are not rounded to bfloat16?",
        lesson="07_supermasks",
        budgets=budgets,
        trial=find_supermasks,
    )


_CONV_2 = _conv("conv-2", 2e-4, ks=(*_KS, 1.0))

EXPERIMENTS = (
    Experiment(
        name="hidden-lenet-300-100",
        question="How well does a subnetwork of a random LeNet-300-100 do on MNIST?",
        lesson="07_supermasks",
        budgets={
            "smoke": _lenet("smoke", 20, (0.3, 0.5), (0.5,), 1),
            "class": _lenet("class", 1_000, _KS, (0.25, 0.5, 2), 2),
            "desk": _lenet("desk", 4_000, _KS, (0.25, 0.5, 2, 4), 3),
            "paper": _lenet("paper", 42_900, _KS, (0.25, 0.5, 2, 4), 5),
        },
        trial=find_supermasks,
    ),
    _CONV_2,
    _conv("conv-4", 3e-4, widths=(0.25, 1)),
    _conv("conv-6", 3e-4),
    _conv("conv-8", 3e-4),
    _in_float32(_CONV_2),
)
