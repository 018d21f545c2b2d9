"""Checks of the exercises of lesson 07, on supermasks; `checks` offers them beside its own.

An answer that is wrong is set beside the classic mistakes, so that the one that it fits can be named.
"""

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from itertools import combinations
from typing import Any

import torch
from torch import Tensor

from ltcourse.classroom.checks import verdict
from ltcourse.classroom.checks.verdict import Finding, Verdict
from ltcourse.networks import masks
from ltcourse.networks.initializers import fans

Layer = dict[str, Tensor]
Step = tuple[Tensor, Tensor]


def forward_mask(function: Callable[[Tensor, float], Tensor]) -> Verdict:
    """Check exercise 1 of lesson 07: (scores, k) → the mask that keeps round(k · n) scores of the largest |s|."""
    generator = torch.Generator().manual_seed(10)
    wide, kernels = torch.randn(30, 20, generator=generator), torch.randn(4, 3, 3, 3, generator=generator)
    eight = torch.tensor([[0.7, -0.2, 0.1, -0.9], [-0.4, 0.6, -0.3, 0.5]])
    # no count is a half; each case before the ties tells one way to get the count wrong from the others
    cases = [
        (torch.tensor([1.8, 0.3, -0.05, -0.15, -0.8, -0.2, 0.1, -1.2]), 0.25),
        (torch.tensor([[0.8, -0.9, 0.4], [-0.2, 0.3, 0.1]]), 0.3),
        *((eight, k) for k in (0.4, 0.15)),
        (torch.tensor([0.5, -0.5, 0.5, 1.0]), 0.5),
        (torch.tensor([0.0, 0.0, 1.0, 0.0]), 0.5),
        (torch.tensor([-1.0, 1.0001, -1.0002, 1.00005]), 0.25),  # equal where they are rounded
        *((torch.tensor([[1.0, -2.0]]), k) for k in (0.0, 1.0)),
        *((wide, k) for k in (0.1, 0.5, 0.9)),
        ((3 * wide).round(), 0.35),
        (kernels, 0.3),
    ]

    def findings() -> Iterator[Finding]:
        for scores, k in cases:
            yours = verdict.tensor(verdict.ask(function, scores, k))
            count = round(k * scores.numel())
            expected = masks.keep_largest(scores.abs(), count)
            wrong = wrong_mask(yours, scores, k, count)
            case = f"k = {k}: keep {count} of the scores {verdict.show(scores)}"
            yield Finding(case, verdict.show(yours), verdict.show(expected), wrong)

    return verdict.judge("exercise 1, the mask of a layer", findings())


def score_gradient(function: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor]) -> Verdict:
    """Check exercise 2 of lesson 07: (∂L/∂out, inputs, weight, scores) → ∂L/∂scores, straight through the mask."""
    # a square layer before the others: there a transpose still has the right shape
    edges = (([[2.0]], [[3.0]], [[-0.5]], [[0.25]]), ([[2.0]], [[3.0]], [[0.5]], [[-0.1]]))
    cases = {
        "one edge": _named(*edges[0]),
        "one edge of a negative score": _named(*edges[1]),
        "one edge, two examples": _named([[2.0], [1.0]], [[3.0], [-1.0]], [[3.0]], [[0.3]]),
        **{
            f"{into} inputs, {out} outputs, batch of {n}": _layer(n, into, out)
            for n, into, out in ((1, 2, 2), (2, 3, 2), (16, 6, 4))
        },
    }

    def findings() -> Iterator[Finding]:
        for name, layer in cases.items():
            yours = verdict.tensor(verdict.ask(function, *verdict.copied(layer).values()))
            expected = _gradient(**layer)
            wrong = _wrong_gradient(yours, expected, layer)
            case = f"{name}: {', '.join(f'{what} {verdict.show(t)}' for what, t in layer.items())}"
            yield Finding(case, verdict.show(yours), verdict.show(expected), wrong)

    return verdict.judge("exercise 2, the gradient of the scores", findings())


