"""Masks: exact counts whatever the weights, subsets, agreement with PyTorch's own pruning, clear refusals."""

import copy
import math
from itertools import product

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.utils import prune

from ltcourse.networks import masks, models
from ltcourse.networks.models import snapshot
from ltcourse.pruning import criteria

RATES = [0, 0.001, 0.05, 0.1, 1 / 7, 0.2, 1 / 3, 0.37, 0.5, 0.63, 0.8, 0.9, 0.999, 1]


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def mostly_zero():
    weights = randn(37, 29)
    return weights * (randn(37, 29, seed=1) > 1.2)


WEIGHTS = {
    "distinct": randn(37, 29),
    "all equal": torch.full((37, 29), 0.25),
    "all zero": torch.zeros(37, 29),
    "many zeros": mostly_zero(),
    "quantized": (randn(37, 29) * 2).round() / 2,
    "convolution": randn(7, 5, 3, 3),
    "channels last": randn(7, 5, 3, 3).contiguous(memory_format=torch.channels_last),
    "one weight": randn(1, 1),
    "all negative": -randn(11, 13).abs(),
}


def ones(weights):
    return {name: torch.ones(w.shape, dtype=torch.bool) for name, w in weights.items()}


def subset(inner, outer):
    return all((inner[name] <= outer[name]).all() for name in outer)


def one_sentence(caught):
    message = str(caught.value)
    assert message
    assert "\n" not in message
    return message


# --- counts


@pytest.mark.parametrize("kind", WEIGHTS)
def test_a_layer_loses_exactly_the_rounded_share(kind):
    weights = {"w": WEIGHTS[kind]}
    n = weights["w"].numel()
    for criterion, rate in product((criteria.magnitude, criteria.at_random(4)), RATES):
        mask = criterion(weights, ones(weights), rate, "layer")
        assert mask["w"].dtype == torch.bool
        assert mask["w"].shape == weights["w"].shape
        assert masks.kept(mask) == n - round(rate * n)
        assert abs(masks.density(mask) - (1 - rate)) * n <= 0.5 + 1e-9


@pytest.mark.parametrize("kind", ["distinct", "all equal", "all zero", "many zeros", "quantized"])
def test_global_pruning_loses_exactly_the_rounded_share_of_all(kind):
    weights = {"a": WEIGHTS[kind], "b": WEIGHTS[kind][:5] * 0.5, "c": WEIGHTS["channels last"]}
    n = sum(w.numel() for w in weights.values())
    for criterion, rate in product((criteria.magnitude, criteria.at_random(4)), RATES):
        mask = criterion(weights, ones(weights), rate, "global")
        assert masks.kept(mask) == n - round(rate * n)
        assert all(mask[name].shape == w.shape for name, w in weights.items())


@pytest.mark.parametrize("kind", WEIGHTS)
@pytest.mark.parametrize("scope", ["layer", "global"])
def test_every_round_is_exact_and_a_subset_of_the_last(kind, scope):
    weights = {"w": WEIGHTS[kind], "v": randn(9, 11, seed=3)}
    mask = ones(weights)
    for number in range(12):
        weights = {name: w + 0.3 * randn(*w.shape, seed=50 + number) * mask[name] for name, w in weights.items()}
        weights = {name: w * mask[name] for name, w in weights.items()}
        smaller = criteria.magnitude(weights, mask, 0.3, scope)
        assert subset(smaller, mask)
        if scope == "layer":
            for name, m in mask.items():
                assert int(smaller[name].sum()) == int(m.sum()) - round(0.3 * int(m.sum()))
        else:
            assert masks.kept(smaller) == masks.kept(mask) - round(0.3 * masks.kept(mask))
        mask = smaller


@pytest.mark.parametrize("scope", ["layer", "global"])
def test_pruned_weights_stay_pruned_even_where_they_are_the_largest(scope):
    weights = {"w": randn(20, 20)}
    half = criteria.magnitude(weights, ones(weights), 0.5)
    upside_down = {"w": torch.where(half["w"], weights["w"], torch.tensor(100.0))}
    quarter = criteria.magnitude(upside_down, half, 0.5, scope)
    assert subset(quarter, half)
    assert masks.kept(quarter) == 100


def test_surviving_zeros_are_survivors():
    """A weight that is 0 by chance is told from a pruned one: it counts, and it is the next to go."""
    weights = {"w": torch.tensor([[0.0, 0.0, 3.0, -1.0]])}
    mask = {"w": torch.tensor([[False, True, True, True]])}
    assert criteria.magnitude(weights, mask, 1 / 3)["w"].tolist() == [[False, False, True, True]]


