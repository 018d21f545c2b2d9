"""The ticket as a thing that travels: a mask, the weights that it restarts from, and where it was found."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes
from torch import nn

from ltcourse import files
from ltcourse.data import DataError
from ltcourse.networks import masks
from ltcourse.networks.masks import Mask
from ltcourse.pruning.restarts import State

FORMAT = 1


class TicketError(ValueError):
    """A ticket cannot be read, or does not fit; the message says what to do."""


@dataclass(frozen=True)
class Ticket:
    """A mask and the weights that training restarts from under it.

    mask: name → booleans. weights: all parameters and buffers, those that the mask removes included. iteration: that
    the weights count as, 0 unless they were rewound to a later one. origin: where it was found, as plain data (network,
    data, optimizer, seed, round …).
    Source: Frankle & Carbin 2019, Sec. 1; Morcos et al. 2019 (that it may be used elsewhere).
    Lesson 05, "A ticket that travels".
    """

    mask: Mask
    weights: State
    iteration: int = 0
    origin: dict[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        found = ", ".join(f"{key} {value}" for key, value in self.origin.items()) or "nobody knows where"
        return f"ticket of {masks.kept(self.mask):,} weights, P_m {masks.density(self.mask):.1%}, found at: {found}"


def save(ticket: Ticket, file: Path | str) -> Path:
    """Write a ticket to a file, whole or not at all, bit for bit; returns where.

    Raises DataError where the file cannot be written.
    Lesson 05, "A ticket that travels".
    """
    tensors = {
        f"{kind}/{name}": tensor.detach().cpu().clone(memory_format=torch.contiguous_format)
        for kind, group in (("mask", ticket.mask), ("weights", ticket.weights))
        for name, tensor in group.items()
    }
    # one entry, since several would be written in a random order
    told = {"ticket": json.dumps({"format": FORMAT, "iteration": ticket.iteration, "origin": ticket.origin})}
    path = Path(file)
    try:
        files.write(path, to_bytes(tensors, told))
    except OSError as problem:
        raise DataError(files.unwritable(path, problem)) from problem
    return path


def load(file: Path | str) -> Ticket:
    """Read a ticket from a file; nothing in it is executed.

    Raises TicketError, one sentence, if there is none, if it is damaged, or of another version.
    Lesson 05, "A ticket that travels".
    """
    name = Path(file).name
    if not Path(file).is_file():
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
        ticket = Ticket(groups["mask"], groups["weights"], int(told["iteration"]), dict(told["origin"]))
        whole = ticket.mask and all(
            m.dtype == torch.bool and m.shape == ticket.weights[layer].shape for layer, m in ticket.mask.items()
        )
        if not whole or ticket.iteration < 0:
            raise ValueError("its parts do not belong together")
        return ticket
    except TicketError:
        raise
    except (SafetensorError, ValueError, KeyError, TypeError, AttributeError, OSError) as problem:
        raise TicketError(f"{name} is no ticket, or a damaged one: write it again with tickets.save") from problem


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
    output = list(weights)[-1].rpartition(".")[0] + "."
    other = [name for name, w in here.items() if w.shape != ticket.weights[name].shape]
    for name in other:
        inputs_differ = name in weights and here[name].shape[1:] != ticket.weights[name].shape[1:]
        if not name.startswith(output) or inputs_differ:
            raise TicketError(
                f"this ticket is of another network: {name!r} has shape {tuple(ticket.weights[name].shape)} in the "
                f"ticket and {tuple(here[name].shape)} in the network; only the number of classes may differ"
            )
    stays = {name: w for name, w in here.items() if other and name.startswith(output)}
    mask = {
        name: torch.ones_like(w, dtype=torch.bool) if name in stays else ticket.mask[name].clone().to(w.device)
        for name, w in weights.items()
    }
    network.load_state_dict({**ticket.weights, **stays})
    masks.apply(network, mask)
    return mask


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
    Raises TicketError for masks of different networks.
    Lesson 05, "How alike are two tickets?".
    """
    if a.keys() != b.keys() or any(a[name].shape != b[name].shape for name in a):
        raise TicketError("these masks are of two different networks: compare tickets of one network")
    return {
        name: Overlap(int((m & b[name]).sum()), int(m.sum()) * int(b[name].sum()) / m.numel()) for name, m in a.items()
    }
