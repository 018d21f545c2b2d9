"""The checks of lesson 03 name the classic mistakes with tickets, and accept different right answers."""

import copy
import math

import pytest
import torch
from torch.nn.functional import cross_entropy
from torch.nn.utils import prune
from verdict_reports import accepted, refused, refused_and_not_stopped

from ltcourse.classroom import checks
from ltcourse.networks import masks, models
from ltcourse.pruning import criteria
from ltcourse.training import History

# Exercise 1


def restore(network, initial, mask):
    """Put the initial weights back under a mask."""
    with torch.no_grad():
        for name, p in network.named_parameters():
            p.copy_(initial[name] * mask[name] if name in mask else initial[name])


def by_the_library(network, initial, mask, rate, train):
    train(network, mask)
    new = criteria.magnitude({name: p.detach() for name, p in network.named_parameters()}, mask, rate)
    network.load_state_dict(initial)
    masks.apply(network, new)
    return new


def by_hand(network, initial, mask, rate, train):
    train(network, mask)
    new = {}
    for name, m in mask.items():
        p = network.get_parameter(name)
        magnitude = p.detach().abs().where(m, torch.tensor(math.inf)).flatten()
        new[name] = m.clone()
        new[name].view(-1)[magnitude.argsort()[: round(rate * int(m.sum()))]] = False
    for name, p in network.named_parameters():
        p.data = initial[name].clone()
        if name in new:
            p.data[~new[name]] = 0.0
    return new


def by_training_a_copy(network, initial, mask, rate, train):
    trained = copy.deepcopy(network)
    train(trained, mask)
    new = {}
    for name, m in mask.items():
        p = trained.get_parameter(name)
        survivors = p[m].abs().sort().values
        new[name] = m & (p.abs() > survivors[round(rate * len(survivors)) - 1])
    restore(network, initial, new)
    return new


def without_data(network, initial, mask, rate, train):
    """Puts new parameters into the network instead of new values into its parameters."""
    new = by_the_library(network, initial, mask, rate, train)
    for name in initial:
        layer, _, kind = name.rpartition(".")
        setattr(network.get_submodule(layer), kind, torch.nn.Parameter(network.get_parameter(name).detach().clone()))
    return new


@pytest.mark.parametrize("answer", [by_the_library, by_hand, by_training_a_copy, without_data])
def test_imp_round_accepts(answer):
    accepted(checks.imp_round(answer))


def one_round(choose=None, put_back=restore, *, under=None, times=1):
    """Make a round of other parts: choose(trained weights, mask, rate, initial) → the next mask."""

    def function(network, initial, mask, rate, train):
        for _ in range(times):
            train(network, under(network) if under else mask)
        weights = {name: p.detach() for name, p in network.named_parameters()}
        new = choose(weights, mask, rate, initial) if choose else criteria.magnitude(weights, mask, rate)
        put_back(network, initial, new)
        return new

    return function


def share_of_all(weights, mask, rate, initial):
    """Keeps less and less of what is left, but counts the share of all."""
    counts = {name: int(m.sum()) - round(rate * m.numel()) for name, m in mask.items()}
    scores = {name: weights[name].abs().where(m, torch.tensor(-1.0)) for name, m in mask.items()}
    return {name: masks.keep_largest(s, max(counts[name], 0)) for name, s in scores.items()}


def share_of_all_by_quantile(weights, mask, rate, initial):
    return {name: weights[name].abs() >= weights[name].abs().quantile(rate) for name in mask}


def brings_pruned_back(weights, mask, rate, initial):
    whole = {name: torch.ones_like(m) for name, m in mask.items()}
    return criteria.magnitude(weights, whole, rate)


ZEROS_AGAIN = ["already pruned are 0, so they count as the smallest again", "rank only these, with magnitudes[mask]"]


def zeros_again(keeps):
    """The lesson's own cell for the first round, in a later one: the zeros are the smallest."""

    def choose(weights, mask, rate, initial):
        cut = {n: weights[n].abs().flatten().kthvalue(round(rate * mask[n].numel())).values for n in mask}
        return {n: keeps(weights[n].abs(), cut[n]) for n in mask}

    return choose


def zeros_again_by_rank(weights, mask, rate, initial):
    count = {name: m.numel() - round(rate * m.numel()) for name, m in mask.items()}
    return {name: masks.keep_largest(weights[name].abs(), count[name]) & m for name, m in mask.items()}