def test_the_input_is_not_changed():
    weights = {"w": randn(6, 7)}
    mask = criteria.magnitude(weights, ones(weights), 0.3)
    before = weights["w"].clone(), mask["w"].clone()
    for scope in ("layer", "global"):
        criteria.magnitude(weights, mask, 0.5, scope)
        criteria.at_random(1)(weights, mask, 0.5, scope)
    criteria.threshold(1.0)(weights, mask, 0.0, "layer")
    assert torch.equal(weights["w"], before[0])
    assert torch.equal(mask["w"], before[1])


def test_density_and_kept_count_over_all_layers():
    mask = {"a": torch.ones(30, 10, dtype=torch.bool), "b": torch.zeros(10, 10, dtype=torch.bool)}
    assert masks.kept(mask) == 300
    assert masks.density(mask) == 0.75


# --- which weights


def test_magnitude_takes_the_smallest_absolute_values_of_either_sign():
    weights = {"w": torch.tensor([[-5.0, 0.1, -0.2, 3.0, -0.05, 1.0]])}
    assert criteria.magnitude(weights, ones(weights), 0.5)["w"].tolist() == [[True, False, False, True, False, True]]


@pytest.mark.parametrize(
    ("criterion", "kept"),
    [
        (criteria.magnitude, [0, 1]),
        (criteria.small_final, [4, 5]),
        (criteria.magnitude_increase, [0, 3]),
        (criteria.movement, [0, 2]),
        (criteria.same_sign, [1, 0]),
    ],
)
def test_each_criterion_of_both_ends_of_a_training_keeps_what_its_name_says(criterion, kept):
    #                          grew    stays  flips  grew a bit  shrank   fell to little
    before = {"w": torch.tensor([1.0, -4.0, -2.5, 0.0, 0.5, -3.0])}
    after = {"w": torch.tensor([5.0, -4.5, 3.0, 2.0, 0.4, -1.0])}
    if criterion not in (criteria.magnitude, criteria.small_final):
        criterion = criterion(before)
    mask = criterion(after, ones(after), 2 / 3)["w"]
    assert mask.nonzero().flatten().tolist() == sorted(kept)


@pytest.mark.parametrize("criterion", [criteria.magnitude_increase, criteria.movement, criteria.same_sign])
@pytest.mark.parametrize("scope", ["layer", "global"])
def test_criteria_of_both_ends_prune_survivors_alone_and_leave_the_initial_weights(criterion, scope):
    before, after = {"w": randn(20, 30)}, {"w": randn(20, 30, seed=1)}
    copied = before["w"].clone()
    half = criteria.at_random(0)(after, ones(after), 0.5)
    quarter = criterion(before)(after, half, 0.5, scope)
    assert subset(quarter, half) and masks.kept(quarter) == 150
    assert torch.equal(before["w"], copied)
    scores = {
        criteria.magnitude_increase: after["w"].abs() - copied.abs(),
        criteria.movement: (after["w"] - copied).abs(),
        criteria.same_sign: torch.where(copied > 0, after["w"], -after["w"]),
    }[criterion]
    assert scores[quarter["w"]].min() >= scores[half["w"] & ~quarter["w"]].max()


def test_of_the_largest_with_their_initial_sign_none_has_changed_it_while_there_are_others():
    before, after = {"w": randn(20, 30)}, {"w": randn(20, 30, seed=1)}
    same = before["w"].sign() == after["w"].sign()
    mask = criteria.same_sign(before)(after, ones(after), 1 - float(same.float().mean()))
    assert torch.equal(mask["w"], same)


def test_layer_scope_looks_at_one_layer_and_global_at_all():
    weights = {"small": randn(10, 10) * 0.01, "large": randn(10, 10, seed=1)}
    by_layer = criteria.magnitude(weights, ones(weights), 0.5, "layer")
    over_all = criteria.magnitude(weights, ones(weights), 0.5, "global")
    assert [int(m.sum()) for m in by_layer.values()] == [50, 50]
    assert int(over_all["small"].sum()) < 10
    assert masks.kept(over_all) == 100


def test_among_ties_the_same_ones_go_every_time():
    weights = {"w": torch.full((4, 5), 2.0)}
    first, again = (criteria.magnitude(weights, ones(weights), 0.5) for _ in range(2))
    assert torch.equal(first["w"], again["w"])
    assert not first["w"].flatten()[:10].any()  # the earlier ones, as promised


@pytest.mark.parametrize("amount", [0.0, 0.013, 0.2, 0.5, 0.77, 0.999, 1.0])
@pytest.mark.parametrize("shape", [(31, 23), (7, 5, 3, 3)])
def test_layer_pruning_equals_that_of_pytorch(shape, amount):
    module = nn.Linear(1, 1)
    module.weight = nn.Parameter(randn(*shape))
    weights = {"weight": module.weight.detach().clone()}
    prune.l1_unstructured(module, "weight", amount)
    assert torch.equal(criteria.magnitude(weights, ones(weights), amount)["weight"], module.weight_mask.bool())


