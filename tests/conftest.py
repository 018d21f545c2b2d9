"""What many tests share: one thread, and a data set of a few hundred real examples."""

import dataclasses
import os

import pytest
import torch

from ltcourse import data
from ltcourse.data import Split
from ltcourse.experiments import (
    deconstruction,
    han,
    initialization,
    instability,
    lottery,
    rewinds,
    supermask_search,
    transfer,
)
from ltcourse.networks.models import snapshot
from ltcourse.pruning import loop
from ltcourse.training import train

torch.set_num_threads(1)
os.environ["LTCOURSE_ANSWERS"] = "off"  # nobody's own answers to predictions are read, or taken for shown


def first(part, count):
    return Split(part.x[:count].clone(), part.y[:count].clone())


@pytest.fixture(scope="session")
def clothes():
    """Fashion-MNIST's first images: 500 to train with, 203 to validate, 101 to test (no round numbers, on purpose)."""
    whole = data.load("fashion-mnist-mini", download=False)
    return dataclasses.replace(
        whole, train=first(whole.train, 500), validation=first(whole.validation, 203), test=first(whole.test, 101)
    )


@pytest.fixture
def global_randomness_untouched():
    """Fail a test whose code draws from PyTorch's global generator or seeds it."""
    torch.manual_seed(20_000)
    before = torch.get_rng_state()
    yield
    assert torch.equal(torch.get_rng_state(), before), "the global random state has changed"


@pytest.fixture(scope="session")
def tiny(clothes):
    """The same images, of every fourth pixel: 7 × 7, for what trains dozens of networks."""
    parts = {part: getattr(clothes, part) for part in ("train", "validation", "test")}
    small = {part: Split(split.x[:, :, ::4, ::4].contiguous(), split.y) for part, split in parts.items()}
    return dataclasses.replace(clothes, **small)


@pytest.fixture
def small_trials(monkeypatch, tiny):
    """Let trials see only `tiny`; return the list that their trainings go to: the first weights, and the choices."""
    trainings = []

    def spy(network, dataset, recipe, **choices):
        trainings.append({"start": snapshot(network), "recipe": recipe, **choices})
        return train(network, dataset, recipe, **choices)

    trial_modules = (deconstruction, initialization, han, supermask_search, instability, lottery, transfer)
    for module in (*trial_modules, loop):
        monkeypatch.setattr(module, "train", spy)
    for module in (*trial_modules, rewinds):
        monkeypatch.setattr(module, "load", lambda name, device: tiny)
    return trainings
