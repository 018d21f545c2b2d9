"""Numbers that people give, of Python's, NumPy's and PyTorch's types alike, and seeds, which are such numbers."""

import math
import operator
from contextlib import suppress
from typing import Any

import numpy as np
import torch


def whole(name: str, value: Any, least: int | None = None) -> int:
    """Return a whole number of any type as Python's own.

    Raises ValueError, one sentence that calls it by `name`, for what is none or is below `least`.
    """
    number: int | None = None
    with suppress(TypeError, ValueError):
        number = None if _is_truth(value) else operator.index(value)
    if number is None or (least is not None and number < least):
        bound = "" if least is None else f", at least {least}"
        raise ValueError(f"{name} is {_shown(value)}: it must be a whole number{bound}")
    return number


def real(name: str, value: Any) -> float:
    """Return a number of any type as Python's own; one of Python's stays as it is.

    Raises ValueError, one sentence that calls it by `name`, for what is no number, such as a text or True.
    """
    if type(value) in (int, float):
        return value
    try:
        if isinstance(value, (str, bytes)) or _is_truth(value):
            raise TypeError
        return float(value)
    except (TypeError, ValueError, RuntimeError):
        raise ValueError(f"{name} is {_shown(value)}: it must be a number") from None


def not_negative(name: str, value: Any) -> float:
    """Return a finite number, 0 or more, as Python's own.

    Raises ValueError, one sentence that calls it by `name`, for any other.
    """
    number = real(name, value)
    if math.isnan(number):
        raise ValueError(f"{name} is {_shown(value)}: it must be a number")
    if not number >= 0:
        raise ValueError(f"{name} is {_shown(value)}: it must not be negative")
    if math.isinf(number):
        raise ValueError(f"{name} is {_shown(value)}: it must be finite")
    return number


def seeded(seed: Any, stream: int = 0) -> torch.Generator:
    """Return a generator on the CPU that begins at a seed.

    seed: a whole number of any type. stream: of numbers; two that start far apart have nothing in common.
    Raises ValueError, one sentence, for what is no seed.
    """
    begin = stream + whole("seed", seed)
    if not -(2**63) <= begin < 2**63:
        raise ValueError(f"seed is {seed}: it must have fewer than 64 bits")
    return torch.Generator().manual_seed(begin)


def plain(value: Any) -> Any:
    """Return a value of NumPy or PyTorch as plain data, for `json.dumps(…, default=plain)`.

    Raises TypeError, one sentence, for what is neither.
    """
    if isinstance(value, (np.generic, np.ndarray, torch.Tensor)):
        return value.tolist()
    raise TypeError(f"{value!r} is a {type(value).__name__}: write numbers, text, lists and dictionaries")


def _is_truth(value: Any) -> bool:
    return isinstance(value, bool) or str(getattr(value, "dtype", "")) in ("bool", "torch.bool")


def _shown(value: Any) -> str:
    return repr(value) if isinstance(value, (str, bytes)) else str(value)
