"""Choosing by name: the guess has the words that were meant, and the refusal lists what there is."""

import pytest

from ltcourse.data import NAMES
from ltcourse.experiments.catalog import EXPERIMENTS
from ltcourse.names import choose
from ltcourse.networks import models

METHODS = ("dense", "ticket", "re-initialized", "L1", "L2", "signed constant")


@pytest.mark.parametrize(
    ("wish", "names", "meant"),
    [
        ("lottery-lenet", EXPERIMENTS, "lottery-lenet-300-100"),
        ("lenet-lottery", EXPERIMENTS, "lottery-lenet-300-100"),
        ("Lottery_LeNet", EXPERIMENTS, "lottery-lenet-300-100"),
        ("han-lenet", EXPERIMENTS, "han-lenet-5"),
        ("hidden-lenet", EXPERIMENTS, "hidden-lenet-300-100"),
        ("transfer-lenet", EXPERIMENTS, "transfer-lenet-300-100"),
        ("lottery-resnt", EXPERIMENTS, "lottery-resnet"),
        ("lottery-conv2", EXPERIMENTS, "lottery-conv-2"),
        ("han-lenet5", EXPERIMENTS, "han-lenet-5"),
        ("lenet-300-10", models.NAMES, "lenet-300-100"),
        ("lenet5", models.NAMES, "lenet-5"),
        ("cifar10", NAMES, "cifar-10"),
        ("mini-cifar10", NAMES, "cifar-10-mini"),
        ("mnist-fashion", NAMES, "fashion-mnist"),
        ("minst", NAMES, "mnist"),
        ("l1", METHODS, "L1"),
        ("signed_constant", METHODS, "signed constant"),
        ("reinitialized", METHODS, "re-initialized"),
    ],
)
def test_the_guess_has_the_words_that_were_meant(wish, names, meant):
    with pytest.raises(ValueError, match=r"^unknown thing '") as caught:
        choose("thing", wish, names)
    assert str(caught.value) == f"unknown thing {wish!r} (did you mean {meant!r}?): choose one of {', '.join(names)}"


@pytest.mark.parametrize("wish", ["places365", "", "-", None, 3])
def test_without_any_likeness_nothing_is_guessed(wish):
    with pytest.raises(ValueError, match=r"^unknown thing \S*: choose one of dense, ticket"):
        choose("thing", wish, METHODS)


def test_where_there_are_no_names_it_says_so():
    with pytest.raises(ValueError, match=r"^unknown method 'ticket': there is none to choose from$"):
        choose("method", "ticket", [])
