"""The experiments on first weights: which depth trains from which of them, and which tickets they hold (slide S12)."""

from collections.abc import Iterator
from dataclasses import dataclass

from ltcourse.data import load
from ltcourse.experiments.journal import Journal, Row
from ltcourse.experiments.trials import Experiment, Settings, row_of, small_data
from ltcourse.instruments import signals
from ltcourse.networks import masks, models
from ltcourse.networks.initializers import INITIALIZERS
from ltcourse.pruning import Round, criteria, prune_iteratively
from ltcourse.pruning.restarts import redraw, to_init
from ltcourse.training import Recipe, train

_ALL = tuple(INITIALIZERS)
_SLIDES = _ALL[:2]


@dataclass(frozen=True, kw_only=True)
class Depth(Settings):
    """The settings of a comparison by depth: ReLU networks of dense layers, each from each initialization.

    network: "plain", those of `signals`. depths: layers of each. width: neurons of a hidden layer. initializers: names
    of `initializers.INITIALIZERS`. adam: a second recipe, for what both optimizers are asked: the deepest networks,
    from Xavier and from Kaiming.
    Lesson 06, "Does it train?".
    """

    depths: tuple[int, ...]
    adam: Recipe
    width: int = 100
    initializers: tuple[str, ...] = _ALL

    @property
    def trainings(self) -> int:
        """How many networks a trial trains, and so how many rows it has.

        Lesson 06, "Does it train?".
        """
        return len(self.depths) * len(self.initializers) + len(_SLIDES)


@dataclass(frozen=True, kw_only=True)
class FirstTickets(Settings):
    """The settings of a search for winning tickets that is repeated from several initializations.

    rounds: how often to prune. rate: of the remaining weights, 0 to 1; the output layer goes at half of it.
    initializers: names of `initializers.INITIALIZERS`.
    Lesson 06, "What tickets it holds".
    """

    rounds: int
    rate: float
    initializers: tuple[str, ...] = _ALL

    @property
    def trainings(self) -> int:
        """How many networks a trial trains: of each initialization the rounds, and the last one with new weights.

        Lesson 06, "What tickets it holds".
        """
        return len(self.initializers) * (self.rounds + 2)


def train_by_depth(chosen: Depth, seed: int, device: str, journal: Journal) -> Iterator[Row]:
    """Train networks of several depths from several initializations, all on the same examples in the same order.

    A row's method is the initialization, with " and Adam" behind it where that is the optimizer; its round counts the
    depths, and its "depth" says which one.
    Source: He et al. 2015, Sec. 2.2 and Fig. 3, who compare convolutional networks on photographs.
    Lesson 06, "Does it train?".
    """
    data = load(chosen.data, device=device)
    inputs, classes = data.train.x[0].numel(), len(data.classes)

    def trained(method: str, name: str, number: int, recipe: Recipe) -> Row:
        depth = chosen.depths[number - 1]
        initializer = INITIALIZERS[name]
        network = signals.plain(
            depth, chosen.width, inputs=inputs, classes=classes, initializer=initializer, seed=seed, device=device
        )
        history = train(network, data, recipe, seed=seed)
        return row_of(method, Round(number, masks.dense(network), {}, history)) | {"depth": depth}

    for number in range(1, len(chosen.depths) + 1):
        for name in chosen.initializers:
            if journal.lacks(name, number):
                yield trained(name, name, number, chosen.recipe)
    for name in _SLIDES:
        if journal.lacks(f"{name} and Adam", number):
            yield trained(f"{name} and Adam", name, number, chosen.adam)


def find_first_tickets(chosen: FirstTickets, seed: int, device: str, journal: Journal) -> Iterator[Row]:
    """Find winning tickets from each initialization, and train the last mask of each with newly drawn weights.

    Lesson 06, "What tickets it holds".
    """
    data = load(chosen.data, device=device)
    for name in chosen.initializers:
        initializer = INITIALIZERS[name]
        network = models.create(chosen.network, shape=data.shape, initializer=initializer, seed=seed, device=device)
        rates = criteria.layer_rates(masks.dense(network), chosen.rate)
        loop = prune_iteratively(
            network,
            data,
            chosen.recipe,
            rate=rates,
            rounds=chosen.rounds,
            restart=to_init,
            seed=seed,
            after=journal.rounds.get(name),
        )
        for ticket in journal.follow(name, loop):
            if journal.lacks(name, ticket.number):
                yield row_of(name, ticket)
        control = f"{name}, re-initialized"
        if journal.lacks(control, chosen.rounds):
            start, _ = redraw(seed, initializer)(network, lambda _: {}, chosen.rounds)
            network.load_state_dict(start)
            history = train(network, data, chosen.recipe, mask=ticket.mask, seed=seed)
            yield row_of(control, Round(chosen.rounds, ticket.mask, {}, history))


_SGD = Recipe(optimizer="sgd", lr=0.01)
_ADAM = Recipe(optimizer="adam", lr=1e-3)
_LENET = Recipe(optimizer="adam", lr=1.2e-3)


def _by_depth(
    at: str,
    iterations: int,
    depths: tuple[int, ...],
    seeds: int,
    width: int = 100,
    initializers: tuple[str, ...] = _ALL,
) -> Depth:
    length = {"iterations": iterations, "evaluate_every": iterations}
    return Depth(
        network="plain",
        data=small_data(at, "mnist"),
        recipe=_SGD.but(**length),
        adam=_ADAM.but(**length),
        depths=depths,
        width=width,
        initializers=initializers,
        seeds=tuple(range(seeds)),
    )


def _tickets(at: str, iterations: int, rounds: int, fold: int, seeds: int) -> FirstTickets:
    """fold: how many of the paper's rounds, of 20 % each, are taken as one."""
    every = 100 if iterations > 400 else iterations  # an evaluation of LeNet takes as long as 50 iterations
    return FirstTickets(
        network="lenet-300-100",
        data=small_data(at, "mnist"),
        recipe=_LENET.but(iterations=iterations, evaluate_every=every),
        rounds=rounds,
        rate=1 - 0.8**fold,
        seeds=tuple(range(seeds)),
    )


EXPERIMENTS = (
    Experiment(
        name="depth",
        question="Which depth trains from which initialization?",
        lesson="06_initialization",
        budgets={
            "smoke": _by_depth("smoke", 10, (3, 6), 1, width=20),
            "class": _by_depth("class", 300, (5, 15, 30), 2, initializers=_SLIDES),
            "desk": _by_depth("desk", 1_000, (5, 10, 15, 20, 30), 3),
            "paper": _by_depth("paper", 10_000, (5, 10, 15, 20, 30, 40, 50), 5, width=300),
        },
        trial=train_by_depth,
    ),
    Experiment(
        name="first-tickets-lenet-300-100",
        question="Does LeNet-300-100 hold other tickets from another initialization?",
        lesson="06_initialization",
        budgets={
            "smoke": _tickets("smoke", 10, 1, 7, 1),
            "class": _tickets("class", 300, 2, 7, 2),
            "desk": _tickets("desk", 1_500, 5, 3, 3),
            "paper": _tickets("paper", 50_000, 16, 1, 5),
        },
        trial=find_first_tickets,
    ),
)
