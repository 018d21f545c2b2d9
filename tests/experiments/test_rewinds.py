"""Searches that rewind to one iteration or another: each is the pruning loop's, on one dense network."""

import pytest

from ltcourse.experiments import catalog
from ltcourse.experiments.catalog import EXPERIMENTS
from ltcourse.experiments.journal import Journal
from ltcourse.experiments.rewinds import Rewinds, rewind_to_each
from ltcourse.experiments.trials import row_of
from ltcourse.networks import models
from ltcourse.pruning import prune_iteratively
from ltcourse.pruning.restarts import to_step
from ltcourse.training import Recipe

RECIPE = Recipe(iterations=6, evaluate_every=2)
PLAN = Rewinds(network="lenet-300-100", data="tiny", recipe=RECIPE, rewinds=(2, 5), rounds=2, rate=0.5)


def test_each_search_is_the_pruning_loop_and_the_dense_network_is_trained_once(small_trials, tiny):
    rows = list(rewind_to_each(PLAN, 3, "cpu", Journal()))
    assert [(row["method"], row["round"]) for row in rows] == [
        ("rewound to 2", 0), ("rewound to 2", 1), ("rewound to 2", 2), ("rewound to 5", 1), ("rewound to 5", 2),
    ]  # fmt: skip
    whole = [training for training in small_trials if training.get("end") is None]
    assert len(rows) == len(whole) == PLAN.trainings
    assert [training.get("begin", 0) for training in whole] == [0, 2, 2, 5, 5]
    for iteration in PLAN.rewinds:
        network = models.create(PLAN.network, shape=tiny.shape, seed=3)
        loop = prune_iteratively(
            network, tiny, RECIPE, rate=0.5, rounds=2, scope="global", restart=to_step(iteration), seed=3
        )
        method = f"rewound to {iteration}"
        searched = [row_of(method, done, points=PLAN.points) | {"rewind": iteration} for done in loop]
        assert [row for row in rows if row["method"] == method] == searched[0 if iteration == 2 else 1 :]


@pytest.mark.parametrize("at", EXPERIMENTS["lottery-resnet-rewinds"].budgets)
def test_the_searches_continue_the_residual_networks(at):
    """So that both records can be drawn in one figure: the same dense networks, the same densities."""
    rewinds, alike = catalog.settings("lottery-resnet-rewinds", at), catalog.settings("lottery-resnet", at)
    for setting in ("network", "data", "recipe", "seeds", "rounds", "rate"):
        assert getattr(rewinds, setting) == getattr(alike, setting)
    assert alike.scope == "global" and alike.rewind not in rewinds.rewinds
    assert list(rewinds.rewinds) == sorted(set(rewinds.rewinds))
    assert rewinds.rewinds[0] > 0 and rewinds.rewinds[-1] < rewinds.recipe.iterations


def test_all_remedies_are_of_one_setting_but_for_the_rate():
    cold = catalog.settings("lottery-resnet", "night")
    assert cold.redrawn == cold.shuffled == tuple(range(1, cold.rounds + 1))
    for name, lr, warmup in (("lottery-resnet-warm", 0.03, 1_600), ("lottery-resnet-low", 0.01, 0)):
        remedy = catalog.settings(name, "night")
        assert remedy.recipe == cold.recipe.but(lr=lr, warmup=warmup)
        assert (remedy.redrawn, remedy.rounds, remedy.seeds) == (cold.redrawn, cold.rounds, cold.seeds)
