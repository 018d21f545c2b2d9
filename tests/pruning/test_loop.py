"""The pruning loop: what each round prunes, where it begins again, and that resuming or meddling changes nothing."""

import copy
import dataclasses
import itertools
import operator

import numpy as np
import pytest
import torch

from ltcourse.networks import masks, models
from ltcourse.networks.initializers import kaiming_normal
from ltcourse.networks.models import snapshot
from ltcourse.pruning import Round, criteria, prune_iteratively, sensitivity
from ltcourse.pruning import loop as pruning_loop
from ltcourse.pruning.restarts import MAGNITUDES, SIGNS, keep, put_together, redraw, to_init, to_step
from ltcourse.training import Recipe, evaluate, evaluations, train

RECIPE = Recipe(iterations=12, batch=60, evaluate_every=6)
STILL = RECIPE.but(lr=0.0)  # rounds that end where they begin
RESTARTS = {"keep": keep, "to_init": to_init, "to_step": to_step(5), "redraw": redraw(100)}


def lenet(seed=0):
    return models.create("lenet-300-100", seed=seed)


def same(first, other):
    return first.keys() == other.keys() and all(torch.equal(first[name], other[name]) for name in first)


def masked(state, mask):
    return {name: tensor * mask[name] if name in mask else tensor for name, tensor in state.items()}


def loop(data, network=None, **choices):
    choices = {"recipe": RECIPE, "rounds": 2, "rate": 0.4} | choices
    recipe = choices.pop("recipe")
    return prune_iteratively(network or lenet(), data, recipe, **choices)


@pytest.fixture
def trainings(monkeypatch):
    """What the loop trains with: the weights at the beginning, the recipe and the choices of each training."""
    calls = []

    def spy(network, data, recipe, **choices):
        calls.append((snapshot(network), recipe, choices))
        return train(network, data, recipe, **choices)

    monkeypatch.setattr(pruning_loop, "train", spy)
    return calls


# --- rounds and densities


def test_round_0_is_the_dense_network_trained(clothes):
    first, *rest = loop(clothes, seed=3)
    network = lenet()
    history = train(network, clothes, RECIPE, seed=3)
    assert first.number == 0
    assert first.density == 1
    assert same(first.state, snapshot(network))
    assert first.history == history
    assert [done.number for done in rest] == [1, 2]


def test_rounds_come_as_they_finish(clothes, trainings):
    rounds = loop(clothes)
    assert trainings == []
    for number in range(3):
        assert next(rounds).number == number
        assert len(trainings) == number + 1
    assert next(rounds, None) is None


def test_no_rounds_is_the_dense_network_alone(clothes):
    assert [done.number for done in loop(clothes, rounds=0)] == [0]


def test_densities_follow_the_papers_grid_exactly(clothes):
    rates = criteria.layer_rates(masks.dense(lenet()), 0.2)
    density = {
        done.number: done.density
        for done in loop(clothes, recipe=STILL.but(iterations=1), rate=rates, rounds=16, restart=keep)
    }
    percent = {number: round(100 * share, 1) for number, share in density.items()}
    assert {number: percent[number] for number in (0, 3, 7, 9, 15, 16)} == {
        0: 100.0, 3: 51.3, 7: 21.1, 9: 13.5, 15: 3.6, 16: 2.9,
    }  # fmt: skip


@pytest.mark.parametrize("scope", ["layer", "global"])
def test_each_round_prunes_the_rounded_share_of_what_is_left(clothes, scope):
    left = {name: p.numel() for name, p in masks.prunable(lenet()).items()}
    total = sum(left.values())
    for done in itertools.islice(loop(clothes, rounds=4, rate=0.37, scope=scope), 1, None):
        left = {name: n - round(0.37 * n) for name, n in left.items()}
        total -= round(0.37 * total)
        if scope == "layer":
            assert {name: int(m.sum()) for name, m in done.mask.items()} == left
        else:
            assert masks.kept(done.mask) == total


@pytest.mark.parametrize("scope", ["layer", "global"])
@pytest.mark.parametrize("restart", RESTARTS)
def test_later_masks_are_subsets_and_pruned_weights_are_0(clothes, restart, scope):
    rounds = list(loop(clothes, restart=RESTARTS[restart], scope=scope))
    for earlier, later in itertools.pairwise(rounds):
        assert all((later.mask[name] <= earlier.mask[name]).all() for name in later.mask)
        assert later.density < earlier.density
    for done in rounds:
        assert all(not done.state[name][~m].any() for name, m in done.mask.items())


