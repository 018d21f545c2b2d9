"""The ticket as a thing that travels: a mask, the weights that it restarts from, and where it was found."""

import json
import operator
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import Tensor, nn

from ltcourse import files
from ltcourse.data import DataError
from ltcourse.networks import masks
from ltcourse.networks.masks import Mask
from ltcourse.networks.models import same
from ltcourse.networks.weights import LAYERS
from ltcourse.pruning import criteria
from ltcourse.pruning.restarts import State
from ltcourse.quantities import plain, whole

FORMAT = 1


class TicketError(ValueError):
    """A ticket cannot be read, or does not fit; the message says what to do."""


@dataclass(frozen=True, eq=False)
class Ticket:
    """A mask and the weights that training restarts from under it.

    mask: name → booleans. weights: all parameters and buffers, those that the mask removes included. iteration: that
    the weights count as, 0 unless they were rewound to a later one. origin: where it was found, as plain data (network,
    data, optimizer, seed, round …). Two tickets are equal if all of this is, whatever device it is on.
    Source: Frankle & Carbin 2019, Sec. 1; Morcos et al. 2019 (that it may be used elsewhere).
    Lesson 05, "A ticket that travels".
    """

    mask: Mask
    weights: State
    iteration: int = 0
    origin: dict[str, Any] = field(default_factory=dict)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Ticket):
            return NotImplemented
        alike = same(self.mask, other.mask) and same(self.weights, other.weights)
        return alike and bool(self.iteration == other.iteration) and _plain(self.origin) == _plain(other.origin)

    def __hash__(self) -> int:
        return hash((frozenset(self.mask), frozenset(self.weights)))  # what is the same in equal tickets

    def __str__(self) -> str:
        found = ", ".join(f"{key} {value}" for key, value in self.origin.items()) or "nobody knows where"
        return f"ticket of {masks.kept(self.mask):,} weights, P_m {masks.density(self.mask):.1%}, found at: {found}"


def save(ticket: Ticket, file: Path | str) -> Path:
    """Write a ticket to a file, whole or not at all, bit for bit; returns where.

    Raises TicketError, one sentence, for a ticket that `load` would refuse, and DataError where the file cannot be
    written.
    Lesson 05, "A ticket that travels".
    """
    if wrong := _problem(ticket):
        raise TicketError(f"this ticket cannot be saved: {wrong}")
    tensors = {
        f"{kind}/{name}": tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for kind, group in (("mask", ticket.mask), ("weights", ticket.weights))
        for name, tensor in group.items()
    }
    # one entry, since several would be written in a random order
    about = {"format": FORMAT, "iteration": operator.index(ticket.iteration), "origin": _plain(ticket.origin)}
    path = _file(file)
    try:
        files.write(path, to_bytes(tensors, {"ticket": json.dumps(about)}))
    except OSError as problem:
        raise DataError(files.unwritable(path, problem)) from problem
    return path


def load(file: Path | str) -> Ticket:
    """Read a ticket from a file; nothing in it is executed.

    Raises TicketError, one sentence, if there is none, if it is damaged, or of another version.
    Lesson 05, "A ticket that travels".
    """
    file = _file(file)
    name = file.name
    if not file.is_file():
        raise TicketError(f"there is no ticket {name}: write one with tickets.save(ticket, {name!r})")
    try:
        with safe_open(file, framework="pt") as content:
            told = json.loads(content.metadata()["ticket"])
            if told["format"] != FORMAT:
                raise TicketError(
                    f"{name} is a ticket of format {told['format']} and this version reads format {FORMAT}: "
                    "find the ticket again, or use the version of the course that wrote it"
                )
            groups: dict[str, State] = {"mask": {}, "weights": {}}
            for key in content.keys():  # noqa: SIM118 (it is no dict)
                kind, _, tensor = key.partition("/")
                groups[kind][tensor] = content.get_tensor(key).clone()  # no view of the file
        ticket = Ticket(
            groups["mask"], groups["weights"], whole("iteration", told["iteration"], 0), dict(told["origin"])
        )
        if wrong := _problem(ticket):
            raise ValueError(wrong)
        return ticket
    except TicketError:
        raise
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError, OSError) as error:
        raise TicketError(f"{name} is no ticket, or a damaged one: write it again with tickets.save") from error


def _file(given: Any) -> Path:
    """Return the path of a ticket's file; raises TicketError, one sentence, for what cannot be one."""
    if not isinstance(given, (str, Path)) or "\0" in str(given):
        raise TicketError(f"{given!r} is no path of a file: write one such as 'ticket.safetensors'")
    path = files.place(given)
    if path.is_dir():
        raise TicketError(
            f"{str(given)!r} is a folder: name a file in it, such as {str(path / 'ticket.safetensors')!r}"
        )
    return path


