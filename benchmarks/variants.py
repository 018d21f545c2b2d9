"""What else was tried for a training step of LeNet-300-100: `python benchmarks/variants.py`, on a quiet machine.

Writes benchmarks/VARIANTS.md: each variant's time for one iteration of one network against the course's loop, in
turns in one run. `--compile` adds the whole step compiled, which takes minutes to compile and needs a C++ compiler.
"""

import os
import sys
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from time import perf_counter
from unittest import mock

import torch
from measures import here, in_turns, limit, step_flop, timed
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ltcourse import data
from ltcourse.networks import masks, models
from ltcourse.pruning import batched, criteria
from ltcourse.training import Recipe, evaluate, process, train
from ltcourse.training.loop import batches

FILE = Path(__file__).parent / "VARIANTS.md"
BATCH, LR, STEPS, REPEATS = 60, 1.2e-3, 300, 9
RECIPE = Recipe(iterations=100_000, batch=BATCH, lr=LR, evaluate_every=100_000)
CORES = os.cpu_count() or 1
COURSE = "the course's loop, one thread"
POOL = f"{CORES} processes of one thread, a network each: what the course does"

Step = Callable[[Tensor], None]
_mnist: data.Dataset  # in a worker


def masked(seed: int = 0) -> tuple[nn.Module, masks.Mask]:
    """Return a network and a mask of 20 %."""
    network = models.create("lenet-300-100", seed=seed)
    weights = {name: p.detach() for name, p in masks.prunable(network).items()}
    mask = criteria.magnitude(weights, masks.dense(network), 0.8)
    return masks.apply(network, mask), mask


def eager(images: Tensor, labels: Tensor, to_float: Callable[[Tensor], Tensor]) -> Step:
    """The course's step, written out, with the images kept in another form."""
    network, mask = masked()
    weights = list(masks.prunable(network).values())
    kept = [m.float() for m in mask.values()]
    optimizer = torch.optim.Adam(network.parameters(), lr=LR, fused=True)

    def step(index: Tensor) -> None:
        optimizer.zero_grad()
        x, y = to_float(images.index_select(0, index)), labels.index_select(0, index)
        cross_entropy(network(x), y).backward()
        with torch.no_grad():
            optimizer.step()
            torch._foreach_mul_(weights, kept)

    return step


def survivors(images: Tensor, labels: Tensor) -> Step:
    """Adam on the weights that the mask keeps alone, gathered and put back: no mask to multiply, less to update."""
    network, mask = masked()
    places = {name: mask[name].flatten().nonzero().flatten() for name in mask}
    own = dict(network.named_parameters())
    small = {name: own[name].detach().flatten()[at].clone() for name, at in places.items()}
    others = [p for name, p in own.items() if name not in places]
    optimizer = torch.optim.Adam([*small.values(), *others], lr=LR, fused=True)

    def step(index: Tensor) -> None:
        network.zero_grad()
        cross_entropy(network(images.index_select(0, index)), labels.index_select(0, index)).backward()
        with torch.no_grad():
            for name, at in places.items():
                small[name].grad = own[name].grad.flatten().index_select(0, at)  # type: ignore[union-attr]
            optimizer.step()
            for name, at in places.items():
                own[name].view(-1).index_copy_(0, at, small[name])

    return step


def compiled(images: Tensor, labels: Tensor) -> Step:
    """Forward and backward compiled, and the update with the mask compiled into one loop."""
    network, mask = masked()
    weights = list(masks.prunable(network).values())
    kept = [m.float() for m in mask.values()]
    optimizer = torch.optim.Adam(network.parameters(), lr=LR, foreach=True)

    @torch.compile
    def gradients(x: Tensor, y: Tensor) -> None:
        cross_entropy(network(x.float()), y).backward()

    @torch.compile
    def update() -> None:
        optimizer.step()
        torch._foreach_mul_(weights, kept)

    def step(index: Tensor) -> None:
        optimizer.zero_grad()
        gradients(images.index_select(0, index), labels.index_select(0, index))
        with torch.no_grad():
            update()

    return step


# In workers


def prepare(threads: int) -> None:
    """Make a worker ready, with the data in memory."""
    global _mnist
    torch.set_num_threads(threads)
    _mnist = data.load("mnist")


def alone(seed: int) -> None:
    network, mask = masked(seed)
    train(network, _mnist, RECIPE, mask=mask, seed=seed, end=STEPS)


def alone_with_all_threads(seed: int) -> None:
    with mock.patch.object(torch, "set_num_threads"):  # the loop would take one thread for so small a network
        alone(seed)


def together(count: int, first: int) -> None:
    networks, each = zip(*(masked(first + i) for i in range(count)), strict=True)
    with mock.patch.object(torch, "set_num_threads"):
        batched.train(networks, _mnist, RECIPE, seeds=range(first, first + count), masks=each, end=STEPS)


