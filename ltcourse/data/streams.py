"""Images in folders, too many for memory: ImageNet, or any set laid out like it, read batch by batch."""

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ltcourse import files
from ltcourse.data.sources import DataError
from ltcourse.quantities import whole
from ltcourse.spawning import without_main

if TYPE_CHECKING:  # torchvision is imported where it is used: it takes as long as torch, and few lessons need it
    from torchvision.datasets import ImageFolder

ROOT = "LTCOURSE_IMAGENET"  # the environment variable that names the folder
FOLDERS = {"train": ("train",), "test": ("val", "validation", "test")}
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # torchvision's, which its published weights expect
Part = Literal["train", "test"]
Sample = tuple[str, int]
Read = tuple[Tensor | None, int, str]  # the image, its label; where it cannot be read, the file and why


@dataclass(frozen=True, eq=False)
class Stream:
    """A data set that stays on disk.

    classes: a name for each label. train, test: (file, label) of each image; of ImageNet, whose test set has no public
    labels, `test` is its validation set. sha256: one digest over the names and sizes of all files. skipped: file → why,
    of the images met so far that cannot be read.
    Lesson 02, "All the way, where ImageNet is at hand".
    """

    name: str
    root: Path
    classes: tuple[str, ...]
    train: tuple[Sample, ...]
    test: tuple[Sample, ...]
    sha256: str
    skipped: dict[str, str] = field(default_factory=dict)

    def batches(
        self, part: Part, batch: int, side: int, *, seed: int = 0, epoch: int = 0, workers: int | None = None
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield (x, y) for one epoch: x (n, 3, side, side) float32, normalized; y (n,) int64.

        To train: a new order each epoch, each image scaled so that its shorter side is side · 8/7, a random square cut
        out of it, mirrored every second time on average. To test: in the order of the files, the square in the middle.
        Seed and epoch decide all of it, so that an epoch can be repeated; workers, the processes that read, do not; by
        default none for a small set. An image that cannot be read is left out, named in `skipped`, and told once.
        Source: Krizhevsky et al. 2012, Sec. 4.1 (256 pixels, squares of 224).
        Lesson 02, "All the way, where ImageNet is at hand".
        """
        seed, epoch, batch = whole("seed", seed), whole("epoch", epoch), whole("batch", batch, 1)
        samples = self.train if part == "train" else self.test
        images = _Images(samples, side, (seed, epoch) if part == "train" else None)
        order = list(range(len(samples)))
        if part == "train":
            generator = torch.Generator().manual_seed(_mix(seed, epoch, 0))
            order = torch.randperm(len(samples), generator=generator).tolist()
        if workers is None:
            workers = min(8, os.cpu_count() or 1) if len(samples) > 10_000 else 0
        loader = DataLoader(
            images,
            batch_sampler=[order[i : i + batch] for i in range(0, len(order), batch)],
            num_workers=workers,
            collate_fn=_collate,
            generator=torch.Generator(),  # what workers would draw their seeds from: the images have their own
        )
        with without_main():
            read = iter(loader)
        for x, y, unreadable in read:
            for file, why in unreadable:
                if file not in self.skipped:
                    self.skipped[file] = why
                    print(f"skipped {file}: {why}", flush=True)
            if len(y):
                yield x, y


def load(root: Path | str | None = None) -> Stream:
    """Find the images under a folder, those of a class in a folder of their own: root/train/CLASS and root/val/CLASS.

    root: by default that of the environment variable LTCOURSE_IMAGENET. Where it holds the archives of ImageNet as they
    are distributed, torchvision verifies and unpacks them first. The classes are the folders' names, in alphabetical
    order, as torchvision's weights have them; "validation" and "test" will do for "val".
    Raises DataError, one sentence, where there is no such folder or a part of it is missing.
    Lesson 02, "All the way, where ImageNet is at hand".
    """
    chosen = root or os.environ.get(ROOT)
    if not chosen:
        raise DataError("ImageNet cannot be downloaded freely: name its folder, `--data PATH` or root=…")
    root = files.place(chosen)
    if not root.is_dir():
        raise DataError(f"{root} is no folder: name the one that holds train/ and val/")
    train, test = (_part(root, part) for part in ("train", "test"))
    if train.classes != test.classes:
        odd = sorted(set(map(str, train.classes)) ^ set(map(str, test.classes)))
        raise DataError(f"train/ and val/ differ in their classes, {odd[0]!r} is in one of them only: make them equal")
    classes = tuple(c if isinstance(c, str) else ", ".join(c) for c in train.classes)
    digest = hashlib.sha256()
    for file, _ in (*train.samples, *test.samples):
        digest.update(f"{Path(file).relative_to(root).as_posix()} {Path(file).stat().st_size}\n".encode())
    return Stream("imagenet", root, classes, tuple(train.samples), tuple(test.samples), digest.hexdigest())


def _part(root: Path, part: str) -> "ImageFolder":
    from torchvision import datasets

    try:
        if (root / "ILSVRC2012_devkit_t12.tar.gz").exists():
            return datasets.ImageNet(root, "train" if part == "train" else "val")
        folder = next((root / name for name in FOLDERS[part] if (root / name).is_dir()), None)
        if folder is None:
            raise DataError(f"{root} holds no folder {FOLDERS[part][0]}/: put one folder of images per class there")
        return datasets.ImageFolder(folder)
    except (FileNotFoundError, RuntimeError) as problem:
        if isinstance(problem, DataError):
            raise
        said = str(problem).split("\n")[0].rstrip(". ")
        raise DataError(
            f"{root} cannot be used ({said}): put one folder of images per class under train/ and val/"
        ) from (problem)


class _Images(Dataset[Read]):
    """The images of a part, each read when asked for; `drawn`: (seed, epoch) of random squares, None for the middle."""

    def __init__(self, samples: Sequence[Sample], side: int, drawn: tuple[int, int] | None) -> None:
        self._samples, self._side, self._drawn = samples, side, drawn

    def __len__(self) -> int:
        return len(self._samples)

    def __getitem__(self, index: int) -> Read:
        from torchvision.transforms.v2 import functional as pictures

        file, label = self._samples[index]
        try:
            with Image.open(file) as picture:
                image = picture.convert("RGB")  # gray ones as well
        except (OSError, UnidentifiedImageError, Image.DecompressionBombError, SyntaxError, ValueError) as problem:
            return None, label, f"{file}\n{_why(problem)}"
        x = pictures.resize(pictures.pil_to_tensor(image), [round(self._side * 8 / 7)], antialias=True)
        if self._drawn is None:
            x = pictures.center_crop(x, [self._side])
        else:
            generator = torch.Generator().manual_seed(_mix(*self._drawn, index + 1))
            top, left, mirror = (
                int(torch.randint(n + 1, (), generator=generator))
                for n in (x.shape[1] - self._side, x.shape[2] - self._side, 1)
            )
            x = x[:, top : top + self._side, left : left + self._side]
            x = x.flip(2) if mirror else x
        mean, std = (torch.tensor(numbers).view(3, 1, 1) for numbers in (MEAN, STD))
        return (x.float() / 255 - mean) / std, label, ""


def _why(problem: Exception) -> str:
    if isinstance(problem, UnidentifiedImageError):
        return "it is no image"
    return str(problem).split("\n")[0] or type(problem).__name__


def _collate(read: list[Read]) -> tuple[Tensor, Tensor, list[tuple[str, str]]]:
    images = [x for x, _, _ in read if x is not None]
    labels = [label for x, label, _ in read if x is not None]
    unreadable = [(file, why) for x, _, told in read if x is None for file, _, why in [told.partition("\n")]]
    return torch.stack(images) if images else torch.empty(0), torch.tensor(labels, dtype=torch.int64), unreadable


def _mix(seed: int, epoch: int, index: int) -> int:
    """Return one seed for three numbers, such that neighbors have nothing in common."""
    return int.from_bytes(hashlib.sha256(f"{seed} {epoch} {index}".encode()).digest()[:7])
