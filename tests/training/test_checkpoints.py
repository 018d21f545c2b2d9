"""A training that is broken off goes on where it was, to the same bits, and nothing else takes what it left."""

import dataclasses
import time

import pytest
import torch
from torch import nn

from ltcourse.networks import masks, models
from ltcourse.networks.models import snapshot
from ltcourse.pruning import criteria, supermasks
from ltcourse.training import Recipe, checkpoints, train
from ltcourse.training.checkpoints import OutOfTime

ADAM = Recipe(iterations=12, batch=20, evaluate_every=5)
SGD = ADAM.but(optimizer="sgd", lr=0.05, weight_decay=1e-3, schedule="cosine", warmup=3)


def lenet():
    return models.create("lenet-300-100", seed=3)


def hidden():
    return supermasks.edge_popup(lenet(), 0.4, seed=1)


def residual():
    return models.create("resnet-8", shape=(1, 28, 28), seed=2)


def tied():
    network = nn.Sequential(nn.Flatten(), nn.Linear(784, 10), nn.Linear(10, 10), nn.ReLU(), nn.Linear(10, 10))
    generator = torch.Generator().manual_seed(1)
    for p in network.parameters():
        nn.init.normal_(p, std=0.1, generator=generator)
    network[4].weight = network[2].weight
    return network


def half(network):
    return criteria.magnitude(masks.prunable(network), masks.dense(network), 0.5)


CASES = {
    "adam": (lenet, ADAM, None),
    "adamw under a mask": (lenet, ADAM.but(optimizer="adamw", weight_decay=0.1), half),
    "sgd, augmented": (lenet, SGD.but(augment="crop-flip"), half),
    "l1, one evaluation": (lenet, ADAM.but(l1=1e-3, evaluate_every=12), None),
    "scores": (hidden, SGD, None),
    "batch norm, bfloat16": (residual, SGD.but(precision="bfloat16", iterations=7), half),
    "tied weights": (tied, ADAM, None),
}


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def stop_after(monkeypatch, ticks):
    """Let the time be over at one tick, and never again."""
    left = iter([False] * ticks + [True])
    monkeypatch.setattr(checkpoints, "out_of_time", lambda: next(left, False))


def run(make, data, recipe, choose, folder, **choices):
    network = make()
    with checkpoints.kept_in(folder):
        history = train(network, data, recipe, mask=choose(network) if choose else None, seed=4, **choices)
    return snapshot(network), history.to_dict()


def stopped(make, data, recipe, choose, folder, **choices):
    with pytest.raises(OutOfTime):
        run(make, data, recipe, choose, folder, **choices)


def goes_on_to_the_same(make, data, recipe, choose, folder, **choices):
    weights, history = run(make, data, recipe, choose, None, **choices)
    again, told = run(make, data, recipe, choose, folder, **choices)
    return same(again, weights) and told == history


@pytest.mark.parametrize("case", CASES)
def test_broken_off_at_any_iteration_it_goes_on_to_the_same_bits(case, clothes, monkeypatch, tmp_path):
    make, recipe, choose = CASES[case]
    for stop in (0, 3, 4, 5, recipe.iterations - 1):
        folder = tmp_path / f"{stop}"
        stop_after(monkeypatch, stop)
        stopped(make, clothes, recipe, choose, folder)
        assert goes_on_to_the_same(make, clothes, recipe, choose, folder)


def test_stopped_at_every_iteration_it_still_comes_to_its_end(clothes, monkeypatch, tmp_path):
    for _ in range(ADAM.iterations - 1):
        stop_after(monkeypatch, 1)
        stopped(lenet, clothes, ADAM, half, tmp_path)
    assert goes_on_to_the_same(lenet, clothes, ADAM, half, tmp_path)


@pytest.mark.parametrize("span", [{"end": 7}, {"begin": 4}, {"begin": 3, "end": 9}, {"begin": 5, "end": 10}])
def test_a_part_of_a_run_goes_on_too(span, clothes, monkeypatch, tmp_path):
    stop_after(monkeypatch, 2)
    stopped(lenet, clothes, SGD, None, tmp_path, **span)
    assert goes_on_to_the_same(lenet, clothes, SGD, None, tmp_path, **span)


@pytest.mark.parametrize("span", [{}, {"end": 7}])
def test_a_training_that_is_done_is_not_done_again(span, clothes, monkeypatch, tmp_path):
    run(lenet, clothes, ADAM, half, tmp_path, **span)
    monkeypatch.setattr(checkpoints.Checkpoint, "tick", lambda *given: pytest.fail("it trained"))
    assert goes_on_to_the_same(lenet, clothes, ADAM, half, tmp_path, **span)


def test_no_other_training_takes_what_it_left(clothes, monkeypatch, tmp_path):
    stop_after(monkeypatch, 6)
    stopped(lenet, clothes, ADAM, half, tmp_path)
    assert goes_on_to_the_same(lambda: models.create("lenet-300-100", seed=9), clothes, ADAM, half, tmp_path)
    assert goes_on_to_the_same(lenet, dataclasses.replace(clothes, sha256="another"), ADAM, half, tmp_path)
    assert goes_on_to_the_same(lenet, clothes, ADAM.but(lr=1e-3), half, tmp_path)
    assert goes_on_to_the_same(lenet, clothes, ADAM, None, tmp_path)
    assert len(list(tmp_path.iterdir())) == 5


@pytest.mark.parametrize("damage", [lambda b: b[:100], lambda b: b"", lambda b: b"x" * len(b)])
def test_a_damaged_checkpoint_is_as_good_as_none(damage, clothes, monkeypatch, tmp_path):
    stop_after(monkeypatch, 6)
    stopped(lenet, clothes, ADAM, None, tmp_path)
    (file,) = tmp_path.iterdir()
    file.write_bytes(damage(file.read_bytes()))
    assert goes_on_to_the_same(lenet, clothes, ADAM, None, tmp_path)


def test_without_a_folder_nobody_asks_for_the_time(clothes, monkeypatch):
    monkeypatch.setattr(checkpoints, "out_of_time", lambda: pytest.fail("it asked"))
    run(lenet, clothes, ADAM, None, None)


def test_what_a_kill_costs_is_set_by_the_seconds_between_two_checkpoints(clothes, monkeypatch, tmp_path):
    monkeypatch.setattr(checkpoints, "EVERY", -1.0)
    kept = []
    write = checkpoints.Checkpoint.write

    def spy(self, training):
        write(self, training)
        kept.append(training.iteration)

    monkeypatch.setattr(checkpoints.Checkpoint, "write", spy)
    run(lenet, clothes, ADAM, None, tmp_path)
    assert kept == list(range(ADAM.iterations + 1))


def test_the_time_limit_is_for_the_block(monkeypatch):
    monkeypatch.delenv(checkpoints.UNTIL, raising=False)
    with checkpoints.time_limit(None):
        assert not checkpoints.out_of_time()
    with checkpoints.time_limit(1.0):
        assert not checkpoints.out_of_time()
        later = time.time() + 61
        monkeypatch.setattr(time, "time", lambda: later)
        assert checkpoints.out_of_time()
    assert not checkpoints.out_of_time()
