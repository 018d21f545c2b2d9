"""The transfer experiments: which tickets are trained where, under which masks, from which weights."""

import dataclasses

import pytest
import torch

from ltcourse import data
from ltcourse.data import Split
from ltcourse.experiments import catalog, transfer
from ltcourse.experiments.journal import Journal
from ltcourse.experiments.transfer import Task, Transfer, find_and_transplant, fitted, method
from ltcourse.experiments.trials import row_of, rows
from ltcourse.networks import masks, models
from ltcourse.networks.models import snapshot
from ltcourse.pruning import criteria, prune_iteratively
from ltcourse.pruning.restarts import to_step
from ltcourse.pruning.tickets import overlap
from ltcourse.training import Recipe, train

LENET = "lenet-300-100"
RECIPE = Recipe(iterations=6, evaluate_every=2)
SLOW = RECIPE.but(optimizer="sgd", lr=0.01)
HERE, THERE, PART = Task(name="here", data="clothes"), Task(name="there", data="upside down"), "a third of here"
THIRD = Task(name=PART, data="clothes", part=(0.2, 0.53))


def plan(**choices):
    usual = {
        "network": LENET,
        "data": "clothes",
        "recipe": RECIPE,
        "tasks": (HERE, THERE),
        "rounds": 2,
        "tried": (1, 2),
    }
    return Transfer(**(usual | choices))


def same(first, other):
    return first.keys() == other.keys() and all(torch.equal(first[name], other[name]) for name in first)


@pytest.fixture
def sets(tiny):
    """Two data sets of one shape: a few clothes, and the same upside down with other labels."""

    def turned(part):
        return Split(part.x.flip(2), (part.y + 3) % 10)

    parts = {part: turned(getattr(tiny, part)) for part in ("train", "validation", "test")}
    return {"clothes": tiny, "upside down": dataclasses.replace(tiny, name="upside down", sha256="other", **parts)}


@pytest.fixture
def trial(monkeypatch, small_trials, sets):
    """Run a trial; return its rows and, of each training at a target, what it was given, by method and round."""
    spy = transfer.train

    def noting(network, dataset, recipe, **choices):
        history = spy(network, dataset, recipe, **choices)
        small_trials[-1]["data"] = dataset
        return history

    monkeypatch.setattr(transfer, "train", noting)
    monkeypatch.setattr(transfer, "load", lambda name, device: sets[name])

    def run(seed=0, journal=None, **choices):
        small_trials.clear()
        found = list(find_and_transplant(plan(**choices), seed, "cpu", journal or Journal()))
        moved = [t for t in small_trials if "data" in t and t.get("end") is None]
        names = [(r["method"], r["round"]) for r in found]
        assert len(set(names)) == len(names)
        own = {(method("ticket", t.name, t.name), n) for t in plan(**choices).tasks for n in range(9)}
        away = [name for name in names if name not in own]
        return dict(zip(names, found, strict=True)), dict(zip(away, moved, strict=True))

    return run


def asked_for(chosen):
    """The rows that the settings ask for, in their order, written down anew."""
    for number in range(chosen.rounds + 1):
        yield from ((f"ticket: {task.name} → {task.name}", number) for task in chosen.tasks)
        for target in chosen.targets or [task.name for task in chosen.tasks]:
            for source in (task.name for task in chosen.tasks):
                if number in chosen.tried:
                    yield f"{'random' if source == target else 'ticket'}: {source} → {target}", number
                if number in chosen.redrawn:
                    yield f"re-initialized: {source} → {target}", number
                if number in chosen.controlled:
                    yield f"equal steps: {source} → {target}", number
                    yield f"mask only: {source} → {target}", number


CHOICES = [
    {},
    {"redrawn": (2,), "rewind": 3},
    {"tasks": (HERE, THIRD, THERE), "targets": ("there",), "tried": (2,)},
    {"scope": "global", "rate": 0.5, "redrawn": (1, 2), "rewind": 2},
    {"controlled": (2,), "rewind": 2, "targets": ("there",)},
    {"controlled": (1, 2), "redrawn": (1,), "rewind": 3},
]


@pytest.mark.parametrize("choices", CHOICES, ids=str)
def test_the_rows_are_what_the_settings_ask_for_in_order(trial, choices):
    found, _ = trial(**choices)
    assert list(found) == list(asked_for(plan(**choices)))
    assert len(found) == plan(**choices).trainings
    for (name, _), row in found.items():
        assert name == method(row["kind"], row["source"], row["target"])
        assert row["data_sha256"] == ("other" if row["target"] == "there" else data.load("fashion-mnist-mini").sha256)


