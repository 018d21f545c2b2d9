"""How a mask is chosen: which of the weights that are still kept go next.

A criterion is a function of the weights, the mask so far, the rate and the scope; it returns a smaller mask.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor

from ltcourse.names import choose
from ltcourse.networks.masks import (
    Mask,
    Weights,
    check_share,
    keep_largest,
    lot,
    refuse_misfit,
    refuse_nan,
    refuse_no_mask,
)
from ltcourse.quantities import real, whole

Rate = float | Mapping[str, float]
Criterion = Callable[[Weights, Mask, Rate, str], Mask]


def select(scores: Weights, mask: Mask, rate: Rate, scope: str = "layer") -> Mask:
    """Prune the share `rate` of the weights that `mask` still keeps: those of the smallest scores.

    rate: share to prune, 0 to 1, one for all layers or one per layer; the count is rounded to the nearest weight.
    scope: "layer" takes the share from each layer, "global" from all layers together. The result is a subset of `mask`.
    Raises ValueError for a rate outside 0 to 1, an unknown scope, a rate per layer with global scope, no mask, or one
    that is not of these scores.
    Source: Frankle & Carbin 2019, Sec. 2 (layer) and Sec. 4 (global).
    Lesson 01, "Remove".
    """
    choose("scope", scope, ("layer", "global"))
    _refuse_misfit(mask, scores)
    if scope == "layer":
        return {name: _prune(scores[name], m, rate_of(name, rate)) for name, m in mask.items()}
    if isinstance(rate, Mapping):
        raise ValueError("global pruning takes one rate: give a number, or use scope='layer' for a rate per layer")
    pooled = _prune(
        torch.cat([scores[name].flatten() for name in mask]),
        torch.cat([m.flatten() for m in mask.values()]),
        rate_of("all layers", rate),
    )
    parts = pooled.split([m.numel() for m in mask.values()])
    return {name: part.view_as(m) for (name, m), part in zip(mask.items(), parts, strict=True)}


def layer_rates(
    mask: Mask, rate: float, *, conv: float | None = None, output: float | None = None, last: str | None = None
) -> dict[str, float]:
    """Return a rate per layer: `rate` for dense layers, `conv` for convolutions, `output` for the output layer.

    Defaults: `conv` is `rate`, `output` is half of `rate`, as in the paper. last: the name of the output layer's
    weight; by default the last one, where the shapes show that each layer's inputs are the outputs of one before it.
    Raises ValueError for an unknown name, a rate outside 0 to 1, and where the shapes do not show which layer is the
    output layer, as in a network with several ends.
    Source: Frankle & Carbin 2019, Fig. 2 and Sec. 2.
    Lesson 01, "Repeat".
    """
    rate = check_share(rate)
    conv = None if conv is None else check_share(conv, "conv")
    output = None if output is None else check_share(output, "output")
    refuse_no_mask(mask)
    last = _output_of(mask) if last is None else choose("layer", last, mask)
    rates = {name: rate if m.dim() == 2 or conv is None else conv for name, m in mask.items()}
    rates[last] = rate / 2 if output is None else output
    return rates


def _output_of(mask: Mask) -> str:
    """Return the name of the output layer, which is defined last in a network that is defined in its order."""
    *_, last = mask
    ordered = all(
        any(_feeds(mask[earlier], mask[name]) for earlier in list(mask)[:i]) for i, name in enumerate(mask) if i
    )
    found = ends(mask)
    if ordered and found == [last]:
        return last
    likely = min(reversed(found or [last]), key=lambda name: (mask[name].dim(), len(mask[name])))
    raise ValueError(
        "the shapes do not show which layer is the output layer: "
        f"name its weight, as in layer_rates(mask, rate, last={likely!r})"
    )


def ends(weights: Weights) -> list[str]:
    """Return the names of the layers whose outputs are the inputs of no other, as far as shapes (out, in, …) tell."""
    return [
        name for name, w in weights.items() if not any(_feeds(w, into) for at, into in weights.items() if at != name)
    ]


def _feeds(first: Tensor, second: Tensor) -> bool:
    """Whether the outputs of one layer can be the inputs of another, by the shapes (out, in, …) of their weights."""
    out, into = first.shape[0], second.shape[1]
    if second.dim() == 2:
        return out == into if first.dim() == 2 else into % out == 0  # each channel's pixels, flattened
    groups = out // into  # a grouped convolution has the inputs of one group
    return first.dim() > 2 and out % into == 0 and second.shape[0] % groups == 0


def magnitude(weights: Weights, mask: Mask, rate: Rate, scope: str = "layer") -> Mask:
    """Prune the weights of the smallest absolute value.

    Source: Han et al. 2015, Sec. 3; Frankle & Carbin 2019, Sec. 1.
    Lesson 01, "Remove".
    """
    _refuse_misfit(mask, weights)
    return select({name: weights[name].abs() for name in mask}, mask, rate, scope)


def small_final(weights: Weights, mask: Mask, rate: Rate, scope: str = "layer") -> Mask:
    """Prune the weights of the largest absolute value: `magnitude` upside down, its control.

    Source: Zhou et al. 2019, Sec. 2 (small final).
    Lesson 07, "What makes a ticket win?".
    """
    _refuse_misfit(mask, weights)
    return select({name: -weights[name].abs() for name in mask}, mask, rate, scope)


def magnitude_increase(initial: Weights) -> Criterion:
    """Return the criterion that keeps the weights whose magnitude has grown most: |w| − |w₀|.

    initial: the weights before training, w₀.
    Source: Zhou et al. 2019, Sec. 2.
    Lesson 07, "What makes a ticket win?".
    """
    return _of_both(lambda first, last: last.abs() - first.abs(), initial)


def movement(initial: Weights) -> Criterion:
    """Return the criterion that keeps the weights that have moved farthest: |w − w₀|.

    initial: the weights before training, w₀.
    Source: Zhou et al. 2019, Sec. 2.
    Lesson 07, "What makes a ticket win?".
    """
    return _of_both(lambda first, last: (last - first).abs(), initial)


def same_sign(initial: Weights) -> Criterion:
    """Return the criterion that keeps the largest weights among those that have their initial sign: w · sign(w₀).

    initial: the weights before training, w₀. The paper's score is 0 for all weights that changed sign; here these are
    negative, so that there are no ties among them.
    Source: Zhou et al. 2019, Sec. 5 (large final, same sign).
    Lesson 07, "What makes a ticket win?".
    """
    return _of_both(lambda first, last: last * first.sign(), initial)


def at_random(seed: int) -> Criterion:
    """Return the criterion that prunes at random: the control for every other one.

    Lesson 01, "What breaks".
    """

    seed = whole("seed", seed)

    def by_chance(weights: Weights, mask: Mask, rate: Rate, scope: str = "layer") -> Mask:
        refuse_no_mask(mask)
        generator = lot(seed)
        scores = {name: torch.rand(m.shape, generator=generator).to(m.device) for name, m in mask.items()}
        return select(scores, mask, rate, scope)

    return by_chance


def threshold(quality: float | Mapping[str, float]) -> Criterion:
    """Return Han's criterion: prune what is smaller than quality × the standard deviation of the layer's weights.

    quality: 0 or more, one for all layers or one per layer. The deviation is that of the weights still kept. The
    criterion sets its own rate and ignores the one it is given; the scope is always the layer.
    Raises ValueError for a negative quality.
    Source: Han et al. 2015, Sec. 4.
    Lesson 01, "Remove".
    """
    if isinstance(quality, Mapping):
        quality = {name: real("quality", q) for name, q in quality.items()}
    else:
        quality = real("quality", quality)
    for q in quality.values() if isinstance(quality, Mapping) else (quality,):
        if not q >= 0:
            raise ValueError(f"quality {q} is negative: a threshold is quality × standard deviation, so 0 or more")

    def below(weights: Weights, mask: Mask, rate: Rate = 0.0, scope: str = "layer") -> Mask:
        _refuse_misfit(mask, weights)
        pruned = {}
        for name, m in mask.items():
            q = _of(name, quality, "qualities")
            refuse_nan(weights[name])
            magnitudes, survivors = weights[name].abs().double(), weights[name][m]
            cut = q * _std(survivors) if survivors.numel() > 1 else 0.0
            pruned[name] = m & (magnitudes >= cut)
        return pruned

    return below


def quality_for(weights: Tensor, share: float) -> float:
    """Return the quality at which Han's threshold keeps `share` of the weights: |w| at that quantile / std(w).

    weights: any shape. share: 0 to 1.
    The paper prints no quality parameters, so they are calibrated by the density that they reach.
    Source: Han et al. 2015, Sec. 4.
    Lesson 01, "Remove".
    """
    magnitudes = weights.abs().double().flatten()
    keep = keep_largest(magnitudes, round(check_share(share, "share") * weights.numel()))
    smallest_kept = magnitudes[keep].min() if keep.any() else 2 * magnitudes.max()
    largest_pruned = magnitudes[~keep].max() if not keep.all() else 0.0
    return float((smallest_kept + largest_pruned) / 2 / _std(weights))


def _of_both(score: Callable[[Tensor, Tensor], Tensor], initial: Weights) -> Criterion:
    """The criterion that ranks weights by a score of their initial and their trained values."""

    def by_both(weights: Weights, mask: Mask, rate: Rate, scope: str = "layer") -> Mask:
        _refuse_misfit(mask, weights)
        _refuse_misfit(mask, initial)
        scores = {name: score(initial[name].to(weights[name]), weights[name]) for name in mask}
        return select(scores, mask, rate, scope)

    return by_both


def _std(weights: Tensor) -> float:
    """The standard deviation in double precision, so that a threshold made from it cuts where it was meant to."""
    return float(weights.flatten().double().std())


def _refuse_misfit(mask: Mask, weights: Weights) -> None:
    """Raise ValueError for what is no mask of these weights, or of some of them."""
    refuse_no_mask(mask)
    odd = mask.keys() - weights.keys()
    some = {name: w for name, w in weights.items() if (w.dim() > 1 if odd else name in mask)}
    refuse_misfit(mask, some)


def rate_of(name: str, rate: Rate) -> float:
    """Return the rate of a layer; raises ValueError, one sentence, if there is none, or none from 0 to 1."""
    return check_share(_of(name, rate, "rates"))


def _of(name: str, given: Rate, what: str) -> float:
    """Return what is given for a layer, of one number for all or of one per layer."""
    if not isinstance(given, Mapping):
        return given
    if name not in given:
        there = ", ".join(given) or "none"
        raise ValueError(f"the {what} have none for {name!r}, only for {there}: add it, or give one number for all")
    return given[name]


def _prune(scores: Tensor, mask: Tensor, rate: float) -> Tensor:
    """Keep the largest of the scores that `mask` keeps, less the share `rate` of them."""
    survivors = scores[mask]
    keep = torch.zeros_like(mask)
    keep[mask] = keep_largest(survivors, survivors.numel() - round(rate * survivors.numel()))
    return keep