def on_one_thread(mnist: data.Dataset, with_compiled: bool) -> dict[str, float]:
    """Return the seconds of an iteration of each variant of one step, on one thread."""
    x, y, std = mnist.train.x, mnist.train.y, mnist.std[0]
    scale = 1 / (255 * torch.tensor(std))
    as_bytes = (x / scale).round().to(torch.uint8)
    assert torch.equal(as_bytes[:1000].float() * scale, x[:1000]), "bytes must give the very same images"
    steps: dict[str, Step] = {
        "the same step, written out": eager(x, y, lambda images: images),
        "images kept as bytes, the same numbers bit for bit": eager(as_bytes, y, lambda images: images.float() * scale),
        "images kept in bfloat16": eager(x.bfloat16(), y, Tensor.float),
        "Adam on the surviving 20 % alone": survivors(x, y),
    }
    order = batches(len(y), BATCH, 0, x.device)
    if with_compiled:
        for name, images in {"compiled": x, "compiled, images kept in bfloat16": x.bfloat16()}.items():
            step = compiled(images, y)
            took = timed(lambda step=step: [step(next(order)) for _ in range(10)])
            steps[f"{name} ({took:.0f} s to compile)"] = step

    def an_iteration(step: Step) -> float:
        return timed(lambda: [step(next(order)) for _ in range(STEPS)]) / STEPS

    def by_train(precision: str) -> float:
        network, mask = masked()
        recipe = RECIPE.but(precision=precision)
        return timed(lambda: train(network, mnist, recipe, mask=mask, end=STEPS)) / STEPS

    ways = {COURSE: partial(by_train, "float32"), "its products in bfloat16": partial(by_train, "bfloat16")}
    ways |= {name: partial(an_iteration, step) for name, step in steps.items()}
    network, _ = masked()
    for chunk in (250, 500, 1000, 5000):
        share = partial(lambda c: timed(lambda: evaluate(network, mnist.validation, chunk=c)) / 100, chunk)
        ways[f"a hundredth of a validation, {chunk:,} examples at a time"] = share
    torch.set_flush_denormal(True)
    with process.threads(1):
        return in_turns(ways, REPEATS)


def on_all_cores() -> dict[str, float]:
    """Return the seconds of an iteration of one network where all cores are at work."""
    with ExitStack() as pools:

        def measured(processes: int, work: Callable[[int], None], networks: int) -> Callable[[], float]:
            made = ProcessPoolExecutor(processes, get_context("spawn"), prepare, (CORES // processes,))
            pool = pools.enter_context(made)
            firsts = range(0, networks, networks // processes)
            list(pool.map(work, firsts))
            return lambda: timed(lambda: list(pool.map(work, firsts))) / (networks * STEPS)

        ways = {
            POOL: measured(CORES, alone, CORES),
            f"one process of {CORES} threads, one network": measured(1, alone_with_all_threads, 1),
        }
        for n in (2, 4, 8):
            ways[f"one process of {CORES} threads, {n} networks as one"] = measured(1, partial(together, n), n)
        for n in (2, 4):
            name = f"{CORES} processes of one thread, {n} networks as one in each"
            ways[name] = measured(CORES, partial(together, n), n * CORES)
        return in_turns(ways, REPEATS)


def main() -> None:
    """Measure, print, and write the table."""
    begun, mnist = perf_counter(), data.load("mnist")
    flop = step_flop(models.create("lenet-300-100"), mnist.train.x[:BATCH], mnist.train.y[:BATCH])
    parts = []
    for title, times, base, threads in (
        ("One thread", on_one_thread(mnist, "--compile" in sys.argv), COURSE, 1),
        (f"{CORES} cores", on_all_cores(), POOL, CORES),
    ):
        speed = limit(threads)
        lines = [
            f"| {name} | {1000 * t:.3f} | {t / times[base]:.2f} | "
            f"{'–' if 'validation' in name else f'{flop * speed / t:.0%}'} |"
            for name, t in times.items()
        ]
        head = f"| {title} | ms a network-iteration | ratio | share of the limit |\n|:--|--:|--:|--:|\n"
        parts.append(head + "\n".join(lines))
    tables = "\n\n".join(parts)
    text = f"""# Variants of the training step

Written by `python benchmarks/variants.py` in {(perf_counter() - begun) / 60:.0f} minutes; not by hand.

LeNet-300-100 on MNIST, batch {BATCH}, Adam, under a mask of 20 %: one iteration of one network, the median of {REPEATS}
turns of {STEPS} iterations. The ratio is to the first line of each table; the limit is that of README.md.

{tables}

{here()}"""
    print(text)
    FILE.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
