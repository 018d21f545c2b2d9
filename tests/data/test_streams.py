"""Images in folders: what is found, how an epoch is drawn, and what is skipped and told."""

import shutil

import pytest
import torch
from folders import BROKEN, GRAY, make_folders
from PIL import Image

from ltcourse import data
from ltcourse.data import DataError, streams


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return make_folders(tmp_path_factory.mktemp("images"))


@pytest.fixture
def stream(root):
    return data.load("imagenet", root=root)


def epoch(stream, part="train", **choices):
    batches = list(stream.batches(part, 8, 32, **choices))
    return torch.cat([x for x, _ in batches]), torch.cat([y for _, y in batches])


def test_the_folders_are_the_classes(stream, root):
    assert stream.classes == ("cat", "frog", "ship", "truck")
    assert (len(stream.train), len(stream.test)) == (4 * 12 + 2, 4 * 5)
    assert {label for _, label in stream.train} == {0, 1, 2, 3}
    assert stream.skipped == {} and len(stream.sha256) == 64


def test_the_folder_can_come_from_the_environment(root, stream, monkeypatch):
    monkeypatch.setenv(streams.ROOT, str(root))
    assert data.load("imagenet").sha256 == stream.sha256


def test_the_digest_is_of_names_and_sizes(root, stream, tmp_path):
    copied = shutil.copytree(root, tmp_path / "copy")
    assert data.load("imagenet", root=copied).sha256 == stream.sha256, "not of the place"
    next((copied / "train" / "cat").glob("*.jpg")).unlink()
    assert data.load("imagenet", root=copied).sha256 != stream.sha256


def test_every_image_that_can_be_read_comes_once_an_epoch(stream, capsys):
    x, y = epoch(stream)
    assert x.shape == (4 * 12 + 1, 3, 32, 32) and x.dtype == torch.float32
    assert torch.bincount(y).tolist() == [13, 12, 12, 12], "the gray one is a cat, the broken one a ship"
    assert abs(float(x.mean())) < 1.5 and 0.3 < float(x.std()) < 3, "normalized"
    (broken,) = stream.skipped
    assert broken.endswith(BROKEN)
    said = capsys.readouterr().out
    assert said.startswith("skipped ") and BROKEN in said and said.count("\n") == 1
    epoch(stream, epoch=1)
    assert capsys.readouterr().out == "", "told once"


def test_a_gray_image_has_three_equal_channels(root):
    x, _, told = streams._Images([(str(root / "train" / "cat" / GRAY), 0)], 32, None)[0]
    std, mean = (torch.tensor(n).view(3, 1, 1) for n in (streams.STD, streams.MEAN))
    pixels = x * std + mean
    assert not told and torch.allclose(pixels[0], pixels[1], atol=1e-5) and float(pixels.std()) > 0.05


def test_a_truncated_image_is_skipped_as_well(root, tmp_path):
    whole = next((root / "train" / "frog").glob("*.jpg")).read_bytes()
    (tmp_path / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    x, _, told = streams._Images([(str(tmp_path / "cut.jpg"), 0)], 32, None)[0]
    assert x is None and "cut.jpg" in told and "truncated" in told


def test_seed_and_epoch_decide_an_epoch_and_workers_do_not(stream):
    first = epoch(stream, seed=1, epoch=2)
    for other in (epoch(stream, seed=1, epoch=2), epoch(stream, seed=1, epoch=2, workers=2)):
        assert torch.equal(first[0], other[0]) and torch.equal(first[1], other[1])
    for other in (epoch(stream, seed=1, epoch=3), epoch(stream, seed=2, epoch=2)):
        assert not torch.equal(first[1], other[1])


def test_testing_takes_the_middle_in_the_order_of_the_files(stream):
    x, y = epoch(stream, "test")
    assert y.tolist() == sorted(y.tolist()) and len(y) == 20
    again, _ = epoch(stream, "test", seed=5, epoch=5)
    assert torch.equal(x, again)


def test_the_square_is_cut_out_of_a_scaled_image(tmp_path):
    wide = Image.new("RGB", (400, 100))
    wide.paste((255, 255, 255), (180, 0, 220, 100))
    wide.save(tmp_path / "wide.png")
    x, _, _ = streams._Images([(str(tmp_path / "wide.png"), 0)], 28, None)[0]
    assert x.shape == (3, 28, 28) and x[0, 14, 14] > 2 and x[0, 14, 2] < -2, "the middle, white, and beside it black"


def test_squares_and_mirrors_are_drawn(tmp_path):
    slope = Image.linear_gradient("L").rotate(90).resize((400, 100))  # from white on the left to black
    slope.save(tmp_path / "slope.png")
    cuts = [streams._Images([(str(tmp_path / "slope.png"), 0)], 28, (0, e))[0][0] for e in range(24)]
    mirrored = [float(c[0, 14, 0] - c[0, 14, -1]) > 0 for c in cuts]
    assert 4 < sum(mirrored) < 20, "every second one, on average"
    assert len({round(float(c.mean()), 4) for c in cuts}) > 12, "squares differ"


def test_global_randomness_is_not_touched(stream, global_randomness_untouched):
    epoch(stream)


@pytest.mark.parametrize("break_it", ["no train", "no val", "empty class", "other classes", "no folder"])
def test_what_is_missing_is_one_sentence(root, tmp_path, break_it):
    copied = tmp_path / "copy" if break_it == "no folder" else shutil.copytree(root, tmp_path / "copy")
    if break_it == "no train":
        shutil.rmtree(copied / "train")
    elif break_it == "no val":
        shutil.rmtree(copied / "val")
    elif break_it == "empty class":
        (copied / "train" / "zebra").mkdir()
    elif break_it == "other classes":
        shutil.rmtree(copied / "val" / "ship")
    with pytest.raises(DataError) as problem:
        data.load("imagenet", root=copied)
    said = str(problem.value)
    assert "\n" not in said and any(part in said for part in ("train/", "val/", "ship"))


def test_without_a_folder_it_says_what_to_give(monkeypatch):
    monkeypatch.delenv(streams.ROOT, raising=False)
    with pytest.raises(DataError, match="`--data PATH`"):
        data.load("imagenet")


def test_validation_will_do_for_val(root, tmp_path, stream):
    copied = shutil.copytree(root, tmp_path / "copy")
    (copied / "val").rename(copied / "validation")
    assert len(data.load("imagenet", root=copied).test) == len(stream.test)


def test_an_image_that_claims_to_be_immense_is_skipped(root, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)  # of any real image, more than twice as many
    stream = data.load("imagenet", root=root)
    assert list(stream.batches("test", 8, 32)) == []
    assert len(stream.skipped) == len(stream.test) and "exceeds limit" in capsys.readouterr().out
