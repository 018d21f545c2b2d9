"""The check of lesson 09 on Wanda's mask refuses planted wrong answers, and accepts different right ones."""

import math

import pytest
import torch
from verdict_reports import accepted, refused

from ltcourse.classroom import checks
from ltcourse.pruning import layerwise


def by_sorting(weight, inputs, rate):
    scores = weight.abs() * inputs.norm(dim=0)
    mask = torch.ones_like(weight, dtype=torch.bool)
    gone = scores.sort(dim=1).indices[:, : round(rate * weight.shape[1])]
    return mask.scatter(1, gone, False)


def by_ranks(weight, inputs, rate):
    scores = weight.abs() * (inputs**2).sum(0).sqrt()
    return scores.argsort(1).argsort(1) >= round(rate * weight.shape[1])


def by_loops(weight, inputs, rate):
    rows = []
    for row in weight.tolist():
        scores = [abs(w) * float(inputs[:, j].norm()) for j, w in enumerate(row)]
        gone = sorted(range(len(row)), key=scores.__getitem__)[: round(rate * len(row))]
        rows.append([j not in gone for j in range(len(row))])
    return torch.tensor(rows)


def by_the_library(weight, inputs, rate):
    return layerwise.wanda(weight, inputs.T @ inputs, rate)[1]


@pytest.mark.parametrize("answer", [by_sorting, by_ranks, by_loops, by_the_library])
def test_wanda_mask_accepts(answer):
    accepted(checks.wanda_mask(answer))


def of(score):
    """The mask by another score, row by row."""

    def answer(weight, inputs, rate):
        return score(weight, inputs).argsort(1).argsort(1) >= round(rate * weight.shape[1])

    return answer


def rounded(how):
    """The right scores, with the number of weights to prune rounded in another way."""

    def answer(weight, inputs, rate):
        scores = weight.abs() * inputs.norm(dim=0)
        return scores.argsort(1).argsort(1) >= how(rate * weight.shape[1])

    return answer


def of_the_layer(weight, inputs, rate):
    scores = weight.abs() * inputs.norm(dim=0)
    return scores.flatten().argsort().argsort().view_as(scores) >= round(rate * scores.numel())


def upside_down(weight, inputs, rate):
    scores = weight.abs() * inputs.norm(dim=0)
    return scores.argsort(1).argsort(1) < weight.shape[1] - round(rate * weight.shape[1])


def at_work(weight, inputs, rate):
    mask = by_sorting(weight, inputs, rate)
    weight.mul_(mask)
    return mask


@pytest.mark.parametrize(
    ("answer", "evidence"),
    [
        (of(lambda w, x: w.abs() + 0 * x.norm(dim=0)), "by the magnitude of the weights alone"),
        (of(lambda w, x: w * x.norm(dim=0)), "by the products with their signs"),
        (of(lambda w, x: w.abs() * x.sum(0).abs()), "by the sums of the inputs, which cancel"),
        (of(lambda w, x: w.abs() * x.norm(dim=0) ** 2), "the norm is the root"),
        (of(lambda w, x: w.abs() * x.abs().amax(0)), "the largest of each input"),
        (of(lambda w, x: w.abs() * x.abs().sum(0)), "by the sums of the inputs' magnitudes"),
        (of(lambda w, x: w.abs() / w.norm(dim=0) * x.norm(dim=0)), "loses a score"),
        (rounded(int), "row 0 keeps 2 weights, and should keep 1"),
        (rounded(math.ceil), "row 0 keeps 2 weights, and should keep 3"),
        (of_the_layer, "the scores of the whole layer are compared"),
        (upside_down, "it keeps the smallest scores"),
        (lambda w, x, rate: by_sorting(w, x, 1 - rate), "keeps"),
        (lambda w, x, rate: by_sorting(w, x, rate).float(), "bool"),
        (lambda w, x, rate: by_sorting(w, x, rate)[0], "shape"),
        (at_work, "changed `weight`"),
    ],
)
def test_wanda_mask_refuses(answer, evidence):
    refused(checks.wanda_mask(answer), evidence)


def test_a_stub_is_not_done_yet():
    def wanda_mask(weight, inputs, rate):
        return None

    assert checks.wanda_mask(wanda_mask).passed is None
