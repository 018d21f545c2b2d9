"""The checks of lesson 05 name the classic mistakes with traveling tickets, and accept different right answers."""

from statistics import mean

import numpy as np
import pytest
import torch
from verdict_reports import accepted, refused, refused_and_not_stopped

from ltcourse.classroom import checks
from ltcourse.networks import masks, models
from ltcourse.networks.models import snapshot
from ltcourse.pruning import criteria, tickets
from ltcourse.pruning.tickets import Ticket

# Exercise 1


def by_the_library(network, weights, mask):
    return tickets.transplant(Ticket(mask, weights), network)


def by_hand(network, weights, mask):
    new = {}
    with torch.no_grad():
        for name, p in network.named_parameters():
            if p.shape != weights[name].shape:
                if name in mask:
                    new[name] = torch.full(p.shape, True)
                continue
            p.copy_(weights[name])
            if name in mask:
                p[~mask[name]] = 0
                new[name] = mask[name]
    return new


def by_a_state(network, weights, mask):
    state = network.state_dict()
    last = list(mask)[-1]
    stays = {last, last.replace("weight", "bias")} if state[last].shape != weights[last].shape else set()
    network.load_state_dict({n: state[n] if n in stays else weights[n] * mask.get(n, True) for n in weights})
    return {n: torch.ones_like(state[n]).bool() if n in stays else m.clone() for n, m in mask.items()}


def with_data(network, weights, mask):
    new = by_hand(network, weights, mask)
    for p in network.parameters():
        p.data = p.detach().clone()
    return new


@pytest.mark.parametrize("answer", [by_the_library, by_hand, by_a_state, with_data])
def test_transplant_accepts(answer):
    accepted(checks.transplant(answer))


def transplanting(*, masked=True, biases=True, share=False, keep=False, output="ticket", new="whole"):
    """A function that transplants, with mistakes on request."""

    def transplant(network, weights, mask):
        result = {}
        last = list(mask)[-1]
        layer = last.removesuffix("weight")
        for name, p in network.named_parameters():
            stays = name.startswith(layer) and (p.shape != weights[name].shape or output == "drawn")
            if stays:
                if name in mask:
                    lot = torch.rand(p.shape, generator=torch.Generator().manual_seed(0)) < 0.5
                    result[name] = torch.ones_like(p).bool() if new == "whole" else lot
                    if output == "masked":
                        p.data *= 0
                continue
            if name in mask:
                result[name] = mask[name]
            if share and not masked:
                p.data = weights[name]
            elif name in mask or biases:
                value = p.detach() if keep and name in mask else weights[name]
                p.data = value * mask[name] if masked and name in mask else value if share else value.clone()
        return result

    return transplant


def the_wrong_way_round(network, weights, mask):
    return {name: ~m if m.any() and not m.all() else m for name, m in by_hand(network, weights, mask).items()}


def nothing_but_the_mask(network, weights, mask):
    right = masks.prunable(network)
    return {n: torch.ones_like(p).bool() if p.shape != mask[n].shape else mask[n] for n, p in right.items()}


def eats_the_ticket(network, weights, mask):
    new = by_hand(network, weights, mask)
    for name, m in mask.items():
        weights[name] *= m
    return new


def old_mask(network, weights, mask):
    by_hand(network, weights, mask)
    return mask


@pytest.mark.parametrize(
    ("answer", "evidence"),
    [
        (transplanting(masked=False), "copied without the mask: pruned weights must be 0"),
        (transplanting(biases=False), "biases belong to a ticket, too"),
        (transplanting(share=True), "the network shares its tensors with `weights`"),
        (transplanting(keep=True), "has the ticket's mask on the network's own weights"),
        (transplanting(output="drawn"), "the mask of 2.weight is not the ticket's"),
        (transplanting(new="by lot"), "drawn anew and not pruned"),
        (transplanting(output="masked"), "is for other classes: leave it as it was drawn"),
        (nothing_but_the_mask, "0.weight is still the network's own"),
        (the_wrong_way_round, "the wrong way round: True keeps a weight"),
        (eats_the_ticket, "your function changed `weights`, which it was given: work on a copy"),
        (old_mask, "has shape"),
        (lambda network, weights, mask: 3, "the mask is a dict"),
        (lambda network, weights, mask: weights["none"], "stopped with this error"),
    ],
)
def test_transplant_refuses(answer, evidence):
    refused(checks.transplant(answer), evidence)


