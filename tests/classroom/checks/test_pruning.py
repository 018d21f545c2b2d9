"""The checks of lesson 01 refuse planted wrong answers with evidence, and accept different right ones."""

import copy
import math

import pytest
import torch
from torch.nn.functional import cross_entropy
from verdict_reports import accepted, refused

from ltcourse import pruning
from ltcourse.classroom import checks
from ltcourse.networks import masks
from ltcourse.pruning import criteria

# Lesson 01, exercise 1


def by_topk(weights, count):
    keep = torch.zeros(weights.numel(), dtype=torch.bool)
    keep[weights.abs().flatten().topk(count).indices] = True
    return keep.view_as(weights)


def a_list(weights, count):
    return by_topk(weights, count).tolist()


def by_sorting(weights, count):
    order = weights.flatten().abs().argsort(descending=True)
    return torch.isin(torch.arange(weights.numel()), order[:count]).reshape(weights.shape)


def by_squares_one_by_one(weights, count):
    flat = (weights**2).flatten().tolist()
    best = set(sorted(range(len(flat)), key=flat.__getitem__)[len(flat) - count :])
    return torch.tensor([i in best for i in range(len(flat))]).view(weights.shape)


def by_the_library(weights, count):
    return masks.keep_largest(weights.abs(), count)


@pytest.mark.parametrize("answer", [by_topk, by_sorting, by_squares_one_by_one, by_the_library, a_list])
def test_exact_pruning_accepts(answer):
    accepted(checks.exact_pruning(answer))


def no_magnitude(weights, count):
    return masks.keep_largest(weights, count)


def a_threshold(weights, count):
    cut = weights.abs().flatten().sort(descending=True).values
    return weights.abs() >= cut[count - 1] if count else torch.zeros_like(weights, dtype=torch.bool)


def a_strict_threshold(weights, count):
    magnitude = weights.abs()
    if count == weights.numel():
        return torch.ones_like(weights, dtype=torch.bool)
    return magnitude > magnitude.flatten().sort(descending=True).values[count]


def prunes_count(weights, count):
    return by_topk(weights, weights.numel() - count)


def keeps_the_smallest(weights, count):
    keep = torch.zeros(weights.numel(), dtype=torch.bool)
    keep[weights.abs().flatten().topk(count, largest=False).indices] = True
    return keep.view_as(weights)


def of_floats(weights, count):
    return by_topk(weights, count).float()


def changes_its_input(weights, count):
    keep = by_topk(weights, count)
    weights[~keep] = 0
    return keep


def takes_magnitudes_in_place(weights, count):
    return by_topk(weights.abs_(), count)


def flat(weights, count):
    return by_topk(weights, count).flatten()


def by_lot(weights, count):
    order = torch.randperm(weights.numel(), generator=torch.Generator().manual_seed(5))
    return (order < count).view(weights.shape)


def positions(weights, count):
    return weights.abs().flatten().topk(count).indices


def pruned_weights(weights, count):
    return weights * by_topk(weights, count)


