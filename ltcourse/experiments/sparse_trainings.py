"""During training: masks that change while the network is trained, and retraining, at their total cost (lesson 09)."""

from collections.abc import Iterator
from dataclasses import dataclass

from torch import nn

from ltcourse.data import load
from ltcourse.experiments.journal import Journal, Row
from ltcourse.experiments.trials import Experiment, Settings, row_of, small_data
from ltcourse.networks import masks, models
from ltcourse.networks.masks import Mask
from ltcourse.networks.models import snapshot
from ltcourse.pruning import Round, criteria, foresight, prune_iteratively
from ltcourse.pruning.restarts import Restart, keep, to_step
from ltcourse.pruning.sparse_training import Change, gradually, rigl, train_changing
from ltcourse.training import Recipe, train

DURING = ("gradual", "RigL", "random, ERK")
AFTER = ("fine-tuned", "rate rewound", "weights rewound")


@dataclass(frozen=True, kw_only=True)
class SparseTrainings(Settings):
    """The settings of a comparison of accuracies at one total cost of training.

    densities: that the networks end with. lengths: of the trainings whose mask changes or stays as it was drawn, and of
    the dense one, as multiples of the recipe's iterations. searches: numbers of rounds of pruning and retraining, each
    search with that many. rewind: the iteration to which weights are rewound. every: iterations between two changes of
    a mask. until: the share of a training after which the mask stays. share: of the kept weights that RigL replaces at
    first. tuning: what the learning rate of fine-tuning is, as a share of the recipe's.
    Lesson 09, "During training".
    """

    densities: tuple[float, ...]
    lengths: tuple[int, ...]
    searches: tuple[int, ...]
    rewind: int
    every: int = 100
    until: float = 0.75
    share: float = 0.3
    tuning: float = 0.01

    @property
    def trainings(self) -> int:
        """How many rows a trial has.

        Lesson 09, "During training".
        """
        each = len(DURING) * len(self.lengths) + len(AFTER) * len(self.searches)
        return len(self.lengths) + len(self.densities) * each

    def longer(self, length: int) -> Recipe:
        """Return the recipe with so many times the iterations, and as many evaluations."""
        many, every = self.recipe.iterations * length, self.recipe.evaluate_every * length
        return self.recipe.but(iterations=many, evaluate_every=every)


def method(name: str, density: float) -> str:
    """Return the method of the rows of a way to a density: "RigL at 10%".

    Lesson 09, "During training".
    """
    return f"{name} at {density:.0%}"


def spend(chosen: SparseTrainings, seed: int, device: str, journal: Journal) -> Iterator[Row]:
    """Train to each density in each way and at each cost.

    A row has its `way`, its `target`, the density that was asked for, its `cost`, all iterations it took in multiples
    of one dense training, those of the dense network included, and its `work`, the same with each iteration counted as
    the density that it had. The dense network's longer trainings are rounds 1 and later of "dense".
    Every training of a trial sees the examples in the same order.
    Source: Zhu & Gupta 2017; Evci et al. 2020; Renda et al. 2020; of the question of cost, Liu et al. 2019.
    Lesson 09, "During training".
    """
    data = load(chosen.data, device=device)

    def fresh() -> nn.Module:
        return models.create(chosen.network, shape=data.shape, seed=seed, device=device)

    def told(row: Row, way: str, density: float, cost: float, work: float) -> Row:
        return row | {"way": way, "target": density, "cost": cost, "work": work}

    def along(way: str, density: float, length: int, number: int) -> Row:
        network, recipe = fresh(), chosen.longer(length)
        until = int(chosen.until * recipe.iterations)
        name = method(way, density)
        if way == "random, ERK":
            mask = _random(masks.dense(network), density, seed)
            history = train(network, data, recipe, mask=mask, seed=seed)
            done = Round(number, mask, {}, history)
            return told(row_of(name, done), way, density, length, length * done.density)
        change: Change = gradually(density, 0, until, "global") if way == "gradual" else rigl(until, chosen.share)
        mask = masks.dense(network)
        begin = mask if way == "gradual" else _random(mask, density, seed)
        run = train_changing(network, data, recipe, begin, change, every=chosen.every, until=until, seed=seed)
        return told(row_of(name, Round(number, run.mask, {}, run.history)), way, density, length, length * run.work)

    def search(way: str, density: float, rounds: int) -> Iterator[Round]:
        restart: Restart = to_step(chosen.rewind) if way == "weights rewound" else keep
        tuning = chosen.recipe.but(lr=chosen.recipe.lr * chosen.tuning, schedule="constant")
        return prune_iteratively(
            fresh(),
            data,
            chosen.recipe,
            rate=1 - density ** (1 / rounds),
            rounds=rounds,
            scope="global",
            restart=restart,
            retrain=tuning if way == "fine-tuned" else None,
            seed=seed,
            after=journal.rounds.get("dense"),
        )

    for number, length in enumerate(chosen.lengths):
        if not journal.lacks("dense", number):
            continue
        network, recipe = fresh(), chosen.longer(length)
        history = train(network, data, recipe, seed=seed)
        done = Round(number, masks.dense(network), snapshot(network), history)
        if length == 1:
            journal.rounds["dense"] = Round(0, done.mask, done.state, history)
        yield told(row_of("dense", done), "dense", 1.0, length, length)

    for density in chosen.densities:
        for way in DURING:
            for number, length in enumerate(chosen.lengths, 1):
                if journal.lacks(method(way, density), number):
                    yield along(way, density, length, number)
        for way in AFTER:
            for number, rounds in enumerate(chosen.searches, 1):
                if not journal.lacks(method(way, density), number):
                    continue
                *_, last = search(way, density, rounds)
                each = 1 - (chosen.rewind / chosen.recipe.iterations if way == "weights rewound" else 0)
                work = 1 + sum(each * density ** (n / rounds) for n in range(1, rounds + 1))
                row = row_of(method(way, density), Round(number, last.mask, {}, last.history))
                yield told(row, way, density, 1 + each * rounds, work)


def _random(everything: Mask, density: float, seed: int) -> Mask:
    rates = {name: 1 - share for name, share in foresight.erk(everything, density).items()}
    return criteria.at_random(seed)({}, everything, rates, "layer")


_SGD = Recipe(iterations=30_000, batch=60, optimizer="sgd", lr=0.05, schedule="cosine")


def _lenet(
    at: str,
    iterations: int,
    densities: tuple[float, ...],
    lengths: tuple[int, ...],
    searches: tuple[int, ...],
    seeds: int,
) -> SparseTrainings:
    return SparseTrainings(
        network="lenet-300-100",
        data=small_data(at, "mnist"),
        recipe=_SGD.but(iterations=iterations, evaluate_every=iterations),  # the end is all that is compared
        densities=densities,
        lengths=lengths,
        searches=searches,
        rewind=iterations // 20,
        every=max(2, iterations // 20),
        seeds=tuple(range(seeds)),
    )


EXPERIMENTS = (
    Experiment(
        name="sparse-training-lenet-300-100",
        question="At one total cost of training, which way leads to the best small LeNet-300-100?",
        lesson="09_frontier",
        budgets={
            "smoke": _lenet("smoke", 20, (0.1,), (1, 2), (1,), 1),
            "class": _lenet("class", 400, (0.02,), (1, 2), (1, 2), 2),
            "desk": _lenet("desk", 800, (0.1, 0.02), (1, 2, 4), (1, 3), 3),
            "night": _lenet("night", 10_000, (0.1, 0.05, 0.02, 0.01), (1, 2, 4, 6), (1, 3, 5), 5),
        },
        trial=spend,
    ),
)
