"""The check of the second review question accepts different right searches and finds what is wrong in others."""

import copy
import math

import pytest
import torch
from verdict_reports import accepted, refused, refused_and_not_stopped

from ltcourse.classroom import checks
from ltcourse.networks import masks
from ltcourse.pruning import criteria

# Question 2: the algorithm that finds the ticket


def by_the_library(network, train, rate, rounds):
    θ0 = {name: p.detach().clone() for name, p in network.named_parameters()}
    mask = masks.dense(network)
    for _ in range(rounds):
        train(network, mask)
        mask = criteria.magnitude(masks.prunable(network), mask, rate)
        network.load_state_dict(θ0)
        masks.apply(network, mask)
    return mask


def by_hand(network, train, rate, rounds):
    """By sorting, with the initial weights in a list, and without masking before the last round."""
    first = [p.detach().numpy().copy() for p in network.parameters()]
    mask = {name: torch.ones(p.shape, dtype=torch.bool) for name, p in network.named_parameters() if p.ndim > 1}
    for _ in range(rounds):
        train(network, mask)
        for name, m in mask.items():
            magnitude = network.get_parameter(name).detach().abs().where(m, torch.tensor(math.inf))
            order = magnitude.flatten().argsort()
            mask[name] = m.clone()
            mask[name].view(-1)[order[: round(rate * int(m.sum()))]] = False
        for p, w in zip(network.parameters(), first, strict=True):
            p.data = torch.from_numpy(w.copy())
    for name, m in mask.items():
        network.get_parameter(name).data[~m] = 0
    return mask


def by_training_copies(network, train, rate, rounds):
    mask = masks.dense(network)
    for _ in range(rounds):
        trained = copy.deepcopy(network)
        train(trained, mask)
        mask = criteria.magnitude(masks.prunable(trained), mask, rate)
    masks.apply(network, mask)
    return mask


def that_tries_its_ticket(network, train, rate, rounds):
    """Trains the ticket, too, and returns to it."""
    mask = by_the_library(network, train, rate, rounds)
    θ0 = copy.deepcopy(network.state_dict())
    train(network, mask)
    network.load_state_dict(θ0)
    return mask


@pytest.mark.parametrize("answer", [by_the_library, by_hand, by_training_copies, that_tries_its_ticket])
def test_find_ticket_accepts(answer):
    verdict = checks.find_ticket(answer)
    accepted(verdict)
    assert "unseen digits right: ticket" in str(verdict)


def searching(choose=None, back=None, *, begin=None, end=None, under=None, rounds_of=lambda rounds: rounds):
    """A search of other parts.

    choose(trained, mask, rate, θ0) → the next mask. back, end(network, θ0, mask): the reset of a round, and what comes
    last.
    """

    def reset(network, θ0, mask):
        network.load_state_dict(θ0)
        masks.apply(network, mask)

    def function(network, train, rate, rounds):
        θ0 = {name: p.detach().clone() for name, p in network.named_parameters()}
        mask = masks.dense(network)
        if begin:
            begin(network)
        for _ in range(rounds_of(rounds)):
            train(network, under(network) if under else mask)
            trained = {name: p.detach().clone() for name, p in network.named_parameters()}
            mask = choose(trained, mask, rate, θ0) if choose else criteria.magnitude(trained, mask, rate)
            (back or reset)(network, θ0, mask)
        if end:
            end(network, θ0, mask)
        return mask

    return function


def by_initial_magnitude(trained, mask, rate, θ0):
    return criteria.magnitude(θ0, mask, rate)


def all_layers_together(trained, mask, rate, θ0):
    return criteria.magnitude(trained, mask, rate, "global")


def share_of_all(trained, mask, rate, θ0):
    counts = {name: int(m.sum()) - round(rate * m.numel()) for name, m in mask.items()}
    scores = {name: trained[name].abs().where(m, torch.tensor(-1.0)) for name, m in mask.items()}
    return {name: masks.keep_largest(s, max(counts[name], 0)) for name, s in scores.items()}


def rounded_up(trained, mask, rate, θ0):
    counts = {name: int(m.sum()) - math.ceil(rate * int(m.sum())) for name, m in mask.items()}
    scores = {name: trained[name].abs().where(m, torch.tensor(-1.0)) for name, m in mask.items()}
    return {name: masks.keep_largest(s, counts[name]) for name, s in scores.items()}


def the_smallest(trained, mask, rate, θ0):
    return criteria.select({name: -trained[name].abs() for name in mask}, mask, rate)


