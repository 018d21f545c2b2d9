"""How the weights of a network are drawn: Xavier, Kaiming, signed constant (slide S12)."""

import inspect
import itertools
import math
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ltcourse.names import choose
from ltcourse.networks.dropout import Dropout
from ltcourse.networks.weights import (
    LAYERS,
    NORMS,
    Layer,
    copied,
    has_scores,
    is_plain,
    owned,
    refuse_computed,
    refuse_meta,
)
from ltcourse.quantities import not_negative, real, seeded

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
    Raises ValueError for what is no number of at least 0.
    Lesson 06, "Other activations".
    """
    gain = not_negative("gain", gain)

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
    While it draws, the random numbers of Python, NumPy and PyTorch come from the seed, too.
    Parameters that are no floating-point numbers, and buffers that no `reset_parameters` sets, stay as they are.
    Raises ValueError, and leaves the network as it was, for a parameter that no module says how to draw, for random
    numbers that do not come from the seed, and for weights that are computed from others or frozen under scores.
    Lesson 01, "A network with random weights".
    """
    if has_scores(network):
        raise ValueError("the weights are frozen under scores: take them off with supermasks.release(network)")
    _refuse_no_initializer(initializer)
    refuse_computed(network)
    refuse_meta(network)
    everything = list(owned(network))
    if not everything:
        raise ValueError("this network has no parameters, so nothing is drawn: give it a layer such as nn.Linear")
    others = {name for name, owner, at, p in everything if not is_plain(owner, at) and p.is_floating_point()}
    stays = [] if frozen else [(t, t.detach().clone()) for t in _frozen(network)]
    drawn = _drawn(network, others, initializer, seed)
    if others:
        _refuse_undrawn(drawn, others, frozen)
        _refuse_chance(drawn, _drawn(network, others, initializer, seed), others)
    with torch.no_grad():
        if drawn is not network:
            network.load_state_dict(drawn.state_dict())
        for tensor, before in stays:
            tensor.copy_(before)
    return network


def _refuse_no_initializer(initializer: Any) -> None:
    """Raise ValueError, with what to write, for what cannot be called with a weight and a generator."""
    right = "such as initializers.xavier_normal, or initializers.named('xavier')"
    if not callable(initializer):
        raise ValueError(f"the initializer is {initializer!r}: give a function of a weight and a generator, {right}")
    if getattr(initializer, "__module__", "") == "torch.nn.init":
        raise ValueError(
            f"{initializer.__name__} of torch.nn.init takes no generator in second place: write lambda weight, "
            f"generator: nn.init.{initializer.__name__}(weight, generator=generator), or choose one {right}"
        )
    if not _takes(initializer, 2):
        raise ValueError(f"an initializer is a function of a weight and a generator, and this takes others: {right}")


def _takes(function: Callable[..., Any], count: int) -> bool:
    """Whether a function can be called with so many arguments; those that do not tell are believed to."""
    try:
        inspect.signature(function).bind(*range(count))
    except TypeError:
        return False
    except ValueError:
        pass
    return True


class _Watched(TorchFunctionMode):
    """Refuse random numbers of PyTorch of another generator than the one that is given, or after another seed."""

    def __init__(self, generator: torch.Generator, begun: int) -> None:
        super().__init__()
        self._known, self._begun = (generator, torch.default_generator), begun

    def __torch_function__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        used = [value for value in (*args, *kwargs.values()) if isinstance(value, torch.Generator)]
        if torch.default_generator.initial_seed() != self._begun or any(one not in self._known for one in used):
            raise ValueError(
                "the weights are drawn from a generator or a seed of the network's own, so that every seed would mean "
                "the same ones: let reset_parameters() and the initializer draw without a generator, or from the one "
                "that they are given"
            )
        return function(*args, **kwargs)


_ONE_AT_A_TIME = threading.RLock()


@contextmanager
def _from(seed: int, generator: torch.Generator) -> Iterator[None]:
    """Let all random numbers of the process come from a seed inside the block, and from where they were after it.

    One thread at a time draws, the others wait.
    """
    begin = 0x2E5E_0000 + seed  # not the stream that the layers are drawn from
    with _ONE_AT_A_TIME, torch.random.fork_rng(devices=[]):
        python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002 (the state that others draw from)
        torch.default_generator.manual_seed(begin)
        random.seed(begin)
        np.random.seed(begin % 2**32)  # noqa: NPY002
        try:
            with _Watched(generator, torch.default_generator.initial_seed()):
                yield
        finally:
            random.setstate(python)
            np.random.set_state(numpy)  # noqa: NPY002


