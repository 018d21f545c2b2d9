"""Crops and flips: those of torchvision, black at the margin, by a seed, and the same where a training goes on."""

import dataclasses
from collections import Counter

import pytest
import torch
from torchvision.transforms import functional

from ltcourse.data import Split
from ltcourse.data.augmentation import AHEAD, AUGMENTATIONS, PAD, changes, crop_and_flip

REACH = 3  # of images of 28 × 28
PLACES = range(2 * REACH + 1)


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def by_torchvision(image, top, left, mirrored, fill, pad=PAD):
    """One image at a time: a margin of one value a channel, a crop, a flip."""
    padded = torch.cat([functional.pad(c[None], [pad], fill=float(v)) for c, v in zip(image, fill, strict=True)])
    cut = functional.crop(padded, top, left, *image.shape[1:])
    return functional.hflip(cut) if mirrored else cut


def every_place(pad):
    """(top, left, mirrored) of all changes that there are: 162 of images of 32 × 32."""
    places = torch.arange(2 * pad + 1)
    grid = torch.cartesian_prod(places, places, torch.tensor([0, 1]))
    return grid[:, 0], grid[:, 1], grid[:, 2].bool()


def of(data, **splits):
    return dataclasses.replace(data, **splits)


# --- by an index


@pytest.mark.parametrize("shape", [(3, 6, 5), (1, 5, 9), (2, 1, 1), (3, 8, 8)])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
@pytest.mark.parametrize("pad", [PAD, 2, 0])
def test_every_change_is_the_crop_and_the_flip_of_torchvision(shape, layout, pad):
    places = every_place(pad)
    images = randn(len(places[0]), *shape).contiguous(memory_format=layout)
    fill = torch.tensor([-1.5, 0.25, 7.0])[: shape[0]]
    before = images.clone()
    cut = crop_and_flip(images, *places, fill, pad)
    expected = [
        by_torchvision(image, int(top), int(left), bool(mirrored), fill, pad)
        for image, top, left, mirrored in zip(images, *places, strict=True)
    ]
    assert torch.equal(cut, torch.stack(expected))
    assert torch.equal(images, before)
    assert cut.is_contiguous(memory_format=torch.channels_last)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_in_the_middle_an_image_stays_as_it_is_or_is_only_mirrored(dtype):
    images = randn(4, 3, 6, 7).to(dtype)
    middle = torch.full((4,), PAD)
    mirrored = torch.tensor([False, True, False, True])
    cut = crop_and_flip(images, middle, middle, mirrored, torch.zeros(3, dtype=dtype))
    assert cut.dtype == dtype
    assert torch.equal(cut[::2], images[::2])
    assert torch.equal(cut[1::2], images[1::2].flip(3))


def test_one_image_and_none():
    one = randn(1, 3, 4, 4)
    zero = torch.zeros(1, dtype=torch.int64)
    assert torch.equal(
        crop_and_flip(one, zero, zero, zero.bool(), torch.zeros(3))[0],
        by_torchvision(one[0], 0, 0, False, torch.zeros(3)),
    )
    assert crop_and_flip(one[:0], zero[:0], zero[:0], zero[:0].bool(), torch.zeros(3)).shape == (0, 3, 4, 4)


# --- by lot


def numbered(n, side=9):
    """Images whose pixels are their own numbers, counted from 1, so that one pixel tells what was done."""
    return torch.arange(1.0, side * side + 1).view(1, 1, side, side).expand(n, 1, side, side)


def told(images):
    """(top, left, mirrored) of each changed image of `numbered`, whose middle never leaves it."""
    side = images.shape[-1]
    middle = side // 2
    found = []
    for image in images[:, 0]:
        at, right = int(image[middle, middle]) - 1, int(image[middle, middle + 1]) - 1
        row, column = divmod(at, side)
        mirrored = right < at
        left = column - (side - 1 - middle if mirrored else middle) + REACH
        found.append((row - middle + REACH, left, mirrored))
    return found


def test_every_change_comes_about_as_often_as_any_other(clothes):
    n = 98 * 60
    counts = Counter(told(changes("crop-flip", clothes, 0)(numbered(n, 11))))
    assert set(counts) == {(t, c, m) for t in PLACES for c in PLACES for m in (False, True)}
    squares = sum((count - 60) ** 2 / 60 for count in counts.values())
    assert squares < 97 + 4 * (2 * 97) ** 0.5  # χ² of 97 degrees of freedom
    assert min(counts.values()) > 60 - 4.5 * 60**0.5


def test_each_time_that_an_image_is_seen_it_is_changed_anew(clothes):
    change = changes("crop-flip", clothes, 0)
    first, second = told(change(numbered(40))), told(change(numbered(40)))
    assert first != second
    assert sum(a == b for a, b in zip(first, second, strict=True)) < 4
    assert len(set(first)) > 20, "the images of a batch are each changed by themselves"


