"""The training loop: masks hold at every step, numbers are those of a plain loop, one seed means the same bits."""

import copy
import dataclasses
import json
import math
import re

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import cross_entropy

from ltcourse.data import Split
from ltcourse.data.augmentation import changes
from ltcourse.networks import masks, models
from ltcourse.networks.models import snapshot
from ltcourse.pruning import criteria, supermasks
from ltcourse.training import History, Recipe, evaluate, evaluations, loop, train
from ltcourse.training.accuracy import top_errors

SGD = Recipe(optimizer="sgd", momentum=0.0, lr=0.1, iterations=23, batch=60, evaluate_every=5)
EACH_OPTIMIZER = [
    Recipe(optimizer="adam", lr=1e-3),
    Recipe(optimizer="adam", lr=1e-3, weight_decay=1e-2),
    Recipe(optimizer="adamw", lr=1e-3, weight_decay=1e-1),
    Recipe(optimizer="sgd", lr=5e-2, momentum=0.9),
    Recipe(optimizer="sgd", lr=5e-2, momentum=0.9, weight_decay=1e-2),
    Recipe(optimizer="sgd", lr=5e-2, momentum=0.0, weight_decay=1e-2, schedule="cosine", warmup=4),
    Recipe(optimizer="adam", lr=1e-3, weight_decay=1e-2, l1=1e-3),
    Recipe(optimizer="adamw", lr=1e-3, weight_decay=1e-1, l1=1e-3),
    Recipe(optimizer="sgd", lr=5e-2, momentum=0.9, weight_decay=1e-2, l1=1e-3),
]


def name_of(recipe):
    return "-".join(str(part) for part in (recipe.optimizer, recipe.weight_decay, recipe.l1, recipe.schedule))


def half_pruned(network, rate=0.7):
    return criteria.magnitude(masks.prunable(network), masks.dense(network), rate)


def moved(network, seed=3):
    """A network whose pruned weights and biases are far from 0, as one is that was trained before."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in network.parameters():
            p.add_(0.02 * torch.randn(p.shape, generator=generator))
    return network


def lenet(seed=0):
    return models.create("lenet-300-100", seed=seed)


def same(first, other):
    return first.keys() == other.keys() and all(torch.equal(first[name], other[name]) for name in first)


def batches(n, batch, seed):
    """The order of examples as the course defines it, written the plain way."""
    generator = torch.Generator().manual_seed(seed)
    while True:
        order = torch.randperm(n, generator=generator)
        for i in range(0, n - batch + 1, batch):
            yield order[i : i + batch]


def plain_training(network, data, recipe, mask, seed=0):
    """A loop that anybody would write: PyTorch's optimizer as it comes, and the mask multiplied after each step."""
    make = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}[recipe.optimizer]
    extra = {"momentum": recipe.momentum} if recipe.optimizer == "sgd" else {}
    optimizer = make(
        network.parameters(),
        lr=recipe.lr,
        weight_decay=recipe.weight_decay,
        foreach=False,
        fused=False,
        **extra,
    )
    weights = dict(network.named_parameters())
    for name, m in mask.items():
        weights[name].data *= m
    losses = []
    for number, index in zip(range(recipe.iterations), batches(len(data.train), recipe.batch, seed), strict=False):
        factor = min(1, (number + 1) / recipe.warmup) if recipe.warmup else 1
        if recipe.schedule == "cosine":
            factor *= 0.5 * (1 + math.cos(math.pi * number / recipe.iterations))
        optimizer.param_groups[0]["lr"] = recipe.lr * factor
        loss = cross_entropy(network(data.train.x[index]), data.train.y[index])
        penalty = sum(weights[name].abs().sum() for name in mask)
        optimizer.zero_grad()
        (loss + recipe.l1 * penalty).backward()
        optimizer.step()
        for name, m in mask.items():
            weights[name].data *= m
        losses.append(loss.item())
    return losses


# --- masks hold


@pytest.mark.parametrize("recipe", EACH_OPTIMIZER, ids=name_of)
def test_pruned_weights_are_exactly_0_at_every_step(clothes, recipe):
    network = moved(lenet())
    mask = half_pruned(network)
    pruned = {name: ~m for name, m in mask.items()}
    seen = []

    def look(module, inputs):
        seen.append(all(module.get_parameter(name)[m].eq(0).all() for name, m in pruned.items()))

    hook = network.register_forward_pre_hook(look)
    recipe = recipe.but(iterations=12, evaluate_every=1)
    histories = []
    for history in evaluations(network, clothes, recipe, mask=mask):
        histories.append(history)
        look(network, None)
        survivors = torch.cat([p[mask[name]].flatten() for name, p in masks.prunable(network).items()])
        assert (survivors != 0).float().mean() > 0.99
    hook.remove()
    assert len(histories) == 12
    assert len(seen) >= 12 * 3
    assert all(seen)


def test_a_convolution_is_held_too_when_nobody_looks_between(clothes):
    network = moved(models.create("lenet-5"))
    mask = half_pruned(network)
    train(network, clothes, Recipe(iterations=5, optimizer="sgd", weight_decay=0.1, evaluate_every=100), mask=mask)
    for name, p in masks.prunable(network).items():
        assert not p[~mask[name]].any()
        assert p[mask[name]].all()


