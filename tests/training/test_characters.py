"""Training a language model: it learns, it keeps a mask, and its loss is the mean over all characters."""

import dataclasses

import pytest
import torch
from torch.nn.functional import cross_entropy

from ltcourse import data
from ltcourse.networks import masks, transformer
from ltcourse.training import Recipe
from ltcourse.training.characters import evaluate_on_text, train_on_text, write_on


@pytest.fixture(scope="module")
def text():
    """The beginning of the embedded text."""
    whole = data.load("python-topics")
    return dataclasses.replace(
        whole, train=whole.train[:3000], validation=whole.validation[:500], test=whole.test[:500]
    )


RECIPE = Recipe(iterations=60, batch=8, optimizer="adamw", lr=1e-2, evaluate_every=20)


def small(text, seed=0):
    return transformer.decoder(len(text.alphabet), length=16, width=16, heads=2, depth=1, seed=seed)


def test_it_learns_and_tells_the_test_loss_at_the_end_alone(text):
    network = small(text)
    seen = [(h.iterations[-1], h.test_loss) for h in train_on_text(network, text, RECIPE, 16)]
    assert [at for at, _ in seen] == [20, 40, 60] and [loss is None for _, loss in seen] == [True, True, False]
    *_, history = train_on_text(small(text), text, RECIPE, 16)
    assert history.validation_loss[-1] < history.validation_loss[0] < 4.7, "log(103) = 4.63 is chance"
    assert history.test_loss == evaluate_on_text(network, text.test, 16)[0], "one seed, one result"


def test_pruned_weights_stay_0(text):
    network = small(text)
    mask = masks.shuffle(
        {name: torch.arange(m.numel()).view_as(m) % 2 == 0 for name, m in masks.dense(network).items()}, 0
    )
    for _ in train_on_text(network, text, RECIPE.but(iterations=5), 16, mask=mask):
        pass
    assert all(not p[~mask[name]].any() and p[mask[name]].any() for name, p in masks.prunable(network).items())


def test_the_loss_is_the_mean_over_every_character(text):
    network = small(text)
    loss, right = evaluate_on_text(network, text.validation, 16)
    n = (len(text.validation) - 1) // 16
    by_hand, hits = 0.0, 0
    for i in range(n):
        logits = network(text.validation[None, 16 * i : 16 * i + 16])[0]
        after = text.validation[16 * i + 1 : 16 * i + 17]
        by_hand += float(cross_entropy(logits, after).detach()) / n
        hits += int((logits.argmax(1) == after).sum())
    assert loss == pytest.approx(by_hand, rel=1e-5) and right == hits / (16 * n) and network.training


def test_a_loss_that_is_no_number_is_told(text):
    with pytest.raises(FloatingPointError, match="lower the learning rate"):
        list(train_on_text(small(text), text, RECIPE.but(lr=1e6, optimizer="sgd"), 16))


def test_it_writes_on_from_any_beginning(text):
    network = small(text)
    first = write_on(network, text.test[:40], 10, 16, seed=1)
    assert first.shape == (10,) and torch.equal(first, write_on(network, text.test[:40], 10, 16, seed=1))
    assert not torch.equal(first, write_on(network, text.test[:40], 10, 16, seed=2))
