"""What the parameters of a network are, whoever built it: weights, biases, scales; plain, computed, shared.

The course's own networks are of dense layers, convolutions and norm layers alone. A network from elsewhere may hold
its weights in any module, share them, or compute them from other tensors: here it is said which parameters are weights,
and what can be neither pruned nor drawn is refused in a sentence.
"""

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn.utils import prune
from torch.nn.utils.parametrize import is_parametrized
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

Layer = nn.Linear | nn.modules.conv._ConvNd
LAYERS = (nn.Linear, nn.modules.conv._ConvNd)
NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
_HOOKS = {
    prune.BasePruningMethod: ("_tensor_name", "torch.nn.utils.prune.remove(layer, {0!r})"),
    WeightNorm: ("name", "torch.nn.utils.remove_weight_norm(layer, {0!r})"),
    SpectralNorm: ("name", "torch.nn.utils.remove_spectral_norm(layer, {0!r})"),
}


def owned(network: nn.Module) -> Iterator[tuple[str, nn.Module, str, nn.Parameter]]:
    """Yield each parameter once, in the network's order: its name, the module that holds it, its name there, itself."""
    for name, parameter in network.named_parameters():
        path, _, attribute = name.rpartition(".")
        yield name, network.get_submodule(path), attribute, parameter


def is_plain(owner: nn.Module, attribute: str) -> bool:
    """Whether a parameter is the weight or the bias of a dense layer, a convolution or a norm layer."""
    return isinstance(owner, (*LAYERS, *NORMS)) and attribute in ("weight", "bias")


def is_weight(owner: nn.Module, attribute: str, parameter: Tensor) -> bool:
    """Whether a parameter is a weight that pruning may touch, and no bias, no norm layer's, no token and no scale.

    Weights have 2 or more dimensions. A bare parameter of a module that is not PyTorch's own is one if it has two
    dimensions above 1, the first among them: (1, n, d) is a token or a position, added to every example alike, and
    (c, 1, 1) scales channels.
    """
    if parameter.dim() < 2 or isinstance(owner, NORMS) or "bias" in attribute:
        return False
    if type(owner).__module__.startswith("torch.nn.") or hasattr(owner, "under_scores"):
        return True
    if isinstance(owner, LAYERS) and attribute == "weight":
        return True
    return parameter.shape[0] > 1 and sum(n > 1 for n in parameter.shape) > 1


def refuse_computed(network: nn.Module) -> None:
    """Raise ValueError, with what to do, for weights that are computed from others, overlap, or are not there yet.

    Weights under the scores of edge-popup pass.
    """
    for path, module in network.named_modules():
        for hook in module._forward_pre_hooks.values():
            for kind, (attribute, remedy) in _HOOKS.items():
                if isinstance(hook, kind):
                    tensor = getattr(hook, attribute)
                    what = "torch.nn.utils.prune" if kind is prune.BasePruningMethod else type(hook).__name__
                    _refuse(path, tensor, what, remedy.format(tensor))
        for tensor, chain in module.parametrizations.items() if is_parametrized(module) else ():
            if not are_scores(chain):
                remedy = f"torch.nn.utils.parametrize.remove_parametrizations(layer, {tensor!r})"
                _refuse(path, tensor, type(chain[0]).__name__, remedy)
    for name, parameter in network.named_parameters():
        if nn.parameter.is_lazy(parameter):
            raise ValueError(f"{name!r} has no shape yet: run the network once on a batch of its inputs first")
    _refuse_overlap(network)


def are_scores(chain: nn.ModuleList) -> bool:
    """Whether a weight's parametrization is edge-popup's and nothing else."""
    return len(chain) == 1 and hasattr(chain[0], "under_scores")


def has_scores(network: nn.Module) -> bool:
    """Whether weights of the network are frozen under the scores of edge-popup."""
    return any(hasattr(module, "under_scores") for module in network.modules())


def _refuse(path: str, tensor: str, what: str, remedy: str) -> None:
    raise ValueError(
        f"{f'{path}.{tensor}'.removeprefix('.')!r} is computed by {what} from other tensors and is no weight of its "
        f"own: make it one with {remedy} first"
    )


def tied(network: nn.Module) -> list[list[str]]:
    """Return the names of each parameter that several modules hold. A module used in several places is no such case."""
    names: dict[int, list[str]] = defaultdict(list)
    for path, module in network.named_modules():
        for attribute, parameter in module.named_parameters(recurse=False, remove_duplicate=False):
            names[id(parameter)].append(f"{path}.{attribute}".removeprefix("."))
    return [group for group in names.values() if len(group) > 1]


def _refuse_overlap(network: nn.Module) -> None:
    """Refuse two parameters in the same memory, such as a weight and its transpose."""
    by_storage: dict[int, list[tuple[int, int, str]]] = defaultdict(list)
    for name, p in network.named_parameters():
        if not p.is_meta and p.numel() and p.layout == torch.strided:
            begin = int(p.storage_offset())
            end = begin + sum(int((n - 1) * step) for n, step in zip(p.shape, p.stride(), strict=True))
            by_storage[p.untyped_storage().data_ptr()].append((begin, end, name))
    for spans in by_storage.values():
        spans.sort()
        for (_, end, name), (begin, _, other) in pairwise(spans):
            if begin <= end:
                raise ValueError(
                    f"{name!r} and {other!r} are two parameters in the same memory, so that a mask of one would prune "
                    "the other: make them one parameter, or copy one with clone()"
                )
