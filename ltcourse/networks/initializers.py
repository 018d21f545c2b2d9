"""How the weights of a network are drawn: Xavier, Kaiming, signed constant (slide S12)."""

import copy
import itertools
import math
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ltcourse.names import choose
from ltcourse.networks.dropout import Dropout
from ltcourse.networks.weights import LAYERS, NORMS, Layer, has_scores, is_plain, owned, refuse_computed
from ltcourse.quantities import real, seeded

Initializer = Callable[[Tensor, torch.Generator], Tensor]


def fans(shape: tuple[int, ...]) -> tuple[int, int]:
    """Return (fan_in, fan_out) of a weight: how many inputs one output sums, and the other way round.

    shape: (out, in) of a dense layer or (out, in, height, width) of a convolution, whose kernel area counts in both.
    In a grouped convolution `in` is one group's inputs already, and fan_out counts all groups, as PyTorch does. PyTorch
    keeps the weight of a transposed convolution as (in, out, height, width): ask for the fans of `ordinary_shape`.
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


def ordinary_shape(layer: Layer) -> tuple[int, ...]:
    """Return the shape (out, in, …) of a layer's weight, of a transposed convolution's too.

    Lesson 06, "Convolutions".
    """
    if isinstance(layer, nn.modules.conv._ConvNd) and layer.transposed:
        return (layer.out_channels, layer.in_channels // layer.groups, *layer.kernel_size)
    return tuple(layer.weight.shape)


def initialize(network: nn.Module, initializer: Initializer, seed: int, *, frozen: bool = True) -> nn.Module:
    """Fill every weight of `network` in place: weights by `initializer`, biases with 0, norm layers as PyTorch does.

    All draws come in the order of the layers from one generator on the CPU, so that a seed means the same
    weights on every device. What belongs to no dense layer, convolution or norm layer (recurrent layers, attention,
    embeddings, modules of your own) is drawn by its module's `reset_parameters`, from a seed as well. frozen: whether
    parameters that require no gradient are drawn, too.
    Raises ValueError, and leaves the network as it was, for a parameter that no module says how to draw, and for
    weights that are computed from others or frozen under scores.
    Lesson 01, "A network with random weights".
    """
    if has_scores(network):
        raise ValueError("the weights are frozen under scores: take them off with supermasks.release(network)")
    refuse_computed(network)
    others = {name for name, owner, attribute, _ in owned(network) if not is_plain(owner, attribute)}
    stays = [] if frozen else [(t, t.detach().clone()) for t in _frozen(network)]
    drawn = copy.deepcopy(network).cpu() if others else network
    generator = seeded(seed)
    with torch.no_grad():
        _reset(drawn, others, seed)
        for module in drawn.modules():
            if isinstance(module, LAYERS):
                module.weight.copy_(_of_layer(module, initializer, generator))
                if module.bias is not None:
                    module.bias.zero_()
            elif isinstance(module, NORMS):
                module.reset_parameters()
            elif isinstance(module, Dropout):
                module.begin(int(torch.randint(2**60, (), generator=generator)))
        if others:
            _refuse_undrawn(drawn, others, frozen)
            network.load_state_dict(drawn.state_dict())
        for tensor, before in stays:
            tensor.copy_(before)
    return network


def _frozen(network: nn.Module) -> list[Tensor]:
    """What is frozen: parameters that require no gradient, and the statistics of modules that have no others."""
    found: list[Tensor] = [p for p in network.parameters() if not p.requires_grad]
    for module in network.modules():
        own = list(module.parameters(recurse=False))
        if own and not any(p.requires_grad for p in own):
            found += module.buffers(recurse=False)
    return found


def _reset(network: nn.Module, others: set[str], seed: int) -> None:
    """Let the modules that hold the parameters `others` draw them in their own way, from a seed."""
    if not others:
        return
    for name in others:
        network.get_parameter(name).fill_(math.nan)  # what is still one later was not drawn
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0x2E5E_0000 + seed)  # not the stream that the layers are drawn from
        for module in network.modules():
            if all(is_plain(module, attribute) for attribute, _ in module.named_parameters(recurse=False)) and (
                isinstance(module, (*LAYERS, *NORMS))
            ):
                continue
            reset = getattr(module, "reset_parameters", None) or getattr(module, "_reset_parameters", None)
            if callable(reset):
                reset()


def _refuse_undrawn(network: nn.Module, others: set[str], frozen: bool) -> None:
    for name, owner, _, parameter in owned(network):
        if name in others and parameter.isnan().any() and (frozen or parameter.requires_grad):
            raise ValueError(
                f"{name!r} cannot be drawn anew, since its module {type(owner).__name__} does not say how: give that "
                "class a method reset_parameters() that draws it"
            )


def _of_layer(layer: Layer, initializer: Initializer, generator: torch.Generator) -> Tensor:
    """Draw the weight of a dense layer or a convolution."""
    if isinstance(layer, nn.Linear) or not layer.transposed:
        return initializer(torch.empty(layer.weight.shape), generator)
    # with stride s, each output is a sum over every s-th tap: so many ordinary convolutions, whose outputs take turns
    shape = ordinary_shape(layer)
    weight = torch.empty(shape)
    turns = [
        [torch.arange(k)[(torch.arange(k) * spacing) % stride == turn] for turn in range(stride)]
        for k, spacing, stride in zip(shape[2:], layer.dilation, layer.stride, strict=True)
    ]
    for taps in itertools.product(*turns):
        if all(map(len, taps)):
            part = initializer(torch.empty(*shape[:2], *map(len, taps)), generator)
            everywhere: tuple[Any, ...] = (slice(None), slice(None), *torch.meshgrid(*taps, indexing="ij"))
            weight[everywhere] = part
    return weight.unflatten(0, (layer.groups, -1)).transpose(1, 2).flatten(0, 1)


def _kaiming_std(weight: Tensor, kept: float) -> float:
    return math.sqrt(2 / (kept * fans(tuple(weight.shape))[0]))


def _normal(weight: Tensor, std: float, generator: torch.Generator) -> Tensor:
    return (torch.randn(weight.shape, generator=generator) * std).to(weight)
