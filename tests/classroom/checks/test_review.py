"""The checks of lesson 08 name the classic mistakes with its three questions, and accept different right answers."""

import copy
import math

import numpy as np
import pytest
import torch
from torch.nn.functional import cross_entropy, relu
from verdict_reports import accepted, refused, refused_and_not_stopped

from ltcourse import checks, masks, review_checks, supermasks

# Question 1: the hypothesis as a test


def at_the_early_stop(attempt):
    position = attempt.validation_loss.index(min(attempt.validation_loss))
    return attempt.iterations[position], attempt.test_accuracy[position]


def in_a_loop(dense, subnetworks, small):
    j, a = at_the_early_stop(dense)
    for sub in subnetworks:
        j2, a2 = at_the_early_stop(sub)
        kept, total = (sum(f(m) for m in sub.mask.values()) for f in (torch.sum, torch.numel))
        same = all(torch.equal(sub.initial[name], w * sub.mask[name]) for name, w in dense.initial.items())
        if j2 <= j and a2 >= a and kept <= small * total and same:
            return True
    return False


def by_arrays(dense, subnetworks, small):
    """With numpy, and an answer of its type."""

    def read(attempt):
        best = np.argmin(np.array(attempt.validation_loss))
        return np.array([-attempt.iterations[best], attempt.test_accuracy[best]])

    def kept(attempt):
        return torch.cat([m.flatten() for m in attempt.mask.values()]).float().mean()

    def begins(attempt):
        return all(
            torch.allclose(w[attempt.mask[name]], attempt.initial[name][attempt.mask[name]])
            for name, w in dense.initial.items()
        )

    good = [bool((read(s) >= read(dense)).all()) and float(kept(s)) <= small and begins(s) for s in subnetworks]
    return np.array(good, dtype=bool).any()


def by_refuting(dense, subnetworks, small):
    """Asks what speaks against each, with tensors and an answer that is one."""

    def against(sub):
        first, then = at_the_early_stop(dense), at_the_early_stop(sub)
        yield then[0] > first[0]
        yield then[1] < first[1]
        yield masks.density(sub.mask) > small
        yield any((sub.initial[n] != dense.initial[n].where(m, torch.zeros(()))).any() for n, m in sub.mask.items())

    return torch.tensor([not any(against(sub)) for sub in subnetworks], dtype=torch.bool).any()


@pytest.mark.parametrize("answer", [in_a_loop, by_arrays, by_refuting])
def test_supports_accepts(answer):
    accepted(checks.supports(answer))


def reading(
    *,
    stop=at_the_early_stop,
    slower=lambda j2, j: j2 > j,
    worse=lambda a2, a: a2 < a,
    share=masks.density,
    large=lambda share, small: share > small,
    start=True,
    over=any,
):
    """A test of the hypothesis of other parts."""

    def function(dense, subnetworks, small):
        j, a = stop(dense)

        def wins(sub):
            j2, a2 = stop(sub)
            begun = all(torch.equal(sub.initial[n], w * sub.mask[n]) for n, w in dense.initial.items())
            return not slower(j2, j) and not worse(a2, a) and not large(share(sub.mask), small) and (begun or not start)

        return over([wins(sub) for sub in subnetworks])

    return function


def mean_of_layers(mask):
    return sum(float(m.float().mean()) for m in mask.values()) / len(mask)


def at_the_end(attempt):
    return at_the_early_stop(attempt)[0], attempt.test_accuracy[-1]


def at_the_best_test_accuracy(attempt):
    best = attempt.test_accuracy.index(max(attempt.test_accuracy))
    return attempt.iterations[best], attempt.test_accuracy[best]


def by_position(attempt):
    return attempt.validation_loss.index(min(attempt.validation_loss)), at_the_early_stop(attempt)[1]


def by_length(attempt):
    return attempt.iterations[-1], at_the_early_stop(attempt)[1]


def the_last_of_equals(attempt):
    position = max(i for i, loss in enumerate(attempt.validation_loss) if loss == min(attempt.validation_loss))
    return attempt.iterations[position], attempt.test_accuracy[position]


def condition_by_condition(dense, subnetworks, small):
    """Each condition is fulfilled by some subnetwork, not all by one."""
    j, a = at_the_early_stop(dense)
    stops = [at_the_early_stop(sub) for sub in subnetworks]
    begun = any(all(torch.equal(s.initial[n], w * s.mask[n]) for n, w in dense.initial.items()) for s in subnetworks)
    sizes = any(masks.density(s.mask) <= small for s in subnetworks)
    return any(j2 <= j for j2, _ in stops) and any(a2 >= a for _, a2 in stops) and sizes and begun


