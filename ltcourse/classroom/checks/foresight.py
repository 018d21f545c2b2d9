"""Checks of the exercises of lesson 09, on scores before training and on a mask that grows."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ltcourse.classroom.checks import verdict
from ltcourse.classroom.checks.verdict import Finding, Verdict
from ltcourse.networks import masks
from ltcourse.networks.models import snapshot


def snip_scores(function: Callable[[nn.Module, Tensor, Tensor], dict[str, Tensor]]) -> Verdict:
    """Check exercise 1 of lesson 09: (network, x, y) → |w · ∂L/∂w| of each weight matrix, by name."""
    generator = torch.Generator().manual_seed(3)
    cases = {
        "one layer, two images": ((2, 2), 2, False),
        "two layers": ((3, 4, 2), 5, False),
        "two layers that hold gradients already": ((3, 4, 2), 5, True),
        "three layers": ((6, 5, 4, 3), 8, True),
    }

    def findings() -> Iterator[Finding]:
        for case, (sizes, n, used) in cases.items():
            network = verdict.small_network(sizes, len(sizes))
            x = torch.randn(n, sizes[0], generator=generator)
            y = torch.randint(sizes[-1], (n,), generator=generator)
            if used:
                (5 * network(x).sum()).backward()
            before, weights = snapshot(network), masks.prunable(network)
            held = {name: w.grad.clone() for name, w in weights.items() if w.grad is not None}
            gradients = torch.autograd.grad(cross_entropy(network(x), y), list(weights.values()))
            slopes = dict(zip(weights, gradients, strict=True))
            expected = {name: (w * slopes[name]).abs().detach() for name, w in weights.items()}
            yours = verdict.tensors(verdict.ask(function, network, x, y))
            wrong = _wrong_scores(yours, expected)
            if wrong and _are_scores(yours, expected):
                mistakes = {
                    "these are the gradients alone: multiply by the weights": {k: g.abs() for k, g in slopes.items()},
                    "these are the gradients alone, with signs: multiply by the weights, and take magnitudes": slopes,
                    "these are of the sum of the losses: L is their mean": {k: n * s for k, s in expected.items()},
                    "these have a sign: a weight matters whichever way the loss moves": {
                        k: (w * slopes[k]).detach() for k, w in weights.items()
                    },
                    "these are the magnitudes of the weights: where is the loss?": {
                        k: w.detach().abs() for k, w in weights.items()
                    },
                    "these hold the gradients from before, too: backward() adds to what is there": {
                        k: (before[k] * (g + slopes[k])).abs() for k, g in held.items()
                    },
                }
                wrong = _named(yours, mistakes) or wrong
            if not verdict.same(snapshot(network), before):
                wrong = "your function changed the network's weights: work on a copy"
            yield Finding(f"{case}, of {n} images", verdict.show(yours), verdict.show(expected), wrong)

    return verdict.judge("exercise 1, SNIP's score", findings())


def synflow_scores(function: Callable[[list[Tensor]], Sequence[Tensor]]) -> Verdict:
    """Check exercise 2 of lesson 09: a chain of matrices → the synaptic flow through each weight."""
    generator = torch.Generator().manual_seed(4)
    cases = [
        [torch.tensor([[1.0, -2.0]])],
        [torch.tensor([[1.0, -2.0], [3.0, 0.0]]), torch.tensor([[-1.0, 0.5]])],
        [torch.randn(shape, generator=generator) for shape in ((4, 3), (5, 4), (2, 5))],
    ]

    def findings() -> Iterator[Finding]:
        for weights in cases:
            yours = verdict.sequence(verdict.ask(function, weights))
            expected = _flow([w.abs() for w in weights])
            named = {f"layer {i}": verdict.tensor(s) for i, s in enumerate(yours or (), 1)}
            right = {f"layer {i}": s for i, s in enumerate(expected, 1)}
            wrong = "" if yours is not None else "the result is a list, one tensor per layer"
            wrong = wrong or _wrong_scores(named, right)
            if wrong and yours is not None and _are_scores(named, right):
                signed = _flow(weights)
                mistakes = {
                    "these are of weights with signs: take the magnitudes first, so that nothing cancels": signed,
                    "these have no sign, but the flow had: take the magnitudes before the flow, not after": [
                        s.abs() for s in signed
                    ],
                    "these are the gradients of R alone: multiply each by its weight's magnitude": [
                        s / w.abs() for s, w in zip(expected, weights, strict=True)
                    ],
                }
                told = {why: {f"layer {i}": s for i, s in enumerate(of, 1)} for why, of in mistakes.items()}
                wrong = _named(named, told) or wrong
            sums = ", ".join(f"{float(s.sum()):.3f}" for s in named.values()) if not wrong else ""
            shown = f"the layers' sums are {sums}: what flows in flows out" if sums else verdict.show(named)
            case = f"{len(weights)} layer{'s' * (len(weights) > 1)} of shapes {[tuple(w.shape) for w in weights]}"
            yield Finding(case, shown, verdict.show(right), wrong)

    return verdict.judge("exercise 2, SynFlow's conservation law", findings())


def grow(function: Callable[[Tensor, Tensor, int], Tensor]) -> Verdict:
    """Check exercise 3 of lesson 09: (mask, gradients, count) → the mask with so many more weights, as RigL grows."""
    generator = torch.Generator().manual_seed(5)
    small = torch.tensor([True, False, False, False]), torch.tensor([9.0, 1.0, -3.0, 2.0])
    wide = torch.rand(8, 10, generator=generator) < 0.3, torch.randn(8, 10, generator=generator)
    tied = torch.tensor([[True, False, False], [False, False, True]]), torch.tensor([[1.0, -2.0, 2.0], [0.0, 2.0, 5.0]])
    # of weights that are not kept, some have no gradient, as those of a pixel that is always black
    black = torch.tensor([True, False, False, True]), torch.tensor([5.0, 0.0, 0.0, 4.0])
    cases = [(*small, 1), (*small, 2), (*small, 0), (*small, 3), (*wide, 12), (*tied, 2), (*black, 2)]

    def findings() -> Iterator[Finding]:
        for mask, gradients, count in cases:
            yours = verdict.tensor(verdict.ask(function, mask, gradients, count))
            best = masks.keep_largest(gradients.abs()[~mask], count)
            expected = mask.clone()
            expected[~mask] = best
            wrong = verdict.wrong_mask(yours, mask) or _wrong_growth(yours, mask, gradients, count)
            case = f"grow {count} beside mask {verdict.show(mask)}, gradients {verdict.show(gradients)}"
            yield Finding(case, verdict.show(yours), verdict.show(expected), wrong)

    return verdict.judge("exercise 3, RigL's grow step", findings())


def _flow(weights: Sequence[Tensor]) -> list[Tensor]:
    """w · ∂R/∂w of a chain of matrices, by the products before and after each of them."""
    into = [torch.ones(weights[0].shape[1])]
    for w in weights:
        into.append(w @ into[-1])
    out = [torch.ones(weights[-1].shape[0])]
    for w in reversed(weights):
        out.append(w.T @ out[-1])
    return [w * torch.outer(after, before) for w, before, after in zip(weights, into, reversed(out[:-1]), strict=False)]


def _are_scores(yours: Any, expected: dict[str, Tensor]) -> bool:
    return (
        isinstance(yours, dict)
        and yours.keys() == expected.keys()
        and all(isinstance(yours[k], Tensor) and yours[k].shape == s.shape for k, s in expected.items())
    )


def _wrong_scores(yours: Any, expected: dict[str, Tensor]) -> str:
    if not isinstance(yours, dict):
        return f"the scores are a dict, name → tensor, and this is {type(yours).__name__}"
    if odd := sorted(map(str, yours.keys() ^ expected.keys())):
        there = odd[0] in yours
        return f"{odd[0]} is {'scored, and is no weight that is pruned' if there else 'missing'}"
    for name, s in expected.items():
        if not isinstance(yours[name], Tensor):
            return f"the scores of {name} are a tensor, and this is {type(yours[name]).__name__}"
        if yours[name].shape != s.shape:
            return f"the scores of {name} have shape {tuple(yours[name].shape)}, and should have {tuple(s.shape)}"
    floats = {name: s.detach().to(torch.float32) for name, s in yours.items()}
    far, worst = verdict.furthest(floats, expected)
    scale = max(1.0, *(float(s.abs().max()) for s in expected.values()))
    return "" if far <= 1e-5 * scale else f"largest difference {far:.3g}, in {worst}"


def _named(yours: dict[str, Tensor], mistakes: dict[str, dict[str, Tensor]]) -> str:
    """The first mistake that leads to these scores, "" if none does."""
    floats = {name: s.detach().to(torch.float32) for name, s in yours.items()}
    for why, scores in mistakes.items():
        if scores.keys() == floats.keys() and all(
            torch.allclose(floats[k], s, rtol=1e-4, atol=1e-6, equal_nan=True) for k, s in scores.items()
        ):
            return why
    return ""


def _wrong_growth(yours: Tensor, mask: Tensor, gradients: Tensor, count: int) -> str:
    if lost := int((mask & ~yours).sum()):
        return f"it loses {lost} of the weights that were kept: grow beside them"
    grown = yours & ~mask
    if (n := int(grown.sum())) != count:
        slip = ": rank the weights that are not kept, and those alone" if n < count else ""
        return f"it grows {n} weight{'s' * (n != 1)}, not {count}{slip}"
    size = gradients.abs()
    rest = ~mask & ~grown
    if count and rest.any() and float(size[grown].min()) < float(size[rest].max()):
        signed = masks.keep_largest(gradients[~mask], count)
        by_value = torch.equal(grown[~mask], signed)
        why = ": it goes by value, and a large negative gradient is large, too" if by_value else ""
        return f"a weight of the gradient {float(size[rest].max()):.3g} is left out, and a smaller one grows{why}"
    return ""
