"""Sparse weights in bytes: dense, CSR, bitmask and Han's relative index, each as a real file that is read back."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save as safetensors_bytes
from torch import Tensor

from ltcourse.data import DataError
from ltcourse.files import write as write_whole
from ltcourse.names import choose
from ltcourse.networks.masks import Mask

Array = NDArray[Any]
Parts = dict[str, Array]

FORMATS = ("dense", "csr-32", "csr-16", "bitmask", "relative-8", "relative-5", "relative")


def encode(weight: Tensor, keep: Tensor, form: str) -> Parts:
    """Return what has to be stored of a weight tensor, as arrays.

    weight: any shape; two dimensions count, (out, everything else). keep: its mask. form: one of `FORMATS`.
    "dense": all values, 4 bytes each. "csr-32", "csr-16": the values kept, for each the column that it is in, of 32
    or 16 bits, and for each row where it begins. "bitmask": the values kept, and one bit for every weight.
    "relative-8", "relative-5": the values kept, for each the count of weights pruned before it since the last one, in 8
    or 5 bits; where a gap is too wide for the bits, a filler value 0 is stored. "relative": 5 bits for a dense layer,
    8 for a convolution, as in the paper.
    Raises ValueError for an unknown format, or rows too long for 16 bits.
    Source: Han et al. 2015, Sec. 5; Han et al. 2016, "Deep Compression", Sec. 2 (the filler).
    Lesson 02, "Where is the weight?".
    """
    form = _for_layer(form, weight)
    values = weight.detach().cpu().float().numpy().reshape(weight.shape[0], -1)
    kept = keep.cpu().numpy().reshape(values.shape)
    if form == "dense":
        return {"values": np.where(kept, values, np.float32(0))}
    if form.startswith("csr"):
        rows, columns = kept.nonzero()
        if form == "csr-16" and values.shape[1] > 2**16:
            raise ValueError(f"a row of {values.shape[1]:,} weights is too long for 16 bits: use 'csr-32'")
        starts = np.concatenate([[0], np.bincount(rows, minlength=len(values)).cumsum()])
        index = np.uint16 if form == "csr-16" else np.int32
        return {"values": values[kept], "columns": columns.astype(index), "rows": starts.astype(np.int32)}
    if form == "bitmask":
        return {"values": values[kept], "bits": np.packbits(kept)}
    bits = _bits(form)
    gaps, real = relative_index(keep, bits)
    stored = np.zeros(len(gaps), np.float32)
    stored[real] = values[kept]
    return {"values": stored, "gaps": _pack(gaps, bits)}


def decode(parts: Parts, shape: tuple[int, ...], form: str) -> Tensor:
    """Return the weight tensor that `encode` took apart, with 0 where it was pruned.

    Lesson 02, "Where is the weight?".
    """
    form = _for_layer(form, torch.empty(shape, device="meta"))
    values = parts["values"]
    if form == "dense":
        return torch.from_numpy(values.copy()).view(shape)
    flat = np.zeros(int(np.prod(shape)), np.float32)
    if form.startswith("csr"):
        row = np.repeat(np.arange(shape[0]), np.diff(parts["rows"]))
        flat[row * (len(flat) // shape[0]) + parts["columns"]] = values
    elif form == "bitmask":
        flat[np.unpackbits(parts["bits"], count=len(flat)).astype(bool)] = values
    else:
        gaps = _unpack(parts["gaps"], _bits(form), len(values))
        flat[np.cumsum(gaps.astype(np.int64) + 1) - 1] = values
    return torch.from_numpy(flat).view(shape)


def relative_index(keep: Tensor, bits: int) -> tuple[Array, Array]:
    """Return (gaps, real) of a mask: before each stored value so many weights are pruned; which values are no fillers.

    keep: any shape, read row by row. bits: of a gap, so that it is at most 2^bits − 1.
    Source: Han et al. 2015, Sec. 5; Han et al. 2016, Fig. 2.
    Lesson 02, "Where is the weight?".
    """
    positions = np.flatnonzero(keep.cpu().numpy())
    gaps = np.diff(positions, prepend=-1) - 1
    fillers, rest = np.divmod(gaps, 2**bits)  # a filler stands for 2^bits − 1 pruned weights and for itself
    ends = np.cumsum(fillers + 1) - 1
    stored = np.full(int(fillers.sum()) + len(gaps), 2**bits - 1, np.uint8)
    stored[ends] = rest
    real = np.zeros(len(stored), bool)
    real[ends] = True
    return stored, real


def size(weights: Mapping[str, Tensor], mask: Mask, form: str) -> int:
    """Return the bytes that the weights of a network take in a format, without the header of a file.

    Lesson 02, "Where is the weight?".
    """
    return sum(part.nbytes for name, m in mask.items() for part in encode(weights[name], m, form).values())


def write(file: Path, weights: Mapping[str, Tensor], mask: Mask, form: str) -> int:
    """Write the weights under a mask to a file, whole or not at all, and return its size in bytes.

    Raises ValueError as `encode` does, and DataError where the file cannot be written.
    Lesson 02, "Where is the weight?".
    """
    arrays = {
        f"{name}/{part}": np.ascontiguousarray(array)
        for name, m in mask.items()
        for part, array in encode(weights[name], m, form).items()
    }
    shapes = {name: list(m.shape) for name, m in mask.items()}
    content = safetensors_bytes(arrays, {"form": form, "shapes": json.dumps(shapes)})
    write_whole(file, content)
    return file.stat().st_size


def read(file: Path) -> dict[str, Tensor]:
    """Read what `write` wrote: name → weights, 0 where they were pruned.

    Raises DataError for a file that is not of this kind.
    Lesson 02, "Where is the weight?".
    """
    try:
        with safe_open(file, framework="np") as content:
            told = content.metadata()
            parts: dict[str, Parts] = {}
            for key in content.keys():  # noqa: SIM118 (it is no dict)
                name, _, part = key.rpartition("/")
                parts.setdefault(name, {})[part] = content.get_tensor(key)
        shapes = json.loads(told["shapes"])
        return {name: decode(parts[name], tuple(shape), told["form"]) for name, shape in shapes.items()}
    except (SafetensorError, OSError, ValueError, KeyError, TypeError, IndexError) as problem:
        raise DataError(f"{file.name} does not hold weights as storage.write puts them: write it again") from problem


def _for_layer(form: str, weight: Tensor) -> str:
    choose("format", form, FORMATS)
    if form == "relative":
        return "relative-5" if weight.dim() == 2 else "relative-8"
    return form


def _bits(form: str) -> int:
    return int(form.removeprefix("relative-"))


def _pack(gaps: Array, bits: int) -> Array:
    """Put numbers of a few bits each behind one another, with no room between them."""
    return np.packbits((gaps[:, None] >> np.arange(bits - 1, -1, -1, dtype=np.uint8)) & 1)


def _unpack(packed: Array, bits: int, count: int) -> Array:
    digits = np.unpackbits(packed, count=bits * count).reshape(count, bits)
    return digits @ (1 << np.arange(bits - 1, -1, -1))
