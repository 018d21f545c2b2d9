"""The search for supermasks on ImageNet, on a small real folder of images: frozen weights, its schedule, going on."""

import dataclasses

import pytest
import torch
import torchvision
from folders import make_folders
from torch import nn

from ltcourse import papers
from ltcourse.data import streams
from ltcourse.experiments import catalog, han_imagenet
from ltcourse.experiments.han_imagenet import Training
from ltcourse.experiments.journal import Journal
from ltcourse.experiments.supermask_imagenet import find_streamed
from ltcourse.networks import masks
from ltcourse.networks.initializers import initialize, named
from ltcourse.pruning import supermasks
from ltcourse.training import Recipe


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return make_folders(tmp_path_factory.mktemp("images"))


@pytest.fixture(autouse=True)
def folder(root, monkeypatch):
    monkeypatch.setenv(streams.ROOT, str(root))


def chosen(**changes):
    settings = catalog.settings("hidden-resnet50", "smoke")
    return dataclasses.replace(settings, network="resnet18", side=32, **changes)


def rows_of(settings, journal):
    return list(find_streamed(settings, 0, "cpu", journal))


def test_each_initialization_is_searched_with_no_weight_moved():
    settings = chosen()
    rows = rows_of(dataclasses.replace(settings, recipe=settings.recipe.but(iterations=50)), Journal())
    assert [(row["method"], row["round"]) for row in rows] == [("kaiming", 1), ("signed constant", 2)]
    with torch.device("meta"):
        plain = torchvision.models.resnet18(num_classes=4)
    kept = sum(round(0.3 * w.numel()) for w in masks.prunable(plain).values())
    for row in rows:
        assert row["kept"] == kept and row["k"] == 0.3
        assert 0 <= row["test_top5_error"] <= row["test_error"] <= 1
        assert row["skipped"] == 1, "the broken file is told"


def test_a_weight_that_moves_is_told(monkeypatch):
    epochs = Training.epochs

    def careless(self, count, side):
        yield from epochs(self, count, side)
        next(iter(supermasks.frozen(self.network).values())).add_(1e-7)

    monkeypatch.setattr(Training, "epochs", careless)
    with pytest.raises(RuntimeError, match="a random weight has moved"):
        rows_of(chosen(), Journal())


class Stopped(Exception):
    pass


def test_a_stopped_search_goes_on_after_its_last_epoch_to_the_same_rows(tmp_path, monkeypatch):
    settings = chosen(epochs=3, initializers=("kaiming",))
    whole = rows_of(settings, Journal())
    keep, kept = Training._keep, []

    def stop_after_two(self):
        keep(self)
        kept.append(self.epoch)
        if kept == [1, 2]:
            raise Stopped

    monkeypatch.setattr(Training, "_keep", stop_after_two)
    journal = tmp_path / "seed-0.safetensors"
    with pytest.raises(Stopped):
        rows_of(settings, Journal(file=journal))
    assert rows_of(settings, Journal(file=journal)) == whole
    assert kept == [1, 2, 3]


def test_the_schedule_is_that_of_all_epochs_together(monkeypatch):
    rates = []
    step = torch.optim.SGD.step

    def watched(self, *arguments, **named):
        rates.append(self.param_groups[0]["lr"])
        return step(self, *arguments, **named)

    monkeypatch.setattr(torch.optim.SGD, "step", watched)
    recipe = Recipe(iterations=2, batch=4, optimizer="sgd", lr=0.2, schedule="cosine", warmup=3, evaluate_every=2)
    rows_of(chosen(epochs=3, recipe=recipe, initializers=("kaiming",)), Journal())
    assert rates == pytest.approx([recipe.but(iterations=6).lr_at(i) for i in range(1, 7)])


def test_labels_are_smoothed(monkeypatch):
    asked = []
    loss = han_imagenet.cross_entropy

    def watched(*arguments, **named):
        asked.append(named.get("label_smoothing"))
        return loss(*arguments, **named)

    monkeypatch.setattr(han_imagenet, "cross_entropy", watched)
    rows_of(chosen(initializers=("kaiming",)), Journal())
    assert 0.1 in asked


def test_the_paper_budget_is_the_papers():
    """Ramanujan et al. 2020, Sec. 4."""
    for name in papers.RAMANUJAN_IMAGENET:
        settings = catalog.settings(f"hidden-{name.replace('_', '-')}", "paper")
        recipe = settings.recipe
        assert (recipe.lr, recipe.momentum, recipe.weight_decay, recipe.batch) == (0.256, 0.875, 2**-15, 256)
        assert (settings.epochs, settings.k, settings.smoothing, settings.side) == (100, 0.3, 0.1, 224)
        assert recipe.schedule == "cosine" and recipe.warmup == 5 * (1_281_167 // 256)
        assert settings.initializers == ("kaiming", "signed constant")


def test_batch_norm_has_no_parameters_and_remembers_what_it_has_seen():
    with torch.device("meta"):
        network = torchvision.models.resnet18(num_classes=4)
    network = initialize(network.to_empty(device="cpu"), named("kaiming"), 0)
    supermasks.edge_popup(network, 0.3)
    network(torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0)))
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    assert not any(list(norm.parameters()) for norm in norms)
    assert all(int(norm.num_batches_tracked) == 1 and norm.running_mean.isfinite().all() for norm in norms)
