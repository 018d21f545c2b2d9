"""The checks of lesson 09 on scores and growth refuse planted wrong answers, and accept different right ones."""

import pytest
import torch
from torch.nn.functional import cross_entropy
from verdict_reports import accepted, refused

from ltcourse.classroom import checks
from ltcourse.networks import masks

# Lesson 09, exercise 1


def by_grad(network, x, y):
    weights = masks.prunable(network)
    gradients = torch.autograd.grad(cross_entropy(network(x), y), list(weights.values()))
    return {name: (w * g).abs() for (name, w), g in zip(weights.items(), gradients, strict=True)}


def by_backward(network, x, y):
    network.zero_grad()
    cross_entropy(network(x), y).backward()
    return {name: (p.detach() * p.grad).abs() for name, p in network.named_parameters() if p.dim() > 1}


def by_switches(network, x, y):
    """With a factor c = 1 at each weight, as the paper defines it."""
    weights = {name: p.detach() for name, p in network.named_parameters()}
    c = {name: torch.ones_like(w, requires_grad=True) for name, w in weights.items() if w.dim() > 1}
    state = weights | {name: weights[name] * factor for name, factor in c.items()}
    cross_entropy(torch.func.functional_call(network, state, (x,)), y).backward()
    return {name: factor.grad.abs() for name, factor in c.items()}


@pytest.mark.parametrize("answer", [by_grad, by_backward, by_switches])
def test_snip_scores_accepts(answer):
    accepted(checks.snip_scores(answer))


def adding_up(network, x, y):
    cross_entropy(network(x), y).backward()
    return {name: (p * p.grad).abs() for name, p in masks.prunable(network).items()}


def stepping(network, x, y):
    found = by_backward(network, x, y)
    torch.optim.SGD(network.parameters(), lr=0.1).step()
    return found


def stepping_first(network, x, y):
    stepping(network, x, y)
    return by_backward(network, x, y)


def of_the_sum(network, x, y):
    return {name: len(x) * s for name, s in by_grad(network, x, y).items()}


def of(change):
    def answer(network, x, y):
        network.zero_grad()
        cross_entropy(network(x), y).backward()
        return {name: change(p.detach(), p.grad) for name, p in masks.prunable(network).items()}

    return answer


@pytest.mark.parametrize(
    ("answer", "evidence"),
    [
        (of(lambda w, g: g.abs()), "these are the gradients alone"),
        (of(lambda w, g: g), "these are the gradients alone, with signs"),
        (of(lambda w, g: w * g), "these have a sign"),
        (of_the_sum, "of the sum of the losses: L is their mean"),
        (of(lambda w, g: w.abs()), "these are the magnitudes of the weights"),
        (of(lambda w, g: (w * g).abs() * 1.5), "largest difference"),
        (of(lambda w, g: (w * g).abs().sum()), "have shape ()"),
        (of(lambda w, g: "large"), "are a tensor, and this is str"),
        (adding_up, "these hold the gradients from before, too"),
        (stepping, "changed the network's weights"),
        (stepping_first, "changed the network's weights"),
        (lambda network, x, y: list(by_grad(network, x, y).values()), "a dict, name → tensor, and this is list"),
        (lambda network, x, y: {}, "is missing"),
        (
            lambda network, x, y: by_grad(network, x, y) | {"0.bias": torch.ones(1)},
            "0.bias is scored, and is no weight that is pruned",
        ),
    ],
)
def test_snip_scores_refuses(answer, evidence):
    refused(checks.snip_scores(answer), evidence)


# Lesson 09, exercise 2


def by_autograd(weights):
    sizes = [w.abs().requires_grad_() for w in weights]
    flow = torch.ones(sizes[0].shape[1])
    for w in sizes:
        flow = w @ flow
    flow.sum().backward()
    return [(w * w.grad).detach() for w in sizes]


def by_removal(weights):
    """R minus R without the weight, since R is linear in each."""

    def flow(sizes):
        now = torch.ones(sizes[0].shape[1])
        for w in sizes:
            now = w @ now
        return now.sum()

    sizes, scores = [w.abs() for w in weights], []
    for i, w in enumerate(sizes):
        score = torch.zeros_like(w)
        for place in torch.cartesian_prod(*map(torch.arange, w.shape)).tolist():
            less = w.clone()
            less[tuple(place)] = 0
            score[tuple(place)] = flow(sizes) - flow([*sizes[:i], less, *sizes[i + 1 :]])
        scores.append(score)
    return tuple(scores)


