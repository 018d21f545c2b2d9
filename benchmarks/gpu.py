"""A training step on a GPU: `python benchmarks/gpu.py`, where there is one and nothing else runs on it.

Writes benchmarks/GPU.md: for several networks the time of an iteration of one network in the course's loop, with each
step as it is and replayed as a graph, and with several networks trained as one, against the plain way: a DataLoader,
batches sent over one by one, Adam as it comes, the mask multiplied after each step, the loss read after each step.
"""

import os
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice, repeat
from pathlib import Path
from time import perf_counter
from unittest import mock

import torch
from measures import in_turns, made_by, timed
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader, TensorDataset

from ltcourse import data
from ltcourse.networks import masks, models
from ltcourse.pruning import batched, criteria
from ltcourse.training import Recipe, graphs, train

FILE = Path(__file__).parent / "GPU.md"
DEVICE, LR, REPEATS, TOGETHER = "cuda", 1e-3, 3, 5
PLAIN, EAGER, REPLAYED = "plain PyTorch", "the course's loop, each step as it is", "the course's loop, replayed"


@dataclass(frozen=True)
class Case:
    """A network, its data, the size of its batches, and how many steps a turn has."""

    network: str
    data: str
    batch: int
    steps: int

    @property
    def recipe(self) -> Recipe:
        """Adam, and no evaluation within a turn."""
        return Recipe(iterations=100_000, batch=self.batch, lr=LR, evaluate_every=100_000)


CASES = (
    Case("lenet-300-100", "mnist", 60, 500),
    Case("conv-2", "cifar-10-mini", 60, 150),
)


def masked(case: Case, shape: tuple[int, int, int], seed: int = 0) -> tuple[nn.Module, masks.Mask]:
    """Return a network on the GPU and a mask of 20 %."""
    network = models.create(case.network, shape=shape, seed=seed, device=DEVICE)
    weights = {name: p.detach() for name, p in masks.prunable(network).items()}
    mask = criteria.magnitude(weights, masks.dense(network), 0.8)
    return masks.apply(network, mask), mask


def plain(case: Case, on_cpu: data.Dataset) -> None:
    """Train in the plain way."""
    network, mask = masked(case, on_cpu.shape)
    optimizer = torch.optim.Adam(network.parameters(), lr=LR)
    weights = masks.prunable(network)
    loader = DataLoader(TensorDataset(on_cpu.train.x, on_cpu.train.y), case.batch, shuffle=True, drop_last=True)
    for x, y in islice(chain.from_iterable(repeat(loader)), case.steps):
        optimizer.zero_grad()
        loss = cross_entropy(network(x.to(DEVICE)), y.to(DEVICE))
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            for name, p in weights.items():
                p.mul_(mask[name])
        loss.item()  # for the mean that is shown


def ours(case: Case, dataset: data.Dataset) -> None:
    """Train in the course's loop."""
    network, mask = masked(case, dataset.shape)
    train(network, dataset, case.recipe, mask=mask, end=case.steps)


def together(case: Case, dataset: data.Dataset) -> None:
    """Train several networks as one."""
    networks, each = zip(*(masked(case, dataset.shape, seed) for seed in range(TOGETHER)), strict=True)
    batched.train(networks, dataset, case.recipe, seeds=range(TOGETHER), masks=each, end=case.steps)


def measured(case: Case) -> dict[str, float]:
    """Return the seconds of an iteration of one network, way by way."""
    on_cpu, on_gpu = data.load(case.data), data.load(case.data, device=DEVICE)

    def seconds(way: partial[None], networks: int = 1) -> float:
        torch.cuda.synchronize()

        def work() -> None:
            way()
            torch.cuda.synchronize()

        return timed(work) / (networks * case.steps)

    def eagerly(way: partial[None], networks: int = 1) -> float:
        with mock.patch.dict(os.environ, {graphs.SWITCH: "0"}):
            return seconds(way, networks)

    ways = {
        PLAIN: lambda: seconds(partial(plain, case, on_cpu)),
        EAGER: lambda: eagerly(partial(ours, case, on_gpu)),
        REPLAYED: lambda: seconds(partial(ours, case, on_gpu)),
        f"{TOGETHER} networks as one, each step as it is": lambda: eagerly(partial(together, case, on_gpu), TOGETHER),
        f"{TOGETHER} networks as one, replayed": lambda: seconds(partial(together, case, on_gpu), TOGETHER),
    }
    for way in ways.values():
        way()  # what is allocated, chosen and imported once
    return in_turns(ways, REPEATS)


def main() -> None:
    """Measure, print, and write the table."""
    begun, parts = perf_counter(), []
    for case in CASES:
        times = measured(case)
        lines = [f"| {name} | {1000 * t:.3f} | {t / times[PLAIN]:.2f} |" for name, t in times.items()]
        title = f"{case.network}, {case.data}, batch {case.batch}, {case.steps:,} steps"
        parts.append(f"| {title} | ms a network-iteration | ratio |\n|:--|--:|--:|\n" + "\n".join(lines))
        print(parts[-1], flush=True)
    tables = "\n\n".join(parts)
    FILE.write_text(
        f"""# A training step on a GPU

Written by `python benchmarks/gpu.py` in {perf_counter() - begun:.0f} seconds; not by hand.

One iteration of one network: Adam under a mask of 20 %, float32, convolutions computed in the same way each time; the
median of {REPEATS} turns, each with what a run does once (making the network, capturing the graph). The ratio is to the
plain way, which is told at the head of gpu.py.

{tables}

{made_by(DEVICE)}""",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
