"""Numbers of all types: what is one becomes Python's own, what is none is one sentence; and seeds."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from ltcourse import data, quantities
from ltcourse.classroom import quiz
from ltcourse.data.augmentation import changes
from ltcourse.experiments import catalog, executors, runs
from ltcourse.instruments import latency, subset_sum
from ltcourse.networks import initializers, masks, models
from ltcourse.networks.models import snapshot
from ltcourse.pruning import criteria, restarts, supermasks
from ltcourse.training import Recipe, evaluate, train

WHOLE = [3, np.int64(3), np.uint8(3), np.array(3), torch.tensor(3)]
REAL = [*WHOLE, 3.0, np.float32(3), np.float16(3), np.array(3.0), torch.tensor(3.0)]
NONE = [
    None,
    True,
    np.bool_(True),
    np.array(True),
    torch.tensor(True),
    "3",
    b"3",
    [3, 4],
    {},
    3j,
    np.array([3, 4]),
    torch.ones(2),
]


@pytest.mark.parametrize("value", WHOLE, ids=repr)
def test_a_whole_number_of_any_type_is_pythons_own(value):
    assert type(quantities.whole("n", value, 3)) is int and quantities.whole("n", value) == 3


@pytest.mark.parametrize("value", REAL, ids=repr)
def test_a_number_of_any_type_is_pythons_own(value):
    assert type(quantities.real("n", value)) in (int, float) and quantities.not_negative("n", value) == 3


@pytest.mark.parametrize("value", NONE, ids=repr)
@pytest.mark.parametrize("read", [quantities.whole, quantities.real, quantities.not_negative])
def test_what_is_no_number_is_one_sentence(read, value):
    with pytest.raises(ValueError, match=r"^n is [^\n]*: it must be a (whole )?number$"):
        read("n", value)


@pytest.mark.parametrize("value", [3.0, np.float32(3), 2.5, float("nan")], ids=repr)
def test_a_number_with_a_point_is_not_whole(value):
    with pytest.raises(ValueError, match=r"^n is .*: it must be a whole number, at least 1$"):
        quantities.whole("n", value, 1)


def mask_of_lenet():
    return masks.dense(models.create("lenet-300-100"))


def scores(seed):
    network = supermasks.edge_popup(models.create("lenet-300-100"), 0.5, seed=seed)
    return supermasks.supermask(network)


def trained(seed):
    clothes = data.load("fashion-mnist-mini", download=False)
    network = models.create("lenet-300-100")
    train(network, clothes, Recipe(iterations=3, evaluate_every=3), seed=seed)
    return snapshot(network)


def changed(seed):
    clothes = data.load("fashion-mnist-mini", download=False)
    return {"x": changes("crop-flip", clothes, seed)(clothes.test.x[:20])}


def drawn_anew(seed):
    return restarts.redraw(seed)(models.create("lenet-300-100"), lambda _: {}, 1)[0]


def pruned_at_random(seed):
    network = models.create("lenet-300-100")
    return criteria.at_random(seed)(snapshot(network), masks.dense(network), 0.5)


SEEDED = {
    "create": lambda seed: snapshot(models.create("lenet-300-100", seed=seed)),
    "initialize": lambda seed: snapshot(
        initializers.initialize(models.create("lenet-300-100"), initializers.kaiming_normal, seed)
    ),
    "edge_popup": scores,
    "at_random": pruned_at_random,
    "shuffle": lambda seed: masks.shuffle({"a": torch.arange(100) < 50}, seed),
    "redraw": drawn_anew,
    "train": trained,
    "changes": changed,
    "contain": lambda seed: snapshot(subset_sum.contain(torch.ones(2, 2), 3, seed)[0]),
}


@pytest.mark.parametrize("name", SEEDED)
def test_a_seed_of_numpy_is_that_seed(name):
    assert models.same(SEEDED[name](np.int64(3)), SEEDED[name](3))
    assert not models.same(SEEDED[name](np.int64(4)), SEEDED[name](3))


NO_SEEDS = [1.5, "3", None, True, 2**64]


@pytest.mark.parametrize("seed", NO_SEEDS, ids=repr)
@pytest.mark.parametrize("name", SEEDED)
def test_what_is_no_seed_is_one_sentence(name, seed):
    with pytest.raises(ValueError, match=r"^seed is [^\n]*: it must (be a whole number|have fewer than 64 bits)$"):
        SEEDED[name](seed)


def test_other_settings_take_numbers_of_numpy(tmp_path):
    one, other = (
        models.create("lenet-300-100", shape=(1, size, size), classes=classes, width=width)
        for size, classes, width in ((7, 3, 0.5), (np.int64(7), np.int64(3), np.float32(0.5)))
    )
    assert models.same(snapshot(one), snapshot(other))
    clothes = data.load("fashion-mnist-mini", download=False)
    network = models.create("lenet-300-100")
    assert evaluate(network, clothes.test, chunk=np.int64(700)) == evaluate(network, clothes.test, chunk=700)
    settings = catalog.settings("lottery-lenet-300-100", "smoke")
    same = replace(settings, rate=np.float64(settings.rate), rounds=np.int64(settings.rounds), seeds=(np.int64(0),))
    assert same.to_dict() == replace(settings, seeds=(0,)).to_dict()


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: models.create("lenet-5", classes=2.5), "classes is 2.5: it must be a whole number, at least 1"),
        (lambda: models.create("lenet-5", classes=0), "classes is 0: it must be a whole number, at least 1"),
        (lambda: models.create("lenet-5", shape=(1, 28.5, 28)), "a size in the shape is 28.5: it must be a whole"),
        (lambda: models.create("lenet-5", shape=(28, 28)), "has not three sizes: write .channels, height, width."),
        (lambda: models.create("lenet-5", width="2"), "width is '2': it must be a number"),
        (lambda: supermasks.edge_popup(models.create("lenet-5"), True), "k is True: it must be a number"),
        (lambda: criteria.threshold("1"), "quality is '1': it must be a number"),
        (lambda: initializers.named("kaiming", None), "kept is None: it must be a number"),
        (
            lambda: evaluate(models.create("lenet-5"), data.load("mnist").test, chunk=0),
            "chunk is 0: it must be a whole number, at least 1",
        ),
        (lambda: runs.record("lottery-lenet-300-100", "smoke", trials=1.5), "trials is 1.5: it must be a whole number"),
        (lambda: quiz.Session([], seed=1.5), "seed is 1.5: it must be a whole number"),
    ],
)
def test_a_setting_that_is_no_number_is_one_sentence(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_a_timing_and_an_experiment_take_no_other_seeds():
    with pytest.raises(ValueError, match=r"^seed is 1\.5"):
        latency.sweep(3, 3, 1, [0.5], seed=1.5)
    with pytest.raises(ValueError, match=r"^seed is 1\.5"):
        next(executors.run("lottery-lenet-300-100", "smoke", seeds=(1.5,)))


def test_values_of_numpy_and_pytorch_become_plain_data():
    given = {"a": np.int64(1), "b": np.float32(0.5), "c": np.bool_(True), "d": np.arange(2), "e": torch.tensor([1.0])}
    assert json.loads(json.dumps(given, default=quantities.plain)) == {
        "a": 1,
        "b": 0.5,
        "c": True,
        "d": [0, 1],
        "e": [1],
    }
    with pytest.raises(TypeError, match="is a set: write numbers, text, lists and dictionaries"):
        json.dumps({1}, default=quantities.plain)
