"""Checks of the exercises of lesson 05, on tickets that travel; `checks` offers them beside its own.

An answer that is wrong is set beside the classic mistakes, so that the one that it fits can be named.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import mean, median

import torch
from torch import nn

from ltcourse.classroom.checks import verdict
from ltcourse.classroom.checks.verdict import Finding, Verdict
from ltcourse.networks import masks
from ltcourse.networks.masks import Mask, Weights
from ltcourse.pruning import criteria
from ltcourse.pruning.restarts import State

Accuracies = Mapping[tuple[str, str], Sequence[float]]


def transplant(function: Callable[[nn.Module, State, Mask], Mask]) -> Verdict:
    """Check exercise 1 of lesson 05: (network, weights, mask) → the mask to train with, and the network changed."""
    # the classes of the ticket and of the network; each network has a layer before its output layer
    cases = [((2, 3), 2, 2), ((2, 3), 2, 4), ((4, 6, 5), 3, 3), ((4, 6, 5), 5, 2), ((4, 6, 3), 2, 7)]

    def findings() -> Iterator[Finding]:
        for sizes, theirs, ours in cases:
            donor = verdict.small_network((*sizes, theirs), seed=1)
            network = verdict.small_network((*sizes, ours), seed=2)
            weights = {name: p.detach().clone() for name, p in donor.named_parameters()}
            mask = criteria.at_random(seed=3)(weights, masks.dense(donor), 0.5, "layer")
            before = {name: p.detach().clone() for name, p in network.named_parameters()}
            right, target = _transplanted(before, weights, mask)
            yours = verdict.tensors(verdict.ask(function, network, weights, mask))
            case = f"a ticket of {' → '.join(map(str, (*sizes, theirs)))} neurons, in a network of {ours} classes"
            wrong = verdict.wrong_masks(yours, masks.prunable(network)) or _wrong_mask(yours, right, mask)
            yield Finding(f"{case}: the mask", verdict.show(yours), verdict.show(right), wrong)
            yield _compare_network(f"{case}: the network", network, target, before, weights, mask)

    return verdict.judge("exercise 1, transplant a ticket", findings())


def expected_overlap(function: Callable[[list[int], list[int], list[int]], float]) -> Verdict:
    """Check exercise 2 of lesson 05: (kept by a, kept by b, sizes), by layer → weights that both keep, on average."""
    cases = [
        ([3], [5], [10]),
        ([4], [0], [8]),
        ([6], [2], [6]),
        ([2, 3], [4, 1], [8, 6]),
        ([50, 30, 9], [20, 60, 9], [400, 120, 10]),
        ([8_467, 1_080, 206], [8_467, 1_080, 206], [235_200, 30_000, 1_000]),
    ]

    def findings() -> Iterator[Finding]:
        for a, b, sizes in cases:
            yours = verdict.ask(function, list(a), list(b), list(sizes))
            expected = sum(x * y / n for x, y, n in zip(a, b, sizes, strict=True))
            case, mistakes = f"masks that keep {a} and {b} of {sizes} weights", _overlap_mistakes(expected, a, b, sizes)
            yield verdict.compare_number(case, "the overlap", yours, expected, mistakes, ".4g")

    return verdict.judge("exercise 2, the overlap of two random masks", findings())


def transferred_share(function: Callable[[Accuracies, Mapping[str, Sequence[float]], str, str], float]) -> Verdict:
    """Check exercise 3 of lesson 05: (accuracies, random, source, target) → the share of the lead that is kept."""
    small: dict[tuple[str, str], list[float]] = {
        ("a", "a"): [0.9], ("a", "b"): [0.7], ("b", "a"): [0.87], ("b", "b"): [0.83],
    }  # fmt: skip
    seeds: dict[tuple[str, str], list[float]] = {
        ("digits", "clothes"): [0.873, 0.861, 0.853], ("digits", "digits"): [0.972, 0.976, 0.971],
        ("clothes", "digits"): [0.969, 0.965, 0.966], ("clothes", "clothes"): [0.877, 0.871, 0.88],
        ("photos", "digits"): [0.95, 0.958, 0.949], ("photos", "clothes"): [0.842, 0.851, 0.849],
    }  # fmt: skip
    lot = {"digits": [0.951, 0.949, 0.955], "clothes": [0.848, 0.85, 0.842]}
    cases = [
        (small, {"a": [0.79], "b": [0.61]}, "a", "b"),
        (small, {"a": [0.79], "b": [0.61]}, "b", "a"),
        (small, {"a": [0.79], "b": [0.61]}, "b", "b"),
        (small, {"a": [0.79], "b": [0.75]}, "a", "b"),  # worse than the random ticket
        (small | {("b", "a"): [0.92]}, {"a": [0.79], "b": [0.61]}, "b", "a"),  # better than the own ticket
        *((seeds, lot, source, target) for source, target in seeds),
    ]

    def findings() -> Iterator[Finding]:
        for accuracies, random, source, target in cases:
            yours = verdict.ask(function, accuracies, random, source, target)
            expected = _share(accuracies, random, source, target)
            mistakes = _share_mistakes(expected, accuracies, random, source, target)
            case = f"from {source} to {target}: {list(accuracies[source, target])}, own {accuracies[target, target]}"
            case = f"{case}, random {random[target]}"
            yield verdict.compare_number(case, "the share", yours, expected, mistakes, ".4f")

    return verdict.judge("exercise 3, read the matrix", findings())


# Lesson 05, exercise 1


def _output(mask: Mask) -> tuple[str, str]:
    """The names of the output layer's weight and bias."""
    name = list(mask)[-1]
    return name, name.replace("weight", "bias")


