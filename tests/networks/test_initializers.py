"""The initial weights: their scale, their seeds, and what else `initialize` sets."""

import copy
import math

import pytest
import torch
from torch import nn

from ltcourse.networks import models
from ltcourse.networks.initializers import (
    INITIALIZERS,
    fans,
    initialize,
    kaiming_normal,
    named,
    ordinary_shape,
    signed_constant,
    with_gain,
    xavier_normal,
)
from ltcourse.networks.models import snapshot

DENSE, CONV = (300, 784), (50, 20, 5, 5)
ALL = (xavier_normal, kaiming_normal, signed_constant)


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [
        ((300, 784), (784, 300)),
        ((50, 20, 5, 5), (20 * 25, 50 * 25)),
        ((64, 3, 3, 2), (18, 384)),
        ((8, 4, 3), (12, 24)),
        ((1, 1), (1, 1)),
    ],
)
def test_fans_count_the_kernel_area(shape, expected):
    assert fans(shape) == expected


def test_fans_agree_with_pytorch_for_a_grouped_convolution():
    weight = nn.Conv2d(12, 18, (3, 5), groups=3).weight
    assert fans(tuple(weight.shape)) == nn.init._calculate_fan_in_and_fan_out(weight)


@pytest.mark.parametrize("shape", [(), (10,)])
def test_what_is_no_weight_has_no_fans(shape):
    with pytest.raises(ValueError, match="2 or more dimensions"):
        fans(shape)


@pytest.mark.parametrize("shape", [DENSE, CONV, (200, 64, 3, 3), (512, 37)])
@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (xavier_normal, nn.init.xavier_normal_),
        (kaiming_normal, lambda w, generator: nn.init.kaiming_normal_(w, nonlinearity="relu", generator=generator)),
    ],
    ids=["xavier", "kaiming"],
)
def test_normal_initializers_are_those_of_pytorch(ours, theirs, shape):
    drawn = ours(torch.empty(shape), generator(3))
    assert drawn.shape == shape
    other = theirs(torch.empty(shape), generator=generator(4))
    assert float(drawn.std()) == pytest.approx(float(other.std()), rel=0.03)
    assert abs(drawn.mean()) < 5 * drawn.std() / math.sqrt(drawn.numel())
    assert torch.allclose(drawn, theirs(torch.empty(shape), generator=generator(3)), rtol=1e-6, atol=0)
    beyond_two_sigma = (drawn.abs() > 2 * drawn.std()).float().mean()
    assert float(beyond_two_sigma) == pytest.approx(0.0455, abs=0.01)  # normal, not uniform


@pytest.mark.parametrize(
    ("initializer", "shape", "std"),
    [
        (xavier_normal, DENSE, math.sqrt(2 / 1084)),
        (xavier_normal, CONV, math.sqrt(2 / 1750)),
        (kaiming_normal, DENSE, math.sqrt(2 / 784)),
        (kaiming_normal, CONV, math.sqrt(2 / 500)),
        (signed_constant, DENSE, math.sqrt(2 / 784)),
        (signed_constant, CONV, math.sqrt(2 / 500)),
    ],
)
def test_scale_is_the_papers_formula(initializer, shape, std):
    assert float(initializer(torch.empty(shape), generator()).std()) == pytest.approx(std, rel=0.02)


@pytest.mark.parametrize("shape", [DENSE, CONV, (6, 4, 3, 3), (8, 4, 5)])
def test_the_formulas_are_exact(monkeypatch, shape):
    """Where every random number is 1, a weight is its std."""
    monkeypatch.setattr(torch, "randn", lambda *given, **named: torch.ones(shape))
    fan_in, fan_out = fans(shape)
    area = math.prod(shape[2:])
    assert (fan_in, fan_out) == (shape[1] * area, shape[0] * area)
    assert (fan_in, fan_out) == nn.init._calculate_fan_in_and_fan_out(torch.empty(shape))
    for draw, std in (
        (xavier_normal, math.sqrt(2 / (fan_in + fan_out))),
        (kaiming_normal, math.sqrt(2 / fan_in)),
        (with_gain(1.0), math.sqrt(1 / fan_in)),
        (with_gain(0.3), 0.3 * math.sqrt(1 / fan_in)),
    ):
        assert torch.allclose(draw(torch.empty(shape), generator()), torch.full(shape, std), rtol=1e-6, atol=0)