def test_the_mask_is_chosen_by_the_trained_weights(clothes):
    first, second, third = loop(clothes)
    assert same(second.mask, criteria.magnitude(first.state, first.mask, 0.4))
    assert same(third.mask, criteria.magnitude(second.state, second.mask, 0.4))
    assert not same(second.mask, criteria.magnitude(lenet().state_dict(), first.mask, 0.4))


def test_the_criterion_gets_the_weights_the_mask_the_rate_and_the_scope(clothes):
    seen = []

    def spy(weights, mask, rate, scope):
        seen.append((dict(weights), mask, rate, scope))
        return criteria.magnitude(weights, mask, rate, scope)

    rounds = list(loop(clothes, criterion=spy, rate=0.3, scope="global"))
    tried_out, *used = seen  # once before the training, so that bad arguments are told early
    assert tried_out[2:] == (0.3, "global")
    assert len(used) == 2
    for (_, mask, rate, scope), before in zip(used, rounds, strict=False):
        assert (rate, scope) == (0.3, "global")
        assert same(mask, before.mask)


def test_other_criteria_are_used(clothes):
    _, lot = loop(clothes, rounds=1, criterion=criteria.at_random(9))
    assert same(lot.mask, criteria.at_random(9)(lot.state, masks.dense(lenet()), 0.4))
    dense, han = loop(clothes, rounds=1, criterion=criteria.threshold(0.7), restart=keep)
    for name, m in han.mask.items():
        w = dense.state[name]
        assert torch.equal(m, w.abs() >= 0.7 * w.std())


def test_rate_0_prunes_nothing_and_rate_1_everything(clothes):
    assert list(loop(clothes, rounds=1, rate=0.0))[-1].density == 1
    assert list(loop(clothes, rounds=1, rate=1.0))[-1].density == 0


def test_rounds_differ_in_the_mask_alone(clothes, trainings):
    list(loop(clothes, seed=8, retrain=RECIPE.but(lr=1e-4)))
    assert [choices["seed"] for _, _, choices in trainings] == [8, 8, 8]
    assert [recipe.lr for _, recipe, _ in trainings] == [1.2e-3, 1e-4, 1e-4]


# --- where a round begins


def test_keep_goes_on_from_the_trained_weights(clothes):
    first, second, third = loop(clothes, restart=keep, retrain=STILL)
    assert same(second.state, masked(first.state, second.mask))
    assert same(third.state, masked(first.state, third.mask))
    assert not same(second.state, masked(snapshot(lenet()), second.mask))


def test_to_init_goes_back_to_the_initial_weights(clothes):
    _, second, third = loop(clothes, restart=to_init, retrain=STILL)
    for done in (second, third):
        assert same(done.state, masked(snapshot(lenet()), done.mask))


def test_to_init_is_what_the_loop_does_by_itself(clothes):
    by_itself = list(loop(clothes))
    assert all(map(operator.eq, by_itself, loop(clothes, restart=to_init)))


def test_the_second_round_of_to_init_is_training_the_ticket(clothes):
    rounds = list(loop(clothes, restart=to_init, seed=4))
    for done in rounds[1:]:
        ticket = lenet()
        history = train(ticket, clothes, RECIPE, mask=done.mask, seed=4)
        assert same(snapshot(ticket), done.state)
        assert history == done.history


@pytest.mark.parametrize("k", [1, 5, 11])
def test_to_step_goes_back_to_the_dense_weights_at_that_iteration(clothes, trainings, k):
    recipe = RECIPE.but(schedule="cosine", warmup=3)
    network = lenet()
    for history in evaluations(network, clothes, recipe.but(evaluate_every=1), seed=2):
        if history.iterations[-1] == k:
            at_k = snapshot(network)
    rounds = list(loop(clothes, recipe=recipe, restart=to_step(k), seed=2))
    retrainings = [(start, choices) for start, _, choices in trainings if choices.get("mask") is not None]
    for done, (start, choices) in zip(rounds[1:], retrainings, strict=True):
        assert choices["begin"] == k
        assert same(start, at_k)
        ticket = lenet()
        ticket.load_state_dict(at_k)
        history = train(ticket, clothes, recipe, mask=done.mask, seed=2, begin=k)
        assert same(snapshot(ticket), done.state)
        assert done.history == history


def test_to_step_0_is_to_init(clothes):
    assert all(map(operator.eq, loop(clothes, restart=to_step(0)), loop(clothes, restart=to_init)))


