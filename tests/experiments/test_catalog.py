"""The experiments as data: their budgets and shares, and that their results do not depend on where they run."""

import dataclasses
import json
import math
import multiprocessing
import subprocess
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from executors import OneAfterAnother

from ltcourse import papers
from ltcourse.experiments import catalog, executors, trials
from ltcourse.experiments.catalog import EXPERIMENTS
from ltcourse.experiments.han import Pruning
from ltcourse.experiments.instability import Instability
from ltcourse.experiments.lottery import Lottery
from ltcourse.experiments.trials import BUDGETS
from ltcourse.networks import masks, models
from ltcourse.pruning import criteria

LESSONS = Path(__file__).resolve().parents[2] / "lessons"
LENETS = ("lenet-300-100", "lenet-5")


@pytest.fixture(autouse=True)
def default_budget(monkeypatch):
    monkeypatch.delenv("LTCOURSE_BUDGET", raising=False)


# As data


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_has_its_budgets_in_their_order_and_a_lesson(name):
    experiment = catalog.get(name)
    assert experiment.name == name and experiment.question.endswith("?")
    assert (LESSONS / f"{experiment.lesson}.py").exists()
    assert BUDGETS == ("smoke", "class", "desk", "night", "paper")
    assert list(experiment.budgets) == [at for at in BUDGETS if at in experiment.budgets]
    assert {"smoke", "class"} < experiment.budgets.keys(), "what is tested, what is shown live, and what is recorded"
    work = []
    for at in experiment.budgets:
        settings = catalog.settings(name, at)
        assert settings.network in (*models.NAMES, "plain", "transformer", *papers.RAMANUJAN_IMAGENET)
        assert settings.seeds == tuple(range(len(settings.seeds))) and settings.seeds
        assert settings.recipe.evaluate_every <= settings.recipe.iterations
        assert settings.recipe.warmup < settings.recipe.iterations
        work.append(settings.recipe.iterations)
    assert work[0] < work[1] < work[2]
    assert work[0] <= 50, "smoke is seconds"


def budgets_of(kind):
    """(name, budget) of each settings of a kind."""
    return [
        (name, at)
        for name, e in EXPERIMENTS.items()
        for at, settings in e.budgets.items()
        if isinstance(settings, kind)
    ]


@pytest.mark.parametrize(("name", "at"), budgets_of(Pruning))
def test_han_retrains_at_no_higher_rate(name, at):
    settings = catalog.settings(name, at)
    assert settings.rounds >= 1
    assert settings.retrain.evaluate_every <= settings.retrain.iterations
    assert settings.retrain.lr <= settings.recipe.lr, "Han et al. 2015, Sec. 4"
    settings.recipe.but(**dict(settings.penalties))  # every penalty is a setting of a recipe


@pytest.mark.parametrize(("name", "at"), budgets_of(Lottery))
def test_what_is_set_beside_a_ticket_is_at_a_round_that_there_is(name, at):
    settings = catalog.settings(name, at)
    for rounds in (settings.redrawn, settings.shuffled, settings.one_shot, settings.continued):
        assert set(rounds) <= set(range(1, settings.rounds + 1)) and list(rounds) == sorted(set(rounds))
    assert settings.redrawn, "no ticket without its control"
    assert 0 < settings.rate < 1 and 0 <= settings.rewind < settings.recipe.iterations


@pytest.mark.parametrize("at", ["class", "desk", "paper"])
def test_the_rounds_are_the_papers_grid(at):
    """Frankle & Carbin 2019: P_m of LeNet-300-100 after 3, 7, 9, 15, 16 rounds."""
    settings = catalog.settings("lottery-lenet-300-100", at)
    network = models.create("lenet-300-100")
    mask = masks.dense(network)
    weights = {name: p.detach() for name, p in masks.prunable(network).items()}
    found = []
    for _ in range(16):
        mask = criteria.magnitude(weights, mask, settings.rates(mask))
        found.append(round(100 * masks.density(mask), 1))
    assert [found[n - 1] for n in (3, 7, 9, 15, 16)] == [51.3, 21.1, 13.5, 3.6, 2.9]
    assert {3, 7, 15} <= set(settings.redrawn) and settings.rounds >= 15


