"""The instability analysis: what two runs share, in what they differ, and what a row says of the line between."""

import dataclasses

import pytest
import torch

from ltcourse.experiments import catalog, instability
from ltcourse.experiments.catalog import EXPERIMENTS
from ltcourse.experiments.instability import Instability, TicketInstability, compare_tickets, fork_and_compare
from ltcourse.experiments.journal import Journal
from ltcourse.experiments.trials import row_of
from ltcourse.instruments.connectivity import barrier, errors_along
from ltcourse.networks import models
from ltcourse.networks.models import snapshot
from ltcourse.pruning import prune_iteratively
from ltcourse.pruning.restarts import to_step
from ltcourse.training import Recipe

RECIPE = Recipe(iterations=12, batch=50, evaluate_every=4)


def plan(**choices):
    common = {"network": "lenet-300-100", "data": "tiny", "recipe": RECIPE, "forks": (0, 5, 11), "points": 5}
    return Instability(**(common | choices))


def analyze(seed=0, **choices):
    return list(fork_and_compare(plan(**choices), seed, "cpu", Journal()))


def same(first, other):
    return first.keys() == other.keys() and all(torch.equal(first[name], other[name]) for name in first)


@pytest.mark.parametrize("network", ["lenet-300-100", "resnet-8"])
def test_a_row_tells_where_the_runs_fork_and_the_errors_between_them(small_trials, network):
    rows = analyze(network=network)
    assert [(row["method"], row["round"], row["iteration"]) for row in rows] == [
        ("fork", 1, 0), ("fork", 2, 5), ("fork", 3, 11),
    ]  # fmt: skip
    for row in rows:
        assert len(row["along"]) == 5 and all(0 <= error <= 1 for error in row["along"])
        assert row["barrier"] == pytest.approx(barrier(row["along"]), abs=2e-5)
        assert row["density"] == 1
    assert rows[0]["barrier"] > 0, "from iteration 0 on these two runs are not one"
    assert rows == analyze(network=network)
    assert rows[0]["along"] != analyze(seed=1, network=network, forks=(0,))[0]["along"]


def test_two_runs_share_their_first_iterations_and_differ_in_the_order_of_what_follows(small_trials, tiny):
    analyze(seed=3)
    whole = models.create("lenet-300-100", shape=tiny.shape, seed=3)
    θ0 = snapshot(whole)
    orders = set()
    for number, fork in enumerate((0, 5, 11)):
        common, first, second = small_trials[3 * number : 3 * number + 3]
        assert same(common["start"], θ0) and (common["end"], common["seed"]) == (fork, 3)
        whole.load_state_dict(θ0)
        instability.train(whole, tiny, RECIPE, seed=3, end=fork)
        for run in (first, second):
            assert same(run["start"], snapshot(whole)) and run["begin"] == fork and run["recipe"] == RECIPE
        orders.add((first["seed"], second["seed"]))
    ((one, other),) = orders
    assert len({one, other, 3}) == 3


def test_no_two_trials_train_in_the_same_order(small_trials):
    for seed in range(5):
        analyze(seed=seed, forks=(0,))
    assert len({training["seed"] for training in small_trials}) == 3 * 5


def test_the_line_goes_from_one_end_to_the_other(small_trials, tiny):
    (row,) = analyze(forks=(7,))
    ends = []
    for training in small_trials[1:3]:
        network = models.create("lenet-300-100", shape=tiny.shape)
        network.load_state_dict(training["start"])
        history = instability.train(network, tiny, RECIPE, seed=training["seed"], begin=7)
        ends.append(snapshot(network))
    errors = errors_along(network, *ends, tiny.test, tiny.train, [0, 0.25, 0.5, 0.75, 1])
    assert row["along"] == [round(error, 5) for error in errors] and row["barrier"] == barrier(errors)
    assert row["test_error"] == 1 - history.test_accuracy == errors[-1]


def test_two_runs_with_one_order_are_one_run(small_trials, monkeypatch):
    spy = instability.train
    monkeypatch.setattr(instability, "train", lambda *given, seed, **choices: spy(*given, seed=1, **choices))
    for row in analyze():
        assert len(set(row["along"])) == 1 and row["barrier"] == 0


def test_the_later_they_fork_the_nearer_they_end(small_trials):
    distances = []
    for fork in (0, 11):
        small_trials.clear()
        ends = []
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(
                instability, "errors_along", lambda network, a, b, *rest, ends=ends: ends.extend((a, b)) or [0, 0]
            )
            analyze(forks=(fork,))
        first, second = ends
        distances.append(sum(float((first[name] - second[name]).norm()) for name in first))
    assert distances[1] < distances[0] / 2


# Tickets


SEARCH = TicketInstability(
    network="lenet-300-100", data="tiny", recipe=RECIPE, forks=(0, 5), points=5, rounds=2, rate=0.5
)


