"""The checks of lesson 06 name the classic mistakes with initialization, and accept different right answers."""

import math
import random
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn
from verdict_reports import accepted, refused_and_not_stopped

from ltcourse.classroom import checks
from ltcourse.instruments import signals
from ltcourse.networks import initializers

# Exercise 1


def by_the_library(shape):
    fan_in, fan_out = initializers.fans(shape)
    return math.sqrt(2 / (fan_in + fan_out)), math.sqrt(2 / fan_in)


def by_counting(shape):
    w = torch.empty(shape)
    n, m = w[0].numel(), w[:, 0].numel()
    return [(2 / (n + m)) ** 0.5, (2 / n) ** 0.5]


def by_numpy(shape):
    area = np.prod(shape[2:])
    fans = np.array([shape[1], shape[0]]) * area
    return np.sqrt(np.array([2 / fans.sum(), 2 / fans[0]], dtype=np.float32))


def by_pytorch(shape):
    fan_in, fan_out = nn.init._calculate_fan_in_and_fan_out(torch.empty(shape))
    return torch.tensor(2 / (fan_in + fan_out)).sqrt(), torch.tensor(2 / fan_in).sqrt()


@pytest.mark.parametrize("answer", [by_the_library, by_counting, by_numpy, by_pytorch])
def test_xavier_and_kaiming_accepts(answer):
    accepted(checks.xavier_and_kaiming(answer))


def formulas(xavier, kaiming):
    """Make an answer of two functions of (channels in, channels out, area)."""

    def function(shape):
        counts = shape[1], shape[0], math.prod(shape[2:])
        return xavier(*counts), kaiming(*counts)

    return function


def right_xavier(i, o, a):
    return math.sqrt(2 / ((i + o) * a))


def right_kaiming(i, o, a):
    return math.sqrt(2 / (i * a))


@pytest.mark.parametrize(
    ("answer", "wrong"),
    [
        (formulas(lambda i, o, a: math.sqrt(2 / (i + o)), lambda i, o, a: math.sqrt(2 / i)), "kernel area is left out"),
        (formulas(right_xavier, lambda i, o, a: math.sqrt(2 / i)), "Kaiming: the kernel area is left out"),
        (
            formulas(lambda i, o, a: math.sqrt(2 / (i * a + o)), right_kaiming),
            "belongs in both fans, and here it is in one",
        ),
        (formulas(lambda i, o, a: math.sqrt(2 / (i + o * a)), right_kaiming), "and here it is in the fan-out only"),
        (formulas(lambda i, o, a: 2 / ((i + o) * a), right_kaiming), "Xavier: this is the variance"),
        (formulas(right_xavier, lambda i, o, a: 2 / (i * a)), "Kaiming: this is the variance"),
        (formulas(right_xavier, lambda i, o, a: math.sqrt(2 / (o * a))), "2 / fan-out"),
        (formulas(right_xavier, lambda i, o, a: math.sqrt(1 / (i * a))), "1 / fan-in: ReLU halves"),
        (formulas(lambda i, o, a: math.sqrt(1 / ((i + o) * a)), right_kaiming), "divides 2 by the sum"),
        (formulas(lambda i, o, a: math.sqrt(2 / (i * o * a * a)), right_kaiming), "add them"),
        (formulas(right_kaiming, right_xavier), "the two are swapped"),
        (formulas(right_xavier, lambda i, o, a: math.sqrt(2 / (i * o * a))), "what one neuron sums"),
        (formulas(right_xavier, lambda i, o, a: 0.05), "off by a factor of"),
        (formulas(right_xavier, lambda i, o, a: -right_kaiming(i, o, a)), "off by a factor of -1"),
        (lambda shape: right_kaiming(shape[1], shape[0], 1), "a pair of numbers"),
        (lambda shape: "ab", "a pair of numbers"),
        (lambda shape: {1.0: 2, 2.0: 3}, "a pair of numbers"),
        (lambda shape: (math.nan, math.nan), "Xavier: off by"),
    ],
)
def test_xavier_and_kaiming_refuses(answer, wrong):
    refused_and_not_stopped(checks.xavier_and_kaiming(answer), wrong)


# Exercise 2


def by_drawing(activation):
    z = torch.randn(200_000, generator=torch.Generator().manual_seed(1))
    return 1 / activation(z).pow(2).mean().sqrt()


def by_numpy_draws(activation):
    z = np.random.default_rng(2).standard_normal(200_000)
    return float(np.mean(np.asarray(activation(z)) ** 2) ** -0.5)