def with_controls_that_fail(dense, subnetworks, small):
    def begun(sub):
        return all(torch.equal(sub.initial[n], w * sub.mask[n]) for n, w in dense.initial.items())

    of_others = [s for s in subnetworks if not begun(s)]
    return in_a_loop(dense, subnetworks, small) and not reading(start=False)(dense, of_others, small)


@pytest.mark.parametrize(
    ("answer", "evidence"),
    [
        (lambda *given: True, ["more accurate, but slower", "True\n", "False\n", "smallest validation loss is at"]),
        (lambda *given: False, ["it keeps 20.0 % of the weights", "it begins from m ⊙ θ₀", "a winning ticket"]),
        (
            reading(slower=lambda j2, j: False),
            ["but slower", "at iteration 400 (dense: 300)", "lets a subnetwork be slower"],
        ),
        (
            reading(worse=lambda a2, a: False),
            ["0.1 points less", "93.9 % are right there (dense: 94.0 %)", "lets a subnetwork be less accurate"],
        ),
        (
            reading(large=lambda share, small: False),
            ["all weights", "it keeps 100.0 % of the weights", "be of any size"],
        ),
        (reading(start=False), ["drawn anew", "it does not begin from m ⊙ θ₀", "lets it begin from any weights"]),
        (reading(slower=lambda j2, j: j2 >= j), ["as many iterations, more accurate", "includes as many"]),
        (reading(worse=lambda a2, a: a2 <= a), ["faster, the same accuracy", "includes the same"]),
        (reading(large=lambda share, small: share >= small), ["exactly `small`", "includes exactly so many"]),
        (reading(share=mean_of_layers), ["exactly `small`", "count the weights of all layers together"]),
        (reading(stop=at_the_end), ["more accurate at the end", "Your test compares the last accuracies"]),
        (reading(stop=at_the_best_test_accuracy), ["that chooses on the test set"]),
        (reading(stop=by_length), ["Your test compares how long the runs went on"]),
        (reading(stop=by_position), ["Your test compares positions in the lists"]),
        (reading(stop=the_last_of_equals), ["its loss is as small once more", "the first one counts"]),
        (reading(over=all), ["Your test asks every subnetwork"]),
        (lambda d, s, small: reading()(d, s[:1], small), ["looks at the first subnetwork only"]),
        (lambda d, s, small: reading()(d, s[-1:], small), ["looks at the last subnetwork only"]),
        (condition_by_condition, ["one must fulfill them all"]),
        (with_controls_that_fail, ["weights drawn anew that is as good", "is another claim"]),
        (lambda d, s, small: reading()(d, s, 0.2), ["Your test has a size of its own, 20%"]),
        (reading(slower=lambda j2, j: j2 < j), ["as many", "the other way round"][1:]),
        (lambda d, s, small: not in_a_loop(d, s, small), ["False\n", "True\n", "a winning ticket"]),
        (lambda d, s, small: in_a_loop(d, s, small) * 1.0, ["the result is True or False, and this is float"]),
        (lambda d, s, small: [in_a_loop(d, s, small)], ["the result is True or False, and this is list"]),
        (lambda d, s, small: d, ["the result is True or False, and this is Attempt"]),
    ],
)
def test_supports_refuses(answer, evidence):
    refused_and_not_stopped(checks.supports(answer), *evidence)


def test_every_misreading_is_told_from_the_right_one_by_a_trial():
    trials = list(review_checks._made_trials())
    right = [review_checks._Reading().says(trial) for trial in trials]
    assert True in right and False in right
    for wrong, reading in review_checks._MISREADINGS.items():
        assert [reading.says(trial) for trial in trials] != right, wrong


def test_two_neighboring_trials_never_need_the_same_answer_for_ever():
    right = [review_checks._Reading().says(trial) for trial in review_checks._made_trials()]
    assert right[:2] == [True, False], "a constant is refused in the second trial at the latest"


def test_a_changed_attempt_is_a_change_of_a_copy():
    def spoils(dense, subnetworks, small):
        answer = in_a_loop(dense, subnetworks, small)
        for attempt in (dense, *subnetworks):
            for w in attempt.initial.values():
                w.zero_()
            for m in attempt.mask.values():
                m.zero_()
        return answer

    accepted(checks.supports(spoils))
    accepted(checks.supports(in_a_loop))


def test_the_small_lottery_is_what_it_says():
    dense, others = review_checks.small_lottery()
    assert masks.density(dense.mask) == 1.0
    assert 0.25 < masks.density(others["ticket"].mask) < 0.3
    kept = {name: int(m.sum()) for name, m in others["ticket"].mask.items()}
    for name in ("re-initialized", "random"):
        assert {n: int(m.sum()) for n, m in others[name].mask.items()} == kept
    for name, attempt in others.items():
        begins = all(torch.equal(attempt.initial[n], w * attempt.mask[n]) for n, w in dense.initial.items())
        assert begins is (name != "re-initialized")
        assert len(attempt.iterations) == len(attempt.validation_loss) == len(attempt.test_accuracy)
    reached = {name: at_the_early_stop(attempt)[1] for name, attempt in others.items()}
    assert reached["ticket"] > max(reached["re-initialized"], reached["random"])
    assert at_the_early_stop(dense)[1] > 0.7