@pytest.mark.parametrize("amount", [0.2, 0.5, 0.9])
def test_two_rounds_of_layer_pruning_equal_those_of_pytorch(amount):
    network = models.create("lenet-5")
    weights = masks.prunable(copy.deepcopy(network))
    mask = masks.dense(network)
    for _ in range(2):
        mask = criteria.magnitude(weights, mask, amount)
        for module in network:
            if hasattr(module, "weight"):
                prune.l1_unstructured(module, "weight", amount)
    for name, m in mask.items():
        assert torch.equal(m, network.get_buffer(f"{name}_mask").bool()), name


@pytest.mark.parametrize("amount", [0.05, 0.2, 0.5, 0.9])
def test_global_pruning_equals_that_of_pytorch(amount):
    network = models.create("lenet-5")
    with torch.no_grad():
        network.fc1.weight.mul_(0.5)
    trained = copy.deepcopy(network).to(memory_format=torch.channels_last)  # as training leaves it
    mask = criteria.magnitude(masks.prunable(trained), masks.dense(trained), amount, "global")
    prune.global_unstructured(
        [(m, "weight") for m in network if hasattr(m, "weight")], pruning_method=prune.L1Unstructured, amount=amount
    )
    for name, m in mask.items():
        assert torch.equal(m, network.get_buffer(f"{name}_mask").bool()), name


# --- by lot


@pytest.mark.parametrize("scope", ["layer", "global"])
def test_random_masks_are_reproducible_nested_and_different_for_another_seed(scope):
    weights = {"a": randn(40, 50), "b": randn(8, 4, 3, 3)}
    mask = ones(weights)
    for _ in range(5):
        smaller = criteria.at_random(3)(weights, mask, 0.4, scope)
        again = criteria.at_random(3)(weights, mask, 0.4, scope)
        other = criteria.at_random(4)(weights, mask, 0.4, scope)
        assert subset(smaller, mask)
        assert all(torch.equal(smaller[name], again[name]) for name in mask)
        assert not torch.equal(smaller["a"], other["a"])
        mask = smaller


def test_random_masks_do_not_look_at_the_weights():
    weights = {"a": randn(40, 50)}
    mask = criteria.at_random(3)(weights, ones(weights), 0.4)
    assert torch.equal(mask["a"], criteria.at_random(3)({"a": randn(40, 50, seed=9)}, ones(weights), 0.4)["a"])


@pytest.mark.parametrize("seed", [0, 1, 5])
@pytest.mark.parametrize("drawn_with", [0, 1])
def test_random_masks_are_uncorrelated_with_the_initial_weights_even_of_the_same_seed(seed, drawn_with):
    network = models.create("lenet-300-100", seed=drawn_with)
    mask = criteria.at_random(seed)(masks.prunable(network), masks.dense(network), 0.8)
    for name in ("fc1.weight", "fc2.weight"):
        w, m = masks.prunable(network)[name].detach().flatten(), mask[name].flatten().float()
        for value in (w, w.abs()):
            correlation = float(torch.corrcoef(torch.stack([m, value]))[0, 1])
            assert abs(correlation) < 5 / math.sqrt(m.numel()), (name, correlation)


def test_random_pruning_is_uniform_over_the_layer():
    weights = {"w": torch.zeros(100, 100)}
    mask = criteria.at_random(0)(weights, ones(weights), 0.5)["w"].float()
    assert (mask.mean(0) - 0.5).abs().max() < 0.25
    assert (mask.mean(1) - 0.5).abs().max() < 0.25
    assert abs(mask[:50].mean() - 0.5) < 0.05


@pytest.mark.parametrize("rate", RATES)
def test_a_shuffled_mask_keeps_as_many_of_each_layer_elsewhere(rate):
    weights = {name: WEIGHTS[kind] for name, kind in (("a", "distinct"), ("b", "convolution"), ("c", "channels last"))}
    mask = criteria.magnitude(weights, ones(weights), rate)
    before = {name: m.clone() for name, m in mask.items()}
    shuffled = masks.shuffle(mask, 2)
    for name, m in mask.items():
        assert shuffled[name].shape == m.shape and shuffled[name].dtype == torch.bool
        assert int(shuffled[name].sum()) == int(m.sum())
        assert torch.equal(m, before[name]), "the mask itself has changed"
        if 0.1 <= rate <= 0.9:
            assert not subset({name: shuffled[name]}, {name: m}) and not subset({name: m}, {name: shuffled[name]})


