"""The course's data sets as tensors: load("mnist") gives normalized training, validation and test examples."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, overload

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn.functional import avg_pool2d

from ltcourse.data import sources, streams, texts
from ltcourse.data.formats import Bytes
from ltcourse.data.sources import Check, DataError, verify
from ltcourse.data.streams import Stream
from ltcourse.data.texts import Text
from ltcourse.names import choose

__all__ = ["NAMES", "Check", "DataError", "Dataset", "Split", "Stream", "Text", "load", "obtain", "verify"]

HALVES = {"cifar-10-half": "cifar-10", "cifar-10-half-mini": "cifar-10-mini"}  # half the side, averaged from
TEXTS = ("python-topics",)
NAMES: tuple[str, ...] = (
    "mnist", "fashion-mnist", "cifar-10", "fashion-mnist-mini", "cifar-10-mini", *HALVES, *TEXTS,
)  # fmt: skip
VALIDATION = 5_000  # training examples held out; Frankle & Carbin 2019, Sec. 2
VALIDATION_SEED = 1803  # never changes: records made with another split cannot be compared

Indices = NDArray[np.int64]

DIGITS = tuple("0123456789")
CLOTHES = (
    "T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot",
)  # fmt: skip
THINGS = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


@dataclass(frozen=True)
class Form:
    """What the loader knows of a set besides its files: its classes, and the numbers that normalize it."""

    classes: tuple[str, ...]
    mean: tuple[float, ...]
    std: tuple[float, ...]


# std and mean of pixel/255 over the full training set, for the mini sets too, so that a network fits both.
# One channel: the mean is NOT subtracted, so that black stays exactly 0 and an input pixel that is always
# black sends no gradient to its weights. Pruning then shows the image's border as bands (Han et al. 2015,
# Fig. 4; lesson 01).
_CLOTHES = Form(CLOTHES, (0.0,), (0.35302424,))
_THINGS = Form(THINGS, (0.49139968, 0.48215841, 0.44653091), (0.24703223, 0.24348513, 0.26158784))
FORMS = {
    "mnist": Form(DIGITS, (0.0,), (0.30810780,)),
    "fashion-mnist": _CLOTHES,
    "cifar-10": _THINGS,
    "fashion-mnist-mini": _CLOTHES,
    "cifar-10-mini": _THINGS,
}


@dataclass(frozen=True, eq=False)
class Split:
    """Examples and their labels.

    x: (n, c, h, w) float32, normalized; y: (n,) int64, the index of the class. Raises ValueError where the labels are
    not one for each example, or no whole numbers.

    Lesson 00, "The data".
    """

    x: Tensor
    y: Tensor

    def __post_init__(self) -> None:
        if not self.x.dim() or self.y.dim() != 1 or len(self.x) != len(self.y):
            shapes = f"{tuple(self.x.shape)} and labels of shape {tuple(self.y.shape)}"
            raise ValueError(f"images of shape {shapes} do not belong together: give each image one label")
        if self.y.dtype != torch.int64:
            raise ValueError(f"labels are whole numbers, int64, and these are {self.y.dtype}: write y.long()")

    def __len__(self) -> int:
        return len(self.y)


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set in memory, on one device.

    classes: a name for each label; mean, std: one number per channel, what `load` normalized with; sha256: one
    digest over the verified content of all files of the set, which records carry.

    Lesson 00, "The data".
    """

    name: str
    classes: tuple[str, ...]
    train: Split
    validation: Split
    test: Split
    mean: tuple[float, ...]
    std: tuple[float, ...]
    sha256: str

    @property
    def shape(self) -> tuple[int, int, int]:
        """The shape (c, h, w) of one example."""
        c, h, w = self.train.x.shape[1:]
        return c, h, w

    def to(self, device: str | torch.device) -> Dataset:
        """Return the same data on another device; what is there already is not copied."""
        return self.each(lambda part: Split(part.x.to(device), part.y.to(device)))

    def each(self, change: Callable[[Split], Split]) -> Dataset:
        """Return the data with its three splits changed in the same way.

        Lesson 07, "Watch the edges".
        """
        return replace(self, train=change(self.train), validation=change(self.validation), test=change(self.test))

    def pixels(self, x: Tensor) -> Tensor:
        """Undo the normalization for display: (…, c, h, w) as `load` gave them → the same shape in [0, 1]."""
        return (x * _per_channel(self.std, x) + _per_channel(self.mean, x)).clamp(0, 1)