def always_half(weights, count):
    return by_topk(weights, weights.numel() // 2)


def by_its_last(weights, count):
    keep = torch.zeros(weights.numel(), dtype=torch.bool)
    keep[weights.flatten().abs().argsort()[-count:]] = True
    return keep.view_as(weights)


def from_the_threshold(weights, count):
    return weights.abs() >= weights.abs().flatten().sort(descending=True).values[count - 1]


def to_the_last_dropped(weights, count):
    keep = torch.zeros(weights.numel(), dtype=torch.bool)
    keep[weights.flatten().abs().argsort(descending=True)[: -(weights.numel() - count)]] = True
    return keep.view_as(weights)


def only_the_cut(weights, count):
    return weights.abs().max()


def one_dimension_too_many(weights, count):
    return by_topk(weights, count)[None, None]


@pytest.mark.parametrize(
    ("answer", "evidence"),
    [
        (no_magnitude, ["keep 1 of [2.0, -3.0]", "[True, False]", "[False, True]", "magnitude is 1 larger"]),
        (a_threshold, ["[0.5, -0.5, 0.5]", "[True, True, True]", "keeps 3 weights, 1 more than 2"]),
        (a_strict_threshold, ["keeps 0 weights, 2 fewer than 2"]),
        (prunes_count, ["keep 0 of [1.0, 2.0]", "keeps 2 weights, 2 more than 0"]),
        (keeps_the_smallest, ["[True, False]", "[False, True]", "prunes a weight whose magnitude is 1 larger"]),
        (of_floats, ["[0.0, 1.0]", "a mask is boolean, and this is torch.float32"]),
        (changes_its_input, ["your function changed `weights`, which it was given: work on a copy"]),
        (takes_magnitudes_in_place, ["your function changed `weights`, which it was given: work on a copy"]),
        (flat, ["keep 3 of [[0.1, -0.9, 0.4]", "shape (6,), the weights have (2, 3)"]),
        (by_lot, ["prunes a weight whose magnitude is"]),
        (positions, ["[1]", "a mask is boolean, and this is torch.int64"]),
        (pruned_weights, ["[0.0, -3.0]", "a mask is boolean, and this is torch.float32"]),
        (always_half, ["keeps 1 weights, 1 more than 0"]),
        (by_its_last, ["keep 0 of [1.0, 2.0]", "keeps 2 weights, 2 more than 0", "`[-count:]` is all of it"]),
        (from_the_threshold, ["keep 0 of [1.0, 2.0]", "`[count - 1]` is the last of the ranking"]),
        (to_the_last_dropped, ["keep 2 of [1.0, 2.0]", "keeps 0 weights", "`[:-0]` is empty"]),
        (lambda weights, count: torch.ones_like(weights, dtype=torch.bool), ["keeps 2 weights, 1 more than 1"]),
        (lambda weights, count: torch.zeros_like(weights, dtype=torch.bool), ["keeps 0 weights, 1 fewer than 1"]),
        (lambda weights, count: weights.clone(), ["a mask is boolean"]),
        (only_the_cut, ["3.0", "a mask is boolean, and this is torch.float32"]),
        (one_dimension_too_many, ["shape (1, 1, 2)", "(2,)"]),
    ],
)
def test_exact_pruning_refuses(answer, evidence):
    refused(checks.exact_pruning(answer), *evidence)


def test_exact_pruning_counts_the_cases_that_were_right():
    assert "3 cases right before this one" in str(checks.exact_pruning(a_threshold))


# Lesson 01, exercise 2


def one_step(network, optimizer, x, y):
    optimizer.zero_grad()
    loss = cross_entropy(network(x), y)
    loss.backward()
    optimizer.step()
    return loss.item()


def mask_after(network, optimizer, mask, x, y):
    loss = one_step(network, optimizer, x, y)
    masks.apply(network, mask)
    return loss


def a_tensor_back(network, optimizer, mask, x, y):
    """The loss with its whole graph."""
    optimizer.zero_grad()
    loss = cross_entropy(network(x), y)
    loss.backward()
    optimizer.step()
    masks.apply(network, mask)
    return loss


def mask_by_indexing(network, optimizer, mask, x, y):
    network.zero_grad()
    loss = torch.nn.CrossEntropyLoss()(network(x), y)
    loss.backward()
    optimizer.step()
    for name, keep in mask.items():
        network.get_parameter(name).data[~keep] = 0.0
    return float(loss)


def mask_gradients_too_and_clean_up_behind(network, optimizer, mask, x, y):
    loss = cross_entropy(network(x), y)
    loss.backward()
    for name, keep in mask.items():
        network.get_parameter(name).grad.mul_(keep)
    optimizer.step()
    optimizer.zero_grad(set_to_none=False)
    with torch.no_grad():
        for name, keep in mask.items():
            p = network.get_parameter(name)
            p.copy_(torch.where(keep, p, torch.zeros(())))
    return loss.item()


@pytest.mark.parametrize(
    "answer", [mask_after, mask_by_indexing, mask_gradients_too_and_clean_up_behind, a_tensor_back]
)
def test_masked_step_accepts(answer):
    accepted(checks.masked_step(answer))


def mask_the_gradient_only(network, optimizer, mask, x, y):
    optimizer.zero_grad()
    loss = cross_entropy(network(x), y)
    loss.backward()
    for name, keep in mask.items():
        network.get_parameter(name).grad.mul_(keep)
    optimizer.step()
    return loss.item()


def mask_before(network, optimizer, mask, x, y):
    masks.apply(network, mask)
    return one_step(network, optimizer, x, y)


def no_mask(network, optimizer, mask, x, y):
    return one_step(network, optimizer, x, y)


def old_gradients_stay(network, optimizer, mask, x, y):
    loss = cross_entropy(network(x), y)
    loss.backward()
    optimizer.step()
    masks.apply(network, mask)
    return loss.item()


def no_training(network, optimizer, mask, x, y):
    masks.apply(network, mask)
    return cross_entropy(network(x), y).item()


def no_backward(network, optimizer, mask, x, y):
    optimizer.zero_grad()
    loss = cross_entropy(network(x), y)
    optimizer.step()
    masks.apply(network, mask)
    return loss.item()


def negatives_are_zeros_too(network, optimizer, mask, x, y):
    with torch.no_grad():
        small = {name: network.get_parameter(name) < 1e-6 for name in mask}
    loss = one_step(network, optimizer, x, y)
    for name in mask:
        network.get_parameter(name).data[small[name]] = 0
    return loss


def uphill(network, optimizer, mask, x, y):
    optimizer.zero_grad()
    loss = cross_entropy(network(x), y)
    (-loss).backward()
    optimizer.step()
    masks.apply(network, mask)
    return loss.item()


def biases_go(network, optimizer, mask, x, y):
    loss = mask_after(network, optimizer, mask, x, y)
    for name, p in network.named_parameters():
        if name not in mask:
            p.data.zero_()
    return loss


def biases_frozen(network, optimizer, mask, x, y):
    before = {name: p.detach().clone() for name, p in network.named_parameters()}
    loss = mask_after(network, optimizer, mask, x, y)
    for name, p in network.named_parameters():
        if name not in mask:
            p.data.copy_(before[name])
    return loss


def a_layer_forgotten(network, optimizer, mask, x, y):
    loss = one_step(network, optimizer, x, y)
    name = next(iter(mask))
    network.get_parameter(name).data.mul_(mask[name])
    return loss


def two_steps(network, optimizer, mask, x, y):
    one_step(network, optimizer, x, y)
    return mask_after(network, optimizer, mask, x, y)


def an_optimizer_of_its_own(network, optimizer, mask, x, y):
    return mask_after(network, torch.optim.SGD(network.parameters(), lr=0.1), mask, x, y)


def half_of_the_batch(network, optimizer, mask, x, y):
    return mask_after(network, optimizer, mask, x[:4], y[:4])


def upside_down(network, optimizer, mask, x, y):
    return mask_after(network, optimizer, {name: ~keep for name, keep in mask.items()}, x, y)


def not_a_number(network, optimizer, mask, x, y):
    """0/0: a division by the mask where a product was meant."""
    loss = one_step(network, optimizer, x, y)
    for name, keep in mask.items():
        network.get_parameter(name).data.mul_(keep).div_(keep)
    return loss


def a_bias_not_a_number(network, optimizer, mask, x, y):
    loss = mask_after(network, optimizer, mask, x, y)
    for name, p in network.named_parameters():
        if name not in mask:
            p.data.div_(0).sub_(p.data)
    return loss


def the_loss_after(network, optimizer, mask, x, y):
    mask_after(network, optimizer, mask, x, y)
    return cross_entropy(network(x), y).item()


def the_sum_of_losses(network, optimizer, mask, x, y):
    return len(x) * mask_after(network, optimizer, mask, x, y)


AWAY = "is not where one step of the optimizer on this batch leads"


BACK = "pruned weights came back to life"


@pytest.mark.parametrize(
    ("answer", "evidence"),
    [
        (
            mask_the_gradient_only,
            ["SGD with momentum and weight decay, step 1", "(6 cases right", BACK, "the optimizer remembers earlier"],
        ),
        (mask_before, ["SGD, step 1", "a pruned weight of 0.weight is", BACK, "so mask after every step"]),
        (lambda *given: [mask_after(*given)], ["list", "the loss is a number: return loss.item()"]),
        (the_loss_after, ["SGD, loss of step 1", "this is the loss after the step"]),
        (the_sum_of_losses, ["SGD, loss of step 1", "this is the sum over the batch"]),
        (no_mask, ["SGD, step 1", BACK]),
        (old_gradients_stay, ["SGD, step 2", "(2 cases right", "the gradients of the steps add up"]),
        (no_training, ["SGD, step 1", "largest difference of the others", "no weight has moved"]),
        (no_backward, ["SGD, step 1", "no weight has moved"]),
        (negatives_are_zeros_too, ["SGD, step 1", AWAY]),
        (uphill, ["SGD, step 1", "up the gradient"]),
        (biases_go, ["SGD, step 1", ".bias is not where one step"]),
        (biases_frozen, ["SGD, step 1", ".bias is not where one step"]),
        (a_layer_forgotten, ["a pruned weight of 2.weight is", BACK]),
        (two_steps, ["SGD, step 1", AWAY]),
        (an_optimizer_of_its_own, ["SGD with momentum and weight decay", AWAY]),
        (half_of_the_batch, ["SGD, step 1", AWAY]),
        (upside_down, ["SGD, step 1", BACK]),
        (lambda network, optimizer, mask, x, y: 0.0, ["no weight has moved"]),
        (lambda network, optimizer, mask, x, y: x, ["no weight has moved"]),
        (not_a_number, ["nan"]),
        (a_bias_not_a_number, ["nan"]),
    ],
)
def test_masked_step_refuses(answer, evidence):
    refused(checks.masked_step(answer), *evidence)


def test_masked_step_asks_for_the_loss_too():
    def another_number(*given):
        mask_after(*given)
        return -1.0

    refused(checks.masked_step(another_number), "-1.0", "loss")


# Lesson 01, exercise 3


def by_the_lesson(network, shares, accuracy):
    found = {}
    for layer, weight in masks.prunable(network).items():
        before = weight.detach().clone()
        found[layer] = []
        for share in shares:
            keep = masks.keep_largest(before.abs(), round(share * before.numel()))
            weight.data = before * keep
            found[layer].append(accuracy(network))
        weight.data = before
    return found


def by_loading_the_state(network, shares, accuracy):
    state = {name: p.clone() for name, p in network.state_dict().items()}
    found = {name: [] for name in masks.prunable(network)}
    for share in reversed(shares):
        for name, values in found.items():
            w = state[name].flatten()
            w = w.clone().index_fill(0, w.abs().argsort()[: w.numel() - round(share * w.numel())], 0.0)
            network.load_state_dict({**state, name: w.view_as(state[name])})
            values.insert(0, accuracy(network))
    network.load_state_dict(state)
    return found


def rounding_halves_up(network, shares, accuracy):
    """4.5 weights are as near to 5 as to 4."""
    found = {}
    for layer, weight in masks.prunable(network).items():
        before = weight.detach().clone()
        found[layer] = []
        for share in shares:
            weight.data = before * masks.keep_largest(before.abs(), math.floor(share * before.numel() + 0.5))
            found[layer].append(accuracy(network))
        weight.data = before
    return found


def as_tensors(network, shares, accuracy):
    return {name: torch.tensor(values) for name, values in by_the_lesson(network, shares, accuracy).items()}


@pytest.mark.parametrize(
    "answer", [by_the_lesson, by_loading_the_state, pruning.sensitivity, rounding_halves_up, as_tensors]
)
def test_sensitivity_scan_accepts(answer):
    accepted(checks.sensitivity_scan(answer))


def scan(choose=None, *, together=False, restore=True, start_over=True):
    """Make a scan; choose(weights, share) → the weights to go on with."""

    def keep_share(weights, share):
        return weights * masks.keep_largest(weights.abs(), round(share * weights.numel()))

    choose = choose or keep_share

    def function(network, shares, accuracy):
        weights = masks.prunable(network)
        before = {name: p.detach().clone() for name, p in weights.items()}
        found = {}
        for layer in weights:
            found[layer] = []
            for share in shares:
                for name in weights if together else [layer]:
                    weights[name].data = choose(before[name] if start_over else weights[name].data, share)
                found[layer].append(accuracy(network))
            for name in weights if restore else []:
                weights[name].data = before[name]
        return found

    return function


def left_changed(network, shares, accuracy):
    """Restores each layer but the last."""
    found = by_the_lesson(network, shares, accuracy)
    weight = list(masks.prunable(network).values())[-1]
    weight.data = weight.data * masks.keep_largest(weight.data.abs(), weight.numel() // 2)
    return found


def of_what_is_left(weights, share):
    left = int((weights != 0).sum())
    return weights * masks.keep_largest(weights.abs(), round(share * left))


def share_pruned(weights, share):
    return weights * masks.keep_largest(weights.abs(), round((1 - share) * weights.numel()))


def chosen_by_lot(weights, share):
    scores = torch.rand(weights.shape, generator=torch.Generator().manual_seed(1))
    return weights * masks.keep_largest(scores, round(share * weights.numel()))


def of_largest_values(weights, share):
    return weights * masks.keep_largest(weights, round(share * weights.numel()))


def one_threshold_for_all(network, shares, accuracy):
    weights = masks.prunable(network)
    before = {name: p.detach().clone() for name, p in weights.items()}
    found = {name: [] for name in weights}
    for share in shares:
        keep = criteria.magnitude(before, masks.dense(network), 1 - share, "global")
        for layer, p in weights.items():
            p.data = before[layer] * keep[layer]
            found[layer].append(accuracy(network))
            p.data = before[layer]
    return found


def from_a_view(view, put_back="share"):
    """Prunes in place, and restores from what shares its memory with the network, after each share or layer."""

    def function(network, shares, accuracy):
        before = view(network)
        found = {}
        for layer, weight in masks.prunable(network).items():
            found[layer] = []
            for share in shares:
                weight.data.mul_(masks.keep_largest(weight.detach().abs(), round(share * weight.numel())))
                found[layer].append(accuracy(network))
                if put_back == "share":
                    network.load_state_dict(before)
            network.load_state_dict(before)
        return found

    return function


VIEWS = (
    lambda network: network.state_dict(),
    lambda network: dict(network.state_dict()),
    lambda network: copy.copy(network.state_dict()),
    lambda network: {name: p.detach() for name, p in network.named_parameters()},
    lambda network: {name: p.data for name, p in network.named_parameters()},
)


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("put_back", ["share", "layer"])
def test_sensitivity_scan_names_a_state_without_a_copy(view, put_back):
    verdict = checks.sensitivity_scan(from_a_view(view, put_back))
    refused(verdict, "2 → 3 neurons", "is still pruned at the next", "`state_dict()`", "clone them")


def first_layer_only(network, shares, accuracy):
    found = by_the_lesson(network, shares, accuracy)
    return dict(list(found.items())[1:]) or {"1.weight": [0.0]}


def in_percent(network, shares, accuracy):
    return by_the_lesson(network, [share / 100 for share in shares], accuracy)


def accuracies_in_percent(network, shares, accuracy):
    return {name: [100 * v for v in values] for name, values in by_the_lesson(network, shares, accuracy).items()}


def always_dense(network, shares, accuracy):
    return {name: [accuracy(network)] * len(shares) for name in masks.prunable(network)}


def a_share_short(network, shares, accuracy):
    return {name: values[1:] for name, values in by_the_lesson(network, shares, accuracy).items()}


def a_list_of_lists(network, shares, accuracy):
    return list(by_the_lesson(network, shares, accuracy).values())


def a_number_a_layer(network, shares, accuracy):
    return {name: values[0] for name, values in by_the_lesson(network, shares, accuracy).items()}


def all_not_numbers(network, shares, accuracy):
    return {name: [math.nan] * len(shares) for name in masks.prunable(network)}


@pytest.mark.parametrize(
    ("answer", "evidence"),
    [
        (left_changed, ["left changed, by up to", "put its weights back after its last share"]),
        (scan(restore=False), ["2 → 3 neurons", "a layer stays pruned while the next ones are scanned"]),
        (scan(of_what_is_left, start_over=False), ["2 → 3 neurons", "largest difference", "0.weight"]),
        (scan(share_pruned), ["2 → 3 neurons, shares [0.5, 1.0, 0.5]", "the shares are those to keep"]),
        (scan(together=True), ["4 → 6 → 4", "largest difference"]),
        (scan(chosen_by_lot), ["largest difference"]),
        (scan(of_largest_values), ["magnitude has no sign"]),
        (one_threshold_for_all, ["4 → 6 → 4", "largest difference"]),
        (first_layer_only, ["the layers are ['1.weight'], and should be ['0.weight']"]),
        (in_percent, ["largest difference"]),
        (accuracies_in_percent, ["largest difference"]),
        (always_dense, ["largest difference"]),
        (a_share_short, ["0.weight has 2 accuracies for 3 shares"]),
        (a_list_of_lists, ["list", "the result is a dict, layer → accuracies, and this is list"]),
        (lambda network, shares, accuracy: {}, ["the layers are [], and should be ['0.weight']"]),
        (
            lambda network, shares, accuracy: {"0.weight": [0.0] * 3},
            ["0.weight: [0.0, 0.0, 0.0]", "largest difference"],
        ),
        (a_number_a_layer, ["0.weight", "list"]),
        (all_not_numbers, ["nan"]),
    ],
)
def test_sensitivity_scan_refuses(answer, evidence):
    verdict = checks.sensitivity_scan(answer)
    refused(verdict, *evidence)
    assert "stopped with this error" not in str(verdict), "the reader's function did not stop: the check did"


def test_sensitivity_scan_refuses_to_prune_what_an_earlier_share_has_left():
    """Right for shares that fall, wrong for shares that rise: 50 % after 25 % stays 25 %."""
    refused(checks.sensitivity_scan(scan(start_over=False)), "a share prunes what an earlier share of the layer")


@pytest.mark.parametrize("answer", [only_the_cut, one_dimension_too_many])
def test_exact_pruning_never_blames_the_reader_for_its_own_errors(answer):
    assert "stopped with this error" not in str(checks.exact_pruning(answer))


# Lesson 01, exercise 4


@pytest.mark.parametrize(
    "answer",
    [
        lambda density, rounds: 1 - density ** (1 / rounds),
        lambda density, rounds: -math.expm1(math.log(density) / rounds),
        lambda density, rounds: 1 - float(torch.tensor(density, dtype=torch.float64).pow(1 / rounds)),
    ],
    ids=["root", "logarithm", "torch"],
)
def test_rate_for_accepts(answer):
    accepted(checks.rate_for(answer))


def test_rate_for_accepts_a_search():
    def bisect(density, rounds):
        low, high = 0.0, 1.0
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (low, middle) if (1 - middle) ** rounds < density else (middle, high)
        return low

    accepted(checks.rate_for(bisect))


@pytest.mark.parametrize(
    ("answer", "evidence"),
    [
        (lambda d, n: (1 - d) / n, ["keep 0.25 after 2 rounds", "0.375", "0.500000", "keep 0.3906, not 0.25"]),
        (lambda d, n: d ** (1 / n), ["keep 1.0 after 3 rounds", "1.0", "0.000000", "keep 0.0000, not 1.0"]),
        (lambda d, n: 1 - d**n, ["keep 0.25 after 2 rounds", "0.9375", "0.500000", "off by 0.44"]),
        (lambda d, n: 0.2, ["keep 1.0 after 3 rounds", "0.2", "0.5120, not 1.0"]),
        (lambda d, n: 0.0, ["keep 0.5 after 1 rounds", "0.500000", "1.0000, not 0.5"]),
        (lambda d, n: f"{1 - d ** (1 / n)}", ["a rate is a number, and this is str"]),
        (lambda d, n: 1 - d, ["keep 0.25 after 2 rounds", "0.75", "0.500000"]),
        (lambda d, n: d, ["keep 1.0 after 3 rounds"]),
        (lambda d, n: 100 * (1 - d ** (1 / n)), ["keep 0.5 after 1 rounds", "50.0", "0.500000"]),
        (lambda d, n: round(1 - d ** (1 / n), 2), ["keep 0.08 after 5 rounds", "0.4"]),
        (lambda d, n: math.nan, ["nan", "0.000000"]),
        (lambda d, n: [1 - d ** (1 / n)], ["a rate is a number, and this is list"]),
    ],
)
def test_rate_for_refuses(answer, evidence):
    refused(checks.rate_for(answer), *evidence)
