"""The search for supermasks on ImageNet, in torchvision's networks, for those who have it (slide S14)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from ltcourse.data import load
from ltcourse.experiments.han_imagenet import Training
from ltcourse.experiments.journal import Journal, Row
from ltcourse.experiments.trials import Experiment, Settings, row_of
from ltcourse.networks.initializers import initialize, named
from ltcourse.papers import RAMANUJAN_IMAGENET
from ltcourse.pruning import Round, supermasks
from ltcourse.training import Recipe


@dataclass(frozen=True, kw_only=True)
class StreamedSupermaskSearch(Settings):
    """The settings of a search in one of torchvision's networks, on images that stay on disk.

    network: as torchvision names it. recipe: `iterations` are those of one epoch, at most; it ends with its images.
    epochs: how many. k: share kept, 0 to 1. initializers: by name, each searched. smoothing: of the labels, 0 to 1.
    side: of the square that is cut out of an image, in pixels.
    Lesson 07, "ImageNet".
    """

    epochs: int
    k: float
    initializers: tuple[str, ...]
    smoothing: float = 0.1
    side: int = 224


def find_streamed(chosen: StreamedSupermaskSearch, seed: int, device: str, journal: Journal) -> Iterator[Row]:
    """Search for the supermask of a large random network on ImageNet; every epoch is kept.

    Batch norm has no learned scale and shift, and the running statistics of what it has seen.
    Source: Ramanujan et al. 2020, Sec. 4.
    Lesson 07, "ImageNet".
    """
    from torchvision.models import get_model

    stream = load("imagenet")
    file = None if journal.file is None else journal.file.with_suffix(".epoch.safetensors")
    for number, initializer in enumerate(chosen.initializers, 1):
        if not journal.lacks(initializer, number):
            continue
        with torch.device("meta"):
            network = get_model(chosen.network, num_classes=len(stream.classes))
        network = initialize(network.to_empty(device=device), named(initializer), seed)
        supermasks.edge_popup(network, chosen.k, seed=seed)
        before = supermasks.checksum(network)
        training = Training(network, stream, chosen.recipe, {}, seed, number, file, smoothing=chosen.smoothing)
        for _ in training.epochs(chosen.epochs, chosen.side):
            pass
        if supermasks.checksum(network) != before:
            raise RuntimeError("a random weight has moved")
        history, top5 = training.result(chosen.side)
        row = row_of(initializer, Round(number, supermasks.supermask(network), {}, history))
        yield row | {"k": chosen.k, "width": 1.0, "test_top5_error": top5, "skipped": len(stream.skipped)}


def _search(network: str) -> Experiment:
    """Return the search in one of torchvision's networks, at the paper budget with the paper's settings."""

    def at(iterations: int, batch: int, epochs: int, warmup: int, **more: Any) -> StreamedSupermaskSearch:
        # 5,004 iterations of 256 are an epoch of ImageNet
        recipe = Recipe(
            iterations=iterations,
            batch=batch,
            optimizer="sgd",
            lr=0.256 * batch / 256,
            momentum=0.875,
            weight_decay=2**-15,
            schedule="cosine",
            warmup=warmup,
            evaluate_every=iterations,
        )
        kinds = ("kaiming", "signed constant")
        return StreamedSupermaskSearch(
            network=network, data="imagenet", recipe=recipe, epochs=epochs, k=0.3, initializers=kinds, **more
        )

    return Experiment(
        name=f"hidden-{network.replace('_', '-')}",
        question=f"How well does a subnetwork of a random {network} do on ImageNet?",
        lesson="07_supermasks",
        budgets={
            "smoke": at(2, 4, 1, 1, side=64),
            "class": at(20, 32, 1, 10),
            "desk": at(1_000, 64, 1, 200),
            "paper": at(1_000_000, 256, 100, 5 * 5_004),
        },
        trial=find_streamed,
    )


EXPERIMENTS = tuple(_search(name) for name in RAMANUJAN_IMAGENET)
