"""What a mask is, and how one is chosen: pure functions from weights to booleans.

A mask is held apart from the network: a dict from parameter name to a boolean tensor of the parameter's shape, True
where the weight is kept. Biases and norm layers are never in it.
"""

from collections.abc import Callable, Mapping
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from ltcourse.names import choose

Mask = dict[str, Tensor]
Weights = Mapping[str, Tensor]
Rate = float | Mapping[str, float]
Scope = Literal["layer", "global"]
Criterion = Callable[[Weights, Mask, Rate, str], Mask]


def prunable(network: nn.Module) -> dict[str, nn.Parameter]:
    """Return the parameters that pruning may touch: weights of dense layers and convolutions, by name.

    Under scores (`supermasks.edge_popup`) a weight and its scores are two parameters, and both are here.
    Lesson 01, "A network with random weights".
    """
    return {name: p for name, p in network.named_parameters() if p.dim() >= 2}


def dense(network: nn.Module) -> Mask:
    """Return the mask that keeps every weight.

    Lesson 01, "Remove".
    """
    return {name: torch.ones_like(p, dtype=torch.bool) for name, p in prunable(network).items()}


def density(mask: Mask) -> float:
    """Return P_m, the share of weights kept, 0 to 1.

    Source: Frankle & Carbin 2019, Sec. 1.
    Lesson 01, "Remove".
    """
    return kept(mask) / sum(m.numel() for m in mask.values())


def kept(mask: Mask) -> int:
    """Count the weights kept.

    Lesson 01, "Remove".
    """
    return sum(int(m.sum()) for m in mask.values())


def check(mask: Mask, network: nn.Module) -> None:
    """Raise ValueError, one sentence that names the first difference, if `mask` is not one of `network`.

    Lesson 01, "Remove".
    """
    weights = prunable(network)
    if odd := sorted(mask.keys() ^ weights.keys()):
        where = "network" if odd[0] in mask else "mask"
        raise ValueError(
            f"this mask is of another network: the {where} has no {odd[0]!r}; make it with masks.dense(network)"
        )
    for name, m in mask.items():
        if m.shape != weights[name].shape:
            raise ValueError(
                f"this mask is of another network: {name!r} has shape {tuple(m.shape)} in the mask and "
                f"{tuple(weights[name].shape)} in the network; make it with masks.dense(network)"
            )
        if m.dtype != torch.bool:
            raise ValueError(f"a mask is boolean, but {name!r} is {m.dtype}: write mask[{name!r}].bool()")


def apply(network: nn.Module, mask: Mask) -> nn.Module:
    """Set the pruned weights of `network` to 0, in place.

    Raises ValueError if the mask is not one of this network.
    Lesson 01, "Remove".
    """
    check(mask, network)
    with torch.no_grad():
        for name, p in prunable(network).items():
            p.mul_(mask[name])
    return network


def keep_largest(scores: Tensor, count: int) -> Tensor:
    """Return a boolean tensor that keeps exactly `count` of the largest scores.

    Among equal scores the earlier ones go first, so that the count is exact and the choice is always the same.
    scores: any shape, no NaN. Raises ValueError for a NaN or a count outside 0 to the number of scores.
    Lesson 01, "Remove" and exercise 1.
    """
    if not 0 <= count <= scores.numel():
        raise ValueError(f"cannot keep {count} of {scores.numel()} weights")
    _refuse_nan(scores)
    return top(scores, count)


def top(scores: Tensor, count: int) -> Tensor:
    """Return the same as `keep_largest` for scores that are known to be numbers, without looking: for inner loops.

    Nothing is sorted, and on a GPU nothing waits for it.
    Lesson 07, "The threshold".
    """
    n = scores.numel()
    if count in (0, n):
        return torch.full_like(scores, count == n, dtype=torch.bool)
    flat = scores.flatten()
    smallest_kept = _kth_smallest(flat, n - count + 1)
    keep = flat >= smallest_kept
    if flat.is_cuda:
        tied = flat == smallest_kept
        keep &= ~tied | (tied.cumsum(0) > keep.sum() - count)
    elif (extra := int(keep.count_nonzero()) - count) > 0:
        ties = (flat == smallest_kept).nonzero().flatten()
        keep[ties[:extra]] = False
    return keep.view_as(scores)


def _kth_smallest(flat: Tensor, k: int) -> Tensor:
    """The k-th smallest of (n,) numbers, counted from 1: partitioned on a CPU, many times faster than sorted."""
    if flat.is_cuda:
        return flat.kthvalue(k).values
    numbers = (
        flat.detach().cpu().to(torch.float32 if flat.dtype in (torch.float16, torch.bfloat16) else flat.dtype).numpy()
    )
    return torch.tensor(np.partition(numbers, k - 1)[k - 1]).to(flat)


def select(scores: Weights, mask: Mask, rate: Rate, scope: str = "layer") -> Mask:
    """Prune the share `rate` of the weights that `mask` still keeps: those of the smallest scores.

    rate: share to prune, 0 to 1, one for all layers or one a layer; the count is rounded to the nearest weight.
    scope: "layer" takes the share from each layer, "global" from all layers together. The result is a subset of `mask`.
    Raises ValueError for a rate outside 0 to 1, an unknown scope, or a rate per layer with global scope.
    Source: Frankle & Carbin 2019, Sec. 2 (layer) and Sec. 4 (global).
    Lesson 01, "Remove".
    """
    choose("scope", scope, ("layer", "global"))
    if scope == "layer":
        return {name: _prune(scores[name], m, _rate_of(name, rate)) for name, m in mask.items()}
    if isinstance(rate, Mapping):
        raise ValueError("global pruning takes one rate: give a number, or use scope='layer' for a rate per layer")
    pooled = _prune(
        torch.cat([scores[name].flatten() for name in mask]),
        torch.cat([m.flatten() for m in mask.values()]),
        _rate_of("all layers", rate),
    )
    parts = pooled.split([m.numel() for m in mask.values()])
    return {name: part.view_as(m) for (name, m), part in zip(mask.items(), parts, strict=True)}


