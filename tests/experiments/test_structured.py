"""The comparison of fine-tuning with training from scratch: from which weights, for how long, at which rate."""

from ltcourse.experiments import catalog, structured
from ltcourse.experiments.trials import rows

SMOKE = catalog.settings("structured-lenet-5", "smoke")
METHODS = {"fine-tuned", "random filters", "ticket", "from scratch", "from scratch, longer"}


def test_every_method_has_a_row_at_every_share():
    found = list(rows(catalog.get("structured-lenet-5"), SMOKE, 0, "cpu"))
    assert [(row["method"], row["round"]) for row in found[:1]] == [("dense", 0)]
    assert {(row["method"], row["filters"]) for row in found[1:]} == {(m, s) for m in METHODS for s in SMOKE.shares}
    densities = {row["round"]: row["density"] for row in found if row["method"] == "ticket"}
    assert 1 > densities[1] > densities[2] > 0
    assert all(row["density"] == densities[row["round"]] for row in found[1:]), "networks of one shape"


def test_recipes_and_beginnings(monkeypatch):
    trainings = []

    def spy(network, data, recipe, **choices):
        before = {name: p.detach().clone() for name, p in network.named_parameters()}
        trainings.append((recipe, before))
        return train(network, data, recipe, **choices)

    train = structured.train
    monkeypatch.setattr(structured, "train", spy)
    list(rows(catalog.get("structured-lenet-5"), SMOKE, 0, "cpu"))
    (dense, θ0), (tuned, inherited), _, (ticket, initial), (scratch, drawn), (longer, again), *_ = trainings
    assert tuned.lr == dense.lr / 10 and ticket == scratch == dense and longer.iterations == 2 * dense.iterations
    assert initial["conv1.weight"].unique().numel() > 1
    assert set(initial["conv1.weight"].flatten().tolist()) <= set(θ0["conv1.weight"].flatten().tolist())
    assert not set(inherited["conv1.weight"].flatten().tolist()) & set(initial["conv1.weight"].flatten().tolist())
    assert not set(drawn["conv1.weight"].flatten().tolist()) & set(initial["conv1.weight"].flatten().tolist())
    assert all((drawn[name] == again[name]).all() for name in drawn), "longer, from the same new weights"


def test_the_low_rate_is_a_tenth_and_all_else_is_the_same():
    usual, low = (catalog.settings(f"structured-lenet-5{end}", "desk") for end in ("", "-low"))
    assert low.recipe == usual.recipe.but(lr=usual.recipe.lr / 10)
    assert low.shares == usual.shares and low.seeds == usual.seeds
