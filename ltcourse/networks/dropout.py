"""Dropout that a seed decides, and Han's rule for its rate once the layer has been pruned."""

import math

import torch
from torch import Tensor, nn


def rate_after_pruning(rate: float, kept: int, total: int) -> float:
    """Return the dropout rate to retrain a layer with: D_r = D_o · sqrt(C_ir / C_io).

    rate: D_o, of the dense training, 0 to 1. kept: C_ir, the weights that the layer has left. total: C_io, those that
    it had. The pruned layer has less to overfit with, so it is disturbed less.
    Raises ValueError for a rate outside 0 to 1 or counts that no layer can have.
    Source: Han et al. 2015, Sec. 3.2, Eq. 1 and 2.
    Lesson 02, "Dropout, when retraining".
    """
    if not 0 <= rate <= 1:
        raise ValueError(f"the dropout rate {rate} is outside 0 to 1: write 0.5 for one half")
    if not 0 <= kept <= total or total < 1:
        raise ValueError(f"{kept} weights cannot be left of {total}")
    return rate * math.sqrt(kept / total)


class Dropout(nn.Module):
    """Set a share of the neurons to 0 in training, and scale the others up, so that their mean stays.

    layer: the dense layer that the dropout belongs to; the rate follows its pruning (`rate_after_pruning`), anew
    whenever the network is put into training. The draws come from a generator of its own, whose place in its sequence
    is saved with the weights: a training that goes on after a stop drops the same neurons as an unbroken one.
    Source: Srivastava et al. 2014, Sec. 4; Han et al. 2015, Sec. 3.2.
    Lesson 02, "Dropout, when retraining".
    """

    def __init__(self, rate: float, layer: nn.Linear) -> None:
        super().__init__()
        self.rate = self.dense_rate = rate
        self._layer = (layer,)  # in a tuple, so that the layer does not become a part of this module as well
        self._place = 0

    @property
    def layer(self) -> nn.Linear:
        """The dense layer that the dropout belongs to."""
        return self._layer[0]

    def moved_to(self, smaller: nn.Linear) -> "Dropout":
        """Return the same dropout for what is left of its layer when neurons are removed, at the same place.

        The rule goes on counting from the whole layer.
        """
        rate = rate_after_pruning(self.dense_rate, smaller.weight.numel(), self.layer.weight.numel())
        moved = Dropout(rate, smaller)
        moved.begin(self._place)
        return moved

    def begin(self, seed: int) -> None:
        """Put the generator at the beginning of the sequence of a seed."""
        self._place = seed

    def train(self, mode: bool = True) -> "Dropout":
        """Switch between training, at the rate that fits the layer as it is now, and evaluation."""
        weight = self.layer.weight
        if mode and not weight.is_meta:
            kept = int(torch.count_nonzero(weight))
            self.rate = rate_after_pruning(self.dense_rate, kept, weight.numel())
        return super().train(mode)

    def forward(self, x: Tensor) -> Tensor:
        """Return x with some neurons set to 0; x itself in evaluation."""
        if not self.training or self.rate == 0 or x.is_meta:
            return x
        generator = torch.Generator(x.device).manual_seed(self._place)
        self._place += 1
        keep = torch.rand(x.shape, generator=generator, device=x.device) >= self.rate
        return x * keep / (1 - self.rate)

    def get_extra_state(self) -> Tensor:
        """Return the place in the sequence of draws, which is saved with the weights."""
        return torch.tensor(self._place)

    def set_extra_state(self, state: Tensor) -> None:
        """Go to a place in the sequence of draws."""
        self._place = int(state)

    def extra_repr(self) -> str:
        """Return the rate, as PyTorch prints modules."""
        return f"{self.rate:g}"