def test_the_check_of_transplanting_does_what_the_library_does():
    donor, network = (models.create("lenet-300-100", seed=s, classes=c) for s, c in ((1, 10), (2, 4)))
    mask = criteria.at_random(0)(snapshot(donor), masks.dense(donor), 0.5)
    other = models.create("lenet-300-100", seed=2, classes=4)
    ours = by_hand(network, snapshot(donor), mask)
    theirs = tickets.transplant(Ticket(mask, snapshot(donor)), other)
    assert all(torch.equal(ours[name], theirs[name]) for name in mask)
    assert all(torch.equal(p, q) for p, q in zip(network.parameters(), other.parameters(), strict=True))


# Exercise 2


@pytest.mark.parametrize(
    "answer",
    [
        lambda a, b, n: sum(x * y / z for x, y, z in zip(a, b, n, strict=True)),
        lambda a, b, n: (np.array(a) * np.array(b) / np.array(n)).sum(),
        lambda a, b, n: (torch.tensor(a) * torch.tensor(b) / torch.tensor(n).double()).sum(),
        lambda a, b, n: sum(n[i] * (a[i] / n[i]) * (b[i] / n[i]) for i in range(len(n))),
    ],
)
def test_expected_overlap_accepts(answer):
    accepted(checks.expected_overlap(answer))


def expected(a, b, n):
    return sum(x * y / z for x, y, z in zip(a, b, n, strict=True))


def spoils(a, b, n):
    result = expected(a, b, n)
    a.clear()
    return result


