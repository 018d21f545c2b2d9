"""The way to ImageNet, on a small real folder of images: trains, prunes, fine-tunes, is stopped and goes on."""

import dataclasses
import json
from pathlib import Path
from urllib.error import URLError

import pytest
import torch
import torchvision
from folders import make_folders
from torch import nn

from ltcourse import cli, data, papers
from ltcourse.data import DataError, streams
from ltcourse.experiments import catalog, executors, han_imagenet, runs, trials
from ltcourse.experiments.han_imagenet import Training
from ltcourse.experiments.journal import Journal
from ltcourse.networks import masks, models
from ltcourse.networks.dropout import rate_after_pruning
from ltcourse.networks.models import snapshot
from ltcourse.pruning import criteria
from ltcourse.training import Recipe


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return make_folders(tmp_path_factory.mktemp("images"))


@pytest.fixture
def folder(root, monkeypatch):
    monkeypatch.setenv(streams.ROOT, str(root))
    return root


@pytest.fixture
def narrow(monkeypatch, folder):
    """Networks of the right names, for small images and thin, and no torchvision weights: the network is not asked."""
    create = models.create

    def thin(name, **choices):
        return create(name, shape=(3, 64, 64), width=1 / 16, **choices)

    monkeypatch.setattr(models, "create", thin)
    monkeypatch.setattr(models, "usual_shape", lambda name: (3, 64, 64))

    def offline(self, **choices):
        raise URLError("no network")

    monkeypatch.setattr(type(torchvision.models.AlexNet_Weights.IMAGENET1K_V1), "get_state_dict", offline)
    return folder


def chosen(**changes):
    settings = catalog.settings("han-alexnet", "smoke")
    recipe = Recipe(iterations=50, batch=8, optimizer="sgd", lr=0.02, weight_decay=5e-4, evaluate_every=50)
    return dataclasses.replace(
        settings, recipe=recipe, epochs=3, retrain_epochs=2, retrain_lr=0.002, rounds=2, **changes
    )


def rows_of(settings, journal=None):
    return list(han_imagenet._prune_streamed(settings, 0, "cpu", journal or Journal()))


def test_it_trains_prunes_and_fine_tunes(narrow):
    rows = rows_of(chosen())
    assert [(r["method"], r["round"]) for r in rows] == [("magnitude", n) for n in range(3)]
    assert [r["density"] for r in rows] == sorted((r["density"] for r in rows), reverse=True)
    assert rows[0]["density"] == 1 and rows[0]["weights"].startswith("random: torchvision's weights cannot be had")
    for layer, share in papers.HAN_SHARES["alexnet"].items():
        assert rows[-1]["layers"][f"{layer}.weight"] == pytest.approx(share, abs=0.02)
    assert all(r["skipped"] == 1 for r in rows)
    assert all(0 <= r["test_top5_error"] <= r["test_error"] <= 1 for r in rows)


def test_a_threshold_in_place_of_the_shares(narrow):
    qualities = {f"{layer}.weight": 1.0 for layer in papers.HAN_SHARES["alexnet"]}
    rows = rows_of(dataclasses.replace(chosen(qualities=qualities), rounds=1))
    assert 0.1 < rows[-1]["density"] < 0.6
    assert len(set(rows[-1]["layers"].values())) > 3, "each layer's share follows from its weights"


class Stopped(BaseException):
    """What Ctrl-C and a kill have in common: the work ends there."""


@pytest.mark.parametrize("epochs", [1, 2, 3, 4, 5, 6])
def test_a_run_that_is_stopped_after_any_epoch_goes_on_to_the_same_result(narrow, tmp_path, monkeypatch, epochs):
    settings = chosen()
    whole = rows_of(settings)
    keep, kept = Training._keep, []

    def stop(self):
        keep(self)
        kept.append(self.epoch)
        if len(kept) == epochs:
            raise Stopped

    file = tmp_path / "seed-0.safetensors"
    experiment = dataclasses.replace(catalog.get("han-alexnet"), budgets={})
    monkeypatch.setattr(Training, "_keep", stop)
    with pytest.raises(Stopped):
        list(trials.rows(experiment, settings, 0, "cpu", file))
    monkeypatch.setattr(Training, "_keep", keep)
    trained = []
    step = Training.epochs
    monkeypatch.setattr(Training, "epochs", lambda self, *a: (trained.append(loss) or loss for loss in step(self, *a)))
    again = list(trials.rows(experiment, settings, 0, "cpu", file))
    assert len(trained) == 3 + 2 * 2 - epochs, "no epoch is done twice"
    assert [{k: v for k, v in row.items() if k != "seconds"} for row in again] == whole


def test_pruned_weights_stay_0_and_dropout_follows_the_rule(narrow):
    stream = data.load("imagenet")
    network = models.create("alexnet-one-tower", classes=4)
    mask = criteria.magnitude(dict(network.named_parameters()), masks.dense(network), 0.75)
    training = Training(network, stream, chosen().recipe, mask, 0, 1)
    before = snapshot(network)
    losses = list(training.epochs(8, 64))
    assert len(losses) == 8 and losses[-1] < losses[0], "it learns"
    for name, m in mask.items():
        assert not network.get_parameter(name)[~m].any()
        assert not torch.equal(network.get_parameter(name), before[name])
    kept, total = int(mask["fc1.weight"].sum()), mask["fc1.weight"].numel()
    assert network.train().drop1.rate == pytest.approx(rate_after_pruning(0.5, kept, total), abs=1e-3)


