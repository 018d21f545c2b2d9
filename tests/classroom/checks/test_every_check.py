"""What holds for every check: a stub is not done, an error is shown, and nothing else passes by chance."""

import functools
import math
from collections.abc import Mapping

import numpy as np
import pytest
import torch
from lesson_solutions import solutions
from torch import Tensor
from verdict_reports import accepted, public_checks, refused, refused_and_not_stopped

from ltcourse.classroom import checks

CHECKS = public_checks()


# All of them


def test_no_check_is_forgotten():
    assert len(CHECKS) >= 26 and {"exact_pruning", "transplant", "scaled_std"} <= CHECKS.keys()


def no_more(*given):
    """Only told what to do."""
    ...


def passes(*given):
    pass


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
@pytest.mark.parametrize(
    "stub", [lambda *given: None, passes, no_more, functools.partial(passes)], ids=["lambda", "pass", "...", "partial"]
)
def test_a_stub_is_not_done_yet(check, stub):
    verdict = check(stub)
    assert verdict.passed is None
    assert str(verdict).startswith("… exercise") and str(verdict).endswith("not done yet")


def forgets(*given):
    given[0]  # looked at, and no more


def indents_too_far(*given):
    for _ in range(0):
        return given[0]


class Callable:
    def __call__(self, *given):
        self.given = given


RETURNED_NONE = "your function returned None: is `return` missing, or indented too far?"


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
@pytest.mark.parametrize("answer", [forgets, indents_too_far, Callable(), functools.partial(forgets)])
def test_code_that_returns_nothing_is_told_so(check, answer):
    refused(check(answer), "case 1, given argument 1 = ", "yours:    None", RETURNED_NONE)


@pytest.mark.parametrize("name", CHECKS)
def test_a_result_that_is_forgotten_in_a_later_case_is_told_so(name):
    calls = []

    def sometimes(*given):
        calls.append(given)
        if len(calls) == 1:
            return solutions()[name](*given)

    refused(CHECKS[name](sometimes), RETURNED_NONE)
    assert len(calls) == 2


def raises(*given):
    raise IndexError("index 7 is out of range")


def raises_deeper(*given):
    return raises(*given)


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
@pytest.mark.parametrize("broken", [raises, raises_deeper, functools.partial(raises)])
def test_an_error_is_shown_with_its_input_and_line_and_not_thrown(check, broken):
    line = raises.__code__.co_firstlineno + 1
    shown = f"""in your line {line}: raise IndexError("index 7 is out of range")"""
    evidence = "case 1, given argument 1 = ", "IndexError: index 7 is out of range", shown, "stopped with this error"
    refused(check(broken), *evidence)


def test_an_error_of_the_library_is_shown_with_the_line_that_asked_for_it():
    def too_many(weights, count):
        magnitudes = weights.abs()
        return magnitudes.topk(count + 2).indices

    shown = "in your line", "return magnitudes.topk(count + 2).indices", "RuntimeError"
    refused(checks.exact_pruning(too_many), "case 1, given weights = [2.0, -3.0], count = int 1", *shown)


def test_an_error_shows_the_input_as_it_was_given():
    def spoils(weights, count):
        weights.zero_()
        raise ValueError("spoilt")

    refused(checks.exact_pruning(spoils), "given weights = [2.0, -3.0]", 'raise ValueError("spoilt")')


@pytest.mark.parametrize(
    ("check", "shown"),
    [
        (checks.count_parameters, "layers = list [(2, 3, 1, 1)]"),
        (checks.rate_for, "layers = float 1.0"),
        (checks.error_barrier, "layers = list [0.2, 0.2]"),
        (checks.global_mask, "layers = fc: [[1.0, 2.0, -3.0]]"),
    ],
)
def test_an_error_shows_small_inputs_in_full(check, shown):
    def spoils(layers, other=None):
        raise ValueError("spoilt")

    refused(check(spoils), f"case 1, given {shown}")


def test_an_error_shows_networks_and_optimizers_by_what_they_are():
    def spoils(network, optimizer, mask, x, y):
        raise ValueError("spoilt")

    shown = "network = a network of 0.weight (6, 4), 0.bias (6,)", "optimizer = SGD", "x = (8, 4) float32"
    refused(checks.masked_step(spoils), *shown)


# What is taken as a number, a tensor or a list


