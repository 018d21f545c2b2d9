"""The searches for supermasks: their rows, what is random in them, what never moves, and the paper's settings."""

import dataclasses
import itertools

import pytest
import torch

from ltcourse.experiments import catalog, supermask_search, trials
from ltcourse.experiments.catalog import EXPERIMENTS
from ltcourse.experiments.journal import Journal
from ltcourse.experiments.supermask_search import SupermaskSearch, find_supermasks
from ltcourse.experiments.trials import Experiment
from ltcourse.networks import masks, models
from ltcourse.networks.initializers import named
from ltcourse.pruning import supermasks
from ltcourse.training import Recipe, evaluate, train

SGD = Recipe(iterations=4, batch=20, optimizer="sgd", lr=0.1, weight_decay=1e-4, schedule="cosine", evaluate_every=2)
SEARCHES = (name for name, e in EXPERIMENTS.items() if isinstance(e.budgets["smoke"], SupermaskSearch))
NAMES = [name for name in SEARCHES if name.startswith("hidden-")]


def plan(**choices):
    common = {
        "network": "lenet-300-100",
        "data": "tiny",
        "recipe": SGD,
        "trained": SGD.but(optimizer="adam", lr=1e-3),
        "ks": (0.1, 0.5),
        "initializers": ("kaiming", "signed constant"),
        "widths": (0.25, 2),
        "random": True,
    }
    return SupermaskSearch(**(common | choices))


def search(seed=0, **choices):
    return list(find_supermasks(plan(**choices), seed, "cpu", Journal()))


def untimed(rows):
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


# --- rows


def test_a_trial_has_a_row_for_each_search_and_each_training(small_trials):
    rows = search()
    assert [(row["method"], row["round"], row["k"], row["width"]) for row in rows] == [
        ("trained", 0, 1.0, 1.0),
        ("kaiming", 1, 0.1, 1),
        ("signed constant", 1, 0.1, 1),
        ("random", 1, 0.1, 1),
        ("kaiming", 2, 0.5, 1),
        ("signed constant", 2, 0.5, 1),
        ("random", 2, 0.5, 1),
        ("by width", 1, 0.5, 0.25),
        ("trained", 1, 1.0, 0.25),
        ("by width", 2, 0.5, 2),
        ("trained", 2, 1.0, 2),
    ]
    assert len(rows) == plan().rows == 11
    assert len(small_trials) == 11 - 2, "random subnetworks are not trained"


@pytest.mark.parametrize(
    ("choices", "rows"),
    [
        ({"widths": ()}, 7),
        ({"random": False}, 9),
        ({"ks": ()}, 5),
        ({"ks": (0.2, 0.3, 0.4), "initializers": ("xavier",), "widths": (), "random": False}, 4),
    ],
)
def test_the_rows_are_as_many_as_the_settings_say(small_trials, choices, rows):
    assert plan(**choices).rows == rows
    assert len(search(**choices)) == rows


def test_the_kept_weights_of_each_layer_are_exactly_k(small_trials, tiny):
    for row in search(ks=(0.1, 0.333), k=0.7):
        network = models.create("lenet-300-100", shape=tiny.shape, width=row["width"])
        sizes = {name: p.numel() for name, p in masks.prunable(network).items()}
        assert row["layers"] == {name: round(row["k"] * n) / n for name, n in sizes.items()}
        assert row["kept"] == sum(round(row["k"] * n) for n in sizes.values())
        assert row["density"] == row["kept"] / sum(sizes.values())


def test_a_search_starts_from_the_weights_of_the_seed_with_scores_of_the_seed(small_trials, tiny):
    search(seed=3, random=False)
    methods = ["trained", *("kaiming", "signed constant") * 2, "by width", "trained", "by width", "trained"]
    widths = [1, 1, 1, 1, 1, 0.25, 0.25, 2, 2]
    for method, width, training in zip(methods, widths, small_trials, strict=True):
        initializer = named("signed constant" if method == "signed constant" else "kaiming")
        network = models.create("lenet-300-100", shape=tiny.shape, width=width, initializer=initializer, seed=3)
        recipe = plan().trained
        if method != "trained":
            supermasks.edge_popup(network, 0.5, seed=3)
            recipe = SGD
        expected = network.state_dict()
        assert training["start"].keys() == expected.keys(), method
        assert all(torch.equal(training["start"][name], tensor) for name, tensor in expected.items()), method
        assert training["recipe"] == recipe and training["seed"] == 3


