"""What needs no record: algorithms and formulas of the slides, each put to the test in a run of a moment."""

from functools import cache
from itertools import pairwise
from math import prod, sqrt

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ltcourse import papers
from ltcourse.claims.verdicts import Case, Measure, Measurement
from ltcourse.data import Dataset, Split
from ltcourse.display.tables import percent
from ltcourse.instruments import neurons, signals, sparsity, subset_sum
from ltcourse.instruments.signals import rms
from ltcourse.networks import masks, models
from ltcourse.networks.initializers import Initializer, initialize, kaiming_normal, named
from ltcourse.networks.models import snapshot
from ltcourse.pruning import Round, criteria, prune_iteratively, supermasks
from ltcourse.pruning.restarts import Restart, keep, to_init
from ltcourse.training import Recipe, train


def _examples() -> Dataset:
    """Images of noise with labels by lot: enough to see what an algorithm does to weights."""
    generator = torch.Generator().manual_seed(0)
    x, y = torch.randn(64, 1, 6, 6, generator=generator), torch.randint(10, (64,), generator=generator)
    part = Split(x, y)
    return Dataset("noise", tuple("0123456789"), part, part, part, (0.0,), (1.0,), "")


def _small() -> nn.Sequential:
    return models.create("lenet-300-100", shape=(1, 6, 6), width=0.2, seed=0)


_FEW = Recipe(iterations=20, batch=32, optimizer="sgd", lr=0.05, evaluate_every=20)


def neurons_removed() -> Measurement:
    """Ask whether neurons lose all their synapses to pruning, and can be removed without changing the outputs.

    A LeNet-300-100 of random weights and biases, 1 % of which are kept.
    Lesson 02, "Neurons with nothing to do".
    """
    network = models.create("lenet-300-100", seed=0)
    generator = torch.Generator().manual_seed(0)
    for name, p in network.named_parameters():
        if name.endswith("bias"):
            p.data.copy_(torch.randn(p.shape, generator=generator))
    weights = {name: p.detach() for name, p in masks.prunable(network).items()}
    mask = criteria.magnitude(weights, masks.dense(network), 0.99)
    masks.apply(network, mask)
    smaller, _ = neurons.remove(network, mask)
    x = torch.rand(100, 1, 28, 28, generator=generator)
    with torch.no_grad():
        same = torch.allclose(network(x), smaller(x), rtol=1e-4, atol=1e-4)
    before, after = ([len(w) for w in masks.prunable(n).values()][:-1] for n in (network, smaller))
    outputs = "the same, but for rounding" if same else "others"
    cases = tuple(
        Case(f"neurons of layer {i} that go", f"{a - b} of {a}; outputs {outputs}", a > b and same)
        for i, (a, b) in enumerate(zip(before, after, strict=True), 1)
    )
    gone = " and ".join(f"{a - b} of {a}" for a, b in zip(before, after, strict=True))
    return Measurement(f"at 1 % of the weights {gone} neurons go; the outputs are {outputs}", cases)


def pruning_loop() -> Measurement:
    """Ask of a small run of the loop whether weights go for good, and the others go on from their trained values.

    Lesson 01, "Repeat".
    """
    rounds = _rounds(keep)
    return _kept_by_rounds(rounds, "the survivors go on from their trained values", rounds[0].state)


def ticket_loop() -> Measurement:
    """Ask of a small run of the loop whether weights go for good, and the others return to their first values.

    Lesson 03, "The algorithm by hand".
    """
    return _kept_by_rounds(_rounds(to_init), "the survivors return to their initial values", snapshot(_small()))


@cache
def _rounds(restart: Restart) -> list[Round]:
    """Three rounds; those after the first train at a rate of 0, so that their weights are those that they began with.

    The last trains again, to see whether what is removed stays 0.
    """
    network = _small()
    loop = prune_iteratively(network, _examples(), _FEW, rate=0.5, rounds=2, restart=restart, retrain=_FEW.but(lr=0.0))
    standing = list(loop)
    loop = prune_iteratively(
        network, _examples(), _FEW, rate=0.5, rounds=3, restart=restart, retrain=_FEW, after=standing[-1]
    )
    return [*standing, *loop]


