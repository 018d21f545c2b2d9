"""A recording that is killed at any moment, and as often as you like, comes to the record of one that was not."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import clone
import pytest

from ltcourse.experiments import catalog, runs
from ltcourse.experiments.journal import Journal

ROOT = Path(__file__).resolve().parent.parent
NAME = "lottery-lenet-300-100"
TRIES = 20
KILLS = int(os.environ.get("LTCOURSE_KILLS", "5"))

# Each line that it reads, a folder and the seconds until the kill, begins a recording, whose exit status it tells. It
# forks, so that a recording begins at once, and is a process of its own, so that it has nothing of the tests' to fork.
MOTHER = r"""
import functools, os, signal, sys, time
from concurrent.futures import Executor, Future
from pathlib import Path
import torch
from ltcourse.experiments import executors, runs

class OneAfterAnother(Executor):
    def submit(self, function, /, *given):
        future = Future()
        future.set_result(function(*given))
        return future

torch.set_num_threads(1)
executors.run = functools.partial(executors.run, executor=OneAfterAnother())
print("ready", flush=True)
for line in sys.stdin:
    folder, _, seconds = line.rstrip().partition("\t")
    child = os.fork()
    if child == 0:
        runs.FOLDER = Path(folder)
        runs.record(sys.argv[1], "smoke")
        os._exit(0)
    if seconds:
        time.sleep(float(seconds))
        os.kill(child, signal.SIGKILL)  # which does nothing where it has ended
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="kills processes as Unix does")


@pytest.fixture(scope="module")
def mother():
    with subprocess.Popen(
        [sys.executable, "-c", MOTHER, NAME], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as process:
        process.stdout.readline()  # from now on what it does can be timed
        yield process
        process.stdin.close()


def record(mother, folder, killed_after=""):
    """Record in a process of its own, and kill it after some seconds; return its exit status."""
    mother.stdin.write(f"{folder}\t{killed_after}\n")
    return int(mother.stdout.readline())


def untimed(rows):
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


def rows_of(file):
    (trial,) = json.loads(file.read_text())["trials"]
    return untimed(trial["rows"])


@pytest.fixture(scope="module")
def unbroken(mother, tmp_path_factory):
    """The rows of a recording that nobody kills, and the seconds that it takes."""
    folder, begun = tmp_path_factory.mktemp("unbroken"), time.perf_counter()
    assert record(mother, folder) == 0
    seconds = time.perf_counter() - begun
    rows = rows_of(folder / f"{NAME}.smoke.json")
    assert len(rows) == catalog.settings(NAME, "smoke").trainings
    return rows, seconds


def rows_left(folder, rows):
    """Assert that all that a killed recording left can be used, and is right; return how many rows its journal has."""
    count = 0
    for file in folder.rglob("*"):
        if file.name == "run.json":
            assert json.loads(file.read_text())["settings"] == catalog.settings(NAME, "smoke").to_dict()
        elif file.suffix == ".safetensors":
            found = untimed(Journal.read(file).rows)
            assert found == rows[: len(found)]
            count = len(found)
        else:
            assert file.is_dir() or file.suffix in (".part", ".lock"), "a file that nothing would tell from a whole one"
    return count


def test_a_recording_killed_at_random_moments_comes_to_the_identical_record(mother, unbroken, tmp_path, monkeypatch):
    monkeypatch.setattr(runs, "FOLDER", tmp_path)
    (rows, seconds), killed, before = unbroken, 0, 0
    file = runs.path(NAME, "smoke")
    while killed < KILLS:
        # half of what a whole recording takes, so that few get away; each goes on where the last one was killed
        status = record(mother, tmp_path, killed_after=random.uniform(0, seconds / 2))
        assert status in (0, -signal.SIGKILL)
        killed += status != 0
        if runs.recorded():  # it came to its end, or was killed just after it
            assert runs.recorded() == [file] and rows_of(file) == rows
            file.unlink()
            before = 0
        else:
            assert status != 0
            left = rows_left(tmp_path, rows)
            assert left >= before, "what was done is lost"
            before = left
    assert record(mother, tmp_path) == 0
    assert runs.recorded() == [file] and rows_of(file) == rows
    assert [p.name for p in tmp_path.iterdir() if p.suffix != ".part"] == [file.name]


def test_the_command_that_is_killed_leaves_no_worker_and_goes_on(unbroken, tmp_path):
    """The real command, from a copy of the package, whose records are beside it."""
    clone.make(tmp_path, "fashion-mnist-mini")
    folder, (rows, _) = tmp_path / "data" / "runs", unbroken
    command = [sys.executable, "-m", "ltcourse.cli", "record", NAME, "--budget", "smoke"]

    for _ in range(TRIES):
        with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) as process:
            for _ in range(random.randint(1, len(rows) // 3)):
                assert process.stdout.readline().startswith(f"{NAME} · seed 0 · ")
            process.kill()
            process.communicate(timeout=240)  # to the end of what its workers could print to, so until they are gone
        if not list(folder.glob("*.json")) and 0 < rows_left(folder, rows) < len(rows):
            break
        shutil.rmtree(folder)  # on a machine that is busy it can be over before it is killed
    else:
        pytest.fail(f"none of {TRIES} recordings was killed in its middle")
    assert process.returncode == -signal.SIGKILL

    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    *lines, last = done.stdout.splitlines()
    assert last == str(folder / f"{NAME}.smoke.json") and len(lines) == len(rows)
    assert rows_of(Path(last)) == rows
    assert [p.name for p in folder.iterdir()] == [Path(last).name]