def _per_channel(numbers: tuple[float, ...], x: Tensor) -> Tensor:
    return torch.tensor(numbers, dtype=x.dtype, device=x.device).view(-1, 1, 1)


def _known(name: str) -> str:
    try:
        return choose("data set", name, NAMES)
    except ValueError as error:
        raise DataError(str(error)) from None


def obtain(name: str, folder: Path | None = None) -> None:
    """Make sure that the files of a set are on this machine and are the right ones; download them if need be.

    Raises DataError where that cannot be done.

    Lesson 00, "The data".
    """
    sources.contents(HALVES.get(_known(name), name), folder)


@overload
def load(  # type: ignore[overload-overlap]  # "imagenet" is a str as well, and comes first
    name: Literal["imagenet"], *, root: Path | str | None = None
) -> Stream:
    """Find the images under a folder, to be read batch by batch."""


@overload
def load(  # type: ignore[overload-overlap]  # as above
    name: Literal["python-topics"],
    *,
    device: str | torch.device = "cpu",
    folder: Path | None = None,
    download: bool = True,
) -> Text:
    """Load a text as characters."""


@overload
def load(
    name: str, *, device: str | torch.device = "cpu", folder: Path | None = None, download: bool = True
) -> Dataset:
    """Load a data set as tensors."""


def load(
    name: str,
    *,
    device: str | torch.device = "cpu",
    folder: Path | None = None,
    download: bool = True,
    root: Path | str | None = None,
) -> Dataset | Stream | Text:
    """Load a data set as tensors on a device: training, validation and test examples.

    x: (n, c, h, w) float32. One-channel sets: pixel/255/std, so that black is exactly 0. CIFAR-10:
    (pixel/255 - mean)/std for each channel. Validation: 5,000 training examples held out by a fixed seed (of
    a mini set, a tenth), in the order of the files, as the rest. "cifar-10-half": each 2 × 2 pixels averaged, which
    leaves 16 × 16; a small processor trains on it to the end. folder: where files are looked for first and
    downloads are kept; by default that of the environment variable LTCOURSE_DATA, else the repository's
    data/. download: whether missing files may be fetched. Every file is verified before it is used.
    "imagenet" does not fit in memory, and comes as a `Stream`, of the images in folders under root (`streams`).
    "python-topics" is a text and comes as a `Text` (`texts`).
    Raises DataError for an unknown name, and where the files cannot be had. Source: data/README.md.

    Lesson 00, "The data".
    """
    if name == "imagenet":
        return streams.load(root)
    if (whole := HALVES.get(_known(name))) is not None:
        full = load(whole, device=device, folder=folder, download=download)
        return replace(full.each(lambda part: Split(avg_pool2d(part.x, 2), part.y)), name=name)
    if name in TEXTS:
        return texts.read(name, sources.contents(name, folder, download), device)
    form = FORMS[name]
    (x, y), (x_test, y_test) = sources.arrays(name, sources.contents(name, folder, download))
    kept, held_out = split(len(y), min(VALIDATION, len(y) // 10))

    def part(images: Bytes, labels: Bytes) -> Split:
        pixels = torch.tensor(images, device=device).float()
        pixels = pixels.view(len(images), len(form.std), *images.shape[-2:])
        pixels.mul_(1 / (255 * _per_channel(form.std, pixels)))
        if any(form.mean):
            pixels.sub_(_per_channel(form.mean, pixels) / _per_channel(form.std, pixels))
        return Split(pixels, torch.tensor(labels, device=device).long())

    digest = hashlib.sha256("".join(file.sha256 for file in sources.FILES[name]).encode()).hexdigest()
    train, validation, test = part(x[kept], y[kept]), part(x[held_out], y[held_out]), part(x_test, y_test)
    return Dataset(name, form.classes, train, validation, test, form.mean, form.std, digest)


def split(n: int, held_out: int) -> tuple[Indices, Indices]:
    """Divide the indices 0 … n-1 into those to train on and those held out, by a fixed seed; both ascend.

    Source: Frankle & Carbin 2019, Sec. 2, hold out 5,000 training examples for validation.

    Lesson 00, "The data".
    """
    order = torch.randperm(n, generator=torch.Generator().manual_seed(VALIDATION_SEED)).numpy()
    return np.sort(order[held_out:]), np.sort(order[:held_out])
