"""The file formats of the data sets: idx, CIFAR-10's batches, contact sheets. None is read by unpickling."""

from __future__ import annotations

import gzip
import io
import pickletools
import struct
import zlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

COLUMNS = 50  # tiles in a row of a contact sheet: a multiple of ten, so that each column shows one class
SIDE = 32  # pixels of a tile
BROKEN = (  # all that the readers below raise on bytes that are not theirs
    ValueError,
    EOFError,
    OSError,
    SyntaxError,
    IndexError,
    struct.error,
    zlib.error,
    UnidentifiedImageError,
    Image.DecompressionBombError,
)

Bytes = NDArray[np.uint8]


def idx(array: Bytes) -> bytes:
    """Write an array as an idx file (LeCun's format): two zeros, type 8, the shape (big-endian), the bytes.

    Lesson 00, "The data".
    """
    return struct.pack(f">HBB{array.ndim}I", 0, 8, array.ndim, *array.shape) + array.tobytes()


def from_idx(content: bytes) -> Bytes:
    """Read an idx file of bytes into an array of its shape (read-only: it shares the content's memory).

    Lesson 00, "The data".
    """
    dimensions = content[3]
    shape = struct.unpack_from(f">{dimensions}I", content, 4)
    return np.frombuffer(content, np.uint8, offset=4 + 4 * dimensions).reshape(shape)


def rows_of_batch(raw: bytes) -> bytes:
    """Read a batch of cifar-10-batches-py, a pickle, without unpickling it: nothing in it is executed.

    `pickletools.genops` only lists a pickle's instructions. The long string among them is the pixels, the
    small integers that follow the string "labels" are the labels. Returns the rows of the binary version
    (label, 3,072 pixels); raises ValueError where the two do not belong together.

    Lesson 00, "The data".
    """
    labels, pixels, last = bytearray(), b"", b""
    for opcode, argument, _ in pickletools.genops(raw):
        if isinstance(argument, (str, bytes)):
            last = argument.encode("latin-1", "replace") if isinstance(argument, str) else argument
            pixels = max(pixels, last, key=len)
        elif opcode.name == "BININT1" and last == b"labels":
            labels.append(int(argument or 0))
    if not labels or len(pixels) != 3072 * len(labels):
        raise ValueError("not a batch of CIFAR-10")
    return rows(bytes(labels), np.frombuffer(pixels, np.uint8).reshape(-1, 3072))


def rows(labels: bytes, pixels: Bytes) -> bytes:
    """Join labels (n bytes) and pixels (n, 3072) to rows of CIFAR-10's binary version."""
    return np.concatenate([np.frombuffer(labels, np.uint8)[:, None], pixels], axis=1).tobytes()


def _from_sheet(raw: bytes) -> bytes:
    with Image.open(io.BytesIO(raw), formats=["PNG"]) as image:
        if image.mode != "RGB" or image.width != COLUMNS * SIDE or image.height % SIDE:
            raise ValueError("not a contact sheet")
        tiles = np.asarray(image).reshape(-1, SIDE, COLUMNS, SIDE, 3).transpose(0, 2, 4, 1, 3)
    return idx(tiles.reshape(-1, 3, SIDE, SIDE))


def _to_sheet(content: bytes) -> bytes:
    tiles = from_idx(content).reshape(-1, COLUMNS, 3, SIDE, SIDE).transpose(0, 3, 1, 4, 2)
    out = io.BytesIO()
    Image.fromarray(np.ascontiguousarray(tiles).reshape(-1, COLUMNS * SIDE, 3)).save(out, "PNG", optimize=True)
    return out.getvalue()


def decode(place: str, raw: bytes, size: int) -> bytes:
    """Turn the bytes of the file at `place` into its content, decompressing at most `size` + 1 bytes."""
    if place.endswith(".gz"):
        return zlib.decompressobj(wbits=31).decompress(raw, size + 1)
    if place.endswith(".png"):
        return _from_sheet(raw)
    return rows_of_batch(raw) if place.startswith("cifar-10-batches-py/") else raw


def encode(place: str, content: bytes) -> bytes:
    """Turn a content into the bytes of the file at `place`: no dates, no names, the same bytes each time."""
    if place.endswith(".png"):
        return _to_sheet(content)
    if not place.endswith(".gz"):
        return content
    out = io.BytesIO()  # gzip.compress writes another header in every second version of Python
    with gzip.GzipFile(filename="", mode="wb", compresslevel=9, fileobj=out, mtime=0) as stream:
        stream.write(content)
    return out.getvalue()
