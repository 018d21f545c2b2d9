"""The check of the second review question: the algorithm that finds the ticket (lesson 08).

The pieces have checks of their own in lesson 03; here the whole search is watched, training by training.
"""

import copy
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ltcourse.classroom.checks import verdict
from ltcourse.classroom.checks.digits import SIZES, digits, judged, reader_of_digits, training_on_digits
from ltcourse.classroom.checks.tickets import Train, before_a_round, wrong_choice
from ltcourse.classroom.checks.verdict import Finding, Verdict
from ltcourse.display.tables import percent
from ltcourse.networks import masks
from ltcourse.networks.masks import Mask
from ltcourse.networks.models import snapshot
from ltcourse.pruning import criteria
from ltcourse.pruning.restarts import State


def find_ticket(function: Callable[[nn.Module, Train, float, int], Mask]) -> Verdict:
    """Check question 2 of lesson 08: (network, train, rate, rounds) → the mask, and the network as the ticket."""
    # no count of weights is a half, in no round
    cases = [((4, 2), 0.5, 1), ((4, 6, 3), 0.3, 2), ((5, 8, 4), 0.2, 3)]

    def findings() -> Iterator[Finding]:
        for sizes, rate, rounds in cases:
            network, _, _, train = before_a_round(sizes, 1.0)
            case = f"{' → '.join(map(str, sizes))} neurons, rate {rate}, {rounds} round{'s' * (rounds > 1)}"
            yield from _compare_search(case, function, network, train, rate, rounds)
        rate, rounds = 0.2, 6
        network, train = reader_of_digits(seed=0), training_on_digits()
        initial = snapshot(network)
        case = f"handwritten digits, {' → '.join(map(str, SIZES))} neurons, rate {rate}, {rounds} rounds"
        mask = yield from _compare_search(case, function, network, train, rate, rounds)
        yield _compare_ticket(f"{case}: trained once more", network, initial, mask, train)

    return verdict.judge("exercise 2, finding a ticket", findings())


# Question 2: the algorithm that finds the ticket


@dataclass(frozen=True, eq=False)
class _Training:
    """A call of `train`: the mask that it was given, and the parameters before and after."""

    mask: Mask
    before: State
    after: State


def _compare_search(
    case: str,
    function: Callable[[nn.Module, Train, float, int], Mask],
    network: nn.Module,
    train: Train,
    rate: float,
    rounds: int,
) -> Generator[Finding, None, Mask]:
    """Compare the trainings of a search, the mask, and what is left in the network; return the right mask."""
    θ0, whole, calls = snapshot(network), masks.dense(network), list[_Training]()
    mask, densities = whole, []
    for _ in range(rounds):
        right = copy.deepcopy(network)
        right.load_state_dict(θ0)
        train(right, mask)
        densities.append(masks.density(mask))
        mask = criteria.magnitude(snapshot(right), mask, rate)

    def noted(network: nn.Module, mask: Mask) -> float:
        given, before = verdict.copied(mask), snapshot(network)
        loss = train(network, mask)
        calls.append(_Training(given, before, snapshot(network)))
        return loss

    yours = verdict.tensors(verdict.ask(function, network, noted, rate, rounds))
    wrong = _wrong_mask_of(yours, whole) or _wrong_trainings(calls, θ0, whole)
    wrong = wrong or _wrong_search([*(c.mask for c in calls), yours], calls, rate, rounds, θ0)
    trained = _show_trainings([masks.density(c.mask) for c in calls])
    yield Finding(f"{case}: the trainings", trained, _show_trainings(densities), wrong)
    wrong = "" if verdict.same(yours, mask) else "it is not the mask that these trainings lead to"
    yield Finding(f"{case}: the mask", verdict.show(yours), verdict.show(mask), wrong)
    wrong = _wrong_left(network, mask, θ0, calls[-1].after)
    expected = "the initial weights under the mask, bit by bit"
    yield Finding(f"{case}: the network afterwards", "something else" if wrong else expected, expected, wrong)
    return mask


def _show_trainings(densities: Sequence[float]) -> str:
    return f"at P_m = {', '.join(map(percent, densities))}" if densities else "none"


def _wrong_mask_of(yours: Any, whole: Mask) -> str:
    wrong = verdict.wrong_masks(yours, whole)
    if not wrong and all(bool(m.all()) for m in yours.values()):
        wrong = "the mask keeps every weight: that is the dense network, and no subnetwork was found"
    return wrong