def zeros_again_by_quantile(weights, mask, rate, initial):
    if all(m.all() for m in mask.values()):
        return criteria.magnitude(weights, mask, rate)
    return {name: weights[name].abs() > weights[name].abs().quantile(rate, interpolation="lower") for name in mask}


def only_where_enough(choose):
    """Go wrong only where fewer weights are left than the share of all that goes would leave."""

    def careful(weights, mask, rate, initial):
        few = all(m.float().mean() < 0.4 for m in mask.values())
        return (choose if few else lambda w, m, r, i: criteria.magnitude(w, m, r))(weights, mask, rate, initial)

    return careful


def keeps_the_rate(weights, mask, rate, initial):
    left = {name: int(m.sum()) for name, m in mask.items()}
    scores = {name: weights[name].abs().where(m, torch.tensor(-1.0)) for name, m in mask.items()}
    return {name: masks.keep_largest(s, round(rate * left[name])) for name, s in scores.items()}


def without_sign(weights, mask, rate, initial):
    return criteria.select({name: weights[name] for name in mask}, mask, rate)


def the_largest(weights, mask, rate, initial):
    return criteria.select({name: -weights[name].abs() for name in mask}, mask, rate)


def by_lot(weights, mask, rate, initial):
    return criteria.at_random(seed=3)(weights, mask, rate, "layer")


def all_layers_together(weights, mask, rate, initial):
    return criteria.magnitude(weights, mask, rate, "global")


def one_too_many(weights, mask, rate, initial):
    return criteria.magnitude(weights, mask, {name: rate + 1 / int(m.sum()) for name, m in mask.items()})


def of_the_initial(weights, mask, rate, initial):
    return criteria.magnitude(initial, mask, rate)


def changes_the_mask(network, initial, mask, rate, train):
    new = by_the_library(network, initial, mask, rate, train)
    for name, m in new.items():
        mask[name] &= m
    return mask


def prunes_first(network, initial, mask, rate, train):
    new = criteria.magnitude({name: p.detach() for name, p in network.named_parameters()}, mask, rate)
    train(network, new)
    restore(network, initial, new)
    return new


def never_trains(network, initial, mask, rate, train):
    new = criteria.magnitude(initial, mask, rate)
    restore(network, initial, new)
    return new


def no_reset(network, initial, mask):
    masks.apply(network, mask)


def nothing_at_all(network, initial, mask):
    pass


def weights_only(network, initial, mask):
    for name, m in mask.items():
        network.get_parameter(name).data = initial[name] * m


def without_the_mask(network, initial, mask):
    network.load_state_dict(initial)


def drawn_anew(network, initial, mask):
    generator = torch.Generator().manual_seed(50)
    for p in network.parameters():
        p.data = torch.randn(p.shape, generator=generator)
    masks.apply(network, mask)


def drawn_anew_by_the_layers(network, initial, mask):
    torch.manual_seed(0)
    for layer in network:
        if hasattr(layer, "reset_parameters"):
            layer.reset_parameters()
    masks.apply(network, mask)


def biases_at_zero(network, initial, mask):
    restore(network, initial, mask)
    for name, p in network.named_parameters():
        if name not in mask:
            p.data.zero_()


def shares_its_tensors(network, initial, mask):
    for name, p in network.named_parameters():
        p.data = initial[name]
    masks.apply(network, mask)


def shares_the_biases(network, initial, mask):
    for name, p in network.named_parameters():
        p.data = initial[name] * mask[name] if name in mask else initial[name]


def masks_the_initial(network, initial, mask):
    for name, m in mask.items():
        initial[name] *= m
    network.load_state_dict(initial)


def keeps_the_trained_as_initial(network, initial, mask):
    restore(network, initial, mask)
    initial["0.bias"] = torch.zeros_like(initial["0.bias"])


def freezes(network, initial, mask):
    restore(network, initial, mask)
    network.requires_grad_(False)


def not_numbers(network, initial, mask):
    with torch.no_grad():
        for name, m in mask.items():
            network.get_parameter(name).copy_(initial[name] * m / m)


