"""The check of the exercise of lesson 09 on pruning a layer by its inputs."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from ltcourse.classroom.checks import verdict
from ltcourse.classroom.checks.verdict import Finding, Verdict
from ltcourse.networks import masks

Answer = Callable[[Tensor, Tensor, float], Tensor]


def wanda_mask(function: Answer) -> Verdict:
    """Check exercise 4 of lesson 09: (weight, inputs, rate) → the mask that keeps each row's largest |w| · ‖x‖."""
    generator = torch.Generator().manual_seed(9)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator)

    # no rate × inputs is a half; the inputs are not centered, and of no equal norms
    square = normal(4, 4), torch.tensor([3.0, 0.1, 1.0, 0.4]) * normal(4, 4)
    wide = normal(6, 10), torch.logspace(-1, 1, 10) * (normal(30, 10) + 0.5)
    # a large input once against a smaller one always: by the largest or the sum one of the rows goes wrong
    columns = torch.tensor([[5.0, 0, 0, 0], [2.0, -2, 2, -2], [4.0, 0, 0, 0], [3.0, -3, 3, -3]])
    pairs = torch.tensor([[0.9, 1, 0.01, 0.01], [0.01, 0.01, 1, 0.9]])
    cases = [
        (torch.tensor([[1.0, -2.0, 0.5]]), torch.tensor([[6.0, 1.0, 1.0]]), 2 / 3),
        (torch.tensor([[1.0, -2.0, 0.5]]), torch.tensor([[4.0, 1.0, 0.0], [-4.0, -1.0, 5.0]]), 2 / 3),
        (torch.tensor([[5.0, 4.0], [0.1, 0.2]]), torch.tensor([[1.0, 1.0]]), 0.5),
        (pairs, columns.T, 0.75),
        (*square, 0.25),
        (*square, 0.3),  # 1.2 and 2.8 weights: neither down nor up, but to the nearest
        (*square, 0.7),
        (*square, 0.0),
        (*square, 1.0),
        (*wide, 0.3),
        (*wide, 0.8),
        (normal(3, 4), torch.tensor([[0.0, 2.0, 0.0, -1.0]]), 0.5),
    ]

    def findings() -> Iterator[Finding]:
        for weight, inputs, rate in cases:
            yours = verdict.tensor(verdict.ask(function, weight, inputs, rate))
            expected = _by_row(weight.abs() * inputs.norm(dim=0), rate)
            wrong = verdict.wrong_mask(yours, weight)
            if not wrong and not torch.equal(yours, expected):
                wrong = _what_is_wrong(yours, weight, inputs, rate)
            case = f"rate {rate:.2g}, weight {verdict.show(weight)}, inputs {verdict.show(inputs)}"
            yield Finding(case, verdict.show(yours), verdict.show(expected), wrong)

    return verdict.judge("exercise 4, Wanda's mask", findings())


def _by_row(scores: Tensor, rate: float) -> Tensor:
    count = scores.shape[1] - round(rate * scores.shape[1])
    return torch.stack([masks.keep_largest(row, count) for row in scores])


def _what_is_wrong(yours: Tensor, weight: Tensor, inputs: Tensor, rate: float) -> str:
    norms = inputs.norm(dim=0)
    scores = weight.abs() * norms
    count = weight.shape[1] - round(rate * weight.shape[1])
    mistakes = {
        "this goes by the magnitude of the weights alone: multiply by the norms of the inputs": weight.abs(),
        "this goes by the products with their signs: take the magnitude of the weights": weight * norms,
        "this goes by the largest of each input: take the norm over all examples": weight.abs() * inputs.abs().amax(0),
        "this goes by the sums of the inputs, which cancel: take their norms, over the examples": weight.abs()
        * inputs.sum(0).abs(),
        "this goes by the sums of the inputs' magnitudes: the norm is the root of the sum of the squares": weight.abs()
        * inputs.abs().sum(0),
        "this goes by |w| · ‖x‖²: the norm is the root of the sum of the squares": weight.abs() * norms**2,
    }
    whole = masks.keep_largest(scores, scores.numel() - round(rate * scores.numel()))
    if torch.equal(yours, whole):
        return "the scores of the whole layer are compared: compare those of each row, which is one output"
    if (kept := yours.sum(1)).ne(count).any():
        row = int(kept.ne(count).nonzero()[0])
        return f"row {row} keeps {int(kept[row])} weights, and should keep {count}"
    for why, other in mistakes.items():
        if torch.equal(yours, _by_row(other, rate)):
            return why
    if torch.equal(yours, ~_by_row(scores, 1 - rate)) and rate not in (0.0, 1.0):
        return "it keeps the smallest scores: `rate` is the share that goes"
    lost, left = (scores.masked_fill(m, fill) for m, fill in ((yours, -torch.inf), (~yours, torch.inf)))
    row = int((lost.max(1).values - left.min(1).values).argmax())
    if lost[row].max() <= left[row].min():
        return ""  # equal scores
    return f"row {row} loses a score of {float(lost[row].max()):.3g} and keeps one of {float(left[row].min()):.3g}"