def test_a_shuffled_mask_is_reproducible_and_another_one_for_another_seed():
    weights = {"a": randn(40, 50), "b": randn(8, 4, 3, 3)}
    mask = criteria.magnitude(weights, ones(weights), 0.6)
    shuffled, again, other = (masks.shuffle(mask, seed) for seed in (3, 3, 4))
    for name in mask:
        assert torch.equal(shuffled[name], again[name])
        assert not torch.equal(shuffled[name], other[name])


def test_a_shuffled_mask_does_not_look_at_what_was_kept():
    weights, other = {"w": randn(40, 50)}, {"w": randn(40, 50, seed=9)}
    first, second = (masks.shuffle(criteria.magnitude(w, ones(w), 0.6), 3) for w in (weights, other))
    assert torch.equal(first["w"], second["w"])


@pytest.mark.parametrize("seed", [0, 1, 5])
def test_a_shuffled_mask_is_uncorrelated_with_mask_and_first_weights_even_of_the_same_seed(seed):
    network = models.create("lenet-300-100", seed=seed)
    mask = criteria.magnitude(masks.prunable(network), masks.dense(network), 0.8)
    for name, m in masks.shuffle(mask, seed).items():
        w = masks.prunable(network)[name].detach()
        for value in (w, w.abs(), mask[name].float()):
            correlation = float(torch.corrcoef(torch.stack([m.flatten().float(), value.flatten()]))[0, 1])
            assert abs(correlation) < 5 / math.sqrt(m.numel()), (name, correlation)


def test_global_randomness_is_not_touched(global_randomness_untouched):
    weights = {"w": randn(10, 10)}
    masks.shuffle(ones(weights), 1)
    criteria.at_random(1)(weights, ones(weights), 0.5)
    criteria.magnitude(weights, ones(weights), 0.5, "global")


# --- Han's threshold


@pytest.mark.parametrize("quality", [0, 0.3, 1.0, 2.5])
def test_threshold_keeps_what_is_at_least_quality_times_the_deviation(quality):
    weights = {"a": randn(50, 60) * 0.3, "b": randn(8, 4, 3, 3, seed=2) * 2}
    mask = criteria.threshold(quality)(weights, ones(weights), 0.0, "layer")
    for name, w in weights.items():
        assert torch.equal(mask[name], w.abs() >= quality * w.std())


def test_threshold_takes_the_deviation_of_the_survivors():
    weights = {"w": randn(50, 60)}
    mask = criteria.magnitude(weights, ones(weights), 0.9)
    after = criteria.threshold(1.0)({"w": weights["w"] * mask["w"]}, mask, 0.0, "layer")
    survivors = weights["w"][mask["w"]]
    assert torch.equal(after["w"], mask["w"] & (weights["w"].abs() >= survivors.std()))
    assert subset(after, mask)
    assert 0 < masks.kept(after) < masks.kept(mask)


def test_threshold_of_zero_prunes_nothing_and_brings_nothing_back():
    weights = {"w": randn(20, 20)}
    mask = criteria.magnitude(weights, ones(weights), 0.5)
    assert torch.equal(criteria.threshold(0)(weights, mask, 0.0, "layer")["w"], mask["w"])


def test_threshold_takes_a_quality_per_layer_and_ignores_the_rate():
    weights = {"a": randn(50, 60), "b": randn(50, 60, seed=1)}
    mask = criteria.threshold({"a": 0.0, "b": 1.5})(weights, ones(weights), 0.9, "layer")
    assert mask["a"].all()
    assert torch.equal(mask["b"], weights["b"].abs() >= 1.5 * weights["b"].std())


@pytest.mark.parametrize("survivors", [0, 1, 2])
def test_threshold_survives_layers_with_next_to_nothing_left(survivors):
    weights = {"w": randn(4, 4)}
    few = masks.keep_largest(weights["w"].abs(), survivors)
    assert masks.kept(criteria.threshold(0.5)(weights, {"w": few}, 0.0, "layer")) <= survivors