@pytest.mark.parametrize(
    ("nonlinearity", "param"), [("relu", None), ("tanh", None), ("linear", None), ("leaky_relu", 0.2), ("selu", None)]
)
@pytest.mark.parametrize("shape", [DENSE, CONV])
def test_gains_mean_what_they_mean_in_pytorch(nonlinearity, param, shape):
    gain = nn.init.calculate_gain(nonlinearity, param)
    theirs = nn.init.kaiming_normal_(
        torch.empty(shape), a=param or 0, nonlinearity=nonlinearity, generator=generator(3)
    )
    assert torch.allclose(with_gain(gain)(torch.empty(shape), generator(3)), theirs, rtol=1e-5, atol=0)


def test_relus_gain_is_kaimings():
    assert math.sqrt(2) == pytest.approx(nn.init.calculate_gain("relu"))
    ours = with_gain(math.sqrt(2))(torch.empty(DENSE), generator(5))
    assert torch.allclose(ours, kaiming_normal(torch.empty(DENSE), generator(5)), rtol=1e-6, atol=0)


def test_a_gain_of_zero_draws_zeros():
    assert not with_gain(0.0)(torch.empty(DENSE), generator()).any()


@pytest.mark.parametrize("shape", [DENSE, CONV])
def test_signed_constant_has_two_values_each_about_half_the_time(shape):
    drawn = signed_constant(torch.empty(shape), generator(1))
    value = math.sqrt(2 / fans(shape)[0])
    assert drawn.dtype == torch.float32
    assert drawn.unique().tolist() == pytest.approx([-value, value])
    assert drawn.unique().numel() == 2
    assert float((drawn > 0).float().mean()) == pytest.approx(0.5, abs=4 / 2 / math.sqrt(drawn.numel()))
    signs = drawn.flatten().sign()
    assert abs((signs[1:] * signs[:-1]).mean()) < 5 / math.sqrt(drawn.numel())  # by lot, not alternating


@pytest.mark.parametrize("initializer", ALL)
def test_dtype_is_that_of_the_weight(initializer):
    assert initializer(torch.empty(4, 4, dtype=torch.float64), generator()).dtype == torch.float64


@pytest.mark.parametrize("initializer", ALL)
def test_a_seed_fixes_every_bit_and_another_seed_changes_them(initializer):
    first, again, other = (models.create("lenet-5", initializer=initializer, seed=s) for s in (7, 7, 8))
    for (name, a), b, c in zip(first.named_parameters(), again.parameters(), other.parameters(), strict=True):
        assert torch.equal(a, b), name
        if a.dim() > 1:
            assert not torch.equal(a, c), name


def test_layers_of_equal_shape_are_drawn_apart():
    network = models.create("conv-2")
    assert network.conv2.weight.shape[0] == network.conv2.weight.shape[1]
    assert not torch.equal(network.conv1.weight[:, 0], network.conv2.weight[:, 0])
    twins = initialize(nn.Sequential(nn.Linear(20, 20), nn.Linear(20, 20)), xavier_normal, 0)
    assert not torch.equal(twins[0].weight, twins[1].weight)


@pytest.mark.parametrize("initializer", ALL)
def test_initializing_again_gives_the_fresh_network_whatever_was_there(initializer):
    fresh = models.create("lenet-5", initializer=initializer, seed=2)
    used = models.create("lenet-5", seed=9)
    with torch.no_grad():
        for p in used.parameters():
            p.fill_(3)
    used.to(memory_format=torch.channels_last)
    assert initialize(used, initializer, 2) is used
    for a, b in zip(fresh.parameters(), used.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("initializer", ALL)
def test_global_generator_is_left_alone_and_not_listened_to(initializer, global_randomness_untouched):
    network = models.create("lenet-5", initializer=initializer, seed=5)
    state = torch.get_rng_state()
    torch.manual_seed(1)
    again = models.create("lenet-5", initializer=initializer, seed=5)
    torch.set_rng_state(state)
    assert torch.equal(network.fc1.weight, again.fc1.weight)


def test_biases_are_zero():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten(), nn.Linear(16, 2))
    initialize(network, kaiming_normal, 0)
    assert not network[0].bias.any()
    assert not network[2].bias.any()