@pytest.mark.parametrize(
    ("answer", "evidence"),
    [
        (lambda a, b, n: sum(a) * sum(b) / sum(n), "takes all layers as one"),
        (lambda a, b, n: sum(map(min, a, b)), "the largest possible overlap"),
        (
            lambda a, b, n: sum(max(0, x + y - z) for x, y, z in zip(a, b, n, strict=True)),
            "the smallest possible overlap",
        ),
        (lambda a, b, n: sum(x * y / z**2 for x, y, z in zip(a, b, n, strict=True)), "adds up shares"),
        (lambda a, b, n: expected(a, b, n) / sum(a), "share of the first mask"),
        (lambda a, b, n: expected(a, b, n) / sum(n), "return how many"),
        (lambda a, b, n: sum(x * y for x, y in zip(a, b, strict=True)), "adds up the products"),
        (lambda a, b, n: a[0] * b[0] / n[0], "the first layer alone"),
        (lambda a, b, n: sum(a) + sum(b) - expected(a, b, n), "either mask"),
        (lambda a, b, n: round(expected(a, b, n)), "do not round"),
        (lambda a, b, n: int(expected(a, b, n)), "do not round down"),
        (lambda a, b, n: sum(x * y // z for x, y, z in zip(a, b, n, strict=True)), "do not round"),
        (lambda a, b, n: 1.5, "not yet"),
        (lambda a, b, n: float("nan"), "off by"),
        (lambda a, b, n: [expected(a, b, n)], "the overlap is a number"),
        (lambda a, b, n: "2", "the overlap is a number"),
        (spoils, "your function changed `a`, which it was given: work on a copy"),
    ],
)
def test_expected_overlap_refuses(answer, evidence):
    refused_and_not_stopped(checks.expected_overlap(answer), evidence)


# Exercise 3


def right(accuracies, random, source, target):
    low = mean(random[target])
    return (mean(accuracies[source, target]) - low) / (mean(accuracies[target, target]) - low)


def by_numpy(accuracies, random, source, target):
    here, own, low = (np.mean(v) for v in (accuracies[source, target], accuracies[target, target], random[target]))
    return np.float64(1 - (own - here) / (own - low))


def by_torch(accuracies, random, source, target):
    here, own, low = (
        torch.tensor(v, dtype=torch.float64).mean()
        for v in (accuracies[source, target], accuracies[target, target], random[target])
    )
    return (here - low) / (own - low)


@pytest.mark.parametrize("answer", [right, by_numpy, by_torch])
def test_transferred_share_accepts(answer):
    accepted(checks.transferred_share(answer))


def spoils_the_matrix(accuracies, random, source, target):
    result = right(accuracies, random, source, target)
    accuracies[source, target].append(1.0)
    return result


def swapped(*, lookup=False, own=False, lot=False, everything=False):
    """Read one of the three numbers, or all, with source and target the other way round, where there are such."""

    def function(m, r, s, t):
        if everything:
            return right(m, r, t, s) if (t, s) in m else 0.0
        low = mean(r[s if lot and s in r else t])
        here, there = m.get((t, s), m[s, t]) if lookup else m[s, t], m.get((s, s), m[t, t]) if own else m[t, t]
        return (mean(here) - low) / (mean(there) - low)

    return function


def leads(m, r, s, t):
    return mean(m[s, t]) - mean(r[t]), mean(m[t, t]) - mean(r[t])


@pytest.mark.parametrize(
    ("answer", "evidence"),
    [
        (lambda m, r, s, t: mean(m[s, t]) / mean(m[t, t]), "leaves the random ticket out"),
        (lambda m, r, s, t: leads(m, r, s, t)[0], "the gain over the random ticket"),
        (lambda m, r, s, t: leads(m, r, s, t)[0] / mean(r[t]), "divide by the own ticket's lead"),
        (lambda m, r, s, t: leads(m, r, s, t)[1] / leads(m, r, s, t)[0], "upside down"),
        (lambda m, r, s, t: 1 - right(m, r, s, t), "the share that is lost"),
        (lambda m, r, s, t: 100 * right(m, r, s, t), "in percent"),
        (lambda m, r, s, t: right(m, r, t, s) if (t, s) in m and s in r else right(m, r, s, t), "the other way"),
        (
            lambda m, r, s, t: (mean(m[s, t]) - mean(r[t])) / (mean(m.get((s, s), m[t, t])) - mean(r[t])),
            "the own ticket is that of the target",
        ),
        (
            lambda m, r, s, t: (mean(m[s, t]) - mean(r.get(s, r[t]))) / (mean(m[t, t]) - mean(r.get(s, r[t]))),
            "the random ticket is that of the target",
        ),
        (
            lambda m, r, s, t: mean((x - z) / (y - z) for x, y, z in zip(m[s, t], m[t, t], r[t], strict=True)),
            "the mean of the seeds' ratios",
        ),
        (lambda m, r, s, t: (m[s, t][0] - r[t][0]) / (m[t, t][0] - r[t][0]), "the first seed alone"),
        (lambda m, r, s, t: 0.77, "off by"),
        (lambda m, r, s, t: float("nan"), "off by"),
        (lambda m, r, s, t: (right(m, r, s, t),), "the share is a number"),
        (spoils_the_matrix, "your function changed `accuracies`, which it was given: work on a copy"),
        (swapped(lookup=True), "this takes accuracies[target, source], the other way: the first name is the source"),
        (swapped(everything=True), "this goes the other way, from the target to the source"),
        (swapped(own=True), "the own ticket is that of the target, not of the source"),
        (swapped(lot=True), "the random ticket is that of the target, not of the source"),
        (swapped(lookup=True, lot=True), "off by"),
    ],
)
def test_transferred_share_refuses(answer, evidence):
    refused_and_not_stopped(checks.transferred_share(answer), evidence)


@pytest.mark.parametrize("check", [checks.transplant, checks.expected_overlap, checks.transferred_share])
def test_a_stub_is_not_done_yet(check):
    verdict = check(lambda *given: None)
    assert verdict.passed is None and "not done yet" in str(verdict)
