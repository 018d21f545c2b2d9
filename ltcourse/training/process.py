"""What is the whole process's, PyTorch's threads and modes and modules: whatever breaks off a block, it is put back."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from threading import Thread

import torch


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
