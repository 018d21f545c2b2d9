"""The lottery ticket's experiments: tickets, their controls, other ways to find them (slides S4 to S8)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ltcourse.data import load
from ltcourse.experiments.journal import Journal, Row
from ltcourse.experiments.trials import Experiment, Settings, row_of, small_data
from ltcourse.networks import masks, models
from ltcourse.networks.masks import Mask
from ltcourse.networks.models import snapshot
from ltcourse.pruning import Round, criteria, prune_iteratively
from ltcourse.pruning.restarts import Restart, State, keep, redraw, to_init, to_step
from ltcourse.training import Recipe, train


@dataclass(frozen=True, kw_only=True)
class Lottery(Settings):
    """The settings of a search for winning tickets.

    rounds: how often to prune. rate: share of the remaining weights to prune per round, 0 to 1; by layer the output
    layer goes at half of it and convolutions at `conv_rate`, if given. scope: "layer" or "global". The other fields are
    the rounds at which something is set beside the ticket of that size. redrawn: its mask, newly drawn weights.
    shuffled: a random mask of its size. one_shot: a mask found in one pruning. continued: a mask found by fine-tuning
    from round to round, with the weights reset only at the end, and with newly drawn ones. rewind: the early iteration
    to which a second search returns, 0 for none. points: of each validation curve that are kept.
    Lesson 03, "The experiment".
    """

    rounds: int
    rate: float = 0.2
    conv_rate: float | None = None
    scope: str = "layer"
    redrawn: tuple[int, ...] = ()
    shuffled: tuple[int, ...] = ()
    one_shot: tuple[int, ...] = ()
    continued: tuple[int, ...] = ()
    rewind: int = 0
    points: int = 50

    @property
    def trainings(self) -> int:
        """How many networks a trial trains, and so how many rows it has.

        Lesson 03, "The experiment".
        """
        searches = 1 + self.rounds + (self.rounds if self.rewind else 0) + max(self.continued, default=0)
        beside = len(self.redrawn) + len(self.shuffled) + len(self.one_shot) + 2 * len(self.continued)
        return searches + beside

    def rates(self, mask: Mask, rounds: int = 1) -> criteria.Rate:
        """Return the rate at which one pruning removes what `rounds` rounds would: of each layer, or of all together.

        Lesson 03, "The experiment".
        """

        def at_once(rate: float) -> float:
            return 1 - (1 - rate) ** rounds

        if self.scope == "global":
            return at_once(self.rate)
        return {name: at_once(r) for name, r in criteria.layer_rates(mask, self.rate, conv=self.conv_rate).items()}


def find_tickets(chosen: Lottery, seed: int, device: str, journal: Journal) -> Iterator[Row]:
    """Find winning tickets round by round, and train beside each what the settings ask for.

    Every training of a trial sees the examples in the same order, so that only masks and weights differ.
    Source: Frankle & Carbin 2019, Sec. 2 and App. B, E.
    Lesson 03, "The experiment".
    """
    data = load(chosen.data, device=device)
    network = models.create(chosen.network, shape=data.shape, seed=seed, device=device)
    θ0 = snapshot(network)
    everything = masks.dense(network)

    def trained(method: str, number: int, mask: Mask, start: State) -> Row:
        network.load_state_dict(start)
        history = train(network, data, chosen.recipe, mask=mask, seed=seed)
        return row_of(method, Round(number, mask, {}, history), points=chosen.points)

    def redrawn(number: int) -> State:
        return redraw(seed)(network, lambda _: θ0, number)[0]

    def search(method: str, restart: Restart, rounds: int) -> Iterator[Round]:
        loop = prune_iteratively(
            models.create(chosen.network, shape=data.shape, seed=seed, device=device),
            data,
            chosen.recipe,
            rate=chosen.rates(everything),
            rounds=rounds,
            scope=chosen.scope,
            restart=restart,
            seed=seed,
            after=journal.rounds.get(method) or journal.rounds.get("dense"),
        )
        return journal.follow(method, loop)

    for ticket in search("ticket", to_init, chosen.rounds):
        journal.rounds.setdefault("dense", ticket)
        number, mask = ticket.number, ticket.mask
        if journal.lacks("ticket", number):
            yield row_of("ticket", ticket, points=chosen.points)
        if number in chosen.redrawn and journal.lacks("re-initialized", number):
            yield trained("re-initialized", number, mask, redrawn(number))
        if number in chosen.shuffled and journal.lacks("random", number):
            yield trained("random", number, masks.shuffle(mask, seed), θ0)

    if chosen.rewind:
        for done in search("rewound", to_step(chosen.rewind), chosen.rounds):
            if journal.lacks("rewound", done.number):
                yield row_of("rewound", done, points=chosen.points)

    weights = {name: journal.rounds["dense"].state[name] for name in everything}
    for number in chosen.one_shot:
        if journal.lacks("one shot", number):
            mask = criteria.magnitude(weights, everything, chosen.rates(everything, number), chosen.scope)
            yield trained("one shot", number, mask, θ0)

    if not chosen.continued:
        return
    for done in search("fine-tuned", keep, max(chosen.continued)):
        if journal.lacks("fine-tuned", done.number):
            yield row_of("fine-tuned", done, points=chosen.points)
        if done.number in chosen.continued:
            if journal.lacks("reset at the end", done.number):
                yield trained("reset at the end", done.number, done.mask, θ0)
            if journal.lacks("from scratch", done.number):
                yield trained("from scratch", done.number, done.mask, redrawn(done.number))


# Frankle & Carbin 2019, Fig. 2. Rounds of 20 % a layer and 10 % of the output layer: 3 leave 51.3 % of LeNet-300-100,
# 7 leave 21.1 %, 9 leave 13.5 %, 15 leave 3.6 %, 16 leave 2.9 %.
_LENET = Recipe(iterations=50_000, batch=60, optimizer="adam", lr=1.2e-3, evaluate_every=100)
_ALONG = (3, 7, 9, 12, 15)
_FEW = (3, 7, 11, 15)


def _lenet(at: str, iterations: int, evaluate_every: int, seeds: int, **plan: Any) -> Lottery:
    return Lottery(
        network="lenet-300-100",
        data=small_data(at, "mnist"),
        recipe=_LENET.but(iterations=iterations, evaluate_every=evaluate_every),
        seeds=tuple(range(seeds)),
        **plan,
    )


def _conv(network: str, lr: float, iterations: int, conv_rate: float) -> Experiment:
    """Return the experiment on a convolutional network; the paper budget's settings are the paper's, but for one."""
    recipe = Recipe(iterations=iterations, batch=60, optimizer="adam", lr=lr, evaluate_every=100)

    def at(data: str, recipe: Recipe, rounds: int, beside: tuple[int, ...], fold: int, seeds: int) -> Lottery:
        """fold: how many of the paper's rounds are taken as one; of the output layer, at half the rate, fewer."""
        return Lottery(
            network=network,
            data=data,
            recipe=recipe,
            rounds=rounds,
            rate=1 - 0.8**fold,
            conv_rate=1 - (1 - conv_rate) ** fold,
            redrawn=beside,
            shuffled=beside[-1:],
            seeds=tuple(range(seeds)),
        )

    return Experiment(
        name=f"lottery-{network}",
        question=f"Does {network} on CIFAR-10 hold winning tickets?",
        lesson="04_when_tickets_fail",
        budgets={
            "smoke": at("cifar-10-mini", recipe.but(iterations=4, evaluate_every=2, batch=8), 2, (2,), 3, seeds=1),
            "class": at("cifar-10-mini", recipe.but(iterations=40, evaluate_every=20), 2, (2,), 5, seeds=2),
            "desk": at("cifar-10", recipe.but(iterations=500, evaluate_every=250), 3, (2, 3), 4, seeds=2),
            # products in bfloat16, the one setting that is ours: an H100 takes 1.4 ms an iteration without, 0.6 ms with
            "paper": at("cifar-10", recipe.but(precision="bfloat16"), 16, (4, 8, 12, 16), 1, seeds=5),
        },
        trial=find_tickets,
    )


