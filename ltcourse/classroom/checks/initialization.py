"""Checks of the exercises of lesson 06, on initialization; `checks` offers them beside its own.

Whether weights come from the right distribution is judged as a statistician does: by what so many of them can show.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any, cast

import torch
from torch import Tensor, nn

from ltcourse.classroom.checks import untouched, verdict
from ltcourse.classroom.checks.verdict import Finding, Verdict
from ltcourse.instruments.signals import factor
from ltcourse.networks import models
from ltcourse.networks.initializers import fans
from ltcourse.networks.masks import Weights
from ltcourse.networks.models import snapshot
from ltcourse.networks.weights import NORMS

Activation = Callable[[Tensor], Tensor]


def xavier_and_kaiming(function: Callable[[tuple[int, ...]], tuple[float, float]]) -> Verdict:
    """Check exercise 1 of lesson 06: (shape of a weight) → the stds of both formulas of slide S12."""
    cases = [
        (3, 2),
        (1, 8),
        (10, 100),
        (300, 784),
        (4, 2, 3, 3),
        (64, 3, 3, 3),
        (50, 20, 5, 5),
        (16, 8, 1, 7),
        (8, 16, 1, 1),
    ]

    def findings() -> Iterator[Finding]:
        for shape in cases:
            yours = verdict.ask(function, shape)
            inward, outward = fans(shape)
            expected = math.sqrt(2 / (inward + outward)), math.sqrt(2 / inward)
            kind = (
                f"{shape[1]} → {shape[0]} neurons"
                if len(shape) == 2
                else f"{shape[1]} → {shape[0]} channels, {shape[2]}×{shape[3]}"
            )
            wrong = _wrong_stds(yours, expected, shape)
            yield Finding(f"shape {shape}, {kind}", _show(yours), _show(expected), wrong)

    return verdict.judge("exercise 1, both formulas", findings())


def keeping_gain(function: Callable[[Activation], float]) -> Verdict:
    """Check exercise 2 of lesson 06: (activation) → the gain that keeps the mean square, within 2 %."""
    cases: dict[str, Activation] = {
        "none (z → z)": lambda z: z,
        "z → 3 z": lambda z: 3 * z,
        "z → z · |z|": lambda z: z * z.abs(),
        "ReLU": torch.relu,
        "tanh": torch.tanh,
        "leaky ReLU, slope 0.2": lambda z: nn.functional.leaky_relu(z, 0.2),
        "sigmoid": torch.sigmoid,
        "GELU": nn.functional.gelu,
        "sine": torch.sin,
    }

    def findings() -> Iterator[Finding]:
        for name, activation in cases.items():
            yours = verdict.ask(function, lambda z, f=activation: f(torch.as_tensor(z)))
            moments = _moments(activation)
            expected = 1 / math.sqrt(moments["square"])
            found = verdict.number(yours)
            shown = f"{yours!r}"[:60] if found is None else f"{found:.4f}"
            yield Finding(
                name, shown, f"{expected:.4f}, within 2 %", _wrong_gain(name, yours, expected, moments, activation)
            )

    return verdict.judge("exercise 2, the gain of an activation", findings())


def diagnose(function: Callable[[list[float]], tuple[str, float]]) -> Verdict:
    """Check exercise 3 of lesson 06: (spreads by layer) → ("too small", "too large" or "kept", factor per layer)."""
    wobble = torch.randn(31, generator=torch.Generator().manual_seed(3)).tolist()

    def along(layer: float, noise: float = 0.1) -> list[float]:
        return [1.07 * layer**i * math.exp(noise * z) for i, z in enumerate(wobble)]

    cases = {
        "halved once": [1.0, 0.5],
        "doubled once": [1.0, 2.0],
        "nothing happens": [0.8, 0.8, 0.8],
        "down and up again": [1.0, 0.25, 1.0],
        "up by 4, then down by 2": [1.0, 4.0, 2.0],
        "down by 3 %, twice": [1.0, 0.97, 0.9409],
        "up by 6 %, twice": [2.0, 2.12, 2.2472],
        "all is lost": [1.0, 0.0, 0.0],
        "so large that it is infinite": [1.0, 1e30, math.inf],
        "30 layers, ×0.71": along(0.71),
        "30 layers, ×1.00": along(1.0),
        "30 layers, ×1.4": along(1.4),
    }

    def findings() -> Iterator[Finding]:
        for name, spreads in cases.items():
            yours = verdict.ask(function, list(spreads))
            layer = factor(spreads)
            expected = _name(layer), layer
            wrong = _wrong_diagnosis(yours, expected, spreads)
            shown = f"{name}: {[round(s, 4) for s in spreads]}" if len(spreads) < 5 else name
            yield Finding(shown, _show(yours), _show(expected), wrong)

    return verdict.judge("exercise 3, a diagnosis", findings())


def fill_kaiming(function: Callable[[nn.Module, torch.Generator], nn.Module]) -> Verdict:
    """Check exercise 4 of lesson 06: (network, generator) → the network, filled in place by Kaiming's formula."""
    cases: dict[str, Callable[[], nn.Sequential]] = {
        "one dense layer, 200 → 100": lambda: nn.Sequential(nn.Linear(200, 100)),
        "two equal dense layers, 120 → 120": lambda: nn.Sequential(nn.Linear(120, 120), nn.ReLU(), nn.Linear(120, 120)),
        "convolutions and a dense layer without biases": lambda: nn.Sequential(
            nn.Conv2d(8, 64, 3),
            nn.ReLU(),
            nn.Conv2d(64, 32, 5),
            nn.Flatten(),
            nn.Linear(32, 100, bias=False),
        ),
        "layers inside others, with norm layers that have been trained": lambda: _lived_in(
            nn.Sequential(nn.Conv2d(3, 32, 3), nn.BatchNorm2d(32, eps=1e-3, momentum=0.3), nn.PReLU(32)),
            models.Residual(32, 48, stride=2),
            nn.Sequential(nn.Flatten(), nn.Sequential(nn.LayerNorm(48, eps=1e-4), nn.Linear(48, 100))),
        ),
        "two layers that share one weight, and a block in evaluation mode": lambda: _tied(
            nn.Sequential(nn.Linear(60, 120), nn.BatchNorm1d(120), nn.Dropout(0.3)).eval(),
            nn.Sequential(nn.Linear(120, 60), nn.Linear(60, 120), nn.GroupNorm(4, 120)),
        ),
    }

    def findings() -> Iterator[Finding]:
        for name, build in cases.items():
            drawn = []
            for seed in (11, 11, 12):
                network = build()
                with torch.no_grad():
                    for module in _layers(network):
                        for p in module.parameters():
                            p.fill_(7)
                stays, others = untouched.inventory(network, gradients=True), verdict.copied(_others(network))
                yours = verdict.ask(function, network, torch.Generator().manual_seed(seed))
                wrong = _wrong_filling(yours, network, stays, others)
                found = f"std ÷ sqrt(2 / fan-in): {_ratios(network)}" if yours is network else verdict.show(yours)
                yield Finding(
                    f"{name}, seed {seed}", found, "normal, each ratio near 1, biases 0, all else as before", wrong
                )
                drawn.append(snapshot(network))
            again, other = (verdict.same(drawn[0], d) for d in drawn[1:])
            wrong = ""
            if not again:
                wrong = "the same seed gives other weights: draw from the generator that is given, and from no other"
            elif other:
                wrong = "another seed gives the same weights: draw from the generator that is given"
            yield Finding(f"{name}, seeds 11, 11, 12", f"same: {again}, {other}", "same: True, False", wrong)

    return verdict.judge("exercise 4, fill a network", findings())