@pytest.mark.parametrize(
    ("answer", "evidence"),
    [
        (one_round(of_the_initial), ["the next mask", "smallest of the initial weights, not of the trained ones"]),
        (one_round(share_of_all), ["4 → 5 neurons", "20% of all weights of a layer, not of the remaining ones"]),
        (one_round(share_of_all_by_quantile), ["pruned weights of 0.weight are back"]),
        (one_round(brings_pruned_back), ["are back: prune a share of what is left"]),
        (one_round(keeps_the_rate), ["it keeps 20% of the remaining weights", "the other way round"]),
        (one_round(without_sign), ["magnitude has no sign"]),
        (one_round(the_largest), ["it prunes the largest magnitudes"]),
        (one_round(by_lot), ["a weight whose trained magnitude is", "larger than one that it keeps"]),
        (one_round(all_layers_together), ["4 → 6 → 3 neurons", "all layers together: each layer loses its own share"]),
        (one_round(one_too_many), ["it prunes 5 of the 8 remaining weights of 0.weight, and should prune 4"]),
        (changes_the_mask, ["your function changed `mask`, which it was given: work on a copy"]),
        (one_round(zeros_again(torch.gt)), ["4 → 5 neurons", *ZEROS_AGAIN]),
        (one_round(zeros_again_by_rank), ["4 → 5 neurons", *ZEROS_AGAIN]),
        (one_round(zeros_again_by_quantile), ["4 → 5 neurons", *ZEROS_AGAIN]),
        (one_round(only_where_enough(zeros_again(torch.gt))), ["5 → 8 → 4 neurons", *ZEROS_AGAIN]),
        (one_round(lambda w, mask, rate, initial: mask), ["4 → 2", "nothing was pruned: each layer loses a share"]),
        (prunes_first, ["you pruned before training"]),
        (never_trains, ["`train` was never called"]),
        (one_round(times=2), ["`train` was called 2 times"]),
        (one_round(under=masks.dense), ["4 → 5 neurons", "not called with the mask"]),
        (one_round(put_back=no_reset), ["the network afterwards", "not reset: the survivors still have their trained"]),
        (one_round(put_back=nothing_at_all), ["not reset: the survivors still have their trained values"]),
        (one_round(put_back=weights_only), ["not the biases: `initial` holds them too"]),
        (one_round(put_back=without_the_mask), ["reset without the next mask: pruned weights must be 0"]),
        (one_round(put_back=drawn_anew), ["do not draw them anew"]),
        (one_round(put_back=drawn_anew_by_the_layers), ["do not draw them anew"]),
        (one_round(put_back=biases_at_zero), ["the biases are not at their initial values"]),
        (one_round(put_back=shares_its_tensors), ["the network shares its tensors with `initial`"]),
        (one_round(put_back=shares_the_biases), ["the network shares its tensors with `initial`"]),
        (
            one_round(put_back=masks_the_initial),
            ["your function changed `initial`, which it was given: work on a copy"],
        ),
        (
            one_round(put_back=keeps_the_trained_as_initial),
            ["your function changed `initial`, which it was given: work on a copy"],
        ),
        (one_round(put_back=lambda network, initial, mask: initial.clear()), ["what is wrong"]),
        (one_round(put_back=freezes), ["0.weight no longer requires a gradient"]),
        (one_round(put_back=not_numbers), ["largest difference nan"]),
        (lambda network, initial, mask, rate, train: masks.dense(network), ["`train` was never called"]),
        (lambda network, initial, mask, rate, train: mask, ["`train` was never called"]),
        (lambda network, initial, mask, rate, train: initial, ["the mask is of ['0.bias', '0.weight']"]),
        (lambda network, initial, mask, rate, train: [*mask.values()], ["the mask is a dict", "and this is list"]),
    ],
)
def test_imp_round_refuses(answer, evidence):
    refused_and_not_stopped(checks.imp_round(answer), *evidence)


def test_imp_round_refuses_a_network_of_other_parameters():
    def prunes_by_another_library(network, initial, mask, rate, train):
        new = by_the_library(network, initial, mask, rate, train)
        for name, m in new.items():
            prune.custom_from_mask(network[int(name[0])], "weight", m)
        return new

    verdict = checks.imp_round(prunes_by_another_library)
    refused_and_not_stopped(verdict, "parameters are now ['0.bias', '0.weight_orig'], and were ['0.bias', '0.weight']")