def test_a_negative_step_is_refused():
    with pytest.raises(ValueError, match="iteration -1 is negative: rewind to 0 or later"):
        to_step(-1)


@pytest.mark.parametrize("iteration", [1.5, "3", None, True])
def test_a_step_that_is_no_whole_number_is_refused(iteration):
    with pytest.raises(ValueError, match=r"^iteration is .*: it must be a whole number$"):
        to_step(iteration)


SHORT = RECIPE.but(iterations=6)


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"restart": to_step(13)}, "cannot rewind to iteration 13 of a training of 12"),
        (
            {"restart": to_step(12)},
            "begins at iteration 12 of a training of 12 has nothing left to train: rewind to an",
        ),
        ({"restart": to_step(6), "retrain": SHORT}, "iteration 6 of a training of 6 has nothing left"),
        ({"restart": to_step(9), "retrain": SHORT}, "iteration 9 of a training of 6 has nothing left"),
        ({"rounds": 1.5}, "^rounds is 1.5: it must be a whole number, at least 0$"),
        ({"rounds": -1}, "^rounds is -1: it must be a whole number, at least 0$"),
        ({"rounds": "3"}, "^rounds is '3': it must be a whole number"),
        ({"seed": 0.5}, "^seed is 0.5: it must be a whole number$"),
        ({"rate": "0.2"}, "^rate is '0.2': it must be a number$"),
        ({"criterion": lambda weights, mask, rate, scope: {"fc1.weight": mask["fc1.weight"]}}, "has no 'fc2.weight'"),
    ],
)
def test_what_cannot_be_done_is_told_before_the_dense_training(clothes, trainings, choices, words):
    with pytest.raises(ValueError, match=words) as caught:
        next(loop(clothes, **choices))
    assert trainings == [] and "\n" not in str(caught.value)


def test_a_rewind_that_a_longer_retraining_makes_room_for_is_done(clothes):
    *_, last = loop(clothes, restart=to_step(12), retrain=RECIPE.but(iterations=18), rounds=1)
    assert last.history.iterations == [18]


def test_numbers_of_other_types_are_numbers(clothes):
    others = {"rounds": np.int64(1), "rate": np.float32(0.5), "seed": np.int32(3), "restart": to_step(np.int64(5))}
    assert list(loop(clothes, **others)) == list(loop(clothes, rounds=1, rate=0.5, seed=3, restart=to_step(5)))


def test_rounds_can_be_compared(clothes):
    first, again = (next(loop(clothes, rounds=0)) for _ in range(2))
    assert first == again and first != dataclasses.replace(first, number=1) and first != "a round"
    assert first != dataclasses.replace(first, state=first.state | {"fc1.bias": first.state["fc1.bias"] + 1})


def drawn(trainings):
    return [start["fc1.weight"] for start, *_ in trainings[1:]]


def test_redraw_draws_anew_each_round_and_reproducibly(clothes, trainings):
    first = list(loop(clothes, restart=redraw(100)))
    starts = drawn(trainings)
    assert not torch.equal(starts[0], starts[1])
    assert not torch.equal(starts[0], lenet().fc1.weight)
    again = list(loop(clothes, restart=redraw(100)))
    assert all(map(operator.eq, first, again))
    other = list(loop(clothes, restart=redraw(101)))
    assert not same(first[1].state, other[1].state)
    assert same(first[1].mask, other[1].mask)  # chosen by the dense network, which is the same


def test_redraws_of_different_seeds_share_no_weights(clothes, trainings):
    for seed in (0, 1, 2):
        list(loop(clothes, restart=redraw(seed)))
    starts = [start["fc1.weight"] for start, _, choices in trainings if choices.get("mask") is not None]
    assert len(starts) == 6
    for a, b in itertools.combinations(starts, 2):
        assert not torch.equal(a, b)


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_redraw_never_returns_the_initial_weights_that_it_is_the_control_for(clothes, trainings, seed):
    list(loop(clothes, network=lenet(seed), restart=redraw(0)))
    for start, *_ in trainings[1:]:
        assert not torch.equal(start["fc1.weight"], lenet(seed).fc1.weight)


def test_redraw_has_the_scale_of_its_initializer(clothes, trainings):
    list(loop(clothes, rounds=1, restart=redraw(7, kaiming_normal)))
    assert float(drawn(trainings)[0].std()) == pytest.approx((2 / 784) ** 0.5, rel=0.02)
    list(loop(clothes, rounds=1, restart=redraw(7)))
    assert float(trainings[-1][0]["fc1.weight"].std()) == pytest.approx((2 / 1084) ** 0.5, rel=0.02)
    assert not trainings[-1][0]["fc1.bias"].any()