def _show(value: Any) -> str:
    if isinstance(value, (tuple, list)):
        return f"({', '.join(_show(v) for v in value)})"[:80]
    return (
        value if isinstance(value, str) else (f"{value!r}"[:60] if (n := verdict.number(value)) is None else f"{n:.4g}")
    )


def _near(found: float, expected: float, share: float = 1e-4) -> bool:
    return found == expected or abs(found - expected) <= share * abs(expected)


# Exercise 1


def _wrong_stds(yours: Any, expected: tuple[float, float], shape: Sequence[int]) -> str:
    parts = verdict.sequence(yours)
    found = None if parts is None or len(parts) != 2 else [verdict.number(p) for p in parts]
    if found is None or None in found:
        return f"the result is a pair of numbers, (Xavier, Kaiming), and this is {_show(yours)}"
    xavier, kaiming = (float(f) for f in found if f is not None)
    if _near(xavier, expected[0]) and _near(kaiming, expected[1]):
        return ""
    if _near(xavier, expected[1]) and _near(kaiming, expected[0]):
        return "the two are swapped: Xavier first, Kaiming second"
    inward, outward = fans(tuple(shape))
    area = math.prod(shape[2:])
    channels_in, channels_out = shape[1], shape[0]
    kaimings = {
        "the kernel area is left out: a neuron of a convolution sums channels × height × width": 2 / channels_in,
        "this is the variance: the std is its square root": (2 / inward) ** 2,
        "this is 2 / fan-out: Kaiming counts the neurons of the layer before, and a weight is (out, in, …)": 2
        / outward,
        "this is 2 / channels out: Kaiming counts what a neuron sums, channels in × kernel area": 2 / channels_out,
        "this is 1 / fan-in: ReLU halves the mean square, and the 2 makes up for it": 1 / inward,
        "this counts all weights: fan-in is what one neuron sums": 2 / (inward * channels_out),
    }
    xaviers = {
        "the kernel area is left out: it counts in both fans": 2 / (channels_in + channels_out),
        "the kernel area belongs in both fans, and here it is in one": 2 / (inward + channels_out),
        "the kernel area belongs in both fans, and here it is in the fan-out only": 2 / (channels_in + outward),
        "this is the variance: the std is its square root": (2 / (inward + outward)) ** 2,
        "this is 1 / (fan-in + fan-out): the formula divides 2 by the sum": 1 / (inward + outward),
        "this multiplies the fans: add them": 2 / (inward * outward),
        "the kernel area counts once in each fan: channels × area, added": 2
        / (area * area * (channels_in + channels_out)),
    }
    for name, value, right, mistakes in (
        ("Xavier", xavier, expected[0], xaviers),
        ("Kaiming", kaiming, expected[1], kaimings),
    ):
        if not _near(value, right):
            why = (w for w, variance in mistakes.items() if value > 0 and _near(value**2, variance))
            return f"{name}: {next(why, f'off by a factor of {value / right:.4g}')}"
    return ""