def _wrong_trainings(calls: Sequence[_Training], θ0: State, whole: Mask) -> str:
    """What is wrong with how the trainings began, "" if nothing is."""
    if not calls:
        return "`train` was never called: magnitudes mean something after training, not before"
    for number, call in enumerate(calls, 1):
        survivors = {name: call.before[name][m] for name, m in call.mask.items()}
        first = {name: θ0[name][m] for name, m in call.mask.items()}
        biases = {name: w for name, w in call.before.items() if name not in whole}
        if number == 1 and not verdict.same(call.mask, whole):
            return "the first training is of the whole network: you pruned before it"
        if verdict.same(survivors, first) and verdict.same(biases, {name: θ0[name] for name in biases}):
            continue
        if number == 1:
            return "the network was changed before the first training: train it as it is given"
        if verdict.same(call.mask, calls[number - 2].mask):
            return f"training {number} was under the mask of training {number - 1}: train under the new one"
        before = calls[number - 2].after
        if verdict.same(survivors, {name: before[name][m] for name, m in call.mask.items()}):
            return (
                f"training {number} begins where training {number - 1} ended: return the survivors to their initial "
                "values in every round, from a copy (state_dict() shares its tensors with the network: clone them)"
            )
        if verdict.same(survivors, first):
            return f"training {number} begins from initial weights, but not from the initial biases: reset them, too"
        return (
            f"training {number} begins from other weights than the initial ones, bit by bit: copy them before the "
            "first training, and do not draw them anew"
        )
    return ""


def _wrong_search(chain: Sequence[Mask], calls: Sequence[_Training], rate: float, rounds: int, θ0: State) -> str:
    """What is wrong with the masks, from the whole network to the one that was returned, "" if nothing is."""
    prunings = [(a, b, call) for a, b, call in zip(chain, chain[1:], calls, strict=False)]
    if len(prunings) > rounds and verdict.same(prunings[-1][0], prunings[-1][1]):
        prunings.pop()  # the ticket itself was trained, to see whether it is one
    for number, (old, new, call) in enumerate(prunings, 1):
        last = number == len(prunings)
        if last and rounds > 1 and number < rounds and masks.kept(new) < masks.kept(old) * (1 - rate) ** 1.5:
            return (
                f"one shot: after training {number} it prunes at once what {rounds - number + 1} rounds should prune; "
                "train again before each pruning"
            )
        if wrong := wrong_choice(new, old, rate, call.after, θ0):
            return f"after training {number}: {wrong}"
    if len(prunings) != rounds:
        return f"`rounds` is {rounds}, but your function pruned in {len(prunings)}: each round prunes once"
    return ""


def _wrong_left(network: nn.Module, mask: Mask, θ0: State, trained: State) -> str:
    """What keeps the network from being the ticket m ⊙ θ₀, "" if it is."""
    now = snapshot(network)
    if verdict.same(now, {name: w * mask.get(name, True) for name, w in θ0.items()}):
        return ""

    def survivors(state: State) -> State:
        return {name: state[name][m] for name, m in mask.items()}

    if verdict.same(survivors(now), survivors(trained)):
        return (
            "the network is as the last training left it: each round ends with the reset, the last one too, from a "
            "copy (state_dict() shares its tensors with the network: clone them)"
        )
    if not verdict.same(survivors(now), survivors(θ0)):
        return "the survivors are not at their initial values, bit by bit: copy them before the first training"
    if any(not torch.equal(now[name], w) for name, w in θ0.items() if name not in mask):
        return "the weights are reset, but not the biases: they go back to their initial values, too"
    return "pruned weights are not 0: the ticket is m ⊙ θ₀"


def _compare_ticket(case: str, network: nn.Module, θ0: State, mask: Mask, train: Train) -> Finding:
    """Show what the ticket is worth: on images that no training has seen, beside all weights and a random mask."""
    begun = snapshot(network)
    right = {}
    for name, (state, under) in {
        "ticket": (begun, mask),
        "all weights": (θ0, masks.dense(network)),
        "random mask": (θ0, masks.shuffle(mask, 0)),
    }.items():
        trained = copy.deepcopy(network)
        trained.load_state_dict(state)
        train(trained, under)
        right[name] = judged(trained, digits()[2])[1]
    found = ", ".join(f"{name} {percent(share)}" for name, share in right.items())
    wrong = "" if right["ticket"] > right["random mask"] else "your ticket is not better than a random mask of its size"
    size = percent(masks.density(mask))
    return Finding(f"{case}, {size} kept, unseen digits right", found, "more than a random mask of this size", wrong)
