"""Intervals are those of scipy, cover what they promise, and say nothing where there is nothing to say."""

import math

import numpy as np
import pytest
from scipy import stats

from ltcourse.instruments import statistics


@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
@pytest.mark.parametrize("n", [2, 3, 4, 5, 30, 200])
def test_students_interval_is_that_of_scipy(n, level):
    values = np.random.default_rng(n).normal(3, 2, n).tolist()
    found = statistics.student(values, level)
    theirs = stats.ttest_1samp(values, 0).confidence_interval(level)
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), rel=1e-9)
    assert found.center == pytest.approx(np.mean(values)) and found.n == n


@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
@pytest.mark.parametrize(("k", "n"), [(0, 1), (1, 1), (0, 3), (2, 3), (3, 3), (5, 24), (19, 24), (500, 1000)])
def test_wilsons_interval_is_that_of_scipy(k, n, level):
    found = statistics.wilson(k, n, level)
    theirs = stats.binomtest(k, n).proportion_ci(level, method="wilson")
    assert (found.low, found.high) == pytest.approx((theirs.low, theirs.high), abs=1e-9)
    assert found.center == k / n and 0 <= found.low <= found.center <= found.high <= 1


def test_nineteen_in_twenty_intervals_hold_the_mean():
    draws = np.random.default_rng(0).normal(1.0, 1.0, (4000, 3))
    held = [found.low <= 1 <= found.high for found in map(statistics.student, draws.tolist())]
    assert np.mean(held) == pytest.approx(0.95, abs=0.015)


def test_one_value_has_no_interval():
    found = statistics.student([0.3])
    assert (found.center, found.low, found.high, found.n) == (0.3, -math.inf, math.inf, 1)
    ratio = statistics.student_of_ratios([0.5])
    assert (ratio.center, ratio.low, ratio.high) == (0.5, 0, math.inf)


def test_equal_values_have_an_interval_of_no_width():
    assert statistics.student([0.25] * 3) == statistics.Interval(0.25, 0.25, 0.25, 3)


def test_twice_and_half_are_level():
    found = statistics.student_of_ratios([2.0, 0.5])
    assert found.center == pytest.approx(1) and found.low == pytest.approx(1 / found.high)
    turned = statistics.student_of_ratios([1 / r for r in (0.4, 0.9, 1.2)])
    found = statistics.student_of_ratios([0.4, 0.9, 1.2])
    assert (turned.low, turned.high) == pytest.approx((1 / found.high, 1 / found.low))


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda: statistics.student([]), "at least one value"),
        (lambda: statistics.student([1.0, math.nan]), "each of them a number"),
        (lambda: statistics.student([1.0, 2.0], 95), "the level 95 is outside 0 to 1"),
        (lambda: statistics.student_of_ratios([1.0, 0.0]), "every ratio must be above 0"),
        (lambda: statistics.wilson(4, 3), "4 of 3 is not a share"),
        (lambda: statistics.wilson(0, 0), "at least one trial"),
        (lambda: statistics.wilson(1, 3, 1.0), "outside 0 to 1"),
    ],
)
def test_what_has_no_interval_is_refused_in_one_sentence(ask, words):
    with pytest.raises(ValueError, match=words) as problem:
        ask()
    assert "\n" not in str(problem.value)
