"""Tables that a notebook shows as a table and a terminal as aligned text."""

from collections.abc import Sequence
from dataclasses import dataclass

from ltcourse.instruments.statistics import Interval, student, student_of_ratios, wilson


@dataclass(frozen=True)
class Table:
    """Rows of text under a header, the first column aligned left and the others right.

    words: whether the other columns are of words, which are aligned left, too.
    Raises ValueError if a row is not as long as the header.
    Lesson 00, "The data".
    """

    header: Sequence[str]
    rows: Sequence[Sequence[object]]
    words: bool = False

    def __post_init__(self) -> None:
        for row in self.rows:
            if len(row) != len(self.header):
                raise ValueError(f"a row of {len(row)} cells under a header of {len(self.header)}: {row}")

    def _repr_markdown_(self) -> str:
        aligned = ":--" if self.words else "--:"
        lines = [self.header, [":--", *[aligned] * (len(self.header) - 1)], *self.rows]
        return "\n".join("| " + " | ".join(str(cell).replace("|", "\\|") for cell in line) + " |" for line in lines)

    def __repr__(self) -> str:
        lines = [[str(cell) for cell in line] for line in (self.header, *self.rows)]
        widths = [max(len(line[i]) for line in lines) for i in range(len(self.header))]
        return "\n".join(
            "  ".join(
                cell.ljust(width) if i == 0 or self.words else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(line, widths, strict=True))
            ).rstrip()
            for line in lines
        )


def percent(share: float, digits: int = 1) -> str:
    """Return a share as text: 0.0818 → "8.2 %"."""
    return f"{100 * share:.{digits}f} %"


def spread(values: Sequence[float], digits: int = 2) -> str:
    """Return shares as mean and range: "1.65 % (1.60 to 1.71)"; one value alone has no range."""
    return _mean_and_range([100 * v for v in values], f".{digits}f", " %")


def points(differences: Sequence[float], digits: int = 2) -> str:
    """Return differences of shares as mean and range in percentage points: "+0.31 points (+0.25 to +0.40)"."""
    return _mean_and_range([100 * d for d in differences], f"+.{digits}f", " points")


def times(ratios: Sequence[float]) -> str:
    """Return ratios as mean and range: "2.51× (2.30 to 2.70)"."""
    return _mean_and_range(ratios, ".2f", "×")


def points_interval(differences: Sequence[float]) -> str:
    """Return differences of shares, one per seed: mean and Student's 95 % interval, "+0.31 points [+0.11, +0.51]"."""
    found = student([100 * d for d in differences])
    return _with_interval(found, "+.2f", " points")


def times_interval(ratios: Sequence[float]) -> str:
    """Return ratios, one per seed, as geometric mean and Student's 95 % interval: "0.71× [0.27, 1.92]"."""
    return _with_interval(student_of_ratios(ratios), ".2f", "×")


def share_interval(k: int, n: int) -> str:
    """Return a share of seeds with Wilson's 95 % interval: "3 of 3 [Wilson: 44 to 100 %]"."""
    found = wilson(k, n)
    return f"{k} of {n} [Wilson: {100 * found.low:.0f} to {100 * found.high:.0f} %]"


def _with_interval(found: Interval, form: str, unit: str) -> str:
    ends = "one seed, no interval" if found.n == 1 else f"{found.low:{form}}, {found.high:{form}}"
    return f"{found.center:{form}}{unit} [{ends}]"


def _mean_and_range(values: Sequence[float], form: str, unit: str) -> str:
    mean = f"{sum(values) / len(values):{form}}{unit}"
    return mean if len(values) == 1 else f"{mean} ({min(values):{form}} to {max(values):{form}})"
