"""Masks before training beside the ticket: what a trial trains, what its checks change, and that it goes on."""

import itertools

import pytest
import torch

from ltcourse.experiments import catalog, foresight, trials
from ltcourse.experiments.foresight import CHECKS, SCORED, SHARED, Foresight, compare
from ltcourse.experiments.journal import Journal
from ltcourse.experiments.trials import Experiment
from ltcourse.networks import masks, models
from ltcourse.networks.models import snapshot
from ltcourse.pruning import criteria
from ltcourse.pruning import foresight as before
from ltcourse.training import Recipe, train

RECIPE = Recipe(iterations=6, batch=20, evaluate_every=3)
NAMES = ("foresight-lenet-300-100", "foresight-resnet-8")


@pytest.fixture
def trained(monkeypatch, small_trials, tiny):
    """The trainings of a trial, each with its first weights and its mask."""

    def spy(network, dataset, recipe, **choices):
        small_trials.append({"start": snapshot(network), "recipe": recipe, **choices})
        return train(network, dataset, recipe, **choices)

    monkeypatch.setattr(foresight, "load", lambda name, device: tiny)
    monkeypatch.setattr(foresight, "train", spy)
    return small_trials


def plan(**choices):
    common = {"network": "lenet-300-100", "data": "tiny", "recipe": RECIPE, "sizes": 2, "smallest": 0.04}
    return Foresight(**(common | {"passes": 5, "examples": 20, "checked": (2,)} | choices))


def rows_of(seed=0, **choices):
    return list(compare(plan(**choices), seed, "cpu", Journal()))


def lenet(data, seed=0):
    network = models.create("lenet-300-100", shape=data.shape, seed=seed)
    return network, {name: p.detach() for name, p in masks.prunable(network).items()}


def untimed(rows):
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


def test_a_trial_has_each_method_at_each_size_and_each_check_where_it_is_asked_for(trained):
    rows = rows_of(fold=2)
    assert len(rows) == plan().trainings == len({(row["method"], row["round"]) for row in rows})
    assert len(trained) == len(rows) + 2, "the search trains two networks of sizes between"
    for method in ("ticket", *SCORED, *SHARED):
        found = {row["round"]: row["density"] for row in rows if row["method"] == method and row["round"]}
        assert found == pytest.approx({1: 0.2, 2: 0.04}, rel=0.01)
    for method, check in itertools.product(("ticket", *SCORED), CHECKS):
        assert [row["round"] for row in rows if row["method"] == f"{method}: {check}"] == [2]


def test_the_masks_are_those_of_the_criteria_and_begin_with_the_first_weights(trained, tiny):
    rows = rows_of(seed=3, checked=())
    network, weights = lenet(tiny, 3)
    everything = masks.dense(network)
    θ0 = snapshot(network)
    assert all(t["seed"] == 3 for t in trained)
    by_row = {(r["method"], r["round"]): t for r, t in zip(rows, trained, strict=True)}
    expected = {
        "magnitude at initialization": criteria.magnitude(weights, everything, 0.96, "global"),
        "SynFlow": before.in_rounds(before.synflow(network, tiny.shape), 5)(weights, everything, 0.96, "global"),
        "random, ERK": criteria.at_random(3)(
            weights, everything, {n: 1 - s for n, s in before.erk(weights, 0.04).items()}
        ),
        "random, uniform": criteria.at_random(3)(weights, everything, 0.96),
    }
    for method, mask in expected.items():
        training = by_row[method, 2]
        assert all(torch.equal(training["mask"][n], m) for n, m in mask.items()), method
        assert all(torch.equal(training["start"][n], w) for n, w in θ0.items())


def test_each_check_changes_one_thing(trained, tiny):
    rows = rows_of(seed=1)
    by_row = {(r["method"], r["round"]): t for r, t in zip(rows, trained, strict=True)}
    for method in ("ticket", *SCORED):
        found = by_row[method, 2]
        shuffled, inverted, redrawn = (by_row[f"{method}: {check}", 2] for check in CHECKS)
        kept = {n: int(m.sum()) for n, m in found["mask"].items()}
        assert {n: int(m.sum()) for n, m in shuffled["mask"].items()} == kept
        assert not all(torch.equal(shuffled["mask"][n], m) for n, m in found["mask"].items())
        assert all(torch.equal(redrawn["mask"][n], m) for n, m in found["mask"].items())
        assert not torch.equal(redrawn["start"]["fc1.weight"], found["start"]["fc1.weight"])
        assert torch.equal(shuffled["start"]["fc1.weight"], inverted["start"]["fc1.weight"])
        assert masks.kept(inverted["mask"]) == pytest.approx(masks.kept(found["mask"]), abs=1)
        if method != "ticket":
            assert not any((inverted["mask"][n] & m).any() for n, m in found["mask"].items())


def test_a_trial_goes_on_to_the_identical_rows(trained, tmp_path):
    of = Experiment("small", "What?", "09_frontier", {}, compare)
    chosen = plan(methods=("SNIP", "random, ERK"), fold=2)
    whole = untimed(trials.rows(of, chosen, 1, "cpu"))
    for count in (1, 2, 4, len(whole) - 1):
        file = tmp_path / f"{count}"
        begun = trials.rows(of, chosen, 1, "cpu", file)
        assert untimed(itertools.islice(begun, count)) == whole[:count]
        begun.close()
        assert untimed(trials.rows(of, chosen, 1, "cpu", file)) == whole


@pytest.mark.parametrize("name", NAMES)
def test_the_desk_budget_has_six_sizes_down_to_a_hundredth_three_seeds_and_all_methods(name):
    chosen = catalog.settings(name, "desk")
    assert chosen.sizes == 6 and chosen.density(6) == pytest.approx(0.01) and len(chosen.seeds) >= 3
    assert set(chosen.methods) == {*SCORED, *SHARED} and chosen.checked


@pytest.mark.parametrize("name", NAMES)
def test_a_smoke_trial_has_the_rows_that_it_says(name):
    chosen = catalog.settings(name, "smoke")
    assert len(list(trials.rows(catalog.get(name), chosen, 0, "cpu"))) == chosen.trainings
