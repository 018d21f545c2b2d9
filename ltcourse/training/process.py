"""What belongs to the whole process: memory, and PyTorch's threads, modes and modules, put back whatever happens."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib import import_module
from threading import Thread

import torch
from torch import Tensor

_SAID = ("can't allocate memory", "not enough memory: you tried to allocate")  # PyTorch's allocator; on Windows


@contextmanager
def settled(parameters: Iterable[Tensor]) -> Iterator[None]:
    """Set what makes training fast on a CPU, and exact and repeatable on a GPU, for as long as the block lasts.

    parameters: of the network; they tell the device, and whether it is a small network.

    One thread for a small network: its products gain nothing from a second one, which then only waits. On two cores of
    which one was busy, an iteration of LeNet-300-100 took 1.5 to 2 ms on one thread, 3 to 6 on two.
    Numbers too small for a normal float count as 0: Adam's averages for weights whose gradient is mostly 0 (pixels that
    are nearly always black) decay to such, and a processor multiplies them many times more slowly. After a thousand
    iterations on MNIST that cost 3.3 ms an iteration instead of 1.9, with the same losses to the last digit.
    Ctrl-C on the threshold of PyTorch's own blocks without gradients would leave the notebook without them: they are
    put back here.
    """
    trained = [p for p in parameters if p.requires_grad]
    device = trained[0].device
    small = device.type == "cpu" and sum(p.numel() for p in trained) < 1_000_000
    count = 1 if small else torch.get_num_threads()
    with gradients_as_before(), threads(count), smallest_as_0(), exact(device):
        yield


@contextmanager
def exact(device: torch.device) -> Iterator[None]:
    """Let convolutions on a GPU be computed in the same way each time, in float32 where that is the precision."""
    if device.type != "cuda":
        yield
        return
    with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
        yield


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
