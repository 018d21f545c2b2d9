"""Every way to multiply computes the same; times are times; the break-even is where two lines cross."""

import pytest
import torch
from torch import nn

from ltcourse.instruments import latency
from ltcourse.networks import masks, models
from ltcourse.pruning import criteria


def pruned(name, density=0.1):
    network = models.create(name, width=1 if name.startswith("lenet") else 1 / 16, seed=2).eval()
    weights = {key: p.detach() for key, p in masks.prunable(network).items()}
    mask = criteria.magnitude(weights, masks.dense(network), 1 - density)
    return masks.apply(network, mask), mask


@pytest.mark.parametrize("batch", [1, 7])
@pytest.mark.parametrize("way", latency.WAYS)
@pytest.mark.parametrize("name", ["lenet-300-100", "lenet-5", "conv-2", "alexnet-cifar", "vgg-16-cifar"])
def test_all_ways_compute_the_same(name, way, batch, recwarn):
    network, mask = pruned(name)
    x = torch.randn(batch, *models.usual_shape(name), generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        expected = network(x)
    found = latency.forward(network, mask, way)(x)
    assert found.shape == expected.shape and torch.allclose(found, expected, atol=1e-4, rtol=1e-4)
    assert not recwarn.list


def test_only_weights_that_are_kept_are_multiplied():
    network = nn.Sequential(nn.Linear(3, 2))
    mask = {"0.weight": torch.tensor([[True, False, False], [False, False, False]])}
    x = torch.ones(1, 3)
    for way in latency.WAYS[1:]:  # the network itself still has its pruned weights
        found = latency.forward(network, mask, way)(x)
        assert torch.allclose(found, (network[0].weight * mask["0.weight"]).sum(1) + network[0].bias)


def test_a_time_is_of_one_call_on_one_thread():
    before, threads = torch.get_num_threads(), []

    def work(x):
        threads.append(torch.get_num_threads())
        torch.mm(x, x)
        return x

    x = torch.ones(200, 200)
    taken = latency.seconds(work, x, at_least=0.01)
    assert 0 < taken < 5 and set(threads) == {1} and len(threads) >= 8
    assert torch.get_num_threads() == before


def test_a_comparison_has_all_ways():
    network, mask = pruned("lenet-300-100")
    found = latency.compare(network, mask, torch.randn(2, 1, 28, 28), at_least=0.001)
    assert tuple(found) == latency.WAYS and all(s > 0 for s in found.values())


def test_a_sweep_has_each_density_in_each_way():
    found = latency.sweep(16, 32, 2, (0.5, 0.1), at_least=0.001)
    assert tuple(found) == latency.WAYS and all(len(v) == 2 for v in found.values())
    with pytest.raises(ValueError, match="density 10 is outside 0 to 1"):
        latency.sweep(4, 4, 1, (10,), at_least=0.001)


@pytest.mark.parametrize(
    ("sparse", "expected"),
    [
        ([4.0, 2.0, 0.5], 0.1 + 0.1 * 0.5 / 1.5),
        ([9.0, 8.0, 7.0], None),
        ([0.3, 0.2, 0.1], 0.4),
        ([5.0, 1.0, 0.5], 0.2),
    ],
)
def test_the_break_even_is_where_the_lines_cross(sparse, expected):
    for order in ([0, 1, 2], [2, 0, 1]):
        densities = [[0.4, 0.2, 0.1][i] for i in order]
        found = latency.break_even(densities, [1.0] * 3, [sparse[i] for i in order])
        assert found == (None if expected is None else pytest.approx(expected))


def test_bad_requests():
    network, mask = pruned("lenet-300-100")
    with pytest.raises(ValueError, match="unknown way 'CSR'"):
        latency.forward(network, mask, "CSR")
    with pytest.raises(ValueError, match="another network"):
        latency.forward(models.create("lenet-5"), mask, "dense")
    with pytest.raises(ValueError):
        latency.break_even([0.1], [1.0, 2.0], [1.0])