def test_imp_round_shows_what_train_refuses():
    def another_mask(network, initial, mask, rate, train):
        return train(network, {"fc1.weight": torch.ones(2, dtype=torch.bool)})

    refused(checks.imp_round(another_mask), "ValueError", "this mask is of another network")


# Exercise 2


def by_counting(density, sizes, rate):
    left, rounds = list(sizes), 0
    while sum(left) > density * sum(sizes):
        left = [n - round(rate * n) for n in left[:-1]] + [left[-1] - round(rate / 2 * left[-1])]
        rounds += 1
    return rounds


def by_recursion(density, sizes, rate, total=None):
    total = total or sum(sizes)
    if sum(sizes) / total <= density:
        return 0
    *hidden, output = sizes
    hidden = [n - round(n * rate) for n in hidden]
    return 1 + by_recursion(density, [*hidden, output - round(output * rate / 2)], rate, total)


def by_pruning_a_network(density, sizes, rate):
    """What the library really leaves, mask by mask."""
    generator = torch.Generator().manual_seed(1)
    weights = {str(i): torch.randn(n, 1, generator=generator) for i, n in enumerate(sizes)}
    mask = {name: torch.ones_like(w, dtype=torch.bool) for name, w in weights.items()}
    rates = criteria.layer_rates(mask, rate, last=str(len(sizes) - 1))
    rounds = 0
    while masks.density(mask) > density:
        mask = criteria.magnitude(weights, mask, rates)
        rounds += 1
    return rounds


def rounding_halves_up(density, sizes, rate):
    left, rounds = torch.tensor(sizes, dtype=torch.float64), 0
    rates = torch.full_like(left, rate)
    rates[-1] /= 2
    while left.sum() > density * sum(sizes):
        left -= torch.floor(rates * left + 0.5)
        rounds += 1
    return torch.tensor(rounds)


@pytest.mark.parametrize("answer", [by_counting, by_recursion, by_pruning_a_network, rounding_halves_up])
def test_rounds_until_accepts(answer):
    accepted(checks.rounds_until(answer))


def test_rounds_until_asks_for_the_papers_network():
    verdict = checks.rounds_until(by_counting)
    sizes = [p.numel() for p in masks.prunable(models.create("lenet-300-100", device="meta")).values()]
    found = {f.case: f.yours for f in verdict.findings}
    assert found[f"{sizes} weights down to 3.6%, rate 0.2"] == "15"
    assert found[f"{sizes} weights down to 21.2%, rate 0.2"] == "7"


def counting(prune=round, half=2.0, enough=lambda left, wanted: left <= wanted, add=0):
    def function(density, sizes, rate):
        left, rounds = list(sizes), 0
        while not enough(sum(left), density * sum(sizes)):
            left = [n - prune(rate * n) for n in left[:-1]] + [left[-1] - prune(rate / half * left[-1])]
            rounds += 1
        return max(rounds + add, 0)

    return function


def closed_form(density, sizes, rate):
    return math.ceil(math.log(density) / math.log(1 - rate))


def share_of_the_first_count(density, sizes, rate):
    left, rounds = list(sizes), 0
    while sum(left) > density * sum(sizes):
        left = [max(0, n - round(rate * first)) for n, first in zip(left, sizes, strict=True)]
        rounds += 1
    return rounds


@pytest.mark.parametrize(
    ("answer", "evidence"),
    [
        (closed_form, ["[10, 34]", "the last layer is pruned at half the rate, and yours at the full rate"]),
        (counting(half=1), ["[10, 34] weights down to 30.0%", "6\n", "11\n", "half the rate", "6 rounds leave"]),
        (counting(enough=lambda left, wanted: left < wanted), ["[4, 2]", "1\n", "0\n", "includes exactly 100.0%"]),
        (
            lambda d, s, r: 0 if d == 1 else counting(enough=lambda left, wanted: left < wanted)(d, s, r),
            ["[16, 16]", "too many: 1 rounds leave 62.50%, and at most 62.5% includes exactly 62.5%"],
        ),
        (counting(add=1), ["[4, 2]", "too many"]),
        (counting(add=-1), ["[16, 16]", "too few: 0 rounds leave 100.00%"]),
        (counting(prune=float), ["[10, 34]", "weights are whole: round the count"]),
        (counting(prune=int), ["[10, 34]", "rounded down: round it to the nearest"]),
        (counting(prune=math.ceil), ["[10, 34]", "rounded up: round it to the nearest; 8 rounds leave"]),
        (share_of_the_first_count, ["what is wrong"]),
        (lambda d, s, r: math.log(d) / math.log(1 - r), ["rounds are whole"]),
        (lambda d, s, r: -by_counting(d, s, r), ["rounds are whole, and not negative"]),
        (lambda d, s, r: s, ["the rounds are a number, and this is list"]),
        (lambda d, s, r: d, ["too many"]),
        (lambda d, s, r: 0, ["[16, 16]", "too few"]),
        (lambda d, s, r: 15, ["[4, 2]", "too many"]),
        (lambda d, s, r: 10**400, ["what is wrong"]),
    ],
)
def test_rounds_until_refuses(answer, evidence):
    refused_and_not_stopped(checks.rounds_until(answer), *evidence)


