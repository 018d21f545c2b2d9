"""Checks of the exercises of lesson 01, on pruning."""

import functools
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ltcourse.classroom.checks import verdict
from ltcourse.classroom.checks.verdict import Finding, Verdict
from ltcourse.networks import masks
from ltcourse.networks.masks import Mask
from ltcourse.networks.models import snapshot
from ltcourse.pruning import criteria, sensitivity


def exact_pruning(function: Callable[[Tensor, int], Tensor]) -> Verdict:
    """Check exercise 1 of lesson 01: (weights, count) → a mask that keeps exactly the `count` largest magnitudes."""
    generator = torch.Generator().manual_seed(1)
    cases = [
        (torch.tensor([2.0, -3.0]), 1),
        (torch.tensor([1.0, 2.0]), 0),
        (torch.tensor([1.0, 2.0]), 2),
        (torch.tensor([0.5, -0.5, 0.5]), 2),
        (torch.tensor([0.0, 0.0, 1.0, 0.0]), 2),
        (torch.tensor([-1.0, 1.0001, -1.0002, 1.00005]), 1),  # equal where they are rounded
        (torch.tensor([[0.1, -0.9, 0.4], [-0.2, 0.3, 0.8]]), 3),
        *((torch.randn(30, 20, generator=generator), count) for count in (1, 59, 300, 599)),
        ((torch.randn(30, 20, generator=generator) * 3).round(), 211),
    ]

    def findings() -> Iterator[Finding]:
        for weights, count in cases:
            yours = verdict.tensor(verdict.ask(function, weights, count))
            case = f"keep {count} of {verdict.show(weights)}"
            expected = masks.keep_largest(weights.abs(), count)
            yield Finding(case, verdict.show(yours), verdict.show(expected), _wrong_mask(yours, weights, count))

    return verdict.judge("exercise 1, exact pruning", findings())


def masked_step(function: Callable[[nn.Module, torch.optim.Optimizer, Mask, Tensor, Tensor], float]) -> Verdict:
    """Check exercise 2 of lesson 01: one training step in place, after which every pruned weight is exactly 0."""

    def findings() -> Iterator[Finding]:
        for name, optimizer in verdict.OPTIMIZERS.items():
            yours, your_optimizer, mask, x, y = _half_trained(optimizer)
            right, right_optimizer, _, _, _ = _half_trained(optimizer)
            for step in (1, 2, 3):
                loss = verdict.ask(function, yours, your_optimizer, mask, x, y)
                expected = verdict.step(right, right_optimizer, mask, x, y)
                yield _compare_networks(f"{name}, step {step}", yours, right, mask, optimizer, step)
                yield _compare_loss(f"{name}, loss of step {step}", loss, expected, right, x, y)

    return verdict.judge("exercise 2, a step under a mask", findings())


def sensitivity_scan(
    function: Callable[[nn.Module, Sequence[float], Callable[[nn.Module], float]], dict[str, list[float]]],
) -> Verdict:
    """Check exercise 3 of lesson 01: (network, shares, accuracy) → the accuracy at each share kept, by layer."""

    def findings() -> Iterator[Finding]:
        # up and down, so that what an earlier share left shows; no count of weights is a half
        for sizes, shares in (
            ((2, 3), [0.5, 1.0, 0.5]),
            ((4, 6, 4), [0.25, 1.0, 0.5]),
            ((5, 8, 6, 4), [0.9, 0.3, 0.0]),
        ):
            network = verdict.small_network(sizes, seed=3)
            before = snapshot(network)
            x = torch.randn(7, sizes[0], generator=torch.Generator().manual_seed(4))

            def accuracy(network: nn.Module, x: Tensor = x) -> float:
                return float(network(x).detach().abs().mean())  # any number that every single weight moves

            expected = sensitivity(network, shares, accuracy)
            yours = verdict.ask(function, network, shares, accuracy)
            moved = max(float((network.state_dict()[name] - w).abs().max()) for name, w in before.items())
            case = f"a network of {' → '.join(map(str, sizes))} neurons, shares {shares}"
            wrong = _wrong_scan(yours, expected, moved)
            if wrong and isinstance(yours, Mapping):
                fresh = functools.partial(verdict.small_network, sizes, seed=3)
                fits = (
                    said
                    for said, how in _SCANS.items()
                    if (how.get("undo") in ("never", "share")) == (moved > 0)  # what these leave is pruned
                    and _agree(yours, _scan(fresh(), shares, accuracy, **how))
                )
                named = next(fits, "")
                wrong = (
                    f"{named}{f' (it is left changed, by up to {moved:.3g})' if moved > 0 else ''}" if named else wrong
                )
            yield Finding(case, _show_scan(yours), _show_scan(expected), wrong)

    return verdict.judge("exercise 3, the sensitivity scan", findings())