def searched(fork, tiny, rounds):
    """The rounds of a search that rewinds to `fork`, as the pruning loop finds them."""
    network = models.create("lenet-300-100", shape=tiny.shape, seed=3)
    loop = prune_iteratively(
        network, tiny, RECIPE, rate=0.5, rounds=rounds, scope="global", restart=to_step(fork), seed=3
    )
    return list(loop)


def test_each_ticket_is_that_of_a_search_and_is_compared_from_the_iteration_to_which_it_rewound(small_trials, tiny):
    rows = list(compare_tickets(SEARCH, 3, "cpu", Journal()))
    assert [(row["method"], row["round"], row["iteration"]) for row in rows] == [
        ("rewound to 0", 0, 0), ("rewound to 0", 1, 0), ("ticket", 1, 0), ("dense", 1, 0),
        ("rewound to 5", 1, 5), ("ticket", 2, 5), ("dense", 2, 5),
    ]  # fmt: skip
    pairs = [training for training in small_trials if training["seed"] != 3]
    assert len(pairs) == 8 and all(training["recipe"] == RECIPE for training in pairs)
    for number, fork in enumerate(SEARCH.forks, 1):
        found = searched(fork, tiny, rounds=2)
        told = [row_of(f"rewound to {fork}", done) | {"iteration": fork} for done in found[:-1]]
        assert [row for row in rows if row["method"] == f"rewound to {fork}"] == told[number - 1 :]
        ticket, other, dense, _ = pairs[4 * number - 4 : 4 * number]
        assert ticket["begin"] == other["begin"] == dense["begin"] == fork
        assert same(ticket["start"], other["start"]) and same(ticket["start"], dense["start"])
        assert same(ticket["mask"], other["mask"]) and same(ticket["mask"], found[-1].mask)
        assert all(kept.all() for kept in dense["mask"].values())
    dense_alone = list(fork_and_compare(plan(forks=SEARCH.forks), 3, "cpu", Journal()))
    unnamed = [{k: v for k, v in row.items() if k != "method"} for row in rows if row["method"] == "dense"]
    assert unnamed == [{k: v for k, v in row.items() if k != "method"} for row in dense_alone]


def test_a_ticket_found_in_one_pruning_has_one_mask_wherever_it_forks(small_trials):
    once = dataclasses.replace(SEARCH, rounds=1)
    rows = list(compare_tickets(once, 0, "cpu", Journal()))
    assert [row["method"] for row in rows] == ["rewound to 0", "ticket", "dense", "ticket", "dense"]
    first, second = (row for row in rows if row["method"] == "ticket")
    assert first["layers"] == second["layers"] and first["along"] != second["along"]


def test_between_two_tickets_no_pruned_weight_comes_back(small_trials, monkeypatch):
    ends = []

    def spy(network, a, b, *rest):
        ends.append((a, b))
        return [0, 0]

    monkeypatch.setattr(instability, "errors_along", spy)
    list(compare_tickets(dataclasses.replace(SEARCH, forks=(5,)), 0, "cpu", Journal()))
    mask = next(training["mask"] for training in small_trials if training["seed"] != 0)
    for end in ends[0]:
        assert all(not end[name][~kept].any() for name, kept in mask.items())


@pytest.mark.parametrize("after", range(7))
def test_a_trial_that_was_stopped_goes_on_to_the_same_rows(small_trials, after, tmp_path):
    whole = list(compare_tickets(SEARCH, 1, "cpu", Journal()))
    file = tmp_path / "seed-1.safetensors"
    journal = Journal(file=file)
    rows = compare_tickets(SEARCH, 1, "cpu", journal)
    for _ in range(after):
        journal.note(next(rows))
    rows.close()
    small_trials.clear()
    again = Journal.read(file)
    rest = list(compare_tickets(SEARCH, 1, "cpu", again))
    assert again.rows + rest == whole
    searches = [t for t in small_trials if t["seed"] == 1 and t.get("end") is None]
    assert len(searches) == sum(row["method"].startswith("rewound") for row in rest)


@pytest.mark.parametrize("at", EXPERIMENTS["instability-tickets"].budgets)
def test_tickets_are_compared_in_the_setting_of_the_recorded_failure(at):
    chosen, night = (catalog.settings(name, at) for name in ("instability-tickets", "lottery-resnet"))
    assert chosen.forks[0] == 0 and list(chosen.forks) == sorted(set(chosen.forks))
    assert chosen.forks[-1] < chosen.recipe.iterations
    if at == "night":
        for setting in ("network", "data", "recipe", "seeds", "rate"):
            assert getattr(chosen, setting) == getattr(night, setting)
        assert night.rewind in chosen.forks and chosen.rounds <= night.rounds and night.scope == "global"
