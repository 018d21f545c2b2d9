"""A Dask cluster: the record of a serial run, whoever is lost on the way, and one sentence for what is wrong."""

import contextlib
import dataclasses
import functools
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
import weakref
from pathlib import Path

import clone
import dask
import pytest
from distributed import LocalCluster
from distributed.utils import LoopRunner
from executors import OneAfterAnother

from ltcourse import cli, data
from ltcourse.experiments import catalog, cluster, executors, machine, runs, trials
from ltcourse.experiments.cluster import ClusterError
from ltcourse.experiments.journal import Journal

ROOT = Path(__file__).resolve().parents[2]
NAME = "lottery-lenet-300-100"
SEEDS = tuple(range(8))
KILLS = int(os.environ.get("LTCOURSE_KILLS", "5"))


@pytest.fixture(scope="module")
def local():
    """Two workers on this machine, processes of one thread each, which come again when they are killed."""
    options = {"n_workers": 2, "threads_per_worker": 1, "processes": True, "dashboard_address": None, "memory_limit": 0}
    # a worker that is killed a second time at a bad moment would not come again: Dask looks 15 s after the first one
    waits = ("comm.timeouts.connect", "comm.timeouts.tcp", "deploy.lost-worker-timeout", "scheduler.worker-ttl")
    patient = dask.config.set({f"distributed.{name}": "1 hour" for name in waits})  # of a machine that is busy
    with patient, LocalCluster(**options, silence_logs=50) as started:
        yield started


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    monkeypatch.setattr(cluster, "PATIENCE", 240)


@pytest.fixture
def workers(local):
    local.scheduler.allowed_failures = 3  # Dask's own number
    wait_for(lambda: len(local.scheduler.workers) == 2)
    with cluster.connect(local.scheduler_address) as connected:
        yield connected


@pytest.fixture(scope="module")
def small():
    """An experiment of eight trials of four trainings each."""
    found = catalog.EXPERIMENTS[NAME]
    none = dict.fromkeys(("shuffled", "one_shot", "continued"), ())
    settings = dataclasses.replace(found.budgets["smoke"], rounds=2, redrawn=(2,), seeds=SEEDS, **none)
    return dataclasses.replace(found, budgets={"smoke": settings})


@pytest.fixture
def folder(monkeypatch, tmp_path, small):
    """A folder for records, and that experiment."""
    monkeypatch.setitem(catalog.EXPERIMENTS, NAME, small)
    monkeypatch.setattr(runs, "FOLDER", tmp_path / "runs")
    return tmp_path / "runs"


@pytest.fixture
def slow(folder, monkeypatch, small):
    """That experiment with trials that are far from done when their first row has come."""
    settings = small.budgets["smoke"]
    settings = dataclasses.replace(settings, recipe=settings.recipe.but(iterations=200))
    monkeypatch.setitem(catalog.EXPERIMENTS, NAME, dataclasses.replace(small, budgets={"smoke": settings}))