@pytest.mark.parametrize("share", [0.0, 0.08, 0.26, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("layout", ["dense", "convolution", "channels last"])
def test_a_calibrated_quality_reaches_its_density_to_the_weight(share, layout):
    for seed in range(40):
        w = randn(50, 40, seed=seed) if layout == "dense" else randn(20, 10, 3, 3, seed=seed)
        if layout == "channels last":
            w = w.contiguous(memory_format=torch.channels_last)
        quality = criteria.quality_for(w, share)
        mask = criteria.threshold(quality)({"w": w}, ones({"w": w}), 0.0, "layer")
        assert masks.kept(mask) == round(share * w.numel()), (seed, quality)


def test_quality_for_gives_a_plain_number_that_falls_with_the_share():
    qualities = [criteria.quality_for(randn(50, 40), share) for share in (0.1, 0.3, 0.5, 0.9)]
    assert all(type(q) is float for q in qualities)
    assert qualities == sorted(qualities, reverse=True)
    assert criteria.quality_for(randn(500, 400), 0.3173) == pytest.approx(1.0, abs=0.02)  # of a normal distribution
    assert criteria.quality_for(randn(50, 40) * 7, 0.3) == pytest.approx(criteria.quality_for(randn(50, 40), 0.3))


# --- rates per layer


def test_layer_rates_halve_the_output_layer():
    mask = masks.dense(models.create("lenet-300-100", device="meta"))
    assert criteria.layer_rates(mask, 0.2) == {"fc1.weight": 0.2, "fc2.weight": 0.2, "fc3.weight": 0.1}
    assert criteria.layer_rates(mask, 0.2, output=0.2)["fc3.weight"] == 0.2
    assert criteria.layer_rates(mask, 0.2, output=0.0)["fc3.weight"] == 0.0


def test_layer_rates_tell_convolutions_from_dense_layers():
    mask = masks.dense(models.create("conv-4", device="meta"))
    convolutions = {f"conv{i}.weight" for i in range(1, 5)}
    rates = criteria.layer_rates(mask, 0.2, conv=0.1)
    assert {name for name, rate in rates.items() if name in convolutions and rate == 0.1} == convolutions
    assert [rates[f"fc{i}.weight"] for i in (1, 2, 3)] == [0.2, 0.2, 0.1]
    assert criteria.layer_rates(mask, 0.2)["conv1.weight"] == 0.2
    assert criteria.layer_rates(mask, 0.2, conv=0.0)["conv1.weight"] == 0.0


def test_each_layer_is_pruned_at_its_own_rate():
    network = models.create("lenet-300-100")
    mask = masks.dense(network)
    pruned = criteria.magnitude(masks.prunable(network), mask, criteria.layer_rates(mask, 0.2))
    assert [int(m.sum()) for m in pruned.values()] == [188_160, 24_000, 900]


@pytest.mark.parametrize(("rounds", "percent"), [(1, 80.0), (3, 51.3), (7, 21.1), (9, 13.5), (15, 3.6), (16, 2.9)])
def test_the_papers_densities_follow_from_its_rates(rounds, percent):
    network = models.create("lenet-300-100")
    mask = masks.dense(network)
    for _ in range(rounds):
        mask = criteria.magnitude(masks.prunable(network), mask, criteria.layer_rates(mask, 0.2))
    assert round(100 * masks.density(mask), 1) == percent


# --- a mask and its network


@pytest.mark.parametrize("name", models.NAMES)
def test_the_dense_mask_keeps_all_weights_and_has_no_biases(name):
    network = models.create(name, device="cpu")
    mask = masks.dense(network)
    masks.check(mask, network)
    assert masks.kept(mask) == models.weight_count(network)
    assert masks.density(mask) == 1
    assert all(m.dtype == torch.bool for m in mask.values())
    assert not any("bias" in layer for layer in mask)


def test_norm_layers_are_not_prunable():
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4, 2))
    assert list(masks.prunable(network)) == ["0.weight", "3.weight"]


def test_apply_zeroes_what_is_pruned_and_nothing_else():
    network = models.create("lenet-5")
    with torch.no_grad():
        for p in network.parameters():
            p.add_(0.001)
    network.to(memory_format=torch.channels_last)
    before = snapshot(network)
    mask = criteria.magnitude(masks.prunable(network), masks.dense(network), 0.7)
    assert masks.apply(network, mask) is network
    for name, tensor in network.state_dict().items():
        kept = mask.get(name, torch.ones_like(tensor, dtype=torch.bool))
        assert torch.equal(tensor, torch.where(kept, before[name], torch.zeros(()))), name


def other_names(mask):
    mask["fc9.weight"] = mask.pop("fc3.weight")


def one_missing(mask):
    del mask["fc2.weight"]


def one_too_many(mask):
    mask["fc1.bias"] = torch.ones(300, dtype=torch.bool)


def other_shape(mask):
    mask["fc2.weight"] = mask["fc2.weight"].T


def not_boolean(mask):
    mask["fc2.weight"] = mask["fc2.weight"].float()


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (other_names, "fc3.weight"),
        (one_missing, "the mask has no 'fc2.weight'"),
        (one_too_many, "the network has no 'fc1.bias'"),
        (other_shape, r"'fc2.weight' has shape \(300, 100\) in the mask and \(100, 300\) in the network"),
        (not_boolean, r"'fc2.weight' is torch.float32: write mask\['fc2.weight'\].bool\(\)"),
    ],
)
def test_a_mask_of_another_network_is_refused_and_nothing_is_changed(spoil, words):
    network = models.create("lenet-300-100")
    mask = criteria.magnitude(masks.prunable(network), masks.dense(network), 0.5)
    spoil(mask)
    before = snapshot(network)
    for refuse in (masks.check, lambda m, n: masks.apply(n, m)):
        with pytest.raises(ValueError, match=words) as caught:
            refuse(mask, network)
        one_sentence(caught)
    assert all(torch.equal(before[name], tensor) for name, tensor in network.state_dict().items())