def test_a_seed_fixes_the_changes_whatever_the_images(clothes, global_randomness_untouched):
    def drawn(seed, images=None):
        change = changes("crop-flip", clothes, seed)
        return [told(change(numbered(30) if images is None else images)) for _ in range(3)]

    assert drawn(5) == drawn(5)
    assert drawn(5) != drawn(6)
    assert drawn(5) == drawn(5, numbered(30).contiguous(memory_format=torch.channels_last))


def test_the_changes_do_not_follow_the_order_of_the_examples(clothes):
    """Both come from the training's seed: drawn from one stream, where an image is would tell how it is changed."""
    n, seed = 4_000, 3
    order = torch.randperm(n, generator=torch.Generator().manual_seed(seed)).double()
    places = torch.tensor(told(changes("crop-flip", clothes, seed)(numbered(n)))).double()
    for column in places.T:
        assert abs(float(torch.stack([order, column]).corrcoef()[0, 1])) < 4.5 / n**0.5


@pytest.mark.parametrize(("side", "reach"), [(32, 4), (28, 3), (16, 2)])
def test_an_image_moves_by_up_to_an_eighth_of_its_side(clothes, side, reach):
    images = torch.zeros(1, 1, side, side).expand(400, 1, side, side)
    images = images.index_fill(2, torch.tensor([side // 2]), 1.0)  # one white row
    data = of(clothes, train=Split(images, torch.zeros(400, dtype=torch.int64)))
    rows = changes("crop-flip", data, 0)(images).sum(3).argmax(2)
    assert set((rows - side // 2).flatten().tolist()) == set(range(-reach, reach + 1))


@pytest.mark.parametrize("done", [0, 1, 7])
def test_what_is_skipped_is_what_was_done(clothes, done):
    whole = changes("crop-flip", clothes, 2)
    for _ in range(done):
        whole(numbered(13))
    rest = changes("crop-flip", clothes, 2, skip=(done, 13))
    assert [told(whole(numbered(13))) for _ in range(3)] == [told(rest(numbered(13))) for _ in range(3)]


@pytest.mark.parametrize(("mean", "std"), [((0.0,), (0.353,)), ((0.49, 0.48, 0.45), (0.25, 0.24, 0.26))])
def test_the_margin_is_black(clothes, mean, std):
    data = of(clothes, mean=mean, std=std)
    white = torch.stack([torch.full((8, 8), (1 - m) / s) for m, s in zip(mean, std, strict=True)]).expand(50, -1, 8, 8)
    pixels = data.pixels(changes("crop-flip", data, 0)(white))
    black = pixels < 0.5
    torch.testing.assert_close(pixels, (~black).float())
    assert torch.equal(black.all(1), black.any(1)), "black in all channels at once"
    assert 0.2 < float(black.float().mean()) < 0.7


def test_a_real_batch_keeps_its_shape_its_type_and_its_examples(clothes):
    part = Split(clothes.train.x[:40].clone(), clothes.train.y[:40])
    data = of(clothes, train=part)
    before = part.x.clone()
    changed = changes("crop-flip", data, 1)(part.x)
    assert changed.shape == part.x.shape and changed.dtype == part.x.dtype
    assert torch.equal(part.x, before), "the data set itself is not changed"
    assert (changed != before).flatten(1).any(1).float().mean() > 0.9


# --- by name


def test_without_a_name_nothing_is_changed_or_copied(clothes):
    images = clothes.train.x[:3]
    assert changes(None, clothes, 0, skip=(5, 3))(images) is images


@pytest.mark.parametrize("name", ["crop_flip", "flip", "", "None"])
def test_an_unknown_name_is_refused_in_one_sentence(clothes, name):
    with pytest.raises(ValueError, match=f"unknown augmentation {name!r}.*choose one of crop-flip") as caught:
        changes(name, clothes, 0)
    assert "\n" not in str(caught.value)
    assert AUGMENTATIONS == ("crop-flip",)


def test_what_is_drawn_ahead_is_what_each_batch_would_draw(clothes):
    """Beyond two blocks, for a batch of any size."""
    for n in (1, 7, 60):
        generator = torch.Generator().manual_seed(0xC20F_0000 + 5)
        change, images = changes("crop-flip", clothes, 5), clothes.train.x[:1].expand(n, -1, -1, -1)
        black = torch.tensor([-m / s for m, s in zip(clothes.mean, clothes.std, strict=True)])
        for _ in range(2 * AHEAD + 3):
            drawn = torch.randint(0, 2 * len(PLACES) ** 2, (n,), generator=generator)
            corner = drawn // 2
            expected = crop_and_flip(images, corner // len(PLACES), corner % len(PLACES), drawn % 2 == 1, black, REACH)
            assert torch.equal(change(images), expected)
