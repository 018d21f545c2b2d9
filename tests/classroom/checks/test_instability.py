"""The checks of lesson 04 refuse planted wrong answers with evidence, and accept different right ones."""

import copy
import math

import pytest
import torch
from verdict_reports import accepted, refused

from ltcourse.classroom import checks
from ltcourse.instruments import connectivity
from ltcourse.networks import masks
from ltcourse.pruning import criteria

# Lesson 04, exercise 1


def by_the_formula(a, b, share):
    return {name: (1 - share) * w + share * b[name] if w.is_floating_point() else w.clone() for name, w in a.items()}


def by_walking_from_a(a, b, share):
    point = copy.deepcopy(a)
    for name, w in point.items():
        if name.endswith("num_batches_tracked"):
            continue
        w += share * (b[name] - w)
    return point


@pytest.mark.parametrize("answer", [by_the_formula, by_walking_from_a, connectivity.between])
def test_between_accepts(answer):
    accepted(checks.between(answer))


def point(combine):
    """Make a walk along the line from combine(weights of a, weights of b, share)."""

    def function(a, b, share):
        return {name: combine(w, b[name], share) if w.is_floating_point() else w.clone() for name, w in a.items()}

    return function


def in_place(a, b, share):
    for name, w in a.items():
        if w.is_floating_point():
            w.lerp_(b[name], share)
    return copy.deepcopy(a)


def in_place_of_b(a, b, share):
    for name, w in b.items():
        w.copy_(torch.lerp(a[name], w, share) if w.is_floating_point() else a[name])
    return copy.deepcopy(b)


def ends_returned(a, b, share):
    return a if share == 0 else b if share == 1 else by_the_formula(a, b, share)


def counters_as_floats(a, b, share):
    return {name: (1 - share) * w + share * b[name] for name, w in a.items()}


def counters_of_b(a, b, share):
    return {
        name: b[name].clone() if b[name].dtype == torch.int64 else w for name, w in by_the_formula(a, b, share).items()
    }


def counters_shared(a, b, share):
    return {name: (1 - share) * w + share * b[name] if w.is_floating_point() else w for name, w in a.items()}


def weights_only(a, b, share):
    return {name: torch.lerp(w, b[name], share) if w.dim() >= 2 else w.clone() for name, w in a.items()}


@pytest.mark.parametrize(
    ("answer", "evidence"),
    [
        (
            point(lambda a, b, share: share * a + (1 - share) * b),
            ["share 0.25", "[[2.5, -1.0]]", "[[1.5, 1.0]]", "swapped"],
        ),
        (point(lambda a, b, share: a + b), ["share 0.5", "[[4.0, 0.0]]", "[[2.0, 0.0]]", "the sum of a and b"]),
        (point(lambda a, b, share: (a + b) / 2), ["share 0.25", "always the middle"]),
        (in_place, ["your function changed `a`, which it was given: work on a copy"]),
        (in_place_of_b, ["your function changed `b`, which it was given: work on a copy"]),
        (weights_only, ["weights and biases, share 0.5", "only the weights are on the line"]),
        (ends_returned, ["one weight matrix, share 0.0", "weight shares its memory with `a`", "clone"]),
        (counters_as_floats, ["batch norm", "1.num_batches_tracked counts", "torch.int64"]),
        (counters_of_b, ["1.num_batches_tracked counts, in whole numbers: take it from `a`, which has 30"]),
        (counters_shared, ["1.num_batches_tracked shares its memory with `a`"]),
        (lambda a, b, share: copy.deepcopy(a), ["this is a, wherever on the line"]),
        (lambda a, b, share: copy.deepcopy(b), ["this is b, wherever on the line"]),
        (lambda a, b, share: {}, ["the result is of [], and should be of ['weight']"]),
        (lambda a, b, share: list(a.values()), ["a dict, name → tensor, and this is list"]),
        (lambda a, b, share: {name: str(w) for name, w in a.items()}, ["weight should be a tensor"]),
        (point(lambda a, b, share: a.sum()), ["weight has shape (), and should have (1, 2)"]),
        (
            point(lambda a, b, share: torch.lerp(a, b, share).long()),
            ["weight should be torch.float32, and is torch.int64"],
        ),
        (point(lambda a, b, share: torch.lerp(a, b, share) > 0), ["weight should be torch.float32, and is torch.bool"]),
        (point(lambda a, b, share: a * math.nan), ["largest difference nan, in weight"]),
        (point(lambda a, b, share: torch.lerp(a, b, share) + 1), ["largest difference 1, in weight"]),
    ],
)
def test_between_refuses(answer, evidence):
    verdict = checks.between(answer)
    refused(verdict, *evidence)
    assert "stopped with this error" not in str(verdict), "the reader's function did not stop: the check did"