def test_a_mask_of_another_network_names_both_ways_out():
    with pytest.raises(ValueError, match=r"another network.*masks\.dense\(network\)"):
        masks.check(masks.dense(models.create("lenet-5")), models.create("lenet-300-100"))


# --- refusals


@pytest.mark.parametrize("rate", [-0.1, 1.0001, 20, math.nan, math.inf])
@pytest.mark.parametrize("scope", ["layer", "global"])
@pytest.mark.parametrize("criterion", [criteria.magnitude, criteria.at_random(0)], ids=["magnitude", "lot"])
def test_rates_outside_0_to_1_are_refused(rate, scope, criterion):
    weights = {"w": randn(4, 4)}
    with pytest.raises(ValueError, match=r"is outside 0 to 1: write 0\.2 for 20 %") as caught:
        criterion(weights, ones(weights), rate, scope)
    one_sentence(caught)


def test_a_bad_rate_of_one_layer_is_refused():
    weights = {"a": randn(4, 4), "b": randn(4, 4)}
    with pytest.raises(ValueError, match="outside 0 to 1"):
        criteria.magnitude(weights, ones(weights), {"a": 0.2, "b": 1.2})


def test_an_unknown_scope_is_refused_with_a_guess():
    weights = {"w": randn(4, 4)}
    with pytest.raises(ValueError, match=r"unknown scope 'layers'.*did you mean 'layer'") as caught:
        criteria.magnitude(weights, ones(weights), 0.2, "layers")
    one_sentence(caught)


def test_a_rate_per_layer_with_global_scope_is_refused():
    weights = {"w": randn(4, 4)}
    with pytest.raises(ValueError, match="global pruning takes one rate") as caught:
        criteria.magnitude(weights, ones(weights), {"w": 0.2}, "global")
    one_sentence(caught)


def test_a_layer_missing_from_the_rates_is_named():
    weights = {"fc1.weight": randn(4, 4), "fc2.weight": randn(4, 4)}
    with pytest.raises(ValueError, match=r"'fc2\.weight'") as caught:
        criteria.magnitude(weights, ones(weights), {"fc1.weight": 0.2})
    one_sentence(caught)


@pytest.mark.parametrize("quality", [-0.5, {"a": 1.0, "b": -1}, math.nan])
def test_a_negative_quality_is_refused(quality):
    with pytest.raises(ValueError, match="so 0 or more") as caught:
        criteria.threshold(quality)
    one_sentence(caught)


def test_a_layer_missing_from_the_qualities_is_named():
    weights = {"fc1.weight": randn(4, 4), "fc2.weight": randn(4, 4)}
    with pytest.raises(ValueError, match=r"'fc2\.weight'") as caught:
        criteria.threshold({"fc1.weight": 1.0})(weights, ones(weights), 0.0, "layer")
    one_sentence(caught)


@pytest.mark.parametrize(
    "criterion",
    [
        criteria.magnitude,
        lambda weights, mask, rate, scope: criteria.magnitude(weights, mask, rate, "global"),
        criteria.threshold(0.5),
    ],
    ids=["layer", "global", "threshold"],
)
def test_weights_that_are_not_numbers_are_refused(criterion):
    weights = {"w": randn(4, 4)}
    weights["w"][1, 2] = math.nan
    with pytest.raises(ValueError, match=r"NaN.*lower the learning rate") as caught:
        criterion(weights, ones(weights), 0.2, "layer")
    one_sentence(caught)


@pytest.mark.parametrize("share", [-0.1, 1.5, math.nan])
def test_a_share_outside_0_to_1_is_refused(share):
    with pytest.raises(ValueError, match=r"share .* is outside 0 to 1"):
        criteria.quality_for(randn(4, 4), share)


@pytest.mark.parametrize("count", [-1, 13])
def test_a_count_outside_the_weights_is_refused(count):
    with pytest.raises(ValueError, match=f"cannot keep {count} of 12 weights"):
        masks.keep_largest(randn(3, 4), count)


