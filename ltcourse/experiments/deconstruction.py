"""What makes a ticket win: which weights its mask keeps, and what they begin with (lesson 07)."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn

from ltcourse.data import Dataset, load
from ltcourse.experiments.journal import Journal, Row
from ltcourse.experiments.trials import Experiment, Settings, row_of, small_data
from ltcourse.networks import masks, models
from ltcourse.networks.masks import Mask, Weights
from ltcourse.networks.models import snapshot
from ltcourse.pruning import Round, criteria, prune_iteratively
from ltcourse.pruning.criteria import Criterion
from ltcourse.pruning.restarts import State, put_together, to_init
from ltcourse.training import Recipe, evaluate, train

# What the kept weights begin with, by name: where their magnitudes are from, and where their signs. Each of the three
# magnitudes is there with the initial signs and with signs at random, so that the difference is that of the signs.
STARTS = {
    "values": ("initial", "initial"),
    "values, random signs": ("initial", "redrawn"),
    "constant": ("constant", "initial"),
    "constant, random signs": ("constant", "redrawn"),
    "redrawn": ("redrawn", "initial"),
    "redrawn, random signs": ("redrawn", "redrawn"),
    "constant, all positive": ("constant", "positive"),
}


def named_criteria(initial: Weights, seed: int) -> dict[str, Criterion]:
    """Return the criteria by the names that the paper gives them.

    initial: the weights before training. seed: of the random one.
    Source: Zhou et al. 2019, Sec. 2; "large final, same sign" is of Sec. 5.
    Lesson 07, "What makes a ticket win?".
    """
    return {
        "large final": criteria.magnitude,
        "large final, same sign": criteria.same_sign(initial),
        "magnitude increase": criteria.magnitude_increase(initial),
        "movement": criteria.movement(initial),
        "small final": criteria.small_final,
        "random": criteria.at_random(seed),
    }


_CRITERIA = tuple(named_criteria({}, 0))
_POINTS = 20  # of each validation curve, at most


@dataclass(frozen=True, kw_only=True)
class Deconstruction(Settings):
    """The settings of a comparison of criteria and of what the kept weights begin with.

    rounds: how often to prune. fold: how many of the paper's rounds, of `rate` a layer and half of it for the output
    layer, are taken as one. criteria: names of `named_criteria`, each searched round by round with the initial weights.
    starts: names of `STARTS`, "values" among them, each trained with every mask.
    Lesson 07, "What makes a ticket win?".
    """

    rounds: int
    fold: int
    rate: float = 0.2
    criteria: tuple[str, ...] = _CRITERIA
    starts: tuple[str, ...] = tuple(STARTS)

    @property
    def trainings(self) -> int:
        """How many networks a trial trains, and so how many rows it has.

        Lesson 07, "What makes a ticket win?".
        """
        return 1 + len(self.criteria) * self.rounds * len(self.starts)

    def rates(self, mask: Mask) -> dict[str, float]:
        """Return the rate of each layer at which a round removes what `fold` of the paper's rounds would."""
        return {name: 1 - (1 - r) ** self.fold for name, r in criteria.layer_rates(mask, self.rate).items()}


def method(criterion: str, start: str) -> str:
    """Return the method of the rows of a criterion and a start: "large final: constant".

    Lesson 07, "What makes a ticket win?".
    """
    return f"{criterion}: {start}"


