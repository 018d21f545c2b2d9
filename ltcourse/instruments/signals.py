"""What goes through a deep network before any training, and what comes back: the spread of each layer (slide S12)."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ltcourse.names import choose
from ltcourse.networks.initializers import Initializer, initialize, xavier_normal

ACTIVATIONS: dict[str, Callable[[], nn.Module]] = {"ReLU": nn.ReLU, "tanh": nn.Tanh, "none": nn.Identity}


@dataclass(frozen=True)
class Signals:
    """The root mean square of what goes through a network, layer by layer, and of the gradients that come back.

    activations: of the images, of what each layer hands to the next, and of the logits. gradients: of an image's loss
    with respect to each of these numbers, in the same order. Both have an entry more than the network has layers.
    Lesson 06, "Thirty layers".
    """

    activations: list[float]
    gradients: list[float]


def plain(
    depth: int,
    width: int,
    *,
    activation: str = "ReLU",
    inputs: int = 784,
    classes: int = 10,
    initializer: Initializer = xavier_normal,
    seed: int = 0,
    device: str | torch.device = "cpu",
) -> nn.Sequential:
    """Build a network of `depth` dense layers with an activation between them, and no shortcut and no norm.

    depth: layers of weights, the output layer among them. width: neurons of each hidden layer. activation: a key of
    `ACTIVATIONS`. inputs: pixels of an image. It maps images (n, channels, height, width) to logits (n, classes).
    Raises ValueError for an unknown activation or fewer than one layer.
    Lesson 06, "Thirty layers".
    """
    between = ACTIVATIONS[choose("activation", activation, ACTIVATIONS)]
    if depth < 1:
        raise ValueError(f"a network of {depth} layers: it needs at least the output layer, depth=1")
    layers: list[nn.Module] = [nn.Flatten()]
    with torch.device("meta"):
        for into, out in pairwise([inputs, *[width] * (depth - 1), classes]):
            layers += [nn.Linear(into, out), between()]
        network = nn.Sequential(*layers[:-1])
    return initialize(network.to_empty(device=device), initializer, seed)  # type: ignore[return-value]


def measure(network: nn.Sequential, x: Tensor, y: Tensor) -> Signals:
    """Send labeled images through a network and their loss back, and return the spread of each layer.

    x: (n, channels, height, width); y: (n,). The network is left as it was, and has no gradients afterwards that it had
    not before.
    Source: He et al. 2015, Sec. 2.2, whose derivation is about these numbers.
    Lesson 06, "Thirty layers".
    """
    signal = x.detach().clone().requires_grad_()
    stations = []
    for module in network:
        if getattr(module, "weight", None) is not None:
            stations.append(signal)
        signal = module(signal)
    stations.append(signal)
    # a sum, so that each image has the gradient that it would have alone
    loss = cross_entropy(signal, y, reduction="sum")
    return Signals([rms(s) for s in stations], [rms(g) for g in torch.autograd.grad(loss, stations)])


def rms(values: Tensor) -> float:
    """Return the root mean square, in double precision: squares of very small numbers would otherwise be 0.

    Lesson 06, "One neuron adds up".
    """
    return float(values.detach().double().square().mean().sqrt())


def factor(spreads: Sequence[float]) -> float:
    """Return by how much a layer multiplies the spread, in the geometric mean of all layers.

    spreads: of the first layer to the last. Raises ValueError for fewer than two.
    Lesson 06, "Thirty layers".
    """
    if len(spreads) < 2:
        raise ValueError(f"{len(spreads)} spreads: a factor needs at least two layers")
    return math.pow(spreads[-1] / spreads[0], 1 / (len(spreads) - 1))