@pytest.mark.parametrize("kind", WEIGHTS)
def test_keep_largest_is_a_sort(kind):
    scores = WEIGHTS[kind]
    n = scores.numel()
    for count in {0, 1, n // 3, n // 2, n - 1, n} & set(range(n + 1)):
        keep = masks.keep_largest(scores, count)
        assert int(keep.sum()) == count
        if 0 < count < n:
            assert scores[keep].min() >= scores[~keep].max()


# --- the largest, found without sorting


def by_sorting(scores, count):
    """Sort, and keep the last: of equal scores the earlier come first, and so are pruned first."""
    keep = torch.zeros(scores.numel(), dtype=torch.bool)
    keep[scores.flatten().sort(stable=True).indices[scores.numel() - count :]] = True
    return keep.view(scores.shape)


class OnGpu(torch.Tensor):
    """Scores that say that they are on a GPU: `top` then goes the way without waiting, which any device can go."""

    is_cuda = True


def shares(n):
    """Counts at many shares from 0 to 1, and at all of those that are next to an end."""
    return sorted({round(i / 23 * n) for i in range(24)} | ({0, 1, 2, n - 2, n - 1, n} & set(range(n + 1))))


def spread(kind, shape, dtype, seed):
    """|scores| of one kind: all different, few values, one value, zeros of both signs, some infinite."""
    scores = randn(*shape, seed=seed).to(dtype)
    if kind == "few values":
        scores = (scores * 1.5).round()
    elif kind == "all equal":
        scores = torch.full(shape, -0.3, dtype=dtype)
    elif kind == "zeros of both signs":
        scores = torch.where(scores > 0.8, scores, torch.where(scores > 0, 0.0, -0.0).to(dtype))
        return scores  # as they are: −0 and 0 are equal
    elif kind == "infinite":
        scores = torch.where(scores.abs() > 1, math.inf * scores.sign(), scores)
    return scores.abs()


KINDS = ["different", "few values", "all equal", "zeros of both signs", "infinite"]
SHAPES = [(1, 1), (2, 1), (37, 29), (7, 5, 3, 3), (1, 300), (5, 4, 3, 2, 2)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.float16, torch.bfloat16], ids=str)
def test_the_largest_are_those_of_a_stable_sort_weight_for_weight(kind, dtype):
    for seed, shape in enumerate(SHAPES):
        scores = spread(kind, shape, dtype, seed)
        forms = [scores, scores.clone().requires_grad_()]
        if len(shape) == 4:
            forms.append(scores.contiguous(memory_format=torch.channels_last))
        for count in shares(scores.numel()):
            expected = by_sorting(scores, count)
            for form in forms:
                for keep in (masks.top(form, count), masks.keep_largest(form, count)):
                    assert keep.dtype == torch.bool and not keep.requires_grad
                    assert torch.equal(keep, expected), (shape, count)
            on_gpu = masks.top(scores.as_subclass(OnGpu), count)
            assert torch.equal(on_gpu.as_subclass(torch.Tensor), expected), (shape, count)


def test_random_shapes_and_ties_at_every_count():
    generator = torch.Generator().manual_seed(11)
    for number in range(40):
        shape = torch.randint(1, 7, (1 + number % 4,), generator=generator).tolist()
        values = int(torch.randint(1, 9, (), generator=generator))
        scores = torch.randint(0, values, shape, generator=generator).float()
        for count in range(scores.numel() + 1):
            expected = by_sorting(scores, count)
            assert torch.equal(masks.top(scores, count), expected), (shape, count)
            assert torch.equal(masks.top(scores.as_subclass(OnGpu), count), expected), (shape, count)


def test_signed_scores_are_ranked_with_their_sign():
    scores = torch.tensor([-3.0, 1.0, -math.inf, 0.0, math.inf])
    assert masks.top(scores, 2).tolist() == [False, True, False, False, True]
    assert masks.top(scores, 4).tolist() == [True, True, False, True, True]


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_choosing_the_largest_leaves_the_scores_as_they_are(dtype):
    scores = randn(30, 20).to(dtype)
    before = scores.clone()
    for count in (0, 1, 300, 600):
        masks.top(scores, count)
    assert torch.equal(scores, before), "partitioned in place"


def test_the_largest_can_be_chosen_in_inference_mode():
    scores = randn(9, 9).abs()
    with torch.inference_mode():
        assert torch.equal(masks.top(scores, 40), by_sorting(scores, 40))
        assert torch.equal(masks.top(scores * 2, 40), by_sorting(scores, 40))


# --- what is no mask


