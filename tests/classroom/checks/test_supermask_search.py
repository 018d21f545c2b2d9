"""The check of the third review question accepts different right searches and finds what is wrong in others."""

import math

import pytest
import torch
from torch.nn.functional import cross_entropy, relu
from verdict_reports import accepted, refused_and_not_stopped

from ltcourse.classroom import checks
from ltcourse.networks import masks
from ltcourse.pruning import supermasks

# Question 3: the algorithm that finds the supermask


def by_the_straight_through_trick(forward, weights, scores, k, lr, batches):
    scores = {name: s.clone().requires_grad_() for name, s in scores.items()}

    def choose():
        return {n: masks.keep_largest(s.detach().abs(), round(k * s.numel())) for n, s in scores.items()}

    for x, y in batches:
        mask = choose()
        used = {n: w * (mask[n] + scores[n].abs() - scores[n].abs().detach()) for n, w in weights.items()}
        gradients = torch.autograd.grad(cross_entropy(forward(used, x), y), list(scores.values()))
        with torch.no_grad():
            for s, g in zip(scores.values(), gradients, strict=True):
                s -= lr * g
    return choose(), scores


def by_the_library_function(forward, weights, scores, k, lr, batches):
    """With the course's function, and PyTorch's optimizer on the scores that are given."""
    for s in scores.values():
        s.requires_grad_()
    optimizer = torch.optim.SGD(scores.values(), lr=lr)
    for x, y in batches:
        optimizer.zero_grad()
        used = {n: supermasks.Subnetwork.apply(scores[n], w, round(k * w.numel())) for n, w in weights.items()}
        cross_entropy(forward(used, x), y).backward()
        optimizer.step()
    final = {n: s.detach() for n, s in scores.items()}
    return {n: masks.keep_largest(s.abs(), round(k * s.numel())) for n, s in final.items()}, final


def by_the_chain_rule(forward, weights, scores, k, lr, batches):
    """Every derivative by hand, in double precision, and `forward` is never called."""
    names = list(weights)
    w = [weights[n].double() for n in names]
    s = [scores[n].double() for n in names]

    def ranks(scores):
        order = scores.abs().flatten().argsort(descending=True)[: round(k * scores.numel())]
        return torch.zeros(scores.numel(), dtype=torch.bool).index_fill(0, order, True).view_as(scores)

    for x, y in batches:
        used = [a * ranks(b) for a, b in zip(w, s, strict=True)]
        inputs = [x.double()]
        for a in used[:-1]:
            inputs.append(relu(inputs[-1] @ a.T))
        grad = (torch.softmax(inputs[-1] @ used[-1].T, 1) - torch.eye(len(used[-1]), dtype=torch.float64)[y]) / len(y)
        steps = []
        for layer in reversed(range(len(w))):
            steps.insert(0, grad.T @ inputs[layer] * w[layer] * s[layer].sign())
            grad = grad @ used[layer] * (inputs[layer] > 0)
        s = [b - lr * g for b, g in zip(s, steps, strict=True)]
    return tuple({n: f(b) for n, b in zip(names, s, strict=True)} for f in (ranks, torch.Tensor.float))


@pytest.mark.parametrize("answer", [by_the_straight_through_trick, by_the_library_function, by_the_chain_rule])
def test_find_supermask_accepts(answer):
    verdict = checks.find_supermask(answer)
    accepted(verdict)
    assert "of unseen digits right with no weight changed" in str(verdict)


def popping(
    *,
    rank=torch.abs,
    count=lambda k, n: round(k * n),
    used=lambda w, mask: w * mask,
    gradient=lambda g, w, s, mask: g * w * s.sign(),
    train_weights=False,
    sign=-1,
    steps=None,
    end=None,
):
    """Edge-popup of other parts. end(weights, scores before the last step, scores, k) → the mask."""

    def choose(scores, k):
        return {n: masks.keep_largest(rank(s), count(k, s.numel())) for n, s in scores.items()}

    def function(forward, weights, scores, k, lr, batches):
        before, weights = scores, dict(weights)
        for x, y in batches[:steps]:
            mask, before = choose(scores, k), scores
            now = {n: used(w, mask[n]).requires_grad_() for n, w in weights.items()}
            grads = torch.autograd.grad(cross_entropy(forward(now, x), y), list(now.values()))
            g = dict(zip(now, grads, strict=True))
            scores = {n: s + sign * lr * gradient(g[n], weights[n], s, mask[n]) for n, s in scores.items()}
            if train_weights:
                weights = {n: w - lr * g[n] for n, w in weights.items()}
        return (end(weights, before, scores, k) if end else choose(scores, k)), scores

    return function


