"""What a mask saves: FLOP by hand, zero activations one by one, and the paper's own tables."""

import pytest
import torch
from torch import nn

from ltcourse import papers
from ltcourse.instruments import sparsity
from ltcourse.instruments.sparsity import Layer
from ltcourse.networks import masks, models
from ltcourse.pruning import criteria


def meta(name):
    return sparsity.layers(
        models.create(name, device="meta"), None, torch.empty(1, *models.usual_shape(name), device="meta")
    )


def table(name):
    active = {layer: row.active / 100 for layer, row in papers.HAN_LAYERS[name].items()}
    return sparsity.by_shares(meta(name), papers.HAN_SHARES[name], active)


def drawn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# Against the paper


@pytest.mark.parametrize(
    ("name", "printed"),
    [
        ("lenet-300-100", [470e3, 60e3, 2e3]),
        ("lenet-5", [576e3, 3200e3, 800e3, 10e3]),
        ("alexnet", [211e6, 448e6, 299e6, 224e6, 150e6, 75e6, 34e6, 8e6]),
    ],
)
def test_flop_of_each_layer_are_the_papers(name, printed):
    for layer, flop in zip(meta(name), printed, strict=True):
        assert layer.flop == pytest.approx(flop, rel=0.03), layer.name


@pytest.mark.parametrize(("name", "total"), [("lenet-300-100", 532e3), ("lenet-5", 4586e3), ("vgg-16", 30.9e9)])
def test_flop_in_all_are_the_papers(name, total):
    assert sum(layer.flop for layer in meta(name)) == pytest.approx(total, rel=0.002)


@pytest.mark.parametrize("name", papers.HAN_TABLE_1)
def test_flop_needed_are_the_papers_once_zero_activations_are_skipped(name):
    rows = table(name)
    share = sum(r.nonzero for r in rows) / sum(r.flop for r in rows)
    assert round(100 * share) == papers.HAN_NEEDED[name]
    assert sparsity.speed_up(rows, skip_zeros=True) == pytest.approx(1 / share)
    assert sparsity.speed_up(rows) <= sparsity.speed_up(rows, skip_zeros=True)


@pytest.mark.parametrize("name", ["lenet-300-100", "lenet-5", "alexnet"])
def test_flop_needed_of_each_layer_are_the_papers(name):
    for row in table(name):
        printed = papers.HAN_LAYERS[name][row.name.removesuffix(".weight")].needed
        assert 100 * row.nonzero / row.flop == pytest.approx(printed, abs=1.01), row.name


@pytest.mark.parametrize(("name", "after"), [("lenet-300-100", "22K"), ("lenet-5", "36K")])
def test_the_lenets_come_out_as_printed(name, after):
    assert f"{sum(r.kept for r in table(name)) / 1e3:.0f}K" == after


@pytest.mark.parametrize("name", papers.HAN_TABLE_1)
def test_what_is_printed_lies_within_the_rounding_of_the_shares(name):
    number, unit = papers.HAN_TABLE_1[name].parameters[1][:-1], papers.HAN_TABLE_1[name].parameters[1][-1]
    printed = float(number) * {"K": 1e3, "M": 1e6}[unit]
    shares = papers.HAN_SHARES[name]
    low, high = (
        sum(r.weights * (shares[r.name.removesuffix(".weight")] + play) for r in meta(name)) for play in (-5e-3, 5e-3)
    )
    assert low <= printed <= high


@pytest.mark.parametrize("name", papers.HAN_TABLE_1)
def test_the_first_column_of_the_slides_follows_from_the_shapes(name):
    parameters = sum(p.numel() for p in models.create(name, device="meta").parameters())
    text = f"{parameters / 1e3:.0f}K" if parameters < 1e6 else f"{parameters / 1e6:.0f}M"
    assert text == papers.HAN_TABLE_1[name].parameters[0]


# By hand


def by_hand(module, keep, x):
    """Multiplications with a kept weight and an input that is not 0, counted one by one, twice each."""
    count = 0
    if isinstance(module, nn.Linear):
        for example in x:
            for out in range(keep.shape[0]):
                count += sum(bool(k) and bool(v != 0) for k, v in zip(keep[out], example, strict=True))
        return 2 * count / len(x)
    padded = nn.functional.pad(x, [module.padding[1]] * 2 + [module.padding[0]] * 2)
    size, step = module.kernel_size[0], module.stride[0]
    per_group = keep.shape[0] // module.groups
    for example in padded:
        for out in range(keep.shape[0]):
            first = out // per_group * keep.shape[1]
            for i in range(0, example.shape[1] - size + 1, step):
                for j in range(0, example.shape[2] - size + 1, step):
                    patch = example[first : first + keep.shape[1], i : i + size, j : j + size]
                    count += int(((patch != 0) & keep[out]).sum())
    return 2 * count / len(x)


@pytest.mark.parametrize(
    "module",
    [
        nn.Linear(6, 4),
        nn.Conv2d(2, 3, 3),
        nn.Conv2d(2, 3, 3, padding=1),
        nn.Conv2d(4, 6, 3, stride=2, padding=1, groups=2),
    ],
    ids=str,
)
def test_zero_activations_are_counted_exactly(module):
    network = nn.Sequential(module)
    x = drawn(3, 6) if isinstance(module, nn.Linear) else drawn(2, module.in_channels, 5, 5)
    x = x.relu()
    mask = criteria.at_random(1)(dict(network.named_parameters()), masks.dense(network), 0.6, "layer")
    (row,) = sparsity.layers(network, mask, x)
    assert row.nonzero == pytest.approx(by_hand(module, mask["0.weight"], x))
    positions = network(x)[0].numel() // network(x).shape[1]
    assert (row.weights, row.kept) == (module.weight.numel(), int(mask["0.weight"].sum()))
    assert (row.flop, row.needed) == (2 * row.weights * positions, 2 * row.kept * positions)
    assert row.nonzero < row.needed < row.flop


def test_layers_come_in_order_and_the_network_is_left_alone():
    network = models.create("lenet-5").train()
    before = models.snapshot(network)
    rows = sparsity.layers(network, None, drawn(2, 1, 28, 28))
    assert [r.name for r in rows] == ["conv1.weight", "conv2.weight", "fc1.weight", "fc2.weight"]
    assert network.training and not any(m._forward_hooks for m in network.modules())
    assert all(torch.equal(t, before[name]) for name, t in network.state_dict().items())
    assert sparsity.compression(rows) == sparsity.speed_up(rows) == 1


def test_a_mask_of_another_network_is_refused():
    with pytest.raises(ValueError, match="mask is of another network"):
        sparsity.layers(models.create("lenet-5"), masks.dense(models.create("conv-2")), drawn(1, 1, 28, 28))


def test_compression_and_speed_up_are_ratios_of_sums():
    rows = [Layer("a", (2, 5), 10, 1, 1000, 100, None), Layer("b", (1, 90), 90, 9, 180, 18, None)]
    assert sparsity.compression(rows) == 10 and sparsity.speed_up(rows) == 10
    rows[0] = Layer("a", (2, 5), 10, 10, 1000, 1000, None)
    assert sparsity.compression(rows) == pytest.approx(100 / 19)
    assert sparsity.speed_up(rows) == pytest.approx(1180 / 1018)
    with pytest.raises(ValueError, match="give `layers` examples"):
        sparsity.speed_up(rows, skip_zeros=True)
    assert sparsity.compression([Layer("a", (1, 1), 1, 0, 2, 0, None)]) == float("inf")