def test_the_paper_budget_has_the_papers_settings():
    """Frankle & Carbin 2019, Fig. 2."""
    found = {}
    for name in ("lenet-300-100", "conv-2", "conv-4", "conv-6"):
        s = catalog.settings(f"lottery-{name}", "paper")
        found[name] = (s.recipe.iterations, s.recipe.batch, s.recipe.optimizer, s.recipe.lr, s.recipe.evaluate_every)
    assert found == {
        "lenet-300-100": (50_000, 60, "adam", 1.2e-3, 100),
        "conv-2": (20_000, 60, "adam", 2e-4, 100),
        "conv-4": (25_000, 60, "adam", 3e-4, 100),
        "conv-6": (30_000, 60, "adam", 3e-4, 100),
    }
    everything = masks.dense(models.create("conv-6"))
    rates = catalog.settings("lottery-conv-6", "paper").rates(everything)
    assert [round(rates[f"{layer}.weight"], 6) for layer in ("conv1", "fc1", "fc3")] == [0.15, 0.2, 0.1]


@pytest.mark.parametrize("rounds", [1, 3, 15])
def test_one_shot_takes_away_as_much_as_the_rounds(rounds):
    settings = catalog.settings("lottery-lenet-300-100", "desk")
    network = models.create("lenet-300-100")
    weights, mask = {name: p.detach() for name, p in masks.prunable(network).items()}, masks.dense(network)
    at_once = criteria.magnitude(weights, mask, settings.rates(mask, rounds))
    for _ in range(rounds):
        mask = criteria.magnitude(weights, mask, settings.rates(mask))
    for name, m in mask.items():
        assert abs(int(m.sum()) - int(at_once[name].sum())) <= rounds


@pytest.mark.parametrize(("name", "at"), budgets_of(Instability))
def test_forks_are_within_the_run(name, at):
    settings = catalog.settings(name, at)
    assert settings.forks[0] == 0 and list(settings.forks) == sorted(set(settings.forks))
    assert settings.forks[-1] < settings.recipe.iterations and settings.points >= 3


@pytest.mark.parametrize(("name", "at"), [(name, at) for name, e in EXPERIMENTS.items() for at in e.budgets])
def test_settings_become_plain_json(name, at):
    settings = catalog.settings(name, at)
    plain = settings.to_dict()
    assert plain["seeds"] == list(settings.seeds) and plain["recipe"]["lr"] == settings.recipe.lr
    usual = {"controlled": (), "width": 1}  # settings that are younger than records without them
    younger = {name for name, value in usual.items() if getattr(settings, name, None) == value and name not in plain}
    assert set(plain) == {field.name for field in dataclasses.fields(settings)} - younger
    assert json.loads(json.dumps(plain)) == plain


@pytest.mark.parametrize("at", ["class", "desk", "paper"])
@pytest.mark.parametrize("network", LENETS)
def test_the_rates_lead_to_a_twelfth_of_the_weights(network, at):
    settings = catalog.settings(f"han-{network}", at)
    weights = masks.prunable(models.create(network))
    total = sum(w.numel() for w in weights.values())
    assert set(settings.shares) == set(settings.rates()) == set(weights)
    for rounds in (1, settings.rounds, settings.rounds + 3):
        left = {name: w.numel() for name, w in weights.items()}
        for _ in range(rounds):
            left = {name: n - round(settings.rates(rounds)[name] * n) for name, n in left.items()}
        assert 12 <= total / sum(left.values()) < 12.5, f"in {rounds} rounds"
        for name, n in left.items():
            assert n == pytest.approx(settings.shares[name] * weights[name].numel(), abs=rounds)


def test_rates_of_equal_rounds():
    settings = catalog.settings("han-lenet-300-100", "class")
    for name, rate in settings.rates(4).items():
        assert (1 - rate) ** 4 == pytest.approx(settings.shares[name])
    assert settings.rates() == settings.rates(settings.rounds) != settings.rates(1)


# Choosing


@pytest.mark.parametrize("call", [catalog.get, catalog.settings, lambda name: next(executors.run(name))])
def test_an_unknown_experiment_is_one_sentence(call):
    with pytest.raises(ValueError) as problem:
        call("han-lenet-300")
    assert str(problem.value) == (
        "unknown experiment 'han-lenet-300' (did you mean 'han-lenet-300-100'?): choose one of "
        + ", ".join(EXPERIMENTS)
    )


@pytest.mark.parametrize("from_environment", [False, True])
def test_an_unknown_budget_is_one_sentence(monkeypatch, from_environment):
    if from_environment:
        monkeypatch.setenv("LTCOURSE_BUDGET", "Class")
    with pytest.raises(ValueError) as problem:
        catalog.settings("han-lenet-5", None if from_environment else "Class")
    text = "unknown budget 'Class' (did you mean 'class'?): choose one of smoke, class, desk, night, paper"
    assert str(problem.value) == text