def with_steps(*, clear=True, order=list, reduction="mean", optimizer=torch.optim.SGD, **settings):
    """Edge-popup with PyTorch's own optimizer."""

    def function(forward, weights, scores, k, lr, batches):
        scores = {n: s.clone().requires_grad_() for n, s in scores.items()}
        steps = optimizer(list(scores.values()), lr=lr, **settings)
        for x, y in order(batches):
            if clear:
                steps.zero_grad()
            mask = of(scores, k)
            size = {n: s.abs() for n, s in scores.items()}
            used = {n: w * (mask[n] + size[n] - size[n].detach()) for n, w in weights.items()}
            cross_entropy(forward(used, x), y, reduction=reduction).backward()
            steps.step()
        return of(scores, k), {n: s.detach() for n, s in scores.items()}

    return function


def all_together(scores, k):
    pooled = torch.cat([s.abs().flatten() for s in scores.values()])
    parts = masks.keep_largest(pooled, round(k * len(pooled))).split([s.numel() for s in scores.values()])
    return {n: part.view_as(s) for (n, s), part in zip(scores.items(), parts, strict=True)}


def globally(forward, weights, scores, k, lr, batches):
    for x, y in batches:
        mask = all_together(scores, k)
        now = {n: (w * mask[n]).requires_grad_() for n, w in weights.items()}
        grads = torch.autograd.grad(cross_entropy(forward(now, x), y), list(now.values()))
        scores = {n: s - lr * g * weights[n] * s.sign() for (n, s), g in zip(scores.items(), grads, strict=True)}
    return all_together(scores, k), scores


def trains_in_place(forward, weights, scores, k, lr, batches):
    answer = by_the_straight_through_trick(forward, weights, scores, k, lr, batches)
    for w in weights.values():
        w -= lr * w
    return answer


def largest_weights(weights, before, scores, k):
    return {n: masks.keep_largest(w.abs(), round(k * w.numel())) for n, w in weights.items()}


def first_scores(forward, weights, scores, k, lr, batches):
    learned = by_the_straight_through_trick(forward, weights, scores, k, lr, batches)[1]
    return {n: masks.keep_largest(s.abs(), round(k * s.numel())) for n, s in scores.items()}, learned


def with_all_ties(forward, weights, scores, k, lr, batches):
    """A threshold, which keeps all of the scores that are equal to it."""

    def choose():
        cuts = {n: s.abs().flatten().sort(descending=True).values[round(k * s.numel()) - 1] for n, s in scores.items()}
        return {n: s.abs() >= cuts[n] for n, s in scores.items()}

    for x, y in batches:
        mask = choose()
        now = {n: (w * mask[n]).requires_grad_() for n, w in weights.items()}
        grads = torch.autograd.grad(cross_entropy(forward(now, x), y), list(now.values()))
        scores = {n: s - lr * g * weights[n] * s.sign() for (n, s), g in zip(scores.items(), grads, strict=True)}
    return choose(), scores


def ones(weights):
    return {n: torch.ones_like(w, dtype=torch.bool) for n, w in weights.items()}


def of(scores, k):
    return {n: masks.keep_largest(s.detach().abs(), round(k * s.numel())) for n, s in scores.items()}


