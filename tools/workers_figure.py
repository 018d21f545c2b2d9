"""Measure why trials run in processes of one thread, and draw it: `python tools/workers_figure.py`, on a quiet machine.

Iterations a second of LeNet-300-100 on MNIST, batch 60, Adam, under a mask: one process of one thread, one process of
as many threads as there are cores, as many processes of one thread each. Best of several rounds, in turns.
"""

import os
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any
from unittest import mock

import torch
from matplotlib import pyplot as plt

from ltcourse import data
from ltcourse.display import plots
from ltcourse.networks import masks, models
from ltcourse.pruning import criteria
from ltcourse.training import Recipe, train

FILE = Path(__file__).resolve().parent.parent / "notebooks" / "figures" / "workers.png"
ITERATIONS, ROUNDS = 1_000, 3

_meet: Any = None  # in a worker: where all wait until all are ready


def _prepare(meet: Any, threads: int) -> None:
    global _meet
    _meet = meet
    torch.set_num_threads(threads)


def _iterations_a_second(_: int) -> float:
    """Train until warm, wait for the others, train and count."""
    mnist, network = data.load("mnist"), models.create("lenet-300-100")
    mask = criteria.magnitude(dict(network.named_parameters()), masks.dense(network), 0.8)
    recipe = Recipe(iterations=10 * ITERATIONS, evaluate_every=10 * ITERATIONS)
    with mock.patch.object(torch, "set_num_threads"):  # the loop would take one thread for so small a network
        train(network, mnist, recipe, mask=mask, end=ITERATIONS // 5)
        _meet.wait()
        begun = time.perf_counter()
        train(network, mnist, recipe, mask=mask, end=ITERATIONS)
        return ITERATIONS / (time.perf_counter() - begun)


def measure(processes: int, threads: int) -> float:
    """Return the iterations a second of all processes together."""
    context = get_context("spawn")
    meet = context.Barrier(processes)
    with ProcessPoolExecutor(processes, context, _prepare, (meet, threads)) as pool:
        return sum(pool.map(_iterations_a_second, range(processes)))


def main() -> None:
    """Measure, print, and write the figure."""
    cores = os.cpu_count() or 1
    ways = {(1, 1): 0.0, (1, cores): 0.0, (cores, 1): 0.0}
    for _ in range(ROUNDS):
        for way in ways:
            ways[way] = max(ways[way], measure(*way))
    labels = [f"{p} process{'es' * (p > 1)} of {t} thread{'s' * (t > 1)}" for p, t in ways]
    for label, speed in zip(labels, ways.values(), strict=True):
        print(f"{label}: {speed:.0f} iterations a second")
    plots.use_style()
    figure, ax = plt.subplots(figsize=(9, 3))
    bars = ax.barh(labels, list(ways.values()), color=[plots.GRAY, plots.ORANGE, plots.BLUE])
    ax.bar_label(bars, [f"{speed:,.0f}" for speed in ways.values()], padding=4)
    ax.invert_yaxis()
    ax.grid(False, axis="y")
    ax.set(xlabel="iterations a second, all trials together", title="LeNet-300-100 on MNIST, batches of 60")
    FILE.parent.mkdir(exist_ok=True)
    figure.savefig(FILE, metadata={"Software": None})


if __name__ == "__main__":
    main()