# Exercise 3


def clear_the_state(network, optimizer, initial, mask, batches):
    network.load_state_dict(initial)
    masks.apply(network, mask)
    optimizer.state.clear()
    for x, y in batches:
        optimizer.zero_grad()
        loss = cross_entropy(network(x), y)
        loss.backward()
        optimizer.step()
        masks.apply(network, mask)
    return loss.item()


def a_fresh_optimizer(network, optimizer, initial, mask, batches):
    optimizer = type(optimizer)(network.parameters(), **optimizer.defaults)
    restore(network, initial, mask)
    for x, y in batches:
        network.zero_grad()
        loss = torch.nn.CrossEntropyLoss()(network(x), y)
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            for name, m in mask.items():
                network.get_parameter(name)[~m] = 0
    return loss.detach()


def mask_before_each_forward(network, optimizer, initial, mask, batches):
    network.load_state_dict(initial)
    optimizer.state.clear()
    for i in range(len(batches)):
        masks.apply(network, mask)
        optimizer.zero_grad()
        loss = cross_entropy(network(batches[i][0]), batches[i][1])
        loss.backward()
        optimizer.step()
    masks.apply(network, mask)
    return float(loss.detach())


def mask_the_gradient_of_a_fresh_optimizer(network, optimizer, initial, mask, batches):
    """Where nothing is remembered, a weight that is 0 and has no gradient stays 0."""
    restore(network, initial, mask)
    optimizer = type(optimizer)(network.parameters(), **optimizer.defaults)
    for x, y in batches:
        optimizer.zero_grad()
        loss = cross_entropy(network(x), y)
        loss.backward()
        for name, m in mask.items():
            network.get_parameter(name).grad.mul_(m)
        optimizer.step()
    return loss.item()


@pytest.mark.parametrize(
    "answer",
    [clear_the_state, a_fresh_optimizer, mask_before_each_forward, mask_the_gradient_of_a_fresh_optimizer],
)
def test_train_ticket_accepts(answer):
    accepted(checks.train_ticket(answer))


def test_train_ticket_accepts_a_look_at_the_network_before_the_reset():
    def look_first(network, optimizer, initial, mask, batches):
        with torch.no_grad():
            network(batches[0][0])
        return clear_the_state(network, optimizer, initial, mask, batches)

    accepted(checks.train_ticket(look_first))


def ticket(put_back=restore, forget=True, clear="before", hold=masks.apply, hold_gradient=False):
    """Make a training of other parts."""

    def function(network, optimizer, initial, mask, batches):
        put_back(network, initial, mask)
        if forget:
            optimizer.state.clear()
        for x, y in batches:
            if clear == "before":
                optimizer.zero_grad()
            loss = cross_entropy(network(x), y)
            loss.backward()
            if hold_gradient:
                for name, m in mask.items():
                    network.get_parameter(name).grad.mul_(m)
            optimizer.step()
            if clear == "after":
                optimizer.zero_grad()
            hold(network, mask)
        return loss.item()

    return function


def unheld(network, mask):
    pass


def half_forgotten(network, optimizer, initial, mask, batches):
    """Forgets Adam's averages, and not how many steps it has made."""
    for state in optimizer.state.values():
        for key, value in state.items():
            if isinstance(value, torch.Tensor) and key != "step":
                value.zero_()
    return ticket(forget=False)(network, optimizer, initial, mask, batches)


def shares_masked(network, initial, mask):
    for name, p in network.named_parameters():
        p.data = initial[name].mul_(mask[name]) if name in mask else initial[name]