@pytest.fixture(scope="module")
def alone(tmp_path_factory, small):
    """The record of a serial run of the same experiment."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(catalog.EXPERIMENTS, NAME, small)
        patch.setattr(runs, "FOLDER", tmp_path_factory.mktemp("serial"))
        patch.setattr(executors, "run", functools.partial(executors.run, executor=OneAfterAnother()))
        patch.setattr(catalog, "default_device", lambda: "cpu")
        runs.record(NAME, "smoke")
        return runs.load(NAME, "smoke")


@pytest.fixture(scope="module")
def serial(alone):
    """What that run found, byte for byte."""
    return json.dumps(alone.results)


def found():
    return json.dumps(runs.load(NAME, "smoke").results)


def wait_for(condition, seconds=240):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def one_sentence(problem):
    text = str(problem.value)
    assert "\n" not in text and "Traceback" not in text and 20 < len(text) < 400, text
    return text


def sha256():
    return data.load("fashion-mnist-mini").sha256


# The same record


def test_a_record_of_a_cluster_is_that_of_a_serial_run_but_for_when_where_and_how_long(workers, folder, serial, capsys):
    file = runs.record(NAME, "smoke", workers=workers, echo=True)
    assert found() == serial
    assert len(capsys.readouterr().out.splitlines()) == len(SEEDS) * 4, "each row is told once, as on one machine"
    assert [p.name for p in folder.iterdir()] == [file.name]
    provenance = runs.load(NAME, "smoke").provenance
    assert {key: provenance[key] for key in cluster.PLACE} == machine.here(catalog.default_device())
    assert "2 workers" in str(workers) and provenance["machine"] in str(workers)


def test_what_makes_two_records_identical(alone):
    record = alone
    for change in ("started", "machine", "code"):
        assert dataclasses.replace(record, provenance=record.provenance | {change: "?"}).results == record.results
    slower = json.loads(json.dumps(record.trials))
    slower[0]["seconds"] = slower[0]["rows"][0]["seconds"] = 99
    assert dataclasses.replace(record, trials=slower).results == record.results
    slower[0]["rows"][0]["test_error"] += 2**-52
    assert dataclasses.replace(record, trials=slower).results != record.results
    other = record.provenance | {"data_sha256": "0"}
    assert dataclasses.replace(record, provenance=other).results != record.results


def test_rows_come_while_the_trial_goes_on(workers, folder, slow):
    arriving = workers.run(NAME, "smoke", seeds=(0,), sha256=sha256(), folder=folder)
    next(arriving)
    assert not (folder / "seed-0.safetensors").exists(), "the row was held back until the trial was done"
    assert len(list(arriving)) == 3
    assert Journal.read(folder / "seed-0.safetensors").complete


# Faults


def test_workers_killed_again_and_again_cost_only_the_trials_that_they_were_at(local, workers, folder, serial):
    local.scheduler.allowed_failures = 2 * KILLS  # any number of them may hit the same trial
    killed, rounds = [], 0
    while len(killed) < KILLS:
        wait_for(lambda: len(local.scheduler.workers) == 2)
        runner = runs.Runner(NAME, "smoke", folder=folder / str(rounds), workers=workers)
        for arrival in runner:
            up = [nanny for nanny in at_work(local) if nanny.pid not in killed]  # a death is not noticed at once
            if len(killed) < KILLS and len(up) == 2 and arrival.row["round"] < 2:
                victim = random.choice(up).pid
                os.kill(victim, signal.SIGKILL)
                killed.append(victim)
        assert json.dumps(runner.record.results) == serial
        rounds += 1
    assert len(set(killed)) == KILLS


def test_a_trial_that_loses_one_worker_after_the_other_is_given_up_and_the_others_are_kept(
    local, workers, folder, slow
):
    local.scheduler.allowed_failures, killed = 0, []
    with pytest.raises(ClusterError) as problem:
        for _ in workers.run(NAME, "smoke", seeds=(0, 1, 2), sha256=sha256(), folder=folder):
            if not killed and (up := at_work(local)):
                killed.append(random.choice(up).pid)
                os.kill(killed[0], signal.SIGKILL)
    given_up = re.match(r"the trial of seed (\d) lost one worker after the other, ", one_sentence(problem))
    kept = {file.name for file in folder.iterdir() if Journal.read(file).complete}
    assert kept == {f"seed-{seed}.safetensors" for seed in {0, 1, 2} - {int(given_up[1])}}


def test_ctrl_c_stops_the_workers_and_the_next_call_goes_on(local, workers, folder, serial, monkeypatch):
    def stopped(arrival):
        if len(list((folder / f"{NAME}.smoke.partial").glob("seed-*"))) >= 2:
            raise KeyboardInterrupt
        return str(arrival)

    with monkeypatch.context() as patch:
        patch.setattr(runs, "describe", lambda row: stopped(row))
        with pytest.raises(KeyboardInterrupt):
            runs.record(NAME, "smoke", workers=workers, echo=True)
    wait_for(lambda: not any(busy(workers)))
    partial = folder / f"{NAME}.smoke.partial"
    done = {file.name: Journal.read(file).rows for file in partial.glob("seed-*")}
    assert 2 <= len(done) < len(SEEDS) and runs.recorded() == []
    runs.record(NAME, "smoke", workers=workers)
    assert found() == serial
    for trial in runs.load(NAME, "smoke").trials:
        kept = done.get(f"seed-{trial['seed']}.safetensors")
        assert kept in (None, trial["rows"]), "what was done was done again: its seconds differ"


def test_a_run_that_was_stopped_on_one_machine_goes_on_in_the_middle_of_a_trial(workers, folder, serial):
    partial = folder / f"{NAME}.smoke.partial"
    begun = runs.Runner(NAME, "smoke", folder=partial)
    runs._sign(partial, begun.record)
    chosen, file = catalog.settings(NAME, "smoke"), partial / "seed-3.safetensors"
    rows = trials.rows(catalog.get(NAME), chosen, 3, "cpu", file)
    before = [next(rows), next(rows)]
    rows.close()
    runs.record(NAME, "smoke", workers=workers)
    assert found() == serial
    assert runs.load(NAME, "smoke").trials[3]["rows"][:2] == before, "it was done again: its seconds differ"


def test_the_command_runs_on_a_cluster_and_ctrl_c_ends_it_politely(local, workers, tmp_path):
    """The real command, from a copy of the package, whose code is the same."""
    clone.make(tmp_path, "fashion-mnist-mini")
    # a shell that starts the tests in the background has them ignore Ctrl-C; trials are long, so that it is in time
    heard = f"""
