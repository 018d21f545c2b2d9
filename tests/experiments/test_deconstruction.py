"""What makes a ticket win: the masks, what they are trained with, and what a trial says of each pair."""

import itertools

import pytest
import torch

from ltcourse.experiments import catalog, trials
from ltcourse.experiments.deconstruction import STARTS, Deconstruction, deconstruct, method, named_criteria
from ltcourse.experiments.journal import Journal
from ltcourse.experiments.trials import Experiment
from ltcourse.networks import masks, models
from ltcourse.networks.models import snapshot
from ltcourse.pruning import criteria
from ltcourse.training import Recipe, evaluate, train

RECIPE = Recipe(iterations=6, batch=20, evaluate_every=3)
NAME = "deconstruction-lenet-300-100"


def plan(**choices):
    common = {
        "network": "lenet-300-100",
        "data": "tiny",
        "recipe": RECIPE,
        "rounds": 2,
        "fold": 3,
        "criteria": ("large final", "movement"),
        "starts": ("values", "constant", "redrawn, random signs"),
    }
    return Deconstruction(**(common | choices))


def rows_of(seed=0, **choices):
    return list(deconstruct(plan(**choices), seed, "cpu", Journal()))


def untimed(rows):
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


def lenet(data, seed=0):
    return models.create("lenet-300-100", shape=data.shape, seed=seed)


def test_a_trial_trains_each_criterion_with_each_start_in_each_round(small_trials):
    rows = rows_of()
    assert [(row["method"], row["round"]) for row in rows] == [
        ("dense", 0),
        *(
            (f"{criterion}: {start}", number)
            for criterion in ("large final", "movement")
            for number in (1, 2)
            for start in ("values", "constant", "redrawn, random signs")
        ),
    ]
    assert len(rows) == plan().trainings == len(small_trials) == 13, "the dense network is trained once"
    assert all(row["method"] == method(row["criterion"], row["start"]) for row in rows[1:])


def test_all_starts_of_a_criterion_and_a_round_have_one_mask_and_see_one_order(small_trials):
    rows_of(seed=3)
    assert {training["seed"] for training in small_trials} == {3}
    for place in range(1, 13, 3):
        first, *others = (training["mask"] for training in small_trials[place : place + 3])
        for other in others:
            assert all(torch.equal(other[name], first[name]) for name in first)
    sizes = [masks.kept(training["mask"]) for training in small_trials[1:]]
    assert sizes[:6] == sizes[6:], "criteria are compared at one size"


def test_what_is_trained_begins_with_what_the_start_says(small_trials, tiny):
    rows = rows_of(seed=2, starts=tuple(STARTS))
    θ0 = snapshot(lenet(tiny, 2))["fc1.weight"]
    signs = {}
    for row, training in zip(rows[1:], small_trials[1:], strict=True):
        magnitudes, sign = STARTS[row["start"]]
        begun = training["start"]["fc1.weight"]
        assert (magnitudes == "initial") == torch.equal(begun.abs(), θ0.abs())
        assert (magnitudes == "constant") == (len(begun.abs().unique()) == 1)
        assert (sign == "initial") == torch.equal(begun.sign(), θ0.sign())
        assert (sign == "positive") == bool((begun > 0).all())
        if sign == "redrawn":
            signs.setdefault((row["criterion"], row["round"]), []).append(begun.sign())
    for drawn in signs.values():
        assert len(drawn) == 3 and all(torch.equal(other, drawn[0]) for other in drawn), "one draw of signs for all"


def test_a_row_is_what_the_training_by_hand_comes_to(small_trials, tiny):
    rows = {(row["method"], row["round"]): row for row in rows_of(seed=1)}
    network = lenet(tiny, 1)
    θ0, whole = snapshot(network), masks.dense(network)
    train(network, tiny, RECIPE, seed=1)
    weights = {name: p.detach().clone() for name, p in masks.prunable(network).items()}
    rate = {name: 1 - (1 - r) ** 3 for name, r in criteria.layer_rates(whole, 0.2).items()}
    mask = criteria.movement({name: θ0[name] for name in whole})(weights, whole, rate)
    network.load_state_dict(θ0)
    masks.apply(network, mask)
    for p in masks.prunable(network).values():
        p.data.copy_(p.sign())
    for name, p in masks.prunable(network).items():
        p.data.mul_(θ0[name].std())
    row, before = rows["movement: constant", 1], snapshot(network)
    assert row["untrained_test_error"] == 1 - evaluate(network, tiny.test)[1]
    assert row["untrained_validation_error"] == 1 - evaluate(network, tiny.validation)[1]
    history = train(network, tiny, RECIPE, mask=mask, seed=1)
    assert row["test_error"] == 1 - history.test_accuracy
    kept = {name: p.detach()[mask[name]] for name, p in masks.prunable(network).items()}
    same = sum(int((w.sign() == before[name][mask[name]].sign()).sum()) for name, w in kept.items())
    assert row["same_sign"] == pytest.approx(same / masks.kept(mask))


def test_every_criterion_of_the_paper_that_is_named_can_be_used(tiny):
    network = lenet(tiny)
    weights, whole = {name: p.detach() for name, p in masks.prunable(network).items()}, masks.dense(network)
    found = {name: c(weights, whole, 0.5, "layer") for name, c in named_criteria(weights, 0).items()}
    assert all(masks.kept(mask) == masks.kept(found["random"]) for mask in found.values())
    assert not any((found["large final"][name] & found["small final"][name]).any() for name in whole)


def test_a_trial_goes_on_to_the_identical_rows_and_trains_nothing_twice(small_trials, tmp_path):
    of = Experiment("small", "What?", "07_supermasks", {}, deconstruct)
    whole = untimed(trials.rows(of, plan(), 1, "cpu"))
    for count in range(len(whole)):
        file = tmp_path / f"{count}"
        begun = trials.rows(of, plan(), 1, "cpu", file)
        assert untimed(itertools.islice(begun, count)) == whole[:count]
        begun.close()
        small_trials.clear()
        assert untimed(trials.rows(of, plan(), 1, "cpu", file)) == whole
        assert len(small_trials) == len(whole) - count


@pytest.mark.parametrize("at", catalog.get(NAME).budgets)
def test_every_budget_asks_about_signs_with_its_control(at):
    chosen = catalog.settings(NAME, at)
    assert chosen.starts[0] == "values" and {"constant", "constant, random signs"} <= set(chosen.starts) <= set(STARTS)
    assert "large final" in chosen.criteria and set(chosen.criteria) <= named_criteria({}, 0).keys()
    network = models.create("lenet-300-100", device="meta")
    left = (1 - chosen.rates(masks.dense(network))["fc1.weight"]) ** chosen.rounds
    assert 0 < left < 0.25


def test_the_desk_budget_decides_over_several_seeds_down_to_few_weights():
    chosen = catalog.settings(NAME, "desk")
    assert chosen.starts == tuple(STARTS) and set(chosen.criteria) == named_criteria({}, 0).keys()
    assert len(chosen.seeds) >= 3 and 0.8 ** (chosen.rounds * chosen.fold) < 0.04


def test_a_smoke_trial_has_the_rows_that_it_says():
    chosen = catalog.settings(NAME, "smoke")
    assert len(list(trials.rows(catalog.get(NAME), chosen, 0, "cpu"))) == chosen.trainings