def _problem(ticket: Ticket) -> str | None:
    """What is wrong with a ticket, and what to do; None where nothing is."""
    for what, group in (("mask", ticket.mask), ("weights", ticket.weights)):
        if not isinstance(group, Mapping):
            return f"its {what} are no tensors by name but a {type(group).__name__}, use {_MAKE[what]}"
        if not group:
            return f"it has no {what}, make {'it' if what == 'mask' else 'them'} with {_MAKE[what]}"
        for name, tensor in group.items():
            if not isinstance(name, str) or not isinstance(tensor, Tensor):
                return f"its {what} are no tensors by name ({name!r} is a {type(tensor).__name__}), use {_MAKE[what]}"
            if tensor.is_complex():
                return f"{name!r} of its {what} is complex, keep its two parts as torch.view_as_real gives them"
            if tensor.is_meta or tensor.layout != torch.strided or tensor.is_quantized:
                return f"{name!r} of its {what} is no plain tensor of numbers, use {_MAKE[what]}"
    for name, mask in ticket.mask.items():
        if name not in ticket.weights:
            scores = any(".parametrizations." in key for key in ticket.weights)
            advice = (
                "first take the scores off with supermasks.release(network)" if scores else "take both of one network"
            )
            return f"its mask has {name!r} and its weights have not, {advice}"
        if mask.dtype != torch.bool:
            return f"a mask is boolean, but {name!r} is {mask.dtype}, write mask[{name!r}].bool()"
        if mask.shape != ticket.weights[name].shape:
            shapes = f"{tuple(mask.shape)} in its mask and {tuple(ticket.weights[name].shape)} in its weights"
            return f"{name!r} has shape {shapes}, take both of one network"
    try:
        whole("iteration", ticket.iteration, 0)
        json.dumps(ticket.origin, default=plain)
        if not isinstance(_plain(ticket.origin), dict):
            return f"its origin is {ticket.origin!r}, write a dictionary"
    except (ValueError, TypeError) as problem:
        return str(problem).replace(": ", ", ")
    return None


_MAKE = {"mask": "masks.dense(network) or a criterion", "weights": "models.snapshot(network)"}


def _plain(origin: Any) -> Any:
    """An origin as it comes back from a file: numbers of Python's own types, lists for tuples; others as they are."""
    try:
        return json.loads(json.dumps(origin, default=plain))
    except (TypeError, ValueError):
        return origin


def transplant(ticket: Ticket, network: nn.Module) -> Mask:
    """Put a ticket into a network, in place: the ticket's weights, 0 where its mask is; return the mask to train with.

    Where the network has another number of classes, its output layer stays as it is, freshly drawn and whole, since the
    ticket's says nothing about other classes. Training goes on from `ticket.iteration`. The ticket stays as it is.
    Raises TicketError, one sentence that names the first difference, for a ticket of another network.
    Source: Morcos et al. 2019 (the output layer is drawn anew where the classes differ).
    Lesson 05, "A ticket that travels".
    """
    here, weights = network.state_dict(), masks.prunable(network)
    if odd := sorted((here.keys() ^ ticket.weights.keys()) | (weights.keys() ^ ticket.mask.keys())):
        where = "network" if odd[0] not in here else "ticket"
        raise TicketError(
            f"this ticket is of another network: the {where} has no {odd[0]!r}; build the one that it is of with "
            f"models.create({ticket.origin.get('network', '…')!r})"
        )
    other = [name for name, w in here.items() if w.shape != ticket.weights[name].shape]
    layers = {name.rpartition(".")[0] for name in other}
    for name in other:
        if len(layers) > 1 or not _is_output(network, name, ticket.weights[name].shape):
            raise TicketError(
                f"this ticket is of another network: {name!r} has shape {tuple(ticket.weights[name].shape)} in the "
                f"ticket and {tuple(here[name].shape)} in the network; only the number of classes may differ, in the "
                "output layer"
            )
    stays = {name: w for name, w in here.items() if name.rpartition(".")[0] in layers}
    mask = {
        name: torch.ones_like(w, dtype=torch.bool) if name in stays else ticket.mask[name].clone().to(w.device)
        for name, w in weights.items()
    }
    network.load_state_dict({**ticket.weights, **stays})
    masks.apply(network, mask)
    return mask


def _is_output(network: nn.Module, name: str, there: torch.Size) -> bool:
    """Whether a tensor is of the output layer and differs from `there` in the number of outputs alone.

    The output layer is a dense one that ends the network, alone among its dense layers as far as shapes tell, or a
    convolution that is the last of all layers.
    """
    path, _, attribute = name.rpartition(".")
    layer, layers = network.get_submodule(path), [m for m in network.modules() if isinstance(m, LAYERS)]
    if layer not in layers or attribute not in ("weight", "bias"):
        return False
    if getattr(layer, attribute).shape[1:] != there[1:]:
        return False
    if isinstance(layer, nn.Linear):
        weights = {str(i): m.weight for i, m in enumerate(layers) if isinstance(m, nn.Linear)}
        return [weights[i] is layer.weight for i in criteria.ends(weights)] == [True]
    return layer is layers[-1] and not layer.transposed


@dataclass(frozen=True)
class Overlap:
    """How alike two masks are: the weights that both keep, and how many both would keep by chance.

    Lesson 05, "How alike are two tickets?".
    """

    common: int
    expected: float

    @property
    def times(self) -> float:
        """How many times as many as by chance; NaN where chance expects none."""
        return self.common / self.expected if self.expected else float("nan")


def overlap(a: Mask, b: Mask) -> dict[str, Overlap]:
    """Compare two masks layer by layer with two random masks of equal sizes.

    Of n weights of which the masks keep |a| and |b|, two random masks both keep |a| · |b| / n on average: each of
    the |a| weights is kept by the other one with probability |b| / n.
    Raises TicketError for masks of different networks, and ValueError for what is no mask.
    Lesson 05, "How alike are two tickets?".
    """
    masks.refuse_no_mask(a)
    masks.refuse_no_mask(b)
    if a.keys() != b.keys() or any(a[name].shape != b[name].shape for name in a):
        raise TicketError("these masks are of two different networks: compare tickets of one network")
    return {
        name: Overlap(int((m & b[name]).sum()), int(m.sum()) * int(b[name].sum()) / m.numel()) for name, m in a.items()
    }
