"""What the checks of the exercises share: networks to try, how a function is asked, and the report of what was found.

An untouched stub is not done yet. An error that a function raises, and a result that it forgets to return, are findings
like any other. What is taken as a number, a tensor or a list is decided here, for all checks alike: a number may be of
Python, NumPy or PyTorch, without dimensions; a tensor may be an array or a nested list; a list may be a tuple, an array
or a tensor. A truth value, a string, and a list of one number are no numbers.
"""

import dis
import functools
import inspect
import math
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import FunctionType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from ltcourse.classroom.checks.untouched import alike, difference, inventory, kept, readable, shared
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
    """What a check found; shown in a notebook as a short report.

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


class _Stopped(Exception):
    """The reader's function raised an error, forgot its result, or changed what it should leave as it is."""

    def __init__(self, given: str, yours: str, wrong: str, expected: str = "a result"):
        super().__init__(yours)
        self.given, self.yours, self.wrong, self.expected = given, yours, wrong, expected


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
    except _Stopped as stopped:
        case = f"case {len(seen) + 1}, {stopped.given}"
        seen.append(Finding(case, stopped.yours, stopped.expected, stopped.wrong))
        return Verdict(exercise, False, tuple(seen))
    return Verdict(exercise, True, tuple(seen))


def ask(function: Callable[..., Any], *arguments: Any, in_place: Sequence[Any] = ()) -> Any:
    """Call the reader's function; whatever it raises is shown, not thrown, with the input and the reader's own line.

    What it is given must be as before, but for the values of a network's parameters, an optimizer and a generator.
    in_place: those of the arguments that it may change as well.
    """
    named = _named(function, arguments)
    given = f"given {', '.join(f'{name} = {show(value)[:120]}' for name, value in named.items())}"
    before = {name: kept(value) for name, value in named.items() if not any(value is other for other in in_place)}
    try:
        result = function(*arguments)
    except Exception as error:
        told = f"{type(error).__name__}: {error}{_own_line(function, error)}"
        raise _Stopped(given, told, "your function stopped with this error") from error
    if result is None and _is_stub(function):
        raise _NotDone
    if result is None:
        raise _Stopped(given, "None", "your function returned None: is `return` missing, or indented too far?")
    _refuse_changes(given, named, before)
    return result


def _refuse_changes(given: str, now: Mapping[str, Any], before: Mapping[str, Any]) -> None:
    """Refuse a function that changed what it was given to read, or more of a network than its parameters."""
    networks = {name: value for name, value in now.items() if isinstance(value, nn.Module)}
    for name, network in networks.items():
        if wrong := difference(inventory(network), before[name]):
            raise _Stopped(given, wrong.split(":")[0], wrong, "a network of which only parameters have other values")
    for name, was in before.items():
        if name in networks or not readable(was):
            continue
        if any(shared(network, now[name]) for network in networks.values()):
            wrong = (
                f"the network shares its tensors with `{name}`, so that a change of one changes both: copy the values, "
                "with p.copy_(…), or clone them"
            )
            raise _Stopped(given, "shared", wrong, f"`{name}` and the network have tensors of their own")
        if not alike(now[name], was):
            wrong = f"your function changed `{name}`, which it was given: work on a copy"
            raise _Stopped(given, f"`{name}` is now {show(now[name])}"[:120], wrong, f"`{name}` as it was given")


def _written(function: Any) -> FunctionType | None:
    """The function that the reader has written, where others are wrapped around it; None if there is no such."""
    while not isinstance(function, FunctionType):
        if isinstance(function, functools.partial):
            function = function.func
        elif inspect.ismethod(function):
            function = function.__func__
        elif isinstance(call := vars(type(function)).get("__call__"), FunctionType):
            function = call
        else:
            return None
    return inspect.unwrap(function)


def _is_stub(function: Callable[..., Any]) -> bool:
    """Whether a function that has returned None does nothing else."""
    nothing = {"RESUME", "NOP", "LOAD_CONST", "RETURN_CONST", "RETURN_VALUE"}
    written = _written(function)
    return written is not None and {step.opname for step in dis.get_instructions(written)} <= nothing


