"""A random network contains a given layer: the best subsets, and the network that is built of them."""

from itertools import product

import pytest
import torch

from ltcourse.instruments import subset_sum
from ltcourse.instruments.subset_sum import MOST, closest, contain
from ltcourse.networks import masks, models


def numbers(*shape, seed=0):
    return 2 * torch.rand(shape, generator=torch.Generator().manual_seed(seed)) - 1


def test_no_subset_is_closer_than_the_chosen_one():
    row, targets = numbers(7), torch.tensor([-3.0, -0.4, 0.0, 0.123, 0.9, 10.0])
    chosen = closest(targets, row.expand(6, 7))
    sums = torch.tensor(list(product((0.0, 1.0), repeat=7))) @ row
    for goal, choice in zip(targets, chosen, strict=True):
        assert abs(float(row[choice].sum() - goal)) == pytest.approx(float((sums - goal).abs().min()), abs=1e-6)


def test_shapes_are_kept_and_zeros_left_out():
    row = torch.tensor([0.0, 0.5, 0.0, 0.25])
    chosen = closest(torch.full((2, 3), 0.75), row.expand(2, 3, 4))
    assert chosen.shape == (2, 3, 4) and chosen.dtype == torch.bool
    assert (chosen == torch.tensor([False, True, False, True])).all()


def test_of_many_numbers_the_first_are_tried_and_nothing_breaks_without_any():
    row = torch.ones(1, 3 * MOST)
    chosen = closest(torch.tensor([100.0]), row)
    assert int(chosen.sum()) == MOST and chosen[0, :MOST].all()
    assert not closest(torch.tensor([1.0]), torch.zeros(1, 5)).any()


def test_the_error_falls_exponentially():
    goals = numbers(60, seed=1)
    far = []
    for n in (4, 8, 12):
        row = numbers(60, n)
        far.append(float(((row * closest(goals, row)).sum(1) - goals).abs().median()))
    assert far[0] > 5 * far[1] > 25 * far[2]


def test_the_masked_random_network_does_what_the_layer_does():
    layer, x = numbers(3, 6, seed=2), numbers(20, 6, seed=3).abs()
    network, mask = contain(layer, 24)
    masks.check(mask, network)
    drawn = models.snapshot(network)
    masks.apply(network, mask)
    with torch.no_grad():
        built = network[2].weight @ network[0].weight  # no ReLU is ever off: what is kept passes these inputs on
        assert torch.allclose(network(x), x @ built.T, atol=1e-5)
        assert float((built - layer).abs().median()) < 0.005
    for name, m in mask.items():  # it is a subnetwork: what is kept has the value that was drawn
        assert torch.equal(network.state_dict()[name], drawn[name] * m)


def test_more_neurons_come_closer():
    layer = numbers(4, 5, seed=4)
    far = []
    for n in (4, 10, 20):
        network, mask = contain(layer, n)
        masks.apply(network, mask)
        far.append(float((network[2].weight @ network[0].weight - layer).abs().mean().detach()))
    assert far[0] > 2 * far[1] > 4 * far[2]


def test_the_seed_decides_and_the_target_only_scales():
    layer = numbers(2, 3)
    first, again, other = (contain(layer, 6, seed)[0] for seed in (1, 1, 2))
    assert torch.equal(first[0].weight, again[0].weight) and torch.equal(first[2].weight, again[2].weight)
    assert not torch.equal(first[0].weight, other[0].weight)
    assert float(first[2].weight.abs().max().detach()) <= 2 * float(layer.abs().max())


def test_global_randomness_is_not_touched(global_randomness_untouched):
    subset_sum.contain(numbers(2, 3), 4)


@pytest.mark.parametrize("n", [1, 2, 5, 9])
def test_two_halves_that_meet_find_the_closest_of_all_sums(n):
    row, targets = numbers(n).double(), torch.tensor([-3.0, -0.4, 0.0, 0.123, 0.9, 10.0])
    sums = torch.tensor(list(product((0.0, 1.0), repeat=n)), dtype=torch.float64) @ row
    right = (sums - targets.double()[:, None]).abs().min(1).values
    torch.testing.assert_close(subset_sum.distance(targets, row), right)
    assert float(subset_sum.distance(torch.zeros(1), row)) == 0, "the empty sum"


def test_too_many_numbers_are_refused():
    with pytest.raises(ValueError, match="37 numbers have too many sums: choose from at most 36"):
        subset_sum.distance(torch.zeros(1), torch.ones(37))


@pytest.mark.parametrize("n", [8, 14])
def test_the_count_foretells_the_error(n):
    found = subset_sum.errors(n, sets=60, targets=20, seed=1).log2()
    assert float(found.mean()) == pytest.approx(subset_sum.expected_error(n), abs=0.35), "bits"


def test_each_number_is_worth_nearly_a_bit():
    counts = range(6, 19, 4)
    slope = subset_sum.slope(counts, [float(subset_sum.errors(n, seed=2).log2().mean()) for n in counts])
    assert -1.05 < slope < -0.8