def layer_rates(mask: Mask, rate: float, *, conv: float | None = None, output: float | None = None) -> dict[str, float]:
    """Return a rate per layer: `rate` for dense layers, `conv` for convolutions, `output` for the last layer.

    Defaults: `conv` is `rate`, `output` is half of `rate`, as in the paper.
    Source: Frankle & Carbin 2019, Fig. 2 and Sec. 2.
    Lesson 01, "Repeat".
    """
    rates = {name: rate if m.dim() == 2 or conv is None else conv for name, m in mask.items()}
    rates[list(mask)[-1]] = rate / 2 if output is None else output
    return rates


def magnitude(weights: Weights, mask: Mask, rate: Rate, scope: str = "layer") -> Mask:
    """Prune the weights of the smallest absolute value.

    Source: Han et al. 2015, Sec. 3; Frankle & Carbin 2019, Sec. 1.
    Lesson 01, "Remove".
    """
    return select({name: weights[name].abs() for name in mask}, mask, rate, scope)


def at_random(seed: int) -> Criterion:
    """Return the criterion that prunes by lot: the control for every other one.

    Lesson 01, "What breaks".
    """

    def by_lot(weights: Weights, mask: Mask, rate: Rate, scope: str = "layer") -> Mask:
        generator = _lot(seed)
        scores = {name: torch.rand(m.shape, generator=generator).to(m.device) for name, m in mask.items()}
        return select(scores, mask, rate, scope)

    return by_lot


def shuffle(mask: Mask, seed: int) -> Mask:
    """Return a random mask of equal size: each layer keeps as many weights as in `mask`, but drawn by lot.

    Source: Frankle & Carbin 2019, App. E; Frankle et al. 2021, "Pruning Neural Networks at Initialization", Sec. 5.
    Lesson 03, "Two controls".
    """
    generator = _lot(seed)
    scores = {name: torch.rand(m.shape, generator=generator).to(m.device) for name, m in mask.items()}
    return {name: keep_largest(scores[name], int(m.sum())) for name, m in mask.items()}


def threshold(quality: float | Mapping[str, float]) -> Criterion:
    """Return Han's criterion: prune what is smaller than quality × the standard deviation of the layer's weights.

    quality: 0 or more, one for all layers or one a layer. The deviation is that of the weights still kept. The
    criterion sets its own rate and ignores the one it is given; the scope is always the layer.
    Raises ValueError for a negative quality.
    Source: Han et al. 2015, Sec. 4.
    Lesson 01, "Remove".
    """
    for q in quality.values() if isinstance(quality, Mapping) else (quality,):
        if not q >= 0:
            raise ValueError(f"quality {q} is negative: a threshold is quality × standard deviation, so 0 or more")

    def below(weights: Weights, mask: Mask, rate: Rate = 0.0, scope: str = "layer") -> Mask:
        pruned = {}
        for name, m in mask.items():
            q = quality[choose("layer in the qualities", name, quality)] if isinstance(quality, Mapping) else quality
            _refuse_nan(weights[name])
            magnitudes, survivors = weights[name].abs().double(), weights[name][m]
            cut = q * _std(survivors) if survivors.numel() > 1 else 0.0
            pruned[name] = m & (magnitudes >= cut)
        return pruned

    return below


def quality_for(weights: Tensor, share: float) -> float:
    """Return the quality at which Han's threshold keeps `share` of the weights: |w| at that quantile / std(w).

    weights: any shape. share: 0 to 1.
    The paper prints no quality parameters, so they are calibrated by the density that they reach.
    Source: Han et al. 2015, Sec. 4.
    Lesson 01, "Remove".
    """
    magnitudes = weights.abs().double().flatten()
    keep = keep_largest(magnitudes, round(check_share(share, "share") * weights.numel()))
    smallest_kept = magnitudes[keep].min() if keep.any() else 2 * magnitudes.max()
    largest_pruned = magnitudes[~keep].max() if not keep.all() else 0.0
    return float((smallest_kept + largest_pruned) / 2 / _std(weights))


def check_share(value: float, name: str = "rate") -> float:
    """Return `value` if it is a share from 0 to 1, and raise ValueError if not.

    Lesson 01, "Remove".
    """
    if not 0 <= value <= 1:
        raise ValueError(f"{name} {value} is outside 0 to 1: write 0.2 for 20 %")
    return value


def _lot(seed: int) -> torch.Generator:
    """A generator far from the seeds of networks: their stream drew the weights, and the lot may not depend on them."""
    return torch.Generator().manual_seed(0x5EED_0000 + seed)


def _std(weights: Tensor) -> float:
    """The standard deviation in double precision, so that a threshold made from it cuts where it was meant to."""
    return float(weights.flatten().double().std())


def _refuse_nan(weights: Tensor) -> None:
    if weights.isnan().any():
        raise ValueError("a weight is NaN, so training has diverged: lower the learning rate")


def _rate_of(name: str, rate: Rate) -> float:
    if isinstance(rate, Mapping):
        rate = rate[choose("layer in the rates", name, rate)]
    return check_share(rate)


def _prune(scores: Tensor, mask: Tensor, rate: float) -> Tensor:
    """Keep the largest of the scores that `mask` keeps, less the share `rate` of them."""
    survivors = scores[mask]
    keep = torch.zeros_like(mask)
    keep[mask] = keep_largest(survivors, survivors.numel() - round(rate * survivors.numel()))
    return keep