def test_a_budget_that_an_experiment_does_not_have_is_one_sentence():
    with pytest.raises(ValueError) as problem:
        catalog.settings("han-lenet-5", "night")
    text = "han-lenet-5 has no settings at the night budget: choose one of smoke, class, desk, paper"
    assert str(problem.value) == text


def test_the_environment_sets_the_budget_and_an_argument_wins(monkeypatch):
    assert catalog.budget() == "class"
    for at in catalog.BUDGETS:
        monkeypatch.setenv("LTCOURSE_BUDGET", at)
        assert catalog.budget() == at
        assert catalog.settings("lottery-resnet") == catalog.settings("lottery-resnet", at)
        assert catalog.budget("desk") == "desk"
    monkeypatch.setenv("LTCOURSE_BUDGET", "")
    assert catalog.budget() == "class"


def test_a_lesson_runs_a_twentieth_at_the_smoke_budget(monkeypatch):
    assert catalog.live(600) == 600
    monkeypatch.setenv("LTCOURSE_BUDGET", "desk")
    assert catalog.live(600) == 600
    monkeypatch.setenv("LTCOURSE_BUDGET", "smoke")
    assert (catalog.live(600), catalog.live(400), catalog.live(40)) == (30, 20, 10)


# Running


def by_seed(arrived):
    """Rows without the seconds that they took, by seed."""
    found = {}
    for seed, row in arrived:
        found.setdefault(seed, []).append({k: v for k, v in row.items() if k != "seconds"})
    return found


def test_rows_do_not_depend_on_the_executor():
    name, seeds = "han-lenet-300-100", (0, 3)
    here = by_seed(executors.run(name, "smoke", seeds=seeds, executor=OneAfterAnother(), device="cpu"))
    pool = by_seed(executors.run(name, "smoke", seeds=seeds, device="cpu"))  # a pool of processes
    with ThreadPoolExecutor(2) as threads:
        in_threads = by_seed(executors.run(name, "smoke", seeds=seeds, executor=threads, device="cpu"))
    assert here == pool == in_threads
    assert set(here) == set(seeds) and here[0] != here[3], "a seed decides the result"

    settings = catalog.settings(name, "smoke")
    for rows in here.values():
        numbers = range(1, settings.rounds + 1)
        expected = [("magnitude", 0), *((m, n) for m in ("magnitude", "random", "dense") for n in numbers)]
        assert [(r["method"], r["round"]) for r in rows] == expected
        for r in rows:
            assert 0 <= r["test_error"] <= 1 and 0 <= r["validation_error"] <= 1
            assert r["kept"] == round(r["density"] * 266_200)
            assert set(r["layers"]) == set(settings.shares)
            if r["method"] == "dense" or r["round"] == 0:
                assert r["density"] == 1
            if r["round"] == settings.rounds and r["method"] != "dense":
                assert r["density"] < 1 / 12
                for layer, share in settings.shares.items():
                    assert r["layers"][layer] == pytest.approx(share, abs=0.001)


@pytest.fixture
def two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    assert torch.get_num_threads() == 2, "a trial leaves the process as it was"
    torch.set_num_threads(before)


def test_threads_that_train_beside_each_other_do_not_meet_in_the_weights_that_edge_popup_computes(two_threads):
    with ThreadPoolExecutor(2) as threads:
        arrived = executors.run("hidden-lenet-300-100", "smoke", seeds=(0, 1), executor=threads, device="cpu")
        beside = by_seed(arrived)
    assert beside == by_seed(executors.run("hidden-lenet-300-100", "smoke", seeds=(0, 1), device="cpu"))


def test_a_trial_has_one_thread_wherever_it_runs(two_threads, monkeypatch):
    """By two, sums of many numbers are added in another order than in the pool."""
    monkeypatch.setattr(trials, "rows", lambda *given: [{"threads": torch.get_num_threads()}])
    for executor in (OneAfterAnother(), ThreadPoolExecutor(2)):
        rows = list(executors.run("lottery-conv-2", "smoke", seeds=(0, 1), executor=executor, device="cpu"))
        assert [row for _, row in rows] == 2 * [{"threads": 1}]


def test_a_trial_that_fails_on_a_gpu_does_not_keep_the_others_from_running(monkeypatch):
    def rows(experiment, chosen, seed, device, file):
        if seed != 1:
            raise FloatingPointError(f"seed {seed} diverged")
        yield {"seed": seed}

    monkeypatch.setattr(trials, "rows", rows)
    monkeypatch.setattr(torch.cuda, "Stream", lambda: None)
    monkeypatch.setattr(torch.cuda, "set_stream", lambda stream: None)
    arrived = executors.run("han-lenet-5", "smoke", seeds=(0, 1, 2), device="cuda")
    assert next(arrived) == (1, {"seed": 1})
    with pytest.raises(FloatingPointError, match="seed 0"):
        next(arrived)