def test_the_mask_is_applied_even_when_there_is_nothing_left_to_train(clothes):
    network = lenet()
    mask = half_pruned(network)
    train(network, clothes, Recipe(iterations=5), mask=mask, begin=0, end=0)
    assert not any(p[~mask[name]].any() for name, p in masks.prunable(network).items())


def test_training_does_not_change_the_mask_or_the_data(clothes):
    network = lenet()
    mask = half_pruned(network)
    before, images = {name: m.clone() for name, m in mask.items()}, clothes.train.x.clone()
    train(network, clothes, Recipe(iterations=3), mask=mask)
    assert same(before, mask)
    assert torch.equal(images, clothes.train.x)


def test_without_a_mask_and_under_the_dense_mask_training_is_the_same(clothes):
    plain, masked = lenet(), lenet()
    train(plain, clothes, Recipe(iterations=5))
    train(masked, clothes, Recipe(iterations=5), mask=masks.dense(masked))
    assert same(snapshot(plain), snapshot(masked))


# --- the same numbers as a plain loop


@pytest.mark.parametrize("recipe", EACH_OPTIMIZER, ids=name_of)
def test_survivors_are_those_of_a_plain_loop(clothes, recipe):
    recipe = recipe.but(iterations=20, evaluate_every=7)
    ours = moved(lenet())
    mask = half_pruned(ours)
    theirs = copy.deepcopy(ours)
    history = train(ours, clothes, recipe, mask=mask, seed=5)
    losses = plain_training(theirs, clothes, recipe, mask, seed=5)
    for (name, a), b in zip(ours.named_parameters(), theirs.parameters(), strict=True):
        assert (a - b).abs().max() < 1e-5, name
    assert history.iterations == [7, 14, 20]
    means = [sum(losses[i:j]) / (j - i) for i, j in ((0, 7), (7, 14), (14, 20))]
    assert history.train_loss == pytest.approx(means, rel=1e-5)
    assert history.test_accuracy == evaluate(theirs, clothes.test)[1]


def test_a_convolutional_network_ends_where_a_plain_loop_ends(clothes):
    recipe = Recipe(optimizer="sgd", lr=0.02, iterations=6, batch=30, weight_decay=1e-2)
    ours = models.create("lenet-5")
    mask = half_pruned(ours)
    theirs = copy.deepcopy(ours)
    train(ours, clothes, recipe, mask=mask)
    plain_training(theirs, clothes, recipe, mask)
    for a, b in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert (a - b).abs().max() < 1e-5


# --- one seed, the same bits


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_seed_fixes_every_bit_of_weights_and_history(clothes, precision):
    recipe = Recipe(iterations=12, evaluate_every=4, precision=precision)
    runs = []
    for seed in (3, 3, 4):
        network = models.create("lenet-5", seed=1)
        history = train(network, clothes, recipe, mask=half_pruned(network), seed=seed)
        runs.append((snapshot(network), history))
        torch.rand(1)  # what else is drawn in the process does not matter
    (first, history), (again, history_again), (other, history_other) = runs
    assert same(first, again)
    assert history == history_again
    assert not same(first, other)
    assert history.train_loss != history_other.train_loss


def test_global_randomness_is_not_touched(clothes, global_randomness_untouched):
    train(lenet(), clothes, Recipe(iterations=10, evaluate_every=2))


def test_watching_does_not_change_the_training(clothes):
    watched, unwatched = lenet(), lenet()
    train(watched, clothes, Recipe(iterations=9, evaluate_every=1))
    train(unwatched, clothes, Recipe(iterations=9, evaluate_every=9))
    assert same(snapshot(watched), snapshot(unwatched))


def test_every_example_comes_once_an_epoch_in_a_new_order(clothes, monkeypatch):
    seen = seen_examples(monkeypatch, clothes, Recipe(iterations=20, batch=50))
    first, second = torch.cat(seen[:10]), torch.cat(seen[10:])
    assert sorted(first.tolist()) == sorted(second.tolist()) == list(range(500))
    assert first.tolist() != second.tolist()
    assert first.tolist() != list(range(500))


def test_an_incomplete_batch_is_left_out(clothes, monkeypatch):
    seen = seen_examples(monkeypatch, clothes, Recipe(iterations=18, batch=60))
    assert {len(batch) for batch in seen} == {60}
    for epoch in (seen[:8], seen[8:16]):
        assert len(set(torch.cat(epoch).tolist())) == 480
    expected = batches(500, 60, seed=0)
    assert all(torch.equal(batch, next(expected)) for batch in seen)


def seen_examples(monkeypatch, data, recipe, **choices):
    """The indices of the examples in the order of training: each image carries its own number in its first pixel."""
    numbered = data.train.x.clone()
    numbered[:, 0, 0, 0] = torch.arange(len(numbered))
    data = dataclasses.replace(data, train=Split(numbered, data.train.y))
    network, seen = lenet(), []
    network.register_forward_pre_hook(
        lambda module, inputs: seen.append(inputs[0][:, 0, 0, 0].long()) if module.training else None
    )
    train(network, data, recipe.but(lr=1e-6), **choices)
    return seen