def popup_step(function: Callable[[Tensor, Tensor, Tensor, Tensor, float, float], Step]) -> Verdict:
    """Check exercise 3 of lesson 07: (weight, scores, inputs, ∂L/∂out, k, lr) → the output and the new scores."""
    four = _named([[2.0]], [[1.0, 3.0, 1.0, -1.0]], [[1.0, -2.0, 3.0, 0.5]], [[-0.2, 0.4, 0.6, -0.9]])
    # no count is a half, and no k: a share kept must not look like a share pruned
    cases = [
        (four, 0.25, 0.1),
        (_layer(1, 2, 2), 1.0, 0.5),
        (_layer(1, 2, 2), 0.0, 0.5),
        (_layer(5, 4, 3), 0.3, 0.2),
        (_layer(16, 9, 6), 0.65, 0.05),  # k · n is rounded up in the case before, and down here
    ]

    def findings() -> Iterator[Finding]:
        for layer, k, lr in cases:
            order, given = ("weight", "scores", "inputs", "grad_out"), verdict.copied(layer)
            yours = _read_step(verdict.ask(function, *(given[what] for what in order), k, lr))
            expected = _step(layer, k, lr)
            wrong = _wrong_step(yours, expected, layer, k, lr)
            case = f"k = {k}, lr = {lr}, {', '.join(f'{what} {verdict.show(layer[what])}' for what in order)}"
            yield Finding(case, _show_step(yours), _show_step(expected), wrong)

    return verdict.judge("exercise 3, the bugs in a step", findings())


def scaled_std(function: Callable[[tuple[int, ...], float], float]) -> Verdict:
    """Check exercise 4 of lesson 07: (shape, k) → the standard deviation of scaled Kaiming, sqrt(2 / (k · fan_in))."""
    cases = [
        ((3, 8), 1.0),
        ((3, 8), 0.25),
        ((16, 4, 3, 5), 1.0),
        ((300, 784), 0.3),
        ((64, 3, 3, 3), 0.3),
        ((128, 64, 1, 1), 0.7),
    ]

    def findings() -> Iterator[Finding]:
        for shape, k in cases:
            yours = verdict.ask(function, shape, k)
            expected, mistakes = math.sqrt(2 / (k * fans(shape)[0])), _std_mistakes(shape, k)
            case = f"a weight of shape {shape}, k = {k}"
            yield verdict.compare_number(case, "a standard deviation", yours, expected, mistakes, ".5f")

    return verdict.judge("exercise 4, weights for what is kept", findings())


def _wrong_tensor(yours: Any, like: Tensor, what: str) -> str:
    """Return what keeps a result from being compared with a tensor of numbers, "" if nothing does."""
    if not isinstance(yours, Tensor):
        return f"{what} should be a tensor, and this is {type(yours).__name__}"
    if yours.shape != like.shape:
        turned = ": it is transposed" if yours.dim() == 2 and yours.shape == like.mT.shape else ""
        return f"{what} should have shape {tuple(like.shape)}, and this has {tuple(yours.shape)}{turned}"
    if not yours.is_floating_point():
        return f"{what} should be {like.dtype}, and this is {yours.dtype}"
    return ""


