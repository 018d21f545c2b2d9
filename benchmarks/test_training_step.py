"""A training iteration of LeNet-300-100 on MNIST, batch 60, Adam: the course's loop against the plain PyTorch way."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, linear, relu
from torch.utils.data import DataLoader, TensorDataset

from ltcourse import data, masks, models
from ltcourse.training import Recipe, evaluate, train

ITERATIONS = 500
BATCH, LR = 60, 1.2e-3
RECIPE = Recipe(iterations=ITERATIONS, batch=BATCH, lr=LR, evaluate_every=ITERATIONS)


@pytest.fixture(scope="module")
def mnist() -> data.Dataset:
    return data.load("mnist")


def masked(network: nn.Module) -> masks.Mask:
    """Return a mask of 20 %, as in the middle of pruning."""
    weights = {name: p.detach() for name, p in masks.prunable(network).items()}
    return masks.magnitude(weights, masks.dense(network), 0.8)


def plain(network: nn.Module, mnist: data.Dataset, mask: masks.Mask) -> None:
    """The way of most tutorials: DataLoader over TensorDataset, default Adam, the mask multiplied in each forward."""
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
    for _, (x, y) in zip(range(ITERATIONS), loader, strict=False):
        optimizer.zero_grad()
        cross_entropy(forward(x), y).backward()
        optimizer.step()


def ours(network: nn.Module, mnist: data.Dataset, mask: masks.Mask) -> None:
    """The course's loop, with nothing evaluated in between, as in the plain one."""
    train(
        network,
        mnist,
        RECIPE.but(iterations=10 * ITERATIONS, evaluate_every=10 * ITERATIONS),
        mask=mask,
        end=ITERATIONS,
    )


@pytest.mark.parametrize("way", [plain, ours], ids=["plain", "ours"])
def test_iterations(benchmark, mnist, way) -> None:  # type: ignore[no-untyped-def]
    """500 iterations: divide by 500 for one. Run on one thread, which is how trials run."""
    torch.set_num_threads(1)

    def setup() -> tuple[tuple[nn.Module, data.Dataset, masks.Mask], dict]:
        network = models.create("lenet-300-100")
        return (network, mnist, masked(network)), {}

    benchmark.pedantic(way, setup=setup, rounds=7, warmup_rounds=1)


def test_equal_accuracy(mnist) -> None:  # type: ignore[no-untyped-def]
    """Both ways end at the same accuracy, within what the order of the examples makes of it."""
    torch.set_num_threads(1)
    found = []
    for way in (plain, ours):
        network = models.create("lenet-300-100")
        mask = masked(network)
        way(network, mnist, mask)
        found.append(evaluate(masks.apply(network, mask), mnist.test)[1])
    print(found)
    assert abs(found[0] - found[1]) < 0.01
