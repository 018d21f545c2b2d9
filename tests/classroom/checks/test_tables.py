"""The checks of lesson 02 name the classic mistakes in counting, and accept different right answers."""

import math

import numpy as np
import pytest
import torch
from verdict_reports import accepted, refused_and_not_stopped

from ltcourse.classroom import checks

# Exercise 1


def by_loop(layers):
    total = 0
    for out, into, kernel, groups in layers:
        total += out * (into // groups) * kernel**2 + out
    return total


def by_numpy(layers):
    o, i, k, g = np.array(layers, dtype=np.int64).T
    return (o * i * k**2 // g + o).sum()


def by_modules(layers):
    with torch.device("meta"):
        built = [torch.nn.Conv2d(i, o, k, groups=g) for o, i, k, g in layers]
    return float(sum(p.numel() for layer in built for p in layer.parameters()))


@pytest.mark.parametrize("answer", [by_loop, by_numpy, by_modules])
def test_count_parameters_accepts(answer):
    accepted(checks.count_parameters(answer))


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda layers: sum(o * i * k * k // g for o, i, k, g in layers), "the biases are missing"),
        (lambda layers: sum(o * i * k * k + o for o, i, k, g in layers), "groups are ignored"),
        (lambda layers: sum(o * i * k // g + o for o, i, k, g in layers), "kernel · kernel"),
        (lambda layers: sum(o * i // g + o for o, i, k, g in layers), "the kernel is ignored"),
        (lambda layers: sum(o * i * k * k // g**2 + o for o, i, k, g in layers), "not the outputs"),
        (lambda layers: sum(o * i * k * k // g + 1 for o, i, k, g in layers), "one bias per layer"),
        (lambda layers: sum(o * i * k * k // g + i for o, i, k, g in layers), "not for each input"),
        (lambda layers: 8, "off by"),
        (lambda layers: layers, "a count is a number, and this is list"),
        (lambda layers: "8", "a count is a number, and this is str"),
        (lambda layers: math.nan, "off by nan"),
        (lambda layers: by_loop(layers[:1]), "off by"),
    ],
)
def test_count_parameters_refuses(answer, reason):
    refused_and_not_stopped(checks.count_parameters(answer), reason)


# Exercise 2


def by_walking(keep, bits):
    """Walks over the weights; fillers count only once a weight comes after them."""
    entries, waiting, gap = 0, 0, 0
    for kept in keep.flatten().tolist():
        if kept:
            entries, waiting, gap = entries + waiting + 1, 0, 0
        elif gap == 2**bits - 1:
            waiting, gap = waiting + 1, 0
        else:
            gap += 1
    return math.ceil(entries * (32 + bits) / 8)


def by_gaps(keep, bits):
    positions = np.flatnonzero(keep.numpy())
    gaps = np.diff(positions, prepend=-1) - 1
    entries = len(gaps) + (gaps // 2**bits).sum()
    return 4 * entries + (entries * bits + 7) // 8


def entries_to_bytes(entries, bits):
    return math.ceil(entries * (32 + bits) / 8)


def with_gaps(count):
    def function(keep, bits):
        positions = keep.flatten().nonzero().flatten().tolist()
        gaps = [b - a - 1 for a, b in zip([-1, *positions], positions, strict=False)]
        return count(gaps, bits, keep.numel() - 1 - (positions[-1] if positions else -1))

    return function


def stored(gaps, bits):
    return len(gaps) + sum(gap // 2**bits for gap in gaps)


@pytest.mark.parametrize("answer", [by_walking, by_gaps, with_gaps(lambda g, b, _: entries_to_bytes(stored(g, b), b))])
def test_relative_bytes_accepts(answer):
    accepted(checks.relative_bytes(answer))


def changes_the_mask(keep, bits):
    result = by_gaps(keep.clone(), bits)
    keep.zero_()
    return result


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (with_gaps(lambda g, b, _: entries_to_bytes(len(g), b)), "the fillers are missing"),
        (
            with_gaps(lambda g, b, _: entries_to_bytes(len(g) + sum(x // (2**b - 1) for x in g), b)),
            "a gap of 3 still fits",
        ),
        (
            with_gaps(
                lambda g, b, _: entries_to_bytes(len(g) + sum(max(0, math.ceil((x - 2**b) / 2**b)) for x in g), b)
            ),
            "a gap of 4 does not fit in 2 bits",
        ),
        (with_gaps(lambda g, b, _: 4 * len(g) + math.ceil(stored(g, b) * b / 8)), "a filler has a value as well"),
        (
            with_gaps(lambda g, b, _: entries_to_bytes(len(g) + sum(x >= 2**b for x in g), b)),
            "one filler is not always",
        ),
        (with_gaps(lambda g, b, a: entries_to_bytes(stored(g, b) + a // 2**b, b)), "after the last weight kept"),
        (with_gaps(lambda g, b, _: stored(g, b) * (4 + math.ceil(b / 8))), "lie close together"),
        (with_gaps(lambda g, b, _: math.ceil(stored(g, b) * b / 8)), "the values are missing"),
        (with_gaps(lambda g, b, _: stored(g, b) * (32 + b)), "that is bits"),
        (with_gaps(lambda g, b, _: stored(g, b) * (32 + b) // 8), "round up"),
        (lambda keep, bits: 0, "off by"),
        (lambda keep, bits: keep, "a count of bytes is a number, and this is Tensor"),
        (changes_the_mask, "your function changed `keep`, which it was given: work on a copy"),
    ],
)
def test_relative_bytes_refuses(answer, reason):
    refused_and_not_stopped(checks.relative_bytes(answer), reason)


# Exercise 3


@pytest.mark.parametrize(
    "answer",
    [
        lambda rate, kept, total: rate * (kept / total) ** 0.5,
        lambda rate, kept, total: torch.tensor(rate) * torch.tensor(kept / total).sqrt(),
        lambda rate, kept, total: np.sqrt(rate**2 * kept / total),
    ],
)
def test_retraining_dropout_accepts(answer):
    accepted(checks.retraining_dropout(answer))


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda r, k, t: r * k / t, "the square root is missing"),
        (lambda r, k, t: r * math.sqrt(1 - k / t), "that is the share pruned"),
        (lambda r, k, t: 1 - (1 - r) * math.sqrt(k / t), "you scaled the share of neurons that stay"),
        (lambda r, k, t: r * math.sqrt(t / max(k, 1)), "upside down"),
        (lambda r, k, t: r, "that is the old rate"),
        (lambda r, k, t: r * (k / t) ** 2, "not a square root"),
        (lambda r, k, t: 0.123, "off by"),
        (lambda r, k, t: [r], "a rate is a number, and this is list"),
    ],
)
def test_retraining_dropout_refuses(answer, reason):
    refused_and_not_stopped(checks.retraining_dropout(answer), reason)


# Exercise 4


def equal_bits(rows, columns, bits):
    """Solves 32 · n = d · n · (32 + bits) + 32 · (rows + 1) by halving."""
    low, high, n = -1.0, 1.0, rows * columns
    for _ in range(80):
        middle = (low + high) / 2
        fits = middle * n * (32 + bits) + 32 * (rows + 1) <= 32 * n
        low, high = (middle, high) if fits else (low, middle)
    return low


@pytest.mark.parametrize("answer", [equal_bits, lambda r, c, b: (4 * r * c - 4 * (r + 1)) / ((4 + b / 8) * r * c)])
def test_break_even_density_accepts(answer):
    accepted(checks.break_even_density(answer))


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda r, c, b: 32 / (32 + b), "the rows are missing"),
        (lambda r, c, b: (r * c - r - 1) / (r * c) * 32 / b, "the values are missing"),
        (lambda r, c, b: 32 * (r * c - r) / ((32 + b) * r * c), "rows + 1"),
        (lambda r, c, b: 32 * (r * c - r - 1) / (32 + b), "how many values fit"),
        (lambda r, c, b: 1 - 32 * (r * c - r - 1) / ((32 + b) * r * c), "the share pruned"),
        (lambda r, c, b: (32 * r * c - b * (r + 1)) / ((32 + b) * r * c), "whatever the columns' have"),
        (lambda r, c, b: 32 * (r * c + r + 1) / ((32 + b) * r * c), "less room, not more"),
        (lambda r, c, b: 0.123, "off by"),
        (lambda r, c, b: None if r == 0 else "half", "a density is a number, and this is str"),
    ],
)
def test_break_even_density_refuses(answer, reason):
    refused_and_not_stopped(checks.break_even_density(answer), reason)