def test_layers_without_biases_are_taken():
    network = nn.Sequential(nn.Conv2d(3, 4, 3, bias=False), nn.Flatten(), nn.Linear(16, 2, bias=False))
    initialize(network, signed_constant, 0)
    assert network[2].weight.unique().numel() == 2


def test_batch_norm_is_reset():
    norm = nn.BatchNorm2d(4)
    with torch.no_grad():
        norm.weight.fill_(3)
        norm.bias.fill_(4)
    norm(torch.randn(8, 4, 2, 2, generator=generator()) * 5 + 1)
    assert norm.num_batches_tracked == 1
    initialize(nn.Sequential(nn.Conv2d(3, 4, 3), norm), xavier_normal, 0)
    new = nn.BatchNorm2d(4).state_dict()
    assert all(torch.equal(tensor, new[name]) for name, tensor in norm.state_dict().items())


@pytest.mark.parametrize("norm", [nn.LayerNorm(4), nn.GroupNorm(2, 4)], ids=["layer", "group"])
def test_other_norms_are_reset_too(norm):
    with torch.no_grad():
        norm.weight.fill_(3)
        norm.bias.fill_(4)
    initialize(nn.Sequential(nn.Linear(4, 4), norm), xavier_normal, 0)
    assert norm.weight.eq(1).all()
    assert norm.bias.eq(0).all()


# --- by name, and scaled to the share that is kept


@pytest.mark.parametrize("shape", [DENSE, CONV])
@pytest.mark.parametrize("k", [0.01, 0.3, 0.5, 0.9, 1])
@pytest.mark.parametrize("name", INITIALIZERS)
def test_the_scale_counts_only_the_inputs_that_are_kept(name, k, shape):
    """Ramanujan et al. 2020, Sec. 4: k · fan_in in place of fan_in."""
    fan_in, fan_out = fans(shape)
    variance = 2 / (k * fan_in + fan_out) if name == "xavier" else 2 / (k * fan_in)
    drawn = named(name, k)(torch.empty(shape), generator(2))
    assert float(drawn.double().square().mean().sqrt()) == pytest.approx(math.sqrt(variance), rel=0.02)
    whole = named(name)(torch.empty(shape), generator(2))
    ratio = math.sqrt(variance / (2 / (fan_in + fan_out) if name == "xavier" else 2 / fan_in))
    torch.testing.assert_close(drawn, whole * ratio)  # the same draws, scaled
    if name == "signed constant":
        assert drawn.abs().unique().tolist() == pytest.approx([math.sqrt(variance)])


@pytest.mark.parametrize("k", [0.2, 0.5])
@pytest.mark.parametrize("name", ["kaiming", "signed constant"])
def test_the_outputs_of_a_scaled_subnetwork_vary_as_those_of_the_whole_network(name, k):
    x = torch.randn(2_000, 400, generator=generator(5))
    keep = torch.rand((300, 400), generator=generator(6)) < k
    whole = x @ named(name)(torch.empty(300, 400), generator(7)).T
    part = x @ (named(name, k)(torch.empty(300, 400), generator(8)) * keep).T
    assert float(part.var()) == pytest.approx(float(whole.var()), rel=0.05)


@pytest.mark.parametrize(("name", "initializer"), [*zip(("xavier", "kaiming", "signed constant"), ALL, strict=True)])
def test_a_name_is_its_initializer_to_the_bit(name, initializer):
    first = models.create("lenet-5", initializer=named(name), seed=3)
    other = models.create("lenet-5", initializer=initializer, seed=3)
    assert all(torch.equal(a, b) for a, b in zip(first.parameters(), other.parameters(), strict=True))
    for kept in ({}, {"kept": 1.0}, {"kept": 1}):
        drawn = initializer(torch.empty(DENSE), generator(), **kept)
        assert torch.equal(drawn, named(name, 1)(torch.empty(DENSE), generator()))


@pytest.mark.parametrize("name", ["kaimin", "he", "Xavier", "signed", ""])
def test_an_unknown_initializer_is_refused_in_one_sentence(name):
    with pytest.raises(ValueError, match=r"unknown initializer .*choose one of xavier, kaiming, signed constant") as e:
        named(name)
    assert "\n" not in str(e.value)


