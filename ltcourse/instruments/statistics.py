"""How far a number can be trusted: the interval of a mean over seeds, of a mean ratio, and of a share of k in n."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, fsum, inf, isfinite, log, sqrt

from scipy.special import ndtri, stdtrit


@dataclass(frozen=True)
class Interval:
    """An estimate with the two ends of its interval, from n independent values.

    One value alone has no interval: its ends are −∞ and ∞ (of a ratio 0 and ∞).
    Lesson 08, "The claims table".
    """

    center: float
    low: float
    high: float
    n: int


def student(values: Sequence[float], level: float = 0.95) -> Interval:
    """Return the mean of independent values with Student's t interval, of n − 1 degrees of freedom.

    level: the share of such intervals that hold the true mean, where the values are normal, 0 to 1.
    Raises ValueError for no values, for one that is not a number, and for a level outside 0 to 1.
    Source: Student 1908, "The Probable Error of a Mean".
    Lesson 08, "The claims table".
    """
    _check(values, level)
    n = len(values)
    center = fsum(values) / n
    if n == 1:
        return Interval(center, -inf, inf, 1)
    error = sqrt(fsum((value - center) ** 2 for value in values) / (n - 1) / n)
    half = float(stdtrit(n - 1, (1 + level) / 2)) * error
    return Interval(center, center - half, center + half, n)


def student_of_ratios(ratios: Sequence[float], level: float = 0.95) -> Interval:
    """Return the geometric mean of independent ratios with Student's t interval of their logarithms.

    In logarithms twice as long and half as long are equally far from 1.
    Raises as `student` does, and ValueError for a ratio that is not above 0.
    Lesson 08, "The claims table".
    """
    _check(ratios, level)
    if min(ratios) <= 0:
        raise ValueError(f"{min(ratios)} has no logarithm: every ratio must be above 0")
    found = student([log(ratio) for ratio in ratios], level)
    return Interval(exp(found.center), exp(found.low), exp(found.high), found.n)


def wilson(k: int, n: int, level: float = 0.95) -> Interval:
    """Return the share of k in n with Wilson's score interval, which is sound for few trials and for 0 and n of n.

    Raises ValueError unless 0 ≤ k ≤ n and n ≥ 1, and for a level outside 0 to 1.
    Source: Wilson 1927, "Probable Inference, the Law of Succession, and Statistical Inference".
    Lesson 08, "The claims table".
    """
    if not 0 <= k <= n or n < 1:
        raise ValueError(f"{k} of {n} is not a share: give 0 ≤ k ≤ n, and at least one trial")
    _check([k], level)
    z2 = float(ndtri((1 + level) / 2)) ** 2
    middle = (k + z2 / 2) / (n + z2)
    half = sqrt(z2 * (k * (n - k) / n + z2 / 4)) / (n + z2)
    return Interval(k / n, max(0.0, middle - half), min(1.0, middle + half), n)


def _check(values: Sequence[float], level: float) -> None:
    if not values or not all(map(isfinite, values)):
        raise ValueError(f"there is no mean of {list(values)}: give at least one value, each of them a number")
    if not 0 < level < 1:
        raise ValueError(f"the level {level} is outside 0 to 1: 0.95 is the usual one")
