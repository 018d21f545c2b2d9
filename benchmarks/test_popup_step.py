"""Edge-popup on Conv-2: a step of 128 images, an evaluation, and the threshold, against the public way.

The public way: a loader over PIL images with torchvision's transforms, all scores sorted in every forward pass, the
evaluation as well, contiguous float32. It is timed in a process of its own, with PyTorch's memory as PyTorch has it:
`import ltcourse` asks for huge pages, which a plain script does not.
"""

import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest
import torch
from measures import Row, forward_flop, in_turns, limit, milliseconds, seconds, step_flop, timed
from torch import Tensor, nn
from torch.nn.functional import conv2d, cross_entropy, linear, max_pool2d, relu
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as Images
from torchvision import transforms

from ltcourse import data
from ltcourse.networks import masks, models
from ltcourse.networks.initializers import kaiming_normal
from ltcourse.pruning import supermasks
from ltcourse.training import Recipe, evaluate, train

K, BATCH, LR = 0.5, 128, 0.1
RECIPE = Recipe(
    iterations=10_000,
    batch=BATCH,
    optimizer="sgd",
    lr=LR,
    weight_decay=1e-4,
    evaluate_every=10_000,
    augment="crop-flip",
)


@pytest.fixture(scope="module")
def photos() -> data.Dataset:
    return data.load("cifar-10-mini")


class Sorted(torch.autograd.Function):
    """The mask of the top scores by a full sort."""

    @staticmethod
    def forward(ctx: Any, scores: Tensor, k: float) -> Tensor:
        out = torch.empty_like(scores)
        order = scores.flatten().sort().indices
        cut = round((1 - k) * scores.numel())
        out.flatten()[order[:cut]] = 0
        out.flatten()[order[cut:]] = 1
        return out

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        return grads[0], None


class Public(nn.Module):
    """Conv-2 in the public way, with the weights and scores of ours."""

    def __init__(self, ours: nn.Module) -> None:
        super().__init__()
        self.fixed = [w.clone().contiguous() for w in supermasks.frozen(ours).values()]
        start = [layer.scores.detach().clone().contiguous() for layer in supermasks.scored(ours).values()]
        self.scores = nn.ParameterList(start)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits."""
        a, b, c, d, e = (w * Sorted.apply(s.abs(), K) for w, s in zip(self.fixed, self.scores, strict=True))
        x = max_pool2d(relu(conv2d(relu(conv2d(x, a, padding=1)), b, padding=1)), 2).flatten(1)
        return linear(relu(linear(relu(linear(x, c)), d)), e)


class Pictures(Images):  # type: ignore[type-arg]
    """The training images as PIL images, as torchvision's data sets have them, with the usual transforms."""

    def __init__(self, photos: data.Dataset) -> None:
        to_image = transforms.ToPILImage()
        self.images = [to_image(x) for x in photos.pixels(photos.train.x)]
        self.labels = photos.train.y.tolist()
        usual = [transforms.RandomCrop(32, padding=4), transforms.RandomHorizontalFlip(), transforms.ToTensor()]
        self.change = transforms.Compose([*usual, transforms.Normalize(photos.mean, photos.std)])

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.change(self.images[index]), self.labels[index]


def hidden(seed: int = 0) -> nn.Module:
    return supermasks.edge_popup(models.create("conv-2", initializer=kaiming_normal, seed=seed), K, seed=seed)


def public_steps(network: Public, photos: data.Dataset, steps: int) -> Iterator[float]:
    """Yield the seconds of each step."""
    optimizer = torch.optim.SGD(network.parameters(), lr=LR, momentum=0.9, weight_decay=1e-4)
    loader = DataLoader(Pictures(photos), BATCH, shuffle=True, drop_last=True, num_workers=2)
    batches = iter(loader)
    for _ in range(steps):
        begun = perf_counter()
        try:
            x, y = next(batches)
        except StopIteration:
            batches = iter(loader)
            x, y = next(batches)
        optimizer.zero_grad()
        cross_entropy(network(x), y).backward()
        optimizer.step()
        yield perf_counter() - begun


def our_seconds(photos: data.Dataset, steps: int) -> float:
    """Return the median of the seconds of each step; a step begins where the one before has handed its loss back."""
    network, times = hidden(), []
    clock = [perf_counter()]
    step = torch.optim.SGD.step

    def timed(self: torch.optim.SGD, *arguments: Any) -> Any:
        result = step(self, *arguments)
        times.append(perf_counter() - clock[0])
        clock[0] = perf_counter()
        return result

    torch.optim.SGD.step = timed  # type: ignore[method-assign]
    try:
        train(network, photos, RECIPE, end=2 + steps)
    finally:
        torch.optim.SGD.step = step  # type: ignore[method-assign]
    return statistics.median(times[2:])