# Exercise 2


def _moments(activation: Activation) -> dict[str, float]:
    """Mean, mean magnitude and mean square of an activation of a standard normal number, by a fine sum."""
    z = torch.linspace(-10, 10, 20_001, dtype=torch.float64)
    density = torch.exp(-(z**2) / 2)
    density /= density.sum()
    value = activation(z).double()
    return {
        name: float((density * v).sum())
        for name, v in (("mean", value), ("magnitude", value.abs()), ("square", value**2))
    }


_INSIDE = (
    "this makes the mean square of act(g · z) 1, with the gain before the activation: it is the next layer's weights "
    "that are multiplied, so make that of g · act(z) 1"
)


def _mean_square(activation: Activation, gain: float) -> float:
    """The mean square of act(gain · z); NaN where it is no number."""
    if not math.isfinite(gain):
        return math.nan
    z = torch.linspace(-10, 10, 20_001, dtype=torch.float64)
    density = torch.exp(-(z**2) / 2)
    return float((density * activation(gain * z).double() ** 2).sum() / density.sum())


def _wrong_gain(name: str, yours: Any, expected: float, moments: Mapping[str, float], activation: Activation) -> str:
    found = verdict.number(yours)
    if found is None:
        return f"a gain is a number, and this is {type(yours).__name__}"
    if _near(found, expected, 0.02):
        return ""
    variance = moments["square"] - moments["mean"] ** 2
    evenly = {wide: torch.linspace(-wide, wide, 20_001, dtype=torch.float64) for wide in (1, 2, 3, 4, 5, 10)}
    z = torch.linspace(-10, 10, 20_001, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(activation(z).sum(), z)
    back = float((torch.exp(-(z**2) / 2) * slope**2).sum() / torch.exp(-(z**2) / 2).sum())
    mistakes = {
        "this is 1 / act(1): the mean is that of many normal numbers": 1 / float(activation(torch.tensor(1.0))),
        "this is the root mean square itself: the gain is 1 divided by it": 1 / expected,
        "this is 1 / mean square: the gain multiplies a std, so take the root": expected**2,
        "this is the mean square: the gain is 1 divided by its root": expected**-2,
        "this divides by the std: the next layer adds up squares, so the mean counts, too": variance**-0.5,
        "this divides by the mean magnitude: the mean square has to be kept": 1 / moments["magnitude"],
        "this keeps the derivative's mean square: keep that of the activation": back**-0.5,
        **{
            f"your samples are uniform, from −{wide} to {wide}: take standard normal ones": float(
                activation(even).square().mean()
            )
            ** -0.5
            for wide, even in evenly.items()
        },
        "this is the gain of ReLU: each activation has its own": math.sqrt(2),
        "this is the gain of no activation at all": 1.0,
    }
    if found > 5 * expected and _mean_square(activation, 1e6) <= 1.01:
        return f"{_INSIDE}; no gain before {name} can do that"
    if _near(_mean_square(activation, found), 1.0, 0.02):
        return _INSIDE
    why = (wrong for wrong, leads_to in mistakes.items() if _near(found, leads_to, 0.02))
    few = "; draw a hundred thousand samples" if _near(found, expected, 0.2) else ""
    return next(why, f"off by a factor of {found / expected:.3f}{few}")


# Exercise 3


def _name(layer: float) -> str:
    return "too small" if layer < 0.95 else "too large" if layer > 1.05 else "kept"


def _wrong_diagnosis(yours: Any, expected: tuple[str, float], spreads: Sequence[float]) -> str:
    parts = verdict.sequence(yours)
    if parts is None or len(parts) != 2:
        return f"the result is a pair, (diagnosis, factor), and this is {_show(yours)}"
    diagnosis, layer = parts[0], verdict.number(parts[1])
    if not isinstance(diagnosis, str) or diagnosis not in ("too small", "too large", "kept"):
        return f"the diagnosis is 'too small', 'too large' or 'kept', and this is {_show(diagnosis)!r}"
    if layer is None:
        return f"the factor is a number, and this is {type(parts[1]).__name__}"
    if not _near(layer, expected[1], 1e-3):
        return _wrong_factor(layer, expected[1], spreads)
    if diagnosis != expected[0]:
        limits = "'too small' is below 0.95, 'too large' above 1.05"
        return f"a factor of {expected[1]:.4g} per layer is {expected[0]!r}: {limits}"
    return ""


def _wrong_factor(layer: float, expected: float, spreads: Sequence[float]) -> str:
    steps = len(spreads) - 1
    first, last = spreads[0], spreads[-1]
    ratios = [b / a for a, b in pairwise(spreads) if a > 0]
    back = 1 / expected if expected else math.inf
    mistakes = {
        "this is the factor of all layers together: the factor of one layer is a root of it": last / first,
        "this divides the earlier by the later: the factor leads from the images to the logits": back,
        "this takes as many factors as there are spreads: there is one fewer": (last / first) ** (1 / len(spreads)),
        "this divides the change by the number of layers: factors multiply, so take a root": last / first / steps,
        "this is the mean of the factors: they multiply, so the mean is the geometric one": sum(ratios) / len(ratios),
        "this is the factor of the first layer alone": spreads[1] / first,
        "this is the difference per layer: return the factor by which the spread is multiplied": (last - first) / steps,
    }
    why = (wrong for wrong, leads_to in mistakes.items() if _near(layer, leads_to, 1e-3))
    return next(why, f"{layer:.4g} to the power of {steps} layers is not the {last / first:.4g} of the two ends")


# Exercise 4


def _lived_in(*modules: nn.Module) -> nn.Sequential:
    """Put modules together; all that is neither dense nor convolutional holds other values than new modules do."""
    network = nn.Sequential(*modules)
    generator = torch.Generator().manual_seed(10)
    for tensor in (*_others(network).values(), *network.buffers()):
        tensor.data = (1 + torch.rand(tensor.shape, generator=generator) * 9).to(tensor.dtype)
    frozen = next(m for m in network.modules() if isinstance(m, NORMS))
    frozen.bias.requires_grad_(False)
    return network


def _tied(first: nn.Sequential, second: nn.Sequential) -> nn.Sequential:
    """Put two blocks together of which the first layer of one is the second layer of the other."""
    cast(nn.Linear, second[1]).weight = cast(nn.Linear, first[0]).weight
    return _lived_in(first, second)


def _layers(network: nn.Module) -> list[nn.Module]:
    return [m for m in network.modules() if isinstance(m, (nn.Linear, nn.Conv2d))]


def _others(network: nn.Module) -> dict[str, nn.Parameter]:
    """The parameters that are not of a dense layer and not of a convolution."""
    filled = {id(p) for layer in _layers(network) for p in layer.parameters()}
    return {name: p for name, p in network.named_parameters() if id(p) not in filled}


def _weights(network: nn.Module) -> dict[str, Tensor]:
    return {name: p.detach() for name, p in network.named_parameters() if p.dim() >= 2}


def _ratios(network: nn.Module) -> str:
    return ", ".join(f"{_rms(w) / math.sqrt(2 / fans(tuple(w.shape))[0]):.3f}" for w in _weights(network).values())


def _rms(w: Tensor) -> float:
    return float(w.double().square().mean().sqrt())


def _wrong_filling(yours: Any, network: nn.Module, stays: untouched.Inventory, others: Weights) -> str:
    """What is wrong with a network that was filled, "" if nothing is. others: what was not to be filled, as it was."""
    if yours is not network:
        kind = "another one" if isinstance(yours, nn.Module) else type(yours).__name__
        return f"the result is the network that was given, filled in place, and this is {kind}"
    now = dict(network.named_parameters())
    for name, p in now.items():
        if not p.is_leaf:
            return f"{name} is now the result of a calculation: fill it in place, under torch.no_grad()"
    if wrong := untouched.difference(untouched.inventory(network, gradients=True), stays):
        return wrong
    for name, w in _weights(network).items():
        if wrong := _wrong_draw(name, w):
            return wrong
    for name, p in now.items():
        if name in others and not torch.equal(p, others[name]):
            return f"{name} has changed: fill dense layers and convolutions, and leave norm layers, and all else, as is"
        if name not in others and p.dim() < 2 and p.detach().abs().max() > 0:
            return f"{name} is not 0: biases begin at 0"
    return _copies(_weights(network))


def _wrong_draw(name: str, w: Tensor) -> str:
    """Why these weights cannot be a sample of N(0, 2 / fan-in)."""
    if not torch.isfinite(w).all():
        return f"{name} holds values that are not numbers"
    n, (inward, outward) = w.numel(), fans(tuple(w.shape))
    right, found = math.sqrt(2 / inward), _rms(w)
    if bool((w == 7).all()):
        return f"{name} was not filled"
    if 2 < (different := w.unique().numel()) < 0.9 * n:
        return f"{name}: only {different} of its {n} weights differ: draw each by itself"
    share = 5 / math.sqrt(2 * n)  # five standard errors of a std of n normal numbers
    if not _near(found, right, share):
        mistakes = {
            "the kernel area is left out": 2 / w.shape[1],
            "this is fan-out: count the inputs of a neuron": 2 / outward,
            "this is Xavier's formula": 2 / (inward + outward),
            "this uses the variance as the std": (2 / inward) ** 2,
            "this is 1 / fan-in: ReLU halves the mean square": 1 / inward,
            "this is what PyTorch fills a new layer with": 1 / (3 * inward),
            "this is a standard normal draw: multiply it by the std": 1.0,
        }
        why = (wrong for wrong, variance in mistakes.items() if _near(found, math.sqrt(variance), share))
        because = next(why, "none of the usual mistakes explains it")
        return f"{name}: its std is {found:.4g} and should be near {right:.4g}; {because}"
    if abs(float(w.mean())) > 5 * right / math.sqrt(n):
        return f"{name}: its mean is {float(w.mean()):.3g}, and should be near 0"
    kurtosis = float(w.double().pow(4).mean()) / found**4
    if abs(kurtosis - 3) > 5 * math.sqrt(24 / n):
        like = "two values" if kurtosis < 1.2 else "uniform" if abs(kurtosis - 1.8) < 0.1 else "of another distribution"
        return f"{name}: the std is right, but the weights are {like}: draw them from a normal distribution"
    return ""


def _copies(weights: Mapping[str, Tensor]) -> str:
    """Whether layers that should be drawn one after the other begin with the same numbers."""
    drawn = {name: w.flatten()[:50] / w.flatten()[0] for name, w in weights.items()}
    names = list(drawn)
    for i, name in enumerate(names):
        for other in names[:i]:
            if torch.allclose(drawn[name], drawn[other], rtol=1e-3):
                return f"{name} is drawn from the same random numbers as {other}: do not seed the generator again"
    return ""
