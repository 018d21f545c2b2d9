"""Before training: masks that are found at initialization, beside the ticket, with their sanity checks (lesson 09)."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from ltcourse.data import Dataset, load
from ltcourse.experiments.journal import Journal, Row
from ltcourse.experiments.trials import Experiment, Settings, row_of, small_data
from ltcourse.networks import masks, models
from ltcourse.networks.masks import Mask, Weights
from ltcourse.networks.models import snapshot
from ltcourse.pruning import Round, criteria, foresight, prune_iteratively
from ltcourse.pruning.criteria import Criterion
from ltcourse.pruning.restarts import State, redraw, to_init
from ltcourse.training import Recipe, train
from ltcourse.training.loop import batches

SCORED = ("magnitude at initialization", "SNIP", "GraSP", "SynFlow")
SHARED = ("random, ERK", "random, uniform")
CHECKS = ("shuffled", "inverted", "redrawn")


@dataclass(frozen=True, kw_only=True)
class Foresight(Settings):
    """The settings of a comparison of masks that are found before training with the ticket.

    sizes: how many densities, evenly spaced on a logarithmic axis from 1, which is not counted, to `smallest`. fold:
    how many rounds of the ticket's search lead from one density to the next. methods: names of SCORED and SHARED.
    checked: the densities, counted from 1, at which the sanity checks are run. examples: of the batch that SNIP and
    GraSP see. passes: rounds of SynFlow.
    Lesson 09, "Before training".
    """

    sizes: int
    smallest: float = 0.01
    fold: int = 1
    methods: tuple[str, ...] = (*SCORED, *SHARED)
    checked: tuple[int, ...] = ()
    examples: int = 100
    passes: int = 100

    @property
    def trainings(self) -> int:
        """How many networks a trial trains, apart from the rounds of the search that lead to no row.

        Lesson 09, "Before training".
        """
        tested = 1 + sum(method in SCORED for method in self.methods)
        return 1 + self.sizes * (1 + len(self.methods)) + len(CHECKS) * tested * len(self.checked)

    def density(self, size: int) -> float:
        """Return the density of a size, which is also the number of its rows' round."""
        return float(self.smallest ** (size / self.sizes))


def named(network_at: State, chosen: Foresight, data: Dataset, seed: int) -> dict[str, Criterion]:
    """Return the criteria that need no training, by name; SNIP and GraSP see one batch of the training set.

    network_at: the initial weights. Each is meant for scope "global".
    Lesson 09, "Before training".
    """
    device = data.train.x.device
    network = models.create(chosen.network, shape=data.shape, seed=seed, device=str(device))
    network.load_state_dict(network_at)
    index = next(batches(len(data.train), chosen.examples, seed, device))
    x, y = data.train.x[index], data.train.y[index]
    return {
        "magnitude at initialization": criteria.magnitude,
        "SNIP": foresight.snip(network, x, y),
        "GraSP": foresight.grasp(network, x, y),
        "SynFlow": foresight.in_rounds(foresight.synflow(network, data.shape), chosen.passes),
    }


def mask_of(method: str, by_name: dict[str, Criterion], weights: Weights, density: float, seed: int) -> Mask:
    """Return the mask of a method at a density; the random ones have the layers' shares that their name says.

    Lesson 09, "Before training".
    """
    everything = {name: torch.ones_like(w, dtype=torch.bool) for name, w in weights.items()}
    if method in by_name:
        return by_name[method](weights, everything, 1 - density, "global")
    shares = foresight.erk(weights, density) if method == "random, ERK" else dict.fromkeys(weights, density)
    return criteria.at_random(seed)(weights, everything, {name: 1 - s for name, s in shares.items()}, "layer")