def public_step() -> float:
    photos = data.load("cifar-10-mini")
    return statistics.median(list(public_steps(Public(hidden()), photos, 10))[2:])


def public_evaluation() -> float:
    """Return the seconds of 10,000 images, by ten times those of 1,000."""
    test, network = data.load("cifar-10-mini").test, Public(hidden())
    begun = perf_counter()
    with torch.no_grad():
        for images in test.x.split(BATCH):
            network(images)
    return (perf_counter() - begun) * 10_000 / len(test)


def alone(function: str) -> float:
    """Return what a function of this file measures in a process of its own, without our choice of memory."""
    code = f"import test_popup_step as file; print(file.{function}())"
    plain = os.environ | {"THP_MEM_ALLOC_ENABLE": "0"}
    here = Path(__file__).parent
    done = subprocess.run([sys.executable, "-c", code], cwd=here, env=plain, capture_output=True, text=True, check=True)
    return float(done.stdout)


def test_a_step_takes_at_most_a_quarter(photos: data.Dataset, rows: list[Row]) -> None:
    ways = {
        "public": lambda: alone("public_step"),
        "ours": lambda: our_seconds(photos, 10),
        "limit": lambda: limit(torch.get_num_threads()),
    }
    found = in_turns(ways, 3)
    flop = step_flop(hidden(), photos.train.x[:BATCH], photos.train.y[:BATCH])
    row = Row(
        "edge-popup step, Conv-2",
        found["ours"],
        found["public"],
        milliseconds,
        flop * found["limit"] / found["ours"],
        f"CIFAR-10, batch {BATCH}, cropped and mirrored, k = {K:.0%}, PyTorch's threads; 3 turns of 10 steps",
    )
    rows.append(row)
    assert row.ratio <= 1 / 4


def test_an_evaluation_takes_at_most_a_sixth(photos: data.Dataset, rows: list[Row]) -> None:
    x, y = photos.test.x, photos.test.y
    many = data.Split(x.repeat(10, 1, 1, 1), y.repeat(10))
    ways = {
        "public": lambda: alone("public_evaluation"),
        "ours": lambda: timed(lambda: evaluate(hidden(), many)),
        "limit": lambda: limit(torch.get_num_threads()),
    }
    found = in_turns(ways, 3)
    row = Row(
        "evaluation, Conv-2 under scores",
        found["ours"],
        found["public"],
        seconds,
        10 * forward_flop(hidden(), x) * found["limit"] / found["ours"],
        "10,000 images, PyTorch's threads; 3 turns, the public way's 10 times its 1,000",
    )
    rows.append(row)
    assert row.ratio <= 1 / 6


def test_the_threshold_of_four_million_scores_takes_at_most_a_twentieth_of_a_sort(rows: list[Row]) -> None:
    scores = torch.rand(4_194_304, generator=torch.Generator().manual_seed(0))
    ways = {
        "sort": lambda: timed(scores.sort),
        "ours": lambda: timed(lambda: masks.top(scores, len(scores) // 2)),
    }
    found = in_turns(ways, 5)
    how = "which half of 4,194,304 scores is the larger, against `sort`; 5 turns"
    row = Row("threshold", found["ours"], found["sort"], milliseconds, None, how)
    rows.append(row)
    assert row.ratio <= 1 / 20


def test_equal_accuracy(photos: data.Dataset) -> None:
    """Both ways, 40 steps, 3 seeds: the means differ by no more than the seeds do."""
    found: dict[str, list[float]] = {"public": [], "ours": []}
    for seed in range(3):
        torch.manual_seed(seed)
        theirs = Public(hidden(seed))
        for _ in public_steps(theirs, photos, 40):
            pass
        with torch.no_grad():
            right = sum(int((theirs(x).argmax(1) == y).sum()) for x, y in zip(*_split(photos.test), strict=True))
        found["public"].append(right / len(photos.test))
        network = hidden(seed)
        train(network, photos, RECIPE, seed=seed, end=40)
        found["ours"].append(evaluate(network, photos.test)[1])
    print(f"\naccuracy after 40 steps: {found}")
    public, ours = (statistics.mean(values) for values in found.values())
    spread = max(max(values) - min(values) for values in found.values())
    assert abs(public - ours) <= spread


def _split(part: data.Split) -> tuple[tuple[Tensor, ...], tuple[Tensor, ...]]:
    return part.x.split(BATCH), part.y.split(BATCH)