# Lesson 04, exercise 2


def by_hand(errors):
    highest = errors[0]
    for error in errors:
        if error > highest:
            highest = error
    return highest - 0.5 * errors[0] - 0.5 * errors[-1]


def by_torch(errors):
    errors = torch.tensor(errors, dtype=torch.float64)
    return errors.max() - errors[[0, -1]].mean()


@pytest.mark.parametrize("answer", [by_hand, by_torch, connectivity.barrier])
def test_error_barrier_accepts(answer):
    accepted(checks.error_barrier(answer))


def sorts_in_place(errors):
    found = connectivity.barrier(errors)
    errors.sort()
    return found


@pytest.mark.parametrize(
    ("answer", "evidence"),
    [
        (lambda errors: max(errors) - min(errors), ["[0.2, 0.1, 0.4, 0.7, 0.3]", "0.6", "0.4500", "minus the lowest"]),
        (lambda errors: max(errors) - sum(errors) / len(errors), ["0.3600", "minus the mean of all"]),
        (lambda errors: max(errors) - errors[0], ["0.5", "one end"]),
        (lambda errors: max(errors) - errors[-1], ["0.4", "one end, the last"]),
        (lambda errors: max(errors) - errors[0] - errors[-1], ["[0.2, 0.2]", "the sum of the ends"]),
        (lambda errors: errors[len(errors) // 2] - (errors[0] + errors[-1]) / 2, ["0.15", "the middle only"]),
        (max, ["[0.2, 0.2]", "the highest error itself"]),
        (lambda errors: 100 * connectivity.barrier(errors), ["45.0000", "in percent"]),
        (lambda errors: (errors[0] + errors[-1]) / 2 - max(errors), ["-0.4500", "off by 0.9"]),
        (lambda errors: sorted(errors), ["a barrier is a number, and this is list"]),
        (lambda errors: str(connectivity.barrier(errors)), ["a barrier is a number, and this is str"]),
        (sorts_in_place, ["your function changed `errors`, which it was given: work on a copy"]),
    ],
)
def test_error_barrier_refuses(answer, evidence):
    refused(checks.error_barrier(answer), *evidence)


# Lesson 04, exercise 3


def by_one_topk(weights, density):
    pooled = torch.cat([w.flatten() for w in weights.values()]).abs()
    keep = torch.zeros_like(pooled, dtype=torch.bool)
    keep[pooled.topk(round(density * pooled.numel())).indices] = True
    parts = keep.split([w.numel() for w in weights.values()])
    return {name: part.view_as(w) for part, (name, w) in zip(parts, weights.items(), strict=True)}


def by_a_sorted_list(weights, density):
    ranked = sorted((-abs(v), name, i) for name, w in weights.items() for i, v in enumerate(w.flatten().tolist()))
    best = {(name, i) for _, name, i in ranked[: round(density * len(ranked))]}
    return {
        name: torch.tensor([(name, i) in best for i in range(w.numel())]).reshape(w.shape)
        for name, w in weights.items()
    }


def by_the_librarys_criterion(weights, density):
    whole = {name: torch.ones_like(w, dtype=torch.bool) for name, w in weights.items()}
    return criteria.magnitude(weights, whole, 1 - density, "global")


@pytest.mark.parametrize("answer", [by_one_topk, by_a_sorted_list, by_the_librarys_criterion])
def test_global_mask_accepts(answer):
    accepted(checks.global_mask(answer))


def each_layer_for_itself(weights, density):
    return {name: masks.keep_largest(w.abs(), round(density * w.numel())) for name, w in weights.items()}


def one_threshold(weights, density, strict=False):
    ranked = torch.cat([w.abs().flatten() for w in weights.values()]).sort(descending=True).values
    count = round(density * ranked.numel())
    if count == 0:
        return {name: torch.zeros_like(w, dtype=torch.bool) for name, w in weights.items()}
    cut = ranked[count] if strict and count < ranked.numel() else ranked[count - 1]
    return {name: w.abs() > cut if strict and count < ranked.numel() else w.abs() >= cut for name, w in weights.items()}


def by_value(weights, density):
    count = round(density * sum(w.numel() for w in weights.values()))
    keep = masks.keep_largest(torch.cat([w.flatten() for w in weights.values()]), count)
    parts = keep.split([w.numel() for w in weights.values()])
    return {name: part.view_as(w) for part, (name, w) in zip(parts, weights.items(), strict=True)}


def cut(threshold, keeps, spread=0.0):
    """Make a mask by comparing with threshold(magnitudes of all, count); spread: what tells equal weights apart."""

    def function(weights, density):
        row = torch.cat([w.flatten() for w in weights.values()]).abs()
        apart = row + spread * torch.arange(len(row)).flip(0) * (row > 0)
        keep = keeps(apart, threshold(apart, round(density * len(row))))
        parts = keep.split([w.numel() for w in weights.values()])
        return {name: part.view_as(w) for part, (name, w) in zip(parts, weights.items(), strict=True)}

    return function


def ranked(places):
    """Make a mask of the positions that places(order from the smallest, count) gives."""

    def function(weights, density):
        row = torch.cat([w.flatten() for w in weights.values()]).abs()
        keep = torch.zeros(len(row), dtype=torch.bool)
        keep[places(row.argsort(), round(density * len(row)))] = True
        parts = keep.split([w.numel() for w in weights.values()])
        return {name: part.view_as(w) for part, (name, w) in zip(parts, weights.items(), strict=True)}

    return function


from_its_last = ranked(lambda order, count: order[-count:])
to_the_last_dropped = ranked(lambda order, count: order.flip(0)[: count - len(order)])
FROM_THE_END = ["keeps 6 weights, 6 more than 0", "`[-count:]` is all of it"]


def zeroes_what_it_prunes(weights, density):
    found = by_one_topk(weights, density)
    for name, keep in found.items():
        weights[name].mul_(keep)
    return found


@pytest.mark.parametrize(
    ("answer", "evidence"),
    [
        (each_layer_for_itself, ["keep 3 of the 6 weights fc1", "of each layer: rank all layers together"]),
        (one_threshold, ["keeps 5 weights, 2 more than 3: some are equally large"]),
        (
            lambda *given: one_threshold(*given, strict=True),
            ["keeps 1 weights, 2 fewer than 3: some are equally large"],
        ),
        (by_value, ["keep 1 of the 3 weights fc: [[1.0, 2.0, -3.0]]", "goes by value: magnitude has no sign"]),
        (lambda w, d: {k: m.float() for k, m in by_one_topk(w, d).items()}, ["a mask is boolean", "torch.float32"]),
        (lambda w, d: {k: ~m for k, m in by_one_topk(w, d).items()}, ["pruned: True means kept"]),
        (lambda w, d: by_one_topk(w, 1 - d), ["keeps 2 weights, 1 more than 1: the density is the share to keep"]),
        (
            lambda w, d: {k: torch.ones_like(v, dtype=torch.bool) for k, v in w.items()},
            ["keeps 3 weights, 2 more than 1"],
        ),
        (lambda w, d: {k: torch.zeros_like(v, dtype=torch.bool) for k, v in w.items()}, ["keeps 0 weights, 1 fewer"]),
        (lambda w, d: {k: v.clone() for k, v in w.items()}, ["a mask is boolean"]),
        (lambda w, d: {k: m.flatten() for k, m in by_one_topk(w, d).items()}, ["the mask of fc has shape (3,)"]),
        (
            lambda w, d: {k: str(m) for k, m in by_one_topk(w, d).items()},
            ["the mask of fc is a tensor, and this is str"],
        ),
        (lambda w, d: dict(list(by_one_topk(w, d).items())[1:]), ["the mask is of [], and should be of ['fc']"]),
        (lambda w, d: list(by_one_topk(w, d).values()), ["the mask is a dict, name → booleans, and this is list"]),
        (zeroes_what_it_prunes, ["your function changed `weights`, which it was given: work on a copy"]),
        (cut(lambda row, n: row.sort(descending=True).values[n - 1], torch.ge), ["keep 0 of the 6", *FROM_THE_END]),
        (from_its_last, ["keep 0 of the 6", *FROM_THE_END]),
        (to_the_last_dropped, ["keep 6 of the 6", "keeps 0 weights", "`[:-0]` is empty"]),
        (
            cut(lambda row, n: row.sort(descending=True).values[max(n - 1, 0)], torch.ge),
            ["keep 0 of the 6", "≥ keeps the one at the threshold"],
        ),
        (
            cut(lambda row, n: row.sort(descending=True).values[min(n, len(row) - 1)], torch.gt),
            ["keep 6 of the 6", "> loses the one at the threshold"],
        ),
        (
            cut(lambda row, n: row.sort().values[len(row) - n] if n else torch.tensor(math.inf), torch.ge, spread=1e-3),
            ["[[0.0, 0.0, 3.0]]", "keeps 6 weights, 3 more than 3: some are equally large"],
        ),
    ],
)
def test_global_mask_refuses(answer, evidence):
    verdict = checks.global_mask(answer)
    refused(verdict, *evidence)
    assert "stopped with this error" not in str(verdict), "the reader's function did not stop: the check did"