def begun(data, magnitudes, signs, seed=100):
    network = lenet()
    return put_together(magnitudes, signs, seed)(network, lambda _: snapshot(lenet()), 1)[0]


@pytest.mark.parametrize("magnitudes", MAGNITUDES)
@pytest.mark.parametrize("signs", SIGNS)
def test_magnitudes_and_signs_come_from_where_they_are_asked_for(clothes, magnitudes, signs):
    θ0, fresh = snapshot(lenet()), redraw(100)(lenet(), lambda _: {}, 1)[0]
    state = begun(clothes, magnitudes, signs)
    assert state.keys() == θ0.keys()
    for name, first in θ0.items():
        if name.endswith("bias"):
            assert torch.equal(state[name], first)
            continue
        sizes = {"initial": first.abs(), "redrawn": fresh[name].abs(), "constant": first.std().expand_as(first)}
        assert torch.equal(state[name].abs(), sizes[magnitudes])
        assert torch.equal(
            state[name] > 0, {"initial": first > 0, "redrawn": fresh[name] > 0}.get(signs, first == first)
        )


def test_what_is_put_together_from_one_place_is_what_was_taken_apart(clothes):
    assert same(begun(clothes, "initial", "initial"), snapshot(lenet()))
    assert same(begun(clothes, "redrawn", "redrawn"), redraw(100)(lenet(), lambda _: {}, 1)[0])


def test_redrawn_signs_are_half_of_them_others(clothes):
    changed = begun(clothes, "initial", "redrawn")["fc1.weight"] != lenet().fc1.weight
    assert float(changed.float().mean()) == pytest.approx(0.5, abs=0.01)


@pytest.mark.parametrize("places", [("trained", "initial"), ("initial", "negative")])
def test_an_unknown_place_is_refused_in_one_sentence(places):
    with pytest.raises(ValueError, match=r"^unknown place of the (magnitudes|signs) '\w+': choose one of [a-z, ]+$"):
        put_together(*places, 0)


# --- going on, and meddling


@pytest.mark.parametrize("restart", RESTARTS)
@pytest.mark.parametrize("architecture", ["lenet-300-100", "lenet-5"])
def test_going_on_after_any_round_ends_in_the_same_bits(clothes, restart, architecture):
    recipe = RECIPE.but(iterations=6, evaluate_every=6, batch=40)
    choices = {
        "restart": RESTARTS[restart],
        "recipe": recipe,
        "rounds": 3 if architecture == "lenet-300-100" else 2,
        "seed": 6,
    }

    def fresh():
        return models.create(architecture, seed=1)

    unbroken = list(loop(clothes, fresh(), **choices))
    assert len(unbroken) == choices["rounds"] + 1
    for number in range(3) if architecture == "lenet-300-100" else (1,):
        resumed = list(loop(clothes, fresh(), after=copy.deepcopy(unbroken[number]), **choices))
        assert [done.number for done in resumed] == list(range(number + 1, len(unbroken)))
        assert all(map(operator.eq, resumed, unbroken[number + 1 :]))


def test_going_on_after_the_last_round_has_nothing_to_do(clothes):
    *_, last = loop(clothes)
    assert list(loop(clothes, after=last)) == []


def meddle(network, done):
    with torch.no_grad():
        for p in network.parameters():
            p.fill_(0.123)
    network.eval()
    torch.manual_seed(done.number)


@pytest.mark.parametrize("restart", RESTARTS)
def test_what_is_done_with_the_network_between_rounds_changes_nothing(clothes, restart):
    left_alone = list(loop(clothes, restart=RESTARTS[restart]))
    network, meddled = lenet(), []
    for done in loop(clothes, network, restart=RESTARTS[restart]):
        meddled.append(done)
        meddle(network, done)
    assert all(map(operator.eq, left_alone, meddled))


def test_a_round_is_a_snapshot(clothes):
    network = lenet()
    rounds = loop(clothes, network, rounds=3, restart=keep)
    done, copies = [], []
    for finished in rounds:
        done.append(finished)
        copies.append(copy.deepcopy(finished))
    train(network, clothes, RECIPE)
    assert all(map(operator.eq, done, copies))
    with pytest.raises(dataclasses.FrozenInstanceError):
        done[0].number = 9