@pytest.mark.parametrize("kept", [0, -0.1, 1.01, 30, math.nan, math.inf])
def test_a_share_that_cannot_be_kept_is_refused_in_one_sentence(kept):
    with pytest.raises(ValueError, match=r"cannot be kept: write 0\.3 for 30 %") as e:
        named("kaiming", kept)
    assert "\n" not in str(e.value)


# --- layers that are not the course's


TRANSPOSED = {
    "stride 1": nn.ConvTranspose2d(16, 24, 3),
    "stride 2, kernel 4": nn.ConvTranspose2d(16, 24, 4, stride=2),
    "stride 2, kernel 3": nn.ConvTranspose2d(16, 24, 3, stride=2),
    "stride 3, kernel 2": nn.ConvTranspose2d(16, 24, 2, stride=3),
    "in groups": nn.ConvTranspose2d(16, 24, 3, groups=4),
    "dilated": nn.ConvTranspose2d(16, 24, 3, stride=2, dilation=2),
    "in one dimension": nn.ConvTranspose1d(16, 24, 4, stride=2),
    "in three": nn.ConvTranspose3d(16, 8, 2, stride=(1, 2, 1)),
}


@pytest.mark.parametrize("kind", TRANSPOSED)
@pytest.mark.parametrize("initializer", [kaiming_normal, signed_constant])
def test_a_transposed_convolution_keeps_the_mean_square_behind_a_relu(kind, initializer):
    """Each output that a tap of the kernel reaches sums fan_in products, and 2 / fan_in makes up for ReLU's half."""
    layer = initialize(copy.deepcopy(TRANSPOSED[kind]), initializer, 0)
    size = {3: (200,), 4: (16, 16), 5: (9, 9, 9)}[layer.weight.dim()]
    y = layer(torch.randn(40, 16, *size, generator=generator(1)).relu())
    ends = [slice(k * d, -k * d) for k, d in zip(layer.kernel_size, layer.dilation, strict=True)]
    y = y[(slice(None), slice(None), *ends)].flatten(2)  # at the ends of an image less is summed
    reached = y[:, :, y.abs().amax((0, 1)) > 0]  # a stride above the kernel, or dilation, leaves holes
    assert float(reached.square().mean()) == pytest.approx(1.0, rel=0.12)


def test_a_transposed_convolution_of_stride_1_is_drawn_as_the_convolution_that_it_is():
    layer = nn.ConvTranspose2d(12, 18, (3, 5), groups=3)
    ordinary = nn.Conv2d(12, 18, (3, 5), groups=3)
    assert ordinary_shape(layer) == tuple(ordinary.weight.shape)
    with torch.no_grad():
        drawn = initialize(ordinary, xavier_normal, 4).weight.view(3, 6, 4, 3, 5)
        assert torch.equal(initialize(layer, xavier_normal, 4).weight.view(3, 4, 6, 3, 5), drawn.transpose(1, 2))


def test_padding_of_an_embedding_stays_0_and_its_scale_is_pytorchs():
    drawn = initialize(nn.Embedding(500, 20, padding_idx=3), kaiming_normal, 0).weight
    assert not drawn[3].any()
    assert float(drawn.std()) == pytest.approx(1, abs=0.05)


def test_other_modules_do_not_change_what_the_layers_are_drawn_from():
    alone = initialize(nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 4)), kaiming_normal, 3)
    beside = initialize(nn.Sequential(nn.Linear(8, 8), nn.GRU(4, 4), nn.Linear(8, 4)), kaiming_normal, 3)
    assert torch.equal(alone[0].weight, beside[0].weight) and torch.equal(alone[1].weight, beside[2].weight)


def test_a_module_that_forgets_one_of_its_parameters_is_refused_by_its_name():
    class Half(nn.Module):
        def __init__(self):
            super().__init__()
            self.drawn, self.forgotten = nn.Parameter(torch.ones(3, 3)), nn.Parameter(torch.ones(3, 3))

        def reset_parameters(self):
            nn.init.normal_(self.drawn)

    network = nn.Sequential(nn.Linear(3, 3), Half())
    before = snapshot(network)
    with pytest.raises(ValueError, match=r"'1\.forgotten' cannot be drawn anew.*Half.*reset_parameters"):
        initialize(network, kaiming_normal, 0)
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