def rate_for(function: Callable[[float, int], float]) -> Verdict:
    """Check exercise 4 of lesson 01: (density, rounds) → the rate that leads to the density in so many rounds."""

    def findings() -> Iterator[Finding]:
        for share, rounds in ((1.0, 3), (0.5, 1), (0.25, 2), (0.512, 3), (0.08, 5), (0.036, 15)):
            yours = verdict.ask(function, share, rounds)
            expected = 1 - share ** (1 / rounds)
            wrong, found = "", verdict.number(yours)
            if found is None:
                wrong = f"a rate is a number, and this is {type(yours).__name__}"
            elif not abs(found - expected) <= 1e-6:
                reached = (1 - found) ** rounds if 0 <= found <= 1 else math.nan
                off = f"off by {abs(found - expected):.2g}"
                wrong = f"{rounds} rounds at your rate keep {reached:.4f}, not {share}; {off}"
            yield Finding(f"keep {share} after {rounds} rounds", f"{yours}"[:80], f"{expected:.6f}", wrong)

    return verdict.judge("exercise 4, the schedule", findings())


def _wrong_mask(yours: Any, weights: Tensor, count: int) -> str:
    if wrong := verdict.wrong_mask(yours, weights):
        return wrong
    if (kept := int(yours.sum())) != count:
        wrong = f"it keeps {kept} weights, {abs(kept - count)} {'more' if kept > count else 'fewer'} than {count}"
        return wrong + (f": {slip}" if (slip := verdict.slip_at_an_end(kept, count, weights.numel())) else "")
    magnitude = weights.abs()
    if 0 < count < weights.numel() and (gap := float(magnitude[~yours].max() - magnitude[yours].min())) > 0:
        mistakes = {
            **verdict.by_positions(magnitude, count),
            "it ranks the weights themselves: magnitude has no sign": masks.keep_largest(weights, count),
            "it keeps the smallest magnitudes: the largest stay": masks.keep_largest(-magnitude, count),
        }
        why = next((f": {said}" for said, mask in mistakes.items() if torch.equal(yours, mask)), "")
        return f"it prunes a weight whose magnitude is {gap:.3g} larger than one that it keeps{why}"
    return ""


def _half_trained(
    optimizer: Callable[..., torch.optim.Optimizer],
) -> tuple[nn.Module, torch.optim.Optimizer, Mask, Tensor, Tensor]:
    """Return a network under a new mask whose optimizer still pulls at every weight, as in the middle of pruning."""
    generator = torch.Generator().manual_seed(2)
    network = verdict.small_network((4, 6, 3), seed=2)
    x, y = torch.randn(8, 4, generator=generator), torch.randint(0, 3, (8,), generator=generator)
    using = optimizer(network.parameters())
    everything = masks.dense(network)
    for _ in range(3):
        verdict.step(network, using, everything, x, y)
    using.zero_grad()
    mask = criteria.magnitude(dict(network.named_parameters()), everything, 0.5)
    masks.apply(network, mask)
    return network, using, mask, x, y


_SLIPS = {
    "clear never": "the gradients of the steps add up: clear the old ones before each step, with optimizer.zero_grad()",
    "no step": "no weight has moved: first clear the old gradients, then loss.backward(), and then optimizer.step()",
    "hold gradients": (
        "pruned weights came back to life: masking the gradient is not enough, since the optimizer remembers earlier "
        "gradients; mask the weights after the step"
    ),
    "hold before": "pruned weights came back to life: the step moves weights that were 0, so mask after every step",
    "uphill": "the step goes up the gradient: the loss itself is to fall",
    "softmax": "cross_entropy takes the logits, as the network returns them, and does the softmax itself",
}


