"""Checkpoints inside a training: broken off at any moment, the same call goes on there, to the same result.

A training is known by what decides its result: the weights it begins with, its mask, recipe, data, seed and span. So
an experiment need not know that there are checkpoints: run again, it comes to the same call, which goes on.
"""

import hashlib
import json
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor, nn

from ltcourse import files
from ltcourse.data import DataError

EVERY = 20.0  # seconds between two checkpoints: what a kill can cost
UNTIL = "LTCOURSE_UNTIL"  # the environment tells worker processes when to stop: seconds since 1970, as time.time()


class OutOfTime(Exception):
    """The time that was given is over; what was computed is kept, and the same call goes on from there."""


def out_of_time() -> bool:
    """Whether there is a time limit, and it has passed."""
    return time.time() >= float(os.environ.get(UNTIL, "inf"))


@contextmanager
def time_limit(minutes: float | None) -> Iterator[None]:
    """Give what runs inside the block, worker processes included, so many minutes from now; None for no limit."""
    before = os.environ.get(UNTIL)
    if minutes is not None:
        os.environ[UNTIL] = str(time.time() + 60 * minutes)
    try:
        yield
    finally:
        os.environ.pop(UNTIL, None)
        if before is not None:
            os.environ[UNTIL] = before


_FOLDER: ContextVar[Path | None] = ContextVar("folder", default=None)


@contextmanager
def kept_in(folder: Path | None) -> Iterator[None]:
    """Let trainings inside the block keep checkpoints in a folder, and go on from those that are there."""
    token = _FOLDER.set(folder)
    try:
        yield
    finally:
        _FOLDER.reset(token)


def forget(folder: Path | None) -> None:
    """Remove the checkpoints of a folder."""
    if folder is not None:
        shutil.rmtree(folder, ignore_errors=True)


@dataclass
class Standing:
    """What a training changes as it goes: all that has to be put back for it to go on.

    best: copies of the weights at the early stop. total: the loss, summed since the last evaluation. history: plain
    data, see `History.to_dict`. iteration: how many are done.
    """

    network: nn.Module
    optimizer: torch.optim.Optimizer
    best: list[Tensor]
    total: Tensor
    history: dict[str, Any]
    iteration: int


class Checkpoint:
    """The checkpoint of one training.

    what: all that decides its result, as plain data. network: as it is before the first step. mask: name → booleans.
    """

    def __init__(self, folder: Path, what: dict[str, Any], network: nn.Module, mask: dict[str, Tensor] | None) -> None:
        digest = hashlib.sha256(json.dumps(what, sort_keys=True).encode())
        for group in (network.state_dict(), mask or {}):
            for name, tensor in group.items():
                digest.update(f"{name} {tuple(tensor.shape)}".encode())
                digest.update(tensor.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().data)
        self._file = folder / f"{digest.hexdigest()[:32]}.safetensors"
        self._written = time.monotonic()

    def tick(self, training: Standing) -> None:
        """Write the checkpoint if it is time to; raises OutOfTime, the checkpoint written, when the time is over."""
        over = out_of_time()
        if over or time.monotonic() - self._written > EVERY:
            self.write(training)
        if over:
            raise OutOfTime(f"the time is over at iteration {training.iteration:,} of a training")

    def write(self, training: Standing) -> None:
        """Write the checkpoint, whole or not at all. Raises DataError where it cannot be written."""
        tensors = {f"network/{name}": t for name, t in training.network.state_dict().items()}
        tensors |= {f"best/{i}": t for i, t in enumerate(training.best)}
        for i, state in training.optimizer.state_dict()["state"].items():
            tensors |= {f"optimizer/{i}/{name}": t for name, t in state.items() if isinstance(t, Tensor)}
        tensors["total"] = training.total
        # copies, since safetensors refuses tensors that share memory, as tied weights do
        content = {name: t.detach().clone(memory_format=torch.contiguous_format) for name, t in tensors.items()}
        told = {"history": json.dumps(training.history), "iteration": str(training.iteration)}
        try:
            files.write(self._file, save(content, told))
        except OSError as error:
            raise DataError(files.unwritable(self._file, error)) from None
        self._written = time.monotonic()

    def restore(self, training: Standing) -> None:
        """Put back what was kept, if anything was; a file that cannot be read is as good as none."""
        if not self._file.exists():
            return
        try:
            with safe_open(self._file, framework="pt") as content:
                told = content.metadata()
                kept = {name: content.get_tensor(name) for name in content.keys()}  # noqa: SIM118 (it is no dict)
        except (SafetensorError, OSError, ValueError):
            return
        training.network.load_state_dict(_below("network", kept))
        for i, copy in enumerate(training.best):
            copy.copy_(kept[f"best/{i}"])
        training.total.copy_(kept["total"])
        _restore_optimizer(training.optimizer, kept)
        training.history, training.iteration = json.loads(told["history"]), int(told["iteration"])


def _restore_optimizer(optimizer: torch.optim.Optimizer, kept: dict[str, Tensor]) -> None:
    plain = optimizer.state_dict()
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for name, tensor in _below("optimizer", kept).items():
        i, _, key = name.partition("/")
        like = parameters[int(i)]
        # in the parameter's layout: a fused kernel walks both in one order
        value = torch.empty_like(like).copy_(tensor) if tensor.shape == like.shape else tensor
        plain["state"].setdefault(int(i), {})[key] = value
    optimizer.load_state_dict(plain)


def _below(folder: str, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name[len(folder) + 1 :]: t for name, t in tensors.items() if name.startswith(f"{folder}/")}


def of(
    network: nn.Module, mask: dict[str, Tensor] | None, recipe: Any, data: str, seed: int, begin: int, end: int
) -> Checkpoint | None:
    """Return the checkpoint of a training that is about to begin, None where none are kept.

    recipe: a dataclass. data: what names the data. begin, end: the span of iterations.
    """
    if (folder := _FOLDER.get()) is None:
        return None
    what = {"recipe": asdict(recipe), "data": data, "seed": seed, "begin": begin, "end": end}
    return Checkpoint(folder, what, network, mask)