def test_a_row_is_what_the_search_by_hand_comes_to(small_trials, tiny):
    row = next(row for row in search(seed=1) if (row["method"], row["round"]) == ("signed constant", 2))
    network = models.create("lenet-300-100", shape=tiny.shape, initializer=named("signed constant"), seed=1)
    history = train(supermasks.edge_popup(network, 0.5, seed=1), tiny, SGD, seed=1)
    assert row["test_error"] == 1 - history.test_accuracy
    assert row["validation_error"] == 1 - history.validation_accuracy[-1]
    assert row["early_stop"] == history.early_stop
    assert row["kept"] == masks.kept(supermasks.supermask(network))


def test_the_random_subnetwork_is_what_a_search_begins_with(small_trials, tiny):
    rows = {(row["method"], row["round"]): row for row in search(seed=2)}
    for number, k in enumerate((0.1, 0.5), 1):
        network = models.create("lenet-300-100", shape=tiny.shape, initializer=named("kaiming"), seed=2)
        mask = supermasks.supermask(supermasks.edge_popup(network, k, seed=2))
        plain = models.create("lenet-300-100", shape=tiny.shape, initializer=named("kaiming"), seed=2)
        masks.apply(plain, mask)
        row = rows["random", number]
        assert row["test_error"] == row["early_stop_test_error"] == 1 - evaluate(plain, tiny.test)[1]
        assert row["validation_error"] == 1 - evaluate(plain, tiny.validation)[1]
        assert row["early_stop"] == 0
        assert row["kept"] == masks.kept(mask) == rows["kaiming", number]["kept"]


def test_another_seed_is_another_trial_and_the_same_seed_the_same(small_trials):
    assert search(seed=1) == search(seed=1)
    first, other = search(seed=1), search(seed=2)
    assert sum(a["test_error"] != b["test_error"] for a, b in zip(first, other, strict=True)) > len(first) / 2


def test_a_weight_that_moves_stops_the_trial(small_trials, monkeypatch):
    spy = supermask_search.train

    def moves(network, *given, **choices):
        history = spy(network, *given, **choices)
        with torch.no_grad():
            supermasks.frozen(network)["fc1.weight"][0, 0] += 1e-6
        return history

    monkeypatch.setattr(supermask_search, "train", moves)
    with pytest.raises(RuntimeError, match="a random weight has moved"):
        search()


# --- stopped and gone on with


def test_a_trial_goes_on_to_the_identical_rows_and_does_nothing_twice(small_trials, tmp_path):
    of = Experiment("small", "How well?", "07_supermasks", {}, find_supermasks)
    whole = untimed(trials.rows(of, plan(), 1, "cpu"))
    for count in range(len(whole)):
        file = tmp_path / f"{count}"
        begun = trials.rows(of, plan(), 1, "cpu", file)
        assert untimed(itertools.islice(begun, count)) == whole[:count]
        begun.close()
        small_trials.clear()
        assert untimed(trials.rows(of, plan(), 1, "cpu", file)) == whole
        assert len(small_trials) == sum(row["method"] != "random" for row in whole[count:])
        assert untimed(Journal.read(file).rows) == whole


# --- the smoke budget, on its real data


@pytest.mark.parametrize("name", ["hidden-lenet-300-100", "hidden-conv-2"])
def test_a_smoke_trial_has_the_rows_that_it_says(name):
    chosen = catalog.settings(name, "smoke")
    rows = list(trials.rows(catalog.get(name), chosen, 0, "cpu"))
    assert len(rows) == chosen.rows
    assert {row["k"] for row in rows if row["method"] in chosen.initializers} == set(chosen.ks)
    assert {row["width"] for row in rows} == {1, *chosen.widths}
    for row in rows:
        assert 0 <= row["test_error"] <= 1 and row["density"] == pytest.approx(row["k"], abs=1e-3)


# --- budgets


def test_the_networks_are_those_of_the_slides():
    assert [name.removeprefix("hidden-") for name in NAMES] == ["lenet-300-100", "conv-2", "conv-4", "conv-6", "conv-8"]


@pytest.mark.parametrize("name", NAMES)
def test_the_paper_budget_has_the_papers_settings(name):
    """Ramanujan et al. 2020, Sec. 4: 100 epochs of the 45,000 (MNIST: 55,000) images that are trained with."""
    chosen = catalog.settings(name, "paper")
    recipe, lenet = chosen.recipe, "lenet" in name
    epoch = (55_000 if lenet else 45_000) // 128
    assert recipe.iterations == 100 * epoch
    assert (recipe.optimizer, recipe.lr, recipe.momentum, recipe.weight_decay) == ("sgd", 0.1, 0.9, 1e-4)
    assert (recipe.schedule, recipe.warmup, recipe.batch, recipe.l1) == ("cosine", 0, 128, 0)
    assert chosen.data == ("mnist" if lenet else "cifar-10")
    assert recipe.augment == (None if lenet else "crop-flip"), "digits are not mirrored"
    searched = (5, 3) if lenet else (1, 2)  # of convolutions at half the edges; the other figures are made at night
    assert (len(chosen.ks), len(chosen.initializers)) == searched and len(chosen.seeds) >= 3
    trained = {"lenet-300-100": 1.2e-3, "conv-2": 2e-4}.get(chosen.network, 3e-4)
    assert (chosen.trained.optimizer, chosen.trained.lr, chosen.trained.weight_decay) == ("adam", trained, 0)