# --- begin and end


@pytest.mark.parametrize("schedule", ["constant", "cosine"])
@pytest.mark.parametrize("k", [0, 1, 7, 8, 9, 17, 23])
def test_a_run_in_two_parts_is_the_run_in_one_go(clothes, k, schedule):
    recipe = SGD.but(schedule=schedule, warmup=10)  # 8 batches an epoch
    whole, parts = lenet(), lenet()
    mask = half_pruned(whole)
    history = train(whole, clothes, recipe, mask=mask, seed=2)
    until = train(parts, clothes, recipe, mask=mask, seed=2, end=k)
    since = train(parts, clothes, recipe, mask=mask, seed=2, begin=k)
    assert same(snapshot(whole), snapshot(parts))
    assert until.iterations + since.iterations == history.iterations or k == 23
    assert (until.test_accuracy is None) == (k < 23)
    if k < 23:
        assert since.validation_loss[-1] == history.validation_loss[-1]
        assert since.test_loss == history.test_loss


@pytest.mark.parametrize("begin", [0, 1, 8, 13])
def test_begin_goes_on_in_the_order_of_the_examples(clothes, monkeypatch, begin):
    whole = seen_examples(monkeypatch, clothes, SGD, seed=4)
    rest = seen_examples(monkeypatch, clothes, SGD, seed=4, begin=begin)
    assert len(whole) == 23
    assert len(rest) == 23 - begin
    assert all(torch.equal(a, b) for a, b in zip(whole[begin:], rest, strict=True))


def test_after_end_the_network_is_that_of_the_whole_run_at_that_iteration(clothes):
    recipe = Recipe(iterations=20, evaluate_every=4, schedule="cosine")
    broken_off, whole = lenet(), lenet()
    for history in evaluations(whole, clothes, recipe):
        if history.iterations[-1] == 8:
            at_8 = snapshot(whole)
    until = train(broken_off, clothes, recipe, end=8)
    assert same(at_8, snapshot(broken_off))
    assert until.iterations == [4, 8]
    assert until.validation_loss == history.validation_loss[:2]
    assert (until.test_loss, until.test_accuracy) == (None, None)
    assert evaluate(broken_off, clothes.validation) == (history.validation_loss[1], history.validation_accuracy[1])


def test_the_train_loss_after_begin_is_the_mean_since_then(clothes):
    network = lenet()
    history = train(network, clothes, SGD.but(lr=0.0), begin=18)
    assert history.iterations == [20, 23]
    order = batches(500, 60, 0)
    losses = [float(cross_entropy(network(clothes.train.x[i]), clothes.train.y[i])) for i, _ in zip(order, range(23))]  # noqa: B905
    assert history.train_loss == pytest.approx([sum(losses[18:20]) / 2, sum(losses[20:]) / 3], rel=1e-5)


@pytest.mark.parametrize(("begin", "end"), [(-1, None), (0, 24), (24, None), (5, 4), (0, -1)])
def test_a_span_outside_the_run_is_refused_and_nothing_is_changed(clothes, begin, end):
    network = lenet()
    before = snapshot(network)
    with pytest.raises(ValueError, match="are not within the run of 23"):
        train(network, clothes, SGD, begin=begin, end=end)
    assert same(before, snapshot(network))


# --- schedules and settings


def rates(recipe):
    return [recipe.lr_at(iteration) for iteration in range(1, recipe.iterations + 1)]


def test_the_constant_schedule_is_constant():
    assert rates(Recipe(iterations=5, lr=0.3)) == [0.3] * 5


def test_warmup_rises_evenly_and_then_stays():
    assert rates(Recipe(iterations=6, lr=0.4, warmup=4)) == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.4, 0.4])


def test_cosine_is_that_of_pytorch():
    parameter = nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=0.3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10)
    expected = []
    for _ in range(10):
        expected.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    assert rates(Recipe(iterations=10, lr=0.3, schedule="cosine")) == pytest.approx(expected)
    assert expected[5] == pytest.approx(0.15)


def test_cosine_with_warmup_is_their_product():
    recipe = Recipe(iterations=10, lr=0.3, schedule="cosine", warmup=4)
    cosine = rates(recipe.but(warmup=0))
    assert rates(recipe) == pytest.approx([rate * min(1, i / 4) for i, rate in enumerate(cosine, 1)])


