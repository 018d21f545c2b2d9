"""What a function that is asked leaves as it was: what it is given to read, and all of a network but its weights."""

import copy
import math
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

import torch
from torch import Tensor, nn

Inventory = dict[str, Any]


def readable(value: Any) -> bool:
    """Whether a value is given to be read: tensors, alone or in dicts, lists and records."""
    return isinstance(value, (Tensor, Mapping, list, tuple)) or (is_dataclass(value) and not isinstance(value, type))


def kept(value: Any) -> Any:
    """Return a copy of what is given to be read, an inventory of a network, and anything else as it is."""
    if isinstance(value, nn.Module):
        return inventory(value)
    return copy.deepcopy(value) if readable(value) else value


def alike(now: Any, before: Any) -> bool:
    """Tell whether two values are equal bit by bit: in types, names, order and numbers; NaN is the same as NaN."""
    if type(now) is not type(before):
        return False
    if isinstance(before, Tensor):
        return (now.dtype, now.shape) == (before.dtype, before.shape) and bool(
            torch.isclose(now.detach(), before.detach(), rtol=0, atol=0, equal_nan=True).all()
        )
    if isinstance(before, Mapping):
        return list(now) == list(before) and all(alike(now[name], part) for name, part in before.items())
    if isinstance(before, (list, tuple)):
        return len(now) == len(before) and all(map(alike, now, before))
    if is_dataclass(before):
        return all(alike(getattr(now, f.name), getattr(before, f.name)) for f in fields(before))
    return bool(now == before) or (isinstance(before, float) and math.isnan(before) and math.isnan(now))


def inventory(network: nn.Module, gradients: bool = False) -> Inventory:
    """List all of a network but the values of its parameters: modules, modes, settings, hooks and buffers.

    gradients: list these, too, and each parameter itself, which is then not to be replaced by a new one.
    """
    found: Inventory = {}
    for path, module in network.named_modules(remove_duplicate=False):
        of = f" of {path}" if path else " of the network"
        found[f"the type{of}"] = type(module).__name__
        for setting, value in vars(module).items():
            if setting.endswith("_hooks"):
                found[f"`{setting}`{of}"] = len(value)
            elif not setting.startswith("_"):
                plain = value is None or isinstance(value, (bool, int, float, str, tuple))
                found[f"`{setting}`{of}"] = value if plain else type(value).__name__
    for name, buffer in network.named_buffers(remove_duplicate=False):
        found[f"the buffer {name}"] = buffer.clone()
    for name, p in network.named_parameters(remove_duplicate=False):
        found[f"the parameter {name}"] = tuple(p.shape), p.dtype, p.requires_grad
        if gradients:
            found[f"the gradient of {name}"] = None if p.grad is None else p.grad.clone()
            found[f"the object {name}"] = id(p)
    return found


def difference(now: Inventory, before: Inventory) -> str:
    """Return the first thing of a network that is not as it was, "" if all is."""
    names, were = ([n.split()[-1] for n in of if n.startswith("the parameter ")] for of in (now, before))
    if sorted(names) != sorted(were):
        return f"the network's parameters are now {sorted(names)}, and were {sorted(were)}"
    for what, was in before.items():
        if what not in now:
            return f"{what} is gone: leave it as it was"
        if alike(now[what], was):
            continue
        name = what.split()[-1]
        if what.startswith("the object "):
            return (
                f"{name} is a new parameter: write into the one that is there, since an optimizer, or another layer, "
                "may hold it"
            )
        if what.startswith("the parameter "):
            return _other_parameter(name, now[what], was)
        if isinstance(was, Tensor) or isinstance(now[what], Tensor):
            return f"{what} has changed: leave it as it was"
        return f"{what} was {was!r} and is {now[what]!r}: leave it as it was"
    added = next((what for what in now if what not in before), "")
    return f"{added} was not there before: leave nothing behind" if added else ""


def _other_parameter(name: str, now: tuple[Any, ...], was: tuple[Any, ...]) -> str:
    if now[0] != was[0]:
        return f"{name} now has shape {now[0]}, and had {was[0]}: keep its shape"
    if now[1] != was[1]:
        return f"{name} is now {now[1]}, and was {was[1]}: keep its type"
    if was[2]:
        return f"{name} no longer requires a gradient, so that nothing can train it: write under torch.no_grad()"
    return f"{name} now requires a gradient, and did not: leave it frozen"


def shared(network: nn.Module, value: Any) -> bool:
    """Tell whether a network uses the memory of what was given to be read."""
    memory = {t.untyped_storage().data_ptr() for t in (*network.parameters(), *network.buffers())} - {0}
    return any(t.untyped_storage().data_ptr() in memory for t in _tensors(value))


def _tensors(value: Any) -> Iterator[Tensor]:
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        yield from (t for part in value.values() for t in _tensors(part))
    elif isinstance(value, (list, tuple)):
        yield from (t for part in value for t in _tensors(part))
