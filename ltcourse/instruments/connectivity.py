"""The line between two networks: how much worse than its ends is it in the middle?"""

from collections.abc import Sequence

import torch
from torch import nn
from torch.optim.swa_utils import update_bn

from ltcourse.data import Split
from ltcourse.pruning.restarts import State
from ltcourse.training import evaluate

NORM_BATCHES = 4  # of 500 training examples: enough for the means of a batch norm


def between(a: State, b: State, share: float) -> State:
    """Return the weights at a point of the line from `a` to `b`: (1 − share) · a + share · b.

    share: 0 to 1. Counters, such as the number of batches seen, are those of `a`.
    Raises ValueError for weights of different networks.
    Source: Frankle et al. 2020, "Linear Mode Connectivity and the Lottery Ticket Hypothesis", Sec. 2.
    Lesson 04, "Do two runs end in the same valley?".
    """
    if a.keys() != b.keys() or any(a[name].shape != b[name].shape for name in a):
        raise ValueError("these weights are of two different networks: no line leads from one to the other")
    return {name: torch.lerp(w, b[name], share) if w.is_floating_point() else w.clone() for name, w in a.items()}


def errors_along(
    network: nn.Module, a: State, b: State, split: Split, train: Split, shares: Sequence[float]
) -> list[float]:
    """Return the error, 0 to 1, at points of the line from `a` to `b`; `network` is left at the last point.

    split: examples to judge by. train: examples from which the statistics of batch norm are computed anew at each
    point, since the mean of two networks' statistics is not that of the network between them.
    Raises ValueError for weights of different networks.
    Source: Frankle et al. 2020, Sec. 2.
    Lesson 04, "Do two runs end in the same valley?".
    """
    found = []
    for share in shares:
        network.load_state_dict(between(a, b, share))
        update_bn(train.x[: NORM_BATCHES * 500].split(500), network)
        found.append(1 - evaluate(network, split)[1])
    return found


def barrier(errors: Sequence[float]) -> float:
    """Return the error barrier: the highest error on the line minus the mean error of its two ends.

    errors: along the line, ends included, 0 to 1. Below 0.02 the paper calls the two runs stable.
    Raises ValueError for fewer than two points.
    Source: Frankle et al. 2020, Sec. 2 (linear interpolation instability).
    Lesson 04, "Do two runs end in the same valley?".
    """
    if len(errors) < 2:
        raise ValueError("a line has two ends: give the errors of both, and of what is between them")
    return max(errors) - (errors[0] + errors[-1]) / 2