def deconstruct(chosen: Deconstruction, seed: int, device: str, journal: Journal) -> Iterator[Row]:
    """Find masks by each criterion round by round; evaluate and train each with everything that it could begin with.

    The masks are found with the initial weights, so that all starts of a criterion and a round share one mask. A row
    has its `criterion` and its `start`; `untrained_validation_error` and `untrained_test_error`, 0 to 1, of the mask
    alone, before the first step; and `same_sign`, the share of the kept weights that end with the sign they began with.
    Every training of a trial sees the examples in the same order. The dense network is round 0 of "dense".
    Source: Zhou et al. 2019, Sec. 2, 3 and 5. There each start is searched for masks of its own.
    Lesson 07, "What makes a ticket win?".
    """
    data = load(chosen.data, device=device)
    network = models.create(chosen.network, shape=data.shape, seed=seed, device=device)
    θ0, everything = snapshot(network), masks.dense(network)

    def search(name: str, criterion: Criterion) -> Iterator[Round]:
        loop = prune_iteratively(
            models.create(chosen.network, shape=data.shape, seed=seed, device=device),
            data,
            chosen.recipe,
            rate=chosen.rates(everything),
            rounds=chosen.rounds,
            criterion=criterion,
            restart=to_init,
            seed=seed,
            after=journal.rounds.get(name) or journal.rounds.get("dense"),
        )
        return journal.follow(name, loop)

    def beginning(start: str, number: int) -> State:
        return put_together(*STARTS[start], seed)(network, lambda _: θ0, number)[0]

    def trained(start: State, ticket: Round) -> Round:
        network.load_state_dict(start)
        history = train(network, data, chosen.recipe, mask=ticket.mask, seed=seed)
        return Round(ticket.number, ticket.mask, snapshot(network), history)

    by_name = named_criteria({name: θ0[name] for name in everything}, seed)
    for criterion in chosen.criteria:
        for ticket in search(criterion, by_name[criterion]):
            journal.rounds.setdefault("dense", ticket)
            if ticket.number == 0:
                if journal.lacks("dense", 0):
                    yield row_of("dense", ticket, points=_POINTS)
                continue
            for start in chosen.starts:
                if not journal.lacks(method(criterion, start), ticket.number):
                    continue
                state = beginning(start, ticket.number)
                done = ticket if start == "values" else trained(state, ticket)
                yield (
                    row_of(method(criterion, start), done, points=_POINTS)
                    | {"criterion": criterion, "start": start, "same_sign": _same_sign(state, done)}
                    | _untrained(network, state, ticket.mask, data)
                )


def _untrained(network: nn.Module, start: State, mask: Mask, data: Dataset) -> Row:
    """What the mask alone is worth, before the first step of training."""
    network.load_state_dict(start)
    masks.apply(network, mask)
    parts = {"validation": data.validation, "test": data.test}
    return {f"untrained_{name}_error": 1 - evaluate(network, part)[1] for name, part in parts.items()}


def _same_sign(start: State, done: Round) -> float:
    """The share of the kept weights that end with the sign that they began with."""
    same = [(start[name].sign() == done.state[name].sign())[m] for name, m in done.mask.items()]
    return float(torch.cat(same).double().mean())


# The network, the training and the rates are those of Frankle & Carbin 2019, Fig. 2; the authors prune 24 times.
_RECIPE = Recipe(iterations=50_000, batch=60, optimizer="adam", lr=1.2e-3, evaluate_every=100)
_FEW = ("large final", "large final, same sign", "random")


def _lenet(
    at: str,
    iterations: int,
    rounds: int,
    fold: int,
    seeds: int,
    chosen: tuple[str, ...] = _CRITERIA,
    starts: tuple[str, ...] = tuple(STARTS),
) -> Deconstruction:
    return Deconstruction(
        network="lenet-300-100",
        data=small_data(at, "mnist"),
        # an evaluation of LeNet takes as long as 50 iterations
        recipe=_RECIPE.but(iterations=iterations, evaluate_every=100 if at == "paper" else -(-iterations // 4)),
        rounds=rounds,
        fold=fold,
        criteria=chosen,
        starts=starts,
        seeds=tuple(range(seeds)),
    )


EXPERIMENTS = (
    Experiment(
        name="deconstruction-lenet-300-100",
        question="What makes a ticket win: which weights are kept, their signs, or their values?",
        lesson="07_supermasks",
        budgets={
            "smoke": _lenet("smoke", 10, 1, 7, 1, _FEW[:2], ("values", "constant", "constant, random signs")),
            "class": _lenet("class", 300, 1, 7, 2, _FEW, ("values", "constant", "constant, random signs")),
            "desk": _lenet("desk", 1_500, 3, 5, 4),
            "night": _lenet("night", 10_000, 5, 3, 5),
            "paper": _lenet("paper", 50_000, 24, 1, 5),
        },
        trial=deconstruct,
    ),
)