def _own_line(function: Callable[..., Any], error: Exception) -> str:
    """Where in the reader's own code an error came from: the cells of a notebook share their globals."""
    written = _written(function)
    if written is None or str(written.__globals__.get("__name__")).split(".")[0] == "ltcourse":
        return ""
    frames = traceback.walk_tb(error.__traceback__)
    own = [(frame.f_code, line) for frame, line in frames if frame.f_globals is written.__globals__]
    if not own:
        return ""
    code, line = own[-1]
    source = traceback.FrameSummary(code.co_filename, line, code.co_name).line
    return f"\n            in your line {line}{f': {source}' if source else ''}"


def _named(function: Callable[..., Any], arguments: Sequence[Any]) -> dict[str, Any]:
    """What a function is given, each value by the name that the reader's function has for it."""
    try:
        signature = inspect.signature(function)
        bound = dict(signature.bind(*arguments).arguments)
    except (TypeError, ValueError):  # it takes other arguments, or does not say which
        signature, bound = inspect.Signature(), {}
    if len(bound) != len(arguments) or any(p.kind is p.VAR_POSITIONAL for p in signature.parameters.values()):
        return {f"argument {i}": value for i, value in enumerate(arguments, 1)}
    return bound


def show(value: Any) -> str:
    """Return a small tensor in full, a large one by its shape, a dict of them by name, anything else by its type."""
    if isinstance(value, Mapping) and value and all(isinstance(v, Tensor) for v in value.values()):
        return ", ".join(f"{name}: {show(tensor)}" for name, tensor in value.items())
    if isinstance(value, nn.Module):
        return f"a network of {', '.join(f'{name} {tuple(p.shape)}' for name, p in value.named_parameters())}"
    if isinstance(value, torch.optim.Optimizer) or inspect.isroutine(value):
        return str(type(value).__name__)
    if isinstance(value, (list, tuple)) and not _plain(value):
        return f"{type(value).__name__} of {len(value)}"
    if not isinstance(value, Tensor):
        return f"{type(value).__name__} {' '.join(repr(value).split())}"[:80]
    if value.numel() > 8:
        kept = f", {int(value.sum())} kept" if value.dtype == torch.bool else ""
        return f"{tuple(value.shape)} {str(value.dtype).removeprefix('torch.')}{kept}"
    return str(_rounded(value.tolist()))


def _plain(value: Any) -> bool:
    """Whether a value is of numbers and words alone, in lists or not."""
    return all(map(_plain, value)) if isinstance(value, (list, tuple)) else isinstance(value, (int, float, str))


def number(value: Any) -> float | None:
    """Return a number without dimensions as a float, None if it is anything else; a truth value is no number."""
    value = _scalar(value)
    if isinstance(value, (bool, str, bytes)):
        return None
    try:
        return float(value)
    except (TypeError, ValueError, RuntimeError, OverflowError):
        return None


def truth(value: Any) -> bool | None:
    """Return a truth value without dimensions as a bool, None if it is anything else."""
    value = _scalar(value)
    return value if isinstance(value, bool) else None


def sequence(value: Any) -> list[Any] | None:
    """Return a list, a tuple, an array or a tensor as a list of its parts, None if it is anything else."""
    if isinstance(value, (Tensor, np.ndarray)):
        return list(value) if value.ndim else None
    return list(value) if isinstance(value, Sequence) and not isinstance(value, (str, bytes)) else None


def numbers(values: Any) -> list[float] | None:
    """Return a sequence of numbers as a list, None if it is anything else."""
    parts = sequence(values)
    found = [] if parts is None else [n for n in map(number, parts) if n is not None]
    return found if parts is not None and len(found) == len(parts) else None


def tensor(value: Any) -> Any:
    """Return an array or a nested list of numbers as a tensor, one of a graph without it, anything else as it is."""
    if not isinstance(value, (np.ndarray, list, tuple)):
        return value.detach() if isinstance(value, Tensor) else value
    try:
        if isinstance(value, np.ndarray):
            return torch.as_tensor(np.ascontiguousarray(value).reshape(value.shape))
        held = any(isinstance(part, (Tensor, np.ndarray, list, tuple)) for part in value)
        return torch.stack([tensor(part) for part in value]) if held else torch.tensor(value)
    except (TypeError, ValueError, RuntimeError):
        return value


