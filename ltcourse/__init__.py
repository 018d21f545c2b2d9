"""ltcourse: a course on network pruning, the lottery ticket hypothesis and supermasks."""

import os

# PyTorch then asks for huge pages for large tensors on a CPU: a training step of Conv-2 took 258 ms instead of 340,
# most of the difference being page faults for outputs that are allocated anew in each step
os.environ.setdefault("THP_MEM_ALLOC_ENABLE", "1")