def test_a_damaged_epoch_is_one_sentence(narrow, tmp_path):
    (tmp_path / "x.safetensors").write_bytes(b"nonsense")
    network = models.create("alexnet-one-tower", classes=4)
    with pytest.raises(DataError, match=r"^x.safetensors does not hold a stopped training: delete it$"):
        Training(
            network, data.load("imagenet"), chosen().recipe, masks.dense(network), 0, 0, tmp_path / "x.safetensors"
        )


def test_divergence_is_told(narrow):
    network = models.create("alexnet-one-tower", classes=4)
    recipe = chosen().recipe.but(lr=1e30)
    with pytest.raises(FloatingPointError, match="lower the learning rate"):
        list(Training(network, data.load("imagenet"), recipe, masks.dense(network), 0, 0).epochs(2, 64))


def test_record_takes_the_folder_and_names_it_nowhere(narrow, monkeypatch, tmp_path, capsys):
    monkeypatch.delenv(streams.ROOT)
    monkeypatch.setattr(runs, "FOLDER", tmp_path)
    experiment = catalog.get("han-alexnet")
    quick = dataclasses.replace(chosen(), epochs=1, retrain_epochs=1, rounds=1)
    monkeypatch.setitem(catalog.EXPERIMENTS, "han-alexnet", dataclasses.replace(experiment, budgets={"smoke": quick}))
    monkeypatch.setattr(executors, "_pool", one_after_another)
    assert cli.main(["record", "han-alexnet", "--budget", "smoke", "--data", str(narrow)]) == 0, capsys.readouterr().err
    written = (tmp_path / "han-alexnet.smoke.json").read_text()
    assert str(narrow) not in written
    record = json.loads(written)
    assert record["provenance"]["data_sha256"] == data.load("imagenet", root=narrow).sha256
    assert len(record["trials"][0]["rows"]) == 2
    assert not list(tmp_path.glob("*.partial"))


def one_after_another(name, settings, seeds, device, folder):
    for seed in seeds:
        for row in trials.rows(catalog.get(name), settings, seed, device, executors.journal_of(folder, seed)):
            yield seed, row


# torchvision's networks


@pytest.mark.parametrize(("name", "theirs"), [("alexnet-one-tower", "alexnet"), ("vgg-16", "vgg16")])
def test_the_networks_have_torchvisions_layers_in_their_order(name, theirs):
    with torch.device("meta"):
        published = getattr(torchvision.models, theirs)()
    ours = models.create(name, device="meta")
    assert [p.shape for p in ours.parameters()] == [p.shape for p in published.parameters()]


def test_torchvisions_weights_compute_what_torchvisions_network_does():
    theirs = torchvision.models.alexnet().eval()
    network = models.create("alexnet-one-tower").eval()
    assert han_imagenet._take(network, list(theirs.state_dict().values())) == "torchvision's"
    x = torch.randn(2, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert (network(x) - theirs(x)).abs().max() < 1e-4
    mask = criteria.magnitude(
        {name: p.detach() for name, p in masks.prunable(network).items()},
        masks.dense(network),
        {f"{layer}.weight": 1 - share for layer, share in papers.HAN_SHARES["alexnet"].items()},
    )
    assert 8.5 < 1 / masks.density(mask) < 9.5


def test_weights_of_other_classes_are_taken_but_for_the_output():
    network = models.create("alexnet-one-tower", classes=4)
    with torch.device("meta"):
        like = torchvision.models.alexnet()
    published = [torch.full(p.shape, 0.5) for p in like.parameters()]
    before = network.fc3.weight.clone()
    assert han_imagenet._take(network, published).startswith("torchvision's, except for fc3")
    assert network.conv1.weight.eq(0.5).all() and torch.equal(network.fc3.weight, before)


def test_a_network_without_published_weights_says_so():
    assert han_imagenet.create("alexnet-cifar", 10)[1].startswith("random: torchvision has no weights")
    assert han_imagenet.create("alexnet-cifar", 10, pretrained=False)[1] == "random"


def test_a_stopped_epoch_that_was_read_can_be_replaced_on_windows_too(narrow, tmp_path):
    file = tmp_path / "seed-0.epoch.safetensors"
    stream = data.load("imagenet")
    for _ in range(2):
        network = models.create("alexnet-one-tower", classes=4)
        training = Training(network, stream, chosen().recipe.but(iterations=1), masks.dense(network), 0, 0, file)
        assert file.name not in Path("/proc/self/maps").read_text()
        assert len(list(training.epochs(training.epoch + 1, 64))) == 1


def test_out_of_memory_is_one_sentence_in_training_and_in_testing(folder):
    class Greedy(nn.Sequential):
        def forward(self, x):
            torch.empty(2**50)

    network, stream = Greedy(nn.Flatten(), nn.Linear(3 * 32 * 32, 4)), data.load("imagenet")
    training = Training(network, stream, chosen().recipe, {}, 0, 0)
    for work in (lambda: next(training.epochs(1, 32)), lambda: han_imagenet.errors(network, stream, 32, 8)):
        with pytest.raises(MemoryError, match=r"too little memory for batches of 8 images: lower the batch, or"):
            work()


@pytest.mark.parametrize(("name", "batch"), [("han-alexnet", 128), ("han-vgg16", 256)])
def test_the_dense_training_has_the_batch_of_its_paper_and_a_rate_that_falls(name, batch):
    """Krizhevsky et al. 2012, Sec. 5; Simonyan & Zisserman 2015, Sec. 3.1."""
    recipe = catalog.settings(name, "paper").recipe
    assert (recipe.batch, recipe.lr, recipe.momentum, recipe.weight_decay) == (batch, 0.01, 0.9, 5e-4)
    assert recipe.lr_at(recipe.iterations) < 0.01 * recipe.lr