# Question 2: the algorithm that finds the ticket


def by_the_library(network, train, rate, rounds):
    θ0 = {name: p.detach().clone() for name, p in network.named_parameters()}
    mask = masks.dense(network)
    for _ in range(rounds):
        train(network, mask)
        mask = masks.magnitude(masks.prunable(network), mask, rate)
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
        mask = masks.magnitude(masks.prunable(trained), mask, rate)
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
            mask = choose(trained, mask, rate, θ0) if choose else masks.magnitude(trained, mask, rate)
            (back or reset)(network, θ0, mask)
        if end:
            end(network, θ0, mask)
        return mask

    return function


def by_initial_magnitude(trained, mask, rate, θ0):
    return masks.magnitude(θ0, mask, rate)


def all_layers_together(trained, mask, rate, θ0):
    return masks.magnitude(trained, mask, rate, "global")


def share_of_all(trained, mask, rate, θ0):
    counts = {name: int(m.sum()) - round(rate * m.numel()) for name, m in mask.items()}
    scores = {name: trained[name].abs().where(m, torch.tensor(-1.0)) for name, m in mask.items()}
    return {name: masks.keep_largest(s, max(counts[name], 0)) for name, s in scores.items()}


def rounded_up(trained, mask, rate, θ0):
    counts = {name: int(m.sum()) - math.ceil(rate * int(m.sum())) for name, m in mask.items()}
    scores = {name: trained[name].abs().where(m, torch.tensor(-1.0)) for name, m in mask.items()}
    return {name: masks.keep_largest(s, counts[name]) for name, s in scores.items()}


def the_smallest(trained, mask, rate, θ0):
    return masks.select({name: -trained[name].abs() for name in mask}, mask, rate)


def by_sign(trained, mask, rate, θ0):
    return masks.select({name: trained[name] for name in mask}, mask, rate)


def keeps_the_rate(trained, mask, rate, θ0):
    scores = {name: trained[name].abs().where(m, torch.tensor(-1.0)) for name, m in mask.items()}
    return {name: masks.keep_largest(s, round(rate * int(mask[name].sum()))) for name, s in scores.items()}


def brings_back(trained, mask, rate, θ0):
    """Chooses among the initial values of the pruned weights, too."""
    whole = {name: torch.ones_like(m) for name, m in mask.items()}
    left = sum(int(m.sum()) for m in mask.values()) / sum(m.numel() for m in mask.values())
    mixed = {name: trained[name].where(m, 10 * θ0[name]) for name, m in mask.items()}
    return masks.magnitude(mixed, whole, 1 - left * (1 - rate))


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


def a_view_of_the_state(network, train, rate, rounds):
    θ0 = network.state_dict()
    mask = masks.dense(network)
    for _ in range(rounds):
        train(network, mask)
        mask = masks.magnitude(masks.prunable(network), mask, rate)
        network.load_state_dict(θ0)
        masks.apply(network, mask)
    return mask


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
        mask = masks.magnitude(masks.prunable(network), mask, rate)
        train(network, mask)
        network.load_state_dict(θ0)
        masks.apply(network, mask)
    return mask


def never_trains(network, train, rate, rounds):
    mask = masks.dense(network)
    for _ in range(rounds):
        mask = masks.magnitude(masks.prunable(network), mask, rate)
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
        (searching(lambda t, mask, rate, θ0: masks.at_random(1)(t, mask, rate, "layer")), ["trained magnitude is"]),
        (searching(lambda t, mask, rate, θ0: mask), ["the mask keeps every weight"]),
        (lambda network, train, rate, rounds: masks.dense(network), ["the mask keeps every weight"]),
        (searching(back=nothing), ["it is left as the last training left it"]),
        (a_view_of_the_state, ["it is left as the last training left it"]),
        (reset_at_the_end, ["training 2 begins where training 1 ended", "in every round", "clone them"]),
        (searching(back=weights_only), ["the weights are reset, but not the biases"]),
        (searching(back=without_the_mask), ["pruned weights are not 0: the ticket is m ⊙ θ₀"]),
        (searching(back=drawn_anew), ["not at their initial values, bit by bit"]),
        (searching(back=rounded), ["not at their initial values, bit by bit"]),
        (searching(end=drawn_anew), ["not at their initial values, bit by bit"]),
        (searching(begin=lambda network: drawn_anew(network, {}, masks.dense(network))), ["it begins as it is given"]),
        (searching(under=masks.dense), ["4 → 6 → 3", "training 2 was under the mask of training 1"]),
        (in_one_shot, ["one shot: after training 1 it prunes at once what 2 rounds should prune"]),
        (in_one_shot_by_layers, ["one shot: after training 1 it prunes at once what 2 rounds should prune"]),
        (searching(rounds_of=lambda rounds: rounds + 1), ["`rounds` is 1, and it pruned in 2"]),
        (searching(rounds_of=lambda rounds: max(1, rounds - 1)), ["`rounds` is 2, and it pruned in 1"]),
        (forgets_the_last_mask, ["the mask keeps every weight"]),
        (prunes_first, ["the first training is of the whole network"]),
        (never_trains, ["`train` was never called"]),
        (leaves_it_trained, ["it is left as the last training left it"]),
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


