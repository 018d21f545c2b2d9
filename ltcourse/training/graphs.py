"""A step recorded once and replayed: on a GPU a small network waits for its launches, and a graph is one launch."""

import os
import threading
from collections.abc import Callable

import torch
from torch import Tensor, nn

from ltcourse.networks.dropout import Dropout

Step = Callable[[Tensor, Tensor], None]
SWITCH = "LTCOURSE_GRAPHS"  # 0 turns replaying off
_WARM_UP = 3  # steps that run as they are: libraries and the optimizer allocate in the first ones
_ONE_AT_A_TIME = threading.Lock()  # while threads train beside each other: capture waits for the whole device


def can_replay(network: nn.Module) -> bool:
    """Whether a step of `network` is the same kernels on the same memory each time, so that a graph can repeat it.

    Not so on a CPU, with dropout, which draws from a generator of its own, and with hooks, which are Python and would
    run no more. LTCOURSE_GRAPHS=0 turns it off.
    """
    if os.environ.get(SWITCH) == "0":
        return False
    return all(p.is_cuda for p in network.parameters()) and not any(
        isinstance(m, Dropout | nn.Dropout) or m._forward_hooks or m._forward_pre_hooks or m._backward_hooks
        for m in network.modules()
    )


class Replayed:
    """A step of training as a CUDA graph: called as the step is, with batches of one shape, and the same bit for bit.

    step: does all of its work on the device, waits for nothing, and keeps what it changes in the same tensors.
    optimizer: the one that it uses; its learning rate must be a tensor on the device, which the graph reads anew each
    time. The first calls run the step itself, on the stream of the later capture, since capture must find everything
    allocated. Nothing runs while it is captured, so that the same call replays it at once.
    Source: PyTorch, "CUDA semantics", whole-network capture.
    """

    def __init__(self, step: Step, optimizer: torch.optim.Optimizer) -> None:
        self._step, self._optimizer = step, optimizer
        self._stream = torch.cuda.current_stream()
        if self._stream == torch.cuda.default_stream():  # on which nothing can be captured
            self._stream = torch.cuda.Stream()
        self._graph: torch.cuda.CUDAGraph | None = None
        self._x, self._y = torch.empty(0), torch.empty(0)
        self._calls = 0

    def __call__(self, x: Tensor, y: Tensor) -> None:
        """Do one step on a batch."""
        self._calls += 1
        if self._calls <= _WARM_UP:
            with _ONE_AT_A_TIME:
                self._stream.wait_stream(torch.cuda.current_stream())
                with torch.cuda.stream(self._stream):
                    self._step(x, y)
                torch.cuda.current_stream().wait_stream(self._stream)
            return
        if self._graph is None:
            with _ONE_AT_A_TIME:
                self._graph = self._captured(x, y)
        self._x.copy_(x)
        self._y.copy_(y)
        self._graph.replay()

    def _captured(self, x: Tensor, y: Tensor) -> torch.cuda.CUDAGraph:
        self._x, self._y = x.clone(), y.clone()
        self._optimizer.zero_grad()  # so that the gradients are allocated in the graph's own memory
        for group in self._optimizer.param_groups:
            if "capturable" in group:  # fused, its state is on the device anyway; said only now, as it warns before
                group["capturable"] = True
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, stream=self._stream, capture_error_mode="thread_local"):
            self._step(self._x, self._y)
        return graph
