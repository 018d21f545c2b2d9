"""What needs no record: the printed numbers of the slides, counted again, and a construction on one layer."""

from functools import cache

import torch

from ltcourse import papers
from ltcourse.claims.verdicts import Comparison, Count, Measurement
from ltcourse.display.tables import percent
from ltcourse.instruments import sparsity, subset_sum
from ltcourse.instruments.signals import rms
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
    """Ask whether a wider random network contains a given layer more closely, with no weight trained.

    Five layers of 10 inputs and 5 outputs, each with random networks of its own; the distance of the outputs is a share
    of their own size.
    Lesson 07, "Why should there be one?".
    """
    seeds, widths, apart = tuple(range(5)), (4, 12, 24), []
    for seed in seeds:
        generator = torch.Generator().manual_seed(seed)
        weight, x = torch.randn(5, 10, generator=generator), torch.rand(200, 10, generator=generator)
        apart.append([_distance(weight, x, n, seed) for n in widths])
    ratios = tuple(own[-1] / own[0] for own in apart)
    what = f"distance of the outputs, {widths[-1]} neurons an input : {widths[0]}"
    means = (f"{percent(sum(own[i] for own in apart) / len(apart))} with {n}" for i, n in enumerate(widths))
    number = Comparison(what, ratios, seeds, "<", ratio=True)
    return Measurement((number,), f"mean distance: {', '.join(means)} neurons an input")


def _distance(weight: torch.Tensor, x: torch.Tensor, n: int, seed: int) -> float:
    """How far the outputs of a masked random network are from a layer's; raises RuntimeError for moved weights."""
    network, mask = subset_sum.contain(weight, n, seed)
    drawn = snapshot(network)
    masks.apply(network, mask)
    if not all(torch.equal(network.state_dict()[name][m], drawn[name][m]) for name, m in mask.items()):
        raise RuntimeError("a weight of the random network was changed: the subnetwork is not one of it")
    wanted = x @ weight.T
    with torch.no_grad():
        return rms(network(x) - wanted) / rms(wanted)