@pytest.mark.parametrize("rewind", [0, 3])
def test_a_search_is_the_pruning_loop(trial, sets, rewind):
    found, _ = trial(seed=2, rewind=rewind)
    for task, name in (("here", "clothes"), ("there", "upside down")):
        network = models.create(LENET, shape=(1, 7, 7), seed=2)
        rates = criteria.layer_rates(masks.dense(network), 0.2)
        loop = prune_iteratively(network, sets[name], RECIPE, rate=rates, rounds=2, restart=to_step(rewind), seed=2)
        for done in loop:
            row = found[f"ticket: {task} → {task}", done.number]
            assert {key: row[key] for key in row_of("", done) if key != "method"} == {
                key: value for key, value in row_of("", done).items() if key != "method"
            }


@pytest.mark.parametrize("rewind", [0, 3])
def test_a_ticket_takes_its_mask_and_its_first_weights_to_the_target(trial, sets, rewind):
    found, moved = trial(rewind=rewind, tasks=(HERE, dataclasses.replace(THERE, recipe=SLOW)), redrawn=(1, 2))
    network = models.create(LENET, shape=(1, 7, 7), seed=0)
    loop = prune_iteratively(
        network, sets["clothes"], RECIPE, rate=criteria.layer_rates(masks.dense(network), 0.2), rounds=2,
        restart=to_step(rewind),
    )  # fmt: skip
    early = models.create(LENET, shape=(1, 7, 7), seed=0)
    train(early, sets["clothes"], RECIPE, end=rewind)
    for done in list(loop)[1:]:
        there = moved["ticket: here → there", done.number]
        assert same(there["mask"], done.mask) and there["recipe"] == SLOW and there["data"] is not sets["clothes"]
        assert torch.equal(there["data"].train.y, sets["upside down"].train.y)
        expected = {name: w * done.mask.get(name, True) for name, w in snapshot(early).items()}
        assert same(there["start"], expected) and there["begin"] == rewind
        new = moved["re-initialized: here → there", done.number]
        assert same(new["mask"], done.mask) and new["begin"] == 0
        assert not torch.equal(new["start"]["fc1.weight"], there["start"]["fc1.weight"])
        assert found["ticket: here → there", done.number]["kept"] == masks.kept(done.mask)


def test_the_controls_are_of_the_tickets_size_and_share_their_new_weights(trial):
    found, moved = trial(redrawn=(1, 2))
    for number in (1, 2):
        for target in ("here", "there"):
            lot = moved[f"random: {target} → {target}", number]
            new = moved[f"re-initialized: {target} → {target}", number]
            own = found[f"ticket: {target} → {target}", number]
            assert {name: masks.density({name: m}) for name, m in lot["mask"].items()} == own["layers"]
            assert not same(lot["mask"], new["mask"])
            both = lot["mask"]["fc1.weight"] & new["mask"]["fc1.weight"]
            assert torch.equal(lot["start"]["fc1.weight"][both], new["start"]["fc1.weight"][both])
            assert lot["recipe"] == new["recipe"] == RECIPE and lot["seed"] == new["seed"] == 0


@pytest.mark.parametrize("rewind", [1, 4])
def test_the_controls_of_a_rewound_ticket_train_to_equal_length_and_differ_in_their_values_alone(trial, sets, rewind):
    found, moved = trial(seed=1, rewind=rewind, controlled=(1, 2))
    first = models.create(LENET, shape=(1, 7, 7), seed=1)
    θ0, labels = snapshot(first), {"here": "clothes", "there": "upside down"}
    for source, name in labels.items():
        first.load_state_dict(θ0)
        train(first, sets[name], RECIPE, seed=1, end=rewind)
        for target, number in (("here", 1), ("here", 2), ("there", 1), ("there", 2)):
            for kind, values in (("equal steps", snapshot(first)), ("mask only", θ0)):
                run = moved[f"{kind}: {source} → {target}", number]
                assert run["begin"] == 0 and run["recipe"] == RECIPE
                assert torch.equal(run["data"].train.y, sets[labels[target]].train.y)
                assert masks.kept(run["mask"]) == found[method("ticket", source, source), number]["kept"]
                assert same(run["start"], {key: w * run["mask"].get(key, True) for key, w in values.items()})
    travels = moved["ticket: here → there", 2]
    assert travels["begin"] == rewind and same(travels["mask"], moved["mask only: here → there", 2]["mask"])
    assert same(travels["start"], moved["equal steps: here → there", 2]["start"]), "the values are the ticket's"


def test_controls_need_rewinding():
    with pytest.raises(ValueError, match="without rewinding all tickets train for as long") as caught:
        plan(controlled=(1,))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("at", catalog.get("transfer-resnet-controls").budgets)
def test_controls_search_as_the_experiment_that_they_explain_whose_settings_they_leave_alone(at):
    usual, controls = (catalog.settings(f"transfer-resnet{name}", at) for name in ("", "-controls"))
    assert "controlled" not in usual.to_dict() and controls.to_dict()["controlled"] == [usual.rounds]
    plain = {"tried": usual.tried, "redrawn": usual.redrawn, "controlled": ()}
    assert set(controls.seeds) >= set(usual.seeds)
    assert dataclasses.replace(controls, **plain, seeds=usual.seeds) == usual


