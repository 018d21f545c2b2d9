"""Optimal Brain Damage: what the loss loses with a weight, from the curvature of the loss at the end of training."""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.func import functional_call, jacrev, vmap

from ltcourse.data import Split
from ltcourse.networks import masks
from ltcourse.pruning.criteria import Criterion, Rate, select
from ltcourse.pruning.foresight import not_taken, refuse_examples
from ltcourse.quantities import whole


def hessian_diagonal(network: nn.Module, examples: Split, *, chunk: int = 8) -> dict[str, Tensor]:
    """Return ∂²L/∂w² of each weight, by the name of its layer's: L is the mean cross-entropy over the examples.

    h = mean over examples of Σ_c p_c (∂ log p_c / ∂w)²: the second derivative along w, without the one of the logits.
    In a network of ReLUs, no two of whose layers share a weight, the logits are linear in each single weight, so that
    this is the whole derivative; elsewhere it is LeCun's approximation, never negative. The network is in evaluation
    meanwhile and is not changed. chunk: examples at a time.
    Raises ValueError for a network without weights, for examples that `refuse_examples` refuses, such as none, and for
    a network that torch.func cannot take example by example.
    Source: LeCun, Denker & Solla 1990, "Optimal Brain Damage", Sec. 2.2.
    Lesson 09, "The fathers".
    """
    if not isinstance(examples, Split):
        raise ValueError(f"the examples are of type {type(examples).__name__}: give a Split, such as data.train")
    if not len(examples):
        raise ValueError("there is no curvature without examples: give at least one")
    refuse_examples(network, examples)
    weights = {name: p.detach() for name, p in masks.some(masks.prunable(network)).items()}
    rest = {name: t.detach() for name, t in (*network.named_parameters(), *network.named_buffers())}

    def log_p(w: Mapping[str, Tensor], x: Tensor) -> Tensor:
        return functional_call(network, {**rest, **w}, (x[None],))[0].log_softmax(0)

    total = {name: torch.zeros_like(w) for name, w in weights.items()}
    modes = {module: module.training for module in network.modules()}
    network.eval()
    try:
        for x in examples.x.split(whole("chunk", chunk, 1)):
            p = vmap(log_p, (None, 0))(weights, x).exp()
            for name, slope in vmap(jacrev(log_p), (None, 0))(weights, x).items():
                total[name] += torch.einsum("nc,nc...->...", p, slope.square_())
    except RuntimeError as error:
        raise not_taken(examples.x[:1], error) from error
    finally:
        for module, mode in modes.items():
            module.training = mode
    return {name: h / len(examples) for name, h in total.items()}


def saliency(weights: Mapping[str, Tensor], curvature: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return h w² / 2 of each weight: by how much the loss grows without it, where its gradient is 0.

    Raises ValueError for a curvature that is of no such weight.
    Source: LeCun, Denker & Solla 1990, Sec. 2.1, Eq. 2.
    Lesson 09, "The fathers".
    """
    for name, h in curvature.items():
        if name not in weights or weights[name].shape != h.shape:
            raise ValueError(f"the curvature is of another network, whose {name!r} has the shape {tuple(h.shape)}")
    return {name: h * weights[name].detach() ** 2 / 2 for name, h in curvature.items()}


def brain_damage(curvature: Mapping[str, Tensor]) -> Criterion:
    """Return Optimal Brain Damage's criterion: the weights of the smallest saliency go.

    curvature: ∂²L/∂w² at the weights that are pruned, as `hessian_diagonal` returns it.
    Source: LeCun, Denker & Solla 1990, Sec. 2.3.
    Lesson 09, "The fathers".
    """

    def smallest(weights: masks.Weights, mask: masks.Mask, rate: Rate, scope: str = "layer") -> masks.Mask:
        masks.refuse_no_mask(mask)
        asked = {name: curvature[name] for name in mask if name in curvature}  # one layer, as a scan of layers asks
        return select(saliency(weights, asked), mask, rate, scope)

    return smallest
