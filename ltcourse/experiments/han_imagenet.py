"""Han's pruning on ImageNet, for those who have it: torchvision's weights, the paper's shares, resumable by epoch."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import URLError

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import nn
from torch.nn.functional import cross_entropy

from ltcourse import files, papers
from ltcourse.data import DataError, Stream, load
from ltcourse.experiments.journal import Journal, Row
from ltcourse.experiments.trials import Experiment, Settings, row_of
from ltcourse.networks import masks, models
from ltcourse.networks.initializers import kaiming_normal
from ltcourse.networks.masks import Mask
from ltcourse.networks.models import snapshot
from ltcourse.pruning import Round, criteria
from ltcourse.training import History, Recipe, process
from ltcourse.training.process import enough_for, exact, settled

# by the names that torchvision gives them
WEIGHTS = {"alexnet-one-tower": "AlexNet_Weights.IMAGENET1K_V1", "vgg-16": "VGG16_Weights.IMAGENET1K_V1"}
_LOWER = "the batch, or run on the CPU"


@dataclass(frozen=True, kw_only=True)
class Streamed(Settings):
    """The settings of an experiment on images that stay on disk.

    recipe: `iterations` are those of one epoch, at most; an epoch ends with its images. epochs: of the dense network,
    where it is trained here. retrain_epochs: of each round after it. retrain_lr: its learning rate. rounds: how often
    to prune and retrain. shares: the share of each layer's weights that is kept in the end, 0 to 1. qualities: of each
    layer; where there are any, a round prunes by Han's threshold instead (`criteria.threshold`). pretrained: whether to
    begin with torchvision's weights.
    Lesson 02, "All the way, where ImageNet is at hand".
    """

    epochs: int
    retrain_epochs: int
    retrain_lr: float
    rounds: int
    shares: Mapping[str, float] = field(default_factory=dict)
    qualities: Mapping[str, float] = field(default_factory=dict)
    pretrained: bool = True

    def prune(self, network: nn.Module, mask: Mask) -> Mask:
        """Return the mask of the next round.

        Lesson 02, "All the way, where ImageNet is at hand".
        """
        weights = {name: p.detach() for name, p in masks.prunable(network).items()}
        if self.qualities:
            return criteria.threshold(self.qualities)(weights, mask, 0.0, "layer")
        return criteria.magnitude(weights, mask, {name: 1 - s ** (1 / self.rounds) for name, s in self.shares.items()})


def create(
    name: str, classes: int, *, pretrained: bool = True, seed: int = 0, device: str = "cpu"
) -> tuple[nn.Sequential, str]:
    """Return a network for images of ImageNet's size, and in words where its weights are from.

    Weights that torchvision publishes are verified by their hash; they are of 1,000 classes, so that for another number
    the output layer is drawn at random, as everything is where they cannot be had.
    Source: torchvision.models, IMAGENET1K_V1.
    Lesson 02, "All the way, where ImageNet is at hand".
    """
    from torchvision.models import get_weight

    network = models.create(name, classes=classes, initializer=kaiming_normal, seed=seed, device=device)
    if not pretrained:
        return network, "random"
    if name not in WEIGHTS:
        return network, "random: torchvision has no weights of this network"
    try:
        # tensors alone are taken from the file, and only if it has the hash in its name
        published = get_weight(WEIGHTS[name]).get_state_dict(progress=False, check_hash=True, weights_only=True)
    except (URLError, OSError, RuntimeError) as problem:
        return network, f"random: torchvision's weights cannot be had here ({type(problem).__name__})"
    return network, _take(network, list(published.values()))


def _take(network: nn.Sequential, published: list[torch.Tensor]) -> str:
    """Copy torchvision's weights, which come in the order of the same layers; say of which layer they did not fit."""
    own = dict(network.named_parameters())
    left = []
    with torch.no_grad():
        for (name, p), found in zip(own.items(), published, strict=True):
            if p.shape == found.shape:
                p.copy_(found)
            else:
                left.append(name.partition(".")[0])
    if left:
        return f"torchvision's, except for {left[0]}, which is random: its classes differ"
    return "torchvision's"