def compare(chosen: Foresight, seed: int, device: str, journal: Journal) -> Iterator[Row]:
    """Search for a ticket; train beside it masks of its sizes that were found before training; check both.

    The checks of a mask: shuffled, another mask with as many weights in each layer; inverted, the weights that the
    method would prune first (of the ticket, the smallest of the dense network's trained weights); redrawn, the same
    mask with new weights. Every training of a trial sees the examples in the same order.
    Source: Frankle et al. 2021, "Pruning Neural Networks at Initialization: Why Are We Missing the Mark?", Sec. 4, 5.
    Lesson 09, "Before training".
    """
    data = load(chosen.data, device=device)
    network = models.create(chosen.network, shape=data.shape, seed=seed, device=device)
    θ0 = snapshot(network)
    weights = {name: θ0[name] for name in masks.prunable(network)}
    by_name = {name: c for name, c in named(θ0, chosen, data, seed).items() if name in chosen.methods}

    def trained(method: str, size: int, mask: Mask, start: State) -> Row:
        network.load_state_dict(start)
        history = train(network, data, chosen.recipe, mask=mask, seed=seed)
        return row_of(method, Round(size, mask, {}, history))

    def checks(method: str, size: int, mask: Mask, last: Weights, criterion: Criterion) -> Iterator[Row]:
        for check in CHECKS:
            name = f"{method}: {check}"
            if not journal.lacks(name, size):
                continue
            start = redraw(seed)(network, lambda _: θ0, size)[0] if check == "redrawn" else θ0
            other = mask
            if check == "shuffled":
                other = masks.shuffle(mask, seed)
            elif check == "inverted":
                other = mask_of(method, {method: foresight.inverted(criterion)}, last, chosen.density(size), seed)
            yield trained(name, size, other, start)

    search = prune_iteratively(
        models.create(chosen.network, shape=data.shape, seed=seed, device=device),
        data,
        chosen.recipe,
        rate=1 - chosen.smallest ** (1 / (chosen.sizes * chosen.fold)),
        rounds=chosen.sizes * chosen.fold,
        scope="global",
        restart=to_init,
        seed=seed,
        after=journal.rounds.get("ticket") or journal.rounds.get("dense"),
    )
    for done in journal.follow("ticket", search):
        journal.rounds.setdefault("dense", done)
        size, rest = divmod(done.number, chosen.fold)
        if rest:
            continue
        if journal.lacks("ticket", size):
            yield row_of("ticket", Round(size, done.mask, {}, done.history))
        if size in chosen.checked:
            last = {name: journal.rounds["dense"].state[name] for name in weights}
            yield from checks("ticket", size, done.mask, last, criteria.magnitude)

    for method in chosen.methods:
        for size in range(1, chosen.sizes + 1):
            mask = mask_of(method, by_name, weights, chosen.density(size), seed)
            if journal.lacks(method, size):
                yield trained(method, size, mask, θ0)
            if method in by_name and size in chosen.checked:
                yield from checks(method, size, mask, weights, by_name[method])


_ADAM = Recipe(iterations=50_000, batch=60, optimizer="adam", lr=1.2e-3)
_SGD = Recipe(iterations=30_000, batch=128, optimizer="sgd", lr=0.1, weight_decay=1e-4, schedule="cosine")
_FEW = ("SNIP", "SynFlow", "random, ERK")


def _at(
    network: str, data: str, recipe: Recipe, sizes: int, seeds: int, checked: tuple[int, ...], **plan: object
) -> Foresight:
    return Foresight(
        network=network,
        data=data,
        recipe=recipe.but(evaluate_every=recipe.iterations),  # the end is all that is compared
        sizes=sizes,
        seeds=tuple(range(seeds)),
        checked=checked,
        **plan,  # type: ignore[arg-type]
    )


def _lenet(at: str, iterations: int, sizes: int, seeds: int, checked: tuple[int, ...], **plan: object) -> Foresight:
    recipe = _ADAM.but(iterations=iterations)
    return _at("lenet-300-100", small_data(at, "mnist"), recipe, sizes, seeds, checked, **plan)


def _resnet(data: str, recipe: Recipe, sizes: int, seeds: int, checked: tuple[int, ...], **plan: object) -> Foresight:
    return _at("resnet-8", data, recipe, sizes, seeds, checked, **plan)


_TINY, _SHORT = _SGD.but(iterations=4, batch=8), _SGD.but(batch=64)

EXPERIMENTS = (
    Experiment(
        name="foresight-lenet-300-100",
        question="Can a mask that is as good as the ticket's be found before LeNet-300-100 is trained?",
        lesson="09_frontier",
        budgets={
            "smoke": _lenet("smoke", 10, 2, 1, (2,), methods=_FEW, passes=5),
            "class": _lenet("class", 300, 3, 2, (3,), methods=_FEW),
            "desk": _lenet("desk", 600, 6, 3, (3, 5)),
            "night": _lenet("night", 10_000, 6, 5, (3, 5), fold=3),
            "paper": _lenet("paper", 50_000, 6, 5, tuple(range(1, 7)), fold=3),
        },
        trial=compare,
    ),
    Experiment(
        name="foresight-resnet-8",
        question="And before a residual network is trained, on photographs of half the resolution?",
        lesson="09_frontier",
        budgets={
            "smoke": _resnet("cifar-10-mini", _TINY, 1, 1, (1,), methods=_FEW, passes=2, examples=20),
            "class": _resnet("cifar-10-mini", _SHORT.but(iterations=40), 1, 1, (), methods=_FEW),
            "desk": _resnet("cifar-10-half", _SHORT.but(iterations=500), 6, 3, (3,)),
            "night": _resnet("cifar-10-half", _SHORT.but(iterations=4_000), 6, 3, (3, 5), fold=2),
        },
        trial=compare,
    ),
)