@pytest.mark.parametrize(
    ("setting", "words"),
    [
        ({"optimizer": "adamm"}, "unknown optimizer 'adamm' .did you mean"),
        ({"optimizer": "lion"}, "choose one of adam, adamw, sgd"),
        ({"schedule": "cosin"}, "unknown schedule 'cosin' .did you mean 'cosine'"),
        ({"precision": "float16"}, "unknown precision 'float16'"),
        ({"augment": "crop_flip"}, "unknown augmentation 'crop_flip' .did you mean 'crop-flip'"),
        ({"augment": ""}, "unknown augmentation ''.*choose one of crop-flip"),
        ({"iterations": 0}, "iterations is 0: it must be a whole number, at least 1"),
        ({"iterations": 1e3}, "iterations"),
        ({"iterations": 2.5}, "iterations"),
        ({"batch": 0}, "batch is 0: it must be a whole number, at least 1"),
        ({"batch": 60.5}, "batch"),
        ({"evaluate_every": 0}, "evaluate_every is 0: it must be a whole number, at least 1"),
        ({"lr": -1e-3}, "lr is -0.001: it must not be negative"),
        ({"lr": math.nan}, "lr is nan"),
        ({"momentum": -0.9}, "momentum is -0.9"),
        ({"weight_decay": -1}, "weight_decay is -1"),
        ({"l1": -1}, "l1 is -1"),
        ({"warmup": -1}, "warmup is -1"),
        ({"iterations": True}, "iterations is True: it must be a whole number, at least 1"),
        ({"iterations": np.float64(5)}, "iterations is 5.0: it must be a whole number, at least 1"),
        ({"batch": "60"}, "batch is '60': it must be a whole number, at least 1"),
        ({"batch": np.int64(0)}, "batch is 0"),
        ({"lr": "0.1"}, "lr is '0.1': it must be a number"),
        ({"lr": None}, "lr is None: it must be a number"),
        ({"lr": True}, "lr is True: it must be a number"),
        ({"lr": [0.1, 0.2]}, r"lr is \[0.1, 0.2\]: it must be a number"),
        ({"lr": math.inf}, "lr is inf: it must be finite"),
        ({"momentum": np.bool_(True)}, "momentum is True: it must be a number"),
    ],
)
def test_a_setting_that_no_run_can_have_is_refused_in_one_sentence(setting, words):
    for make in (lambda: Recipe(**setting), lambda: Recipe().but(**setting)):
        with pytest.raises(ValueError, match=words) as caught:
            make()
        assert "\n" not in str(caught.value)


def test_numbers_of_other_types_are_those_of_a_recipe():
    given = {"iterations": np.int64(7), "batch": np.uint8(60), "evaluate_every": torch.tensor(3)}
    given |= {"lr": np.float32(0.5), "momentum": torch.tensor(0.25), "l1": np.int64(1), "warmup": np.int16(2)}
    recipe = Recipe(**given)
    assert recipe == Recipe(iterations=7, batch=60, evaluate_every=3, lr=0.5, momentum=0.25, l1=1, warmup=2)
    assert json.loads(json.dumps(dataclasses.asdict(recipe)))["iterations"] == 7


EMPTY = Split(torch.empty(0, 1, 28, 28), torch.empty(0, dtype=torch.int64))


@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_an_empty_part_is_told_before_training(clothes, part):
    network = models.create("lenet-300-100")
    before = snapshot(network)
    with pytest.raises(ValueError, match=rf"^the {part} part of .* is empty: give it at least one example$"):
        train(network, dataclasses.replace(clothes, **{part: EMPTY}), SGD)
    assert models.same(snapshot(network), before)


@pytest.mark.parametrize("label", [-1, 10])
def test_a_label_of_no_class_is_told_before_training(clothes, label):
    odd = Split(clothes.test.x, clothes.test.y.clone().fill_(label))
    words = f"has 10 classes, and the test part has the label {label}: number the classes from 0"
    with pytest.raises(ValueError, match=words):
        train(models.create("lenet-300-100"), dataclasses.replace(clothes, test=odd), SGD)


@pytest.mark.parametrize("judge", [evaluate, top_errors])
def test_nothing_to_evaluate_on_is_told(judge):
    with pytest.raises(ValueError, match=r"^there is nothing to evaluate on: this part of the data is empty$"):
        judge(models.create("lenet-300-100"), EMPTY)


def test_but_changes_what_is_named_and_nothing_else():
    recipe = Recipe(iterations=7, lr=0.1)
    changed = recipe.but(lr=0.2)
    assert (changed.lr, changed.iterations) == (0.2, 7)
    assert recipe.lr == 0.1
    with pytest.raises(ValueError, match=r"unknown setting 'learning_rate'.*choose one of iterations"):
        recipe.but(learning_rate=0.2)


# --- history


def test_the_history_has_an_entry_an_evaluation_and_the_last_iteration(clothes):
    history = train(lenet(), clothes, Recipe(iterations=11, evaluate_every=4))
    assert history.iterations == [4, 8, 11]
    assert len(history.train_loss) == len(history.validation_loss) == len(history.validation_accuracy) == 3
    assert history.test_loss is not None


def test_validation_and_test_are_each_measured_on_their_own_split(clothes):
    network = lenet()
    history = train(network, clothes, Recipe(iterations=10))
    assert (history.validation_loss[-1], history.validation_accuracy[-1]) == evaluate(network, clothes.validation)
    assert (history.test_loss, history.test_accuracy) == evaluate(network, clothes.test)


def test_the_test_set_is_looked_at_once_at_the_end(clothes):
    for history in evaluations(lenet(), clothes, Recipe(iterations=4, evaluate_every=2)):
        for found in (history.test_loss, history.test_accuracy, history.early_stop_test_accuracy):
            assert (found is None) == (history.iterations[-1] < 4)