def by_sign(trained, mask, rate, θ0):
    return criteria.select({name: trained[name] for name in mask}, mask, rate)


def keeps_the_rate(trained, mask, rate, θ0):
    scores = {name: trained[name].abs().where(m, torch.tensor(-1.0)) for name, m in mask.items()}
    return {name: masks.keep_largest(s, round(rate * int(mask[name].sum()))) for name, s in scores.items()}


def brings_back(trained, mask, rate, θ0):
    """Chooses among the initial values of the pruned weights, too."""
    whole = {name: torch.ones_like(m) for name, m in mask.items()}
    left = sum(int(m.sum()) for m in mask.values()) / sum(m.numel() for m in mask.values())
    mixed = {name: trained[name].where(m, 10 * θ0[name]) for name, m in mask.items()}
    return criteria.magnitude(mixed, whole, 1 - left * (1 - rate))


def nothing(network, θ0, mask):
    masks.apply(network, mask)


def weights_only(network, θ0, mask):
    for name, m in mask.items():
        network.get_parameter(name).data = θ0[name] * m


def without_the_mask(network, θ0, mask):
    network.load_state_dict(θ0)


def drawn_anew(network, θ0, mask):
    generator = torch.Generator().manual_seed(50)
    for p in network.parameters():
        p.data = torch.randn(p.shape, generator=generator)
    masks.apply(network, mask)


def rounded(network, θ0, mask):
    network.load_state_dict({name: w.half().float() for name, w in θ0.items()})
    masks.apply(network, mask)


def zeros_again(trained, mask, rate, θ0):
    cut = {n: trained[n].abs().flatten().kthvalue(round(rate * m.numel())).values for n, m in mask.items()}
    return {n: trained[n].abs() > cut[n] for n in mask}


VIEWS = (
    lambda network: network.state_dict(),
    lambda network: dict(network.state_dict()),
    lambda network: copy.copy(network.state_dict()),
    lambda network: {name: p.detach() for name, p in network.named_parameters()},
    lambda network: {name: p.data for name, p in network.named_parameters()},
)


def a_view_of_the_state(view):
    def function(network, train, rate, rounds):
        θ0 = view(network)
        mask = masks.dense(network)
        for _ in range(rounds):
            train(network, mask)
            mask = criteria.magnitude(masks.prunable(network), mask, rate)
            network.load_state_dict(θ0)
            masks.apply(network, mask)
        return mask

    return function


def reset_at_the_end(network, train, rate, rounds):
    """Strategy 2 of the paper."""
    return searching(
        back=nothing, end=lambda network, θ0, mask: (network.load_state_dict(θ0), masks.apply(network, mask))
    )(network, train, rate, rounds)


def in_one_shot(network, train, rate, rounds):
    return by_the_library(network, train, 1 - (1 - rate) ** rounds, 1)


def in_one_shot_by_layers(network, train, rate, rounds):
    """The very counts that all rounds leave."""
    θ0 = {name: p.detach().clone() for name, p in network.named_parameters()}
    train(network, masks.dense(network))
    mask = {}
    for name, p in masks.prunable(network).items():
        left = p.numel()
        for _ in range(rounds):
            left -= round(rate * left)
        mask[name] = masks.keep_largest(p.detach().abs(), left)
    network.load_state_dict(θ0)
    masks.apply(network, mask)
    return mask


def prunes_first(network, train, rate, rounds):
    θ0 = {name: p.detach().clone() for name, p in network.named_parameters()}
    mask = masks.dense(network)
    for _ in range(rounds):
        mask = criteria.magnitude(masks.prunable(network), mask, rate)
        train(network, mask)
        network.load_state_dict(θ0)
        masks.apply(network, mask)
    return mask


def never_trains(network, train, rate, rounds):
    mask = masks.dense(network)
    for _ in range(rounds):
        mask = criteria.magnitude(masks.prunable(network), mask, rate)
    masks.apply(network, mask)
    return mask


def leaves_it_trained(network, train, rate, rounds):
    mask = by_the_library(network, train, rate, rounds)
    train(network, mask)
    return mask


def forgets_the_last_mask(network, train, rate, rounds):
    mask = by_the_library(network, train, rate, rounds - 1)
    train(network, mask)
    return mask


