"""Masks that change during training: the schedule, RigL's update, and that no pruned weight is ever trained."""

import itertools
import math

import pytest
import torch
from torch import nn

from ltcourse.networks import masks, models
from ltcourse.pruning import criteria, foresight
from ltcourse.pruning.sparse_training import cubic, drop_and_grow, gradually, rigl, train_changing
from ltcourse.training import Recipe, train

RECIPE = Recipe(iterations=12, batch=10, optimizer="sgd", lr=0.05, evaluate_every=4)


def lenet(data, seed=0):
    return models.create("lenet-300-100", shape=data.shape, seed=seed)


def sparse(network, density=0.2):
    rates = {n: 1 - s for n, s in foresight.erk(masks.dense(network), density).items()}
    return criteria.at_random(1)({}, masks.dense(network), rates)


def counts(mask):
    return {name: int(m.sum()) for name, m in mask.items()}


# Gradual pruning


def test_the_density_follows_the_papers_cubic():
    """Zhu & Gupta 2017, Eq. 1: s_f + (s_i − s_f) (1 − (t − t0) / (n Δt))³, with s_i = 0."""
    s_f, t0, end = 0.9, 20, 120
    for t in range(t0, end + 1, 10):
        assert cubic(t, t0, end, 1 - s_f) == pytest.approx(1 - (s_f - s_f * (1 - (t - t0) / (end - t0)) ** 3))
    assert [cubic(t, t0, end, 0.1) for t in (0, 20, 120, 500)] == pytest.approx([1, 1, 0.1, 0.1])
    falls = [cubic(t, 0, 10, 0) - cubic(t + 1, 0, 10, 0) for t in range(10)]
    assert falls == sorted(falls, reverse=True), "many at first, few in the end"
    with pytest.raises(ValueError, match="not after its beginning"):
        cubic(0, 5, 5, 0.1)


@pytest.mark.parametrize("scope", ["layer", "global"])
def test_gradual_pruning_removes_the_smallest_and_brings_none_back(scope, tiny):
    network = lenet(tiny)
    weights = {n: p.detach() for n, p in masks.prunable(network).items()}
    change, mask = gradually(0.05, 0, 10, scope), masks.dense(network)
    for t in range(1, 12):
        smaller = change(t, weights, {}, mask)
        assert masks.density(smaller) == pytest.approx(cubic(t, 0, 10, 0.05), abs=1e-4)
        assert not any((smaller[n] & ~m).any() for n, m in mask.items())
        mask = smaller
    once = criteria.magnitude(weights, masks.dense(network), 0.95, scope)
    assert all(torch.equal(mask[n], once[n]) for n in mask), "of weights that stay it is the same as one pruning"


# RigL


def by_hand(w, g, m, k):
    """One layer of RigL by sorting lists, k weights dropped and grown."""
    active = sorted((i for i in range(len(w)) if m[i]), key=lambda i: abs(w[i]))
    stays = set(active[k:])
    grow = sorted((i for i in range(len(w)) if i not in stays), key=lambda i: -abs(g[i]))[:k]
    return sorted(stays | set(grow))


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 0.5, 1.0])
def test_an_update_drops_the_smallest_weights_and_grows_where_the_gradient_is_largest(share):
    generator = torch.Generator().manual_seed(int(10 * share))
    for shape in ((6, 9), (4, 3, 3, 3)):
        w, g = (torch.randn(shape, generator=generator) for _ in range(2))
        m = torch.rand(shape, generator=generator) < 0.4
        w = w * m
        found = drop_and_grow({"a": w}, {"a": g}, {"a": m}, share)["a"]
        k = round(share * int(m.sum()))
        expected = by_hand(w.flatten().tolist(), g.flatten().tolist(), m.flatten().tolist(), k)
        assert found.flatten().nonzero().flatten().tolist() == expected
        assert int(found.sum()) == int(m.sum())


def test_the_share_falls_along_a_cosine_from_alpha_to_0():
    generator = torch.Generator().manual_seed(0)
    w, m = torch.randn(100, 100, generator=generator), torch.zeros(100, 100, dtype=torch.bool)
    m[:, :50] = True
    w, g = w * m, (~m).float() * (1 + torch.rand(100, 100, generator=generator))
    change = rigl(200, 0.3)
    for t in (0, 50, 100, 150, 200, 300):
        new = change(t, {"a": w}, {"a": g}, {"a": m})["a"]
        share = 0.15 * (1 + math.cos(min(t, 200) * math.pi / 200))
        assert int((m & ~new).sum()) == round(share * 5000), t


# Training under a mask that changes


