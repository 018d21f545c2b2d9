"""The checks of lesson 10 name what makes a reported number wrong, and accept different right answers."""

import math

import numpy as np
import pytest
import torch
from verdict_reports import accepted, refused_and_not_stopped

from ltcourse.classroom import checks

# Exercise 1


def by_pairs(validation, test):
    return max(zip(validation, test, strict=True), key=lambda pair: pair[0])[1]


def by_index(validation, test):
    return test[validation.index(max(validation))]


def by_argmax(validation, test):
    return torch.tensor(test)[torch.tensor(validation).argmax()]


def by_numpy(validation, test):
    return np.array(test)[np.argmax(validation)]


@pytest.mark.parametrize("answer", [by_pairs, by_index, by_argmax, by_numpy])
def test_honest_choice_accepts(answer):
    accepted(checks.honest_choice(answer))


def sorts(validation, test):
    found = by_index(validation, test)
    test.sort()
    return found


@pytest.mark.parametrize(
    ("answer", "evidence"),
    [
        (lambda v, t: max(t), "it chooses on the test set"),
        (lambda v, t: max(v), "report that on the test set"),
        (lambda v, t: sum(t) / len(t), "the mean over the tries"),
        (lambda v, t: t[-1], "this is the last try"),
        (lambda v, t: t[0], "this is the first try"),
        (lambda v, t: t[len(v) - 1 - v[::-1].index(max(v))], "this is the last: the first one counts"),
        (lambda v, t: t[v.index(min(v))], "the smallest validation accuracy"),
        (lambda v, t: v.index(max(v)), "off by"),
        (lambda v, t: math.nan, "off by"),
        (sorts, "your function changed `test`, which it was given: work on a copy"),
    ],
)
def test_honest_choice_refuses(answer, evidence):
    refused_and_not_stopped(checks.honest_choice(answer), evidence)


# Exercise 2


def by_layers(ticket, control, mask):
    return all(not torch.equal(ticket[n][m], control[n][m]) for n, m in mask.items() if m.any())


def by_differences(ticket, control, mask):
    moved = {name: ((ticket[name] - control[name]) * m).abs().max() > 0 or not m.any() for name, m in mask.items()}
    return min(map(bool, moved.values()))


def by_arrays(ticket, control, mask):
    return np.all([np.any(((ticket[n] != control[n]) & m).numpy()) or not m.any() for n, m in mask.items()])


@pytest.mark.parametrize("answer", [by_layers, by_differences, by_arrays])
def test_was_redrawn_accepts(answer):
    accepted(checks.was_redrawn(answer))


def masks_in_place(ticket, control, mask):
    for name, m in mask.items():
        ticket[name].mul_(m)
        control[name].mul_(m)
    return by_layers(ticket, control, mask)


@pytest.mark.parametrize(
    ("answer", "evidence"),
    [
        (lambda t, c, m: True, ["one layer, the same weights", "the kept weights of fc are the ticket's own"]),
        (lambda t, c, m: False, ["one layer, drawn anew", "the kept weights of every layer are new"]),
        (
            lambda t, c, m: any(not torch.equal(t[n], c[n]) for n in t),
            ["the pruned weight is new", "the ticket's own, whatever is new elsewhere (fc)"],
        ),
        (
            lambda t, c, m: any(not torch.equal(t[n][k], c[n][k]) for n, k in m.items()),
            ["only the first drawn anew", "the kept weights of fc2.weight are the ticket's own"],
        ),
        (
            lambda t, c, m: all(not torch.equal(t[n][k], c[n][k]) for n, k in m.items()),
            ["keeps nothing", "layers that keep nothing do not count"],
        ),
        (
            lambda t, c, m: all(not torch.equal(w, c[n]) for n, w in t.items()),
            ["the pruned weight is new", "this is no control"],
        ),
        (
            lambda t, c, m: not torch.equal(t[list(m)[-1]], c[list(m)[-1]]),
            ["the pruned weight is new", "this is no control"],
        ),
        (lambda t, c, m: c is not t, ["one layer, the same weights"]),
        (lambda t, c, m: 1, ["the result is True or False, and this is int"]),
        (masks_in_place, ["your function changed `ticket`, which it was given: work on a copy"]),
    ],
)
def test_was_redrawn_refuses(answer, evidence):
    refused_and_not_stopped(checks.was_redrawn(answer), *evidence)


# Exercise 3


def by_sums(accuracies, sizes):
    return sum(a * n for a, n in zip(accuracies, sizes, strict=True)) / sum(sizes)


def by_average(accuracies, sizes):
    return np.average(accuracies, weights=sizes)


def by_a_dot_product(accuracies, sizes):
    sizes = torch.tensor(sizes, dtype=torch.float64)
    return torch.tensor(accuracies, dtype=torch.float64) @ sizes / sizes.sum()


@pytest.mark.parametrize("answer", [by_sums, by_average, by_a_dot_product])
def test_accuracy_of_batches_accepts(answer):
    accepted(checks.accuracy_of_batches(answer))


@pytest.mark.parametrize(
    ("answer", "evidence"),
    [
        (lambda a, n: sum(a) / len(a), "the mean of the batches' means"),
        (lambda a, n: by_sums(a, n) * sum(n), "the number of right answers"),
        (lambda a, n: by_sums(a, n) * sum(n) / len(n) if len(n) > 1 else a[0], "divide by the number of examples"),
        (lambda a, n: by_sums(a[:-1], n[:-1]) if len(a) > 1 else a[0], "leaves the last batch out"),
        (lambda a, n: by_sums(a, n) * sum(n) / n[0] / len(n), "as large as the first"),
        (lambda a, n: 100 * by_sums(a, n), "in percent"),
        (lambda a, n: max(a), "the best batch alone"),
        (lambda a, n: a[-1], "the last batch alone"),
        (lambda a, n: round(by_sums(a, n), 2), "off by"),
        (lambda a, n: math.nan, "off by"),
    ],
)
def test_accuracy_of_batches_refuses(answer, evidence):
    refused_and_not_stopped(checks.accuracy_of_batches(answer), evidence)
