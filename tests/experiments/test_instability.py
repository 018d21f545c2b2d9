"""The instability analysis: what two runs share, in what they differ, and what a row says of the line between."""

import pytest
import torch

from ltcourse.experiments import instability
from ltcourse.experiments.instability import Instability, fork_and_compare
from ltcourse.experiments.journal import Journal
from ltcourse.instruments.connectivity import barrier, errors_along
from ltcourse.networks import models
from ltcourse.networks.models import snapshot
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