def _kept_by_rounds(rounds: list[Round], what: str, start: dict[str, Tensor]) -> Measurement:
    """What the loop did to weights. start: what the survivors of rounds that train at a rate of 0 should have."""
    last = rounds[-1]
    nested = all(bool((b.mask[n] <= a.mask[n]).all()) for a, b in pairwise(rounds) for n in a.mask)
    zero = all(bool((last.state[n][~m] == 0).all()) for n, m in last.mask.items())
    here = all(torch.equal(r.state[n][m], start[n][m]) for r in rounds[1:3] for n, m in r.mask.items())
    density = " → ".join(percent(r.density) for r in rounds)
    cases = (
        Case("every round removes weights of those that are left", density, nested and last.density < 1),
        Case("after further training, what was removed is", "exactly 0" if zero else "not 0", zero),
        Case(what, "bit for bit" if here else "no", here),
    )
    return Measurement(f"a run of {len(rounds) - 1} rounds, {density}: {what} {cases[2].found}", cases)


def parameters_counted() -> Measurement:
    """Ask of each of the slides' networks whether its shapes give the printed number of parameters.

    Lesson 02, "The parameter columns".
    """
    cases = []
    for name, row in papers.HAN_TABLE_1.items():
        count = sum(p.numel() for p in models.create(name, device="meta").parameters())
        printed = row.parameters[0]
        unit = {"K": 1e3, "M": 1e6}[printed[-1]]
        cases.append(Case(row.network, f"{count:,} ({printed})", round(count / unit) == float(printed[:-1])))
    return Measurement("counted: " + ", ".join(case.found.split()[0] for case in cases), tuple(cases))


def compression_counted() -> Measurement:
    """Ask of each of the slides' networks whether the printed number of weights kept fits the paper's layer tables.

    The tables print whole percents; what they allow is a range.
    Lesson 02, "The parameter columns".
    """
    cases, told = [], []
    for name, row in papers.HAN_TABLE_1.items():
        network = models.create(name, device="meta")
        layers = sparsity.layers(network, None, torch.empty(1, *models.usual_shape(name), device="meta"))
        unit = {"K": 1e3, "M": 1e6}[row.parameters[1][-1]]
        low, exactly, high = (
            sum(r.weights * (papers.HAN_SHARES[name][r.name.removesuffix(".weight")] + play) for r in layers) / unit
            for play in (-0.005, 0, 0.005)
        )
        kept, total = float(row.parameters[1][:-1]), sum(r.weights for r in layers) / unit
        fits = low <= kept <= high and round(total / kept) == row.compression
        letter = row.parameters[1][-1]
        found = f"{low:.1f}{letter} to {high:.1f}{letter}, as printed {exactly:.1f}{letter}"
        cases.append(Case(f"{row.network}, {row.parameters[1]}, {row.compression}×", found, fits))
        told.append(f"{exactly:.1f}{letter} ({total / exactly:.1f}×)")
    return Measurement(f"from the layer tables: {', '.join(told)}", tuple(cases))


def contained() -> Measurement:
    """Ask whether a random network contains a given layer, the better the wider it is, with no weight trained.

    Of a layer of 10 inputs and 5 outputs; the distance of the outputs is a share of their own size.
    Lesson 07, "Why should there be one?".
    """
    generator = torch.Generator().manual_seed(0)
    weight, x = torch.randn(5, 10, generator=generator), torch.rand(200, 10, generator=generator)
    wanted, apart, untouched = x @ weight.T, {}, True
    for n in (4, 12, 24):
        network, mask = subset_sum.contain(weight, n)
        drawn = snapshot(network)
        masks.apply(network, mask)
        with torch.no_grad():
            apart[n] = rms(network(x) - wanted) / rms(wanted)
        state = network.state_dict()
        untouched &= all(torch.equal(state[name][m], drawn[name][m]) for name, m in mask.items())
    found = [f"{percent(a)} with {n} neurons an input" for n, a in apart.items()]
    distances = list(apart.values())
    falls = distances == sorted(distances, reverse=True)
    weights = f"weights {'as drawn' if untouched else 'changed'}"
    cases = (
        Case("the wider, the closer", f"{', '.join(found)}; {weights}", falls and untouched),
        Case("closer than 5 % in the widest", f"{found[-1]}; {weights}", distances[-1] < 0.05 and untouched),
    )
    return Measurement(f"distance of the outputs: {found[0]}, {found[-1]}; {weights}", cases)


