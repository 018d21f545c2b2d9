"""What a mask is: which weights of a network are kept, and how many.

It is held apart from the network: a dict from parameter name to a boolean tensor of the parameter's shape, True
where the weight is kept. Biases and norm layers are never in it.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ltcourse.networks.weights import is_weight, owned, refuse_computed, refuse_meta, refuse_own_masks
from ltcourse.quantities import real, seeded, whole

Mask = dict[str, Tensor]
Weights = Mapping[str, Tensor]


def prunable(network: nn.Module) -> dict[str, nn.Parameter]:
    """Return the parameters that pruning may touch: weights of dense layers and convolutions, by name.

    In other networks also those of recurrent, attention and embedding layers, and the matrices of any module (`weights`
    tells them from biases, scales and tokens). A weight that several layers share is there once.
    Under scores (`supermasks.edge_popup`) a weight and its scores are two parameters, and both are here.
    Raises ValueError, with what to do, for weights that are computed from other tensors (`weight_norm` and other
    parametrizations, `torch.nn.utils.prune`), beside which the module keeps a mask of its own, that have no shape yet,
    are sparse, complex or quantized, or that overlap in memory.
    Lesson 01, "A network with random weights".
    """
    refuse_computed(network)
    refuse_own_masks(network)
    return {name: p for name, owner, attribute, p in owned(network) if is_weight(owner, attribute, p)}


def dense(network: nn.Module) -> Mask:
    """Return the mask that keeps every weight.

    Raises ValueError for a network without weights, and as `prunable` does.
    Lesson 01, "Remove".
    """
    return {name: torch.ones_like(p, dtype=torch.bool) for name, p in some(prunable(network)).items()}


def some(weights: dict[str, nn.Parameter]) -> dict[str, nn.Parameter]:
    """Return `weights`, and raise ValueError if there are none."""
    if not weights:
        raise ValueError(
            "this network has nothing to prune: weights are in layers such as nn.Linear and nn.Conv2d, and it has none"
        )
    return weights


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
    refuse_no_mask(mask)
    return sum(int(m.sum()) for m in mask.values())


def refuse_no_mask(mask: Any) -> None:
    """Raise ValueError, with what to write, for what is no dict of boolean tensors, and for an empty one."""
    if not isinstance(mask, Mapping):
        kind = type(mask).__name__
        raise ValueError(f"a mask is a dict, name → booleans, and this is a {kind}: make it with masks.dense(network)")
    if not mask:
        raise ValueError("this mask is empty: make one with masks.dense(network)")
    for name, m in mask.items():
        if not isinstance(name, str):
            raise ValueError(f"a mask is by name, and one of its names is {name!r}: make it with masks.dense(network)")
        if isinstance(m, Tensor):
            if m.layout != torch.strided:
                raise ValueError(f"a mask is dense, but {name!r} is a sparse tensor: write mask[{name!r}].to_dense()")
            if m.dtype != torch.bool:
                raise ValueError(f"a mask is boolean, but {name!r} is {m.dtype}: write mask[{name!r}].bool()")
        elif np.ndim(m):
            kind, write = type(m).__name__, f"torch.tensor(mask[{name!r}], dtype=torch.bool)"
            raise ValueError(f"a mask is of tensors, but {name!r} is of type {kind}: write {write}")
        else:
            raise ValueError(
                f"a mask has one boolean for each weight, but {name!r} is only {m!r}: begin with masks.dense(network)"
            )
    if not any(m.numel() for m in mask.values()):
        raise ValueError("this mask is of no weights at all: make one with masks.dense(network)")


def check(mask: Mask, network: nn.Module) -> None:
    """Raise ValueError, one sentence that names the first difference, if `mask` is not one of `network`.

    Lesson 01, "Remove".
    """
    refuse_misfit(mask, prunable(network))


def refuse_misfit(mask: Mask, weights: Weights) -> None:
    """Raise ValueError, one sentence that names the first difference, if `mask` is not one of these weights."""
    refuse_no_mask(mask)
    if odd := sorted(mask.keys() ^ weights.keys()):
        if prefix := _prefix(weights, mask):
            raise ValueError(
                f"the names of this network begin with {prefix!r}, as torch.compile and DataParallel let them, and "
                f"those of the mask do not: use the mask with network.{prefix[:-1]}, the network inside"
            )
        if prefix := _prefix(mask, weights):
            raise ValueError(
                f"the names in this mask begin with {prefix!r}, as torch.compile and DataParallel let them, and those "
                f"of the network do not: write {{name.removeprefix({prefix!r}): m for name, m in mask.items()}}"
            )
        if {name.replace("_orig_mod.", "") for name in mask} == {name.replace("_orig_mod.", "") for name in weights}:
            compiled = "network" if any("_orig_mod." in name for name in odd if name in weights) else "mask"
            raise ValueError(
                f"some names of this {compiled} contain '_orig_mod.', as torch.compile of a part of a network lets "
                "them: compile that part in place, with part.compile(), which leaves the names as they are"
            )
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
        if m.is_meta and not weights[name].is_meta:
            raise ValueError(
                f"{name!r} of this mask is on the device 'meta' and holds nothing: make it with masks.dense(network)"
            )


def _prefix(long: Iterable[str], short: Iterable[str]) -> str:
    """What stands before each of the short names in the long ones, "" if nothing does."""
    last = next(iter(short), "")
    found = {name.removesuffix(last) for name in long if name.endswith(f".{last}")}
    return next((prefix for prefix in found if {prefix + name for name in short} == set(long)), "")


def apply(network: nn.Module, mask: Mask) -> nn.Module:
    """Set the pruned weights of `network` to 0, in place.

    Raises ValueError if the mask is not one of this network.
    Lesson 01, "Remove".
    """
    check(mask, network)
    refuse_meta(network)
    with torch.no_grad():
        for name, p in prunable(network).items():
            p.mul_(mask[name])
    return network


def keep_largest(scores: Tensor, count: int) -> Tensor:
    """Return a boolean tensor that keeps exactly `count` of the largest scores.

    Among equal scores the earlier ones go first, so that the count is exact and the choice is always the same.
    scores: any shape, no NaN. Raises ValueError for a NaN, or a count that is not a whole number from 0 to theirs.
    Lesson 01, "Remove" and exercise 1.
    """
    count = whole("count", count)
    if not 0 <= count <= scores.numel():
        raise ValueError(f"cannot keep {count} of {scores.numel()} weights")
    refuse_nan(scores)
    return top(scores, count)


def top(scores: Tensor, count: int) -> Tensor:
    """Return the same as `keep_largest` for scores that are known to be numbers, without looking: for inner loops.

    On a CPU nothing is sorted; on a GPU all is, which is faster there, and nothing waits for it.
    Lesson 07, "The threshold".
    """
    n = scores.numel()
    if count in (0, n):
        return torch.full_like(scores, count == n, dtype=torch.bool)
    flat = scores.flatten()
    if flat.is_cuda or torch.compiler.is_compiling():
        largest = flat.sort(stable=True).indices[n - count :]
        return torch.zeros_like(flat, dtype=torch.bool).scatter_(0, largest, True).view_as(scores)
    smallest_kept = _kth_smallest(flat, n - count + 1)
    keep = flat >= smallest_kept
    if (extra := int(keep.count_nonzero()) - count) > 0:
        ties = (flat == smallest_kept).nonzero().flatten()
        keep[ties[:extra]] = False
    return keep.view_as(scores)


def _kth_smallest(flat: Tensor, k: int) -> Tensor:
    """The k-th smallest of (n,) numbers, counted from 1: partitioned, many times faster than sorted on a CPU."""
    numbers = (
        flat.detach().cpu().to(torch.float32 if flat.dtype in (torch.float16, torch.bfloat16) else flat.dtype).numpy()
    )
    return torch.tensor(np.partition(numbers, k - 1)[k - 1]).to(flat)


def shuffle(mask: Mask, seed: int) -> Mask:
    """Return a random mask of equal size: each layer keeps as many weights as in `mask`, but drawn at random.

    Source: Frankle & Carbin 2019, App. E; Frankle et al. 2021, "Pruning Neural Networks at Initialization", Sec. 5.
    Lesson 03, "Two controls".
    """
    refuse_no_mask(mask)
    generator = lot(seed)
    scores = {name: torch.rand(m.shape, generator=generator).to(m.device) for name, m in mask.items()}
    return {name: keep_largest(scores[name], int(m.sum())) for name, m in mask.items()}


def check_share(value: float, name: str = "rate") -> float:
    """Return `value` if it is a share from 0 to 1, and raise ValueError if not.

    Lesson 01, "Remove".
    """
    value = real(name, value)
    if not 0 <= value <= 1:
        raise ValueError(f"{name} {value} is outside 0 to 1: write 0.2 for 20 %")
    return value


def lot(seed: int) -> torch.Generator:
    """Return a generator far from the seeds of networks, whose stream drew the weights: no mask depends on it."""
    return seeded(seed, 0x5EED_0000)


def refuse_nan(weights: Tensor) -> None:
    """Raise ValueError for weights that are no longer numbers."""
    if weights.isnan().any():
        raise ValueError("a weight is NaN, so training has diverged: lower the learning rate")
