"""The experiments as data: their budgets and shares, and that their results do not depend on where they run."""

import math
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from pathlib import Path

import pytest
import torch

from ltcourse import experiments, masks, models
from ltcourse.experiments import BUDGETS, EXPERIMENTS

LESSONS = Path(__file__).resolve().parent.parent / "lessons"
LENETS = ("lenet-300-100", "lenet-5")


@pytest.fixture(autouse=True)
def default_budget(monkeypatch):
    monkeypatch.delenv("LTCOURSE_BUDGET", raising=False)


class OneAfterAnother(Executor):
    """Does the work at once, in this process, with one thread as the pool's processes have."""

    def submit(self, function, /, *given, **named):
        future, threads = Future(), torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            future.set_result(function(*given, **named))
        finally:
            torch.set_num_threads(threads)
        return future


# As data


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_an_experiment_has_all_four_budgets_and_a_lesson(name):
    experiment = experiments.get(name)
    assert experiment.name == name and experiment.question.endswith("?")
    assert (LESSONS / f"{experiment.lesson}.py").exists()
    assert tuple(experiment.budgets) == BUDGETS == ("smoke", "class", "desk", "paper")
    work = []
    for at in BUDGETS:
        settings = experiments.settings(name, at)
        assert settings.network in models.NAMES and settings.rounds >= 1
        assert settings.seeds == tuple(range(len(settings.seeds))) and settings.seeds
        assert settings.recipe.evaluate_every <= settings.recipe.iterations
        assert settings.retrain.evaluate_every <= settings.retrain.iterations
        assert settings.retrain.lr <= settings.recipe.lr, "retraining goes at no higher rate (Han et al. 2015, Sec. 4)"
        settings.recipe.but(**dict(settings.penalties))  # every penalty is a setting of a recipe
        work.append(settings.recipe.iterations)
    assert work[0] < work[1] < work[2]
    assert work[0] <= 50, "smoke is seconds"


@pytest.mark.parametrize("name", EXPERIMENTS)
@pytest.mark.parametrize("at", BUDGETS)
def test_settings_become_plain_json(name, at):
    settings = experiments.settings(name, at)
    plain = settings.to_dict()
    assert plain["seeds"] == list(settings.seeds) and plain["recipe"]["lr"] == settings.recipe.lr
    assert plain["shares"] == dict(settings.shares)
    assert plain["penalties"] == [list(p) for p in settings.penalties]


@pytest.mark.parametrize("at", ["class", "desk", "paper"])
@pytest.mark.parametrize("network", LENETS)
def test_the_rates_lead_to_a_twelfth_of_the_weights(network, at):
    settings = experiments.settings(f"han-{network}", at)
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
    settings = experiments.settings("han-lenet-300-100", "class")
    for name, rate in settings.rates(4).items():
        assert (1 - rate) ** 4 == pytest.approx(settings.shares[name])
    assert settings.rates() == settings.rates(settings.rounds) != settings.rates(1)


# Choosing


@pytest.mark.parametrize("call", [experiments.get, experiments.settings, lambda name: next(experiments.run(name))])
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
        experiments.settings("han-lenet-5", None if from_environment else "Class")
    text = "unknown budget 'Class' (did you mean 'class'?): choose one of smoke, class, desk, paper"
    assert str(problem.value) == text


def test_the_environment_sets_the_budget_and_an_argument_wins(monkeypatch):
    assert experiments.budget() == "class"
    for at in BUDGETS:
        monkeypatch.setenv("LTCOURSE_BUDGET", at)
        assert experiments.budget() == at
        assert experiments.settings("han-lenet-5") == experiments.settings("han-lenet-5", at)
        assert experiments.budget("desk") == "desk"
    monkeypatch.setenv("LTCOURSE_BUDGET", "")
    assert experiments.budget() == "class"


def test_a_lesson_runs_a_twentieth_at_the_smoke_budget(monkeypatch):
    assert experiments.live(600) == 600
    monkeypatch.setenv("LTCOURSE_BUDGET", "desk")
    assert experiments.live(600) == 600
    monkeypatch.setenv("LTCOURSE_BUDGET", "smoke")
    assert (experiments.live(600), experiments.live(400), experiments.live(40)) == (30, 20, 10)


# Running


def by_seed(trials):
    return {t["seed"]: t["rows"] for t in trials}


def test_rows_do_not_depend_on_the_executor():
    name, seeds = "han-lenet-300-100", (0, 3)
    here = by_seed(experiments.run(name, "smoke", seeds=seeds, executor=OneAfterAnother(), device="cpu"))
    pool = by_seed(experiments.run(name, "smoke", seeds=seeds, device="cpu"))  # a pool of processes
    with ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(1,)) as threads:
        in_a_thread = by_seed(experiments.run(name, "smoke", seeds=(3,), executor=threads, device="cpu"))
    assert here == pool
    assert here[3] == in_a_thread[3]
    assert set(here) == set(seeds) and here[0] != here[3], "a seed decides the result"

    settings = experiments.settings(name, "smoke")
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


def test_penalties_are_judged_before_and_after_retraining():
    name = "penalties-lenet-300-100"
    settings = experiments.settings(name, "smoke")
    (trial,) = experiments.run(name, "smoke", seeds=(0,), executor=OneAfterAnother(), device="cpu")
    methods = [f"{k} {strength:g}" for k, strength in settings.penalties]
    assert len(set(methods)) == len(methods)
    assert {r["method"] for r in trial["rows"]} == set(methods)
    for r in trial["rows"]:
        assert ("test_error_before" in r) == (r["round"] > 0)
        assert all(math.isfinite(v) for k, v in r.items() if k.endswith("error"))
    kept = {(r["method"], r["round"]): r["kept"] for r in trial["rows"]}
    assert len({tuple(kept[m, i] for i in range(len(settings.densities) + 1)) for m in methods}) == 1


def test_echo_prints_each_row_as_it_comes(capsys):
    (trial,) = experiments.run("han-lenet-5", "smoke", seeds=(1,), executor=OneAfterAnother(), device="cpu", echo=True)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(trial["rows"])
    assert all(line.startswith("han-lenet-5 · seed 1 · ") and "P_m" in line for line in lines)
    assert lines[0].endswith(experiments.describe(trial["rows"][0]))


def test_a_trial_that_fails_is_not_hidden(monkeypatch):
    class Broken(OneAfterAnother):
        def submit(self, function, /, *given, **named):
            future = Future()
            future.set_exception(MemoryError("no room"))
            return future

    with pytest.raises(MemoryError, match="no room"):
        list(experiments.run("han-lenet-5", "smoke", executor=Broken(), device="cpu"))
