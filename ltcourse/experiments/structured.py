"""Filters pruned, and what is left fine-tuned or trained from scratch: the test of Liu et al. (slides S4 and S8)."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn

from ltcourse.data import load
from ltcourse.experiments.journal import Journal, Row
from ltcourse.experiments.trials import Experiment, Settings, row_of, small_data
from ltcourse.instruments import neurons
from ltcourse.networks import masks, models
from ltcourse.networks.initializers import initialize, xavier_normal
from ltcourse.networks.masks import Mask
from ltcourse.networks.models import snapshot
from ltcourse.pruning import Round, filters
from ltcourse.pruning.restarts import State
from ltcourse.training import Recipe, train


@dataclass(frozen=True, kw_only=True)
class Structured(Settings):
    """The settings of a comparison of fine-tuning with training from scratch, for networks with fewer filters.

    recipe: of the dense network and of training from scratch. fine_tune: the recipe after pruning. shares: of the
    filters kept in each layer but the last, 0 to 1. longer: how many times as long the longest training from scratch
    is, which spends what the dense network's training and the smaller one's cost together, or less.
    Lesson 03, "Filters instead of weights".
    """

    fine_tune: Recipe
    shares: tuple[float, ...]
    longer: int = 2


def compare_restarts(chosen: Structured, seed: int, device: str, journal: Journal) -> Iterator[Row]:
    """Train a network, prune its filters, and train the smaller network in five ways.

    The methods: "dense"; "fine-tuned", from the trained weights; "random filters", the same with filters chosen at
    random; "ticket", from the initial weights of the chosen filters; "from scratch" and "from scratch, longer", from
    newly drawn weights. Densities are shares of the dense network's weights.
    Source: Liu et al. 2019, "Rethinking the Value of Network Pruning", Sec. 3 and 4.
    Lesson 03, "Filters instead of weights".
    """
    data = load(chosen.data, device=device)
    network = models.create(chosen.network, shape=data.shape, seed=seed, device=device)
    θ0 = snapshot(network)
    if journal.lacks("dense", 0):
        history = train(network, data, chosen.recipe, seed=seed)
        journal.rounds["dense"] = Round(0, masks.dense(network), snapshot(network), history)
        yield row_of("dense", journal.rounds["dense"])
    trained = journal.rounds["dense"].state

    def smaller(mask: Mask, weights: State) -> nn.Sequential:
        network.load_state_dict(weights)
        return neurons.remove(network, mask)[0]

    longer = chosen.recipe.but(
        iterations=chosen.longer * chosen.recipe.iterations, evaluate_every=chosen.longer * chosen.recipe.evaluate_every
    )
    for number, share in enumerate(chosen.shares, 1):
        network.load_state_dict(trained)
        chosen_filters = filters.prune_filters(network, share)
        random = filters.prune_filters(network, share, filters.at_random(seed))
        redrawn = initialize(smaller(chosen_filters, trained), xavier_normal, 1_000_003 * (seed + 1) + number)
        for method, mask, beginning, recipe in (
            ("fine-tuned", chosen_filters, smaller(chosen_filters, trained), chosen.fine_tune),
            ("random filters", random, smaller(random, trained), chosen.fine_tune),
            ("ticket", chosen_filters, smaller(chosen_filters, θ0), chosen.recipe),
            ("from scratch", chosen_filters, redrawn, chosen.recipe),
            ("from scratch, longer", chosen_filters, copy.deepcopy(redrawn), longer),
        ):
            if journal.lacks(method, number):
                history = train(beginning, data, recipe, seed=seed)
                yield row_of(method, Round(number, mask, {}, history)) | {"filters": share}


# SGD with momentum, as in Liu et al. 2019, Sec. 4; their rate of 0.1 diverges in LeNet-5, which has no norm layers
_SGD = Recipe(
    iterations=4_000, batch=64, optimizer="sgd", lr=0.02, weight_decay=1e-4, schedule="cosine", evaluate_every=400
)


def _lenet_5(name: str, question: str, lr: float) -> Experiment:
    """Return the comparison in LeNet-5 at one learning rate; fine-tuning is a quarter as long, at a tenth of it."""

    def at(budget: str, iterations: int, shares: tuple[float, ...], seeds: int, batch: int = 64) -> Structured:
        recipe = _SGD.but(iterations=iterations, evaluate_every=iterations // 10, batch=batch, lr=lr)
        short = recipe.but(iterations=iterations // 4, evaluate_every=iterations // 4, lr=lr / 10)
        return Structured(
            network="lenet-5",
            data=small_data(budget, "mnist"),
            recipe=recipe,
            fine_tune=short,
            shares=shares,
            seeds=tuple(range(seeds)),
        )

    return Experiment(
        name=name,
        question=question,
        lesson="03_lottery_ticket",
        budgets={
            "smoke": at("smoke", 20, (0.5, 0.1), 1, batch=32),
            "class": at("class", 300, (0.125,), 2),
            "desk": at("desk", 4_000, (0.5, 0.25, 0.125, 0.0625), 3),
        },
        trial=compare_restarts,
    )


EXPERIMENTS = (
    _lenet_5(
        "structured-lenet-5",
        "Are the weights of pruned filters worth keeping, or only the smaller network's shape?",
        0.02,
    ),
    _lenet_5(
        "structured-lenet-5-low",
        "Does a tenth of the learning rate change what the inherited weights are worth?",
        0.002,
    ),
)