@pytest.mark.parametrize(
    ("answer", "evidence"),
    [
        (popping(gradient=lambda g, w, s, m: g * w), ["lacks the factor sign(s)"]),
        (popping(gradient=lambda g, w, s, m: g * w * s.sign() * m), ["so none can come back"]),
        (popping(gradient=lambda g, w, s, m: g * s.sign()), ["the weight is missing in the gradient of its score"]),
        (popping(gradient=lambda g, w, s, m: g * w * m), ["lacks the factor sign(s)", "none can come back"]),
        (popping(count=lambda k, n: n - round(k * n)), ["k is the share kept, but this prunes the share k"]),
        (popping(rank=lambda s: s), ["step 1", "ranks the scores themselves: rank by |score|"]),
        (popping(rank=lambda s: -s.abs()), ["step 1", "keeps the smallest |scores|"]),
        (popping(count=lambda k, n: int(k * n)), ["3 → 2", "to the nearest, not down"]),
        (popping(count=lambda k, n: n), ["all weights are in use in the forward pass"]),
        (popping(used=lambda w, mask: w.clone()), ["all weights are in use in the forward pass"]),
        (popping(used=lambda w, mask: w * mask / 2), ["a weight is in use as it was drawn, or not at all"]),
        (popping(train_weights=True), ["4 → 6 → 3", "step 2", "away from the random one"]),
        (with_all_ties, ["equal scores", "some |scores| are equal, and a threshold keeps all of these or none"]),
        (trains_in_place, ["your function changed `weights`, which it was given: work on a copy"]),
        (popping(sign=1), ["the scores go up the gradient"]),
        (popping(steps=1), ["4 → 6 → 3", "it learns from the first batch only"]),
        (popping(steps=0), ["no score has moved"]),
        (popping(gradient=lambda g, w, s, m: g * 0), ["no score has moved"]),
        (globally, ["4 → 6 → 3", "the layers are ranked together"]),
        (popping(end=lambda w, before, s, k: all_together(s, k)), ["the layers are ranked together"]),
        (with_steps(momentum=0.9), ["4 → 6 → 3", "the steps have a momentum of 0.9: plain SGD has none"]),
        (with_steps(momentum=0.5), ["the steps have a momentum of 0.5"]),
        (with_steps(clear=False), ["4 → 6 → 3", "the gradients of the steps add up: clear the old ones"]),
        (with_steps(order=lambda batches: batches[::-1]), ["4 → 6 → 3", "the batches are taken in reverse"]),
        (with_steps(order=lambda batches: batches[-1:]), ["only the last batch is used"]),
        (
            with_steps(order=lambda batches: [*batches[1:], batches[0]]),
            ["the batches are taken in another order than the one that is given"],
        ),
        (with_steps(reduction="sum"), ["3 → 2", "the loss is summed over the batch"]),
        (with_steps(optimizer=torch.optim.Adam), ["3 → 2", "as with Adam or a sign: take a step of plain SGD"]),
        (popping(end=largest_weights), ["this is the mask of the largest weights"]),
        (
            popping(end=lambda w, before, s, k: of(before, k)),
            ["the mask was chosen from the scores before the last step"],
        ),
        (popping(end=lambda w, before, s, k: ones(w)), ["it keeps 6 of the 6 edges"]),
        (first_scores, ["this is the mask of the scores as they were drawn"]),
        (
            lambda f, weights, scores, k, lr, batches: (ones(weights), scores),
            ["no score has moved"],
        ),
        (lambda f, weights, scores, k, lr, batches: (of(scores, k), scores), ["no score has moved"]),
        (lambda f, weights, scores, k, lr, batches: (of(weights, k), weights), ["largest difference"]),
        (lambda f, weights, scores, k, lr, batches: of(scores, k), ["return two dicts"]),
        (lambda f, weights, scores, k, lr, batches: (scores, of(scores, k)), ["they are swapped"]),
        (
            lambda f, weights, scores, k, lr, batches: (of(scores, k), {n: s * math.nan for n, s in scores.items()}),
            ["largest difference nan"],
        ),
        (lambda f, weights, scores, k, lr, batches: (of(scores, k), dict.fromkeys(scores, 1)), ["a tensor of shape"]),
    ],
)
def test_find_supermask_refuses(answer, evidence):
    refused_and_not_stopped(checks.find_supermask(answer), *evidence)


def test_a_supermask_that_is_learned_on_the_small_cases_only_is_no_better_than_a_random_one():
    def gives_up(forward, weights, scores, k, lr, batches):
        if len(batches) > 10:
            return of(scores, k), scores
        return by_the_straight_through_trick(forward, weights, scores, k, lr, batches)

    refused_and_not_stopped(checks.find_supermask(gives_up), "handwritten digits", "hardly better than a random one")
