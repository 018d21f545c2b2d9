"""The checks of lesson 02: parameters, bytes of a relative index, dropout for retraining, and where CSR breaks even."""

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch
from torch import Tensor

from ltcourse.classroom.checks import verdict
from ltcourse.classroom.checks.verdict import Finding, Verdict
from ltcourse.instruments import storage
from ltcourse.networks import models
from ltcourse.networks.dropout import rate_after_pruning

LayerSize = tuple[int, int, int, int]


def count_parameters(function: Callable[[list[LayerSize]], int]) -> Verdict:
    """Check exercise 1 of lesson 02: layers as (out, in, kernel, groups) → weights and biases, all together."""
    cases: dict[str, list[LayerSize]] = {
        "one dense layer, 3 → 2": [(2, 3, 1, 1)],
        "one convolution, 2 → 4 channels, 3 × 3": [(4, 2, 3, 1)],
        "the same in two groups": [(4, 2, 3, 2)],
        "one convolution, 4 → 6 channels, 5 × 5, in two groups": [(6, 4, 5, 2)],
        **{name: _sizes(name) for name in ("lenet-300-100", "lenet-5", "alexnet", "vgg-16")},
    }

    def findings() -> Iterator[Finding]:
        for case, layers in cases.items():
            expected = sum(o * i * k * k // g + o for o, i, k, g in layers)
            mistakes = {
                "the biases are missing: one for each output": sum(o * i * k * k // g for o, i, k, g in layers),
                "groups are ignored: an output sees the inputs of its own group only": sum(
                    o * i * k * k + o for o, i, k, g in layers
                ),
                "a kernel has kernel · kernel weights": sum(o * i * k // g + o for o, i, k, g in layers),
                "the kernel is ignored: it has one weight per pixel": sum(o * i // g + o for o, i, _, g in layers),
                "groups divide the inputs of an output, not the outputs": sum(
                    o * i * k * k // g**2 + o for o, i, k, g in layers
                ),
                "that is one bias per layer: there is one per output": sum(
                    o * i * k * k // g + 1 for o, i, k, g in layers
                ),
                "a bias is for each output, not for each input": sum(o * i * k * k // g + i for o, i, k, g in layers),
            }
            yours = verdict.ask(function, list(layers))
            yield verdict.compare_number(case, "a count", yours, expected, mistakes, ",.0f")

    return verdict.judge("exercise 1, counting parameters", findings())


def relative_bytes(function: Callable[[Tensor, int], int]) -> Verdict:
    """Check exercise 2 of lesson 02: (mask, bits) → the bytes of the values kept, their gaps, and the fillers."""

    def row(n: int, *kept: int) -> Tensor:
        keep = torch.zeros(n, dtype=torch.bool)
        keep[list(kept)] = True
        return keep

    generator = torch.Generator().manual_seed(2)
    cases = [
        ("nothing kept", row(4), 8),
        ("one kept, the first of 4", row(4, 0), 8),
        ("two neighbors", row(6, 2, 3), 4),
        ("a gap of 3 in 2 bits, the widest that fits", row(6, 0, 4), 2),
        ("a gap of 300 in 8 bits", row(302, 0, 301), 8),
        ("a gap of 4 in 2 bits", row(9, 0, 5), 2),
        ("a gap of 11 in 2 bits, at the beginning", row(12, 11), 2),
        ("nothing after the last one kept", row(60, 1, 2), 3),
        *(
            (f"{share:.1%} of a matrix of 30 × 40, {bits} bits", torch.rand(30, 40, generator=generator) < share, bits)
            for share, bits in ((0.2, 5), (0.03, 5), (0.01, 3), (0.01, 8))
        ),
    ]

    def findings() -> Iterator[Finding]:
        for case, keep, bits in cases:
            yours = verdict.ask(function, keep, bits)
            stored, real = (len(part) if i == 0 else int(part.sum()) for i, part in enumerate(_index(keep, bits)))
            expected, mistakes = _bytes(stored, bits), _byte_mistakes(keep, bits, stored, real)
            yield verdict.compare_number(case, "a count of bytes", yours, expected, mistakes, ",.0f")

    return verdict.judge("exercise 2, bytes of a relative index", findings())


def retraining_dropout(function: Callable[[float, int, int], float]) -> Verdict:
    """Check exercise 3 of lesson 02: (rate, kept, total) → the dropout rate to retrain with."""
    cases = [
        (0.5, 100, 100),
        (0.5, 25, 100),
        (0.4, 0, 10),
        (0.0, 5, 10),
        (0.5, 9, 100),
        (0.3, 160, 1000),
        (0.5, 1234, 5000),
    ]

    def findings() -> Iterator[Finding]:
        for rate, kept, total in cases:
            yours = verdict.ask(function, rate, kept, total)
            share = kept / total
            mistakes = {
                "the square root is missing: weights grow with the square of the neurons": rate * share,
                "that is the share pruned: C_ir counts the weights that are left": rate * math.sqrt(1 - share),
                "you scaled the share of neurons that stay: D is the share that is dropped": 1
                - (1 - rate) * math.sqrt(share),
                "the fraction is upside down: C_ir is in the numerator": rate * math.sqrt(1 / share) if share else -1.0,
                "that is the old rate: a pruned layer needs less dropout": rate,
                "that is a square, not a square root": rate * share**2,
            }
            expected = rate_after_pruning(rate, kept, total)
            case = f"rate {rate}, {kept} of {total} weights left"
            yield verdict.compare_number(case, "a rate", yours, expected, mistakes, ".4f")

    return verdict.judge("exercise 3, dropout for retraining", findings())


def break_even_density(function: Callable[[int, int, int], float]) -> Verdict:
    """Check exercise 4 of lesson 02: (rows, columns, index_bits) → the density at which CSR is as large as dense."""
    cases = [(2, 7, 16), (10, 10, 32), (10, 10, 16), (300, 784, 32), (300, 784, 16), (10, 100, 8), (4096, 9216, 16)]

    def findings() -> Iterator[Finding]:
        for rows, columns, bits in cases:
            n = rows * columns
            yours = verdict.ask(function, rows, columns, bits)
            mistakes = {
                "the rows are missing: where each begins is a number of 32 bits": 32 / (32 + bits),
                "the values are missing: CSR stores a value and its column": (n - rows - 1) / n * 32 / bits,
                "rows + 1 numbers say where rows begin, the last of them where the last row ends": 32
                * (n - rows)
                / ((32 + bits) * n),
                "that is how many values fit, not their share of all": 32 * (n - rows - 1) / (32 + bits),
                "that is the share pruned: return the share kept": 1 - 32 * (n - rows - 1) / ((32 + bits) * n),
                "the numbers of the rows have 32 bits, whatever the columns' have": (32 * n - bits * (rows + 1))
                / ((32 + bits) * n),
                "the numbers of the rows belong to CSR, so they leave it less room, not more": 32
                * (n + rows + 1)
                / ((32 + bits) * n),
            }
            expected = 32 * (n - rows - 1) / ((32 + bits) * n)
            case = f"{rows} × {columns} weights, columns of {bits} bits"
            yield verdict.compare_number(case, "a density", yours, expected, mistakes, ".5f")

    return verdict.judge("exercise 4, where CSR breaks even", findings())


def _sizes(name: str) -> list[LayerSize]:
    """Return (out, in, kernel, groups) of each layer of a network."""
    found = []
    for module in models.create(name, device="meta"):
        if isinstance(module, torch.nn.Conv2d):
            found.append((module.out_channels, module.in_channels, module.kernel_size[0], module.groups))
        elif isinstance(module, torch.nn.Linear):
            found.append((module.out_features, module.in_features, 1, 1))
    return found


def _index(keep: Tensor, bits: int) -> tuple[Any, Any]:
    return storage.relative_index(keep, bits)


def _bytes(entries: int, bits: int) -> int:
    return 4 * entries + -(-entries * bits // 8)


def _byte_mistakes(keep: Tensor, bits: int, stored: int, real: int) -> Mapping[str, float]:
    n = keep.numel()
    positions = keep.flatten().nonzero().flatten().tolist()
    gaps = [b - a - 1 for a, b in zip([-1, *positions], positions, strict=False)]
    after = n - 1 - positions[-1] if positions else n
    return {
        f"a gap of {2**bits - 1} still fits in {bits} bits": _bytes(
            real + sum(gap // (2**bits - 1) for gap in gaps), bits
        ),
        f"a gap of {2**bits} does not fit in {bits} bits: the largest number in them is {2**bits - 1}": _bytes(
            real + sum(max(0, -(-(gap - 2**bits) // (2**bits))) for gap in gaps), bits
        ),
        "the fillers are missing: a gap that is too wide for the bits needs some": _bytes(real, bits),
        "a filler has a value as well, a 0 of 4 bytes": 4 * real + -(-stored * bits // 8),
        "a filler needs its own bits as well": 4 * stored + -(-real * bits // 8),
        "one filler is not always enough: a gap can be several times too wide": _bytes(
            real + sum(gap >= 2**bits for gap in gaps), bits
        ),
        "after the last weight kept nothing is stored": _bytes(stored + after // 2**bits, bits),
        "gaps lie close together, not each in bytes of its own": stored * (4 + -(-bits // 8)),
        "the values are missing: 4 bytes each": -(-stored * bits // 8),
        "that is bits, not bytes: 8 of them are one": stored * (32 + bits),
        "round up to whole bytes": stored * (32 + bits) // 8,
    }