# the learning rate rises until the validation loss does, too
EARLY = {
    "lenet-300-100": Recipe(iterations=24, evaluate_every=4, lr=0.3, warmup=24),
    "resnet-8": Recipe(iterations=16, evaluate_every=4, batch=50, optimizer="sgd", lr=0.3, warmup=16),
}


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("name", EARLY)
def test_the_test_accuracy_at_the_early_stop_is_that_of_a_run_stopped_there(tiny, name, masked):
    def start():
        network = models.create(name, shape=tiny.shape)
        return network, half_pruned(network) if masked else None

    network, mask = start()
    history = train(network, tiny, EARLY[name], mask=mask, seed=1)
    assert history.early_stop < EARLY[name].iterations
    stopped, mask = start()
    train(stopped, tiny, EARLY[name], mask=mask, seed=1, end=history.early_stop)
    assert history.early_stop_test_accuracy == evaluate(stopped, tiny.test)[1]
    assert history.early_stop_test_accuracy != history.test_accuracy, "this run does not tell the two apart"


@pytest.mark.parametrize("name", EARLY)
def test_a_network_is_left_with_its_last_weights_and_statistics_and_not_those_of_the_early_stop(tiny, name):
    looked, plain = (models.create(name, shape=tiny.shape) for _ in range(2))
    recipe = EARLY[name]
    history = train(looked, tiny, recipe)
    train(plain, tiny, recipe.but(evaluate_every=recipe.iterations))  # whose early stop is its end
    assert history.early_stop < recipe.iterations
    assert same(snapshot(looked), snapshot(plain))
    assert evaluate(looked, tiny.test) == (history.test_loss, history.test_accuracy)


def test_where_the_early_stop_is_the_end_its_test_accuracy_is_that_of_the_end(tiny):
    history = train(models.create("lenet-300-100", shape=tiny.shape), tiny, Recipe(iterations=20, evaluate_every=5))
    assert history.early_stop == 20
    assert history.early_stop_test_accuracy == history.test_accuracy


@pytest.mark.parametrize(
    ("losses", "best"), [([3.0, 1.0, 2.0], 20), ([2.0, 1.0, 1.0], 20), ([1.0, 2.0, 3.0], 10), ([3.0, 2.0, 1.0], 30)]
)
def test_early_stop_is_the_first_minimum_of_the_validation_loss(losses, best):
    history = History([10, 20, 30], [1.0, 0.5, 0.1], losses, [0.9, 0.1, 0.95])
    assert history.early_stop == best


def test_early_stop_of_an_empty_history_is_refused():
    with pytest.raises(ValueError, match="this history is empty"):
        _ = History().early_stop
    assert str(History()) == "nothing evaluated yet"


def test_a_history_reads_well_and_fits_a_record(clothes):
    history = train(lenet(), clothes, Recipe(iterations=2))
    assert f"validation accuracy {history.validation_accuracy[-1]:.2%}" in str(history)
    assert "test" not in str(history), "what a progress line shows is no reason to choose by the test set"
    assert History(**json.loads(json.dumps(history.to_dict()))) == history


# --- evaluation


@pytest.mark.parametrize("chunk", [1, 7, 100, 202, 203, 1000])
def test_evaluate_is_a_mean_over_examples_whatever_the_chunk(clothes, chunk):
    network, part = moved(lenet()), clothes.validation
    with torch.no_grad():
        logits = network(part.x).double()
    loss, accuracy = evaluate(network, part, chunk=chunk)
    assert loss == pytest.approx(float(cross_entropy(logits, part.y)), rel=1e-6)
    assert accuracy == int((logits.argmax(1) == part.y).sum()) / 203
    assert type(loss) is type(accuracy) is float


@pytest.mark.parametrize("training", [True, False])
def test_evaluate_judges_in_eval_mode_and_puts_the_mode_back(clothes, training):
    network = nn.Sequential(nn.Flatten(), nn.BatchNorm1d(784), nn.Dropout(0.5), nn.Linear(784, 10)).train(training)
    before = snapshot(network)
    first, again = evaluate(network, clothes.test), evaluate(network, clothes.test)
    assert first == again
    assert network.training is training
    assert all(module.training is training for module in network.modules())
    assert same(before, snapshot(network))
    assert all(p.grad is None for p in network.parameters())


def test_training_is_in_training_mode_even_after_an_evaluation(clothes):
    network, modes = lenet().eval(), []
    network.register_forward_pre_hook(lambda module, inputs: modes.append((module.training, len(inputs[0]))))
    train(network, clothes, Recipe(iterations=4, batch=50, evaluate_every=2))
    assert [mode for mode, n in modes if n == 50] == [True] * 4
    assert not any(mode for mode, n in modes if n != 50)


# --- what can go wrong, and other settings


def test_divergence_is_said_in_one_sentence(clothes):
    with pytest.raises(FloatingPointError, match=r"training diverged, lower the learning rate \(it is 1e") as caught:
        train(lenet(), clothes, SGD.but(lr=1e20))
    assert "\n" not in str(caught.value)