def test_the_lottery_is_the_same_serial_and_in_a_pool():
    name = "lottery-lenet-300-100"
    serial = by_seed(executors.run(name, "smoke", seeds=(0, 1), executor=OneAfterAnother(), device="cpu"))
    assert serial == by_seed(executors.run(name, "smoke", seeds=(0, 1), device="cpu"))
    assert {len(rows) for rows in serial.values()} == {catalog.settings(name, "smoke").trainings}


def test_penalties_are_judged_before_and_after_retraining():
    name = "penalties-lenet-300-100"
    settings = catalog.settings(name, "smoke")
    arrived = executors.run(name, "smoke", seeds=(0,), executor=OneAfterAnother(), device="cpu")
    rows = by_seed(arrived)[0]
    methods = [f"{k} {strength:g}" for k, strength in settings.penalties]
    assert len(set(methods)) == len(methods)
    assert {r["method"] for r in rows} == set(methods)
    for r in rows:
        assert ("test_error_before" in r) == (r["round"] > 0)
        assert all(math.isfinite(v) for k, v in r.items() if k.endswith("error"))
    kept = {(r["method"], r["round"]): r["kept"] for r in rows}
    assert len({tuple(kept[m, i] for i in range(len(settings.densities) + 1)) for m in methods}) == 1


def test_a_pool_hands_rows_over_as_they_come_and_ends_its_workers_when_nobody_listens():
    before = children()
    arrived = executors.run("lottery-lenet-300-100", "smoke", seeds=(0, 1), device="cpu")
    first = next(arrived)
    assert first[1]["method"] == "ticket" and first[1]["round"] == 0
    assert len(children() - before) >= 1, "the trials are not done yet"
    arrived.close()
    assert not multiprocessing.active_children()


def children():
    return {process.pid for process in multiprocessing.active_children()}


@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes under /proc")
def test_workers_do_not_outlive_a_process_that_is_killed():
    code = (
        "from ltcourse.experiments import executors\n"
        "if __name__ == '__main__':\n"
        "    for _ in executors.run('lottery-lenet-300-100', 'class', seeds=(0, 1)):\n"
        "        pass\n"
    )
    parent = subprocess.Popen([sys.executable, "-c", code])
    try:
        deadline = time.monotonic() + 240
        while len(workers := trainers(parent.pid)) < 2 and time.monotonic() < deadline:
            time.sleep(0.1)
        assert len(workers) == 2
    finally:
        parent.kill()
        parent.wait()
    deadline = time.monotonic() + 120
    while (left := [pid for pid in workers if alive(pid)]) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not left


def trainers(parent):
    """The worker processes of a process, by the command that multiprocessing starts them with."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            mother = int(entry.joinpath("stat").read_text().rpartition(")")[2].split()[1])
            if mother == parent and b"spawn_main" in entry.joinpath("cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_trial_that_fails_is_not_hidden(monkeypatch):
    class Broken(OneAfterAnother):
        def submit(self, function, /, *given, **named):
            future = Future()
            future.set_exception(MemoryError("no room"))
            return future

    with pytest.raises(MemoryError, match="no room"):
        list(executors.run("han-lenet-5", "smoke", executor=Broken(), device="cpu"))


# The device


def test_the_device_is_a_gpu_where_there_is_one_and_the_environment_decides(monkeypatch):
    monkeypatch.delenv("LTCOURSE_DEVICE", raising=False)
    for there, device in ((True, "cuda"), (False, "cpu")):
        monkeypatch.setattr(torch.cuda, "is_available", lambda there=there: there)
        assert catalog.default_device() == device
    monkeypatch.setenv("LTCOURSE_DEVICE", "cuda")
    with pytest.raises(ValueError, match="no GPU here: unset LTCOURSE_DEVICE, or set it to cpu"):
        catalog.default_device()
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert catalog.default_device() == "cuda"
    monkeypatch.setenv("LTCOURSE_DEVICE", "cpu")
    assert catalog.default_device() == "cpu"
    monkeypatch.setenv("LTCOURSE_DEVICE", "gpu")  # what many people write
    assert catalog.default_device() == "cuda"
    monkeypatch.setenv("LTCOURSE_DEVICE", "tpu")
    with pytest.raises(ValueError, match=r"unknown device 'tpu'.*choose one of cpu, cuda"):
        catalog.default_device()