def _drawn(network: nn.Module, others: set[str], initializer: Initializer, seed: int) -> nn.Module:
    """Return the network with its weights drawn: itself, or a copy where parameters are drawn by their own modules."""
    drawn = copied(network).cpu() if others else network
    generator = seeded(seed)
    with torch.no_grad(), _from(int(seed), generator):
        _reset(drawn, others)
        for module in drawn.modules():
            if isinstance(module, LAYERS):
                module.weight.copy_(_of_layer(module, initializer, generator))
                if module.bias is not None:
                    module.bias.zero_()
            elif isinstance(module, NORMS):
                module.reset_parameters()
            elif isinstance(module, Dropout):
                module.begin(int(torch.randint(2**60, (), generator=generator)))
        for module in drawn.modules():
            if isinstance(module, (nn.Embedding, nn.EmbeddingBag)) and module.padding_idx is not None:
                module.weight[module.padding_idx] = 0  # also where the weight is a dense layer's as well
    return drawn


def _frozen(network: nn.Module) -> list[Tensor]:
    """What is frozen: parameters that require no gradient, and the statistics of modules that have no others."""
    found: list[Tensor] = [p for p in network.parameters() if not p.requires_grad]
    for module in network.modules():
        own = list(module.parameters(recurse=False))
        if own and not any(p.requires_grad for p in own):
            found += module.buffers(recurse=False)
    return found


def _reset(network: nn.Module, others: set[str]) -> None:
    """Let the modules that hold the parameters `others` draw them in their own way."""
    if not others:
        return
    for name in others:
        network.get_parameter(name).fill_(math.nan)  # what is still one later was not drawn
    for module in network.modules():
        if all(is_plain(module, attribute) for attribute, _ in module.named_parameters(recurse=False)) and (
            isinstance(module, (*LAYERS, *NORMS))
        ):
            continue
        reset = getattr(module, "reset_parameters", None) or getattr(module, "_reset_parameters", None)
        if callable(reset):
            if not _takes(reset, 0):
                raise ValueError(
                    f"{reset.__name__}() of {type(module).__name__} cannot be called without arguments, so that its "
                    "parameters cannot be drawn anew: give its arguments defaults"
                )
            reset()


def _refuse_undrawn(network: nn.Module, others: set[str], frozen: bool) -> None:
    for name, owner, _, parameter in owned(network):
        if name in others and parameter.isnan().any() and (frozen or parameter.requires_grad):
            path = name.rpartition(".")[0]
            while isinstance(owner, (nn.ParameterList, nn.ParameterDict)) and path:  # they say nothing of how to draw
                path = path.rpartition(".")[0]
                owner = network.get_submodule(path)
            raise ValueError(
                f"{name!r} cannot be drawn anew, since its module {type(owner).__name__} does not say how: give that "
                "class a method reset_parameters() that draws it"
            )


def _refuse_chance(network: nn.Module, again: nn.Module, others: set[str]) -> None:
    """Refuse parameters that one seed drew differently the second time."""
    for name in sorted(others):
        if not network.get_parameter(name).equal(again.get_parameter(name)):
            raise ValueError(
                f"{name!r} is drawn differently each time from one seed: let its module's reset_parameters() draw with "
                "torch, np.random or random, and without a generator of its own"
            )


def _of_layer(layer: Layer, initializer: Initializer, generator: torch.Generator) -> Tensor:
    """Draw the weight of a dense layer or a convolution."""
    if isinstance(layer, nn.Linear) or not layer.transposed:
        return _asked(initializer, tuple(layer.weight.shape), generator)
    # with stride s, each output is a sum over every s-th tap: so many ordinary convolutions, whose outputs take turns
    shape = ordinary_shape(layer)
    weight = torch.empty(shape)
    turns = [
        [torch.arange(k)[(torch.arange(k) * spacing) % stride == turn] for turn in range(stride)]
        for k, spacing, stride in zip(shape[2:], layer.dilation, layer.stride, strict=True)
    ]
    for taps in itertools.product(*turns):
        if all(map(len, taps)):
            part = _asked(initializer, (*shape[:2], *map(len, taps)), generator)
            everywhere: tuple[Any, ...] = (slice(None), slice(None), *torch.meshgrid(*taps, indexing="ij"))
            weight[everywhere] = part
    return weight.unflatten(0, (layer.groups, -1)).transpose(1, 2).flatten(0, 1)


def _asked(initializer: Initializer, shape: tuple[int, ...], generator: torch.Generator) -> Tensor:
    """Return what an initializer draws, and raise ValueError for what is no weight of that shape."""
    weight = initializer(torch.empty(shape), generator)
    if not isinstance(weight, Tensor) or weight.shape != shape:
        what = f"shape {tuple(weight.shape)}" if isinstance(weight, Tensor) else f"type {type(weight).__name__}"
        raise ValueError(
            f"the initializer returned what is of {what} for a weight of shape {shape}: let it return the weight"
        )
    return weight


def _kaiming_std(weight: Tensor, kept: float) -> float:
    return math.sqrt(2 / (kept * fans(tuple(weight.shape))[0]))


def _normal(weight: Tensor, std: float, generator: torch.Generator) -> Tensor:
    return (torch.randn(weight.shape, generator=generator) * std).to(weight)