def tensors(value: Any) -> Any:
    """Return a mapping as a dict of tensors, each as `tensor` takes it, and anything else as it is."""
    return {name: tensor(part) for name, part in value.items()} if isinstance(value, Mapping) else value


def _scalar(value: Any) -> Any:
    """Return what is without dimensions as Python's own value, and anything else as it is."""
    if isinstance(value, Tensor):
        return value.detach().item() if value.dim() == 0 else ()
    if isinstance(value, (np.ndarray, np.generic)):
        return value.item() if value.ndim == 0 else ()
    return value


def distance(a: Tensor, b: Tensor) -> float:
    """Return the largest difference of two tensors of one shape: NaN if one holds a NaN, 0 if they are empty."""
    return float((a.detach() - b.detach()).abs().max()) if a.numel() else 0.0


def copied(state: Weights) -> dict[str, Tensor]:
    """Return a copy that later changes of the weights leave alone."""
    return {name: w.detach().clone() for name, w in state.items()}


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
    case: str, what: str, yours: Any, expected: float, mistakes: Mapping[str, float], form: str
) -> Finding:
    """Compare a number with the right one, relative to its size if that is above 1; name the mistake that leads to it.

    what: what the number is, such as "a barrier". form: how it is shown.
    """
    found, near = number(yours), 1e-6 * max(1.0, abs(expected))
    if found is None:
        wrong = f"{what} is a number, and this is {type(yours).__name__}"
    elif abs(found - expected) <= near:
        wrong = ""
    else:  # a NaN as well
        wrong = fitting(found, mistakes, f"off by {abs(found - expected):.3g}", near)
    shown = f"{type(yours).__name__} {yours!r}"[:80] if found is None else format(found, form)
    return Finding(case, shown, format(expected, form), wrong)


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
    if not isinstance(yours, Mapping):
        return f"the mask is a dict, name → booleans, and this is {type(yours).__name__}"
    if yours.keys() != like.keys():
        return f"the mask is of {sorted(map(str, yours))}, and should be of {sorted(like)}"
    return next(filter(None, (wrong_mask(yours[name], w, f" of {name}") for name, w in like.items())), "")


def slip_at_an_end(kept: int, count: int, total: int) -> str:
    """Return the usual slip that keeps so many where none or all of `total` are to be kept, "" if there is none."""
    if count == 0 and kept == total:
        return (
            "none is to be kept, and all are: with a count of 0, `[count - 1]` is the last of the ranking and "
            "`[-count:]` is all of it; keep the first `count` of a ranking from the largest"
        )
    if count == total and kept == 0:
        return "all are to be kept, and none is: with nothing to prune, `[:-0]` is empty; keep the first `count`"
    if count == 0 and kept == 1:
        return "none is to be kept, and ≥ keeps the one at the threshold: rank, and keep the first `count`"
    if count == total and kept == total - 1:
        return "all are to be kept, and > loses the one at the threshold: rank, and keep the first `count`"
    return ""


POSITIONS = {
    descending: f"it takes the positions of a sorting{which} for ranks: `argsort` says which one comes at each place, "
    "and `argsort().argsort()` at which place each one comes"
    for descending, which in ((False, ""), (True, " from the largest"))
}


def ranked_by_positions(values: Tensor, count: int, descending: bool = False) -> Tensor:
    """Return the mask of the `count` largest where the positions of a sorting are taken for ranks."""
    order = values.flatten().argsort(descending=descending)
    return (order < count if descending else order >= len(order) - count).view_as(values)


def by_positions(values: Tensor, count: int) -> dict[str, Tensor]:
    """Return what is wrong with the masks of positions that are taken for ranks, and these masks."""
    return {said: ranked_by_positions(values, count, descending) for descending, said in POSITIONS.items()}


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
