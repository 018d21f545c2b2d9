"""The lottery ticket against the length of the training: each length is a search of its own."""

import pytest

from ltcourse.experiments import catalog
from ltcourse.experiments.catalog import EXPERIMENTS
from ltcourse.experiments.journal import Journal
from ltcourse.experiments.lengths import Lengths, find_tickets_at_each
from ltcourse.experiments.lottery import find_tickets
from ltcourse.experiments.runs import Record
from ltcourse.training import Recipe

RECIPE = Recipe(iterations=12, evaluate_every=6, optimizer="sgd", lr=0.1, schedule="cosine")
PLAN = Lengths(network="lenet-300-100", data="tiny", recipe=RECIPE, lengths=(4, 12), rewind=0.25)
METHODS = ("dense", "ticket", "re-initialized", "rewound")


def test_each_length_is_the_search_for_a_ticket(small_trials):
    rows = list(find_tickets_at_each(PLAN, 2, "cpu", Journal()))
    assert [(row["length"], row["round"], row["method"]) for row in rows] == [
        (length, number, method) for number, length in ((1, 4), (2, 12)) for method in METHODS
    ]
    for length in PLAN.lengths:
        alone = list(find_tickets(PLAN.search(length), 2, "cpu", Journal()))
        here = [row for row in rows if row["length"] == length]
        told = ("method", "round", "length")
        for one, other in zip(alone, here, strict=True):
            assert {k: v for k, v in one.items() if k not in told} == {k: v for k, v in other.items() if k not in told}
    assert [row["density"] for row in rows[:4]] == pytest.approx([1, 0.15, 0.15, 0.15], abs=1e-3)


def test_a_record_can_be_asked_by_length(small_trials):
    rows = list(find_tickets_at_each(PLAN, 0, "cpu", Journal()))
    record = Record("lottery-length", "smoke", {}, [{"seed": 0, "seconds": 1, "rows": rows}], {})
    for method in METHODS:
        expected = {row["length"]: [1 - row["test_error"]] for row in rows if row["method"] == method}
        assert record.by("length", "test_accuracy", method) == expected
        assert list(expected) == [4, 12]


def test_a_shorter_training_has_the_whole_schedule():
    search = PLAN.search(4)
    assert search.recipe == RECIPE.but(iterations=4, evaluate_every=2)
    assert (search.rewind, search.rounds, search.rate, search.scope) == (1, 1, 0.85, "global")


@pytest.mark.parametrize("at", EXPERIMENTS["lottery-length"].budgets)
def test_the_longest_is_the_recipe_and_every_length_can_be_rewound(at):
    chosen = catalog.settings("lottery-length", at)
    assert list(chosen.lengths) == sorted(set(chosen.lengths)) and chosen.lengths[-1] == chosen.recipe.iterations
    assert chosen.search(chosen.lengths[-1]).recipe == chosen.recipe
    for length in chosen.lengths:
        search = chosen.search(length)
        assert 0 < search.rewind < length and length % search.recipe.evaluate_every == 0
        assert search.recipe.lr_at(length) < 1e-2 * search.recipe.lr
        assert search.trainings == len(METHODS)