def all_losses(network, optimizer, initial, mask, batches):
    return [clear_the_state(network, optimizer, initial, mask, batches)] * 3


def other_loss(which):
    def function(network, optimizer, initial, mask, batches):
        losses = []
        restore(network, initial, mask)
        optimizer.state.clear()
        for x, y in batches:
            optimizer.zero_grad()
            loss = cross_entropy(network(x), y)
            loss.backward()
            optimizer.step()
            masks.apply(network, mask)
            losses.append(loss.item())
        return which(losses, lambda: cross_entropy(network(x), y).item())

    return function


def a_copy_is_trained(network, optimizer, initial, mask, batches):
    network = copy.deepcopy(network)
    optimizer = type(optimizer)(network.parameters(), **optimizer.defaults)
    return clear_the_state(network, optimizer, initial, mask, batches)


def another_optimizer(network, optimizer, initial, mask, batches):
    return clear_the_state(network, torch.optim.SGD(network.parameters(), lr=0.1), initial, mask, batches)


STALE = "the optimizer still remembers the dense training"
BACK = "mask after every step, not only at the start"


@pytest.mark.parametrize(
    ("answer", "evidence"),
    [
        (ticket(forget=False), ["SGD with momentum and weight decay: the network, trained\n", STALE]),
        (half_forgotten, ["Adam: the network", "not where 3 steps from the initial weights lead"]),
        (ticket(hold=unheld), ["SGD: the network", "after step 1", BACK]),
        (ticket(hold=unheld, forget=False), ["SGD: the network", BACK]),
        (
            ticket(hold=unheld, hold_gradient=True, forget=False),
            ["SGD with momentum and weight decay", "masking the gradient is not enough"],
        ),
        (ticket(put_back=no_reset), ["SGD: the network", "not reset: it continued from the trained weights"]),
        (ticket(put_back=no_reset, forget=False), ["not reset: it continued from the trained weights"]),
        (ticket(put_back=nothing_at_all), ["before the first step"]),
        (ticket(put_back=without_the_mask), ["SGD: the network", "reset without the mask"]),
        (ticket(put_back=without_the_mask, hold=unheld, hold_gradient=True), ["reset without the mask"]),
        (ticket(put_back=weights_only), ["not the biases: `initial` holds them too"]),
        (ticket(put_back=drawn_anew), ["not where 3 steps from the initial weights lead"]),
        (ticket(put_back=shares_its_tensors), ["the network shares its tensors with `initial`"]),
        (ticket(put_back=shares_the_biases), ["the network shares its tensors with `initial`"]),
        (ticket(put_back=shares_masked), ["the network shares its tensors with `initial`"]),
        (ticket(put_back=masks_the_initial), ["your function changed `initial`, which it was given"]),
        (ticket(clear="never"), ["SGD: the network", "gradients of the steps add up"]),
        (ticket(clear="never", forget=False), ["SGD: the network", "gradients of the steps add up"]),
        (ticket(clear="after"), ["SGD: the network", "gradient of the dense training was still there"]),
        (a_copy_is_trained, ["SGD: the network, trained\n"]),
        (another_optimizer, ["SGD with momentum and weight decay: the network, trained\n"]),
        (lambda n, o, i, m, batches: clear_the_state(n, o, i, m, batches[:1]), ["not where 3 steps"]),
        (lambda n, o, i, m, batches: clear_the_state(n, o, i, m, batches[::-1]), ["not where 3 steps"]),
        (
            lambda n, o, i, m, b: clear_the_state(n, o, i, masks.dense(n), b),
            ["before the first step", "without the mask"],
        ),
        (ticket(put_back=freezes), ["RuntimeError"]),
        (ticket(put_back=not_numbers), ["nan"]),
        (other_loss(lambda losses, after: losses[0]), ["SGD: the loss", "the loss of the first step"]),
        (other_loss(lambda losses, after: sum(losses) / 3), ["the mean of the losses"]),
        (other_loss(lambda losses, after: sum(losses)), ["the sum of the losses"]),
        (other_loss(lambda losses, after: after()), ["the loss after the last step"]),
        (other_loss(lambda losses, after: -1.0), ["-1.0000", "not the loss of the last step"]),
        (other_loss(lambda losses, after: math.nan), ["nan", "not the loss of the last step"]),
        (all_losses, ["list", "the loss is a number: return loss.item()"]),
        (lambda network, optimizer, initial, mask, batches: 0.0, ["what is wrong"]),
    ],
)
def test_train_ticket_refuses(answer, evidence):
    refused(checks.train_ticket(answer), *evidence)