def _transplanted(network: State, weights: Weights, mask: Mask) -> tuple[Mask, State]:
    """The mask and the parameters that are right."""
    last, bias = _output(mask)
    other = network[last].shape != weights[last].shape
    right = {name: torch.ones_like(network[name], dtype=torch.bool) if other and name == last else m
             for name, m in mask.items()}  # fmt: skip
    stays = (last, bias) if other else ()
    target = {name: w if name in stays else weights[name] * mask.get(name, True) for name, w in network.items()}
    return right, target


def _wrong_mask(yours: Mask, right: Mask, old: Mask) -> str:
    last, _ = _output(old)
    for name, m in right.items():
        if torch.equal(yours[name], m):
            continue
        if name == last and m.all() and m.shape != old[last].shape:
            return "for other classes the output layer is drawn anew and not pruned: keep all of its weights"
        if torch.equal(yours[name], ~m):
            return f"the mask of {name} is the wrong way round: True keeps a weight"
        return f"the mask of {name} is not the ticket's"
    return ""


def _compare_network(
    case: str, network: nn.Module, target: State, before: State, weights: Weights, mask: Mask
) -> Finding:
    """Compare with the ticket's weights under its mask, and tell why the parameters are not these."""
    now = {name: p.detach() for name, p in network.named_parameters()}
    expected = "the ticket's weights under its mask"
    far, worst = verdict.furthest(now, target)
    if far <= 1e-7:
        return Finding(case, "largest difference 0", expected)
    last, bias = _output(mask)
    other = before[last].shape != weights[last].shape

    def mistaken(name: str) -> str:
        if other and name in (last, bias):
            return "the output layer is for other classes: leave it as it was drawn, weights and bias"
        if verdict.distance(now[name], before[name]) <= 1e-7:
            if name in (last, bias):
                return "the number of classes is the ticket's: copy its output layer, too, with its bias"
            return f"{name} is still the network's own" + ("" if name in mask else ": biases belong to a ticket, too")
        if name in mask and verdict.distance(now[name], weights[name]) <= 1e-7:
            return f"{name} was copied without the mask: pruned weights must be 0"
        if name in mask and verdict.distance(now[name], before[name] * mask[name]) <= 1e-7:
            return f"{name} has the ticket's mask on the network's own weights: copy the ticket's weights, too"
        return f"{name} is not the ticket's"

    first = next(name for name in target if not verdict.distance(now[name], target[name]) <= 1e-7)
    return Finding(case, f"largest difference {far:.2g}, in {worst}", expected, mistaken(first))


# Lesson 05, exercise 2


