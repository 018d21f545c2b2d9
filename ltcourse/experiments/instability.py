"""The instability experiments: two runs that share their first iterations, and the line between them (lesson 04).

First of dense networks; then of pruned ones, each beside the dense network that it was taken from.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn

from ltcourse.data import load
from ltcourse.experiments import lottery
from ltcourse.experiments.journal import Journal, Row
from ltcourse.experiments.trials import Experiment, Settings, row_of
from ltcourse.instruments.connectivity import barrier, errors_along
from ltcourse.networks import masks, models
from ltcourse.networks.masks import Mask
from ltcourse.networks.models import snapshot
from ltcourse.pruning import Round, criteria, prune_iteratively
from ltcourse.pruning.restarts import to_step
from ltcourse.training import Recipe, train


@dataclass(frozen=True, kw_only=True)
class Instability(Settings):
    """The settings of an instability analysis.

    forks: the iterations until which two runs are one. points: of the line between their ends.
    Lesson 04, "Do two runs end in the same valley?".
    """

    forks: tuple[int, ...]
    points: int = 11


@dataclass(frozen=True, kw_only=True)
class TicketInstability(Instability):
    """The settings of an instability analysis of tickets.

    forks: also the iterations to which the search for each ticket rewinds, 0 for a reset. rounds: how often each search
    prunes. rate: share of all remaining weights to prune per round, 0 to 1.
    Lesson 04, "Does a ticket win where it is stable?".
    """

    rounds: int
    rate: float


class _Forks:
    """One trial's network, and how it is trained twice from a fork on."""

    def __init__(self, chosen: Instability, seed: int, device: str) -> None:
        self.chosen, self.seed = chosen, seed
        self.data = load(chosen.data, device=device)
        self.network = self.fresh()
        self.θ0 = snapshot(self.network)
        self.whole = masks.dense(self.network)

    def fresh(self) -> nn.Module:
        """Return the network as it is drawn."""
        device = self.data.train.x.device
        return models.create(self.chosen.network, shape=self.data.shape, seed=self.seed, device=device)

    def compare(self, method: str, number: int, mask: Mask) -> Row:
        """Train the dense network until a fork, what a mask leaves of it twice from there on, and look between the two.

        number: of the fork, from 1.
        """
        fork, recipe = self.chosen.forks[number - 1], self.chosen.recipe
        self.network.load_state_dict(self.θ0)
        train(self.network, self.data, recipe, seed=self.seed, end=fork)
        common = snapshot(self.network)
        ends = []
        for order in (1, 2):
            self.network.load_state_dict(common)
            # orders that no trial trains with
            order_seed = 1_000 * (self.seed + 1) + order
            history = train(self.network, self.data, recipe, mask=mask, seed=order_seed, begin=fork)
            ends.append(snapshot(self.network))
        row = row_of(method, Round(number, mask, {}, history))
        shares = [i / (self.chosen.points - 1) for i in range(self.chosen.points)]
        errors = errors_along(self.network, ends[0], ends[1], self.data.test, self.data.train, shares)
        return row | {"iteration": fork, "along": [round(e, 5) for e in errors], "barrier": barrier(errors)}


def fork_and_compare(chosen: Instability, seed: int, device: str, journal: Journal) -> Iterator[Row]:
    """Train one network for k iterations, then twice with different orders of the examples, and look between the two.

    Source: Frankle et al. 2020, "Linear Mode Connectivity and the Lottery Ticket Hypothesis", Sec. 2.
    Lesson 04, "Do two runs end in the same valley?".
    """
    forks = _Forks(chosen, seed, device)
    for number in range(1, len(chosen.forks) + 1):
        if journal.lacks("fork", number):
            yield forks.compare("fork", number, forks.whole)


def compare_tickets(chosen: TicketInstability, seed: int, device: str, journal: Journal) -> Iterator[Row]:
    """Find a ticket for each iteration k by rewinding to it; compare two runs of it, and of the dense network, from k.

    A search's rows, "rewound to 400", end a round early; its last mask is that of the row "ticket", beside "dense".
    Source: Frankle et al. 2020, "Linear Mode Connectivity and the Lottery Ticket Hypothesis", Sec. 3.
    Lesson 04, "Does a ticket win where it is stable?".
    """
    forks = _Forks(chosen, seed, device)
    for number, fork in enumerate(chosen.forks, 1):
        method = f"rewound to {fork:,}"
        loop = prune_iteratively(
            forks.fresh(),
            forks.data,
            chosen.recipe,
            rate=chosen.rate,
            rounds=chosen.rounds - 1,
            scope="global",
            restart=to_step(fork),
            seed=seed,
            after=journal.rounds.get(method) or journal.rounds.get("dense"),
        )
        for done in journal.follow(method, loop):
            journal.rounds.setdefault("dense", done)
            if journal.lacks(method, done.number):
                yield row_of(method, done) | {"iteration": fork}
        last = journal.rounds.get(method) or journal.rounds["dense"]
        weights = {name: last.state[name] for name in last.mask}
        ticket = criteria.magnitude(weights, last.mask, chosen.rate, "global")
        for kind, mask in (("ticket", ticket), ("dense", forks.whole)):
            if journal.lacks(kind, number):
                yield forks.compare(kind, number, mask)


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


def _tickets(at: str, forks: tuple[int, ...], points: int) -> TicketInstability:
    """Return the settings of the residual network's tickets at night; at smaller budgets with few images, and short."""
    night = lottery.RESNET.budgets["night"]
    recipe, data, seeds = night.recipe, night.data, night.seeds
    if at != "night":
        length = {"smoke": 8, "class": 80}[at]
        recipe = recipe.but(
            iterations=length, evaluate_every=length // 2, batch=8 if at == "smoke" else 64, precision="float32"
        )
        data, seeds = "cifar-10-half-mini", (0,)
    return TicketInstability(
        network=night.network, data=data, recipe=recipe, seeds=seeds, forks=forks, points=points, rounds=2, rate=0.5
    )


EXPERIMENTS = (
    _instability("lenet-300-100", _LENET, _LENET.but(iterations=50_000), 1_000, "mnist", "mnist", "fashion-mnist-mini"),
    _instability(
        "resnet-8", _RESNET, _RESNET.but(iterations=30_000, batch=128), 60, "cifar-10", "cifar-10-mini", "cifar-10-mini"
    ),
    Experiment(
        name="instability-tickets",
        question="Does a residual network's ticket win only where it is stable?",
        lesson="04_when_tickets_fail",
        budgets={
            "smoke": _tickets("smoke", (0, 4), 3),
            "class": _tickets("class", (0, 16), 5),
            "night": _tickets("night", (0, 400, 2_000), 11),
        },
        trial=compare_tickets,
    ),
)
