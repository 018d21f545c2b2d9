"""What the checks of the exercises share: networks to try, how a function is asked, and the report of what was found.

A function that returns None is not done yet, and an error that it raises is a finding like any other.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ltcourse.networks import masks
from ltcourse.networks.masks import Mask, Weights

OPTIMIZERS: dict[str, Callable[..., torch.optim.Optimizer]] = {
    "SGD": lambda p: torch.optim.SGD(p, lr=0.1),
    "SGD with momentum and weight decay": lambda p: torch.optim.SGD(p, lr=0.1, momentum=0.9, weight_decay=0.01),
    "Adam": lambda p: torch.optim.Adam(p, lr=0.01),
    "AdamW": lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1),
}


@dataclass(frozen=True)
class Finding:
    """One case that was tried: what came out, what should have, and what is wrong if they differ."""

    case: str
    yours: str
    expected: str
    wrong: str = ""


@dataclass(frozen=True)
class Verdict:
    """What a check found; shown in a notebook as a short report, and true in an `if` only where it passed.

    passed: None where the exercise is not done yet.
    Lesson 01, "Exercises".
    """

    exercise: str
    passed: bool | None
    findings: tuple[Finding, ...] = ()

    def __bool__(self) -> bool:
        return self.passed is True

    def __str__(self) -> str:
        if self.passed is None:
            return f"… {self.exercise}: not done yet"
        if self.passed:
            return "\n".join([f"✔ {self.exercise}: right, in {len(self.findings)} cases", *map(_line, self.findings)])
        last = self.findings[-1]
        passed = len(self.findings) - 1
        return (
            f"✘ {self.exercise}: not yet ({passed} cases right before this one)\n"
            f"  smallest case that fails: {last.case}\n  yours:    {last.yours}\n  expected: {last.expected}\n"
            f"  what is wrong: {last.wrong}"
        )

    __repr__ = __str__


class _NotDone(Exception):
    """The reader's function is still a stub."""


class _Raised(Exception):
    """The reader's function raised an error."""


def judge(exercise: str, findings: Iterator[Finding]) -> Verdict:
    """Gather findings up to the first that is wrong; an error in the reader's function is a finding, too."""
    seen: list[Finding] = []
    try:
        for finding in findings:
            seen.append(finding)
            if finding.wrong:
                return Verdict(exercise, False, tuple(seen))
    except _NotDone:
        return Verdict(exercise, None)
    except _Raised as stopped:
        wrong = "your function stopped with this error"
        seen.append(Finding(f"case {len(seen) + 1}", str(stopped), "a result", wrong))
        return Verdict(exercise, False, tuple(seen))
    return Verdict(exercise, True, tuple(seen))


def ask(function: Callable[..., Any], *arguments: Any) -> Any:
    """Call the reader's function; whatever it raises is shown, not thrown."""
    try:
        result = function(*arguments)
    except Exception as error:
        raise _Raised(f"{type(error).__name__}: {error}") from error
    if result is None:
        raise _NotDone
    return result


def show(value: Any) -> str:
    """Return a small tensor in full, a large one by its shape, a dict of them by name, anything else by its type."""
    if isinstance(value, Mapping) and value and all(isinstance(v, Tensor) for v in value.values()):
        return ", ".join(f"{name}: {show(tensor)}" for name, tensor in value.items())
    if not isinstance(value, Tensor):
        return f"{type(value).__name__} {value!r}"[:80]
    if value.numel() > 8:
        kept = f", {int(value.sum())} kept" if value.dtype == torch.bool else ""
        return f"{tuple(value.shape)} {str(value.dtype).removeprefix('torch.')}{kept}"
    return str(_rounded(value.tolist()))


def number(value: Any) -> float | None:
    """Return a number of any type as a float, None if it is anything else."""
    if isinstance(value, (bool, str)):
        return None
    try:
        return float(value.detach() if isinstance(value, Tensor) else value)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        return None


def numbers(values: Any) -> list[float] | None:
    """Return a sequence of numbers as a list, None if it is anything else."""
    try:
        return [float(v) for v in values]
    except (TypeError, ValueError):
        return None


def distance(a: Tensor, b: Tensor) -> float:
    """Return the largest difference of two tensors of one shape: NaN if one holds a NaN, 0 if they are empty."""
    return float((a.detach() - b.detach()).abs().max()) if a.numel() else 0.0


def copied(state: Weights) -> dict[str, Tensor]:
    """Return a copy that later changes of the weights leave alone."""
    return {name: w.clone() for name, w in state.items()}