def test_divergence_in_the_very_last_step_is_said_too(clothes):
    with pytest.raises(FloatingPointError, match="lower the learning rate"):
        train(lenet(), clothes, SGD.but(lr=1e30, iterations=1))


def test_divergence_is_said_when_the_run_is_broken_off_before_an_evaluation(clothes):
    with pytest.raises(FloatingPointError, match="lower the learning rate"):
        train(lenet(), clothes, SGD.but(lr=1e20), end=4)


def test_a_mask_of_another_network_is_refused_before_anything_is_changed(clothes):
    network = lenet()
    before = snapshot(network)
    with pytest.raises(ValueError, match="this mask is of another network"):
        train(network, clothes, SGD, mask=masks.dense(models.create("lenet-5")))
    assert same(before, snapshot(network))


def test_bfloat16_ends_near_float32(clothes):
    ends = {}
    for precision in ("float32", "bfloat16"):
        network = lenet()
        history = train(network, clothes, Recipe(iterations=60, precision=precision), mask=half_pruned(network))
        ends[precision] = history
        assert all(p.dtype == torch.float32 for p in network.parameters())
        assert (history.test_loss, history.test_accuracy) == evaluate(network, clothes.test)
    assert ends["bfloat16"] != ends["float32"]
    assert ends["bfloat16"].test_loss == pytest.approx(ends["float32"].test_loss, rel=0.03)
    assert ends["bfloat16"].test_accuracy == pytest.approx(ends["float32"].test_accuracy, abs=0.05)


def test_training_learns(clothes):
    history = train(lenet(), clothes, Recipe(iterations=100))
    assert history.test_accuracy > 0.65


def test_l1_shrinks_weights_and_leaves_biases_alone(clothes):
    plain, penalized = moved(lenet()), moved(lenet())
    recipe = Recipe(optimizer="sgd", momentum=0.0, lr=0.1, iterations=30)
    train(plain, clothes, recipe)
    train(penalized, clothes, recipe.but(l1=5e-3))
    for a, b in zip(masks.prunable(plain).values(), masks.prunable(penalized).values(), strict=True):
        assert b.abs().sum() < 0.95 * a.abs().sum()
    one_step = moved(lenet()), moved(lenet())
    for network, l1 in zip(one_step, (0.0, 1e-2), strict=True):
        train(network, clothes, recipe.but(iterations=1, l1=l1))
    for a, b in zip(one_step[0].parameters(), one_step[1].parameters(), strict=True):
        assert torch.equal(a, b) == (a.dim() == 1)


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "sgd"])
def test_weight_decay_shrinks_weights(clothes, optimizer):
    recipe = Recipe(optimizer=optimizer, lr=1e-2, momentum=0.0, iterations=15)
    plain, decayed = lenet(), lenet()
    train(plain, clothes, recipe)
    train(decayed, clothes, recipe.but(weight_decay=0.5))
    assert decayed.fc1.weight.abs().sum() < 0.99 * plain.fc1.weight.abs().sum()


def test_a_batch_larger_than_the_data_set_is_the_data_set(clothes):
    big, exact = lenet(), lenet()
    train(big, clothes, SGD.but(batch=10_000, iterations=3))
    train(exact, clothes, SGD.but(batch=500, iterations=3))
    assert same(snapshot(big), snapshot(exact))


def test_closing_the_evaluations_midway_leaves_a_usable_network(clothes):
    network = lenet()
    mask = half_pruned(network)
    recipe = Recipe(iterations=20, evaluate_every=2)
    run = evaluations(network, clothes, recipe, mask=mask)
    next(run)
    history = next(run)
    run.close()
    assert history.iterations == [2, 4]
    assert not any(p[~mask[name]].any() for name, p in masks.prunable(network).items())
    untouched = lenet()
    train(untouched, clothes, recipe, mask=mask, end=4)
    assert same(snapshot(network), snapshot(untouched))
    assert evaluate(network, clothes.validation)[0] == history.validation_loss[-1]
    assert train(network, clothes, recipe, mask=mask).test_accuracy > 0.2


def test_each_run_has_a_history_of_its_own(clothes):
    network = lenet()
    first = train(network, clothes, Recipe(iterations=2))
    train(network, clothes, Recipe(iterations=3))
    assert first.iterations == [2]


# --- augmentation


def images_seen(data, recipe, **choices):
    """What the network is given: the batches in training, and those in evaluation."""
    network, seen = lenet(), {True: [], False: []}
    network.register_forward_pre_hook(lambda module, inputs: seen[module.training].append(inputs[0].clone()))
    train(network, data, recipe, **choices)
    return seen


