"""Filters that go as a whole: which, how many, and that the network without them computes the same."""

import pytest
import torch

from ltcourse.instruments import neurons
from ltcourse.networks import masks, models
from ltcourse.pruning import filters


def lenet(seed=0):
    return models.create("lenet-5", seed=seed)


@pytest.mark.parametrize("share", [0.0, 0.01, 0.3, 0.5, 1.0])
def test_each_layer_but_the_last_keeps_its_share(share):
    network = lenet()
    smaller, _ = neurons.remove(network, filters.prune_filters(network, share))
    sizes = {name: len(layer.weight) for name, layer in smaller.named_children() if hasattr(layer, "weight")}
    whole = {"conv1": 20, "conv2": 50, "fc1": 500}
    assert sizes == {name: max(1, round(share * count)) for name, count in whole.items()} | {"fc2": 10}


def test_the_largest_filters_stay():
    network = lenet()
    mask = filters.prune_filters(network, 0.25)
    stay = mask["conv1.weight"].flatten(1).any(1)
    norms = network.conv1.weight.detach().abs().flatten(1).sum(1)
    assert stay.sum() == 5 and norms[stay].min() >= norms[~stay].max()


def test_nothing_reads_a_filter_that_is_gone():
    mask = filters.prune_filters(lenet(), 0.4)
    gone = ~mask["conv2.weight"].flatten(1).any(1)
    read = mask["fc1.weight"].view(500, 50, -1).any(2).any(0)
    assert not read[gone].any() and read[~gone].all(), "all positions of a channel go, and no others"


def test_the_smaller_network_computes_what_the_masked_one_does():
    network = lenet(3)
    for name, p in network.named_parameters():
        if name.endswith("bias"):
            torch.nn.init.normal_(p, generator=torch.Generator().manual_seed(5))
    mask = filters.prune_filters(network, 0.3)
    smaller, kept = neurons.remove(network, mask)
    assert masks.kept(kept) == masks.kept(mask) == sum(m.numel() for m in kept.values()), "it is dense"
    x = torch.randn(4, 1, 28, 28, generator=torch.Generator().manual_seed(1))
    # a filter goes with its bias: nobody reads it
    assert torch.allclose(masks.apply(network, mask).eval()(x), smaller.eval()(x), atol=1e-4)


def test_random_filters_depend_on_the_seed_alone():
    one, again, other = (
        filters.prune_filters(lenet(seed), 0.5, filters.at_random(lot)) for seed, lot in ((0, 7), (1, 7), (0, 8))
    )
    assert all(torch.equal(one[name], again[name]) for name in one)
    assert any(not torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_outside_0_to_1_is_refused(share):
    with pytest.raises(ValueError, match="outside 0 to 1"):
        filters.prune_filters(lenet(), share)
