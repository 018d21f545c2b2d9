"""Edge-popup: find a subnetwork that performs well in a network whose random weights are never trained.

Every weight gets a score. The forward pass uses the weights whose |score| is in the top k of their layer, the backward
pass moves every score, those of the others too, so that an edge that was dropped can come back (Ramanujan et al. 2020).
"""

import hashlib
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from ltcourse.names import choose
from ltcourse.networks import masks
from ltcourse.networks.initializers import fans, ordinary_shape
from ltcourse.networks.masks import Mask
from ltcourse.networks.weights import LAYERS, NORMS, are_scores, is_plain, owned, tied
from ltcourse.quantities import seeded

Shares = float | Mapping[str, float]


class Subnetwork(torch.autograd.Function):
    """The weights in use, w ⊙ h(|s|), as a function of the scores s: h is 1 for the largest and 0 for the others.

    Backward, h counts as the identity (the straight-through estimator): ∂L/∂s = ∂L/∂(used) · w · sign(s), which is the
    paper's s_uv ← s_uv − α · ∂L/∂I_v · Z_u · w_uv for positive scores.
    Source: Ramanujan et al. 2020, Sec. 3.2, Eq. 5 and 6.
    Lesson 07, "Edge-popup by hand".
    """

    @staticmethod
    def forward(ctx: Any, scores: Tensor, weight: Tensor, count: int) -> Tensor:
        """Return the weights of the `count` largest |scores|, and 0 for the others."""
        ctx.save_for_backward(scores, weight)
        # as floats in the layout of the weight: several times as fast as to choose by booleans
        return torch.empty_like(weight).copy_(masks.top(scores.abs(), count)).mul_(weight)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        """Return the gradient of every score, of those of the unused weights too."""
        scores, weight = ctx.saved_tensors
        return scores.sign().mul_(weight).mul_(grads[0]), None, None


class Popup(nn.Module):
    """The parametrization of one layer's weight by scores: exactly round(k · n) weights are kept.

    k: share kept, 0 to 1.
    Lesson 07, "Edge-popup by hand".
    """

    under_scores = True  # what `networks.weights` knows it by

    def __init__(self, scores: Tensor, k: float) -> None:
        super().__init__()
        self.scores = nn.Parameter(scores)
        self.k = k

    def forward(self, weight: Tensor) -> Tensor:
        """Return the weight of which only the kept ones are not 0."""
        return Subnetwork.apply(self.scores, weight, self.count)

    @property
    def count(self) -> int:
        """How many weights are kept."""
        return round(masks.check_share(self.k, "k") * self.scores.numel())

    def mask(self) -> Tensor:
        """Return which weights are kept, True or False, of the shape of the weight."""
        return masks.keep_largest(self.scores.detach().abs(), self.count)


def edge_popup(network: nn.Module, k: Shares, *, seed: int = 0) -> nn.Module:
    """Freeze the weights of `network`, in place, and put a score on each: what is trained from now on are the scores.

    k: share of each layer's weights to keep, 0 to 1, one for all layers or one per layer ("fc1.weight" → share). All
    layers are masked, the first and the last too. Biases are removed, batch norm loses its learned scale and shift and
    keeps its running statistics, as in the paper. seed: of the scores, U(−1/√fan_in, 1/√fan_in). Works on the networks
    of the course and on others of dense layers and convolutions, such as torchvision's ResNets; `train` trains it.
    Raises ValueError, and leaves the network as it is, for a share outside 0 to 1, an unknown layer, a network that has
    scores already, one with parameters of other kinds (attention, recurrent layers, embeddings), and shared weights.
    Source: Ramanujan et al. 2020, Sec. 3.2 and 4.
    Lesson 07, "Edge-popup by hand".
    """
    if scored(network):
        raise ValueError("this network has scores already: set another k with supermasks.set_k(network, k)")
    weights = masks.some(masks.prunable(network))
    _refuse_other_kinds(network)
    shares = {name: _share_of(name, k, weights) for name in weights}
    generator = seeded(seed, 0x5C0E_0000)  # not the stream that the weights were drawn from
    for module in list(network.modules()):
        if isinstance(module, NORMS):
            _without(module, "weight", "bias")
            # it is a norm without scale and shift now: printed as one, and resettable, which `initialize` does
            by_element = isinstance(module, nn.LayerNorm | nn.RMSNorm)
            setattr(module, "elementwise_affine" if by_element else "affine", False)
        elif isinstance(module, LAYERS):
            _without(module, "bias")
    for name, weight in weights.items():
        layer, attribute = _owner(network, name)
        bound = fans(ordinary_shape(layer))[0] ** -0.5  # type: ignore[arg-type]
        drawn = (2 * torch.rand(weight.shape, generator=generator) - 1) * bound
        scores = torch.empty_like(weight.detach()).copy_(drawn)  # in the memory layout of the weight
        weight.requires_grad_(False)
        parametrize.register_parametrization(layer, attribute, Popup(scores, shares[name]))
    return network