@pytest.mark.parametrize("begin", [0, 3, 9])
def test_training_sees_the_changed_images_in_the_same_order_and_evaluation_the_unchanged(clothes, begin):
    recipe = SGD.but(iterations=10, augment="crop-flip")
    seen = images_seen(clothes, recipe, seed=6, begin=begin)
    change = changes("crop-flip", clothes, 6)
    expected = [change(clothes.train.x[i]) for i, _ in zip(batches(500, 60, seed=6), range(10), strict=False)]
    assert len(seen[True]) == 10 - begin
    assert all(torch.equal(a, b) for a, b in zip(seen[True], expected[begin:], strict=True))
    parts = {len(part): part.x for part in (clothes.validation, clothes.test)}
    parts[2] = clothes.train.x[:2]  # to count the network's outputs
    assert {len(x) for x in seen[False]} == set(parts)
    assert all(torch.equal(x, parts[len(x)]) for x in seen[False])


def test_augmentation_changes_the_training_and_its_seed_does(clothes):
    ends = {}
    for augment, seed in ((None, 1), ("crop-flip", 1), ("crop-flip", 2)):
        network = lenet()
        train(network, clothes, SGD.but(iterations=3, augment=augment), seed=seed)
        ends[augment, seed] = snapshot(network)["fc1.weight"]
    assert len({w.sum().item() for w in ends.values()}) == 3


@pytest.mark.parametrize("name", ["lenet-300-100", "conv-2"])
@pytest.mark.parametrize("k", [0, 1, 7, 8, 9, 22, 23])
def test_an_augmented_run_in_two_parts_is_the_run_in_one_go(clothes, tiny, name, k):
    data, iterations = (clothes, 23) if name == "lenet-300-100" else (tiny, 23)
    recipe = SGD.but(iterations=iterations, schedule="cosine", augment="crop-flip", batch=60 if data is clothes else 20)
    whole, parts = (models.create(name, shape=data.shape, width=0.5) for _ in range(2))
    mask = half_pruned(whole)
    history = train(whole, data, recipe, mask=mask, seed=2)
    train(parts, data, recipe, mask=mask, seed=2, end=k)
    since = train(parts, data, recipe, mask=mask, seed=2, begin=k)
    assert same(snapshot(whole), snapshot(parts))
    assert k == 23 or since.test_loss == history.test_loss


def test_an_augmented_run_whose_batch_is_the_data_set_goes_on_too(tiny):
    recipe = SGD.but(iterations=4, batch=10_000, augment="crop-flip")
    whole, parts = (models.create("lenet-300-100", shape=tiny.shape) for _ in range(2))
    train(whole, tiny, recipe)
    train(parts, tiny, recipe, end=2)
    train(parts, tiny, recipe, begin=2)
    assert same(snapshot(whole), snapshot(parts))


def test_without_augmentation_the_images_are_the_very_ones_and_nothing_is_drawn(clothes, monkeypatch):
    seen = images_seen(clothes, SGD.but(iterations=3), seed=4)
    order = batches(500, 60, seed=4)
    assert all(torch.equal(x, clothes.train.x[next(order)]) for x in seen[True])
    plain, bare = lenet(), lenet()
    train(plain, clothes, SGD, seed=4, end=20)
    monkeypatch.setattr(loop, "changes", lambda *given, **named: lambda images: images)
    train(bare, clothes, SGD.but(augment="crop-flip"), seed=4, end=20)
    assert same(snapshot(plain), snapshot(bare))


def test_augmentation_leaves_global_randomness_and_the_data_alone(clothes, global_randomness_untouched):
    before = clothes.train.x.clone()
    train(lenet(), clothes, SGD.but(iterations=3, augment="crop-flip"))
    assert torch.equal(clothes.train.x, before)


def test_a_part_of_the_weights_can_be_frozen(clothes):
    network, bare = lenet(), lenet()
    network.fc2.weight.requires_grad_(False)
    for recipe in (SGD.but(iterations=3, momentum=0.9, weight_decay=0.1), SGD.but(iterations=3, l1=0.1)):
        train(network, clothes, recipe)
    assert torch.equal(network.fc2.weight, bare.fc2.weight)
    assert not torch.equal(network.fc1.weight, bare.fc1.weight)


# --- weights that are computed from others


@pytest.fixture
def popups(monkeypatch):
    """How often the weights of a layer are computed from its scores."""
    calls, forward = [], supermasks.Popup.forward

    def counted(self, weight):
        calls.append(self)
        return forward(self, weight)

    monkeypatch.setattr(supermasks.Popup, "forward", counted)
    return calls


def test_an_evaluation_computes_each_layers_masked_weights_once(clothes, popups):
    network = supermasks.edge_popup(lenet(), 0.5)
    part = clothes.validation
    popups.clear()
    logits = torch.cat([network(x) for x in part.x.split(50)])
    assert len(popups) == 3 * 5, "without the cache it is once a chunk"
    popups.clear()
    loss, accuracy = evaluate(network, part, chunk=50)
    assert len(popups) == len(set(popups)) == 3
    assert loss == pytest.approx(float(cross_entropy(logits, part.y)), rel=1e-5)
    assert accuracy == int((logits.argmax(1) == part.y).sum()) / len(part)
    popups.clear()
    train(network, clothes, SGD.but(iterations=4, evaluate_every=2))
    assert len(popups) == 3 * (1 + 4 + 2 + 1)  # the outputs counted, each step, both validations, the test