def ones(weights):
    return {n: torch.ones_like(w, dtype=torch.bool) for n, w in weights.items()}


def of(scores, k):
    return {n: masks.keep_largest(s.detach().abs(), round(k * s.numel())) for n, s in scores.items()}


@pytest.mark.parametrize(
    ("answer", "evidence"),
    [
        (popping(gradient=lambda g, w, s, m: g * w), ["without sign(s)"]),
        (popping(gradient=lambda g, w, s, m: g * w * s.sign() * m), ["so that none can come back"]),
        (popping(gradient=lambda g, w, s, m: g * s.sign()), ["the weight is missing in the gradient of its score"]),
        (popping(gradient=lambda g, w, s, m: g * w * m), ["without sign(s)", "none can come back"]),
        (popping(count=lambda k, n: n - round(k * n)), ["k is the share kept, and this prunes the share k"]),
        (popping(rank=lambda s: s), ["step 1", "ranks the scores themselves, where |score| counts"]),
        (popping(rank=lambda s: -s.abs()), ["step 1", "keeps the smallest |scores|"]),
        (popping(count=lambda k, n: int(k * n)), ["3 → 2", "to the nearest, not down"]),
        (popping(count=lambda k, n: n), ["all weights are in use in the forward pass"]),
        (popping(used=lambda w, mask: w.clone()), ["all weights are in use in the forward pass"]),
        (popping(used=lambda w, mask: w * mask / 2), ["a weight is in use as it was drawn, or not at all"]),
        (popping(train_weights=True), ["4 → 6 → 3", "step 2", "away from the random one"]),
        (trains_in_place, ["your function changed the random weights"]),
        (popping(sign=1), ["the scores go up the gradient"]),
        (popping(steps=1), ["4 → 6 → 3", "it learns from the first batch only"]),
        (popping(steps=0), ["no score has moved"]),
        (popping(gradient=lambda g, w, s, m: g * 0), ["no score has moved"]),
        (globally, ["4 → 6 → 3", "the layers are ranked together"]),
        (popping(end=lambda w, before, s, k: all_together(s, k)), ["the layers are ranked together"]),
        (popping(end=largest_weights), ["this is the mask of the largest weights"]),
        (popping(end=lambda w, before, s, k: of(before, k)), ["the mask is of the scores before the last step"]),
        (popping(end=lambda w, before, s, k: ones(w)), ["it keeps 6 of the 6 edges"]),
        (first_scores, ["this is the mask of the scores as they were drawn"]),
        (
            lambda f, weights, scores, k, lr, batches: (ones(weights), scores),
            ["no score has moved"],
        ),
        (lambda f, weights, scores, k, lr, batches: (of(scores, k), scores), ["no score has moved"]),
        (lambda f, weights, scores, k, lr, batches: (of(weights, k), weights), ["largest difference"]),
        (lambda f, weights, scores, k, lr, batches: of(scores, k), ["return two dicts"]),
        (lambda f, weights, scores, k, lr, batches: (scores, of(scores, k)), ["a mask is boolean"]),
        (
            lambda f, weights, scores, k, lr, batches: (of(scores, k), {n: s * math.nan for n, s in scores.items()}),
            ["largest difference nan"],
        ),
        (lambda f, weights, scores, k, lr, batches: (of(scores, k), dict.fromkeys(scores, 1)), ["a tensor of shape"]),
    ],
)
def test_find_supermask_refuses(answer, evidence):
    refused_and_not_stopped(checks.find_supermask(answer), *evidence)


def test_a_supermask_that_is_learned_on_the_small_cases_only_is_no_better_than_one_by_lot():
    def gives_up(forward, weights, scores, k, lr, batches):
        if len(batches) > 10:
            return of(scores, k), scores
        return by_the_straight_through_trick(forward, weights, scores, k, lr, batches)

    refused_and_not_stopped(checks.find_supermask(gives_up), "handwritten digits", "hardly better than one by lot")
