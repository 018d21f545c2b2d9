"""A small ImageNet for the tests: real images as JPEG files in folders, of odd sizes, one gray, one broken."""

from pathlib import Path

import torch
from PIL import Image

from ltcourse import data

CLASSES = ("cat", "frog", "ship", "truck")
GRAY, BROKEN = "gray.jpg", "broken.jpg"


def make_folders(root: Path, train: int = 12, test: int = 5) -> Path:
    """Write images of CIFAR-10 under root/train/CLASS and root/val/CLASS, and return root."""
    photos = data.load("cifar-10-mini", download=False)
    for part, split, count in (("train", photos.train, train), ("val", photos.test, test)):
        for name in CLASSES:
            folder = root / part / name
            folder.mkdir(parents=True)
            chosen = split.x[split.y == photos.classes.index(name)][:count]
            pixels = (photos.pixels(chosen) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()
            for i, picture in enumerate(pixels):
                size = (37 + 5 * (i % 4), 33 + 7 * (i % 3))
                Image.fromarray(picture).resize(size).save(folder / f"{i:03d}.jpg", quality=90)
    first = sorted((root / "train" / "cat").glob("*.jpg"))[0]
    Image.open(first).convert("L").save(root / "train" / "cat" / GRAY)
    (root / "train" / "ship" / BROKEN).write_bytes(b"this is no image")
    return root