def errors(network: nn.Module, stream: Stream, side: int, batch: int) -> tuple[float, float, float]:
    """Return (loss, top-1 error, top-5 error) on the test images; with fewer than five classes, top-all is 0.

    Lesson 02, "All the way, where ImageNet is at hand".
    """
    device = next(network.parameters()).device
    k = min(5, len(stream.classes))
    loss, wrong, count = 0.0, [0, 0], 0
    network.eval()
    with enough_for(f"batches of {batch} images", _LOWER), exact(device), torch.inference_mode():
        for x, y in stream.batches("test", batch, side):
            logits, y = network(x.to(device)), y.to(device)
            hit = logits.topk(k, dim=1).indices == y[:, None]
            loss += float(cross_entropy(logits, y, reduction="sum"))
            wrong = [w + int((~h.any(1)).sum()) for w, h in zip(wrong, (hit[:, :1], hit), strict=True)]
            count += len(y)
    if not count:
        raise DataError(f"none of the test images under {stream.root} can be read: look at the files")
    return loss / count, wrong[0] / count, wrong[1] / count


@dataclass
class Training:
    """A training on a stream, epoch by epoch, that can be stopped after any of them and goes on in a new process.

    file: where the state after the last epoch is kept, None to keep none. epoch: how many are done. smoothing: share of
    the label that is spread over all classes, 0 to 1. The schedule of the recipe is that of all epochs together; its
    warm-up is counted in iterations. Parameters that ask for no gradient are left alone.
    Lesson 02, "All the way, where ImageNet is at hand".
    """

    network: nn.Module
    stream: Stream
    recipe: Recipe
    mask: Mask
    seed: int
    number: int
    file: Path | None = None
    epoch: int = 0
    loss: float = float("nan")
    smoothing: float = 0.0

    def __post_init__(self) -> None:
        self.network.to(memory_format=torch.channels_last)
        if self.mask:
            masks.apply(self.network, self.mask)
        process.ready_for_optimizers()
        self._optimizer = torch.optim.SGD(
            [p for p in self.network.parameters() if p.requires_grad],
            lr=self.recipe.lr,
            momentum=self.recipe.momentum,
            weight_decay=self.recipe.weight_decay,
        )
        self._resume()

    def epochs(self, count: int, side: int) -> Iterator[float]:
        """Train up to so many epochs in all, and yield the mean loss of each."""
        length = min(self.recipe.iterations, -(-len(self.stream.train) // self.recipe.batch))
        whole = self.recipe.but(iterations=max(1, count * length))
        while self.epoch < count:
            with enough_for(f"batches of {self.recipe.batch} images", _LOWER), settled(self.network.parameters()):
                self.loss = self._train(whole, self.epoch * length, side)
            self.epoch += 1
            self._keep()
            yield self.loss

    def _train(self, whole: Recipe, done: int, side: int) -> float:
        """Train for one epoch, `done` iterations after the beginning of the schedule, and return the mean loss."""
        device = next(self.network.parameters()).device
        self.network.train()
        total = torch.zeros((), device=device)
        seen = 0
        batches = self.stream.batches("train", self.recipe.batch, side, seed=self.seed, epoch=self._turn)
        for iteration, (x, y) in enumerate(batches, 1):
            self._optimizer.param_groups[0]["lr"] = whole.lr_at(done + iteration)
            self._optimizer.zero_grad()
            loss = cross_entropy(self.network(x.to(device)), y.to(device), label_smoothing=self.smoothing)
            loss.backward()
            self._optimizer.step()
            if self.mask:
                masks.apply(self.network, self.mask)
            total += loss.detach() * len(y)
            seen += len(y)
            if iteration == self.recipe.iterations:
                break
        if not seen:
            raise DataError(f"none of the training images under {self.stream.root} can be read: look at the files")
        mean = float(total) / seen
        if not math.isfinite(mean):
            raise FloatingPointError(
                f"the loss is {mean} in epoch {self.epoch + 1}: training diverged, lower the learning rate "
                f"(it is {self.recipe.lr})"
            )
        return mean

    def result(self, side: int) -> tuple[History, float]:
        """Test the network, and return the history of the training, for a row, and the top-5 error.

        Lesson 02, "All the way, where ImageNet is at hand".
        """
        loss, top1, top5 = errors(self.network, self.stream, side, self.recipe.batch)
        return History([max(1, self.epoch)], [self.loss], [loss], [1 - top1], loss, 1 - top1, 1 - top1), top5

    @property
    def _turn(self) -> int:
        return 10_000 * self.number + self.epoch  # another order in each round

    def _keep(self) -> None:
        if self.file is None:
            return
        tensors = {f"state/{name}": t.contiguous() for name, t in snapshot(self.network).items()}
        for name, p in self.network.named_parameters():
            if (momentum := self._optimizer.state.get(p, {}).get("momentum_buffer")) is not None:
                tensors[f"momentum/{name}"] = momentum.contiguous()
        tensors |= {f"mask/{name}": m.contiguous() for name, m in self.mask.items()}
        told = {"number": self.number, "epoch": self.epoch, "loss": self.loss, "skipped": self.stream.skipped}
        try:
            files.write(self.file, save(tensors, {"told": json.dumps(told)}))
        except OSError as problem:
            raise DataError(files.unwritable(self.file, problem)) from problem

    def _resume(self) -> None:
        """Go to the state after the last epoch that was kept, if it is of this round."""
        if self.file is None or not self.file.exists():
            return
        device = next(self.network.parameters()).device
        try:
            with safe_open(self.file, framework="pt", device=str(device)) as content:
                told = json.loads(content.metadata()["told"])
                self.stream.skipped.update(told["skipped"])
                if told["number"] != self.number:
                    return
                tensors = {key: content.get_tensor(key) for key in content.keys()}  # noqa: SIM118 (it is no dict)
                parts: dict[str, dict[str, torch.Tensor]] = {"state": {}, "momentum": {}, "mask": {}}
                for key, tensor in tensors.items():
                    part, _, name = key.partition("/")
                    parts[part][name] = tensor.clone()  # no view of the file, which is to be replaced
                self.network.load_state_dict(parts["state"])
        except (SafetensorError, OSError, ValueError, KeyError, TypeError, RuntimeError) as problem:
            raise DataError(f"{self.file.name} does not hold a stopped training: delete it") from problem
        for name, p in self.network.named_parameters():
            if name in parts["momentum"]:
                self._optimizer.state[p]["momentum_buffer"] = parts["momentum"][name].clone(
                    memory_format=torch.preserve_format
                )
        self.mask = parts["mask"]
        self.epoch, self.loss = told["epoch"], told["loss"]


def _prune_streamed(chosen: Streamed, seed: int, device: str, journal: Journal) -> Iterator[Row]:
    """Take or train the dense network, then prune and fine-tune in rounds; every epoch is kept."""
    stream = load("imagenet")
    network, origin = create(
        chosen.network, len(stream.classes), pretrained=chosen.pretrained, seed=seed, device=device
    )
    side = models.usual_shape(chosen.network)[1]
    before = journal.rounds.get("magnitude")
    file = None if journal.file is None else journal.file.with_suffix(".epoch.safetensors")
    for number in range(0 if before is None else before.number + 1, chosen.rounds + 1):
        mask = masks.dense(network)
        recipe, epochs = chosen.recipe, 0 if origin == "torchvision's" else chosen.epochs
        if before is not None:
            network.load_state_dict(before.state)
            mask = chosen.prune(network, before.mask)
            recipe, epochs = recipe.but(lr=chosen.retrain_lr), chosen.retrain_epochs
        training = Training(network, stream, recipe, mask, seed, number, file)
        for _ in training.epochs(epochs, side):
            pass
        history, top5 = training.result(side)
        before = Round(number, training.mask, snapshot(network), history)
        journal.rounds["magnitude"] = before
        row = row_of("magnitude", before) | {"test_top5_error": top5, "skipped": len(stream.skipped)}
        yield row | ({"weights": origin} if number == 0 else {})


def _experiment(name: str, network: str, shares: dict[str, float], batch: int) -> Experiment:
    """Put together one experiment on ImageNet.

    batch: that of the network's own paper, as are the first learning rate, momentum and weight decay of a dense
    training; its rate follows a cosine, where the papers divided it by 10 three times.
    """

    def at(iterations: int, batch: int, epochs: int, retrain_epochs: int, rounds: int) -> Streamed:
        recipe = Recipe(
            iterations=iterations,
            batch=batch,
            optimizer="sgd",
            lr=0.01,
            weight_decay=5e-4,
            schedule="cosine",
            evaluate_every=iterations,
        )
        return Streamed(
            network=network,
            data="imagenet",
            recipe=recipe,
            epochs=epochs,
            retrain_epochs=retrain_epochs,
            retrain_lr=recipe.lr / 100,  # Han et al. 2015, Sec. 4.2
            rounds=rounds,
            shares={f"{layer}.weight": share for layer, share in shares.items()},
        )

    return Experiment(
        name=name,
        question=f"Does {network} on ImageNet lose accuracy when it is pruned to the paper's shares and fine-tuned?",
        lesson="02_han_tables",
        budgets={
            "smoke": at(2, 8, 1, 1, 1),
            "class": at(20, 32, 1, 1, 1),
            "desk": at(1_000, 64, 1, 1, 2),
            "paper": at(1_000_000, batch, 90, 10, 5),
        },
        trial=_prune_streamed,
    )


EXPERIMENTS = (
    _experiment("han-alexnet", "alexnet-one-tower", papers.HAN_SHARES["alexnet"], 128),
    _experiment("han-vgg16", "vgg-16", papers.HAN_SHARES["vgg-16"], 256),
)