def converted(value, number=None, tensor=None, items=None, truth=None):
    """A result with its numbers, tensors, lists of numbers and truth values as others of the same value."""
    again = functools.partial(converted, number=number, tensor=tensor, items=items, truth=truth)
    if isinstance(value, bool):
        return truth(value) if truth else value
    if isinstance(value, (int, float)):
        return number(value) if number else value
    if isinstance(value, Tensor):
        return tensor(value) if tensor else value
    if isinstance(value, Mapping):
        return {name: again(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        plain = all(isinstance(part, (int, float)) for part in value)
        return items(list(value)) if plain and items else type(value)(map(again, value))
    return value


def as_tensor(values):
    return torch.tensor(values, dtype=torch.float64)


TAKEN = {
    "NumPy": {"number": np.float64, "tensor": Tensor.numpy, "items": np.array, "truth": np.bool_},
    "arrays without dimensions": {"number": np.array, "tensor": Tensor.numpy, "items": np.array, "truth": np.array},
    "tensors": {"number": as_tensor, "items": as_tensor, "truth": torch.tensor},
    "lists and tuples": {"tensor": lambda t: t.tolist() if t.dim() else t, "items": tuple},
    "lists of tensors": {
        "tensor": lambda t: list(t) if t.dim() else t,
        "items": lambda values: [as_tensor(v) for v in values],
    },
}


@pytest.mark.parametrize("kind", TAKEN)
@pytest.mark.parametrize("name", CHECKS)
def test_arrays_lists_and_tensors_are_taken_alike(name, kind):
    accepted(CHECKS[name](lambda *given: converted(solutions()[name](*given), **TAKEN[kind])))


REFUSED = {
    "a list of one": lambda value: [value],
    "an array of one": lambda value: np.array([value]),
    "a tensor of one": lambda value: torch.tensor([value]),
    "a string": str,
    "bytes": lambda value: str(value).encode(),
    "a set": lambda value: {value},
}
# what these return holds no number and no truth value of its own
OTHERS = {
    "exact_pruning", "sensitivity_scan", "imp_round", "between", "global_mask", "transplant", "fill_kaiming",
    "forward_mask", "score_gradient", "popup_step", "find_ticket", "find_supermask", "snip_scores", "synflow_scores",
    "grow", "wanda_mask",
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
@pytest.mark.parametrize("name", sorted(CHECKS.keys() - OTHERS))
def test_what_is_no_number_is_refused_alike(name, kind):
    wrap = REFUSED[kind]
    refused_and_not_stopped(CHECKS[name](lambda *given: converted(solutions()[name](*given), number=wrap, truth=wrap)))


@pytest.mark.parametrize("kind", ["a set", "a string", "an iterator"])
@pytest.mark.parametrize("name", sorted(OTHERS - {"fill_kaiming"}))
def test_what_is_no_tensor_and_no_list_is_refused_alike(name, kind):
    wrap = {"a set": lambda t: set(t.flatten().tolist()), "a string": str, "an iterator": lambda t: iter(t.tolist())}
    items = {"a set": set, "a string": str, "an iterator": iter}
    answer = solutions()[name]
    refused_and_not_stopped(
        CHECKS[name](lambda *given: converted(answer(*given), tensor=wrap[kind], items=items[kind]))
    )


@pytest.mark.parametrize("name", ["rate_for", "count_parameters", "early_stop", "rounds_until"])
@pytest.mark.parametrize("truth", [True, np.bool_(True), torch.tensor(True)])
def test_a_truth_value_is_no_number(name, truth):
    refused_and_not_stopped(CHECKS[name](lambda *given: truth), "a number")


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_a_wrong_signature_is_shown_and_not_thrown(check):
    refused(check(lambda: 1), "TypeError", "positional argument")


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
@pytest.mark.parametrize(
    "answer", [0, 1.0, "0.5", True, [], {}, torch.ones(2, dtype=torch.bool), torch.zeros(2)], ids=repr
)
def test_a_constant_is_refused(check, answer):
    refused(check(lambda *given: answer))


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf], ids=repr)
def test_a_value_that_is_no_number_is_refused(check, value):
    verdict = check(lambda *given: value)
    refused(verdict)
    assert "stopped with this error" not in str(verdict), "the reader's function did not stop: the check did"


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_returning_the_first_argument_is_refused(check):
    refused(check(lambda first, *rest: first))


def test_a_verdict_is_shown_the_same_in_a_notebook_and_in_print():
    verdict = checks.rate_for(lambda density, rounds: 0.5)
    assert repr(verdict) == str(verdict)
