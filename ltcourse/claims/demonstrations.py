"""What needs no record: the printed numbers of the slides, counted again, and a construction on one layer."""

from functools import cache

import torch
from torch.nn import functional
from torch.nn.functional import avg_pool2d

from ltcourse import papers
from ltcourse.claims.verdicts import Comparison, Count, Measurement
from ltcourse.data import Split, load
from ltcourse.display.tables import percent, spread
from ltcourse.instruments import sparsity, subset_sum
from ltcourse.networks import masks, models
from ltcourse.networks.models import snapshot


def parameters_counted() -> Measurement:
    """Ask of each of the slides' networks whether its shapes give the printed number of parameters.

    Lesson 02, "The parameter columns".
    """
    counts = []
    for name, row in papers.HAN_TABLE_1.items():
        count = sum(p.numel() for p in models.create(name, device="meta").parameters())
        printed = row.parameters[0]
        unit = {"K": 1e3, "M": 1e6}[printed[-1]]
        counts.append(Count(row.network, f"{count:,} ({printed})", round(count / unit) == float(printed[:-1])))
    return Measurement(tuple(counts))


def compression_counted() -> Measurement:
    """Ask of each of the slides' networks whether the printed number of weights kept fits the paper's layer tables.

    The tables print whole percents; what they allow is a range.
    Lesson 02, "The parameter columns".
    """
    counts = []
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
        found = f"{low:.1f}{letter} to {high:.1f}{letter}, as printed {exactly:.1f}{letter} ({total / exactly:.1f}×)"
        counts.append(Count(f"{row.network}, {row.parameters[1]}, {row.compression}×", found, fits))
    return Measurement(tuple(counts))


@cache
def contained() -> Measurement:
    """Ask whether a wide random network contains a trained layer: whether a mask alone is as accurate as the layer.

    One linear layer, fitted by least squares to digits averaged down to 7 × 7 pixels; five random networks.
    Lesson 07, "Why should there be one?".
    """
    digits = load("mnist").each(lambda part: Split(avg_pool2d(part.x, 4).flatten(1), part.y))
    classes = functional.one_hot(digits.train.y, 10).float()
    weight = torch.linalg.lstsq(digits.train.x, classes).solution.T
    accuracy = _accuracy(functional.linear(digits.test.x, weight), digits.test.y)
    seeds, n = tuple(range(5)), 24
    hidden = tuple(_accuracy(_masked(weight, n, seed, digits.test.x), digits.test.y) for seed in seeds)
    what = f"accuracy, masked minus trained layer, {n} neurons an input"
    number = Comparison(what, tuple(own - accuracy for own in hidden), seeds, "≥")
    return Measurement((number,), f"masked {spread(hidden)}, mean and range; trained {percent(accuracy)}")


def _accuracy(outputs: torch.Tensor, y: torch.Tensor) -> float:
    return float((outputs.argmax(1) == y).float().mean())


def _masked(weight: torch.Tensor, n: int, seed: int, x: torch.Tensor) -> torch.Tensor:
    """The outputs of a masked random network that contains a layer; raises RuntimeError for moved weights."""
    network, mask = subset_sum.contain(weight, n, seed)
    drawn = snapshot(network)
    masks.apply(network, mask)
    if not all(torch.equal(network.state_dict()[name][m], drawn[name][m]) for name, m in mask.items()):
        raise RuntimeError("a weight of the random network was changed: the subnetwork is not one of it")
    with torch.no_grad():
        return network(x)