def popup_scores() -> Measurement:
    """Ask layer by layer whether exactly the top k are in use forward, and whether every score learns backward.

    Lesson 07, "Edge-popup by hand".
    """
    k, noise = 0.3, _examples()
    network = supermasks.edge_popup(_small(), k)
    cross_entropy(network(noise.train.x), noise.train.y).backward()
    cases = []
    for name, layer in supermasks.scored(network).items():
        used: Tensor = network.get_submodule(name.removesuffix(".weight")).weight  # type: ignore[assignment]
        in_use, scores, gradient = used.detach() != 0, layer.scores.detach().abs(), layer.scores.grad
        count, wanted, n = int(in_use.sum()), round(k * scores.numel()), scores.numel()
        top = count == wanted and bool(scores[in_use].min() >= scores[~in_use].max())
        cases.append(Case(f"{name}, in use forward", f"{count} of {n}", top))
        learning = 0 if gradient is None else int((gradient != 0).sum())
        cases.append(Case(f"{name}, scores that learn", f"{learning} of {n}", learning == n))
    forward, backward = (", ".join(case.found for case in cases[i::2]) for i in (0, 1))
    return Measurement(
        f"k = {percent(k, 0)}, layer by layer: in use {forward}; scores that learn {backward}", tuple(cases)
    )


def popup_weights() -> Measurement:
    """Ask layer by layer whether training changes which edges are in use, and no bit of a weight.

    Lesson 07, "No weight has moved".
    """
    network = supermasks.edge_popup(_small(), 0.5)
    drawn, edges = supermasks.frozen(_small()), supermasks.supermask(network)
    train(network, _examples(), _FEW.but(lr=1.0))
    weights, later = supermasks.frozen(network), supermasks.supermask(network)
    cases = []
    for name, mask in edges.items():
        moved, same = not torch.equal(later[name], mask), torch.equal(weights[name], drawn[name])
        found = f"{'others' if moved else 'the same'} in use, weights {'the same' if same else 'changed'}"
        cases.append(Case(f"{name}, after training", found, moved and same))
    told = ", ".join(dict.fromkeys(case.found for case in cases))
    return Measurement(f"after training, edges: {told}, bit for bit", tuple(cases))


def drawn_as(formula: str) -> Measure:
    """Return the question, of each layer, whether its weights have the standard deviation of the slides' formula.

    formula: "xavier" or "kaiming". Of the layers of ten networks LeNet-300-100, within four standard errors.
    Lesson 06, "The way back".
    """

    def measure() -> Measurement:
        networks = [models.create("lenet-300-100", initializer=named(formula), seed=seed) for seed in range(10)]
        cases = []
        for name in masks.prunable(networks[0]):
            w = torch.stack([network.get_parameter(name).detach() for network in networks])
            after, before = w[0].shape
            wanted = sqrt(2 / (before + after if formula == "xavier" else before))
            std = float(w.std())
            found = f"drawn {std:.4f}, formula {wanted:.4f}"
            close = abs(std - wanted) <= 4 * wanted / sqrt(2 * w.numel())
            cases.append(Case(f"{name}, {before} → {after}", found, close))
        told = ", ".join(case.found.removeprefix("drawn ").replace(", formula ", " for ") for case in cases)
        return Measurement(f"std drawn for std wanted, by layer: {told}", tuple(cases))

    return measure


def neurons_counted() -> Measurement:
    """Ask of dense layers and of convolutions whether n, counted in neurons, keeps the size of what goes through.

    Kaiming's formula in eight layers with ReLU; of a convolution the neurons are read as its channels. What counts as
    kept is a factor of 0.8 to 1.25 a layer.
    Lesson 06, "Convolutions".
    """
    generator = torch.Generator().manual_seed(0)
    x, y = torch.rand(10, 1, 16, 16, generator=generator), torch.randint(10, (10,), generator=generator)
    dense = signals.plain(9, 100, inputs=256, seed=0)
    convolutions = nn.Sequential()
    for channels in [1] + [32] * 7:
        convolutions.extend([nn.Conv2d(channels, 32, 3, padding=1), nn.ReLU()])
    convolutions.extend([nn.Flatten(), nn.Linear(32 * 256, 10)])

    def by_channels(weight: Tensor, generator: torch.Generator) -> Tensor:
        return kaiming_normal(weight, generator) * sqrt(prod(weight.shape[2:]))

    def factor(network: nn.Sequential, initializer: Initializer) -> float:
        initialize(network, initializer, seed=0)
        return signals.factor(signals.measure(network, x, y).activations[1:-1])

    found = {
        "a dense layer": factor(dense, kaiming_normal),
        "a convolution": factor(convolutions, by_channels),
    }
    counted = factor(convolutions, kaiming_normal)
    cases = tuple(Case(f"n counts neurons: {what}", f"× {f:.1f}", 0.8 <= f <= 1.25) for what, f in found.items())
    told = ", ".join(f"× {f:.1f} {what}" for what, f in found.items())
    return Measurement(f"what goes through: {told} (× {counted:.1f} if n counts its window, too)", cases)
