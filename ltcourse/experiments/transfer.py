"""The transfer experiments: tickets found at one task, data and optimizer, and trained at another (lesson 05)."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, pad

from ltcourse.data import Dataset, Split, load
from ltcourse.experiments.journal import Journal, Row
from ltcourse.experiments.trials import Experiment, Settings, row_of
from ltcourse.networks import masks, models
from ltcourse.networks.masks import Mask
from ltcourse.networks.models import Shape, snapshot
from ltcourse.pruning import Round, criteria, prune_iteratively
from ltcourse.pruning.restarts import State, redraw, to_step
from ltcourse.pruning.tickets import Ticket, overlap, transplant
from ltcourse.training import History, Recipe, train


@dataclass(frozen=True, kw_only=True)
class Task:
    """What a ticket is found at, or tried at: examples and a way to train.

    name: in rows and figures. data: name of the set. part: which of its training examples, from one share to another;
    validation and test examples are all of them. recipe: where it is not that of the experiment.
    Lesson 05, "The matrix".
    """

    name: str
    data: str
    part: tuple[float, float] = (0.0, 1.0)
    recipe: Recipe | None = None


@dataclass(frozen=True, kw_only=True)
class Transfer(Settings):
    """The settings of a transfer experiment.

    tasks: each is searched for tickets. targets: names of the tasks at which all tickets are tried, all if empty.
    rounds, rate, scope: of each search, as in `lottery.Lottery`. rewind: the early iteration that tickets restart from.
    tried: the rounds whose tickets are tried elsewhere, beside a random ticket of each target. redrawn: the rounds
    whose masks are tried with newly drawn weights, too. shape: (channels, height, width) that images are brought to.
    controlled: the rounds whose rewound tickets are tried in runs of equal length at each target: with the source's
    values, and with the initial ones.
    Raises ValueError for controls without rewinding, where nothing tells the runs apart.
    Lesson 05, "Photographs and clothes".
    """

    tasks: tuple[Task, ...]
    targets: tuple[str, ...] = ()
    rounds: int
    rate: float = 0.2
    scope: str = "layer"
    rewind: int = 0
    tried: tuple[int, ...]
    redrawn: tuple[int, ...] = ()
    shape: Shape | None = None
    controlled: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        if self.controlled and not self.rewind:
            raise ValueError("without rewinding all tickets train for as long: set rewind, or leave controlled out")

    def to_dict(self) -> dict[str, Any]:
        """Return plain JSON data, without controls where there are none: as records have it that are older than they.

        Lesson 05, "The matrix".
        """
        return {name: value for name, value in super().to_dict().items() if name != "controlled" or value}

    @property
    def goals(self) -> tuple[str, ...]:
        """The names of the targets.

        Lesson 05, "The matrix".
        """
        return self.targets or tuple(task.name for task in self.tasks)

    @property
    def trainings(self) -> int:
        """How many networks a trial trains, and so how many rows it has.

        Lesson 05, "The matrix".
        """
        pairs = len(self.tasks) * len(self.goals)
        # of the pairs of a task and itself the ticket is there already, and a random one is added
        of_pairs = len(self.tried) + len(self.redrawn) + len(self.controlled) * len(CONTROLS)
        return len(self.tasks) * (self.rounds + 1) + of_pairs * pairs


# A rewound ticket that arrives at a target has two handicaps: values that the source has trained, and fewer iterations
# left. The first control takes the second handicap away, and the second one both.
CONTROLS = ("equal steps", "mask only")


def method(kind: str, source: str, target: str) -> str:
    """Return the name under which rows of a kind, from a source to a target, are recorded.

    Lesson 05, "The matrix".
    """
    return f"{kind}: {source} → {target}"


def fitted(x: Tensor, shape: Shape) -> Tensor:
    """Bring images (n, c, h, w) to a shape: pad with 0, average squares of pixels, repeat a single channel.

    Images of 28 × 28 become 32 × 32 by a black border, and 16 × 16 by the mean of 2 × 2 pixels of that.
    Raises ValueError for several channels that would have to become another number.
    Lesson 05, "Photographs and clothes".
    """
    channels, *sides = shape
    if x.shape[1] not in (1, channels):
        raise ValueError(f"images of {x.shape[1]} channels cannot have {channels}: only gray ones can be repeated")
    factors = [-(-given // side) for given, side in zip(x.shape[-2:], sides, strict=True)]
    missing = [f * side - given for f, side, given in zip(factors, sides, x.shape[-2:], strict=True)]
    x = pad(x, [m for gap in reversed(missing) for m in (gap // 2, gap - gap // 2)])
    return avg_pool2d(x, factors).repeat(1, channels // x.shape[1], 1, 1)


def find_and_transplant(chosen: Transfer, seed: int, device: str, journal: Journal) -> Iterator[Row]:
    """Search each task for tickets, all from the same first weights, and train them at the other tasks.

    Kinds of rows, each "from" a source "to" a target: "ticket"; "re-initialized", its mask with newly drawn weights;
    "random", of the target alone: a random mask of its ticket's size, with newly drawn weights; and where rewound
    tickets are controlled, "equal steps", the ticket trained for all iterations of the recipe, and "mask only", its
    mask on the initial weights, trained for all of them. Trainings at a target see its examples in the same order.
    Source: Morcos et al. 2019.
    Lesson 05, "The matrix".
    """
    tasks = {task.name: task for task in chosen.tasks}
    examples = {task.name: data for task, data in zip(chosen.tasks, _examples(chosen, device), strict=True)}

    def recipe(name: str) -> Recipe:
        return tasks[name].recipe or chosen.recipe

    def fresh(name: str) -> nn.Module:
        data = examples[name]
        return models.create(chosen.network, shape=data.shape, classes=len(data.classes), seed=seed, device=device)

    @cache
    def begin(source: str) -> State:
        network = fresh(source)
        if chosen.rewind:
            train(network, examples[source], recipe(source), seed=seed, end=chosen.rewind)
        return snapshot(network)

    def redrawn(target: str, number: int) -> State:
        return redraw(seed)(fresh(target), lambda _: {}, number)[0]

    def row(kind: str, source: str, target: str, number: int, mask: Mask, history: History) -> Row:
        told = {"kind": kind, "source": source, "target": target, "data_sha256": examples[target].sha256}
        return row_of(method(kind, source, target), Round(number, mask, {}, history)) | told

    def trained(kind: str, source: str, target: str, number: int, ticket: Ticket) -> Row:
        network = fresh(target)
        mask = transplant(ticket, network)
        at, how = examples[target], recipe(target)
        history = train(network, at, how, mask=mask, seed=seed, begin=ticket.iteration)
        return row(kind, source, target, number, mask, history)

    loops = {}
    for name in tasks:
        network = fresh(name)
        whole = masks.dense(network)
        loop = prune_iteratively(
            network,
            examples[name],
            recipe(name),
            rate=chosen.rate if chosen.scope == "global" else criteria.layer_rates(whole, chosen.rate),
            rounds=chosen.rounds,
            scope=chosen.scope,
            restart=to_step(chosen.rewind),
            seed=seed,
            after=journal.rounds.get(name),
        )
        loops[name] = journal.follow(name, loop)

    found: dict[str, Round] = {}
    for number in range(chosen.rounds + 1):
        for name, loop in loops.items():
            while name not in found or found[name].number < number:  # a journal may begin further on
                found[name] = next(loop)
            if journal.lacks(method("ticket", name, name), number):
                yield row("ticket", name, name, number, found[name].mask, found[name].history)
        for target in chosen.goals:
            own = found[target].mask
            for source in tasks:
                mask = found[source].mask
                if number in chosen.tried:
                    if source == target and journal.lacks(method("random", source, target), number):
                        by_lot = Ticket(masks.shuffle(mask, seed), redrawn(target, number))
                        yield trained("random", source, target, number, by_lot)
                    if source != target and journal.lacks(method("ticket", source, target), number):
                        ticket = Ticket(mask, begin(source), chosen.rewind)
                        alike = {name: [o.common, o.expected] for name, o in overlap(mask, own).items()}
                        yield trained("ticket", source, target, number, ticket) | {"overlap": alike}
                if number in chosen.redrawn and journal.lacks(method("re-initialized", source, target), number):
                    yield trained("re-initialized", source, target, number, Ticket(mask, redrawn(target, number)))
                for kind in CONTROLS if number in chosen.controlled else ():
                    if journal.lacks(method(kind, source, target), number):
                        values = begin(source) if kind == "equal steps" else snapshot(fresh(source))
                        yield trained(kind, source, target, number, Ticket(mask, values))


def _examples(chosen: Transfer, device: str) -> Iterator[Dataset]:
    """The data of each task; tasks of one set share its validation and test examples in memory."""

    @cache
    def whole(name: str) -> Dataset:
        data = load(name, device=device)
        if chosen.shape is None:
            return data
        shape = chosen.shape
        return data.each(lambda part: Split(fitted(part.x, shape), part.y))

    for task in chosen.tasks:
        data = whole(task.data)
        first, last = (round(share * len(data.train)) for share in task.part)
        yield replace(data, train=Split(data.train.x[first:last], data.train.y[first:last]))


_LENET = Recipe(iterations=50_000, batch=60, optimizer="adam", lr=1.2e-3, evaluate_every=100)
_LENGTHS = {"smoke": (20, 10), "class": (800, 100), "desk": (2_000, 100), "paper": (50_000, 100)}


def _lenet(name: str, question: str, tasks: dict[str, tuple[Task, ...]], **plans: dict) -> Experiment:
    """Return an experiment on LeNet-300-100. tasks, plans: by budget."""
    return Experiment(
        name=name,
        question=question,
        lesson="05_one_ticket_to_win_them_all",
        budgets={
            at: Transfer(
                network="lenet-300-100",
                data=tasks[at][0].data,
                recipe=_LENET.but(iterations=iterations, evaluate_every=every),
                seeds=(0,) if at == "smoke" else (0, 1) if at == "class" else (0, 1, 2),
                tasks=tasks[at],
                **plans[at],
            )
            for at, (iterations, every) in _LENGTHS.items()
        },
        trial=find_and_transplant,
    )


def _clothes(at: str) -> str:
    return "fashion-mnist-mini" if at in ("smoke", "class") else "fashion-mnist"


def _sgd(at: str) -> Recipe:
    """SGD at a rate at which LeNet is as accurate after 1,000 iterations as with Adam; at 0.1 it is 4 points worse."""
    iterations, every = _LENGTHS[at]
    return _LENET.but(iterations=iterations, evaluate_every=every, optimizer="sgd", lr=0.02)


# P_m of LeNet-300-100 after 3, 7, 9, 12, 15 rounds of 20 %: 51.3, 21.1, 13.5, 7.0, 3.6 %. Rounds of 36 % are two of
# those taken as one.
_ALONG = (3, 7, 9, 12, 15)
_FEW = {"rounds": 7, "rate": 0.36, "tried": (3, 7)}
_TINY = {"rounds": 2, "rate": 0.5, "tried": (1, 2)}


def _photos(at: str) -> Transfer:
    """Residual networks on two halves of CIFAR-10 and on clothes, with global pruning of 20 % per round."""
    photos = "cifar-10-mini" if at in ("smoke", "class") else "cifar-10"
    usual = Recipe(
        iterations=600, batch=64, optimizer="sgd", lr=0.1, weight_decay=1e-4, schedule="cosine", evaluate_every=300
    )
    plans = {
        "smoke": (usual.but(iterations=4, evaluate_every=2, batch=8), 2, (1, 2), (2,), 1, (0,)),
        "class": (usual.but(iterations=60, evaluate_every=30), 4, (4,), (4,), 6, (0, 1)),
        # a tenth of the training: "about an epoch" of half of the photographs would be more than half of it
        "desk": (usual, 8, (4, 8), (8,), 60, (0, 1)),
        "paper": (usual.but(iterations=30_000, batch=128, evaluate_every=500), 16, (6, 11, 16), (16,), 350, (0, 1, 2)),
    }
    recipe, rounds, tried, redrawn, rewind, seeds = plans[at]
    side = 32 if at == "paper" else 16
    return Transfer(
        network="resnet-20" if at == "paper" else "resnet-8",
        data=photos,
        recipe=recipe,
        seeds=seeds,
        tasks=(
            Task(name="CIFAR-10, first half", data=photos, part=(0.0, 0.5)),
            Task(name="CIFAR-10, second half", data=photos, part=(0.5, 1.0)),
            Task(name="Fashion-MNIST", data=_clothes(at)),
        ),
        targets=("CIFAR-10, second half", "Fashion-MNIST"),
        rounds=rounds,
        scope="global",
        rewind=rewind,
        tried=tried,
        redrawn=redrawn,
        shape=(3, side, side),
    )


def _controlled(chosen: Transfer) -> Transfer:
    """The same searches, whose last tickets alone are tried at the targets, with controls of their values and steps.

    Differences as small as theirs need a third seed.
    """
    seeds = chosen.seeds if len(chosen.seeds) == 1 else (0, 1, 2)
    return replace(chosen, tried=(chosen.rounds,), redrawn=(), controlled=(chosen.rounds,), seeds=seeds)


EXPERIMENTS = (
    _lenet(
        "transfer-lenet-300-100",
        "Is a ticket found on digits good for clothes, and the other way round?",
        {at: (Task(name="MNIST", data="mnist"), Task(name="Fashion-MNIST", data=_clothes(at))) for at in _LENGTHS},
        smoke={**_TINY, "redrawn": (1, 2)},
        **{"class": {"rounds": 5, "rate": 0.36, "tried": (5,), "redrawn": (5,)}},
        desk={"rounds": 15, "tried": _ALONG, "redrawn": _ALONG},
        paper={"rounds": 15, "tried": _ALONG, "redrawn": _ALONG},
    ),
    _lenet(
        "transfer-optimizers",
        "Is a ticket found with one optimizer good for another?",
        {at: (Task(name="Adam", data="mnist"), Task(name="SGD", data="mnist", recipe=_sgd(at))) for at in _LENGTHS},
        smoke={**_TINY, "redrawn": (2,)},
        **{"class": {**_FEW, "redrawn": (7,)}},
        desk={**_FEW, "redrawn": (7,)},
        paper={**_FEW, "redrawn": (7,)},
    ),
    _lenet(
        "transfer-sizes",
        "Is a ticket better that was found on more data?",
        {
            at: (
                Task(name="MNIST", data="mnist"),
                Task(name="a half of MNIST", data="mnist", part=(0.0, 0.5)),
                Task(name="a tenth of MNIST", data="mnist", part=(0.0, 0.1)),
                Task(name="Fashion-MNIST", data=_clothes(at)),
            )
            for at in _LENGTHS
        },
        **{at: {**(_TINY if at == "smoke" else _FEW), "targets": ("MNIST", "Fashion-MNIST")} for at in _LENGTHS},
    ),
    Experiment(
        name="transfer-resnet",
        question="Is a ticket found on photographs good for other photographs, and for clothes?",
        lesson="05_one_ticket_to_win_them_all",
        budgets={at: _photos(at) for at in _LENGTHS},
        trial=find_and_transplant,
    ),
    Experiment(
        name="transfer-resnet-controls",
        question="Do a rewound ticket's trained values hurt it elsewhere, or the iterations that it lacks there?",
        lesson="05_one_ticket_to_win_them_all",
        budgets={at: _controlled(_photos(at)) for at in _LENGTHS},
        trial=find_and_transplant,
    ),
)
