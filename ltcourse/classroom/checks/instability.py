"""Checks of the exercises of lesson 04, on the line between two runs and on one ranking for all layers."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ltcourse.classroom.checks import verdict
from ltcourse.classroom.checks.verdict import Finding, Verdict
from ltcourse.instruments import connectivity
from ltcourse.networks import masks
from ltcourse.networks.masks import Mask, Weights
from ltcourse.networks.models import snapshot
from ltcourse.pruning.restarts import State


def between(function: Callable[[State, State, float], State]) -> Verdict:
    """Check exercise 1 of lesson 04: (a, b, share) → the weights at a point of the line from a to b."""

    def normed(seed: int, batches: int) -> State:
        network = nn.Sequential(*verdict.small_network((1, 2), seed), nn.BatchNorm1d(2))
        seen = {"1.running_mean": torch.full((2,), batches / 100), "1.num_batches_tracked": torch.tensor(batches)}
        return {**snapshot(network), **seen}

    cases = {
        "one weight matrix": ({"weight": torch.tensor([[1.0, 2.0]])}, {"weight": torch.tensor([[3.0, -2.0]])}),
        "weights and biases": tuple(snapshot(verdict.small_network((2, 2), seed)) for seed in (7, 8)),
        "a network with batch norm": (normed(7, 30), normed(8, 70)),
    }

    def findings() -> Iterator[Finding]:
        for name, (a, b) in cases.items():
            for share in (0.5, 0.25, 0.0, 1.0):
                yours = verdict.tensors(verdict.ask(function, a, b, share))
                expected = connectivity.between(a, b, share)
                wrong = _wrong_point(yours, expected, a, b, share)
                yield Finding(f"{name}, share {share}", verdict.show(yours), verdict.show(expected), wrong)

    return verdict.judge("exercise 1, between two networks", findings())


def error_barrier(function: Callable[[list[float]], float]) -> Verdict:
    """Check exercise 2 of lesson 04: errors along a line, ends included → the highest minus the mean of the ends."""
    cases = [
        [0.2, 0.2],
        [0.2, 0.1, 0.4, 0.7, 0.3],
        [0.3, 0.1],
        [0.1, 0.5, 0.1],
        [0.4, 0.35, 0.3, 0.2],
        [0.0214, 0.0687, 0.1403, 0.0291],
        [0.081, 0.084, 0.12, 0.31, 0.52, 0.61, 0.66, 0.45, 0.2, 0.11, 0.087],
    ]

    def findings() -> Iterator[Finding]:
        for errors in cases:
            yours = verdict.ask(function, list(errors))
            expected, mistakes = connectivity.barrier(errors), _barrier_mistakes(errors)
            yield verdict.compare_number(f"errors {errors}", "a barrier", yours, expected, mistakes, ".4f")

    return verdict.judge("exercise 2, the error barrier", findings())


def global_mask(function: Callable[[State, float], Mask]) -> Verdict:
    """Check exercise 3 of lesson 04: (weights, density) → the mask of the largest magnitudes of all layers together."""
    generator = torch.Generator().manual_seed(9)
    # what is ranked layer by layer, or in the scale of a layer, leads to masks of its own
    small = {"fc1": torch.tensor([[1.0, -0.5], [-4.0, 0.9]]), "fc2": torch.tensor([[0.28, 0.3]])}
    tied = {"fc1": torch.tensor([[0.5, -0.5, 2.0]]), "fc2": torch.tensor([[0.5, 0.1, -0.5]])}
    pruned = {"fc1": torch.tensor([[0.0, 0.0, 3.0]]), "fc2": torch.tensor([[0.0, -1.0, 0.0]])}
    layers = (("conv", (4, 2, 3, 3), 1.0), ("fc1", (8, 16), 0.3), ("fc2", (5, 8), 0.6))
    wide = {name: torch.randn(shape, generator=generator) * std for name, shape, std in layers}
    # no count of weights is a half
    cases = [
        ({"fc": torch.tensor([[1.0, 2.0, -3.0]])}, 0.3),
        *((small, density) for density in (0.5, 1 / 3, 0.0, 1.0)),
        *((tied, density) for density in (0.5, 1 / 3)),
        (pruned, 0.5),
        *((wide, density) for density in (0.2, 0.036, 0.0302)),
        ({name: (3 * w).round() for name, w in wide.items()}, 0.4),
    ]

    def findings() -> Iterator[Finding]:
        for weights, density in cases:
            yours = verdict.tensors(verdict.ask(function, weights, density))
            total = sum(w.numel() for w in weights.values())
            count = round(density * total)
            expected = _split(masks.keep_largest(_pooled(weights).abs(), count), weights)
            wrong = verdict.wrong_masks(yours, weights) or _wrong_global(yours, weights, density, count)
            case = f"keep {count} of the {total} weights {verdict.show(weights)}"
            yield Finding(case, verdict.show(yours), verdict.show(expected), wrong)

    return verdict.judge("exercise 3, one ranking for all layers", findings())


def _wrong_point(yours: Any, expected: State, a: State, b: State, share: float) -> str:
    if not isinstance(yours, dict):
        return f"the result is a dict, name → tensor, and this is {type(yours).__name__}"
    if yours.keys() != expected.keys():
        return f"the result is of {sorted(map(str, yours))}, and should be of {sorted(expected)}"
    for name, w in expected.items():
        if not isinstance(yours[name], Tensor):
            return f"{name} should be a tensor, and is of type {type(yours[name]).__name__}"
        if yours[name].shape != w.shape:
            return f"{name} has shape {tuple(yours[name].shape)}, and should have {tuple(w.shape)}"
        if w.is_floating_point() and not yours[name].is_floating_point():
            return f"{name} should be {w.dtype}, and is {yours[name].dtype}"
    for name, w in expected.items():
        if not w.is_floating_point() and (yours[name].dtype != w.dtype or not torch.equal(yours[name], w)):
            return f"{name} counts, in whole numbers: take it from `a`, which has {w.tolist()} ({w.dtype})"
    if not verdict.close(yours, expected):
        return _wrong_place(yours, expected, a, b, share)
    for letter, state in zip("ab", (a, b), strict=True):
        memory = {w.untyped_storage().data_ptr() for w in state.values()}
        for name, w in yours.items():
            if w.untyped_storage().data_ptr() in memory:
                return f"{name} shares its memory with `{letter}`, so that a change of one changes both: clone it"
    return ""


def _wrong_place(yours: State, expected: State, a: State, b: State, share: float) -> str:
    """Why weights are not at their point of the line."""
    floats = {name: w for name, w in yours.items() if w.is_floating_point()}
    mistakes = {
        "the ends are swapped: share 0 is a, share 1 is b": connectivity.between(b, a, share),
        "this is the sum of a and b: their shares add up to 1": {name: a[name] + b[name] for name in floats},
        "this is always the middle: the share decides how near b it is": connectivity.between(a, b, 0.5),
        "this is a, wherever on the line": a,
        "this is b, wherever on the line": b,
    }
    for wrong, point in mistakes.items():
        if verdict.close(floats, point):
            return wrong
    weights = {name: w for name, w in floats.items() if w.dim() >= 2}
    others = {name: w for name, w in floats.items() if w.dim() < 2}
    if verdict.close(weights, expected) and (verdict.close(others, a) or verdict.close(others, b)):
        return "only the weights are on the line: the biases belong there, too"
    far, worst = verdict.furthest(floats, {name: expected[name] for name in floats})
    return f"largest difference {far:.3g}, in {worst}"


def _barrier_mistakes(errors: Sequence[float]) -> dict[str, float]:
    ends, top = (errors[0] + errors[-1]) / 2, max(errors)
    return {
        "this is the highest error itself: subtract the mean of the two ends": top,
        "this is the highest error minus the lowest: subtract the mean of the two ends": top - min(errors),
        "this is the highest error minus the mean of all: only the two ends count": top - sum(errors) / len(errors),
        "this subtracts one end: take the mean of both ends": top - errors[0],
        "this subtracts one end, the last: take the mean of both ends": top - errors[-1],
        "this subtracts the sum of the ends, not their mean": top - 2 * ends,
        "this looks at the middle only: the highest error may be elsewhere": errors[len(errors) // 2] - ends,
        "the barrier is in percent: errors and barrier are from 0 to 1": 100 * connectivity.barrier(errors),
    }


def _pooled(weights: Weights) -> Tensor:
    return torch.cat([w.flatten() for w in weights.values()])


def _split(pooled: Tensor, like: Weights) -> State:
    parts = pooled.split([w.numel() for w in like.values()])
    return {name: part.view_as(w) for (name, w), part in zip(like.items(), parts, strict=True)}


def _wrong_global(yours: Mask, weights: Weights, density: float, count: int) -> str:
    keep, values = _pooled(yours), _pooled(weights)
    magnitude, kept = values.abs(), int(keep.sum())
    gap = float(magnitude[~keep].max() - magnitude[keep].min()) if 0 < kept < keep.numel() else 0.0
    if kept == count and gap <= 0:
        return ""
    wrong = f"it keeps {kept} weights, {abs(kept - count)} {'more' if kept > count else 'fewer'} than {count}"
    if slip := verdict.slip_at_an_end(kept, count, keep.numel()):
        return f"{wrong}: {slip}"
    right = _split(masks.keep_largest(magnitude, count), weights)
    by_layer = {name: masks.keep_largest(w.abs(), round(density * w.numel())) for name, w in weights.items()}
    scaled = {name: w.abs() / w.abs().max() for name, w in weights.items()}
    mistakes = {
        "it goes by value: magnitude has no sign": masks.keep_largest(values, count),
        "it keeps the smallest magnitudes: the largest stay": masks.keep_largest(-magnitude, count),
        "it is the mask of the weights that are pruned: True means kept": ~_pooled(right),
        f"it keeps {density:.1%} of each layer: rank all layers together, so that they keep different shares": _pooled(
            by_layer
        ),
        "it measures magnitudes in the scale of their layer: rank them as they are": masks.keep_largest(
            _pooled(scaled), count
        ),
        **verdict.by_positions(magnitude, count),
    }
    if said := next((said for said, mask in mistakes.items() if torch.equal(keep, mask)), ""):
        return said
    if kept == count:
        return f"it prunes a weight whose magnitude is {gap:.3g} larger than one that it keeps"
    if kept == keep.numel() - count:
        return f"{wrong}: the density is the share to keep, not to prune"
    if all(torch.equal(yours[name], m) or (yours[name].any() and not m.any()) for name, m in right.items()):
        return f"{wrong}: it leaves each layer a weight, but all compete, and a layer may lose all of its weights"
    cut = magnitude.sort(descending=True).values[max(count - 1, 0)]
    if kept in (int((magnitude >= cut).sum()), int((magnitude > cut).sum())) and (magnitude == cut).sum() > 1:
        return f"{wrong}: some are equally large, and a threshold keeps all of these or none"
    return wrong
