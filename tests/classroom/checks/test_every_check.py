"""What holds for every check: a stub is not done, an error is shown, and nothing else passes by chance."""

import math

import pytest
import torch
from verdict_reports import public_checks, refused

from ltcourse.classroom import checks

CHECKS = public_checks()


# All of them


def test_no_check_is_forgotten():
    assert len(CHECKS) >= 26 and {"exact_pruning", "transplant", "scaled_std"} <= CHECKS.keys()


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_a_stub_is_not_done_yet(check):
    verdict = check(lambda *given: None)
    assert verdict.passed is None
    assert str(verdict).startswith("… exercise") and str(verdict).endswith("not done yet")


@pytest.mark.parametrize("check", CHECKS.values(), ids=CHECKS)
def test_an_error_is_shown_and_not_thrown(check):
    def broken(*given):
        raise IndexError("index 7 is out of range")

    refused(check(broken), "IndexError: index 7 is out of range", "stopped with this error")


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
