"""An evaluation of LeNet-300-100 on MNIST's 10,000 test images: the course's way against the plain one.

The plain way, that of PyTorch's own MNIST example: DataLoader over TensorDataset, 1,000 examples at a time, no
gradients, sums read after every chunk. Both on one thread, which is how trials run.
"""

import pytest
import torch
from measures import Row, forward_flop, in_turns, limit, milliseconds, timed
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset

from ltcourse import data
from ltcourse.networks import models
from ltcourse.training import evaluate, process

REPEATS = 15


def plain(network: nn.Module, split: data.Split) -> tuple[float, float]:
    network.eval()
    loss, right = 0.0, 0
    with torch.no_grad():
        for x, y in DataLoader(TensorDataset(split.x, split.y), 1000):
            logits = network(x)
            loss += cross_entropy(logits, y, reduction="sum").item()
            right += (logits.argmax(1) == y).sum().item()
    return loss / len(split), right / len(split)


def test_an_evaluation(mnist: data.Dataset, rows: list[Row]) -> None:
    network = models.create("lenet-300-100")
    with process.threads(1):
        assert plain(network, mnist.test) == pytest.approx(evaluate(network, mnist.test))
        found = in_turns(
            {
                "ours": lambda: timed(lambda: evaluate(network, mnist.test)),
                "plain": lambda: timed(lambda: plain(network, mnist.test)),
                "limit": lambda: limit(1),
            },
            REPEATS,
        )
    rows.append(
        Row(
            "evaluation, LeNet-300-100",
            found["ours"],
            found["plain"],
            milliseconds,
            forward_flop(network, mnist.test.x) * found["limit"] / found["ours"],
            f"MNIST's 10,000 test images, one thread each; {REPEATS} turns",
        )
    )