def test_closing_the_loop_keeps_the_rounds_and_the_network_usable(clothes):
    network = lenet()
    rounds = loop(clothes, network)
    next(rounds)
    second = next(rounds)
    rounds.close()
    assert same(snapshot(network), second.state)
    assert evaluate(network, clothes.test) == (second.history.test_loss, second.history.test_accuracy)


def test_global_randomness_is_not_touched(clothes, global_randomness_untouched):
    for restart in RESTARTS.values():
        list(loop(clothes, restart=restart, criterion=criteria.at_random(1), rounds=1))


def test_a_round_reads_well(clothes):
    _, second = loop(clothes, rounds=1)
    assert str(second) == f"round 1 · P_m 60.0% · {second.history}"


# --- refusals


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"rate": 1.5}, r"rate 1\.5 is outside 0 to 1: write 0\.2 for 20 %"),
        ({"rate": -0.2}, "outside 0 to 1"),
        ({"rate": {"fc1.weight": 0.2, "fc2.weight": 0.2}}, r"'fc3\.weight'.*fc1\.weight, fc2\.weight"),
        ({"rate": {"fc1.weight": 0.2, "fc2.weight": 0.2, "fc3.weight": 2}}, "outside 0 to 1"),
        ({"scope": "globally"}, r"unknown scope 'globally'.*did you mean 'global'"),
        ({"rate": {"fc1.weight": 0.2}, "scope": "global"}, "global pruning takes one rate"),
    ],
)
def test_bad_rates_and_scopes_are_refused_in_one_sentence(clothes, choices, words):
    with pytest.raises(ValueError, match=words) as caught:
        list(loop(clothes, recipe=RECIPE.but(iterations=1), **choices))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", ["lenet-5", "conv-2"])
def test_a_round_of_another_network_is_refused_in_one_sentence(clothes, name):
    other = models.create(name, shape=clothes.shape)
    history = train(lenet(), clothes, RECIPE.but(iterations=1))
    with pytest.raises(ValueError, match="another network") as caught:
        list(loop(clothes, after=Round(0, masks.dense(other), snapshot(other), history)))
    assert "\n" not in str(caught.value)


# --- sensitivity


@pytest.mark.parametrize("criterion", [criteria.magnitude, criteria.at_random(3)], ids=["magnitude", "lot"])
def test_sensitivity_prunes_one_layer_at_a_time_to_the_share(clothes, criterion):
    network = models.create("lenet-5")
    train(network, clothes, Recipe(iterations=3))
    before, shares, seen = snapshot(network), [1.0, 0.63, 0.08, 0.0], []

    def accuracy(judged):
        assert judged is network
        seen.append(snapshot(network))
        return float(len(seen))

    found = sensitivity(network, shares, accuracy, criterion)
    assert list(found) == list(masks.prunable(network))
    assert [value for values in found.values() for value in values] == [float(i) for i in range(1, 17)]
    for (layer, share), state in zip(itertools.product(found, shares), seen, strict=True):
        n = before[layer].numel()
        assert int(state[layer].ne(0).sum()) == n - round((1 - share) * n)
        weights = {layer: before[layer]}
        expected = criterion(weights, {layer: torch.ones_like(before[layer], dtype=torch.bool)}, 1 - share, "layer")
        assert same(state, masked(before, expected))
    assert same(before, snapshot(network))


def test_sensitivity_leaves_the_network_as_it_was_and_what_optimizers_hold(clothes):
    network = lenet()
    parameters, before = list(network.parameters()), snapshot(network)
    found = sensitivity(network, [0.5, 0.01], lambda n: evaluate(n, clothes.validation)[1])
    assert same(before, snapshot(network))
    assert all(a is b for a, b in zip(parameters, network.parameters(), strict=True))
    assert all(p.requires_grad for p in parameters)
    assert network.training
    assert all(0 <= value <= 1 for values in found.values() for value in values)


def test_sensitivity_that_is_interrupted_leaves_the_network_as_it_was():
    network = lenet()
    before = snapshot(network)

    def interrupted(_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sensitivity(network, [0.1], interrupted)
    assert same(before, snapshot(network))


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_a_share_outside_0_to_1_is_refused_and_the_network_left_as_it_was(share):
    network = lenet()
    before = snapshot(network)
    with pytest.raises(ValueError, match="outside 0 to 1"):
        sensitivity(network, [0.5, share], lambda _: 0.0)
    assert same(before, snapshot(network))