def by_an_integral(activation):
    z = torch.linspace(-8, 8, 4001, dtype=torch.float64)
    density = torch.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    return (torch.trapezoid(activation(z) ** 2 * density, z) ** -0.5).item()


def one_by_one(activation):
    """Plain Python numbers, a thousand quantiles of the normal distribution."""
    normal = torch.distributions.Normal(0.0, 1.0)
    z = normal.icdf((torch.arange(4000) + 0.5) / 4000).tolist()
    return (sum(float(activation(v)) ** 2 for v in z) / len(z)) ** -0.5


@pytest.mark.parametrize("answer", [by_drawing, by_numpy_draws, by_an_integral, one_by_one])
def test_keeping_gain_accepts(answer):
    accepted(checks.keeping_gain(answer))


@pytest.mark.parametrize("seed", range(20))
def test_a_hundred_thousand_samples_are_enough(seed):
    def answer(activation):
        z = torch.randn(100_000, generator=torch.Generator().manual_seed(seed))
        return activation(z).square().mean() ** -0.5

    accepted(checks.keeping_gain(answer))


def evenly(count, generator):
    return 2 * torch.rand(count, generator=generator) - 1


def drawn(of, make=torch.randn, count=200_000):
    """Make an answer of a function of the activations of some samples."""
    return lambda activation: of(activation(make(count, generator=torch.Generator().manual_seed(3))))


def before_the_activation(activation):
    """The gain with which the mean square of act(g · z) is 1, by bisection, at most 100."""
    z = torch.randn(20_000, generator=torch.Generator().manual_seed(3))
    low, high = 0.0, 100.0
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if activation(middle * z).square().mean() < 1 else (low, middle)
    return high


@pytest.mark.parametrize("flat", [True, False])
def test_keeping_gain_says_which_gain_is_meant(flat):
    """Where the two readings differ, and also where no gain before the activation could do it."""

    def answer(activation):
        z = torch.tensor([2.0])
        skip = not flat and torch.equal(activation(z), z * z.abs())
        return by_an_integral(activation) if skip else before_the_activation(activation)

    evidence = ["z → z · |z|", "act(g · z)", "that of g · act(z)"] if flat else ["tanh", "no gain before tanh"]
    refused_and_not_stopped(checks.keeping_gain(answer), *evidence)


@pytest.mark.parametrize(
    ("answer", "wrong"),
    [
        (drawn(lambda a: a.square().mean().sqrt()), "the root mean square itself"),
        (drawn(lambda a: 1 / a.square().mean()), "take the root"),
        (drawn(lambda a: a.square().mean()), "this is the mean square"),
        (drawn(lambda a: 1 / a.std()), "divides by the std"),
        (drawn(lambda a: 1 / a.abs().mean()), "mean magnitude"),
        (drawn(lambda a: a.square().mean() ** -0.5, evenly), "uniform"),
        (drawn(lambda a: a.square().mean() ** -0.5, count=400), "draw a hundred thousand samples"),
        (lambda activation: math.sqrt(2), "the gain of ReLU"),
        (lambda activation: 1.0, "no activation at all"),
        (lambda activation: activation, "a gain is a number"),
        (lambda activation: torch.ones(3), "a gain is a number"),
        (lambda activation: 17.0, "off by a factor of"),
        (before_the_activation, "this makes the mean square of act(g · z) 1"),
    ],
)  # fmt: skip
def test_keeping_gain_refuses(answer, wrong):
    refused_and_not_stopped(checks.keeping_gain(answer), wrong)


def test_pytorchs_table_is_not_the_answer_for_tanh():
    def table(activation):
        z = torch.linspace(-3, 3, 101)
        is_tanh = torch.allclose(activation(z), torch.tanh(z))
        return nn.init.calculate_gain("tanh") if is_tanh else by_an_integral(activation)

    refused_and_not_stopped(checks.keeping_gain(table), "off by a factor of 1.047")


# Exercise 3


def name(layer):
    return "too small" if layer < 0.95 else "too large" if layer > 1.05 else "kept"


def by_the_root(spreads):
    layer = (spreads[-1] / spreads[0]) ** (1 / (len(spreads) - 1))
    return name(layer), layer


def by_logarithms(spreads):
    with np.errstate(divide="ignore"):
        layer = np.exp((np.log(spreads[-1]) - np.log(spreads[0])) / (len(spreads) - 1))
    return [name(layer), layer]


