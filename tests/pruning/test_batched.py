"""Several networks trained as one end where each would end alone, up to rounding."""

import copy
import dataclasses

import pytest
import torch
from torch import nn

from ltcourse import pruning, training
from ltcourse.data import Split
from ltcourse.networks import masks, models
from ltcourse.networks.models import snapshot
from ltcourse.pruning import batched, criteria, supermasks
from ltcourse.pruning.restarts import keep, to_step
from ltcourse.training import Recipe, loop

ADAM = Recipe(iterations=20, evaluate_every=5)
SGD = Recipe(iterations=20, evaluate_every=5, batch=50, optimizer="sgd", lr=0.05, weight_decay=1e-2)
SEEDS = (3, 4, 8)
CASES = {
    "lenet-300-100, adam": ("lenet-300-100", ADAM),
    "lenet-300-100, sgd": ("lenet-300-100", SGD),
    "l1, cosine, warm-up": ("lenet-300-100", ADAM.but(l1=1e-3, schedule="cosine", warmup=4)),
    "adamw": ("lenet-300-100", ADAM.but(optimizer="adamw", weight_decay=0.1)),
    "conv-2": ("conv-2", SGD.but(iterations=8, lr=0.02)),
    "conv-2, augmented": ("conv-2", SGD.but(iterations=8, lr=0.02, augment="crop-flip")),
    "resnet-8, batch norm": ("resnet-8", SGD.but(iterations=4, evaluate_every=2, lr=0.01)),
}


def several(name, data, width=0.5):
    return [models.create(name, shape=data.shape, width=width, seed=seed) for seed in SEEDS]


def pruned(networks):
    """A mask for each network, of its own weights and its own density."""
    return [
        criteria.magnitude(masks.prunable(network), masks.dense(network), rate)
        for network, rate in zip(networks, (0.2, 0.5, 0.8), strict=True)
    ]


def close(first, other, tolerance=2e-5):
    """Whether two histories are equal up to rounding: accuracies may differ by one example where two classes tie."""
    for name in ("train_loss", "validation_loss"):
        assert getattr(first, name) == pytest.approx(getattr(other, name), rel=tolerance, abs=tolerance)
    assert first.iterations == other.iterations
    assert first.validation_accuracy == pytest.approx(other.validation_accuracy, abs=0.01)
    for name in ("test_loss", "test_accuracy", "early_stop_test_accuracy"):
        one, two = getattr(first, name), getattr(other, name)
        assert (one is None) == (two is None)
        assert one is None or one == pytest.approx(two, rel=tolerance, abs=0.01 if "accuracy" in name else tolerance)
    return True


@pytest.mark.parametrize("masked", [False, True], ids=["dense", "masked"])
@pytest.mark.parametrize("case", CASES)
def test_each_network_ends_where_it_would_end_alone(tiny, case, masked):
    name, recipe = CASES[case]
    together = several(name, tiny)
    alone = copy.deepcopy(together)
    mask = pruned(together) if masked else None
    histories = batched.train(together, tiny, recipe, seeds=SEEDS, masks=mask)
    for i, seed in enumerate(SEEDS):
        history = training.train(alone[i], tiny, recipe, seed=seed, mask=mask[i] if mask else None)
        assert close(histories[i], history)
        for (key, a), b in zip(snapshot(together[i]).items(), snapshot(alone[i]).values(), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-4, atol=2e-5, msg=lambda m, key=key: f"{key}: {m}")
            assert key.endswith(("mean", "var", "tracked")) or a.abs().sum() > 0
        if mask:
            assert not any(p[~mask[i][key]].any() for key, p in masks.prunable(together[i]).items())
    ends = [snapshot(network)[next(iter(snapshot(network)))] for network in together]
    assert not torch.allclose(ends[0], ends[1], atol=1e-3), "the networks are all the same"


def test_the_early_stop_of_each_is_its_own(tiny):
    recipe = Recipe(iterations=24, evaluate_every=4, lr=0.3, warmup=24)
    together = several("lenet-300-100", tiny)
    alone = copy.deepcopy(together)
    histories = batched.train(together, tiny, recipe, seeds=SEEDS)
    for network, history, seed in zip(alone, histories, SEEDS, strict=True):
        single = training.train(network, tiny, recipe, seed=seed)
        assert history.early_stop == single.early_stop < 24
        assert history.early_stop_test_accuracy == pytest.approx(single.early_stop_test_accuracy, abs=0.01)
        assert history.early_stop_test_accuracy != history.test_accuracy


