"""Han's pruning at the size of CIFAR-10: the densities, the controls, top-5, and that a stopped trial goes on."""

import dataclasses

import pytest

from ltcourse.experiments import catalog, trials
from ltcourse.experiments.han_cifar import Compression
from ltcourse.networks import models

NAMES = ("han-alexnet-cifar", "han-vgg-16-cifar")


def plain(rows):
    return [{k: v for k, v in row.items() if k != "seconds"} for row in rows]


@pytest.mark.parametrize(("name", "at"), [(name, at) for name in NAMES for at in catalog.get(name).budgets])
def test_the_settings_lead_to_the_density(name, at):
    settings = catalog.settings(name, at)
    assert isinstance(settings, Compression)
    assert (1 - settings.rate) ** settings.rounds == pytest.approx(settings.density)
    assert 1 / settings.density >= (10 if "vgg" in name else 9) - 1e-9
    assert settings.retrain.lr <= settings.recipe.lr and {"magnitude", "dense"} <= set(settings.methods)
    models.create(settings.network, width=settings.width, device="meta")


@pytest.mark.parametrize("name", NAMES)
def test_rows(name):
    settings = catalog.settings(name, "smoke")
    rows = list(trials.rows(catalog.get(name), settings, 0, "cpu"))
    numbers = range(1, settings.rounds + 1)
    expected = [("magnitude", 0), *((m, n) for m in settings.methods for n in numbers)]
    assert [(r["method"], r["round"]) for r in rows] == expected
    for row in rows:
        assert 0 <= row["test_top5_error"] <= row["test_error"] <= 1
        if row["method"] == "dense" or row["round"] == 0:
            assert row["density"] == row["speed_up"] == 1
        else:
            assert row["speed_up"] > 1
        assert row["speed_up_skipping_zeros"] > row["speed_up"]
        if row["method"] != "dense" and row["round"] == settings.rounds:
            assert row["density"] == pytest.approx(settings.density, abs=1e-3)
    shares = rows[settings.rounds]["layers"].values()
    assert max(shares) > 1.5 * min(shares), "all layers compete, so each has its own share"


@pytest.mark.parametrize("after", [1, 3, 5])
def test_a_stopped_trial_goes_on_to_the_same_rows(tmp_path, after):
    experiment = catalog.get("han-alexnet-cifar")
    settings = dataclasses.replace(catalog.settings("han-alexnet-cifar", "smoke"), width=1 / 32)
    whole = list(trials.rows(experiment, settings, 0, "cpu"))
    file = tmp_path / "seed-0.safetensors"
    begun = trials.rows(experiment, settings, 0, "cpu", file)
    for _ in range(after):
        next(begun)
    begun.close()
    assert plain(trials.rows(experiment, settings, 0, "cpu", file)) == plain(whole)