def _overlap_mistakes(expected: float, a: Sequence[int], b: Sequence[int], sizes: Sequence[int]) -> dict[str, float]:
    layers = list(zip(a, b, sizes, strict=True))
    return {
        "this takes all layers as one: count each layer by itself": sum(a) * sum(b) / sum(sizes),
        "this is the largest possible overlap, the smaller mask: on average it is less": sum(map(min, a, b)),
        "this is the smallest possible overlap: on average it is more": sum(max(0, x + y - n) for x, y, n in layers),
        "this adds up shares: return how many weights": sum(x * y / n**2 for x, y, n in layers),
        "this is the share of the first mask: return how many weights": expected / max(1, sum(a)),
        "this is the share of all weights: return how many": expected / sum(sizes),
        "this adds up the products: divide each by the layer's size": sum(x * y for x, y, _ in layers),
        "this is the first layer alone: add up the layers": layers[0][0] * layers[0][1] / layers[0][2],
        "this counts weights that either mask keeps: count those that both keep": sum(a) + sum(b) - expected,
        "an average need not be whole: do not round": float(round(expected)),
        "an average need not be whole: do not round down": float(int(expected)),
        "an average need not be whole: do not round each layer": float(sum(round(x * y / n) for x, y, n in layers)),
        "an average need not be whole: do not round each layer down": float(sum(x * y // n for x, y, n in layers)),
    }


# Lesson 05, exercise 3


def _share(accuracies: Accuracies, random: Mapping[str, Sequence[float]], source: str, target: str) -> float:
    low = mean(random[target])
    return (mean(accuracies[source, target]) - low) / (mean(accuracies[target, target]) - low)


_ONE_OF: dict[str, Callable[[Sequence[float]], float]] = {
    "the first seed alone": lambda seeds: seeds[0],
    "the median of the seeds": median,
    "the best seed": max,
    "the worst seed": min,
}


def _share_mistakes(
    expected: float, accuracies: Accuracies, random: Mapping[str, Sequence[float]], source: str, target: str
) -> dict[str, float]:
    here, own, low = mean(accuracies[source, target]), mean(accuracies[target, target]), mean(random[target])

    def ratio(above: float, below: float) -> float:
        return above / below if below else math.nan  # which no answer equals

    mistakes = {
        "this leaves the random ticket out: subtract its accuracy from both": here / own,
        "this is the gain over the random ticket: divide it by the own ticket's gain": here - low,
        "this divides by the random ticket's accuracy: divide by the own ticket's lead": ratio(here - low, low),
        "the fraction is upside down: divide by the own ticket's lead": ratio(own - low, here - low),
        "this is the share that is lost: return the share that is kept": 1 - expected,
        "this is in percent: a share is 1 where nothing is lost": 100 * expected,
        "this is the mean of the seeds' ratios: take the means first, small leads make ratios unreliable": mean(
            (x - z) / (y - z)
            for x, y, z in zip(accuracies[source, target], accuracies[target, target], random[target], strict=True)
        ),
        **{
            f"this takes {what}: take the mean": ratio(
                of(accuracies[source, target]) - of(random[target]),
                of(accuracies[target, target]) - of(random[target]),
            )
            for what, of in _ONE_OF.items()
        },
        "this is measured from the own ticket: both leads are over the random one": ratio(here - own, own - low),
        "this divides by the ticket's own accuracy: divide by the own ticket's lead": ratio(here - low, here),
        "this is the ratio to the random ticket: subtract its accuracy from both": ratio(here, low),
    }
    if back := accuracies.get((target, source)):
        swapped = "this takes accuracies[target, source], the other way: the first name is the source"
        mistakes[swapped] = ratio(mean(back) - low, own - low)
    if source in random:  # a source that is a target as well
        there, lot = mean(accuracies[source, source]), mean(random[source])
        mistakes["the own ticket is that of the target, not of the source"] = ratio(here - low, there - low)
        mistakes["this divides by the lead at the source: divide by that of the target's own ticket"] = ratio(
            here - low, there - lot
        )
        mistakes["the random ticket is that of the target, not of the source"] = ratio(here - lot, own - lot)
        if back:
            wrong = "this goes the other way, from the target to the source: the first name is the source"
            mistakes[wrong] = ratio(mean(back) - lot, there - lot)
    return mistakes