NO_MASKS = {
    "empty": ({}, "this mask is empty: make one with masks.dense"),
    "a tensor": (torch.ones(3, 2) > 0, "a mask is a dict, name → booleans, and this is a Tensor"),
    "nothing": (None, "a mask is a dict, name → booleans, and this is a NoneType"),
    "an array": (
        {"weight": np.ones((3, 2), bool)},
        r"'weight' is of type ndarray: write torch.tensor\(mask\['weight'\], dt",
    ),
    "a list": ({"weight": [[True, False]] * 3}, r"'weight' is of type list: write torch.tensor\(mask"),
    "a number": ({"weight": 1}, "one boolean for each weight, but 'weight' is only 1: begin with masks.dense"),
    "a share": ({"weight": 0.5}, "'weight' is only 0.5"),
    "a number of NumPy's": ({"weight": np.float32(1)}, "one boolean for each weight, but 'weight' is only"),
    "floats": ({"weight": torch.ones(3, 2)}, r"'weight' is torch.float32: write mask\['weight'\].bool\(\)"),
}
ASK = {
    "check": lambda mask: masks.check(mask, nn.Linear(2, 3)),
    "apply": lambda mask: masks.apply(nn.Linear(2, 3), mask),
    "density": masks.density,
    "kept": masks.kept,
    "shuffle": lambda mask: masks.shuffle(mask, 0),
    "select": lambda mask: criteria.magnitude({"weight": torch.ones(3, 2)}, mask, 0.5),
    "select globally": lambda mask: criteria.magnitude({"weight": torch.ones(3, 2)}, mask, 0.5, "global"),
    "select at random": lambda mask: criteria.at_random(0)({}, mask, 0.5, "layer"),
    "select by a threshold": lambda mask: criteria.threshold(1.0)({"weight": torch.ones(3, 2)}, mask, 0.0, "layer"),
    "rates": lambda mask: criteria.layer_rates(mask, 0.2),
}


@pytest.mark.parametrize("ask", ASK)
@pytest.mark.parametrize("kind", NO_MASKS)
def test_what_is_no_mask_is_told_in_one_sentence(kind, ask):
    mask, words = NO_MASKS[kind]
    with pytest.raises(ValueError, match=words) as caught:
        ASK[ask](mask)
    one_sentence(caught)


def test_what_the_sentence_says_to_write_makes_a_mask():
    mask = {"weight": np.array([[1, 0], [0, 1], [1, 1]])}
    masks.check({"weight": torch.tensor(mask["weight"], dtype=torch.bool)}, nn.Linear(2, 3))


# --- the output layer


class Parts(nn.Module):
    def __init__(self, **layers):
        super().__init__()
        for name, layer in layers.items():
            self.add_module(name, layer)


OUT_OF_ORDER = {
    "head first": (Parts(head=nn.Linear(30, 10), body=nn.Linear(49, 30)), "head.weight"),
    "head first, of a gray convolution": (
        Parts(head=nn.Linear(64, 10), a=nn.Conv2d(1, 32, 3), b=nn.Conv2d(32, 64, 3)),
        "head.weight",
    ),
    "head in the middle": (
        Parts(a=nn.Conv2d(3, 32, 3), head=nn.Linear(64, 10), b=nn.Conv2d(32, 64, 3)),
        "head.weight",
    ),
    "all convolutions, head first": (
        Parts(head=nn.Conv2d(16, 10, 1), a=nn.Conv2d(3, 8, 3), b=nn.Conv2d(8, 16, 3)),
        "head.weight",
    ),
    "another way round": (Parts(c=nn.Linear(20, 10), b=nn.Linear(30, 20), a=nn.Linear(40, 30)), "c.weight"),
    "as many classes as inputs": (Parts(head=nn.Linear(30, 10), body=nn.Linear(10, 30)), "head.weight"),
}


@pytest.mark.parametrize("kind", OUT_OF_ORDER)
def test_a_network_that_is_not_defined_in_its_order_is_asked_for_its_output_layer(kind):
    network, output = OUT_OF_ORDER[kind]
    mask = masks.dense(network)
    with pytest.raises(ValueError, match=r"which layer is the output layer: name its weight, .*last='") as caught:
        criteria.layer_rates(mask, 0.2)
    one_sentence(caught)
    assert kind == "as many classes as inputs" or f"last='{output}'" in str(caught.value)
    rates = criteria.layer_rates(mask, 0.2, last=output)
    assert rates == {name: 0.1 if name == output else 0.2 for name in mask}
    with pytest.raises(ValueError, match=r"unknown layer 'fc'"):
        criteria.layer_rates(mask, 0.2, last="fc")


@pytest.mark.parametrize("name", models.NAMES)
def test_the_output_layer_of_the_courses_networks_is_the_last(name):
    mask = masks.dense(models.create(name, device="meta"))
    rates = criteria.layer_rates(mask, 0.2, conv=0.1)
    assert list(rates) == list(mask)
    assert rates == {n: 0.2 if m.dim() == 2 else 0.1 for n, m in mask.items()} | {list(mask)[-1]: 0.1}
