"""Sparse during training: the mask changes while the weights are trained, and one training is all there is.

`gradually` only removes; `rigl` removes and grows, at a constant density. Both say how a mask changes; `train_changing`
trains a network under such a mask.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ltcourse.data import Dataset
from ltcourse.data.augmentation import changes
from ltcourse.networks import masks
from ltcourse.networks.masks import Mask, Weights
from ltcourse.pruning.criteria import magnitude
from ltcourse.quantities import whole
from ltcourse.training import History, Recipe
from ltcourse.training.loop import (
    Best,
    Step,
    batches,
    layout,
    record,
    refuse_divergence,
    refuse_outputs,
    refuse_unfit,
    refuse_untrainable,
    span,
)
from ltcourse.training.process import settled

Change = Callable[[int, Weights, Weights, Mask], Mask]


def cubic(iteration: int, begin: int, end: int, density: float) -> float:
    """Return the density at an iteration of a gradual pruning: 1 at `begin`, `density` from `end` on.

    1 − density(t) = (1 − density) · (1 − (1 − (t − begin) / (end − begin))³): many weights go early, while many are
    there, and few late.
    Raises ValueError for an iteration that is no whole number, an end that is not after the beginning, and a density
    outside 0 to 1.
    Source: Zhu & Gupta 2017, "To prune, or not to prune", Sec. 3, Eq. 1, with an initial sparsity of 0.
    Lesson 09, "During training".
    """
    begin, end, density = whole("begin", begin), whole("end", end), masks.check_share(density, "density")
    if end <= begin:
        raise ValueError(f"the pruning ends at iteration {end}, which is not after its beginning, {begin}")
    done = min(1.0, max(0.0, (whole("iteration", iteration) - begin) / (end - begin)))
    return density + (1 - density) * (1 - done) ** 3


def gradually(density: float, begin: int, end: int, scope: str = "layer") -> Change:
    """Return the change of gradual magnitude pruning: the smallest weights go, so many that `cubic` is followed.

    density, begin, end: as of `cubic`. scope: "layer", as in the paper, or "global".
    Source: Zhu & Gupta 2017, Sec. 3.
    Lesson 09, "During training".
    """
    cubic(0, begin, end, density)

    def change(iteration: int, weights: Weights, gradients: Weights, mask: Mask) -> Mask:
        wanted = cubic(iteration, begin, end, density)
        if scope == "global":
            kept, total = masks.kept(mask), sum(m.numel() for m in mask.values())
            return magnitude(weights, mask, 1 - min(1.0, wanted * total / max(1, kept)), scope)
        rates = {n: 1 - min(1.0, wanted * m.numel() / max(1, int(m.sum()))) for n, m in mask.items()}
        return magnitude(weights, mask, rates, scope)

    return change


def drop_and_grow(weights: Weights, gradients: Weights, mask: Mask, share: float) -> Mask:
    """Drop the kept weights of the smallest magnitudes, and grow as many of the largest gradients: one update of RigL.

    weights: by name, those of the mask at least. gradients: of the loss, also in the weights that the mask leaves out.
    share: of each layer's kept weights to drop, 0 to 1. A weight that was just dropped may grow again. Each layer keeps
    as many weights as before. Raises ValueError where a gradient is missing, or is of another shape.
    Source: Evci et al. 2020, "Rigging the Lottery: Making All Tickets Winners", Algorithm 1.
    Lesson 09, "During training".
    """
    share = masks.check_share(share, "share")
    stays = magnitude(weights, mask, share)
    grown = {}
    for name, m in mask.items():
        gradient = gradients.get(name)
        if gradient is None or gradient.shape != m.shape:
            raise ValueError(
                f"there is no gradient of all weights of {name!r}, those that are pruned included: give one of the "
                f"shape {tuple(m.shape)}, and freeze none of them"
            )
        candidates = gradient.abs()[~stays[name]]
        new = torch.zeros_like(m)
        new[~stays[name]] = masks.keep_largest(candidates, int(m.sum() - stays[name].sum()))
        grown[name] = stays[name] | new
    return grown


def rigl(until: int, share: float = 0.3) -> Change:
    """Return the change of RigL: `drop_and_grow`, of a share that falls along a cosine, from `share` to 0 at `until`.

    until: the iteration after which the mask stays. share: α, 0.3 in the paper.
    Source: Evci et al. 2020, Sec. 3 (2): α/2 · (1 + cos(t π / until)).
    Lesson 09, "During training".
    """
    until, share = whole("until", until, 1), masks.check_share(share, "share")

    def change(iteration: int, weights: Weights, gradients: Weights, mask: Mask) -> Mask:
        now = share / 2 * (1 + math.cos(math.pi * min(1.0, whole("iteration", iteration, 0) / until)))
        return drop_and_grow(weights, gradients, mask, now)

    return change


@dataclass(frozen=True, eq=False)
class SparseTraining:
    """What became of a training whose mask changed.

    mask: the last one. history: what the training recorded. work: the mean of the densities over all iterations, which
    is the share of a dense training's products that are not with 0, in a network of dense layers.
    Lesson 09, "During training".
    """

    mask: Mask
    history: History
    work: float


def train_changing(
    network: nn.Module,
    data: Dataset,
    recipe: Recipe,
    mask: Mask,
    change: Change,
    *,
    every: int,
    until: int,
    seed: int = 0,
) -> SparseTraining:
    """Train `network` in place, under a mask that changes as it is trained.

    mask: the first one. change: (iteration, weights, gradients, mask) → the next mask; the gradients are those of the
    step that was just done, of the pruned weights, too, and of no frozen ones. every: iterations between two changes.
    until: the iteration of the last one. A weight that grows begins at 0, and without momentum. seed: of the order of
    the examples.
    Raises ValueError as `training.train` does, and for an `until` outside the run.
    Source: Evci et al. 2020, Algorithm 1 (there a change takes the place of a step).
    Lesson 09, "During training".
    """
    every, until = whole("every", every, 1), whole("until", until, 0)
    span(recipe, 0, until)
    refuse_unfit(data)
    refuse_untrainable(network, data.train.x)
    device = next(network.parameters()).device
    data = data.to(device)
    if not any(p.dim() == 5 for p in network.parameters()):
        network.to(memory_format=layout(device, recipe.precision))
    masks.apply(network, mask)
    refuse_outputs(network, data)
    weights = masks.prunable(network)
    kept = [torch.empty_like(p).copy_(mask[name]) for name, p in weights.items()]
    total = torch.zeros((), device=device)
    step = Step(network, list(network.parameters()), list(weights.values()), kept, recipe, total)
    history, best, work = History(), Best(network), 0.0
    order = batches(len(data.train), recipe.batch, seed, device)
    augment = changes(recipe.augment, data, seed, skip=(0, min(recipe.batch, len(data.train))))
    network.train()
    since, density = 0, masks.density(mask)
    with settled(network.parameters()):
        for iteration in range(1, recipe.iterations + 1):
            index = next(order)
            step.set_lr(recipe.lr_at(iteration))
            step(augment(data.train.x.index_select(0, index)), data.train.y.index_select(0, index))
            work += density / recipe.iterations
            if iteration == until or (iteration < until and iteration % every == 0):
                mask = _changed(change, iteration, weights, mask, kept, step.optimizer)
                density = masks.density(mask)
            last = iteration == recipe.iterations
            if last or iteration % recipe.evaluate_every == 0:
                mean = float(total) / (iteration - since)
                refuse_divergence(mean, iteration, recipe, data)
                record(history, best, network, data, iteration, mean, last=last)
                refuse_divergence(history.validation_loss[-1], iteration, recipe, data)
                total.zero_()
                since = iteration
    return SparseTraining(mask, history, work)


def _changed(
    change: Change,
    iteration: int,
    weights: dict[str, nn.Parameter],
    mask: Mask,
    kept: list[Tensor],
    optimizer: torch.optim.Optimizer,
) -> Mask:
    """Ask for the next mask and put it in force: in the weights, in what holds them at 0, and in the optimizer."""
    asked = {n: p for n, p in weights.items() if p.requires_grad}  # a frozen weight has no gradient
    gradients = {n: torch.zeros_like(p) if p.grad is None else p.grad for n, p in asked.items()}
    new = change(iteration, {name: p.detach() for name, p in weights.items()}, gradients, mask)
    masks.refuse_misfit(new, weights)
    with torch.no_grad():
        for (name, p), keep in zip(weights.items(), kept, strict=True):
            keep.copy_(new[name])
            p.mul_(keep)
            stayed = new[name] & mask[name]
            for moment in optimizer.state.get(p, {}).values():
                if isinstance(moment, Tensor) and moment.shape == p.shape and p.dim():
                    moment.mul_(stayed)
    return new
