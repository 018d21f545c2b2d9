"""The instability experiments: two runs that share their first iterations, and the line between them (lesson 04)."""

from collections.abc import Iterator
from dataclasses import dataclass

from ltcourse.data import load
from ltcourse.experiments.journal import Journal, Row
from ltcourse.experiments.trials import Experiment, Settings, row_of
from ltcourse.instruments.connectivity import barrier, errors_along
from ltcourse.networks import masks, models
from ltcourse.networks.models import snapshot
from ltcourse.pruning import Round
from ltcourse.training import Recipe, train


@dataclass(frozen=True, kw_only=True)
class Instability(Settings):
    """The settings of an instability analysis.

    forks: the iterations until which two runs are one. points: of the line between their ends.
    Lesson 04, "Are two runs one run?".
    """

    forks: tuple[int, ...]
    points: int = 11


def fork_and_compare(chosen: Instability, seed: int, device: str, journal: Journal) -> Iterator[Row]:
    """Train one network for k iterations, then twice with different orders of the examples, and look between the two.

    Source: Frankle et al. 2020, "Linear Mode Connectivity and the Lottery Ticket Hypothesis", Sec. 2.
    Lesson 04, "Are two runs one run?".
    """
    data = load(chosen.data, device=device)
    network = models.create(chosen.network, shape=data.shape, seed=seed, device=device)
    θ0 = snapshot(network)
    shares = [i / (chosen.points - 1) for i in range(chosen.points)]
    for number, fork in enumerate(chosen.forks, 1):
        if not journal.lacks("fork", number):
            continue
        network.load_state_dict(θ0)
        train(network, data, chosen.recipe, seed=seed, end=fork)
        common = snapshot(network)
        ends = []
        for order in (1, 2):
            network.load_state_dict(common)
            # orders that no trial trains with
            history = train(network, data, chosen.recipe, seed=1_000 * (seed + 1) + order, begin=fork)
            ends.append(snapshot(network))
        row = row_of("fork", Round(number, masks.dense(network), {}, history))
        errors = errors_along(network, ends[0], ends[1], data.test, data.train, shares)
        yield row | {"iteration": fork, "along": [round(e, 5) for e in errors], "barrier": barrier(errors)}


_LENET = Recipe(iterations=4_000, batch=60, optimizer="adam", lr=1.2e-3, evaluate_every=1_000)
_RESNET = Recipe(
    iterations=1_000, batch=64, optimizer="sgd", lr=0.1, weight_decay=1e-4, schedule="cosine", evaluate_every=500
)


def _instability(
    network: str, recipe: Recipe, full: Recipe, length: int, data: str, usual: str, mini: str
) -> Experiment:
    """Return the analysis of one network: at the class budget `length` iterations, at the paper budget the paper's.

    data, usual, mini: what it sees at the desk and paper, the class, and the smoke budget.
    """
    tiny = recipe.but(iterations=8, evaluate_every=4, batch=8)
    short = recipe.but(iterations=length, evaluate_every=length // 2)
    plans = {
        "smoke": (mini, tiny, (0, 4), 3, 1),
        "class": (usual, short, (0, length // 2), 5, 1),
        "desk": (data, recipe, (0, recipe.iterations // 20, recipe.iterations // 2), 11, 2),
        "paper": (data, full, (0, 100, 500, 1_000, 2_000, 5_000), 21, 3),
    }
    return Experiment(
        name=f"instability-{network}",
        question=f"From which iteration on do two runs of {network} end in the same valley?",
        lesson="04_when_tickets_fail",
        budgets={
            name: Instability(
                network=network, data=images, recipe=how, forks=forks, points=points, seeds=tuple(range(seeds))
            )
            for name, (images, how, forks, points, seeds) in plans.items()
        },
        trial=fork_and_compare,
    )


EXPERIMENTS = (
    _instability("lenet-300-100", _LENET, _LENET.but(iterations=50_000), 1_000, "mnist", "mnist", "fashion-mnist-mini"),
    _instability(
        "resnet-8", _RESNET, _RESNET.but(iterations=30_000, batch=128), 60, "cifar-10", "cifar-10-mini", "cifar-10-mini"
    ),
)
