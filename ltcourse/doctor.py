"""What this machine has, whether the data is whole, how fast it trains, and what a lesson will take."""

import json
import os
import platform
import time
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from ltcourse import data
from ltcourse.networks import models
from ltcourse.training import Recipe, train

PACKAGES = ("torch", "torchvision", "numpy", "matplotlib", "jupyterlab", "ipywidgets")
MINUTES = Path(__file__).resolve().parent.parent / "notebooks" / "minutes.json"


def step_milliseconds(iterations: int = 200) -> float:
    """Return the milliseconds of a training iteration of LeNet-300-100 on MNIST, batch 60, Adam; the best of 3 runs."""
    mnist = data.load("mnist", download=False)
    recipe = Recipe(iterations=10 * iterations, evaluate_every=10 * iterations)
    best = float("inf")
    for _ in range(3):
        network = models.create("lenet-300-100")
        begun = time.perf_counter()
        train(network, mnist, recipe, end=iterations)
        best = min(best, time.perf_counter() - begun)
    return best / iterations * 1000


def expected_seconds(step: float) -> dict[str, float]:
    """Return the expected seconds of each lesson where an iteration takes `step` milliseconds.

    From the measured seconds of the machine that built the notebooks, in proportion to its own step; empty where there
    are none, as outside a clone.
    """
    try:
        measured = json.loads(MINUTES.read_text(encoding="utf-8"))
        return {lesson: m["seconds"] * step / m["step_ms"] for lesson, m in measured.items()}
    except (OSError, ValueError, KeyError):
        return {}


def report() -> Iterator[tuple[bool, str]]:
    """Yield (whether it is well, a line) for each thing examined, as it is examined."""
    yield (
        True,
        f"Python {platform.python_version()} on {platform.system()} {platform.machine()}, {os.cpu_count()} cores",
    )
    for package in PACKAGES:
        try:
            yield True, f"{package} {version(package)}"
        except PackageNotFoundError:
            yield False, f"{package} is not installed: run `make lab` again"
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU: everything runs on the CPU"
    yield True, f"device: {device}"
    whole = True
    for found in data.verify():
        whole = whole and found.ok
        yield found.ok, f"data: {found.sentence}"
    if not whole:
        return
    step = step_milliseconds()
    yield True, f"a training iteration of LeNet-300-100, batch 60: {step:.2f} ms"
    for lesson, seconds in expected_seconds(step).items():
        yield True, f"lesson {lesson}: about {max(0.5, seconds / 60):.1f} minutes at the class budget"
