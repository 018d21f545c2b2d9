"""A small real problem for the checks of lesson 08: handwritten digits of 7 × 7 pixels."""

from collections.abc import Callable, Iterator
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, cross_entropy

from ltcourse import data
from ltcourse.classroom.checks import verdict
from ltcourse.classroom.checks.tickets import Train
from ltcourse.data import Split
from ltcourse.networks import masks
from ltcourse.networks.initializers import initialize, xavier_normal
from ltcourse.networks.masks import Mask

SIZES = (49, 200, 10)


@cache
def digits() -> tuple[Split, Split, Split]:
    """Return 1,000 images to train on, 1,000 to validate on, 1,000 to test on."""

    def average(split: Split, start: int) -> Split:
        chosen = slice(start, start + 1000)
        return Split(avg_pool2d(split.x[chosen], 4).flatten(1), split.y[chosen])

    mnist = data.load("mnist")
    return average(mnist.train, 0), average(mnist.validation, 0), average(mnist.test, 0)


def reader_of_digits(seed: int) -> nn.Sequential:
    """Build a network without biases: a hypothesis about weights is then about all of its parameters."""
    into, hidden, out = SIZES
    layers = nn.Linear(into, hidden, bias=False), nn.ReLU(), nn.Linear(hidden, out, bias=False)
    initialize(network := nn.Sequential(*layers), xavier_normal, seed)
    return network


def steps(network: nn.Module, mask: Mask, order: int = 0) -> Iterator[int]:
    """Train under a mask, and yield the number of each step."""
    train, _, _ = digits()
    generator = torch.Generator().manual_seed(order)
    masks.apply(network, mask)
    optimizer = torch.optim.Adam(network.parameters(), lr=0.01, fused=True)
    for number in range(1, 61):
        chosen = torch.randint(len(train), (100,), generator=generator)
        verdict.step(network, optimizer, mask, train.x[chosen], train.y[chosen])
        yield number


def training_on_digits() -> Train:
    """Return a function that trains a network under a mask, and returns its loss on the validation images."""

    def train(network: nn.Module, mask: Mask) -> float:
        for _ in steps(network, mask):
            pass
        return judged(network, digits()[1])[0]

    return train


def judged(network: Callable[[Tensor], Tensor], split: Split) -> tuple[float, float]:
    """Return the loss and the accuracy on some images."""
    with torch.no_grad():
        logits = network(split.x)
    return float(cross_entropy(logits, split.y)), float((logits.argmax(1) == split.y).float().mean())
