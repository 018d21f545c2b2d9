"""Iterative magnitude pruning on this machine's cores: trials in a pool of processes against the plain PyTorch way.

A trial is a dense training and a round: LeNet-300-100 on MNIST, batch 60, Adam, evaluated on the validation set every
100 iterations, pruned by 20 % a layer and reset. Ours run one a process of one thread, as the course's experiments do.
The plain way, as public repositories do: `torch.nn.utils.prune`, DataLoader over TensorDataset, Adam as it comes; one
trial after another in one process, with as many threads as PyTorch takes.
"""

import copy
import os
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from functools import partial
from multiprocessing import get_context

import torch
from measures import Row, a_second, forward_flop, in_turns, limit, milliseconds, step_flop, timed
from torch import nn
from torch.nn.functional import cross_entropy
from torch.nn.utils import prune
from torch.utils.data import DataLoader, TensorDataset

from ltcourse import data
from ltcourse.networks import models
from ltcourse.pruning import prune_iteratively
from ltcourse.training import Recipe

BATCH, LR, ITERATIONS, EVERY, ROUNDS, RATE, REPEATS = 60, 1.2e-3, 500, 100, 1, 0.2, 5
TRAININGS = ROUNDS + 1
CORES = os.cpu_count() or 1
RECIPE = Recipe(iterations=ITERATIONS, batch=BATCH, lr=LR, evaluate_every=EVERY)

_mnist: data.Dataset  # in a worker


def prepare(threads: int) -> None:
    """Make a worker ready, with the data in memory."""
    global _mnist
    if threads:
        torch.set_num_threads(threads)
    _mnist = data.load("mnist")


def ours(seed: int) -> float:
    """Run a trial and return the last test accuracy."""
    network = models.create("lenet-300-100", seed=seed)
    *_, last = prune_iteratively(network, _mnist, RECIPE, rate=RATE, rounds=ROUNDS, seed=seed)
    return last.history.test_accuracy or 0.0


def plain(seed: int) -> float:
    """Run a trial in the plain way and return the last test accuracy."""
    network = models.create("lenet-300-100", seed=seed)
    layers = [layer for layer in network if isinstance(layer, nn.Linear)]
    first = [copy.deepcopy(layer.state_dict()) for layer in layers]
    loaders = {
        part: DataLoader(TensorDataset(split.x, split.y), BATCH if part == "train" else 1000, shuffle=part == "train")
        for part, split in (("train", _mnist.train), ("validation", _mnist.validation), ("test", _mnist.test))
    }
    torch.manual_seed(seed)
    for number in range(TRAININGS):
        if number:
            for layer, state in zip(layers, first, strict=True):
                prune.l1_unstructured(layer, "weight", RATE)
                with torch.no_grad():
                    layer.weight_orig.copy_(state["weight"])
                    layer.bias.copy_(state["bias"])
        optimizer = torch.optim.Adam(network.parameters(), lr=LR)
        for i, (x, y) in zip(range(1, ITERATIONS + 1), loaders["train"], strict=False):
            network.train()
            optimizer.zero_grad()
            cross_entropy(network(x), y).backward()
            optimizer.step()
            if i % EVERY == 0:
                accuracy(network, loaders["validation"])
    return accuracy(network, loaders["test"])


def accuracy(network: nn.Module, loader: DataLoader) -> float:  # type: ignore[type-arg]
    network.eval()
    loss, right, n = 0.0, 0, 0
    with torch.no_grad():
        for x, y in loader:
            logits = network(x)
            loss += cross_entropy(logits, y, reduction="sum").item()
            right += (logits.argmax(1) == y).sum().item()
            n += len(y)
    return right / n


def test_trials(mnist: data.Dataset, rows: list[Row]) -> None:
    counts = sorted({1, CORES})
    with ExitStack() as open_pools:

        def pool(processes: int, threads: int) -> ProcessPoolExecutor:
            made = ProcessPoolExecutor(processes, get_context("spawn"), prepare, (threads,))
            return open_pools.enter_context(made)

        ways = {"plain": (pool(1, 0), plain, 1), **{n: (pool(n, 1), ours, n) for n in counts}}

        def a_trial(at: ProcessPoolExecutor, way: object, n: int) -> float:
            """Return the seconds of one trial where n run at once."""
            return timed(lambda: list(at.map(way, range(n)))) / n  # type: ignore[arg-type]

        for at, way, n in ways.values():
            a_trial(at, way, n)  # start the workers, load the data, warm up
        measures = {name: partial(a_trial, *way) for name, way in ways.items()}
        limits = {f"limit {n}": partial(limit, n) for n in counts}
        found = in_turns({**measures, **limits}, REPEATS)
        ends = [ways[name][0].submit(ways[name][1], 0).result() for name in ("plain", counts[-1])]

    network = models.create("lenet-300-100")
    step = step_flop(network, mnist.train.x[:BATCH], mnist.train.y[:BATCH])
    evaluations = forward_flop(network, mnist.validation.x) / EVERY + forward_flop(network, mnist.test.x) / ITERATIONS
    flop = (step + evaluations) * ITERATIONS * TRAININGS
    work = f"{TRAININGS} trainings of {ITERATIONS} iterations with their evaluations, {REPEATS} turns"
    each = TRAININGS * ITERATIONS
    row = Row(
        f"IMP round on {CORES} cores, a network-iteration",
        found[CORES] / each,
        found["plain"] / each,
        milliseconds,
        flop * found[f"limit {CORES}"] / found[CORES],
        f"{CORES} trials at once, against one plain one with PyTorch's threads; {work}",
    )
    rows.append(row)
    for n in counts:
        share = flop * found[f"limit {n}"] / found[n]
        how = f"the same trials, ours {n} at once; {work}"
        processes = f"{n} process{'es' * (n > 1)}"
        rows.append(Row(f"trials a second, {processes}", found[n], found["plain"], a_second, share, how))
    assert abs(ends[0] - ends[1]) < 0.02, f"the ways do not end alike: {ends}"
    if CORES > 1:
        assert row.ratio <= 0.35