def test_the_overlap_is_that_of_both_masks_of_the_round(trial):
    found, moved = trial()
    there = moved["ticket: here → there", 2]["mask"]
    back = moved["ticket: there → here", 2]["mask"]
    expected = {name: [o.common, o.expected] for name, o in overlap(there, back).items()}
    assert found["ticket: here → there", 2]["overlap"] == expected == found["ticket: there → here", 2]["overlap"]
    assert expected["fc1.weight"][0] > expected["fc1.weight"][1]


def test_a_part_is_of_the_training_examples_only(trial, sets):
    chosen = plan(tasks=(HERE, THIRD))
    whole, third = transfer._examples(chosen, "cpu")
    assert len(whole.train) == 500
    assert torch.equal(third.train.x, whole.train.x[100:265]) and torch.equal(third.train.y, whole.train.y[100:265])
    assert third.validation.x is whole.validation.x and third.test.x is whole.test.x
    halves = [dataclasses.replace(HERE, part=part) for part in ((0.0, 0.5), (0.5, 1.0))]
    first, second = transfer._examples(plan(tasks=halves), "cpu")
    assert torch.equal(torch.cat([first.train.y, second.train.y]), whole.train.y), "halves share no example"


@pytest.mark.parametrize("stop", range(1, 22))
def test_a_trial_that_was_killed_anywhere_goes_on_to_the_same_rows(trial, tmp_path, stop):
    choices = {"redrawn": (2,), "rewind": 2, "controlled": (2,)}
    expected, _ = trial(**choices)
    experiment = dataclasses.replace(catalog.get("transfer-lenet-300-100"), budgets={})
    file = tmp_path / "seed-0.safetensors"
    begun = rows(experiment, plan(**choices), 0, "cpu", file)
    for _ in range(stop):
        next(begun)
    begun.close()
    found = list(rows(experiment, plan(**choices), 0, "cpu", file))
    for row in found:
        del row["seconds"]
    assert found == list(expected.values())


def test_global_randomness_is_not_touched(trial, global_randomness_untouched):
    trial(redrawn=(2,), rewind=2)


# Images


@pytest.mark.parametrize("side", [16, 32])
def test_clothes_become_images_of_the_photographs_shape(clothes, side):
    x = clothes.test.x[:5]
    seen = fitted(x, (3, side, side))
    assert seen.shape == (5, 3, side, side) and torch.equal(seen[:, 0], seen[:, 2])
    border = torch.zeros(5, 32, 32)
    border[:, 2:30, 2:30] = x[:, 0]
    factor = 32 // side
    expected = border.view(5, side, factor, side, factor).mean((2, 4))
    assert torch.allclose(seen[:, 1], expected)


def test_photographs_are_halved_by_the_mean_of_four_pixels():
    x = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    seen = fitted(x, (3, 16, 16))
    assert torch.allclose(seen[1, 2, 3, 5], x[1, 2, 6:8, 10:12].mean())
    assert torch.equal(fitted(x, (3, 32, 32)), x)


def test_colors_cannot_be_made_gray():
    with pytest.raises(ValueError, match="images of 3 channels cannot have 1") as caught:
        fitted(torch.zeros(1, 3, 8, 8), (1, 8, 8))
    assert "\n" not in str(caught.value)


# Settings


@pytest.mark.parametrize(("experiment", "at"), [(e.name, at) for e in transfer.EXPERIMENTS for at in e.budgets])
def test_tasks_rounds_and_targets_are_there(experiment, at):
    chosen = catalog.settings(experiment, at)
    names = [task.name for task in chosen.tasks]
    assert len(set(names)) == len(names) >= 2 and set(chosen.goals) <= set(names)
    assert chosen.data == chosen.tasks[0].data and {task.data for task in chosen.tasks} <= set(data.NAMES)
    for rounds in (chosen.tried, chosen.redrawn, chosen.controlled):
        assert set(rounds) <= set(range(1, chosen.rounds + 1)) and list(rounds) == sorted(set(rounds))
    assert chosen.rounds in chosen.tried and set(chosen.redrawn) <= set(chosen.tried)
    assert 0 <= chosen.rewind < chosen.recipe.iterations and 0 < chosen.rate < 1
    assert not any("/" in name for name in names), "a journal keeps loops under their names"
    if at in ("desk", "paper"):
        assert len(chosen.seeds) >= (2 if experiment.startswith("transfer-resnet") else 3)
        assert all("mini" not in task.data for task in chosen.tasks)
    else:
        assert all(task.data in ("mnist", "fashion-mnist-mini", "cifar-10-mini") for task in chosen.tasks)


def test_the_lenet_matrix_is_recorded_at_five_densities_and_the_halves_share_nothing():
    assert len(catalog.settings("transfer-lenet-300-100", "desk").tried) >= 5
    photos = catalog.settings("transfer-resnet", "desk")
    assert [task.part for task in photos.tasks[:2]] == [(0.0, 0.5), (0.5, 1.0)]
    assert (photos.scope, photos.rate) == ("global", 0.2) and photos.rewind > 0
