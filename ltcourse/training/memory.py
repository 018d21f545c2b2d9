"""Running out of memory, told in one sentence that says what to lower."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

_SAID = ("can't allocate memory", "not enough memory: you tried to allocate")  # PyTorch's allocator; on Windows


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