def _resnet(name: str, question: str, desk: Recipe, night: Recipe, paper: Recipe, *, rewinds: bool) -> Experiment:
    """Return an experiment on residual networks, pruned globally: a small one, and at the paper budget the paper's.

    The paper prunes its convolutions globally; here the output layer and the shortcuts' convolutions are pruned, too.

    rewinds: whether it also searches by rewinding, and then has random masks as well.
    """

    def at(data: str, recipe: Recipe, rounds: int, rate: float, rewind: int, **plan: Any) -> Lottery:
        return Lottery(
            data=data, recipe=recipe, rounds=rounds, rate=rate, scope="global", rewind=rewind if rewinds else 0, **plan
        )

    tiny = desk.but(iterations=4, evaluate_every=2, batch=8, warmup=min(desk.warmup, 2))
    short = desk.but(iterations=80, evaluate_every=20, warmup=min(desk.warmup, 40))
    few, some, many, small, large = (0, 1), tuple(range(4)), tuple(range(5)), "resnet-8", "resnet-20"
    each = tuple(range(1, 6))
    beside = {"redrawn": each, "shuffled": each if rewinds else ()}
    return Experiment(
        name=name,
        question=question,
        lesson="04_when_tickets_fail",
        budgets={
            "smoke": at("cifar-10-mini", tiny, 2, 0.5, 2, network=small, redrawn=(2,)),
            "class": at("cifar-10-mini", short, 2, 0.64, 16, network=small, redrawn=(2,), seeds=few),
            "desk": at("cifar-10", desk, 3, 0.5, 100, network=small, redrawn=(2, 3), seeds=few),
            "night": at("cifar-10-half", night, 5, 0.5, 400, network=small, seeds=some, **beside),
            "paper": at("cifar-10", paper, 16, 0.2, 1_000, network=large, redrawn=(6, 11, 16), seeds=many),
        },
        trial=find_tickets,
    )


