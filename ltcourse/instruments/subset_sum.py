"""A random network contains a given one: the strong lottery ticket hypothesis, by subset sums, on a single layer."""

from collections.abc import Sequence
from math import log, log2, pi
from statistics import linear_regression

import numpy as np
import torch
from torch import Tensor, nn

from ltcourse.networks.masks import Mask
from ltcourse.quantities import seeded, whole

MOST = 14  # numbers of which all subsets are tried
HALF = 18  # numbers of a half, where two halves meet


def closest(target: Tensor, numbers: Tensor) -> Tensor:
    """Return which of some numbers to add up to come closest to each target, by trying all subsets.

    target: (...). numbers: (..., n); of each row the first `MOST` that are not 0 are tried. The result is boolean,
    (..., n).
    Source: Pensia et al. 2020, "Optimal Lottery Tickets via SubsetSum", Sec. 3.
    Lesson 07, "Why should there be one?".
    """
    chosen = torch.zeros_like(numbers, dtype=torch.bool)
    for goal, row, choice in zip(target.flatten(), numbers.flatten(0, -2), chosen.flatten(0, -2), strict=True):
        places = row.nonzero().flatten()[:MOST]
        best = int((_sums(row[places]) - goal).abs().argmin())
        choice[places] = torch.tensor([best >> i & 1 for i in range(len(places))], dtype=torch.bool)
    return chosen


def distance(target: Tensor, numbers: Tensor) -> Tensor:
    """Return how far the closest sum of some of the numbers is from each target, for more numbers than `closest`.

    target: (targets,). numbers: (n,). The sums of each half of the numbers are made, one half's are sorted, and for
    each of the other's the best partner is found by bisection: 2^(n/2) sums in place of 2^n.
    Raises ValueError for more than 36 numbers, whose sums would fill the memory.
    Source: Horowitz & Sahni 1974, "Computing Partitions with Applications to the Knapsack Problem".
    Lesson 09, "The proof".
    """
    if len(numbers) > 2 * HALF:
        raise ValueError(f"{len(numbers)} numbers have too many sums: choose from at most {2 * HALF}")
    left, right = (_sums(part) for part in numbers.double().tensor_split(2))
    right = right.sort().values
    far = target.new_full(target.shape, torch.inf, dtype=torch.float64)
    for i, goal in enumerate(target.double()):
        wanted = goal - left
        above = torch.searchsorted(right, wanted).clamp(max=len(right) - 1)
        for place in (above, (above - 1).clamp(min=0)):
            far[i] = torch.minimum(far[i], (right[place] - wanted).abs().min())
    return far


def expected_error(n: int) -> float:
    """Return log₂ of the error to expect of the closest sum of n numbers, uniform on [−1, 1], to a target in [−½, ½].

    A count: 2ⁿ sums spread like a normal distribution of variance n/12 around half of the sum of all, which varies as
    much from draw to draw. The density at the target is the number of sums per unit, and the closest of points thrown
    at random is as far as an exponential draw. Each number halves the error, up to a factor that grows like √n.
    Raises ValueError for n below 1.
    Source: Lueker 1998, "Exponentially Small Bounds on the Expected Optimum of the Partition and Subset Sum Problems".
    Lesson 09, "The proof".
    """
    n = whole("n", n, 1)
    wide = 0.5 * log2(2 * pi * n / 12) + (0.5 + 0.5 / n) / log(2)  # log₂ of 1 / density, averaged: t² is 1/12
    return -n - 1 + wide - np.euler_gamma / log(2)  # E[ln X] = −γ of an exponential X of mean 1


def errors(n: int, sets: int = 10, targets: int = 20, seed: int = 0) -> Tensor:
    """Return how far the closest sum of n random numbers is from random targets, (sets · targets,).

    sets: of n numbers, uniform on [−1, 1]. targets: uniform on [−½, ½], for each set. Raises as `distance` does.
    Lesson 09, "The proof".
    """
    generator = seeded(seed, 7919 * whole("n", n, 1))

    def uniform(count: int) -> Tensor:
        return torch.rand(count, generator=generator, dtype=torch.float64)

    found = [distance(uniform(targets) - 0.5, 2 * uniform(n) - 1) for _ in range(whole("sets", sets, 1))]
    return torch.cat(found)


def slope(counts: Sequence[int], logs: Sequence[float]) -> float:
    """Return by how much the logarithm of the error changes per number, by least squares.

    Lesson 09, "The proof".
    """
    return linear_regression(counts, logs).slope


def _sums(numbers: Tensor) -> Tensor:
    """The sums of all subsets, (2^n,), the empty one's first."""
    sums = numbers.new_zeros(1)
    for number in numbers:
        sums = torch.cat([sums, sums + number])  # all subsets without it, then all with it
    return sums


def contain(weight: Tensor, n: int, seed: int = 0) -> tuple[nn.Sequential, Mask]:
    """Return a random network of two layers and the mask under which it does what a given layer does.

    weight: (out, in) of the given layer, without biases, for inputs that are not negative. n: hidden neurons an input;
    the random network is in → in · n → out, its weights uniform on [−1, 1] in the first layer, and as far as twice the
    largest of `weight` in the second. The mask joins each input to its own n neurons, where weights a pass a positive
    input on, and of the paths a · b from there to an output it keeps those whose sum is closest to the given weight.
    Source: Malach et al. 2020, "Proving the Lottery Ticket Hypothesis", Sec. 2; Pensia et al. 2020, Sec. 3.
    Lesson 07, "Why should there be one?".
    """
    out, into = weight.shape
    generator = seeded(seed)

    def uniform(*shape: int) -> Tensor:
        return 2 * torch.rand(shape, generator=generator) - 1

    first = uniform(into * n, into)
    second = uniform(out, into * n) * 2 * weight.abs().max()
    own = torch.eye(into, dtype=torch.bool).repeat_interleave(n, 0)  # (in · n, in): each input's own neurons
    a = first[own].view(into, n)
    paths = a.clamp(min=0) * second.view(out, into, n)
    chosen = closest(weight, paths)
    layers = [nn.utils.skip_init(nn.Linear, w.shape[1], w.shape[0], bias=False) for w in (first, second)]
    for layer, w in zip(layers, (first, second), strict=True):
        layer.weight.data.copy_(w)
    network = nn.Sequential(layers[0], nn.ReLU(), layers[1])
    return network, {"0.weight": own, "2.weight": chosen.view(out, into * n)}
