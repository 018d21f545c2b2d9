"""Pruning without training: which rows there are, and what they are of."""

import pytest
import torch

from ltcourse.experiments import catalog, layerwise
from ltcourse.experiments.journal import Journal
from ltcourse.experiments.trials import rows
from ltcourse.networks import transformer

TEXT = catalog.settings("layerwise-transformer", "smoke")
DAMAGE = catalog.settings("brain-damage-lenet-300-100", "smoke")


@pytest.fixture(scope="module")
def found():
    return list(rows(catalog.get("layerwise-transformer"), TEXT, 0, "cpu"))


def test_every_method_has_a_row_for_every_share_and_pattern(found):
    methods = ("random", *TEXT.methods)
    plain = [row for row in found if layerwise.RESCALED not in row["method"]]
    assert [(row["method"], row["round"]) for row in plain] == [
        ("dense", 0), *((m, number) for number in (1, 2) for m in methods),
    ]  # fmt: skip
    assert [row["pattern"] for row in plain[1:]] == ["50 %"] * len(methods) + ["2:4"] * len(methods)
    assert all(row["density"] == pytest.approx(0.5, abs=0.01) for row in plain[1:])
    assert all(0 < row["reconstruction"] < 1.5 for row in plain[1:])


def test_rescaling_leaves_the_network_and_wanda_as_they_are_and_no_other(found):
    by = {(row["method"], row["round"]): row for row in found}
    for method in ("dense", "wanda"):
        number = int(method != "dense")
        assert by[f"{method}, rescaled", number]["test_loss"] == pytest.approx(
            by[method, number]["test_loss"], abs=1e-4
        )
    assert by["magnitude, rescaled", 1]["test_loss"] > by["magnitude", 1]["test_loss"]
    norms = by["dense, rescaled", 0]["outliers"]["blocks.0.up.weight"]
    assert norms > 5 * by["dense", 0]["outliers"]["blocks.0.up.weight"]


def test_a_trial_goes_on_where_it_was_stopped(found, tmp_path):
    file = tmp_path / "seed-0.safetensors"
    stopped = rows(catalog.get("layerwise-transformer"), TEXT, 0, "cpu", file)
    for _ in range(4):
        next(stopped)
    stopped.close()
    assert len(Journal.read(file).rows) == 4

    def plain(rows):
        return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]

    assert plain(rows(catalog.get("layerwise-transformer"), TEXT, 0, "cpu", file)) == plain(found)


def test_the_reconstruction_error_is_of_the_outputs():
    dense, pruned = (transformer.decoder(9, length=4, width=8, heads=2, depth=1, seed=s) for s in (0, 1))
    x = torch.randn(8, 30, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    name = "blocks.0.up.weight"
    a, b = (n.get_parameter(name).detach().double() for n in (dense, pruned))
    change = layerwise.reconstruction(dense, pruned, {name: x @ x.T})
    assert change == pytest.approx(float(((a - b) @ x).norm() / (a @ x).norm()))


def test_patterns_have_names():
    assert [layerwise.named(pattern) for pattern in (0.5, (2, 4))] == ["50 %", "2:4"]


def test_brain_damage_beside_its_controls():
    found = list(rows(catalog.get("brain-damage-lenet-300-100"), DAMAGE, 0, "cpu"))
    ways = ("magnitude", "magnitude by layer", "optimal brain damage", "random")
    assert [(row["method"], row["round"]) for row in found] == [("dense", 0), *((w, n) for n in (1, 2) for w in ways)]
    for number, density in enumerate(DAMAGE.densities, 1):
        rows_there = {row["method"]: row for row in found if row["round"] == number}
        assert all(row["density"] == pytest.approx(density, abs=1e-4) for row in rows_there.values())
        promised = {method: row["promised"] for method, row in rows_there.items()}
        assert promised["optimal brain damage"] == min(promised.values()), "no mask promises to lose less"
        layers = rows_there["magnitude by layer"]["layers"].values()
        assert all(share == pytest.approx(density, abs=0.01) for share in layers)