@pytest.mark.parametrize(
    ("answer", "evidence"),
    [
        (searching(by_initial_magnitude), ["after training 1", "smallest of the initial weights, not of the trained"]),
        (searching(all_layers_together), ["4 → 6 → 3", "all layers together: each layer loses its own share"]),
        (searching(share_of_all), ["after training 2", "30% of all weights of a layer, not of the remaining ones"]),
        (searching(rounded_up), ["it prunes 8 of the 24 remaining weights of 0.weight, and should prune 7"]),
        (searching(the_smallest), ["it prunes the largest magnitudes"]),
        (searching(by_sign), ["magnitude has no sign"]),
        (searching(keeps_the_rate), ["it keeps 30% of the remaining weights", "the other way round"]),
        (searching(brings_back), ["after training 2", "are back"]),
        (searching(lambda t, mask, rate, θ0: criteria.at_random(1)(t, mask, rate, "layer")), ["trained magnitude is"]),
        (searching(lambda t, mask, rate, θ0: mask), ["the mask keeps every weight"]),
        (lambda network, train, rate, rounds: masks.dense(network), ["the mask keeps every weight"]),
        (searching(zeros_again), ["4 → 6 → 3", "after training 2", "so they count as the smallest again"]),
        (
            searching(lambda t, m, rate, θ0: criteria.magnitude(t, m, rate) if m["0.weight"].all() else m),
            ["after training 2", "and too few new ones go"],
        ),
        (searching(back=nothing), ["the network is as the last training left it"]),
        *(
            (a_view_of_the_state(view), ["from a copy (state_dict() shares its tensors with the network: clone them)"])
            for view in VIEWS
        ),
        (reset_at_the_end, ["training 2 begins where training 1 ended", "in every round", "clone them"]),
        (searching(back=weights_only), ["the weights are reset, but not the biases"]),
        (searching(back=without_the_mask), ["pruned weights are not 0: the ticket is m ⊙ θ₀"]),
        (searching(back=drawn_anew), ["not at their initial values, bit by bit"]),
        (searching(back=rounded), ["not at their initial values, bit by bit"]),
        (searching(end=drawn_anew), ["not at their initial values, bit by bit"]),
        (searching(begin=lambda network: drawn_anew(network, {}, masks.dense(network))), ["train it as it is given"]),
        (searching(under=masks.dense), ["4 → 6 → 3", "training 2 was under the mask of training 1"]),
        (in_one_shot, ["one shot: after training 1 it prunes at once what 2 rounds should prune"]),
        (in_one_shot_by_layers, ["one shot: after training 1 it prunes at once what 2 rounds should prune"]),
        (searching(rounds_of=lambda rounds: rounds + 1), ["`rounds` is 1, but your function pruned in 2"]),
        (searching(rounds_of=lambda rounds: max(1, rounds - 1)), ["`rounds` is 2, but your function pruned in 1"]),
        (forgets_the_last_mask, ["the mask keeps every weight"]),
        (prunes_first, ["the first training is of the whole network"]),
        (never_trains, ["`train` was never called"]),
        (leaves_it_trained, ["the network is as the last training left it"]),
        (lambda network, train, rate, rounds: network, ["the mask is a dict", "and this is Sequential"]),
        (lambda network, train, rate, rounds: dict(network.named_parameters()), ["and should be of ['0.weight']"]),
        (lambda network, train, rate, rounds: [*masks.dense(network).values()], ["and this is list"]),
    ],
)
def test_find_ticket_refuses(answer, evidence):
    refused_and_not_stopped(checks.find_ticket(answer), *evidence)


@pytest.mark.parametrize(
    ("back", "evidence"),
    [
        (nothing, "training 2 begins where training 1 ended"),
        (weights_only, "training 2 begins from initial weights, but not from the initial biases"),
        (drawn_anew, "training 2 begins from other weights than the initial ones, bit by bit"),
        (rounded, "training 2 begins from other weights than the initial ones, bit by bit"),
    ],
)
def test_find_ticket_sees_a_reset_that_only_the_end_makes_good(back, evidence):
    def right_at_the_end(network, θ0, mask):
        network.load_state_dict(θ0)
        masks.apply(network, mask)

    refused_and_not_stopped(checks.find_ticket(searching(back=back, end=right_at_the_end)), "4 → 6 → 3", evidence)


def test_find_ticket_shows_what_train_refuses():
    def another_mask(network, train, rate, rounds):
        return train(network, {"fc1.weight": torch.ones(2, dtype=torch.bool)})

    refused(checks.find_ticket(another_mask), "ValueError", "this mask is of another network")