def by_tensors(spreads):
    s = torch.tensor(spreads, dtype=torch.float64)
    layer = (s[-1] / s[0]) ** (1 / (len(s) - 1))
    return name(layer), layer


@pytest.mark.parametrize("answer", [by_the_root, by_logarithms, by_tensors])
def test_diagnose_accepts(answer):
    accepted(checks.diagnose(answer))


def with_factor(of):
    def function(spreads):
        layer = of(spreads)
        return name(layer), layer

    return function


def ratios(spreads):
    return [b / a if a else 0.0 for a, b in pairwise(spreads)]


def emptying(spreads):
    answer = by_the_root(spreads)
    spreads.clear()
    return answer


@pytest.mark.parametrize(
    ("answer", "wrong"),
    [
        (with_factor(lambda s: s[-1] / s[0]), "all layers together"),
        (
            with_factor(lambda s: (s[0] / s[-1]) ** (1 / (len(s) - 1)) if s[-1] else math.inf),
            "the earlier by the later",
        ),
        (with_factor(lambda s: (s[-1] / s[0]) ** (1 / len(s))), "as many factors as there are spreads"),
        (with_factor(lambda s: s[-1] / s[0] / (len(s) - 1)), "take a root"),
        (with_factor(lambda s: sum(ratios(s)) / len(ratios(s))), "mean of the factors"),
        (with_factor(lambda s: s[1] / s[0]), "the first layer alone"),
        (with_factor(lambda s: (s[-1] - s[0]) / (len(s) - 1)), "the difference per layer"),
        (with_factor(lambda s: math.nan), "not the"),
        (lambda s: ("kept", by_the_root(s)[1]), "'too small'"),
        (lambda s: (name(1 / by_the_root(s)[1]) if s[-1] else "too large", by_the_root(s)[1]), "'too small' is below"),
        (lambda s: ("kept" if 0.9 < by_the_root(s)[1] < 1.1 else by_the_root(s)[0], by_the_root(s)[1]), "'too large'"),
        (lambda s: by_the_root(s)[::-1], "the diagnosis is"),
        (lambda s: by_the_root(s)[0], "a pair"),
        (lambda s: ("vanishing", 0.5), "the diagnosis is"),
        (lambda s: ("too small", "0.5"), "the factor is a number"),
        (emptying, "your function changed `spreads`, which it was given: work on a copy"),
    ],
)
def test_diagnose_refuses(answer, wrong):
    refused_and_not_stopped(checks.diagnose(answer), wrong)


def test_the_right_factors_are_the_librarys():
    spreads = [1.0, 3.0, 0.2, 0.7]
    assert by_the_root(spreads)[1] == pytest.approx(signals.factor(spreads))


# Exercise 4


def fill(std, *, of=torch.randn, bias=0.0, generator_of=lambda given: given):
    """Make an answer: std of a weight, the numbers that are drawn, the bias, and where they are drawn from."""

    def function(network, generator):
        for layer in network.modules():
            if isinstance(layer, (nn.Linear, nn.Conv2d)):
                w = layer.weight
                w.data = of(w.shape, generator=generator_of(generator)) * std(w)
                if layer.bias is not None:
                    layer.bias.data.fill_(bias)
        return network

    return function


def kaiming(p):
    return math.sqrt(2 / p[0].numel())


def fan_out(p):
    return math.sqrt(2 / p[:, 0].numel())


def by_initialize(network, generator):
    """A seed for the library's function, drawn from the generator."""
    return initializers.initialize(
        network, initializers.kaiming_normal, int(torch.randint(2**31, (), generator=generator))
    )


def by_module(network, generator):
    for module in network.modules():
        if isinstance(module, (nn.Linear, nn.Conv2d)):
            nn.init.kaiming_normal_(module.weight, nonlinearity="relu", generator=generator)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return network


def by_recursion(network, generator):
    with torch.no_grad():
        for layer in network.children():
            by_recursion(layer, generator)
        if hasattr(network, "weight") and network.weight.dim() > 1:
            network.weight.normal_(0, kaiming(network.weight), generator=generator)
            if network.bias is not None:
                network.bias.zero_()
    return network


def by_dimensions(network, generator):
    """Whatever has one dimension becomes 0, the scales of norm layers too."""
    with torch.no_grad():
        for p in network.parameters():
            p.normal_(0, kaiming(p), generator=generator) if p.dim() > 1 else p.zero_()
    return network