def test_train_ticket_refuses_what_is_right_only_once():
    done = set()

    def only_once(network, optimizer, initial, mask, batches):
        if id(network) in done:
            return ticket(put_back=no_reset)(network, optimizer, initial, mask, batches)
        done.add(id(network))
        kept.append(network)
        return clear_the_state(network, optimizer, initial, mask, batches)

    kept = []  # so that no other network gets the same id
    refused(checks.train_ticket(only_once), "trained once more", "something of the first call is left")


# Exercise 4


def by_min_of_pairs(iterations, losses):
    return min(zip(losses, iterations, strict=True))[1]


def by_a_loop(iterations, losses):
    best = 0
    for i in range(1, len(losses)):
        if losses[i] < losses[best]:
            best = i
    return iterations[best]


def by_torch(iterations, losses):
    losses = torch.tensor(losses, dtype=torch.float64)
    return torch.tensor(iterations)[(losses == losses.min()).nonzero()[0, 0]]


def by_the_history(iterations, losses):
    return History(iterations=iterations, validation_loss=losses).early_stop


@pytest.mark.parametrize("answer", [by_min_of_pairs, by_a_loop, by_torch, by_the_history])
def test_early_stop_accepts(answer):
    accepted(checks.early_stop(answer))


def the_last_of_equals(iterations, losses):
    best = 0
    for i in range(1, len(losses)):
        if losses[i] <= losses[best]:
            best = i
    return iterations[best]


def until_it_rises(iterations, losses):
    for i in range(1, len(losses)):
        if losses[i] > losses[i - 1]:
            return iterations[i - 1]
    return iterations[-1]


def with_patience(iterations, losses):
    """Stops after two losses in a row that are no better."""
    best = 0
    for i in range(1, len(losses)):
        if losses[i] < losses[best]:
            best = i
        elif i - best >= 2:
            break
    return iterations[best]


def sorts_in_place(iterations, losses):
    found = by_min_of_pairs(iterations, losses)
    losses.sort()
    return found


@pytest.mark.parametrize(
    ("answer", "evidence"),
    [
        (lambda i, losses: losses.index(min(losses)), ["losses [0.5] at [100]", "0\n", "100\n", "the index"]),
        (lambda i, losses: min(losses), ["0.5\n", "the smallest loss: return its iteration"]),
        (the_last_of_equals, ["[0.6, 0.2, 0.5, 0.2, 0.3]", "200\n", "100\n", "the first one counts"]),
        (until_it_rises, ["[0.6, 0.4, 0.5, 0.2, 0.3]", "40\n", "80\n", "the first local minimum"]),
        (with_patience, ["a noisy curve of 40 losses", "450\n", "800\n"]),
        (lambda i, losses: i[losses.index(max(losses))], ["[0.5, 0.4, 0.3]", "the largest loss"]),
        (lambda i, losses: i[-1], ["[0.3, 0.4, 0.5]", "300\n", "the last iteration"]),
        (lambda i, losses: i[0], ["[0.5, 0.4, 0.3]", "100\n", "300\n"]),
        (lambda i, losses: i[len(i) // 2], ["[0.5, 0.4, 0.3]", "the loss at iteration 200 is 0.4"]),
        (lambda i, losses: [by_a_loop(i, losses)], ["an iteration is a number, and this is list"]),
        (lambda i, losses: str(by_a_loop(i, losses)), ["an iteration is a number, and this is str"]),
        (lambda i, losses: by_a_loop(i, losses) + 1, ["101\n", "100\n", "the smallest loss, 0.5, is at iteration 100"]),
        (sorts_in_place, ["your function changed `losses`, which it was given: work on a copy"]),
    ],
)
def test_early_stop_refuses(answer, evidence):
    refused_and_not_stopped(checks.early_stop(answer), *evidence)


# What they share


def test_the_checks_leave_the_global_randomness_alone(global_randomness_untouched):
    for check, answer in (
        (checks.imp_round, by_the_library),
        (checks.train_ticket, clear_the_state),
        (checks.early_stop, by_a_loop),
    ):
        assert check(answer).passed