def test_an_evaluation_remembers_nothing_for_the_next(clothes, popups):
    network = supermasks.edge_popup(lenet(), 0.5)
    first = evaluate(network, clothes.test)
    for layer in supermasks.scored(network).values():
        with torch.no_grad():
            layer.scores.copy_(layer.scores.flip(0))
    second = evaluate(network, clothes.test)
    assert second != first
    flipped = masks.apply(lenet(), supermasks.supermask(network))
    assert second == pytest.approx(evaluate(flipped, clothes.test))
    with pytest.raises(RuntimeError):
        evaluate(network, Split(clothes.test.x[:, :, :5], clothes.test.y))  # images of another size
    popups.clear()
    network(clothes.test.x[:1])
    network(clothes.test.x[:1])
    assert len(popups) == 3 * 2, "an evaluation that failed has left the cache on"
    assert network(clothes.test.x[:1]).requires_grad


def test_the_early_stop_of_a_search_is_judged_by_its_own_scores(tiny):
    recipe = Recipe(iterations=24, evaluate_every=4, batch=50, optimizer="sgd", momentum=0.0, lr=200.0, warmup=24)

    def start():
        return supermasks.edge_popup(models.create("lenet-300-100", shape=tiny.shape), 0.5)

    network, stopped = start(), start()
    history = train(network, tiny, recipe, seed=1)
    assert history.early_stop < 24, "this search does not tell the two apart"
    train(stopped, tiny, recipe, seed=1, end=history.early_stop)
    assert history.early_stop_test_accuracy == evaluate(stopped, tiny.test)[1]
    assert evaluate(network, tiny.test) == (history.test_loss, history.test_accuracy)


def test_while_a_history_is_looked_at_the_process_is_as_it_was(tiny):
    """Two trainings watched side by side do not leave PyTorch with the threads of one of them."""
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        recipe = Recipe(iterations=6, batch=8, evaluate_every=2)
        both = (evaluations(models.create("lenet-300-100", shape=tiny.shape, seed=s), tiny, recipe) for s in (0, 1))
        seen = [torch.get_num_threads() for _ in zip(*both, strict=True)]
        assert seen == [2, 2, 2] and torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


# --- networks and images that no training can move


def with_hole(dataset, part, index):
    split = getattr(dataset, part)
    x = split.x.clone()
    x[index, 0, 2, 3] = math.nan
    return dataclasses.replace(dataset, **{part: Split(x, split.y)})


@pytest.mark.parametrize("part", ["train", "validation"])
def test_an_image_that_is_no_number_is_told_and_not_the_learning_rate(tiny, part):
    network = models.create("lenet-300-100", shape=tiny.shape)
    with pytest.raises(
        FloatingPointError, match=rf"1 of the \d+ images of data\.{part} .*number 7: leave them out"
    ) as caught:
        train(network, with_hole(tiny, part, 7), Recipe(iterations=20, evaluate_every=20))
    assert "learning rate" not in str(caught.value) and "\n" not in str(caught.value)


def test_a_network_without_parameters_is_refused(tiny):
    with pytest.raises(ValueError, match=r"no parameters, so there is nothing to train: give it a layer"):
        train(nn.Flatten(), tiny, Recipe(iterations=1))


@pytest.mark.parametrize(
    ("last", "shape"),
    [
        (lambda: nn.Linear(49, 5), (2, 5)),
        (lambda: nn.Sequential(nn.Linear(49, 10), nn.Unflatten(1, (10, 1, 1))), (2, 10, 1, 1)),
        (lambda: nn.Sequential(nn.Linear(49, 10), nn.Flatten(0)), (20,)),
    ],
    ids=["too few outputs", "an image of outputs", "one row for all"],
)
def test_a_network_that_does_not_answer_with_a_number_per_class_is_refused_before_training(tiny, last, shape):
    network = nn.Sequential(nn.Flatten(), last())
    before = snapshot(network)
    with pytest.raises(ValueError, match=rf"shape {re.escape(str(shape))}, and .* let it return 10 numbers for each"):
        train(network, tiny, Recipe(iterations=1))
    assert all(torch.equal(before[name], t) for name, t in network.state_dict().items())


def test_weights_that_are_no_numbers_to_begin_with_are_told_by_name(tiny):
    network = models.create("lenet-300-100", shape=tiny.shape)
    with torch.no_grad():
        network.fc2.weight[3, 4] = math.inf
    with pytest.raises(ValueError, match=r"'fc2\.weight' holds NaN or infinity before any training"):
        train(network, tiny, Recipe(iterations=1))


@pytest.mark.parametrize(
    ("recipe", "said"),
    [
        (Recipe(), "1,500 iterations of 60, Adam at 0.0012"),
        (Recipe(optimizer="sgd", lr=0.1, weight_decay=1e-4), "SGD with momentum 0.9 at 0.1, weight decay 0.0001"),
        (Recipe(schedule="cosine", warmup=100, augment="crop-flip"), "cosine schedule, warm-up of 100, crop-flip"),
    ],
)
def test_a_recipe_says_what_a_training_is_asked_for(recipe, said):
    assert said in str(recipe)
