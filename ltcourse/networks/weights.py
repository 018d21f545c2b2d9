"""What the parameters of a network are, whoever built it: weights, biases, scales; plain, computed, shared.

The course's own networks are of dense layers, convolutions and norm layers alone. A network from elsewhere may hold
its weights in any module, share them, or compute them from other tensors: here it is said which parameters are weights,
and what can be neither pruned nor drawn is refused in a sentence.
"""

import copy
import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from itertools import combinations

import torch
from torch import Tensor, nn
from torch.nn.utils import prune
from torch.nn.utils.parametrize import is_parametrized
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

Layer = nn.Linear | nn.modules.conv._ConvNd
LAYERS = (nn.Linear, nn.modules.conv._ConvNd)
NORMS = (nn.modules.batchnorm._NormBase, nn.LayerNorm, nn.GroupNorm, nn.RMSNorm)
_BIAS = re.compile(r"(?<![A-Za-z])bias(es)?(?![a-z])|Bias(es)?(?![a-z])")  # as a word of a name: not in "unbiased"
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

    Weights are floating-point numbers in 2 or more dimensions. A bare parameter of a module that is not PyTorch's own
    is one if it has two dimensions above 1, the first among them: (1, n, d) is a token or a position, added to every
    example alike, and (c, 1, 1) scales channels.
    """
    if parameter.dim() < 2 or not parameter.is_floating_point() or isinstance(owner, NORMS) or _BIAS.search(attribute):
        return False
    if type(owner).__module__.startswith("torch.nn.") or hasattr(owner, "under_scores"):
        return True
    if isinstance(owner, LAYERS) and attribute == "weight":
        return True
    return parameter.shape[0] > 1 and sum(n > 1 for n in parameter.shape) > 1


def refuse_foreign(network: nn.Module) -> None:
    """Raise ValueError, with what to do, for what is no plain module whose parameters are dense numbers of their own.

    These are compiled scripts, quantized layers, and parameters that are sparse, complex, have no shape yet or overlap.
    """
    if not isinstance(network, nn.Module):
        raise ValueError(f"a network is an nn.Module, and this is a {type(network).__name__}: give the network itself")
    for path, module in network.named_modules():
        where = f"{path!r}" if path else "this network"
        if isinstance(module, torch.jit.ScriptModule):
            raise ValueError(
                f"{where} is compiled by torch.jit, which keeps its parameters to itself: use the module that it was "
                "made of, and compile that in the end"
            )
        if type(module).__module__.startswith("torch.") and ".quantized" in type(module).__module__:
            raise ValueError(
                f"{where} is quantized, so that its weights are no parameters: use the network as it was before, and "
                "quantize it in the end"
            )
    for name, p in network.named_parameters():
        if nn.parameter.is_lazy(p):
            raise ValueError(f"{name!r} has no shape yet: run the network once on a batch of its inputs first")
        if p.layout != torch.strided:
            raise ValueError(f"{name!r} is a sparse tensor: make it a dense one with nn.Parameter(weight.to_dense())")
        if p.is_complex():
            raise ValueError(
                f"{name!r} is complex, and weights are real numbers here: keep its real and its imaginary part, as "
                "torch.view_as_real gives them, in a parameter"
            )
    _refuse_overlap(network)


def refuse_meta(network: nn.Module) -> None:
    """Raise ValueError, with what to do, for a network on the meta device, which has shapes and no numbers."""
    for name, p in network.named_parameters():
        if p.is_meta:
            raise ValueError(
                f"{name!r} is on the device 'meta' and holds no numbers: build the network on 'cpu', or move it there "
                "with network.to_empty(device='cpu') and draw its weights"
            )


def refuse_computed(network: nn.Module) -> None:
    """Raise ValueError, with what to do, for weights that are computed from others, and as `refuse_foreign` does.

    Weights under the scores of edge-popup pass.
    """
    refuse_foreign(network)
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


@contextmanager
def computed_once(network: nn.Module) -> Iterator[None]:
    """Compute weights that are computed from others, as those under scores are, once for as long as the block lasts.

    What PyTorch has for this, `parametrize.cached`, holds for all networks of a process: another one that is trained
    beside this one, in a thread of its own, would then keep its weights, too.
    """
    chains = [c for m in network.modules() if is_parametrized(m) for c in m.parametrizations.values()]  # type: ignore[operator]
    values = [chain() for chain in chains]
    try:
        for chain, value in zip(chains, values, strict=True):
            chain.forward = partial(_given, value)
        yield
    finally:
        for chain in chains:
            vars(chain).pop("forward", None)


def _given(value: Tensor) -> Tensor:
    return value


def refuse_own_masks(network: nn.Module) -> None:
    """Raise ValueError, with what to do, for a weight beside which its module keeps a mask of its own.

    Such a mask is a tensor of the weight's shape, of zeros and ones or of booleans. One that is kept elsewhere is not
    seen.
    """
    for name, owner, attribute, p in owned(network):
        if p.is_meta or not is_weight(owner, attribute, p):
            continue
        beside = {**owner._parameters, **owner._buffers, **vars(owner)}
        for other, tensor in beside.items():
            if tensor is not p and isinstance(tensor, Tensor) and tensor.shape == p.shape and _is_mask(other, tensor):
                raise ValueError(
                    f"the module of {name!r} has a mask of its own, {other!r}, of which no count of weights would "
                    "know: leave it out, and give it to masks.apply(network, mask) and train(…, mask=mask)"
                )


def _is_mask(name: str, tensor: Tensor) -> bool:
    ones = tensor == 1
    whole = bool((ones | (tensor == 0)).all())
    return whole and bool(ones.any()) and ("mask" in name.lower() or not bool(ones.all()))


def copied(network: nn.Module) -> nn.Module:
    """Return a copy of a network; raises ValueError, one sentence, for one that holds what cannot be copied."""
    try:
        return copy.deepcopy(network)
    except Exception as error:  # whatever a module holds says no in its own way
        reason = str(error).splitlines()[0].rstrip(".") if str(error) else type(error).__name__
        raise ValueError(
            f"this network cannot be copied ({reason}): let it hold parameters, buffers and plain data alone"
        ) from None


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
    """Refuse two parameters in the same memory, such as a weight and its transpose, and one that overlaps itself."""
    by_storage: dict[int, list[tuple[str, Tensor]]] = defaultdict(list)
    for name, p in network.named_parameters():
        if p.is_meta or not p.numel():
            continue
        if _may_overlap(p) and len(_places(p).unique()) < p.numel():
            raise ValueError(
                f"several numbers of {name!r} are in the same memory, as expand() leaves them, so that they cannot be "
                "trained or pruned one by one: make it a parameter of its own memory with clone()"
            )
        by_storage[p.untyped_storage().data_ptr()].append((name, p))
    for group in by_storage.values():
        for (name, first), (other, second) in combinations(group, 2):
            if _share_memory(first, second):
                raise ValueError(
                    f"{min(name, other)!r} and {max(name, other)!r} are two parameters in the same memory, so that a "
                    "mask of one would prune the other: make them one parameter, or copy one with clone()"
                )


def _span(p: Tensor) -> tuple[int, int]:
    """The first and the last place of a tensor in its storage, counted in numbers."""
    begin = int(p.storage_offset())
    return begin, begin + sum((n - 1) * step for n, step in zip(p.shape, p.stride(), strict=True))


def _share_memory(p: Tensor, q: Tensor) -> bool:
    (begin, end), (start, stop) = _span(p), _span(q)
    return begin <= stop and start <= end and bool(torch.isin(_places(p), _places(q)).any())


def _places(p: Tensor) -> Tensor:
    """The place of each number of a tensor in its storage, (n,)."""
    begin, end = _span(p)
    return torch.arange(begin, end + 1).as_strided(p.shape, p.stride()).flatten()


def _may_overlap(p: Tensor) -> bool:
    """Whether the strides of a tensor leave it open that two of its numbers are in one place; rarely so."""
    reach = 0
    for step, n in sorted((step, n) for step, n in zip(p.stride(), p.shape, strict=True) if n > 1):
        if step <= reach:
            return True
        reach += (n - 1) * step
    return False
