"""What belongs to the whole process: memory, and PyTorch's threads, modes and modules, put back whatever happens."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from threading import Thread

import torch

_SAID = ("can't allocate memory", "not enough memory: you tried to allocate")  # PyTorch's allocator; on Windows


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Let PyTorch compute on `count` threads for as long as the block lasts."""
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(count)
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def smallest_as_0() -> Iterator[None]:
    """Let a processor count numbers too small for a normal float as 0 for as long as the block lasts."""
    try:
        torch.set_flush_denormal(True)
        yield
    finally:
        torch.set_flush_denormal(False)


@contextmanager
def gradients_as_before() -> Iterator[None]:
    """Put back, after the block, whether gradients are kept: Ctrl-C can come between PyTorch's own two lines."""
    before = torch.is_grad_enabled()
    try:
        yield
    finally:
        torch.set_grad_enabled(before)


def ready_for_optimizers() -> None:
    """Import what PyTorch's first optimizer would, for a second or more, in a thread that Ctrl-C does not reach.

    Broken off in its midst, that import can leave parts behind with which every later one fails until the process ends.
    """
    if "torch._dynamo" not in sys.modules:
        importing = Thread(target=import_module, args=("torch._dynamo",))
        importing.start()
        importing.join()


@contextmanager
def enough_for(what: str, lower: str) -> Iterator[None]:
    """Tell of memory that ran out inside the block in one sentence.

    what: what the memory was for. lower: what takes less of it.
    Raises MemoryError in place of the allocator's error, on a GPU and on the CPU.
    """
    try:
        yield
    except RuntimeError as error:
        if not isinstance(error, torch.OutOfMemoryError) and not any(said in str(error) for said in _SAID):
            raise
        where = "the GPU" if isinstance(error, torch.OutOfMemoryError) else "this machine"
        raise MemoryError(f"{where} has too little memory for {what}: lower {lower}") from None
