"""The experiments on first weights: what is trained, from what, and on which examples."""

import pytest
import torch

from ltcourse.experiments import initialization
from ltcourse.experiments.initialization import Depth, FirstTickets, find_first_tickets, train_by_depth
from ltcourse.experiments.journal import Journal
from ltcourse.instruments import signals
from ltcourse.networks import masks, models
from ltcourse.networks.initializers import INITIALIZERS
from ltcourse.networks.models import snapshot
from ltcourse.pruning import criteria
from ltcourse.training import Recipe

RECIPE = Recipe(iterations=6, batch=50, evaluate_every=6, optimizer="sgd", lr=0.01)
ADAM = RECIPE.but(optimizer="adam", lr=1e-3)
DEPTH = Depth(network="plain", data="tiny", recipe=RECIPE, adam=ADAM, depths=(2, 5), width=12)
TICKETS = FirstTickets(network="lenet-300-100", data="tiny", recipe=ADAM, rounds=2, rate=0.5)
WORK = [(train_by_depth, DEPTH), (find_first_tickets, TICKETS)]


def rows(trial, settings, seed=0, journal=None):
    return list(trial(settings, seed, "cpu", journal or Journal()))


def same(first, other):
    return first.keys() == other.keys() and all(torch.equal(first[name], other[name]) for name in first)


def names(found):
    return [(row["method"], row["round"]) for row in found]


@pytest.mark.parametrize(("trial", "settings"), WORK)
def test_a_trial_has_the_rows_that_its_settings_announce_and_repeats_itself(small_trials, trial, settings):
    found = rows(trial, settings)
    assert len(found) == settings.trainings == len(small_trials) and len(set(names(found))) == len(found)
    assert found == rows(trial, settings)
    assert found != rows(trial, settings, seed=1)


@pytest.mark.parametrize(("trial", "settings"), WORK)
@pytest.mark.parametrize("count", [1, 4, 7])
def test_a_trial_goes_on_behind_what_is_done(small_trials, trial, settings, count):
    journal = Journal()
    work, first = trial(settings, 0, "cpu", journal), []
    for row in work:
        journal.note(row)
        first.append(row)
        if len(first) == count:
            break
    rest = rows(trial, settings, journal=journal)
    assert first + rest == rows(trial, settings)


def test_each_depth_is_trained_from_each_initialization(small_trials, tiny):
    found = rows(train_by_depth, DEPTH, seed=3)
    assert [(row["depth"], row["method"]) for row in found] == [
        *((depth, name) for depth in (2, 5) for name in INITIALIZERS),
        (5, "xavier and Adam"),
        (5, "kaiming and Adam"),
    ]
    for row, training in zip(found, small_trials, strict=True):
        name, _, adam = row["method"].partition(" and ")
        start = signals.plain(row["depth"], 12, inputs=49, initializer=INITIALIZERS[name], seed=3)
        assert same(training["start"], snapshot(start))
        assert training["recipe"] == (ADAM if adam else RECIPE) and training["seed"] == 3
        assert row["density"] == 1


def test_tickets_return_to_their_own_initialization_and_the_control_does_not(small_trials, tiny):
    found = rows(find_first_tickets, TICKETS, seed=2)
    assert names(found) == [
        (method, number)
        for name in INITIALIZERS
        for method, number in ((name, 0), (name, 1), (name, 2), (f"{name}, re-initialized", 2))
    ]
    for i, (name, draw) in enumerate(INITIALIZERS.items()):
        dense, *tickets, control = small_trials[4 * i : 4 * i + 4]
        θ0 = snapshot(models.create("lenet-300-100", shape=tiny.shape, initializer=draw, seed=2))
        assert all(same(run["start"], θ0) for run in (dense, *tickets)), name
        assert control["mask"].keys() == tickets[-1]["mask"].keys()
        assert all(torch.equal(m, tickets[-1]["mask"][k]) for k, m in control["mask"].items())
        new, old = control["start"]["fc1.weight"], θ0["fc1.weight"]
        assert not torch.equal(new, old) and float(new.std()) == pytest.approx(float(old.std()), rel=0.05)
        assert {run["seed"] for run in (dense, *tickets, control)} == {2}
        assert [row["density"] for row in found[4 * i : 4 * i + 4]][1] == pytest.approx(0.5, abs=0.02)


def test_the_rate_is_seven_of_the_papers_rounds():
    settings = initialization.EXPERIMENTS[1].budgets["class"]
    rates = criteria.layer_rates(masks.dense(models.create("lenet-300-100")), settings.rate)
    assert rates["fc1.weight"] == pytest.approx(1 - 0.8**7) and rates["fc3.weight"] == rates["fc1.weight"] / 2