@pytest.mark.parametrize("answer", [by_autograd, by_removal])
def test_synflow_scores_accepts_and_shows_the_law(answer):
    verdict = checks.synflow_scores(answer)
    accepted(verdict)
    shown = [finding.yours for finding in verdict.findings]
    assert shown[1] == "the layers' sums are 4.500, 4.500: what flows in flows out"


def signed(weights):
    sizes = [w.clone().requires_grad_() for w in weights]
    flow = torch.ones(sizes[0].shape[1])
    for w in sizes:
        flow = w @ flow
    flow.sum().backward()
    return [(w * w.grad).detach() for w in sizes]


def in_place(weights):
    return by_autograd([w.abs_() for w in weights])


@pytest.mark.parametrize(
    ("answer", "evidence"),
    [
        (signed, "these are of weights with signs"),
        (lambda ws: [s.abs() for s in signed(ws)], "take the magnitudes before the flow, not after"),
        (lambda ws: [s / w.abs() for s, w in zip(by_autograd(ws), ws, strict=True)], "the gradients of R alone"),
        (lambda ws: [2 * s for s in by_autograd(ws)], "largest difference"),
        (lambda ws: by_autograd(ws)[:1], "layer 2 is missing"),
        (lambda ws: [s.T for s in by_autograd(ws)], "have shape (2, 1), and should have (1, 2)"),
        (lambda ws: 3.0, "a list, one tensor per layer"),
        (in_place, "which it was given"),
    ],
)
def test_synflow_scores_refuses(answer, evidence):
    refused(checks.synflow_scores(answer), evidence)


# Lesson 09, exercise 3


def by_ranking(mask, gradients, count):
    size = gradients.abs().masked_fill(mask, -1)
    grown = mask.flatten().clone()
    grown[size.flatten().argsort(descending=True)[:count]] = True
    return grown.view_as(mask)


def by_keep_largest(mask, gradients, count):
    new = mask.clone()
    new[~mask] = masks.keep_largest(gradients.abs()[~mask], count)
    return new


@pytest.mark.parametrize("answer", [by_ranking, by_keep_largest])
def test_grow_accepts(answer):
    accepted(checks.grow(answer))


def of_all(mask, gradients, count):
    return mask | masks.keep_largest(gradients.abs(), count)


def of_products(mask, gradients, count):
    """Kept weights and those without a gradient have the same score, 0."""
    return mask | masks.keep_largest(gradients.abs() * ~mask, count)


def grown_in_place(mask, gradients, count):
    new = by_keep_largest(mask, gradients, count)
    mask |= new
    return new


@pytest.mark.parametrize(
    ("answer", "evidence"),
    [
        (of_products, "it grows 1 weight, not 2: rank the weights that are not kept, and those alone"),
        (of_all, "it grows 0 weights, not 1: rank the weights that are not kept, and those alone"),
        (
            lambda m, g, n: by_keep_largest(m, g.clamp(min=0), n),
            "a weight of the gradient 3 is left out, and a smaller one grows: it goes by value",
        ),
        (lambda m, g, n: by_keep_largest(m, 1 / (g.abs() + 1e-9), n), "is left out, and a smaller one grows"),
        (lambda m, g, n: by_keep_largest(m, g, n) & ~m, "it loses 1 of the weights that were kept"),
        (lambda m, g, n: m | (g.abs() >= g.abs()[~m].sort(descending=True).values[max(n - 1, 0)]), "not 0"),
        (grown_in_place, "changed `mask`"),
        (lambda m, g, n: by_keep_largest(m, g.abs_(), n), "which it was given"),
        (lambda m, g, n: by_keep_largest(m, g, n).float(), "a mask is boolean, and this is torch.float32"),
        (lambda m, g, n: by_keep_largest(m, g, n).flatten()[:2], "the mask has shape (2,)"),
    ],
)
def test_grow_refuses(answer, evidence):
    refused(checks.grow(answer), evidence)
