"""Checks of the exercises: each tries the reader's function on small cases, the smallest first, and shows the evidence.

Behavior is checked, not text: any way to the right result is accepted. A function that returns None is not done yet.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from ltcourse import connectivity, masks, verdicts
from ltcourse.initialization_checks import diagnose, fill_kaiming, keeping_gain, xavier_and_kaiming  # noqa: F401
from ltcourse.masks import Mask, Weights
from ltcourse.models import snapshot
from ltcourse.pruning import sensitivity
from ltcourse.restarts import State
from ltcourse.review_checks import find_supermask, find_ticket, supports  # noqa: F401
from ltcourse.supermask_checks import forward_mask, popup_step, scaled_std, score_gradient  # noqa: F401
from ltcourse.table_checks import (  # noqa: F401
    break_even_density,
    count_parameters,
    relative_bytes,
    retraining_dropout,
)
from ltcourse.ticket_checks import early_stop, imp_round, rounds_until, train_ticket  # noqa: F401
from ltcourse.transfer_checks import expected_overlap, transferred_share, transplant  # noqa: F401
from ltcourse.verdicts import Finding, Verdict


def exact_pruning(function: Callable[[Tensor, int], Tensor]) -> Verdict:
    """Check exercise 1 of lesson 01: (weights, count) → a mask that keeps exactly the `count` largest magnitudes."""
    generator = torch.Generator().manual_seed(1)
    cases = [
        (torch.tensor([2.0, -3.0]), 1),
        (torch.tensor([1.0, 2.0]), 0),
        (torch.tensor([1.0, 2.0]), 2),
        (torch.tensor([0.5, -0.5, 0.5]), 2),
        (torch.tensor([0.0, 0.0, 1.0, 0.0]), 2),
        (torch.tensor([[0.1, -0.9, 0.4], [-0.2, 0.3, 0.8]]), 3),
        *((torch.randn(30, 20, generator=generator), count) for count in (1, 59, 300, 599)),
        ((torch.randn(30, 20, generator=generator) * 3).round(), 211),
    ]

    def findings() -> Iterator[Finding]:
        for weights, count in cases:
            given = weights.clone()
            yours = verdicts.ask(function, given, count)
            case = f"keep {count} of {verdicts.show(weights)}"
            expected = masks.keep_largest(weights.abs(), count)
            yield Finding(
                case, verdicts.show(yours), verdicts.show(expected), _wrong_mask(yours, weights, count, given)
            )

    return verdicts.judge("exercise 1, exact pruning", findings())


def masked_step(function: Callable[[nn.Module, torch.optim.Optimizer, Mask, Tensor, Tensor], float]) -> Verdict:
    """Check exercise 2 of lesson 01: one training step in place, after which every pruned weight is exactly 0."""

    def findings() -> Iterator[Finding]:
        for name, optimizer in verdicts.OPTIMIZERS.items():
            yours, your_optimizer, mask, x, y = _half_trained(optimizer)
            right, right_optimizer, _, _, _ = _half_trained(optimizer)
            for step in (1, 2, 3):
                loss = verdicts.ask(function, yours, your_optimizer, mask, x, y)
                expected = verdicts.step(right, right_optimizer, mask, x, y)
                yield _compare_networks(f"{name}, step {step}", yours, right, mask)
                yield _compare_loss(f"{name}, loss of step {step}", loss, expected)

    return verdicts.judge("exercise 2, a step under a mask", findings())


def sensitivity_scan(
    function: Callable[[nn.Module, Sequence[float], Callable[[nn.Module], float]], dict[str, list[float]]],
) -> Verdict:
    """Check exercise 3 of lesson 01: (network, shares, accuracy) → the accuracy at each share kept, by layer."""

    def findings() -> Iterator[Finding]:
        # up and down, so that what an earlier share left shows; no count of weights is a half
        for sizes, shares in (((2, 3), [1.0, 0.5]), ((4, 6, 4), [0.25, 1.0, 0.5]), ((5, 8, 6, 4), [0.9, 0.3, 0.0])):
            network = verdicts.small_network(sizes, seed=3)
            before = snapshot(network)
            x = torch.randn(7, sizes[0], generator=torch.Generator().manual_seed(4))

            def accuracy(network: nn.Module, x: Tensor = x) -> float:
                return float(network(x).detach().abs().mean())  # any number that every single weight moves

            expected = sensitivity(network, shares, accuracy)
            yours = verdicts.ask(function, network, shares, accuracy)
            moved = max(float((network.state_dict()[name] - w).abs().max()) for name, w in before.items())
            case = f"a network of {' → '.join(map(str, sizes))} neurons, shares {shares}"
            yield Finding(case, _show_scan(yours), _show_scan(expected), _wrong_scan(yours, expected, moved))

    return verdicts.judge("exercise 3, the sensitivity scan", findings())


def rate_for(function: Callable[[float, int], float]) -> Verdict:
    """Check exercise 4 of lesson 01: (density, rounds) → the rate that leads to the density in so many rounds."""

    def findings() -> Iterator[Finding]:
        for share, rounds in ((1.0, 3), (0.5, 1), (0.25, 2), (0.512, 3), (0.08, 5), (0.036, 15)):
            yours = verdicts.ask(function, share, rounds)
            expected = 1 - share ** (1 / rounds)
            wrong = ""
            if not isinstance(yours, (int, float)) or isinstance(yours, bool):
                wrong = f"a rate is a number, and this is {type(yours).__name__}"
            elif not abs(yours - expected) <= 1e-6:
                reached = (1 - yours) ** rounds if 0 <= yours <= 1 else float("nan")
                wrong = (
                    f"{rounds} rounds at your rate keep {reached:.4f}, not {share}; off by {abs(yours - expected):.2g}"
                )
            yield Finding(f"keep {share} after {rounds} rounds", f"{yours}", f"{expected:.6f}", wrong)

    return verdicts.judge("exercise 4, the schedule", findings())


def between(function: Callable[[State, State, float], State]) -> Verdict:
    """Check exercise 1 of lesson 04: (a, b, share) → the weights at a point of the line from a to b."""

    def normed(seed: int, batches: int) -> State:
        network = nn.Sequential(*verdicts.small_network((1, 2), seed), nn.BatchNorm1d(2))
        seen = {"1.running_mean": torch.full((2,), batches / 100), "1.num_batches_tracked": torch.tensor(batches)}
        return {**snapshot(network), **seen}

    cases = {
        "one weight matrix": ({"weight": torch.tensor([[1.0, 2.0]])}, {"weight": torch.tensor([[3.0, -2.0]])}),
        "weights and biases": tuple(snapshot(verdicts.small_network((2, 2), seed)) for seed in (7, 8)),
        "a network with batch norm": (normed(7, 30), normed(8, 70)),
    }

    def findings() -> Iterator[Finding]:
        for name, (a, b) in cases.items():
            for share in (0.5, 0.25, 0.0, 1.0):
                given = verdicts.copied(a), verdicts.copied(b)
                yours = verdicts.ask(function, *given, share)
                expected = connectivity.between(a, b, share)
                wrong = _wrong_point(yours, expected, given, (a, b), share)
                yield Finding(f"{name}, share {share}", verdicts.show(yours), verdicts.show(expected), wrong)

    return verdicts.judge("exercise 1, between two networks", findings())


def error_barrier(function: Callable[[list[float]], float]) -> Verdict:
    """Check exercise 2 of lesson 04: errors along a line, ends included → the highest minus the mean of the ends."""
    cases = [
        [0.2, 0.2],
        [0.2, 0.1, 0.4, 0.7, 0.3],
        [0.3, 0.1],
        [0.1, 0.5, 0.1],
        [0.4, 0.35, 0.3, 0.2],
        [0.081, 0.084, 0.12, 0.31, 0.52, 0.61, 0.66, 0.45, 0.2, 0.11, 0.087],
    ]

    def findings() -> Iterator[Finding]:
        for errors in cases:
            given = list(errors)
            yours = verdicts.ask(function, given)
            expected, mistakes = connectivity.barrier(errors), _barrier_mistakes(errors)
            also = verdicts.changed("the errors", given, errors)
            yield verdicts.compare_number(f"errors {errors}", "a barrier", yours, expected, mistakes, ".4f", also)

    return verdicts.judge("exercise 2, the error barrier", findings())


def global_mask(function: Callable[[State, float], Mask]) -> Verdict:
    """Check exercise 3 of lesson 04: (weights, density) → the mask of the largest magnitudes of all layers together."""
    generator = torch.Generator().manual_seed(9)
    small = {"fc1": torch.tensor([[3.0, -0.5], [-4.0, 2.0]]), "fc2": torch.tensor([[0.25, 1.0]])}
    tied = {"fc1": torch.tensor([[0.5, -0.5, 2.0]]), "fc2": torch.tensor([[0.5, 0.1, -0.5]])}
    layers = (("conv", (4, 2, 3, 3), 1.0), ("fc1", (8, 16), 0.3), ("fc2", (5, 8), 0.6))
    wide = {name: torch.randn(shape, generator=generator) * std for name, shape, std in layers}
    # no count of weights is a half
    cases = [
        ({"fc": torch.tensor([[1.0, -3.0]])}, 0.5),
        *((small, density) for density in (0.5, 0.0, 1.0)),
        *((tied, density) for density in (0.5, 1 / 3)),
        *((wide, density) for density in (0.2, 0.036)),
        ({name: (3 * w).round() for name, w in wide.items()}, 0.4),
    ]

    def findings() -> Iterator[Finding]:
        for weights, density in cases:
            given = verdicts.copied(weights)
            yours = verdicts.ask(function, given, density)
            total = sum(w.numel() for w in weights.values())
            count = round(density * total)
            expected = _split(masks.keep_largest(_pooled(weights).abs(), count), weights)
            wrong = verdicts.wrong_masks(yours, weights)
            wrong = wrong or verdicts.changed("the weights", given, weights)
            wrong = wrong or _wrong_global(yours, weights, density, count)
            case = f"keep {count} of the {total} weights {verdicts.show(weights)}"
            yield Finding(case, verdicts.show(yours), verdicts.show(expected), wrong)

    return verdicts.judge("exercise 3, one ranking for all layers", findings())


def _wrong_mask(yours: Any, weights: Tensor, count: int, given: Tensor) -> str:
    if wrong := verdicts.wrong_mask(yours, weights) or verdicts.changed("the weights", given, weights):
        return wrong
    if (kept := int(yours.sum())) != count:
        return f"it keeps {kept} weights, {abs(kept - count)} {'more' if kept > count else 'fewer'} than {count}"
    magnitude = weights.abs()
    if 0 < count < weights.numel() and (gap := float(magnitude[~yours].max() - magnitude[yours].min())) > 0:
        return f"it prunes a weight whose magnitude is {gap:.3g} larger than one that it keeps"
    return ""


def _half_trained(
    optimizer: Callable[..., torch.optim.Optimizer],
) -> tuple[nn.Module, torch.optim.Optimizer, Mask, Tensor, Tensor]:
    """Return a network under a new mask whose optimizer still pulls at every weight, as in the middle of pruning."""
    generator = torch.Generator().manual_seed(2)
    network = verdicts.small_network((4, 6, 3), seed=2)
    x, y = torch.randn(8, 4, generator=generator), torch.randint(0, 3, (8,), generator=generator)
    using = optimizer(network.parameters())
    everything = masks.dense(network)
    for _ in range(3):
        verdicts.step(network, using, everything, x, y)
    using.zero_grad()
    mask = masks.magnitude(dict(network.named_parameters()), everything, 0.5)
    masks.apply(network, mask)
    return network, using, mask, x, y


def _compare_networks(case: str, yours: nn.Module, right: nn.Module, mask: Mask) -> Finding:
    """Compare parameter by parameter: pruned weights with 0, the others with the right step."""
    expected = dict(right.named_parameters())
    furthest, where = 0.0, ""
    for name, p in yours.named_parameters():
        # "not …" throughout: a NaN is never right
        if name in mask and not (back := p.detach()[~mask[name]].abs().max()) <= 0:
            found = f"a pruned weight of {name} is {float(back):.3g}"
            return Finding(case, found, "0", "pruned weights came back to life")
        if not (far := float((p.detach() - expected[name].detach()).abs().max())) <= furthest:
            furthest, where = far, name
    wrong = "" if furthest <= 1e-5 else f"{where} is not where one step of the optimizer on this batch leads"
    found = f"pruned weights 0, largest difference of the others {furthest:.1g}"
    return Finding(case, found, "0, and below 1e-05", wrong)


def _compare_loss(case: str, loss: Any, expected: float) -> Finding:
    try:
        near = abs(float(loss) - expected) <= 1e-4
    except (TypeError, ValueError):
        return Finding(case, type(loss).__name__, f"{expected:.4f}", "the loss is a number: return loss.item()")
    wrong = "" if near else "this is not the cross-entropy of the batch before the step"
    return Finding(case, f"{float(loss):.4f}", f"{expected:.4f}", wrong)


def _show_scan(scan: Any) -> str:
    if not isinstance(scan, dict) or not scan:
        return f"{type(scan).__name__} {scan!r}"[:80]
    return ", ".join(f"{name}: {_show_values(values)}" for name, values in scan.items())


def _show_values(values: Any) -> str:
    numbers = verdicts.numbers(values)
    return f"{type(values).__name__} {values!r}"[:40] if numbers is None else str([round(v, 3) for v in numbers])


def _wrong_scan(yours: Any, expected: dict[str, list[float]], moved: float) -> str:
    if not isinstance(yours, dict):
        return f"the result is a dict, layer → accuracies, and this is {type(yours).__name__}"
    if yours.keys() != expected.keys():
        return f"the layers are {sorted(map(str, yours))}, and should be {sorted(expected)}"
    far = {}
    for name, values in expected.items():
        numbers = verdicts.numbers(yours[name])
        if numbers is None:
            return f"{name} should have a list of accuracies, and has {type(yours[name]).__name__}"
        if len(numbers) != len(values):
            return f"{name} has {len(numbers)} accuracies for {len(values)} shares"
        differences = [abs(a - b) for a, b in zip(numbers, values, strict=True)]
        far[name] = math.nan if any(map(math.isnan, differences)) else max(differences)
    worst = max(far, key=lambda name: math.inf if math.isnan(far[name]) else far[name])
    if not far[worst] <= 1e-5:
        return f"largest difference {far[worst]:.3g}, in {worst}"
    return "" if moved <= 0 else f"the network was left changed, by up to {moved:.3g}: put the weights back"


def _wrong_point(
    yours: Any, expected: State, given: tuple[State, State], ends: tuple[State, State], share: float
) -> str:
    a, b = ends
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
    for letter, now, before in zip("ab", given, ends, strict=True):
        if not verdicts.same(now, before):
            return f"your function changed `{letter}`: make new tensors"
    for name, w in expected.items():
        if not w.is_floating_point() and (yours[name].dtype != w.dtype or not torch.equal(yours[name], w)):
            return f"{name} counts, in whole numbers: take it from `a`, which has {w.tolist()} ({w.dtype})"
    if not verdicts.close(yours, expected):
        return _wrong_place(yours, expected, a, b, share)
    for letter, state in zip("ab", given, strict=True):
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
        if verdicts.close(floats, point):
            return wrong
    weights = {name: w for name, w in floats.items() if w.dim() >= 2}
    others = {name: w for name, w in floats.items() if w.dim() < 2}
    if verdicts.close(weights, expected) and (verdicts.close(others, a) or verdicts.close(others, b)):
        return "only the weights are on the line: the biases belong there, too"
    far, worst = verdicts.furthest(floats, {name: expected[name] for name in floats})
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
    if len(weights) > 1 and all(int(yours[name].sum()) == round(density * w.numel()) for name, w in weights.items()):
        return f"it keeps {density:.1%} of each layer: rank all layers together, so that layers keep different shares"
    if kept == count:
        by_value = torch.equal(keep, masks.keep_largest(values, count))
        sign = ", as it goes by value: magnitude has no sign" if by_value else ""
        return f"it prunes a weight whose magnitude is {gap:.3g} larger than one that it keeps{sign}"
    wrong = f"it keeps {kept} weights, {abs(kept - count)} {'more' if kept > count else 'fewer'} than {count}"
    if kept == keep.numel() - count:
        return f"{wrong}: the density is the share to keep, not to prune"
    cut = magnitude.sort(descending=True).values[max(count - 1, 0)]
    if kept in (int((magnitude >= cut).sum()), int((magnitude > cut).sum())) and (magnitude == cut).sum() > 1:
        return f"{wrong}: some are equally large, and a threshold keeps all of these or none"
    return wrong
