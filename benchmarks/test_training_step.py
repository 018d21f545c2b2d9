"""A training step of LeNet-300-100 on MNIST, batch 60, Adam, under a mask: the course's loop against the plain way.

The plain way, that of most tutorials: DataLoader over TensorDataset, Adam as it comes, the mask multiplied in each
forward pass. Both on one thread, which is how trials run.
"""

import torch
from measures import Row, in_turns, limit, milliseconds, step_flop, timed
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, linear, relu
from torch.utils.data import DataLoader, TensorDataset

from ltcourse import data
from ltcourse.networks import masks, models
from ltcourse.pruning import criteria
from ltcourse.training import Recipe, evaluate, process, train

BATCH, LR, STEPS, REPEATS = 60, 1.2e-3, 300, 9
RECIPE = Recipe(iterations=100_000, batch=BATCH, lr=LR, evaluate_every=100_000)


def masked(network: nn.Module) -> masks.Mask:
    """Return a mask of 20 %, as in the middle of pruning."""
    weights = {name: p.detach() for name, p in masks.prunable(network).items()}
    return criteria.magnitude(weights, masks.dense(network), 0.8)


def plain(network: nn.Module, mnist: data.Dataset, mask: masks.Mask, steps: int) -> None:
    layers = [layer for layer in network if isinstance(layer, nn.Linear)]  # type: ignore[attr-defined]
    floats = [m.float() for m in mask.values()]

    def forward(x: Tensor) -> Tensor:
        x = x.flatten(1)
        for layer, m in zip(layers[:-1], floats[:-1], strict=True):
            x = relu(linear(x, layer.weight * m, layer.bias))
        return linear(x, layers[-1].weight * floats[-1], layers[-1].bias)

    optimizer = torch.optim.Adam(network.parameters(), lr=LR)
    generator = torch.Generator().manual_seed(0)
    loader = DataLoader(TensorDataset(mnist.train.x, mnist.train.y), BATCH, shuffle=True, generator=generator)
    for _, (x, y) in zip(range(steps), loader, strict=False):
        optimizer.zero_grad()
        cross_entropy(forward(x), y).backward()
        optimizer.step()


def ours(network: nn.Module, mnist: data.Dataset, mask: masks.Mask, steps: int) -> None:
    train(network, mnist, RECIPE, mask=mask, end=steps)


def test_a_step(mnist: data.Dataset, rows: list[Row]) -> None:
    network = models.create("lenet-300-100")
    mask = masked(network)
    for way in (ours, plain):
        way(network, mnist, mask, 5)  # what PyTorch imports late, and what it allocates once
    with process.threads(1):
        found = in_turns(
            {
                "ours": lambda: timed(lambda: ours(network, mnist, mask, STEPS)) / STEPS,
                "plain": lambda: timed(lambda: plain(network, mnist, mask, STEPS)) / STEPS,
                "limit": lambda: limit(1),
            },
            REPEATS,
        )
    flop = step_flop(models.create("lenet-300-100"), mnist.train.x[:BATCH], mnist.train.y[:BATCH])
    rows.append(
        Row(
            "training step, LeNet-300-100",
            found["ours"],
            found["plain"],
            milliseconds,
            flop * found["limit"] / found["ours"],
            f"MNIST, batch {BATCH}, Adam, mask of 20 %, one thread each; {REPEATS} turns of {STEPS} steps",
        )
    )


def test_equal_accuracy(mnist: data.Dataset) -> None:
    """Both ways end at the same accuracy, within what the order of the examples makes of it."""
    found = []
    with process.threads(1):
        for way in (plain, ours):
            network = models.create("lenet-300-100")
            mask = masked(network)
            way(network, mnist, mask, 500)
            found.append(evaluate(masks.apply(network, mask), mnist.test)[1])
    assert abs(found[0] - found[1]) < 0.01, found
