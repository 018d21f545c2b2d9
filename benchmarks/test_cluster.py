"""Trials a second on a Dask cluster of this machine: two workers against one. Needs two cores and nothing else on them.

`python -m pytest benchmarks/test_cluster.py -s` prints both, and their ratio.
"""

import dataclasses
from time import perf_counter

import pytest
from distributed import LocalCluster

from ltcourse import data
from ltcourse.experiments import catalog, cluster

NAME, TRIALS, REPEATS = "lottery-lenet-300-100", 4, 2


@pytest.fixture(autouse=True)
def trials_of_two_trainings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Trials as those of the class budget on MNIST, with one round: dense, and the ticket of 80 %."""
    found = catalog.get(NAME)
    short = dataclasses.replace(found.budgets["class"], rounds=1, redrawn=(), shuffled=())
    changed = dataclasses.replace(found, budgets={"class": short})
    monkeypatch.setitem(catalog.EXPERIMENTS, NAME, changed)


def trials_a_second(count: int) -> float:
    """Return the trials that a cluster of `count` workers finishes a second, once it has begun and loaded the data."""
    options = {"threads_per_worker": 1, "processes": True, "dashboard_address": None, "memory_limit": 0}
    sha256 = data.load("mnist").sha256
    with (
        LocalCluster(n_workers=count, silence_logs=50, **options) as local,
        cluster.connect(local.scheduler_address) as workers,
    ):
        local.wait_for_workers(count)
        for number in (count, TRIALS * count):  # the first time each worker loads its code and its data
            begun = perf_counter()
            rows = list(workers.run(NAME, "class", seeds=tuple(range(number)), sha256=sha256))
            seconds = perf_counter() - begun
        assert len(rows) == 2 * TRIALS * count
        return TRIALS * count / seconds


def test_two_workers_finish_nearly_twice_as_many_trials_a_second_as_one() -> None:
    best = {1: 0.0, 2: 0.0}
    for _ in range(REPEATS):
        for count in best:
            best[count] = max(best[count], trials_a_second(count))
    ratio = best[2] / best[1]
    print(f"\ntrials a second: one worker {best[1]:.3f}, two workers {best[2]:.3f}: {ratio:.2f} times as many")
    assert ratio >= 1.8
