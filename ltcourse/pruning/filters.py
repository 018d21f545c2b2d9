"""Structured pruning: whole filters and neurons go, and a smaller network of ordinary layers is left."""

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn

from ltcourse.networks import masks
from ltcourse.networks.masks import Mask

Score = Callable[[str, Tensor], Tensor]


def prune_filters(network: nn.Sequential, share: float, score: Score | None = None) -> Mask:
    """Return the mask that keeps a share of the filters of every layer but the last, those of the largest scores.

    network: a chain of dense layers and convolutions. share: 0 to 1, rounded to the nearest filter, at least one.
    score: maps a layer's name and its weight (out, in, …) to one number a filter, (out,); by default the sum of the
    absolute weights. With a filter go the weights that lead to it and those that read it; `neurons.remove` then leaves
    a smaller network. Raises ValueError for a share outside 0 to 1.
    Source: Li et al. 2017, "Pruning Filters for Efficient ConvNets", Sec. 3.1.
    Lesson 03, "Filters instead of weights".
    """
    masks.check_share(share, "share")
    mask = masks.dense(network)
    for name, reader in pairwise(mask):
        weight = network.get_parameter(name).detach()
        scores = l1_norm(name, weight) if score is None else score(name, weight)
        stay = masks.keep_largest(scores, max(1, round(share * len(scores))))
        mask[name][~stay] = False
        positions = mask[reader].shape[1] // len(stay)  # of a channel, where a dense layer reads flattened images
        mask[reader][:, ~stay.repeat_interleave(positions)] = False
    return mask


def l1_norm(name: str, weight: Tensor) -> Tensor:
    """Return the sum of the absolute weights of each filter: (out, in, …) → (out,).

    Source: Li et al. 2017, Sec. 3.1.
    Lesson 03, "Filters instead of weights".
    """
    return weight.abs().flatten(1).sum(1)


def at_random(seed: int) -> Score:
    """Return the score that keeps random filters: the control.

    Lesson 03, "Filters instead of weights".
    """
    generator = masks.lot(seed)
    return lambda name, weight: torch.rand(len(weight), generator=generator).to(weight.device)