def _near(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and verdict.distance(a, b) <= 1e-5


def _fitting(yours: Tensor, mistakes: Mapping[str, Tensor], expected: Tensor) -> str:
    """Return the first mistake that leads to this tensor; if none does, how far it is from the expected one."""
    otherwise = f"largest difference {verdict.distance(yours, expected):.3g}"
    return next((wrong for wrong, leads_to in mistakes.items() if _near(yours, leads_to)), otherwise)


# Lesson 07, exercise 1


def wrong_mask(yours: Any, scores: Tensor, k: float, count: int) -> str:
    """Return what is wrong with the mask of a layer that should keep the `count` largest |scores|, the share k."""
    if isinstance(yours, Tensor) and yours.dtype == torch.int64 and yours.shape == (count,):
        return "these are positions: a mask says True or False for every edge"
    if wrong := verdict.wrong_mask(yours, scores, what="scores"):
        flat = isinstance(yours, Tensor) and yours.dtype == torch.bool and yours.shape == (scores.numel(),)
        return f"{wrong}: .view_as(scores) puts it back into shape" if flat else wrong
    n, kept, size = scores.numel(), int(yours.sum()), scores.abs()
    gap = float(size[~yours].max() - size[yours].min()) if 0 < kept < n else 0.0
    if kept == count and gap <= 0:
        return ""
    wrong = f"it keeps {kept} of the {n} edges, {abs(kept - count)} {'more' if kept > count else 'fewer'} than {count}"
    if slip := verdict.slip_at_an_end(kept, count, n):
        return f"{wrong}: {slip}"
    if kept == count:
        wrong = f"it drops an edge whose |score| is {gap:.3g} larger than that of one that it keeps"
    ordered = size.flatten().sort(descending=True).values
    cut = ordered[max(count - 1, 0)]
    quantile = "a quantile is a value between two scores and does not fix the number kept: rank the scores"
    mistakes = {
        "it is the mask of the edges that are dropped: True means kept": ~masks.keep_largest(size, count),
        "k is the share kept, but this prunes the share k": masks.keep_largest(size, n - count),
        "it ranks the scores themselves: rank by |score|": masks.keep_largest(scores, count),
        "it keeps the smallest |scores|: the largest stay": masks.keep_largest(-size, count),
        "it keeps the most negative scores: rank by |score|": masks.keep_largest(-scores, count),
        **verdict.by_positions(size, count),
        quantile: size >= torch.quantile(size.flatten(), 1 - k),
        f"round k · n = {k * n:.4g} to the nearest, not down": masks.keep_largest(size, math.floor(k * n)),
        f"round k · n = {k * n:.4g} to the nearest, not up": masks.keep_largest(size, math.ceil(k * n)),
        "it ranks each row on its own: all edges of a layer compete": _by_rows(scores, k),
        "it ranks each column on its own: all edges of a layer compete": _by_rows(scores.flatten(1).T, k).T
        if scores.dim() > 1
        else scores > math.inf,
        "k is a share, and this compares |scores| with it: rank them": size >= k,
        "it keeps every positive score: rank by |score|": scores > 0,
    }
    if (size == cut).sum() > 1 and kept in (int((size >= cut).sum()), int((size > cut).sum())):
        return f"{wrong}: some |scores| are equal, and a threshold keeps all of these or none"
    fits = next((mistake for mistake, mask in mistakes.items() if torch.equal(yours, mask)), "")
    if not fits and abs(kept - count) == 1 and torch.equal(yours, masks.keep_largest(size, kept)):
        fits = "where the threshold is one of the scores, > and ≥ (or < and ≤) differ by this one"
    return f"{wrong}: {fits}" if fits else wrong


def _by_rows(scores: Tensor, k: float) -> Tensor:
    rows = scores.abs().flatten(1) if scores.dim() > 1 else scores.abs()[None]
    return torch.stack([masks.keep_largest(row, round(k * row.numel())) for row in rows]).view_as(scores)


# Lesson 07, exercise 2


def _named(grad_out: list, inputs: list, weight: list, scores: list) -> Layer:
    named = {"grad_out": grad_out, "inputs": inputs, "weight": weight, "scores": scores}
    return {name: torch.tensor(values) for name, values in named.items()}


def _layer(n: int, into: int, out: int) -> Layer:
    """Draw a layer and a batch of n examples."""
    generator = torch.Generator().manual_seed(11)
    shapes = {"grad_out": (n, out), "inputs": (n, into), "weight": (out, into), "scores": (out, into)}
    return {name: torch.randn(shape, generator=generator) for name, shape in shapes.items()}


def _gradient(grad_out: Tensor, inputs: Tensor, weight: Tensor, scores: Tensor) -> Tensor:
    return grad_out.T @ inputs * weight * scores.sign()


def _wrong_gradient(yours: Any, expected: Tensor, layer: Layer) -> str:
    if wrong := _wrong_tensor(yours, expected, "the gradient of the scores"):
        return wrong
    if _near(yours, expected):
        return ""
    grad_out, inputs, weight, scores = layer.values()
    used = grad_out.T @ inputs
    mistakes = {
        "the sign is missing: edges are ranked by |s|, so the gradient of s is that of |s| times sign(s)": used
        * weight,
        "the weight is missing: |s| acts on the loss through weight · |s|": used * scores.sign(),
        "this multiplies by the scores where the weight belongs": used * scores,
        "this multiplies by the scores where their sign belongs": used * weight * scores,
        "this multiplies by |s|: the derivative of |s| is sign(s)": used * weight * scores.abs(),
        "this is the negative gradient: return the gradient itself, which the optimizer subtracts": -expected,
        "this is the mean over the batch: the gradients of the examples add up": expected / len(inputs),
    }
    if expected.shape[0] == expected.shape[1]:
        mistakes["it is transposed: row = output, column = input, as of the weight"] = expected.T
        mistakes["inputs and grad_out are the other way round: their product is transposed"] = (
            used.T * weight * scores.sign()
        )
    still = (yours == 0) & (expected != 0)
    if still.any() and _near(yours[~still], expected[~still]):
        return f"{int(still.sum())} of the {still.numel()} scores get no gradient: update all, in use or not"
    return _fitting(yours, mistakes, expected)


# Lesson 07, exercise 3

_BUGS = {
    "sign": "edges are ranked by |s|, but the gradient of s lacks the factor sign(s)",
    "share": "k is taken as the share pruned, but it is the share kept",
    "dead": "the scores of unused edges do not change, so none can come back",
}
_LEFT = ("none is", "one of the three bugs is", "two of the three bugs are", "all three bugs are")


def _step(layer: Layer, k: float, lr: float, bugs: Collection[str] = ()) -> Step:
    """Return the output and the new scores: the right ones, or those with some of the bugs."""
    grad_out, inputs, weight, scores = layer.values()
    count = round(k * scores.numel())
    mask = masks.keep_largest(scores.abs(), scores.numel() - count if "share" in bugs else count)
    gradient = grad_out.T @ inputs * weight if "sign" in bugs else _gradient(**layer)
    return inputs @ weight.where(mask, 0).T, scores - lr * (gradient.where(mask, 0) if "dead" in bugs else gradient)


def _read_step(yours: Any) -> Any:
    """The two results as tensors, where there are two."""
    parts = verdict.sequence(yours)
    return yours if parts is None or len(parts) != 2 else tuple(map(verdict.tensor, parts))


def _show_step(yours: Any) -> str:
    if not isinstance(yours, tuple) or len(yours) != 2:
        return verdict.show(yours)
    return f"out {verdict.show(yours[0])}, new scores {verdict.show(yours[1])}"


def _wrong_step(yours: Any, expected: Step, layer: Layer, k: float, lr: float) -> str:
    if not isinstance(yours, (tuple, list)):
        return f"return two tensors, out and the new scores: this is {type(yours).__name__}"
    if len(yours) != 2:
        return f"return two tensors, out and the new scores: these are {len(yours)}"
    if all(isinstance(t, Tensor) and t.shape == e.shape for t, e in zip(yours, reversed(expected), strict=True)) and (
        expected[0].shape != expected[1].shape
    ):
        return "they are swapped: out comes first, then the new scores"
    for result, right, what in zip(yours, expected, ("out", "new_scores"), strict=True):
        if wrong := _wrong_tensor(result, right, what):
            return wrong
    for many in range(len(_BUGS) + 1):
        for bugs in combinations(_BUGS, many):
            if all(map(_near, yours, _step(layer, k, lr, bugs))):
                return f"{_LEFT[many]} still there; look for this one first: {_BUGS[bugs[0]]}" if bugs else ""
    out, new = expected
    if not _near(yours[0], out):
        return f"out: {_fitting(yours[0], _wrong_outs(layer, k, lr), out)}"
    return f"new_scores: {_fitting(yours[1], _wrong_scores(layer, k, lr), new)}"


def _wrong_outs(layer: Layer, k: float, lr: float) -> dict[str, Tensor]:
    """What classic mistakes of the forward pass lead to."""
    _, inputs, weight, scores = layer.values()
    count = round(k * scores.numel())
    size, new = scores.abs(), _step(layer, k, lr)[1]
    used = {
        _BUGS["share"]: weight.where(masks.keep_largest(size, scores.numel() - count), 0),
        "all edges are in use: the mask is missing": weight,
        "it is that of the new scores: compute it before the update": weight.where(
            masks.keep_largest(new.abs(), count), 0
        ),
        "it ranks the scores themselves: rank by |score|": weight.where(masks.keep_largest(scores, count), 0),
        "it keeps the smallest |scores|: the largest stay": weight.where(masks.keep_largest(-size, count), 0),
        "the scores choose the weights in use, and do not scale them": (weight * size).where(
            masks.keep_largest(size, count), 0
        ),
        **{
            f"round k · n = {k * scores.numel():.4g} to the nearest, not {way}": weight.where(
                masks.keep_largest(size, rounded(k * scores.numel())), 0
            )
            for way, rounded in {"down": math.floor, "up": math.ceil}.items()
        },
        **{said: weight.where(mask, 0) for said, mask in verdict.by_positions(size, count).items()},
        "a weight in use stays as it is, and is not divided by k": weight.where(masks.keep_largest(size, count), 0)
        / (k or 1),
    }
    return {wrong: inputs @ w.T for wrong, w in used.items()}


def _wrong_scores(layer: Layer, k: float, lr: float) -> dict[str, Tensor]:
    """What classic mistakes of the backward pass and the update lead to."""
    grad_out, inputs, weight, scores = layer.values()
    mask = masks.keep_largest(scores.abs(), round(k * scores.numel()))
    used, gradient = grad_out.T @ inputs, _gradient(**layer)
    return {
        "they are the old ones: nothing has been learned": scores,
        "this is the gradient: go down it, scores − lr · gradient": gradient,
        "this goes up the gradient: subtract it": scores + lr * gradient,
        "the learning rate is missing": scores - gradient,
        "this is the mean over the batch: the gradients of the examples add up": scores - lr * gradient / len(inputs),
        "the weight is missing in the gradient": scores - lr * used * scores.sign(),
        "this moves the weights, which never change: the scores learn": weight - lr * used,
        "this moves the weights in use, and weights never change: the scores learn": weight - lr * used * mask,
        "|s| takes the place of s: a score keeps its sign": scores.abs() - lr * used * weight,
        "only the scores of edges that are not in use have moved: all do": scores - lr * gradient.where(~mask, 0),
    }


# Lesson 07, exercise 4


def _std_mistakes(shape: tuple[int, ...], k: float) -> dict[str, float]:
    fan_in, fan_out = fans(shape)
    return {
        "this is the variance: take the square root": 2 / (k * fan_in),
        "k is missing: this is Kaiming for all weights": math.sqrt(2 / fan_in),
        "k makes the fan_in smaller, so divide by it: fewer inputs need larger weights": math.sqrt(2 * k / fan_in),
        "k belongs under the root: it is the variance that k scales": math.sqrt(2 / fan_in) / k,
        "k is the share kept, not the share pruned": math.sqrt(2 / ((1 - k) * fan_in)) if k < 1 else math.nan,
        "this is fan_out: the number of inputs counts": math.sqrt(2 / (k * fan_out)),
        "this is Xavier: Kaiming leaves out fan_out": math.sqrt(2 / (k * fan_in + fan_out)),
        "this is Xavier, and without k: Kaiming leaves out fan_out": math.sqrt(2 / (fan_in + fan_out)),
        "this is Xavier, of both fans scaled: Kaiming leaves out fan_out": math.sqrt(2 / (k * (fan_in + fan_out))),
        "the kernel area is missing: an output sums height · width of every input channel": math.sqrt(
            2 / (k * shape[1])
        ),
        "the 2 is missing: it makes up for the half that ReLU sets to 0": math.sqrt(1 / (k * fan_in)),
        "these are all weights of the layer: fan_in counts those of one output": math.sqrt(2 / (k * math.prod(shape))),
        "this is the bound of the uniform distribution, √3 times as large": math.sqrt(6 / (k * fan_in)),
    }
