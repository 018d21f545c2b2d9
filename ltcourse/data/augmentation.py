"""Random changes of images that leave their classes alone, drawn anew each time that an image is seen."""

from collections.abc import Callable

import torch
from torch import Tensor

from ltcourse.data.sets import Dataset
from ltcourse.names import choose
from ltcourse.quantities import seeded

PAD = 4  # pixels that an image of 32 × 32 may move by, at most; Ramanujan et al. 2020, Sec. 4
AHEAD = 100  # batches whose changes are drawn at once
AUGMENTATIONS = ("crop-flip",)
Change = Callable[[Tensor], Tensor]


def changes(name: str | None, data: Dataset, seed: int, skip: tuple[int, int] = (0, 0)) -> Change:
    """Return a function that changes each batch that it is given, for the batches of one training in their order.

    name: "crop-flip", or None for none. skip: (batches, examples per batch) that are taken as done already.
    Raises ValueError for an unknown name.
    Lesson 07, "Conv-2 to Conv-8".
    """
    if name is None:
        return lambda images: images
    choose("augmentation", name, AUGMENTATIONS)
    generator = seeded(seed, 0xC20F_0000)  # not the stream that orders the examples
    black = torch.tensor([-m / s for m, s in zip(data.mean, data.std, strict=True)], device=data.train.x.device)
    pad = data.shape[1] * PAD // 32  # as large a part of smaller images
    places = 2 * pad + 1

    def draw(n: int) -> Tensor:
        return torch.randint(0, 2 * places * places, (n,), generator=generator)

    for _ in range(skip[0]):
        draw(skip[1])

    ahead = torch.empty(0, dtype=torch.int64, device=black.device)

    def change(images: Tensor) -> Tensor:
        nonlocal ahead
        if len(ahead) < len(images):  # for many batches at once: each copy to a GPU waits for it
            ahead = torch.cat((ahead, draw(AHEAD * len(images)).to(black.device)))
        drawn, ahead = ahead[: len(images)], ahead[len(images) :]
        corner, mirrored = drawn // 2, drawn % 2 == 1
        return crop_and_flip(images, corner // places, corner % places, mirrored, black, pad)

    return change


def crop_and_flip(images: Tensor, top: Tensor, left: Tensor, mirrored: Tensor, fill: Tensor, pad: int = PAD) -> Tensor:
    """Cut each image out of itself with a margin around it, and mirror some: the usual augmentation of CIFAR-10.

    images: (n, c, h, w). top, left: (n,) rows and columns, 0 to 2 · pad, at which the cut begins; pad leaves the image
    where it is. mirrored: (n,) booleans. fill: (c,) values of the margin. pad: pixels of it. The result is in
    channels-last order.
    All images are cut by one index: no loop over them, as a loader would have.
    Source: He et al. 2016, Sec. 4.2.
    Lesson 07, "Conv-2 to Conv-8".
    """
    n, channels, height, width = images.shape
    margin = fill.expand(n, height + 2 * pad, width + 2 * pad, channels).clone()
    margin[:, pad : pad + height, pad : pad + width] = images.permute(0, 2, 3, 1)
    rows = top[:, None] + torch.arange(height, device=images.device)
    columns = torch.arange(width, device=images.device).expand(n, width)
    columns = left[:, None] + torch.where(mirrored[:, None], width - 1 - columns, columns)
    row = torch.arange(n, device=images.device)[:, None] * margin.shape[1] + rows
    index = row[:, :, None] * margin.shape[2] + columns[:, None, :]  # of pixels, all channels of one together
    cut = margin.view(-1, channels).index_select(0, index.flatten())
    return cut.view(n, height, width, channels).permute(0, 3, 1, 2)