def test_with_a_mask_that_never_changes_it_is_training_bit_for_bit(tiny):
    a, b = lenet(tiny), lenet(tiny)
    mask = sparse(a)
    history = train(a, tiny, RECIPE, mask=mask, seed=4)
    run = train_changing(b, tiny, RECIPE, mask, lambda i, w, g, m: m, every=3, until=12, seed=4)
    assert run.history == history and run.work == pytest.approx(masks.density(mask))
    assert all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_rigl_keeps_each_layers_count_and_trains_nothing_that_is_pruned(optimizer, tiny):
    network = lenet(tiny)
    first, seen, change = sparse(network), [], rigl(10, 0.5)

    def watched(iteration, weights, gradients, mask):
        assert all(not weights[n][~m].any() for n, m in mask.items())
        assert all(m.all() or gradients[n][~m].any() for n, m in mask.items()), (
            "the gradients of pruned weights are asked for"
        )
        seen.append((iteration, change(iteration, weights, gradients, mask)))
        return seen[-1][1]

    recipe = RECIPE.but(optimizer=optimizer, lr=0.05 if optimizer == "sgd" else 1e-3)
    run = train_changing(network, tiny, recipe, first, watched, every=3, until=10, seed=0)
    assert [i for i, _ in seen] == [3, 6, 9, 10]
    assert all(counts(mask) == counts(first) for _, mask in seen) and counts(run.mask) == counts(first)
    assert any((run.mask[n] & ~m).any() for n, m in first.items())
    assert all(not p[~run.mask[n]].any() for n, p in masks.prunable(network).items())
    assert run.history.iterations == [4, 8, 12] and run.history.test_accuracy is not None


def test_a_weight_that_grows_begins_at_0_and_without_momentum(tiny):
    """With a gradient of 0 after the growth, it stays 0: there is nothing that could move it."""
    network = nn.Sequential(nn.Flatten(), nn.Linear(tiny.shape[0] * tiny.shape[1] * tiny.shape[2], 10))
    weight = network[1].weight
    mask = {"1.weight": torch.ones_like(weight, dtype=torch.bool)}
    mask["1.weight"][:, ::2] = False
    changes = itertools.count(1)

    def grow(iteration, weights, gradients, now):
        if next(changes) == 1:
            assert gradients["1.weight"][:, ::2].any()
            weight.register_hook(torch.zeros_like)
        return {"1.weight": torch.ones_like(now["1.weight"])}

    train_changing(network, tiny, RECIPE, mask, grow, every=6, until=6, seed=0)
    assert not weight[:, ::2].any() and weight[:, 1::2].any()


def test_gradual_pruning_ends_at_its_density_and_costs_what_it_kept(tiny):
    network = lenet(tiny)
    change = gradually(0.1, 0, 9, "global")
    run = train_changing(network, tiny, RECIPE, masks.dense(network), change, every=3, until=9, seed=0)
    assert masks.density(run.mask) == pytest.approx(0.1, abs=1e-4)
    kept = [1.0] * 3 + [cubic(3, 0, 9, 0.1)] * 3 + [cubic(6, 0, 9, 0.1)] * 3 + [0.1] * 3
    assert run.work == pytest.approx(sum(kept) / 12, abs=1e-4)


def test_what_no_run_can_do_is_refused(tiny):
    network = lenet(tiny)
    with pytest.raises(ValueError, match="not within the run of 12"):
        train_changing(network, tiny, RECIPE, masks.dense(network), rigl(20), every=3, until=20)
    with pytest.raises(ValueError, match=r"share 1\.5"):
        rigl(20, 1.5)


def test_rigl_says_that_it_cannot_grow_in_a_frozen_layer_which_gradual_pruning_can_prune(tiny):
    network = lenet(tiny)
    network.fc2.weight.requires_grad_(False)
    before = network.fc2.weight.clone()
    with pytest.raises(ValueError, match=r"no gradient of all weights of 'fc2\.weight'.*freeze none"):
        train_changing(network, tiny, RECIPE, sparse(network, 0.9), rigl(6), every=3, until=6)
    network = lenet(tiny)
    network.fc2.weight.requires_grad_(False)
    mask = train_changing(network, tiny, RECIPE, masks.dense(network), gradually(0.1, 0, 6), every=3, until=6).mask
    assert torch.equal(network.fc2.weight, before * mask["fc2.weight"]) and masks.density(mask) < 0.11


def test_gradients_that_do_not_fit_and_iterations_that_are_none_are_refused():
    w, m = {"a": torch.ones(2, 3)}, {"a": torch.tensor([[True, False, True], [False, True, False]])}
    for gradients in ({}, {"a": None}, {"a": torch.ones(1, 3)}):
        with pytest.raises(ValueError, match=r"no gradient of all weights of 'a'.*shape \(2, 3\)"):
            drop_and_grow(w, gradients, m, 0.5)
    with pytest.raises(ValueError, match="NaN"):
        drop_and_grow(w, {"a": torch.full((2, 3), torch.nan)}, m, 0.5)
    for iteration in (math.nan, "5", 2.5):
        with pytest.raises(ValueError, match="iteration is "):
            cubic(iteration, 0, 10, 0.1)
        with pytest.raises(ValueError, match="iteration is "):
            rigl(10)(iteration, w, w, m)