@pytest.mark.parametrize("name", NAMES)
def test_the_desk_budget_shows_the_curve_over_k_with_a_spread(name):
    chosen = catalog.settings(name, "desk")
    assert len(chosen.ks) >= 5 and len(chosen.initializers) >= 2 and len(chosen.seeds) >= 2
    assert chosen.data in ("mnist", "cifar-10")
    assert min(chosen.ks) <= 0.1 and max(chosen.ks) >= 0.9


@pytest.mark.parametrize(("name", "at"), [(name, at) for name in NAMES for at in EXPERIMENTS[name].budgets])
def test_every_budget_can_be_run(name, at):
    chosen = catalog.settings(name, at)
    assert list(chosen.ks) == sorted(set(chosen.ks)) and all(0 < k <= 1 for k in chosen.ks)
    assert chosen.ks and len(set(chosen.initializers)) == len(chosen.initializers)
    for initializer in chosen.initializers:
        named(initializer)
    assert chosen.k in chosen.ks, "the search at the common width is one of those over k"
    assert chosen.width not in chosen.widths and all(width > 0 for width in chosen.widths)
    assert chosen.rows == 1 + len(chosen.ks) * (len(chosen.initializers) + chosen.random) + 2 * len(chosen.widths)
    for setting in ("iterations", "batch", "evaluate_every", "augment"):
        assert getattr(chosen.trained, setting) == getattr(chosen.recipe, setting), "weights and scores alike"
    plain = chosen.to_dict()
    assert set(plain) | {"width"} == {field.name for field in dataclasses.fields(chosen)}
    assert ("augment" in plain["recipe"]) == ("augment" in plain["trained"]) == (chosen.recipe.augment is not None)


def test_the_night_budget_gives_each_figure_of_the_paper_a_network():
    """Accuracy against k, with the whole random network; against width; against depth and initialization in all."""
    nights = {name: catalog.settings(name, "night") for name in NAMES if "conv" in name}
    assert [n.network for n in nights.values()] == ["conv-2", "conv-4", "conv-6", "conv-8"]
    for chosen in nights.values():
        assert chosen.recipe.iterations >= 10 * (45_000 // 128) and chosen.data == "cifar-10-half"
        assert chosen.k == 0.5 and len(chosen.initializers) == len(chosen.seeds) == 3
    shared = {(n.recipe, n.trained, n.width) for n in nights.values()}
    assert len(shared) == 1, "a comparison of depths, all else alike"
    assert nights["hidden-conv-2"].ks == (0.1, 0.3, 0.5, 0.7, 0.9, 1.0)
    assert {nights["hidden-conv-4"].width, *nights["hidden-conv-4"].widths} == {0.25, 0.5, 1}


def test_at_k_of_1_there_is_nothing_to_search_for(small_trials):
    rows = search(ks=(0.5, 1.0), initializers=("kaiming",), widths=(), random=False)
    assert [(row["method"], row["k"]) for row in rows] == [("trained", 1.0), ("kaiming", 0.5), ("kaiming", 1.0)]
    assert len(small_trials) == 2 and rows[-1]["density"] == 1 and rows[-1]["early_stop"] == 0


def test_the_width_of_all_networks_can_be_set(small_trials, tiny):
    rows = search(width=0.5, widths=(0.25,))
    assert {row["width"] for row in rows} == {0.5, 0.25}
    sizes = masks.prunable(models.create("lenet-300-100", shape=tiny.shape, width=0.5))
    assert rows[0]["kept"] == sum(p.numel() for p in sizes.values())
    assert "width" not in plan().to_dict() and plan(width=0.5).to_dict()["width"] == 0.5


@pytest.mark.parametrize("at", ["smoke", "class", "night"])
def test_the_search_in_float32_differs_in_the_precision_alone_and_is_the_first_at_half_of_the_edges(at):
    exact, rounded = (catalog.settings(name, at) for name in ("precision-conv-2", "hidden-conv-2"))
    assert exact.ks == (0.5,) and {exact.recipe.precision, exact.trained.precision} == {"float32"}
    same = {
        part: getattr(exact, part).but(precision=getattr(rounded, part).precision) for part in ("recipe", "trained")
    }
    assert dataclasses.replace(exact, **same, ks=rounded.ks) == rounded