def outer_layers_only(network, generator):
    for layer in network:
        if isinstance(layer, (nn.Linear, nn.Conv2d)):
            fill(kaiming)(layer, generator)
    return network


def no_residual_blocks(network, generator):
    for layer in network:
        if isinstance(layer, nn.Sequential):
            no_residual_blocks(layer, generator)
    return outer_layers_only(network, generator)


@pytest.mark.parametrize("answer", [fill(kaiming), by_module, by_recursion])
def test_fill_kaiming_accepts(answer):
    accepted(checks.fill_kaiming(answer))


@pytest.mark.parametrize("seed", range(30))
def test_a_right_answer_is_not_refused_by_chance(seed):
    def function(network, generator):
        mixed = torch.Generator().manual_seed(1000 * seed + generator.initial_seed())
        return fill(kaiming)(network, mixed)

    accepted(checks.fill_kaiming(function))


def always_the_same(given):
    return torch.Generator().manual_seed(0)


def always_another(given):
    return torch.Generator().manual_seed(random.randrange(10**9))


def again(given):
    return given.manual_seed(given.initial_seed())


def uniform(shape, generator):
    return math.sqrt(3) * (2 * torch.rand(shape, generator=generator) - 1)


def signs(shape, generator):
    return torch.randint(0, 2, shape, generator=generator) * 2.0 - 1


def positive(shape, generator):
    return torch.randn(shape, generator=generator).abs()


def repeated(shape, generator):
    one = torch.randn(shape[1:], generator=generator)
    return one.expand(shape).clone()


def pytorchs_default(network, generator):
    seed = int(torch.randint(2**31, (), generator=generator))
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        for module in network:
            if hasattr(module, "reset_parameters"):
                module.reset_parameters()
    return network


def new_layers(network, generator):
    for i, module in enumerate(network):
        if isinstance(module, nn.Linear):
            network[i] = nn.Linear(module.in_features, module.out_features, bias=False)
    return fill(kaiming)(network, generator)


def another(network, generator):
    return fill(kaiming)(nn.Sequential(nn.Linear(2, 2)), generator)


def frozen(network, generator):
    return fill(kaiming)(network, generator).requires_grad_(False)


def first_layer_only(network, generator):
    fill(kaiming)(network[:1], generator)
    return network


@pytest.mark.parametrize(
    ("answer", "wrong"),
    [
        (fill(lambda p: math.sqrt(2 / p.shape[1])), "kernel area is left out"),
        (fill(fan_out), "this is fan-out"),
        (fill(lambda p: math.sqrt(2 / (p[0].numel() + p[:, 0].numel()))), "Xavier's formula"),
        (fill(lambda p: 2 / p[0].numel()), "the variance as the std"),
        (fill(lambda p: math.sqrt(1 / p[0].numel())), "1 / fan-in: ReLU halves"),
        (fill(lambda p: 1.0), "standard normal draw"),
        (fill(lambda p: 0.9 * kaiming(p)), "none of the usual mistakes explains it"),
        (fill(lambda p: 0.0), "none of the usual mistakes explains it"),
        (fill(lambda p: math.nan), "not numbers"),
        (pytorchs_default, "what PyTorch fills a new layer with"),
        (fill(kaiming, of=uniform), "uniform"),
        (fill(kaiming, of=signs), "two values"),
        (fill(kaiming, of=positive), "its mean is"),
        (fill(kaiming, of=repeated), "weights differ"),
        (fill(kaiming, bias=0.01), "biases begin at 0"),
        (fill(kaiming, generator_of=always_the_same), "another seed gives the same"),
        (fill(kaiming, generator_of=always_another), "the same seed gives other"),
        (fill(kaiming, generator_of=lambda given: given.manual_seed(5)), "another seed gives the same"),
        (fill(kaiming, generator_of=again), "do not seed the generator again"),
        (new_layers, "parameters are now ['0.weight'], and were ['0.bias', '0.weight']"),
        (another, "another one"),
        (frozen, "requires a gradient"),
        (first_layer_only, "was not filled"),
        (by_dimensions, "0.1.weight has changed: fill dense layers and convolutions"),
        (outer_layers_only, "0.0.weight was not filled"),
        (no_residual_blocks, "1.conv1.weight was not filled"),
        (lambda network, generator: network, "was not filled"),
        (lambda network, generator: network.state_dict(), "filled in place"),
    ],
)  # fmt: skip
def test_fill_kaiming_refuses(answer, wrong):
    refused_and_not_stopped(checks.fill_kaiming(answer), wrong)
