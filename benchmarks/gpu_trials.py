"""Edge-popup and trials side by side on a GPU: `python benchmarks/gpu_trials.py`, where nothing else runs on it.

Writes benchmarks/GPU_TRIALS.md: the time of a step of edge-popup in float32 and in bfloat16, and how many trials of
small experiments end in a second, so many side by side, with a check that each has the rows that it has alone.
"""

from dataclasses import replace
from functools import partial
from pathlib import Path
from time import perf_counter
from unittest import mock

import torch
from measures import in_turns, made_by, timed

from ltcourse import data
from ltcourse.experiments import catalog, executors
from ltcourse.networks import models
from ltcourse.pruning import supermasks
from ltcourse.training import Recipe, train

FILE = Path(__file__).parent / "GPU_TRIALS.md"
DEVICE, REPEATS, STEPS, BESIDE = "cuda", 3, 100, (1, 2, 4, 8)
POPUPS = ("conv-2", "conv-4", "conv-6", "conv-8")
TRIALS = {"lottery-lenet-300-100": ("fashion-mnist-mini", 500), "lottery-conv-2": ("cifar-10", 100)}  # iterations


def popup_step(name: str) -> dict[str, float]:
    """Return the seconds of a step of edge-popup at k = 50 % and batches of 128, by the precision of its products."""
    dataset = data.load("cifar-10", device=DEVICE)
    recipe = Recipe(iterations=100_000, batch=128, optimizer="sgd", evaluate_every=100_000)

    def seconds(precision: str) -> float:
        network = models.create(name, shape=dataset.shape, device=DEVICE)
        supermasks.edge_popup(network, 0.5)

        def steps(count: int) -> None:
            train(network, dataset, recipe.but(precision=precision), end=count)
            torch.cuda.synchronize()

        return (timed(lambda: steps(STEPS + 10)) - timed(lambda: steps(10))) / STEPS  # what is done once is in both

    for precision in ("float32", "bfloat16"):
        seconds(precision)  # what is chosen and imported once
    return in_turns({p: partial(seconds, p) for p in ("float32", "bfloat16")}, REPEATS)


def trials_a_second(name: str, images: str, iterations: int) -> dict[int, float]:
    """Return how many trials of a small experiment end in a second, by how many run side by side.

    Raises RuntimeError if a trial has other rows beside others than alone.
    """
    chosen = catalog.settings(name, "class")
    recipe = chosen.recipe.but(iterations=iterations, evaluate_every=iterations)
    chosen = replace(chosen, data=images, recipe=recipe, rounds=2, redrawn=(2,), shuffled=(), rewind=0)
    seeds, found, alone = tuple(range(max(BESIDE))), {}, []
    for count in (1, *BESIDE):  # the first one warms up
        with mock.patch.object(executors, "SIDE_BY_SIDE", count):
            begun = perf_counter()
            came = executors.side_by_side(name, chosen, seeds, DEVICE, None)
            ends = sorted((seed, row["method"], row["round"], row["test_error"]) for seed, row in came)
            found[count] = len(seeds) / (perf_counter() - begun)
        if alone and ends != alone:
            raise RuntimeError(f"{count} trials of {name} side by side have other rows than one at a time")
        alone = ends
    return found


def main() -> None:
    """Measure, print, and write the tables."""
    begun, steps, trials = perf_counter(), [], []
    for name in POPUPS:
        full, half = popup_step(name).values()
        steps.append(f"| {name} | {1000 * full:.2f} | {1000 * half:.2f} | {half / full:.2f} |")
        print(steps[-1], flush=True)
    for name, (images, iterations) in TRIALS.items():
        rates = trials_a_second(name, images, iterations).values()
        trials.append(f"| {name}, {images}, {iterations} iterations | {' | '.join(f'{rate:.2f}' for rate in rates)} |")
        print(trials[-1], flush=True)
    FILE.write_text(
        f"""# Edge-popup and trials on a GPU

Written by `python benchmarks/gpu_trials.py` in {perf_counter() - begun:.0f} seconds; not by hand.

A step of edge-popup at k = 50 %, batches of 128 of CIFAR-10, replayed, in ms; the median of {REPEATS} turns.

| network | float32 | bfloat16 | ratio |
|:--|--:|--:|--:|
{chr(10).join(steps)}

Trials that end in a second, by how many run side by side, each in a thread with a stream and graphs of its own; in all
{max(BESIDE)} trials of 4 networks each. Their errors are, bit for bit, those that they have one at a time.

| experiment | {" | ".join(map(str, BESIDE))} |
|:--|{"--:|" * len(BESIDE)}
{chr(10).join(trials)}

{made_by(DEVICE)}""",
        encoding="utf-8",
    )


if __name__ == "__main__":
    main()