def scored(network: nn.Module) -> dict[str, Popup]:
    """Return the parametrization of each layer that has scores, by the name of its weight: "fc1.weight" → Popup.

    Lesson 07, "Edge-popup by hand".
    """
    found = {}
    for name, module in network.named_modules():
        for attribute, chain in getattr(module, "parametrizations", {}).items():
            if are_scores(chain):
                found[f"{name}.{attribute}".removeprefix(".")] = chain[0]
    return found


def set_k(network: nn.Module, k: Shares) -> nn.Module:
    """Keep another share of each layer's weights, with the scores as they are.

    k: as of `edge_popup`. Raises ValueError for a share outside 0 to 1, an unknown layer, or a network without scores.
    Lesson 07, "How many edges?".
    """
    layers = _layers(network)
    shares = {name: _share_of(name, k, layers) for name in layers}
    for name, layer in layers.items():
        layer.k = shares[name]
    return network


def supermask(network: nn.Module) -> Mask:
    """Return the mask that the scores choose: a mask of the frozen network, under its own parameter names.

    Raises ValueError for a network without scores.
    Lesson 07, "Edge-popup by hand".
    """
    return {name: layer.mask() for name, layer in _layers(network).items()}


def release(network: nn.Module) -> Mask:
    """Take the scores off, in place, and return the supermask: `masks.apply(network, mask)` is then the subnetwork.

    The network has its random weights again, all of them, and no biases; they can be trained from now on.
    Raises ValueError for a network without scores.
    Lesson 07, "No weight has moved".
    """
    mask = supermask(network)
    for name in mask:
        layer, attribute = _owner(network, name)
        parametrize.remove_parametrizations(layer, attribute, leave_parametrized=False)
        getattr(layer, attribute).requires_grad_(True)
    return mask


def frozen(network: nn.Module) -> dict[str, Tensor]:
    """Return the random weights under the scores, by name; of a network without scores, its weights.

    Lesson 07, "No weight has moved".
    """
    layers = scored(network)
    if not layers:
        return {name: p.detach() for name, p in masks.prunable(network).items()}
    chains = ((name, *_owner(network, name)) for name in layers)
    return {name: layer.parametrizations[attribute].original.detach() for name, layer, attribute in chains}  # type: ignore[index,union-attr]


def checksum(network: nn.Module) -> str:
    """Return the SHA-256 of all random weights, bit by bit: it changes if a single one does.

    Lesson 07, "No weight has moved".
    """
    digest = hashlib.sha256()
    for name, w in sorted(frozen(network).items()):
        digest.update(f"{name} {tuple(w.shape)} {w.dtype}".encode())
        digest.update(w.contiguous().flatten().view(torch.uint8).cpu().numpy().tobytes())
    return digest.hexdigest()


def _layers(network: nn.Module) -> dict[str, Popup]:
    found = scored(network)
    if not found:
        raise ValueError("this network has no scores: give it some with supermasks.edge_popup(network, k)")
    return found


def _refuse_other_kinds(network: nn.Module) -> None:
    for name, owner, attribute, _ in owned(network):
        if not is_plain(owner, attribute):
            raise ValueError(
                f"edge-popup is for networks of dense layers, convolutions and norm layers, and {name!r} is a "
                f"parameter of {type(owner).__name__}: build that part of such layers, or prune with prune_iteratively"
            )
    for first, second, *_ in tied(network):
        raise ValueError(
            f"{first!r} and {second!r} are one parameter, which scores of each layer would untie: give the second "
            "layer a copy, nn.Parameter(weight.detach().clone()), before edge_popup"
        )


def _share_of(name: str, k: Shares, layers: Mapping[str, Any]) -> float:
    if isinstance(k, Mapping):
        for given in k:
            choose("layer", given, layers)
        if name not in k:
            raise ValueError(
                f"k gives no share for {name!r}: give one for each of {', '.join(layers)}, or one number for all"
            )
        k = k[name]
    return masks.check_share(k, "k")


def _owner(network: nn.Module, name: str) -> tuple[nn.Module, str]:
    module, _, attribute = name.rpartition(".")
    return network.get_submodule(module), attribute


def _without(module: nn.Module, *names: str) -> None:
    for name in names:
        if isinstance(getattr(module, name, None), nn.Parameter):
            module.register_parameter(name, None)
