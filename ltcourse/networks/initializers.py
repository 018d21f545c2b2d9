"""How the weights of a network are drawn: Xavier, Kaiming, signed constant (slide S12)."""

import math
from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrize import is_parametrized

from ltcourse.names import choose
from ltcourse.networks.dropout import Dropout
from ltcourse.quantities import real, seeded

Initializer = Callable[[Tensor, torch.Generator], Tensor]
_NORMS = (nn.modules.batchnorm._BatchNorm, nn.LayerNorm, nn.GroupNorm)


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return (fan_in, fan_out) of a weight: how many inputs one output sums, and the other way round.

    shape: (out, in) of a dense layer or (out, in, height, width) of a convolution, whose kernel area counts in both.
    In a grouped convolution `in` is one group's inputs already, and fan_out counts all groups, as PyTorch does.
    Raises ValueError for a shape of fewer than two dimensions.
    Source: Glorot & Bengio 2010; He et al. 2015, Sec. 2.2.
    Lesson 06, "Convolutions".
    """
    if len(shape) < 2:
        raise ValueError(f"a weight of shape {tuple(shape)} has no fans: only weights of 2 or more dimensions do")
    area = math.prod(shape[2:])
    return shape[1] * area, shape[0] * area


def with_gain(gain: float) -> Initializer:
    """Return an initializer that draws from N(0, gain² / fan_in): with gain sqrt(2) it is `kaiming_normal`.

    gain: 1 keeps the mean square through layers without an activation; sqrt(2) makes up for ReLU.
    Lesson 06, "Other activations".
    """

    def draw(weight: Tensor, generator: torch.Generator) -> Tensor:
        return _normal(weight, gain / math.sqrt(fans(tuple(weight.shape))[0]), generator)

    return draw


def xavier_normal(weight: Tensor, generator: torch.Generator, kept: float = 1.0) -> Tensor:
    """Draw a tensor like `weight` from N(0, 2 / (fan_in + fan_out)), the Gaussian Glorot initialization.

    kept: share of the weights that will be used, 0 to 1: the fan_in of the formula is kept · fan_in.
    Source: Glorot & Bengio 2010, Eq. 12 (its variance, with a normal distribution); Frankle & Carbin 2019, Fig. 2.
    Lesson 06, "The way back".
    """
    fan_in, fan_out = fans(tuple(weight.shape))
    return _normal(weight, math.sqrt(2 / (kept * fan_in + fan_out)), generator)


def kaiming_normal(weight: Tensor, generator: torch.Generator, kept: float = 1.0) -> Tensor:
    """Draw a tensor like `weight` from N(0, 2 / fan_in), which keeps the variance through ReLU layers.

    kept: as of `xavier_normal`.
    Source: He et al. 2015, Eq. 10; Ramanujan et al. 2020, Sec. 4 (scaled by what is kept).
    Lesson 06, "ReLU halves it".
    """
    return _normal(weight, _kaiming_std(weight, kept), generator)


def signed_constant(weight: Tensor, generator: torch.Generator, kept: float = 1.0) -> Tensor:
    """Draw a tensor like `weight` of the two values ±sqrt(2 / fan_in), each sign with probability 1/2.

    kept: as of `xavier_normal`.
    Source: Ramanujan et al. 2020, Sec. 4.1 (signed Kaiming constant).
    Lesson 06, "Two values".
    """
    signs = torch.randint(0, 2, weight.shape, generator=generator) * 2 - 1
    return (signs * _kaiming_std(weight, kept)).to(weight)


INITIALIZERS = {"xavier": xavier_normal, "kaiming": kaiming_normal, "signed constant": signed_constant}


def named(name: str, kept: float = 1.0) -> Initializer:
    """Return the initializer of a name of `INITIALIZERS`, scaled to the share of the weights that will be used.

    kept: 0 to 1; a subnetwork of that share then has the variance that the whole network has at 1.
    Raises ValueError for an unknown name or a share that is not above 0 and at most 1.
    Source: Ramanujan et al. 2020, Sec. 4 (scaled Kaiming normal: k · fan_in in place of fan_in).
    Lesson 07, "Which random weights?".
    """
    kept = real("kept", kept)
    if not 0 < kept <= 1:
        raise ValueError(f"a share of {kept} cannot be kept: write 0.3 for 30 %")
    return partial(INITIALIZERS[choose("initializer", name, INITIALIZERS)], kept=kept)


def initialize(network: nn.Module, initializer: Initializer, seed: int) -> nn.Module:
    """Fill every weight of `network` in place: weights by `initializer`, biases with 0, norm layers as PyTorch does.

    All draws come in the order of the layers from one generator on the CPU, so that a seed means the same
    weights on every device. Raises ValueError for a network whose weights are frozen under scores.
    Lesson 01, "A network with random weights".
    """
    generator = seeded(seed)
    with torch.no_grad():
        for module in network.modules():
            if is_parametrized(module):
                raise ValueError("the weights are frozen under scores: take them off with supermasks.release(network)")
            weight = getattr(module, "weight", None)
            if isinstance(weight, Tensor) and weight.dim() >= 2:
                weight.copy_(initializer(torch.empty(weight.shape), generator))
                if isinstance(bias := getattr(module, "bias", None), Tensor):
                    bias.zero_()
            elif isinstance(module, _NORMS):
                module.reset_parameters()
            elif isinstance(module, Dropout):
                module.begin(int(torch.randint(2**60, (), generator=generator)))
    return network


def _kaiming_std(weight: Tensor, kept: float) -> float:
    return math.sqrt(2 / (kept * fans(tuple(weight.shape))[0]))


def _normal(weight: Tensor, std: float, generator: torch.Generator) -> Tensor:
    return (torch.randn(weight.shape, generator=generator) * std).to(weight)