def _slipped(optimizer: Callable[..., torch.optim.Optimizer], slip: str, steps: int) -> dict[str, Tensor]:
    """Return the parameters after some steps with one of the usual slips."""
    network, using, mask, x, y = _half_trained(optimizer)
    for _ in range(steps):
        if slip != "clear never":
            using.zero_grad()
        logits = network(x)
        loss = cross_entropy(logits.softmax(1) if slip == "softmax" else logits, y)
        (-loss if slip == "uphill" else loss).backward()
        for name in mask if slip == "hold gradients" else ():
            network.get_parameter(name).grad.mul_(mask[name])  # type: ignore[union-attr]
        if slip == "hold before":
            masks.apply(network, mask)
        if slip != "no step":
            using.step()
        if not slip.startswith("hold"):
            masks.apply(network, mask)
    return snapshot(network)


def _compare_networks(
    case: str,
    yours: nn.Module,
    right: nn.Module,
    mask: Mask,
    optimizer: Callable[..., torch.optim.Optimizer],
    steps: int,
) -> Finding:
    """Compare parameter by parameter: pruned weights with 0, the others with the right step."""
    expected = dict(right.named_parameters())
    furthest, where = 0.0, ""
    now = snapshot(yours)

    def slip(otherwise: str) -> str:
        fits = (said for slip, said in _SLIPS.items() if verdict.close(now, _slipped(optimizer, slip, steps)))
        return next(fits, otherwise)

    for name, p in yours.named_parameters():
        # "not …" throughout: a NaN is never right
        if name in mask and not (back := p.detach()[~mask[name]].abs().max()) <= 0:
            found = f"a pruned weight of {name} is {float(back):.3g}"
            return Finding(case, found, "0", slip("pruned weights came back to life: mask after every step"))
        if not (far := float((p.detach() - expected[name].detach()).abs().max())) <= furthest:
            furthest, where = far, name
    wrong = ""
    if not furthest <= 1e-5:
        wrong = slip(f"{where} is not where one step of the optimizer on this batch leads")
    found = f"pruned weights 0, largest difference of the others {furthest:.1g}"
    return Finding(case, found, "0, and below 1e-05", wrong)


def _compare_loss(case: str, loss: Any, expected: float, right: nn.Module, x: Tensor, y: Tensor) -> Finding:
    found = verdict.number(loss)
    if found is None:
        return Finding(case, type(loss).__name__, f"{expected:.4f}", "the loss is a number: return loss.item()")
    if abs(found - expected) <= 1e-5:
        return Finding(case, f"{found:.4f}", f"{expected:.4f}")
    mistakes = {
        "this is the loss after the step: return the one that the step began with": cross_entropy(right(x), y).item(),
        "this is the sum over the batch: the cross-entropy is the mean of the examples": expected * len(x),
        "this is divided by the number of examples: the cross-entropy is their mean already": expected / len(x),
        **{f"this is rounded to {d} digits: return the loss as it is": round(expected, d) for d in range(5)},
    }
    otherwise = "this is not the cross-entropy of the batch before the step"
    return Finding(case, f"{found:.4f}", f"{expected:.4f}", verdict.fitting(found, mistakes, otherwise, 1e-5))


_KEPT_ALIVE = (
    "what one share has pruned is still pruned at the next, in all layers: put the weights back from a copy "
    "(`state_dict()`, `.data` and `detach()` share their memory with the network, so that restoring from them changes "
    "nothing: clone them)"
)


def _largest(w: Tensor, share: float) -> Tensor:
    return masks.keep_largest(w.abs(), round(share * w.numel()))


def _above_the_cut(w: Tensor, share: float) -> Tensor:
    return masks.keep_largest(w.abs(), max(round(share * w.numel()) - 1, 0))


def _by_positions(w: Tensor, share: float, descending: bool) -> Tensor:
    return verdict.ranked_by_positions(w.abs(), round(share * w.numel()), descending)


