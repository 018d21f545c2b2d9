"""Sparse during training and after it: what a trial trains, and that its costs are all that was spent."""

import itertools

import pytest

from ltcourse.experiments import catalog, sparse_trainings, trials
from ltcourse.experiments.journal import Journal
from ltcourse.experiments.sparse_trainings import AFTER, DURING, SparseTrainings, method, spend
from ltcourse.experiments.trials import Experiment
from ltcourse.networks import masks, models
from ltcourse.pruning import foresight, loop
from ltcourse.pruning.sparse_training import train_changing
from ltcourse.training import Recipe, train

NAME = "sparse-training-lenet-300-100"
RECIPE = Recipe(iterations=8, batch=10, optimizer="sgd", lr=0.05, schedule="cosine", evaluate_every=4)


@pytest.fixture
def spent(monkeypatch, tiny):
    """All iterations of a trial, as (iterations, learning rates of the first and the last)."""
    runs = []

    def note(recipe, begin=0):
        runs.append((recipe.iterations - begin, recipe.lr_at(begin + 1), recipe.lr_at(recipe.iterations)))

    def spy(network, data, recipe, **choices):
        if choices.get("end") is None:  # an early part of the dense training, run again, was paid for already
            note(recipe, choices.get("begin", 0))
        return train(network, data, recipe, **choices)

    def spy_changing(network, data, recipe, *others, **choices):
        note(recipe)
        return train_changing(network, data, recipe, *others, **choices)

    monkeypatch.setattr(sparse_trainings, "load", lambda name, device: tiny)
    monkeypatch.setattr(sparse_trainings, "train", spy)
    monkeypatch.setattr(sparse_trainings, "train_changing", spy_changing)
    monkeypatch.setattr(loop, "train", spy)
    return runs


def plan(**choices):
    common = {"network": "lenet-300-100", "data": "tiny", "recipe": RECIPE, "densities": (0.2, 0.05)}
    return SparseTrainings(**(common | {"lengths": (1, 2), "searches": (1, 3), "rewind": 2, "every": 2} | choices))


def untimed(rows):
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


def test_a_trial_has_each_way_to_each_density_at_each_cost(spent):
    rows = list(spend(plan(), 0, "cpu", Journal()))
    assert len(rows) == plan().trainings == len({(row["method"], row["round"]) for row in rows})
    for density in (0.2, 0.05):
        for way in (*DURING, *AFTER):
            found = [row for row in rows if row["method"] == method(way, density)]
            assert [row["round"] for row in found] == [1, 2]
            assert all(row["density"] == pytest.approx(density, abs=1e-3) and row["target"] == density for row in found)


def test_the_cost_is_all_iterations_that_were_spent(spent):
    """The dense network is trained once and paid for by every search."""
    costs, dense = {}, None
    for row in spend(plan(densities=(0.2,)), 0, "cpu", Journal()):
        iterations = sum(n for n, _, _ in spent)
        costs[row["method"], row["round"]] = (row["cost"], iterations / 8)
        dense = dense or iterations / 8
        spent.clear()
    for (name, _), (cost, found) in costs.items():
        paid = found + (dense if name.startswith(AFTER) else 0)
        assert cost == pytest.approx(paid), name


def test_the_work_counts_each_iteration_by_the_density_that_it_had(spent):
    rows = {(row["method"], row["round"]): row for row in spend(plan(densities=(0.2,)), 0, "cpu", Journal())}
    assert rows["dense", 1]["work"] == 2
    for name in ("RigL at 20%", "random, ERK at 20%"):
        assert [rows[name, n]["work"] for n in (1, 2)] == pytest.approx([0.2, 0.4], rel=1e-3)
    assert 0.2 < rows["gradual at 20%", 1]["work"] < 1
    assert rows["fine-tuned at 20%", 1]["work"] == pytest.approx(1.2)
    in_rounds = 1 + 0.2 ** (1 / 3) + 0.2 ** (2 / 3) + 0.2
    assert rows["rate rewound at 20%", 2]["work"] == pytest.approx(in_rounds)
    assert rows["weights rewound at 20%", 1]["work"] == pytest.approx(1 + 0.75 * 0.2)


def test_fine_tuning_keeps_a_small_rate_and_rewinding_runs_the_schedule_again(spent):
    rates = {}
    for row in spend(plan(densities=(0.2,), searches=(1,)), 0, "cpu", Journal()):
        rates[row["method"]] = [(first, last) for _, first, last in spent]
        spent.clear()
    assert rates["fine-tuned at 20%"] == [(0.0005, 0.0005)]
    assert rates["rate rewound at 20%"] == [(RECIPE.lr_at(1), RECIPE.lr_at(8))]
    assert rates["weights rewound at 20%"] == [(RECIPE.lr_at(3), RECIPE.lr_at(8))]


def test_rigl_and_the_mask_that_stays_begin_alike(spent, tiny):
    rows = {row["method"]: row for row in spend(plan(densities=(0.05,), lengths=(1,)), 2, "cpu", Journal())}
    everything = masks.dense(models.create("lenet-300-100", shape=tiny.shape, seed=2))
    shares = foresight.erk(everything, 0.05)
    for name in ("RigL at 5%", "random, ERK at 5%"):
        assert rows[name]["layers"] == pytest.approx(shares, abs=1e-2)


def test_a_trial_goes_on_to_the_identical_rows(spent, tmp_path):
    of = Experiment("small", "What?", "09_frontier", {}, spend)
    chosen = plan(densities=(0.2,), searches=(1,))
    whole = untimed(trials.rows(of, chosen, 1, "cpu"))
    for count in (1, 2, 5, len(whole) - 1):
        file = tmp_path / f"{count}"
        begun = trials.rows(of, chosen, 1, "cpu", file)
        assert untimed(itertools.islice(begun, count)) == whole[:count]
        begun.close()
        assert untimed(trials.rows(of, chosen, 1, "cpu", file)) == whole


@pytest.mark.parametrize("at", catalog.get(NAME).budgets)
def test_every_budget_can_be_run(at):
    chosen = catalog.settings(NAME, at)
    assert chosen.lengths[0] == 1 and 0 < chosen.rewind < chosen.recipe.iterations
    assert chosen.every < chosen.until * chosen.recipe.iterations
    if at in ("desk", "night"):
        assert len(chosen.seeds) >= 3 and min(chosen.densities) <= 0.02