# Frankle & Carbin 2019, Fig. 2 and Sec. 4: SGD with momentum 0.9, 30,000 iterations of 128. Their steps of the learning
# rate are a cosine here; augmentation is left out.
_SGD = Recipe(
    iterations=30_000, batch=128, optimizer="sgd", lr=0.1, weight_decay=1e-4, schedule="cosine", evaluate_every=500
)
_SHORT = _SGD.but(iterations=1_000, batch=64, evaluate_every=200)
# at half the resolution a dense network is near its end after 8,000 iterations, and tickets at iteration 0 fail
_NIGHT = _SHORT.but(iterations=8_000, evaluate_every=400, precision="bfloat16", augment="crop-flip")

RESNET = _resnet(
    "lottery-resnet",
    "Does a residual network hold tickets at iteration 0, or later?",
    _SHORT,
    _NIGHT,
    _SGD,
    rewinds=True,
)

EXPERIMENTS = (
    Experiment(
        name="lottery-lenet-300-100",
        question="Does LeNet-300-100 hold winning tickets, and what makes them win?",
        lesson="03_lottery_ticket",
        budgets={
            "smoke": _lenet(
                "smoke", 20, 10, 1, rounds=3, redrawn=(2, 3), shuffled=(2, 3), one_shot=(2, 3), continued=(2, 3)
            ),
            "class": _lenet("class", 1_500, 100, 2, rounds=15, redrawn=_FEW, shuffled=_FEW),
            "desk": _lenet(
                "desk", 2_000, 100, 3, rounds=15, redrawn=_ALONG, shuffled=_ALONG, one_shot=_ALONG, continued=_ALONG
            ),
            "paper": _lenet("paper", 50_000, 100, 5, rounds=16, redrawn=(3, 7, 9, 12, 15), shuffled=(7, 15)),
        },
        trial=find_tickets,
    ),
    _conv("conv-2", 2e-4, 20_000, 0.1),
    _conv("conv-4", 3e-4, 25_000, 0.1),
    _conv("conv-6", 3e-4, 30_000, 0.15),
    RESNET,
    _resnet(
        "lottery-resnet-warm",
        "Does a lower learning rate, with a warm-up, bring the tickets at iteration 0 back?",
        # a fifth and a third of the run: the cosine has halved the rate by half of it, warm or not
        _SHORT.but(lr=0.03, warmup=200),
        _NIGHT.but(lr=0.03, warmup=1_600),
        _SGD.but(lr=0.03, warmup=10_000),
        rewinds=False,
    ),
    _resnet(
        "lottery-resnet-low",
        "Does a learning rate ten times lower bring the tickets at iteration 0 back?",
        _SHORT.but(lr=0.01),
        _NIGHT.but(lr=0.01),
        _SGD.but(lr=0.01),
        rewinds=False,
    ),
)