def test_pruned_weights_are_exactly_0_after_every_step(tiny, monkeypatch):
    together = several("lenet-300-100", tiny)
    mask, seen, step = pruned(together), [], loop.Step.__call__

    def watched(self, x, y):
        step(self, x, y)
        for place, name in enumerate(mask[0]):
            seen.append(all(not self._weights[place][i][~mask[i][name]].any() for i in range(3)))

    monkeypatch.setattr(loop.Step, "__call__", watched)
    batched.train(together, tiny, SGD, seeds=SEEDS, masks=mask)
    assert len(seen) == 3 * SGD.iterations
    assert all(seen)


def test_a_run_in_two_parts_is_the_run_in_one_go(tiny):
    recipe = SGD.but(momentum=0.0, schedule="cosine")
    whole, parts = several("lenet-300-100", tiny), several("lenet-300-100", tiny)
    histories = batched.train(whole, tiny, recipe, seeds=SEEDS)
    until = batched.train(parts, tiny, recipe, seeds=SEEDS, end=7)
    since = batched.train(parts, tiny, recipe, seeds=SEEDS, begin=7)
    for history, first, second in zip(histories, until, since, strict=True):
        assert first.iterations + second.iterations == history.iterations
        assert first.test_accuracy is None
        assert second.test_loss == history.test_loss
    for a, b in zip(whole, parts, strict=True):
        assert all(torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True))


def test_one_network_alone_is_a_stack_too_and_a_seed_fixes_every_bit(tiny):
    ends = []
    for _ in range(2):
        network = models.create("lenet-300-100", shape=tiny.shape)
        ends.append((batched.train([network], tiny, ADAM, seeds=(5,))[0], snapshot(network)["fc1.weight"]))
    assert ends[0][0] == ends[1][0]
    assert torch.equal(ends[0][1], ends[1][1])


def test_evaluation_is_that_of_each_network(tiny):
    together = several("resnet-8", tiny)
    batched.train(together, tiny, SGD.but(iterations=4), seeds=SEEDS)
    for (loss, accuracy), network in zip(batched.evaluate(together, tiny.test), together, strict=True):
        expected = training.evaluate(network, tiny.test)
        assert loss == pytest.approx(expected[0], rel=1e-5)
        assert accuracy == pytest.approx(expected[1], abs=0.01)


def test_evaluation_leaves_the_modes_and_the_weights_as_they_were(tiny):
    together = several("resnet-8", tiny)
    together[1].eval()
    before = [snapshot(network) for network in together]
    batched.evaluate(together, tiny.test)
    assert [network.training for network in together] == [True, False, True]
    for network, state in zip(together, before, strict=True):
        assert all(torch.equal(tensor, state[name]) for name, tensor in network.state_dict().items())


def test_training_is_in_training_mode_and_leaves_global_randomness_alone(tiny, global_randomness_untouched):
    together = several("lenet-300-100", tiny)
    together[1].eval()
    batched.train(together, tiny, ADAM, seeds=SEEDS)
    assert all(network.training for network in together)


# Rounds of pruning


@pytest.mark.parametrize("restart", [None, keep, to_step(4)], ids=["to_init", "keep", "to_step"])
def test_rounds_of_pruning_are_those_of_each_network(tiny, restart):
    chosen = {"rate": 0.5, "rounds": 2, **({"restart": restart} if restart else {})}
    recipe = ADAM.but(iterations=8, evaluate_every=4)
    together = list(batched.prune_iteratively(several("lenet-300-100", tiny), tiny, recipe, seeds=SEEDS, **chosen))
    assert [[done.number for done in rounds] for rounds in together] == [[0] * 3, [1] * 3, [2] * 3]
    for i, (network, seed) in enumerate(zip(several("lenet-300-100", tiny), SEEDS, strict=True)):
        for done, rounds in zip(
            pruning.prune_iteratively(network, tiny, recipe, seed=seed, **chosen), together, strict=True
        ):
            ours = rounds[i]
            assert masks.kept(ours.mask) == masks.kept(done.mask)
            differing = sum(int((ours.mask[name] != done.mask[name]).sum()) for name in done.mask)
            assert differing <= 4, "rounding may swap weights that are as good as equal, and no others"
            assert close(ours.history, done.history, 1e-3)


