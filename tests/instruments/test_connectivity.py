"""The line between two networks: its ends are the networks, its barrier is what the paper calls so."""

import copy

import pytest
import torch
from torch import nn

from ltcourse.instruments.connectivity import barrier, between, errors_along
from ltcourse.networks import models
from ltcourse.networks.models import snapshot
from ltcourse.training import Recipe, evaluate, train

RECIPE = Recipe(iterations=12, batch=50, evaluate_every=12)


def same(first, other):
    return first.keys() == other.keys() and all(torch.equal(first[name], other[name]) for name in first)


def trained(name, data, seed):
    network = models.create(name, shape=data.shape)
    train(network, data, RECIPE, seed=seed)
    return network


@pytest.fixture(scope="module", params=["lenet-300-100", "resnet-8"])
def ends(request, tiny):
    """Two networks that were trained from the same weights with different orders of the examples."""
    return [trained(request.param, tiny, seed) for seed in (1, 2)]


# Between


def test_between_is_the_weighted_mean():
    a, b = ({"w": torch.tensor([[0.0, 8.0]]) + shift, "n": torch.tensor(3 + shift)} for shift in (0, 4))
    for share, expected in ((0, [[0, 8]]), (0.25, [[1, 9]]), (0.5, [[2, 10]]), (1, [[4, 12]])):
        assert between(a, b, share)["w"].tolist() == expected


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_counters_stay_whole_numbers_and_are_those_of_the_first(share):
    a, b = (nn.BatchNorm1d(2).state_dict() | {"num_batches_tracked": torch.tensor(n)} for n in (3, 8))
    point = between(a, b, share)
    assert point["num_batches_tracked"].dtype == torch.int64 and point["num_batches_tracked"] == 3
    nn.BatchNorm1d(2).load_state_dict(point)


def test_a_point_of_the_line_shares_no_memory_with_its_ends(ends):
    a, b = (snapshot(end) for end in ends)
    before = {name: tensor.clone() for name, tensor in a.items()}
    for share in (0.0, 0.5, 1.0):
        for tensor in between(a, b, share).values():
            tensor.zero_()
    assert same(a, before) and same(b, snapshot(ends[1]))


@pytest.mark.parametrize("other", ["lenet-5", "resnet-8", "another shape"])
def test_different_networks_are_refused_in_one_sentence(tiny, other):
    network = models.create("lenet-300-100")
    a = snapshot(network)
    b = snapshot(models.create("lenet-300-100" if other == "another shape" else other, shape=(1, 32, 32)))
    calls = (lambda: between(a, b, 0.5), lambda: errors_along(network, a, b, tiny.test, tiny.train, [0, 1]))
    for call in calls:
        with pytest.raises(ValueError, match="of two different networks") as caught:
            call()
        assert "\n" not in str(caught.value)


# Along the line


def recomputed(network, data):
    """The error of a network whose batch norms have seen all the training examples, and nothing else."""
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean over the batches
    with torch.no_grad():
        network.train()(data.train.x)  # 500 examples: one batch
    return 1 - evaluate(network, data.test)[1], len(norms)


def test_the_ends_of_the_line_are_the_two_networks_with_fresh_statistics(ends, tiny):
    a, b = (snapshot(end) for end in ends)
    network = models.create("resnet-8" if "conv1.weight" in a else "lenet-300-100", shape=tiny.shape)
    errors = errors_along(network, a, b, tiny.test, tiny.train, [0, 0.5, 1])
    assert all(0 <= error <= 1 for error in errors) and len(set(errors)) > 1
    for state, error in ((a, errors[0]), (b, errors[-1])):
        network.load_state_dict(state)
        expected, norms = recomputed(network, tiny)
        assert error == expected
        if not norms:
            assert error == 1 - evaluate(network, tiny.test)[1], "without batch norm it is the error as it was"


def test_in_the_middle_the_statistics_are_those_of_the_mean_weights(tiny):
    a, b = (snapshot(trained("resnet-8", tiny, seed)) for seed in (1, 2))
    network = models.create("resnet-8", shape=tiny.shape)
    (error,) = errors_along(network, a, b, tiny.test, tiny.train, [0.5])
    network.load_state_dict(between(a, b, 0.5))
    assert error == recomputed(network, tiny)[0]
    means = {name: tensor for name, tensor in snapshot(network).items() if "running" in name}
    assert not any(torch.allclose(tensor, between(a, b, 0.5)[name]) for name, tensor in means.items())


def test_the_network_is_left_at_the_last_point_in_the_mode_it_was_in(ends, tiny):
    a, b = (snapshot(end) for end in ends)
    for training in (True, False):
        network = copy.deepcopy(ends[0]).train(training)
        errors_along(network, a, b, tiny.test, tiny.train, [0, 1])
        assert network.training is training
        assert all(torch.equal(p, b[name]) for name, p in network.named_parameters())


def test_the_order_of_the_points_does_not_matter(ends, tiny):
    a, b = (snapshot(end) for end in ends)
    network, shares = copy.deepcopy(ends[0]), [0, 0.25, 0.5, 1]
    forth = errors_along(network, a, b, tiny.test, tiny.train, shares)
    back = errors_along(network, a, b, tiny.test, tiny.train, shares[::-1])
    assert forth == back[::-1]


def test_between_a_network_and_itself_there_is_no_barrier(ends, tiny):
    a = snapshot(ends[0])
    errors = errors_along(copy.deepcopy(ends[0]), a, a, tiny.test, tiny.train, [0, 0.3, 0.5, 1])
    assert len(set(errors)) == 1 and barrier(errors) == 0


# The barrier


@pytest.mark.parametrize(
    ("errors", "expected"),
    [
        ([0.25, 0.25], 0),
        ([0.5] * 11, 0),
        ([0.125, 0.75, 0.375], 0.5),
        ([0.375, 0.75, 0.125], 0.5),
        ([0.125, 0.25, 0.5, 0.25], 0.3125),
        ([0.5, 0.125, 0.25], 0.125),  # an end is a point of the line
    ],
)
def test_the_barrier_is_the_highest_error_above_the_mean_of_the_ends(errors, expected):
    assert barrier(errors) == expected


@pytest.mark.parametrize("errors", [[], [0.3]])
def test_a_line_without_two_ends_is_refused(errors):
    with pytest.raises(ValueError, match="a line has two ends"):
        barrier(errors)
