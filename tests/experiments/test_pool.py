"""The pool of processes: rows come while trials go on, none is lost, and no worker is left behind."""

import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures.process import BrokenProcessPool
from dataclasses import replace
from pathlib import Path

import pytest
from executors import OneAfterAnother

from ltcourse.data import DataError
from ltcourse.experiments import catalog, executors, trials
from ltcourse.experiments.journal import Journal
from ltcourse.networks import masks, models
from ltcourse.networks.models import snapshot
from ltcourse.pruning import Round
from ltcourse.training import History, checkpoints

NAME = "lottery-lenet-300-100"
ROWS = catalog.settings(NAME, "smoke").trainings


def untimed(rows):
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


@pytest.fixture
def slow(monkeypatch):
    """Trials that are far from done when their first row has come."""
    found = catalog.get(NAME)
    settings = found.budgets["smoke"]
    settings = replace(settings, recipe=settings.recipe.but(iterations=100))
    monkeypatch.setitem(catalog.EXPERIMENTS, NAME, replace(found, budgets={"smoke": settings}))


def pool(folder, seeds=(0,)):
    return executors.run(NAME, "smoke", seeds=seeds, device="cpu", folder=folder)


def rows_in(file):
    return Journal.read(file).rows


def test_rows_come_while_the_trial_goes_on_and_one_that_is_left_can_be_gone_on_with(slow, tmp_path):
    file, arrived = tmp_path / "seed-0.safetensors", pool(tmp_path)
    first = next(arrived)
    assert first == (0, rows_in(file)[0])
    assert len(rows_in(file)) < ROWS, "the rows were held back until the trial was done"
    arrived.close()
    assert multiprocessing.active_children() == []
    left = rows_in(file)
    assert 0 < len(left) < ROWS

    serial = {"seeds": (0,), "executor": OneAfterAnother(), "device": "cpu"}
    gone_on = [row for _, row in executors.run(NAME, "smoke", folder=tmp_path, **serial)]
    assert gone_on[: len(left)] == left
    assert untimed(gone_on) == untimed(row for _, row in executors.run(NAME, "smoke", **serial))


SCRIPT = f"""
from ltcourse.experiments import executors
print("begun")
for seed, row in executors.run({NAME!r}, "smoke", seeds=(0, 1), device="cpu"):
    print(seed, row["method"], row["round"])
"""


@pytest.mark.parametrize("how", ["a file", "a file as a module", "the standard input"])
def test_a_script_needs_no_guard(tmp_path, how):
    (tmp_path / "script.py").write_text(SCRIPT)
    command = {"a file": ["script.py"], "a file as a module": ["-m", "script"], "the standard input": ["-"]}[how]
    path = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, *command],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": path},
        input=SCRIPT if command == ["-"] else "",
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines.count("begun") == 1, "a worker has run the script again"
    assert sorted(line[0] for line in lines[1:]) == ["0"] * ROWS + ["1"] * ROWS


def test_the_rows_of_a_trial_that_failed_do_not_stand_for_those_of_another(tmp_path):
    """Seed 1 hands over what its journal holds, and fails; who looks at that for long still gets all of seed 0."""
    other = models.create("lenet-5")
    journal = Journal(file=tmp_path / "seed-1.safetensors")
    journal.rounds["ticket"] = Round(0, masks.dense(other), snapshot(other), History())
    for number in range(5):
        journal.note({"method": "ticket", "round": number})
    came = []
    with pytest.raises(ValueError, match="this mask is of another network"):
        for seed, _ in pool(tmp_path, seeds=(0, 1)):
            came.append(seed)
            deadline = time.monotonic() + 240
            while len(rows_in(tmp_path / "seed-0.safetensors")) < ROWS and time.monotonic() < deadline:
                time.sleep(0.1)
            if len(came) == 1:
                time.sleep(0.5)  # until both trials are done
    assert came.count(0) == ROWS


def test_a_worker_that_is_killed_is_told_and_the_others_end(slow, tmp_path):
    arrived = pool(tmp_path, seeds=(0, 1))
    next(arrived)
    os.kill(multiprocessing.active_children()[0].pid, signal.SIGKILL)
    with pytest.raises(BrokenProcessPool):
        list(arrived)
    assert multiprocessing.active_children() == []


def beside(folder=None, seeds=(0, 1, 2)):
    """What runs on a GPU, on the CPU: threads, and no streams."""
    return executors.side_by_side(NAME, catalog.settings(NAME, "smoke"), seeds, "cpu", folder)


@pytest.mark.parametrize("together", [1, 2, 4])
def test_trials_side_by_side_have_the_rows_that_they_have_alone(together, monkeypatch, tmp_path):
    monkeypatch.setattr(executors, "SIDE_BY_SIDE", together)
    serial = {"seeds": (0, 1, 2), "executor": OneAfterAnother(), "device": "cpu"}
    alone = sorted(executors.run(NAME, "smoke", **serial), key=lambda arrival: arrival[0])
    came = sorted(beside(), key=lambda arrival: arrival[0])
    assert [seed for seed, _ in came] == [seed for seed, _ in alone]
    assert untimed(row for _, row in came) == untimed(row for _, row in alone)


def test_supermasks_side_by_side_have_the_rows_that_they_have_alone():
    """Evaluation computes their weights once, while another thread trains its own."""
    name = "hidden-lenet-300-100"
    chosen = replace(catalog.settings(name, "smoke"), ks=(0.3, 0.5, 0.7), random=False, widths=())
    found = catalog.get(name)
    alone = {s: untimed(trials.rows(found, chosen, s, "cpu")) for s in range(3)}
    came = sorted(executors.side_by_side(name, chosen, (0, 1, 2), "cpu", None), key=lambda arrival: arrival[0])
    assert {s: untimed(row for seed, row in came if seed == s) for s in range(3)} == alone


def test_one_that_fails_beside_others_is_told_when_they_are_done(tmp_path):
    (tmp_path / "seed-1.safetensors").write_bytes(b"no journal")
    came = []
    with pytest.raises(DataError, match="is not the journal of a trial"):
        for seed, _ in beside(tmp_path):
            came.append(seed)
    assert sorted(came) == [0] * ROWS + [2] * ROWS


def test_left_in_the_midst_they_stop_in_the_midst_of_a_training_and_go_on_from_there(slow, tmp_path):
    before = threading.active_count()
    arrived = beside(tmp_path)
    next(arrived)
    arrived.close()
    assert threading.active_count() == before and checkpoints.UNTIL not in os.environ
    left = sum(len(rows_in(tmp_path / f"seed-{seed}.safetensors")) for seed in range(3))
    assert 0 < left < 3 * ROWS
    serial = {"seeds": (0, 1, 2), "executor": OneAfterAnother(), "device": "cpu"}
    gone_on, whole = (
        sorted(came, key=lambda arrival: arrival[0])
        for came in (beside(tmp_path), executors.run(NAME, "smoke", **serial))
    )
    assert untimed(row for _, row in gone_on) == untimed(row for _, row in whole)
