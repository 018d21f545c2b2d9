"""Each experiment of the course by its name, and the budget and device that it runs at."""

import os
from typing import Any

import torch

from ltcourse.experiments import (
    deconstruction,
    foresight,
    han,
    han_cifar,
    han_imagenet,
    initialization,
    instability,
    layerwise,
    lengths,
    lottery,
    rewinds,
    sparse_trainings,
    structured,
    supermask_imagenet,
    supermask_search,
    transfer,
)
from ltcourse.experiments.trials import BUDGETS, Experiment
from ltcourse.names import choose

_FAMILIES = (
    han,
    han_cifar,
    han_imagenet,
    lottery,
    rewinds,
    lengths,
    structured,
    instability,
    transfer,
    initialization,
    deconstruction,
    supermask_search,
    supermask_imagenet,
    foresight,
    sparse_trainings,
    layerwise,
)

EXPERIMENTS: dict[str, Experiment] = {e.name: e for family in _FAMILIES for e in family.EXPERIMENTS}


def budget(name: str | None = None) -> str:
    """Return the budget to run at: `name`, else the environment's LTCOURSE_BUDGET, else "class".

    Raises ValueError for an unknown one.
    Lesson 00, "Budgets".
    """
    return choose("budget", name or os.environ.get("LTCOURSE_BUDGET") or "class", BUDGETS)


def get(name: str) -> Experiment:
    """Return the experiment of that name; raises ValueError if there is none."""
    return EXPERIMENTS[choose("experiment", name, EXPERIMENTS)]


def settings(name: str, at: str | None = None) -> Any:
    """Return the settings of an experiment at a budget (by default `budget()`).

    Raises ValueError, with the budgets that it has, where it has no settings at this one.
    Lesson 00, "Budgets".
    """
    at, there = budget(at), get(name).budgets
    if at not in there:
        raise ValueError(f"{name} has no settings at the {at} budget: choose one of {', '.join(there)}")
    return there[at]


def live(iterations: int) -> int:
    """Return how many iterations a lesson's own training cell runs: `iterations`, or a twentieth at the smoke budget.

    Lesson 00, "A first network".
    """
    return max(10, iterations // 20) if budget() == "smoke" else iterations


def default_device() -> str:
    """Return the device to run on: "cuda" where there is such a device, else "cpu"; LTCOURSE_DEVICE names another.

    Raises ValueError for an unknown one, and for "cuda" where there is none.
    """
    there = torch.cuda.is_available()
    asked = os.environ.get("LTCOURSE_DEVICE") or ("cuda" if there else "cpu")
    device = choose("device", "cuda" if asked == "gpu" else asked, ("cpu", "cuda"))
    if device == "cuda" and not there:
        raise ValueError("PyTorch finds no GPU here: unset LTCOURSE_DEVICE, or set it to cpu")
    return device