def test_masks_of_later_rounds_are_subsets(tiny):
    *_, before, last = batched.prune_iteratively(
        several("lenet-300-100", tiny), tiny, ADAM.but(iterations=5), seeds=SEEDS, rounds=2
    )
    for one, two in zip(before, last, strict=True):
        assert all(not (two.mask[name] & ~one.mask[name]).any() for name in two.mask)


# What cannot be stacked


def test_what_cannot_be_stacked_is_refused_in_one_sentence_and_left_as_it_was(tiny):
    def lenet(seed=0, width=0.5):
        return models.create("lenet-300-100", shape=tiny.shape, width=width, seed=seed)

    dropout = nn.Sequential(nn.Flatten(), nn.Dropout(0.5), nn.Linear(49, 10))
    same = lenet()
    refused = [
        ([lenet(), lenet(width=1.0)], (0, 1), None, "network 1 is of another architecture"),
        ([lenet(), models.create("conv-2", shape=tiny.shape)], (0, 1), None, "network 1 is of another architecture"),
        ([dropout, copy.deepcopy(dropout)], (0, 1), None, "with dropout or with scores"),
        ([supermasks.edge_popup(lenet(s), 0.5) for s in (0, 1)], (0, 1), None, "with dropout or with scores"),
        ([same, same], (0, 1), None, "network 1 is there twice"),
        ([lenet(), lenet(1)], (0,), None, "2 networks, 1 seeds and no masks"),
        ([lenet(), lenet(1)], (0, 1), [masks.dense(lenet())], "2 networks, 2 seeds and 1 masks"),
        ([], (), None, "0 networks"),
        ([lenet(), lenet(1)], (0, 1), [masks.dense(n) for n in (lenet(), lenet(width=1))], "mask is of another"),
    ]
    for networks, seeds, each, words in refused:
        before = [snapshot(network) for network in networks]
        with pytest.raises(ValueError, match=words) as caught:
            batched.train(networks, tiny, ADAM, seeds=seeds, masks=each)
        assert "\n" not in str(caught.value)
        for network, state in zip(networks, before, strict=True):
            assert all(torch.equal(tensor, state[name]) for name, tensor in network.state_dict().items())
    with pytest.raises(ValueError, match="are not within the run"):
        batched.train([lenet()], tiny, ADAM, seeds=(0,), end=99)
    none = dataclasses.replace(tiny, test=Split(tiny.test.x[:0], tiny.test.y[:0]))
    with pytest.raises(ValueError, match=r"^the test part of .* is empty"):
        batched.train([lenet()], none, ADAM, seeds=(0,))
    for choices, words in (
        ({"rounds": 1.5}, "^rounds is 1.5"),
        ({"restart": to_step(ADAM.iterations)}, "nothing left"),
    ):
        with pytest.raises(ValueError, match=words):
            next(batched.prune_iteratively([lenet()], tiny, ADAM, seeds=(0,), **choices))


def test_divergence_of_one_network_is_said(tiny):
    together = several("lenet-300-100", tiny)
    with torch.no_grad():
        together[1].fc1.weight.mul_(1e38)
    with pytest.raises(FloatingPointError, match="lower the learning rate"):
        batched.train(together, tiny, ADAM, seeds=SEEDS)
    with pytest.raises(FloatingPointError, match="lower the learning rate"):
        batched.train(together, tiny, ADAM, seeds=SEEDS, end=2)


def test_an_interrupted_training_leaves_each_network_with_what_it_had_learned(tiny, monkeypatch):
    together, calls, step = several("lenet-300-100", tiny), [], loop.Step.__call__

    def interrupted(self, x, y):
        step(self, x, y)
        calls.append(x)
        if len(calls) == 3:
            raise KeyboardInterrupt

    before = snapshot(together[2])
    monkeypatch.setattr(loop.Step, "__call__", interrupted)
    with pytest.raises(KeyboardInterrupt):
        batched.train(together, tiny, ADAM, seeds=SEEDS)
    monkeypatch.undo()
    assert not torch.equal(before["fc1.weight"], together[2].fc1.weight)
    three = several("lenet-300-100", tiny)
    batched.train(three, tiny, ADAM, seeds=SEEDS, end=3)
    assert torch.equal(three[2].fc1.weight, together[2].fc1.weight)
