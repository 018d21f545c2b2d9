"""Dead neurons are found as a walk over all paths finds them, and removed without changing the outputs."""

from itertools import pairwise

import pytest
import torch
from torch import nn

from ltcourse.instruments import neurons
from ltcourse.networks import masks, models
from ltcourse.networks.dropout import Dropout, rate_after_pruning
from ltcourse.networks.models import snapshot
from ltcourse.pruning import criteria


def with_biases(network, seed=1):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in network.modules():
            if isinstance(getattr(module, "bias", None), torch.Tensor):
                module.bias.copy_(torch.randn(module.bias.shape, generator=generator))
            if isinstance(module, nn.BatchNorm2d):
                module.running_mean.copy_(torch.randn(module.running_mean.shape, generator=generator))
                module.running_var.copy_(torch.rand(module.running_var.shape, generator=generator) + 0.5)
    return network


def pruned(network, density, seed=0):
    weights = {name: p.detach() for name, p in masks.prunable(network).items()}
    mask = criteria.at_random(seed)(weights, masks.dense(network), 1 - density, "layer")
    return masks.apply(network, mask), mask


def images(shape, n=5):
    return torch.randn(n, *shape, generator=torch.Generator().manual_seed(2))


@pytest.mark.parametrize("density", [0.3, 0.03, 0.01, 0.003])
@pytest.mark.parametrize("name", ["lenet-300-100", "lenet-5", "conv-2", "vgg-16-cifar"])
def test_the_outputs_stay(name, density):
    width = 1 if name.startswith("lenet") else 1 / 8
    network, mask = pruned(with_biases(models.create(name, width=width)), density)
    x, before = images(models.usual_shape(name)), snapshot(network)
    smaller, smaller_mask = neurons.remove(network.eval(), mask)
    with torch.no_grad():
        expected, found = network(x), smaller(x)
    assert torch.allclose(found, expected, atol=1e-4, rtol=1e-4), float((found - expected).abs().max())
    masks.check(smaller_mask, smaller)
    assert masks.kept(smaller_mask) <= masks.kept(mask)
    assert all(torch.equal(t, before[key]) for key, t in network.state_dict().items()), (
        "the given network is left alone"
    )
    for key, dead in neurons.dead(network, mask).items():
        left = len(smaller.get_submodule(key).weight)
        assert left == max(1, int((~dead).sum()))
    if density == 0.01:
        assert models.weight_count(smaller) < 0.7 * models.weight_count(network), "something was there to be removed"


def test_a_dense_network_has_no_dead_neuron():
    network = models.create("lenet-300-100").eval()
    assert not any(d.any() for d in neurons.dead(network, masks.dense(network)).values())
    smaller, mask = neurons.remove(network, masks.dense(network))
    x = images((1, 28, 28))
    assert torch.equal(smaller(x), network(x)) and masks.density(mask) == 1


def living(mask, sizes):
    """Neurons through which a path leads from an input to an output, found by walking over every weight."""
    layers = list(mask.values())
    forward = [set(range(sizes[0]))]
    for m in layers:
        forward.append({o for o, i in m.nonzero().tolist() if i in forward[-1]})
    backward = [set(range(sizes[-1]))]
    for m in reversed(layers):
        backward.insert(0, {i for o, i in m.nonzero().tolist() if o in backward[0]})
    return [f & b for f, b in zip(forward, backward, strict=True)][1:-1]


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("density", [0.6, 0.25, 0.1])
def test_dead_are_those_without_a_path(density, seed):
    sizes = (6, 7, 5, 8, 3)
    layers = []
    for into, out in pairwise(sizes):
        layers += [nn.Linear(into, out), nn.ReLU()]
    network, mask = pruned(with_biases(nn.Sequential(*layers[:-1])), density, seed)
    found = [set((~dead).nonzero().flatten().tolist()) for dead in neurons.dead(network, mask).values()]
    assert found == living(mask, sizes)


def test_the_bias_of_a_neuron_without_inputs_is_passed_on():
    network = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1))
    with torch.no_grad():
        network[0].bias.copy_(torch.tensor([3.0, -1.0]))
        network[2].weight.fill_(2.0)
        network[2].bias.fill_(0.5)
    mask = masks.dense(network)
    mask["0.weight"][0] = False
    masks.apply(network, mask)
    smaller, _ = neurons.remove(network, mask)
    assert smaller[0].weight.shape == (1, 2) and smaller[2].bias.item() == 0.5 + 2.0 * 3.0


def test_a_constant_channel_before_padding_stays_unless_it_is_0():
    network = nn.Sequential(nn.Conv2d(1, 2, 3, padding=1), nn.ReLU(), nn.Conv2d(2, 1, 3, padding=1))
    mask = masks.dense(network)
    mask["0.weight"][:] = False
    with torch.no_grad():
        network[0].bias.copy_(torch.tensor([1.0, -1.0]))
    masks.apply(network, mask)
    assert neurons.dead(network, mask)["0"].tolist() == [False, True]
    smaller, _ = neurons.remove(network, mask)
    x = images((1, 6, 6))
    assert torch.allclose(smaller(x), network(x), atol=1e-5)


def test_nothing_left_is_still_a_network():
    network = with_biases(models.create("lenet-300-100")).eval()
    mask = {name: torch.zeros_like(m) for name, m in masks.dense(network).items()}
    masks.apply(network, mask)
    smaller, _ = neurons.remove(network, mask)
    x = images((1, 28, 28))
    assert torch.allclose(smaller(x), network(x), atol=1e-5)


@pytest.mark.parametrize("name", ["alexnet-cifar", "resnet-8"])
def test_what_is_no_chain_is_refused(name):
    network = models.create(name, width=1 / 16)
    with pytest.raises(ValueError, match=r"in groups|neurons can be removed from a chain"):
        neurons.dead(network, masks.dense(network))


def test_dropout_belongs_to_what_is_left_of_its_layer():
    network, mask = pruned(models.create("vgg-16", shape=(3, 32, 32), width=1 / 32), 0.05)
    network.eval()
    places = [module._place for module in network if isinstance(module, Dropout)]
    smaller, _ = neurons.remove(network, mask)
    found = 0
    for name, module in network.named_children():
        if isinstance(module, Dropout):
            found += 1
            moved = smaller.get_submodule(name)
            whole, left = module.layer.weight, moved.layer.weight
            assert moved.layer in smaller and left.numel() < whole.numel()
            moved.train()
            assert moved.rate == pytest.approx(rate_after_pruning(0.5, int((left != 0).sum()), whole.numel()))
            assert not module.training, "the given network is left as it was"
    assert found == 2
    smaller.train()(images((3, 32, 32)))
    assert places == [module._place for module in network if isinstance(module, Dropout)]


def test_a_constant_before_padded_pooling_is_none_at_the_border():
    network = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.AvgPool2d(2, padding=1), nn.Conv2d(4, 3, 3))
    network = with_biases(network).eval()
    mask = masks.dense(network)
    mask["0.weight"][:2] = False  # two channels without inputs: all that they pass on is their bias
    with torch.no_grad():
        network[0].bias.copy_(torch.tensor([0.7, -0.3, 0.2, 0.4]))  # the second ends at the ReLU
        masks.apply(network, mask)
    smaller, _ = neurons.remove(network, mask)
    x = images((2, 9, 9))
    assert torch.allclose(smaller(x), network(x), atol=1e-6)
    assert len(smaller[0].weight) == 3
