"""Dropout: its rate follows the layer's pruning, a seed decides it, and a saved network goes on where it was."""

import copy
import math

import pytest
import torch
from torch import nn

from ltcourse.networks import masks, models
from ltcourse.networks.dropout import Dropout, rate_after_pruning
from ltcourse.networks.models import snapshot


@pytest.mark.parametrize(("kept", "expected"), [(100, 0.5), (25, 0.25), (9, 0.15), (0, 0.0)])
def test_the_rule_of_the_paper(kept, expected):
    """Han et al. 2015, Eq. 2."""
    assert rate_after_pruning(0.5, kept, 100) == pytest.approx(expected)


@pytest.mark.parametrize("arguments", [(1.5, 1, 2), (-0.1, 1, 2), (0.5, 3, 2), (0.5, -1, 2), (0.5, 0, 0)])
def test_what_no_layer_can_have_is_refused(arguments):
    with pytest.raises(ValueError):
        rate_after_pruning(*arguments)


def layer_and_dropout(rate=0.5):
    layer = nn.utils.skip_init(nn.Linear, 40, 50)  # draws nothing
    with torch.no_grad():
        layer.weight.copy_(torch.arange(1, 2001).view(50, 40))
    dropout = Dropout(rate, layer)
    dropout.begin(7)
    return layer, dropout


def test_it_drops_the_share_and_keeps_the_mean():
    _, dropout = layer_and_dropout(0.3)
    out = dropout.train()(torch.ones(200, 500))
    assert float((out == 0).float().mean()) == pytest.approx(0.3, abs=0.01)
    assert float(out.mean()) == pytest.approx(1, abs=0.01)
    x = torch.ones(3, 4)
    assert dropout.eval()(x) is x


def test_its_rate_follows_the_layer_whenever_training_begins():
    layer, dropout = layer_and_dropout()
    with torch.no_grad():
        layer.weight.copy_(masks.keep_largest(layer.weight.abs(), 500) * layer.weight)
    assert dropout.train().rate == pytest.approx(0.5 * math.sqrt(500 / 2000))
    with torch.no_grad():
        layer.weight.fill_(1)
    assert dropout.eval().train().rate == 0.5


def test_a_seed_decides_and_two_draws_differ(global_randomness_untouched):
    x = torch.ones(8, 20)
    _, one = layer_and_dropout()
    _, other = layer_and_dropout()
    first, second = one.train()(x), one(x)
    assert torch.equal(first, other.train()(x)) and torch.equal(second, other(x)) and not torch.equal(first, second)


def test_a_saved_network_goes_on_where_it_was():
    network = models.create("alexnet-one-tower", shape=(3, 64, 64), width=1 / 16, seed=1)
    x = torch.randn(2, 3, 64, 64, generator=torch.Generator().manual_seed(0))
    network.train()(x)
    saved = snapshot(network)
    expected = network(x)
    other = models.create("alexnet-one-tower", shape=(3, 64, 64), width=1 / 16, seed=9).train()
    other.load_state_dict(saved)
    assert torch.equal(other(x), expected)
    assert not torch.equal(network(x), expected)


def test_a_copy_belongs_to_the_layer_of_the_copy():
    network = models.create("alexnet-one-tower", shape=(3, 64, 64), width=1 / 16)
    copied = copy.deepcopy(network)
    with torch.no_grad():
        copied.fc1.weight.zero_()
    assert copied.train().drop1.rate == 0 and network.train().drop1.rate == 0.5
    names = [name for name, _ in network.named_parameters()]
    assert len(names) == len(set(names)) == 16, "the layer is not a part of its dropout"


def test_two_dropouts_and_two_seeds_draw_differently():
    places = set()
    for seed in (0, 1):
        network = models.create("alexnet-one-tower", shape=(3, 64, 64), width=1 / 16, seed=seed)
        places |= {int(network.drop1.get_extra_state()), int(network.drop2.get_extra_state())}
    assert len(places) == 4