import dataclasses, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
from ltcourse import cli
from ltcourse.experiments import catalog, cluster
cluster.PATIENCE, found = 240, catalog.get({NAME!r})
smoke = found.budgets["smoke"]
long = dataclasses.replace(smoke, rounds=30, recipe=smoke.recipe.but(iterations=400))
catalog.EXPERIMENTS[{NAME!r}] = dataclasses.replace(found, budgets={{"smoke": long}})
"""
    arguments = ["record", NAME, "--budget", "smoke", "--scheduler", local.scheduler_address]
    command = [sys.executable, "-c", f"{heard}sys.exit(cli.main({arguments!r}))"]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment(tmp_path)
    ) as process:
        assert process.stdout.readline().startswith(f"{NAME} · seed 0 · ticket · round 0")
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=240)
    assert process.returncode == 130 and said.splitlines()[0].startswith("a cluster of 2 workers: ")
    assert said.splitlines()[1:] == ["", "ltcourse: stopped"]


def environment(folder):
    return {name: value for name, value in os.environ.items() if name != "LTCOURSE_DATA"} | {"PYTHONPATH": str(folder)}


def test_a_scheduler_that_is_lost_is_one_sentence_and_what_is_done_is_kept(folder, tmp_path):
    """A scheduler and a worker as the README starts them, from a scheduler file."""
    file, dask = tmp_path / "scheduler.json", [sys.executable, "-m", "dask"]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL, "cwd": tmp_path, "start_new_session": True}
    address = ["--host", "127.0.0.1", "--port", "0", "--scheduler-file", str(file), "--no-dashboard"]
    worker_of = ["--scheduler-file", str(file), "--nthreads", "1", "--no-dashboard", "--death-timeout", "240"]
    scheduler = subprocess.Popen([*dask, "scheduler", *address], env=environment(ROOT), **quiet)
    worker = subprocess.Popen([*dask, "worker", *worker_of], env=environment(ROOT), **quiet)
    try:
        wait_for(file.exists)
        with pytest.raises(ClusterError) as problem, cluster.connect(str(file)) as workers:
            for _ in workers.run(NAME, "smoke", seeds=SEEDS, sha256=sha256(), folder=folder):
                if list(folder.glob("seed-*")):
                    scheduler.kill()
    finally:
        for process in (worker, scheduler):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait(timeout=60)
    assert "the scheduler of the cluster was lost: start it again; finished trials are kept" in one_sentence(problem)
    assert any(Journal.read(file).complete for file in folder.glob("seed-*"))


# What cannot be used


@pytest.mark.parametrize("key", ["code", "Python", "torch", "numpy"])
def test_a_worker_that_differs_is_told_before_a_trial_begins(local, workers, monkeypatch, key):
    monkeypatch.setattr(cluster, "facts", lambda: cluster.Facts() | ours | {key: "0.1"})
    ours = {"code": machine.sources(), **{name: workers._wanted[name] for name in ("Python", "torch", "numpy")}}
    with pytest.raises(ClusterError) as problem, cluster.connect(local.scheduler_address):
        pass
    text = one_sentence(problem)
    assert "the worker tcp://" in text and ("other code" in text if key == "code" else f"{key} " in text)


@pytest.mark.parametrize(
    ("key", "words"),
    [("threads", "start it with `--nthreads 1`"), ("kind", "workers of one kind"), ("data", "has other data")],
)
def test_a_worker_that_cannot_give_the_same_result_is_told(key, words):
    wanted = {"threads": "1", "kind": "cuda", "data": "a" * 64}
    cluster._refuse_differences("tcp://1.2.3.4:5", wanted, wanted)
    with pytest.raises(ClusterError) as problem:
        cluster._refuse_differences("tcp://1.2.3.4:5", wanted | {key: "4"}, wanted)
    assert "the worker tcp://1.2.3.4:5 " in one_sentence(problem) and words in str(problem.value)


def test_other_data_on_a_worker_is_refused_there(workers, folder):
    with pytest.raises(ClusterError) as problem:
        list(workers.run(NAME, "smoke", seeds=SEEDS, sha256="0" * 64, folder=folder))
    assert "has other data than this machine" in one_sentence(problem)
    assert list(folder.glob("*")) == []


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "127.0.0.1:9", "no address at all", "tcp://localhost"])
def test_a_scheduler_that_does_not_answer_is_told_in_seconds(monkeypatch, address):
    monkeypatch.setattr(cluster, "PATIENCE", 1)
    begun, dasks_own = time.monotonic(), dask.config.set({"distributed.comm.timeouts.connect": "10 minutes"})
    with dasks_own, pytest.raises(ClusterError) as problem, cluster.connect(address):
        pass
    assert f"no Dask scheduler answers at {address}: start one with `dask scheduler`" in one_sentence(problem)
    assert time.monotonic() - begun < 240


@pytest.mark.parametrize("failures", [1, 2])
def test_a_machine_that_is_too_busy_to_start_dask_tries_once_more_and_is_told(local, monkeypatch, failures):
    """Dask asserts that a thread of its own has begun within ten seconds."""
    start, left = LoopRunner.start, [None] * failures

    def late(runner):
        if left:
            left.pop()
            raise AssertionError
        start(runner)

    monkeypatch.setattr(LoopRunner, "start", late)
    if failures == 1:
        with cluster.connect(local.scheduler_address) as connected:
            assert "a cluster of" in str(connected)
    else:
        with pytest.raises(ClusterError) as problem, cluster.connect(local.scheduler_address):
            pass
        assert "this machine is too busy to start Dask's client" in one_sentence(problem)


def test_a_scheduler_file_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ClusterError, match="there is no scheduler file") as problem:
        cluster.connect(str(tmp_path / "scheduler.json")).__enter__()
    assert "start `dask scheduler --scheduler-file" in one_sentence(problem)


def test_without_dask_the_command_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "distributed", None)
    assert cli.main(["record", NAME, "--budget", "smoke", "--scheduler", "tcp://127.0.0.1:9"]) == 1
    said = capsys.readouterr().err
    assert said == "ltcourse: Dask is not installed: `pip install -c constraints.txt -e .[cluster]`\n"


def test_what_is_unknown_is_told_before_a_scheduler_is_asked(capsys):
    assert cli.main(["record", "lotery", "--scheduler", "tcp://127.0.0.1:9"]) == 1
    assert "unknown experiment 'lotery'" in capsys.readouterr().err


# Looking at the cluster from outside


def at_work(local):
    """The nannies of the workers that are at a trial; not one that is still starting, which it would not do again."""
    busy = {worker.address for worker in list(local.scheduler.workers.values()) if worker.processing}
    return [
        nanny for nanny in local.workers.values() if nanny.status.name == "running" and nanny.worker_address in busy
    ]


def busy(workers):
    """How many trials each worker is at, wanted or not."""
    return workers._client.run(lambda dask_worker: len(dask_worker.active_threads)).values()


def test_a_client_that_failed_is_gone_before_another_one_is_begun(monkeypatch):
    """Dask holds a lock while a client starts, and a client that is collected just then waits for it for ever."""
    left = []

    class Failing:
        def __init__(self, **where):
            self.itself = self  # as Dask's: only the collector ends it
            left.append(weakref.ref(self))
            raise OSError("nobody answers")

    with pytest.raises(ClusterError):
        cluster._client(Failing, "tcp://nowhere:1", {"address": "tcp://nowhere:1"})
    assert left and left[0]() is None