_SCANS: dict[str, dict[str, Any]] = {
    _KEPT_ALIVE: {"undo": "never"},
    "a share prunes what an earlier share of the layer has left: prune the layer's first weights each time": {
        "undo": "layer"
    },
    "a layer stays pruned while the next ones are scanned: put its weights back after its last share": {
        "undo": "share"
    },
    "the shares are those to keep, and this prunes them": {"keep": lambda w, share: _largest(w, 1 - share)},
    "it ranks the weights themselves: magnitude has no sign": {
        "keep": lambda w, share: masks.keep_largest(w, round(share * w.numel()))
    },
    "it keeps the smallest magnitudes: the largest stay": {
        "keep": lambda w, share: masks.keep_largest(-w.abs(), round(share * w.numel()))
    },
    "the count is rounded down: round it to the nearest": {
        "keep": lambda w, share: masks.keep_largest(w.abs(), math.floor(share * w.numel()))
    },
    "the count is rounded up: round it to the nearest": {
        "keep": lambda w, share: masks.keep_largest(w.abs(), math.ceil(share * w.numel()))
    },
    "the weight at the threshold is lost, as by >: rank, and keep the first of the ranking": {"keep": _above_the_cut},
    "a quantile is a value between two weights and does not fix the number kept: rank the weights": {
        "keep": lambda w, share: w.abs() >= w.abs().quantile(1 - share)
    },
    "a quantile is a value between two weights, and > loses the largest or the smallest: rank the weights": {
        "keep": lambda w, share: w.abs() > w.abs().quantile(1 - share)
    },
    **{
        said: {"keep": functools.partial(_by_positions, descending=descending)}
        for descending, said in verdict.POSITIONS.items()
    },
    "each accuracy is that from before its pruning: prune, and then measure": {"late": True},
}


def _scan(
    network: nn.Module,
    shares: Sequence[float],
    accuracy: Callable[[nn.Module], float],
    *,
    undo: str = "always",
    keep: Callable[[Tensor, float], Tensor] = _largest,
    late: bool = False,
) -> dict[str, list[float]]:
    """Scan the layers with one of the usual mistakes.

    undo: when pruning is undone: always, never, after each layer only, or between the shares of a layer only.
    keep: (weights, share) → the mask. late: prune after measuring.
    """
    found: dict[str, list[float]] = {}
    for name, p in masks.prunable(network).items():
        before, found[name] = p.detach().clone(), []
        for share in shares:
            now = p.detach() if undo in ("never", "layer") else before
            pruned = now * keep(now, share)
            p.data = p.detach() if late else pruned
            found[name].append(accuracy(network))
            p.data = pruned
        if undo in ("always", "layer"):
            p.data = before
    return found


def _agree(yours: Mapping[str, Any], scan: Mapping[str, list[float]]) -> bool:
    """Tell whether two scans are equal, up to rounding errors."""
    numbers = {name: verdict.numbers(values) for name, values in yours.items()}
    return numbers.keys() == scan.keys() and all(
        found is not None
        and len(found) == len(scan[name])
        and all(abs(a - b) <= 1e-5 for a, b in zip(found, scan[name], strict=True))
        for name, found in numbers.items()
    )


def _show_scan(scan: Any) -> str:
    if not isinstance(scan, Mapping) or not scan:
        return f"{type(scan).__name__} {scan!r}"[:80]
    return ", ".join(f"{name}: {_show_values(values)}" for name, values in scan.items())


def _show_values(values: Any) -> str:
    numbers = verdict.numbers(values)
    return f"{type(values).__name__} {values!r}"[:40] if numbers is None else str([round(v, 3) for v in numbers])


def _wrong_scan(yours: Any, expected: dict[str, list[float]], moved: float) -> str:
    if not isinstance(yours, Mapping):
        return f"the result is a dict, layer → accuracies, and this is {type(yours).__name__}"
    if yours.keys() != expected.keys():
        return f"the layers are {sorted(map(str, yours))}, and should be {sorted(expected)}"
    far = {}
    for name, values in expected.items():
        numbers = verdict.numbers(yours[name])
        if numbers is None:
            held = verdict.sequence(yours[name])
            what = f"a list of {type(held[0]).__name__}" if held else type(yours[name]).__name__
            return f"{name} should have a list of accuracies, and has {what}"
        if len(numbers) != len(values):
            return f"{name} has {len(numbers)} accuracies for {len(values)} shares"
        differences = [abs(a - b) for a, b in zip(numbers, values, strict=True)]
        far[name] = math.nan if any(map(math.isnan, differences)) else max(differences)
    worst = max(far, key=lambda name: math.inf if math.isnan(far[name]) else far[name])
    if not far[worst] <= 1e-5:
        return f"largest difference {far[worst]:.3g}, in {worst}"
    return "" if moved <= 0 else f"the network was left changed, by up to {moved:.3g}: put the weights back"
