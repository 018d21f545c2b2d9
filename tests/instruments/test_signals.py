"""What goes through a plain network and what comes back: the numbers are those of the formulas."""

import math

import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from ltcourse.instruments import signals
from ltcourse.networks.initializers import initialize, kaiming_normal, with_gain, xavier_normal
from ltcourse.networks.models import snapshot


@pytest.fixture(scope="module")
def batch(clothes):
    return clothes.train.x[:60], clothes.train.y[:60]


def rms(values):
    return math.sqrt(sum(v * v for v in values) / len(values))


def test_a_plain_network_has_its_depth_and_its_width(clothes):
    network = signals.plain(5, 30, activation="tanh")
    shapes = [tuple(m.weight.shape) for m in network if isinstance(m, nn.Linear)]
    assert shapes == [(30, 784), (30, 30), (30, 30), (30, 30), (10, 30)]
    assert sum(isinstance(m, nn.Tanh) for m in network) == 4 and not isinstance(network[-1], nn.Tanh)
    assert network(clothes.train.x[:3]).shape == (3, 10)
    assert not any(m.bias.any() for m in network if isinstance(m, nn.Linear))


def test_a_network_of_one_layer_is_its_output_layer():
    assert [tuple(p.shape) for p in signals.plain(1, 99).parameters()] == [(10, 784), (10,)]


def test_a_seed_fixes_a_network():
    first, again, other = (signals.plain(3, 10, seed=seed) for seed in (1, 1, 2))
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), again.parameters(), strict=True))
    assert not torch.equal(first[1].weight, other[1].weight)


def test_what_cannot_be_built_is_refused():
    with pytest.raises(ValueError, match=r"unknown activation 'relu' .*: choose one of ReLU, tanh, none"):
        signals.plain(3, 10, activation="relu")
    with pytest.raises(ValueError, match="at least the output layer"):
        signals.plain(0, 10)


def test_the_spread_is_the_root_mean_square_also_of_tiny_numbers():
    assert signals.rms(torch.tensor([3.0, -4.0])) == pytest.approx(math.sqrt(12.5))
    assert signals.rms(torch.full((4,), 1e-30)) == pytest.approx(1e-30)


def test_measured_is_what_the_layers_hand_on_and_what_comes_back(batch):
    """By hand: a network of two layers, its activations and its gradients, example by example."""
    x, y = batch
    network = signals.plain(2, 20, initializer=kaiming_normal, seed=3)
    found = signals.measure(network, x, y)
    hidden = torch.relu(x.flatten(1) @ network[1].weight.T)
    logits = hidden @ network[3].weight.T
    forward = [rms(t.flatten().tolist()) for t in (x, hidden, logits)]
    assert found.activations == pytest.approx(forward, rel=1e-5)
    error = logits.softmax(1) - nn.functional.one_hot(y, 10)
    before = error @ network[3].weight
    images = (before * (hidden > 0)) @ network[1].weight
    back = [rms(t.detach().flatten().tolist()) for t in (images, before, error)]
    assert found.gradients == pytest.approx(back, rel=1e-4)


def test_the_gradient_of_an_image_does_not_depend_on_how_many_there_are(batch):
    x, y = batch
    network = signals.plain(4, 30, initializer=kaiming_normal)
    few, twice = signals.measure(network, x, y), signals.measure(network, x.repeat(2, 1, 1, 1), y.repeat(2))
    assert few.gradients == pytest.approx(twice.gradients, rel=1e-5)


def test_measuring_leaves_the_network_and_the_images_as_they_were(batch):
    x, y = batch
    network = signals.plain(3, 20)
    cross_entropy(network(x), y).backward()
    before, gradients = snapshot(network), [p.grad.clone() for p in network.parameters()]
    signals.measure(network, x, y)
    assert all(torch.equal(t, before[name]) for name, t in network.state_dict().items())
    assert all(torch.equal(p.grad, g) for p, g in zip(network.parameters(), gradients, strict=True))
    assert not x.requires_grad and x.grad is None


@pytest.mark.parametrize("activation", signals.ACTIVATIONS)
def test_both_lists_have_an_entry_a_layer_and_the_images(batch, activation):
    found = signals.measure(signals.plain(6, 10, activation=activation), *batch)
    assert len(found.activations) == len(found.gradients) == 7
    assert found.activations[0] == pytest.approx(signals.rms(batch[0]))


@pytest.mark.parametrize(
    ("activation", "gain", "layer"),
    [("none", 1.0, 1.0), ("none", 1.3, 1.3), ("ReLU", 2**0.5, 1.0), ("ReLU", 1.0, 0.5**0.5)],
)
def test_a_layer_multiplies_by_the_factor_of_the_formula(batch, activation, gain, layer):
    forward, back = [], []
    for seed in range(3):
        network = signals.plain(10, 300, activation=activation, initializer=with_gain(gain), seed=seed)
        found = signals.measure(network, *batch)
        forward.append(signals.factor(found.activations[1:-1]))
        back.append(1 / signals.factor(found.gradients[1:-1]))
    assert sum(forward) / 3 == pytest.approx(layer, rel=0.04)
    assert sum(back) / 3 == pytest.approx(layer, rel=0.04)


def test_xavier_loses_a_deep_relu_network_and_keeps_tanh_nearly(batch):
    def last(activation, draw):
        return signals.measure(signals.plain(30, 100, activation=activation, initializer=draw), *batch).activations[-2]

    assert last("ReLU", xavier_normal) < 1e-3 < 0.1 < last("ReLU", kaiming_normal) < 10
    assert 0.05 < last("tanh", xavier_normal) < 1


def test_zero_weights_let_nothing_through(batch):
    found = signals.measure(signals.plain(4, 20, initializer=with_gain(0.0)), *batch)
    assert found.activations[1:] == [0, 0, 0, 0] and found.gradients[:-1] == [0, 0, 0, 0]
    assert found.gradients[-1] > 0


@pytest.mark.parametrize("area_counts", [True, False])
def test_convolutions_are_measured_too_and_a_forgotten_area_shows(batch, area_counts):
    def without_area(weight, generator):
        return torch.randn(weight.shape, generator=generator) * math.sqrt(2 / weight.shape[1])

    stack = nn.Sequential()
    for channels in [1] + [32] * 3:
        stack.extend([nn.Conv2d(channels, 32, 3, padding=1, padding_mode="circular"), nn.ReLU()])
    stack.extend([nn.Flatten(), nn.Linear(32 * 28 * 28, 10)])
    initialize(stack, kaiming_normal if area_counts else without_area, 0)
    found = signals.measure(stack, batch[0][:20], batch[1][:20]).activations
    assert len(found) == 6
    assert signals.factor(found[:-1]) == pytest.approx(1 if area_counts else 3, rel=0.15)


def test_the_factor_is_the_geometric_mean():
    assert signals.factor([2.0, 5.0, 0.5]) == pytest.approx(0.5)
    assert signals.factor([1.0, 0.0]) == 0 and signals.factor([1.0, math.inf]) == math.inf
    with pytest.raises(ValueError, match="at least two layers"):
        signals.factor([1.0])
