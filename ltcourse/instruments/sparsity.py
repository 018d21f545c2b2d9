"""What a mask saves, counted: weights and multiplications, layer by layer, with and without zero activations."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ltcourse.networks import masks
from ltcourse.networks.masks import Mask


@dataclass(frozen=True)
class Layer:
    """One layer under a mask.

    shape: of its weights, (out, in) or (out, in of a group, height, width). weights, kept: all, and those that the mask
    keeps. flop: multiplications and additions for one example, dense. needed: those with a weight that is kept.
    nonzero: of `needed`, those with an input that is not 0 as well, on average over the examples; None where there are
    shapes and no values.
    Lesson 02, "Fewer multiplications".
    """

    name: str
    shape: tuple[int, ...]
    weights: int
    kept: int
    flop: int
    needed: int
    nonzero: float | None


def layers(network: nn.Module, mask: Mask | None, x: Tensor) -> list[Layer]:
    """Count each dense layer and convolution of a network, in the order in which an example goes through them.

    mask: None for the dense network. x: (n, channels, height, width), examples to count zero activations with; on the
    meta device, as the network then is, there are none to count. A weight of a convolution is used once at each
    position of its output, so that its FLOP are 2 · weights · positions; the zeros of the padding count as inputs,
    but not in `nonzero`. The network is in evaluation for as long as this lasts.
    Raises ValueError for a mask of another network.
    Source: Han et al. 2015, Tables 2 to 5; there "Act %" stands for what is counted here exactly.
    Lesson 02, "Fewer multiplications".
    """
    mask = masks.dense(network) if mask is None else mask
    masks.check(mask, network)
    found: list[Layer] = []

    def count(name: str, keep: Tensor) -> None:
        def hook(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> None:
            weights = keep.numel()
            positions = output[0].numel() // output.shape[1]
            kept = weights if keep.is_meta else int(keep.sum())
            nonzero = None
            if not output.is_meta:
                weight: Tensor = network.get_parameter(name)
                # the same layer with ones for weights that are kept and for inputs that are not 0 adds up the pairs
                pairs = _linear(module, (inputs[0] != 0).to(weight.dtype), keep.to(weight.dtype))
                nonzero = 2 * float(pairs.sum(dtype=torch.float64)) / len(output)
            found.append(
                Layer(name, tuple(keep.shape), weights, kept, 2 * weights * positions, 2 * kept * positions, nonzero)
            )

        hooks.append(network.get_submodule(name.removesuffix(".weight")).register_forward_hook(hook))

    hooks: list[torch.utils.hooks.RemovableHandle] = []
    was_training = network.training
    network.eval()
    try:
        for name, keep in mask.items():
            count(name, keep)
        with torch.no_grad():
            network(x)
    finally:
        for handle in hooks:
            handle.remove()
        network.train(was_training)
    return found


def by_shares(rows: Sequence[Layer], shares: dict[str, float], active: dict[str, float] | None = None) -> list[Layer]:
    """Return the layers as they would be under given shares, for networks of which only a table is known.

    rows: of the dense network. shares: name of a layer, without ".weight" → share of its weights kept, 0 to 1. active:
    the share of each layer's outputs that are not 0, so that `nonzero` is the product that the paper prints: share kept
    · share of the inputs that are not 0 (those of the first layer all count).
    Source: Han et al. 2015, Tables 2 to 5.
    Lesson 02, "The parameter columns".
    """
    result = []
    before = 1.0
    for row in rows:
        name = row.name.removesuffix(".weight")
        needed = shares[name] * row.flop
        result.append(
            Layer(
                row.name,
                row.shape,
                row.weights,
                round(shares[name] * row.weights),
                row.flop,
                round(needed),
                None if active is None else needed * before,
            )
        )
        before = active[name] if active else 1.0
    return result


def compression(rows: Sequence[Layer]) -> float:
    """Return how many times fewer weights there are: all / kept; infinite where none is.

    Source: Blalock et al. 2020, Sec. 6: the compression ratio, to be reported beside the speed-up.
    Lesson 02, "Compression is not speed".
    """
    return _ratio(sum(r.weights for r in rows), sum(r.kept for r in rows))


def speed_up(rows: Sequence[Layer], *, skip_zeros: bool = False) -> float:
    """Return how many times fewer FLOP are needed: the theoretical speed-up.

    skip_zeros: whether those with an activation of 0 are left out, too, which no longer depends on the mask alone.
    Raises ValueError where zero activations were not counted.
    Source: Blalock et al. 2020, Sec. 6.
    Lesson 02, "Compression is not speed".
    """
    if not skip_zeros:
        return _ratio(sum(r.flop for r in rows), sum(r.needed for r in rows))
    left = [r.nonzero for r in rows]
    if None in left:
        raise ValueError("zero activations were not counted: give `layers` examples, not shapes alone")
    return _ratio(sum(r.flop for r in rows), sum(n for n in left if n is not None))


def _ratio(dense: float, sparse: float) -> float:
    return dense / sparse if sparse else float("inf")


def _linear(layer: nn.Module, x: Tensor, weight: Tensor) -> Tensor:
    if isinstance(layer, nn.Conv2d):
        return nn.functional.conv2d(x, weight, None, layer.stride, layer.padding, layer.dilation, layer.groups)
    return nn.functional.linear(x, weight)