def same(now: Weights, before: Weights) -> bool:
    """Tell whether nothing has changed, bit by bit: a tensor missing, or of another type, is a change as well."""
    return now.keys() == before.keys() and all(
        isinstance(now[name], Tensor) and now[name].dtype == w.dtype and torch.equal(now[name], w)
        for name, w in before.items()
    )


def close(a: Weights, b: Weights) -> bool:
    """Tell whether all that both hold is equal, up to rounding errors."""
    return all(distance(a[name], b[name]) <= 1e-5 for name in a.keys() & b.keys())


def furthest(now: Weights, expected: Weights) -> tuple[float, str]:
    """Return the largest difference, and whose it is; a NaN is further than any number."""
    far = [(distance(now[name], w), name) for name, w in expected.items()]
    return max(far, key=lambda pair: math.inf if math.isnan(pair[0]) else pair[0])


def fitting(value: float, mistakes: Mapping[str, float], otherwise: str, near: float = 1e-6) -> str:
    """Return the first mistake that leads to the value, `otherwise` if none does."""
    return next((wrong for wrong, leads_to in mistakes.items() if abs(value - leads_to) <= near), otherwise)


def compare_number(
    case: str, what: str, yours: Any, expected: float, mistakes: Mapping[str, float], form: str, also: str = ""
) -> Finding:
    """Compare a number with the right one, relative to its size if that is above 1; name the mistake that leads to it.

    what: what the number is, such as "a barrier". form: how it is shown. also: what is wrong where the number is right.
    """
    found, near = number(yours), 1e-6 * max(1.0, abs(expected))
    if found is None:
        wrong = f"{what} is a number, and this is {type(yours).__name__}"
    elif abs(found - expected) <= near:
        wrong = also
    else:  # a NaN as well
        wrong = fitting(found, mistakes, f"off by {abs(found - expected):.3g}", near)
    shown = f"{type(yours).__name__} {yours!r}"[:80] if found is None else format(found, form)
    return Finding(case, shown, format(expected, form), wrong)


def changed(what: str, now: Any, before: Any) -> str:
    """Return that the reader's function changed what it was given, a tensor, tensors by name or lists; "" if not."""
    if isinstance(before, Tensor):
        kept = torch.equal(now, before)
    elif isinstance(before, dict) and all(isinstance(w, Tensor) for w in before.values()):
        kept = same(now, before)
    else:
        kept = now == before
    return "" if kept else f"your function changed {what} that it was given: work on a copy"


def wrong_mask(yours: Any, like: Tensor, of: str = "", what: str = "weights") -> str:
    """Return what keeps a result from being a mask of this tensor, "" if it is one.

    of: whose mask it is, such as " of fc1". what: what the tensor holds.
    """
    if not isinstance(yours, Tensor):
        return f"{f'the mask{of}' if of else 'a mask'} is a tensor, and this is {type(yours).__name__}"
    if yours.dtype != torch.bool:
        return f"a mask is boolean, and {f'that{of}' if of else 'this'} is {yours.dtype}"
    if yours.shape != like.shape:
        return f"the mask{of} has shape {tuple(yours.shape)}, the {what} have {tuple(like.shape)}"
    return ""


def wrong_masks(yours: Any, like: Weights) -> str:
    """Return what keeps a result from being a mask of these weights, "" if it is one."""
    if not isinstance(yours, dict):
        return f"the mask is a dict, name → booleans, and this is {type(yours).__name__}"
    if yours.keys() != like.keys():
        return f"the mask is of {sorted(map(str, yours))}, and should be of {sorted(like)}"
    return next(filter(None, (wrong_mask(yours[name], w, f" of {name}") for name, w in like.items())), "")


def small_network(sizes: Sequence[int], seed: int) -> nn.Sequential:
    """Build a network of dense layers, so small that a case of it can be shown."""
    generator = torch.Generator().manual_seed(seed)
    layers: list[nn.Module] = []
    for into, out in pairwise(sizes):
        layer = nn.utils.skip_init(nn.Linear, into, out)
        for p in layer.parameters():
            p.data = torch.randn(p.shape, generator=generator)
        layers += [layer, nn.ReLU()]
    return nn.Sequential(*layers[:-1])


def step(network: nn.Module, optimizer: torch.optim.Optimizer, mask: Mask, x: Tensor, y: Tensor) -> float:
    """Train for one step under a mask, and return the loss before it."""
    optimizer.zero_grad()
    loss = cross_entropy(network(x), y)
    loss.backward()
    optimizer.step()
    masks.apply(network, mask)
    return loss.item()


def _line(finding: Finding) -> str:
    return f"  {finding.case}: {finding.yours}"


def _rounded(values: Any) -> Any:
    if isinstance(values, list):
        return [_rounded(value) for value in values]
    return round(values, 3) if isinstance(values, float) else values
