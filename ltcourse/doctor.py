"""What this machine has, whether the data is whole, how fast it trains, and what a lesson will take."""

import json
import os
import platform
import time
from collections.abc import Callable, Iterator
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from ltcourse import data, files
from ltcourse.data import streams
from ltcourse.experiments import catalog
from ltcourse.names import choose
from ltcourse.networks import models
from ltcourse.training import Recipe, graphs, train

PACKAGES = ("torch", "torchvision", "numpy", "matplotlib", "jupyterlab", "ipywidgets")
MINUTES = files.ROOT / "notebooks" / "minutes.json"


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


def bfloat16_share(iterations: int = 4) -> float:
    """Return the time of a training iteration of Conv-2 in bfloat16 as a share of that in float32; the best of 3 each.

    Batches of 64. Below 1, this machine gains from the rounded products that records of convolutions are made with.
    """
    photographs = data.load("cifar-10-mini", download=False)
    best = {}
    for precision in ("float32", "bfloat16"):
        recipe = Recipe(iterations=1_000, batch=64, evaluate_every=1_000, precision=precision)
        network = models.create("conv-2", shape=photographs.shape)
        times = []
        for _ in range(3):
            begun = time.perf_counter()
            train(network, photographs, recipe, end=iterations)
            times.append(time.perf_counter() - begun)
        best[precision] = min(times)
    return best["bfloat16"] / best["float32"]


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


def environment() -> Iterator[tuple[bool, str]]:
    """Yield (whether it is well, a line) for each environment variable of the course that is set."""
    for name, value in sorted(os.environ.items()):
        if name.startswith("LTCOURSE_") and value:
            try:
                yield True, f"{name}={value}: {VARIABLES[choose('variable', name, VARIABLES)](value)}"
            except ValueError as problem:
                yield False, f"{name}={value}: {problem}"
    try:
        import_module("matplotlib")
    except ValueError:
        yield False, f"MPLBACKEND={os.environ.get('MPLBACKEND')}: Matplotlib knows no such backend, unset it"
    except ImportError:
        pass  # told among the packages


def _folder(value: str, what: str = "downloads") -> str:
    """Say what a folder is; raises ValueError where nothing can be kept there."""
    folder = files.place(value)
    if not folder.is_absolute():
        raise ValueError("each working directory has another folder of that name, write the whole path")
    there = next(place for place in (folder, *folder.parents) if place.exists())
    if not there.is_dir():
        raise ValueError(f"{there} is a file, name a folder")
    if folder.is_dir():
        return f"the folder of {what}"
    if not os.access(there, os.W_OK):
        raise ValueError(f"it is not there and cannot be made in {there}, name another folder")
    return f"the folder of {what}, which the first one makes"


def _images(value: str) -> str:
    root = files.place(value)
    if not root.is_dir():
        raise ValueError("it is no folder, name the one that holds train/ and val/")
    return "the folder of ImageNet"


def _one_of(*values: str) -> Callable[[str], str]:
    return lambda value: choose("value", value, values)


def _count(value: str) -> str:
    if not value.isdecimal():
        raise ValueError("it must be a whole number")
    return value


VARIABLES: dict[str, Callable[[str], str]] = {
    "LTCOURSE_BUDGET": lambda value: f"the budget of the lessons is {catalog.budget(value)}",
    "LTCOURSE_DEVICE": lambda _: f"experiments run on {catalog.default_device()}",
    "LTCOURSE_ANSWERS": lambda value: "no answers are kept" if value == "off" else _folder(value, "answers"),
    "LTCOURSE_DATA": _folder,
    streams.ROOT: _images,
    graphs.SWITCH: _one_of("0", "1"),
    "LTCOURSE_BUILD": _one_of("1"),
    "LTCOURSE_BROWSER": _one_of("0", "1"),
    "LTCOURSE_NETWORK": _one_of("0", "1"),
    "LTCOURSE_KILLS": _count,
}


def clone() -> Iterator[tuple[bool, str]]:
    """Yield what is wrong with where the package lies: outside a clone, or in another than the one worked in."""
    if not files.in_clone():
        yield False, files.NO_CLONE
    here = Path.cwd()
    for folder in (here, *here.parents):
        if files.is_clone(folder) and folder.resolve() != files.ROOT:
            where = f"this clone is {folder}, and the ltcourse that runs is that of {files.ROOT}"
            yield False, f"{where}: run `make lab` here, or `pip install -e .` where you installed it"
            return


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
    yield from environment()
    yield from clone()
    if not files.in_clone():
        return
    whole = True
    for found in data.verify():
        whole = whole and found.ok
        yield found.ok, f"data: {found.sentence}"
    if not whole:
        return
    step = step_milliseconds()
    yield True, f"a training iteration of LeNet-300-100, batch 60: {step:.2f} ms"
    share = bfloat16_share()
    gains = "which gains" if share < 1 else "which gains nothing: records at night will take longer"
    yield True, f"a convolutional network trains in bfloat16 in {share:.2f} of float32's time, {gains}"
    for lesson, seconds in expected_seconds(step).items():
        yield True, f"lesson {lesson}: about {max(0.5, seconds / 60):.1f} minutes at the class budget"
