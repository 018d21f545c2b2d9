"""How long a forward pass takes, measured: dense, and with the pruned weights left out (scipy's and PyTorch's CSR)."""

import time
import warnings
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from scipy.sparse import csr_array
from torch import Tensor, nn

from ltcourse.names import choose
from ltcourse.networks import masks
from ltcourse.networks.masks import Mask
from ltcourse.quantities import seeded
from ltcourse.training import process

WAYS = ("dense", "scipy CSR", "torch CSR")
Forward = Callable[[Tensor], Tensor]


def forward(network: nn.Sequential, mask: Mask, way: str) -> Forward:
    """Return a function that computes what the network does in evaluation, with its layers multiplied in one way.

    way: "dense" (PyTorch as it is), "scipy CSR" or "torch CSR": only the weights that the mask keeps are stored and
    multiplied; a convolution becomes a product with all the patches of its image. On the CPU.
    Raises ValueError for an unknown way or a mask of another network.
    Lesson 02, "Milliseconds".
    """
    choose("way", way, WAYS)
    masks.check(mask, network)
    if way == "dense":
        return network.eval()
    steps: list[Forward] = []
    for name, module in network.eval().named_children():
        if isinstance(module, (nn.Linear, nn.Conv2d)):
            kept = module.weight.detach() * mask[f"{name}.weight"]
            steps.append(_sparse(module, kept, way))
        else:
            steps.append(module)

    def run(x: Tensor) -> Tensor:
        with torch.no_grad():
            for step in steps:
                x = step(x)
        return x

    return run


def seconds(function: Forward, x: Tensor, *, at_least: float = 0.1) -> float:
    """Return how long one call takes: the fastest of repeated calls, on one thread, after a few to warm up.

    at_least: seconds to measure for. The fastest, since whatever else the machine does can only add to it; one thread,
    since scipy has no more.
    Lesson 02, "Milliseconds".
    """
    taken: list[float] = []
    with process.threads(1), torch.inference_mode():
        for _ in range(3):
            function(x)
        begun = time.perf_counter()
        while len(taken) < 5 or time.perf_counter() - begun < at_least:
            before = time.perf_counter()
            function(x)
            taken.append(time.perf_counter() - before)
    return min(taken)


def compare(network: nn.Sequential, mask: Mask, x: Tensor, *, at_least: float = 0.1) -> dict[str, float]:
    """Return the seconds of one forward pass in each of `WAYS`.

    x: (n, …), a batch of inputs.
    Lesson 02, "Milliseconds".
    """
    return {way: seconds(forward(network, mask, way), x, at_least=at_least) for way in WAYS}


def sweep(
    rows: int, columns: int, batch: int, densities: Sequence[float], *, seed: int = 0, at_least: float = 0.05
) -> dict[str, list[float]]:
    """Return the seconds of one dense layer in each of `WAYS`, at each density of a random mask.

    rows, columns: of the weight matrix, (out, in). densities: shares of weights kept, 0 to 1.
    Lesson 02, "The break-even density".
    """
    generator = seeded(seed)
    layer = nn.utils.skip_init(nn.Linear, columns, rows)
    with torch.no_grad():
        layer.weight.copy_(torch.randn(rows, columns, generator=generator))
        layer.bias.zero_()
    network, x = nn.Sequential(layer), torch.randn(batch, columns, generator=generator)
    lots = torch.rand(rows, columns, generator=generator)
    found: dict[str, list[float]] = {way: [] for way in WAYS}
    for density in densities:
        mask = {"0.weight": masks.keep_largest(lots, round(masks.check_share(density, "density") * lots.numel()))}
        for way, taken in compare(network, mask, x, at_least=at_least).items():
            found[way].append(taken)
    return found


def break_even(densities: Sequence[float], dense: Sequence[float], sparse: Sequence[float]) -> float | None:
    """Return the density below which the sparse product is the faster one, None if it is so at none of those measured.

    densities: in any order. dense, sparse: the seconds at each. Between the last density at which sparse is faster and
    the next one it lies where a straight line through the two differences crosses 0.
    Raises ValueError for lists of different lengths.
    Lesson 02, "The break-even density".
    """
    points = sorted((d, s - t) for d, t, s in zip(densities, dense, sparse, strict=True))
    if not points or points[0][1] >= 0:
        return None
    for (d0, behind), (d1, ahead) in pairwise(points):
        if ahead >= 0:
            return d0 + (d1 - d0) * -behind / (ahead - behind)
    return points[-1][0]


def _sparse(layer: nn.Linear | nn.Conv2d, weight: Tensor, way: str) -> Forward:
    """Return a function that does what a layer does, with a sparse matrix."""
    product = _product(_matrix(layer, weight), way)
    bias = None if layer.bias is None else layer.bias.detach()
    if isinstance(layer, nn.Linear):
        return lambda x: _biased(product(x.t()).t(), bias)
    conv = layer

    def convolve(x: Tensor) -> Tensor:
        patches = nn.functional.unfold(x, conv.kernel_size, conv.dilation, conv.padding, conv.stride)  # type: ignore[arg-type]
        n, size, positions = patches.shape
        out = product(patches.permute(1, 0, 2).reshape(size, n * positions))
        height, width = (
            (x.shape[2 + i] + 2 * int(conv.padding[i]) - conv.dilation[i] * (conv.kernel_size[i] - 1) - 1)
            // conv.stride[i]
            + 1
            for i in (0, 1)
        )
        out = out.view(-1, n, height, width).transpose(0, 1)
        return out if bias is None else out + bias.view(-1, 1, 1)

    return convolve


def _biased(out: Tensor, bias: Tensor | None) -> Tensor:
    return out if bias is None else out + bias


def _matrix(layer: nn.Linear | nn.Conv2d, weight: Tensor) -> Tensor:
    """Return the weights as one matrix, (out, all inputs of a patch); those of a group are 0 for the other groups."""
    flat = weight.reshape(len(weight), -1)
    groups = getattr(layer, "groups", 1)
    if groups == 1:
        return flat
    return torch.block_diag(*flat.chunk(groups))


def _product(matrix: Tensor, way: str) -> Forward:
    """Return the product with a sparse matrix, (in, n) → (out, n)."""
    if way == "scipy CSR":
        by_scipy = csr_array(matrix.numpy())
        return lambda x: torch.from_numpy(np.ascontiguousarray(by_scipy @ np.ascontiguousarray(x.numpy())))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # that CSR is in beta: what it computes is tested here
        by_torch: Any = matrix.to_sparse_csr()
    return lambda x: by_torch @ x.contiguous()
