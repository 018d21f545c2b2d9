"""What the evidence of a claim is, which way it points, and how strong it is: two questions that are kept apart."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property

from ltcourse.display.tables import Table, percent, points_interval, times_interval
from ltcourse.experiments.runs import Record
from ltcourse.instruments.statistics import Interval, student, student_of_ratios


class Direction(StrEnum):
    """Which way the evidence of a claim points.

    Lesson 08, "The claims table".
    """

    FOR = "✔ for"
    MIXED = "◐ mixed"
    AGAINST = "✘ against"
    UNTESTED = "– not tested"


class Scale(StrEnum):
    """At which scale the evidence was found, the paper's own first.

    Lesson 08, "The claims table".
    """

    PAPER = "the paper's network, data and length"
    RECIPE = "the paper's network and data, our recipe"
    SHORTER = "the paper's network and data, shorter runs"
    SMALLER = "a smaller network or easier data"
    SMALLER_SHORTER = "a smaller network or easier data, shorter runs"
    COUNTED = "exact: counted"

    @property
    def short(self) -> str:
        """The scale in a word or two."""
        named = {"PAPER": "paper's scale", "RECIPE": "our recipe"}
        return named.get(self.name, self.name.lower().replace("_", ", "))


@dataclass(frozen=True)
class Comparison:
    """One number that decides: a difference or a ratio, one value per seed, and where the claim says that it lies.

    values: of each seed; a run gives one, since its sizes are not independent. claim: whether the number is said to be
    "<", "≤", "≥" or ">" than no difference. ratio: whether the values are ratios, where no difference is 1, or
    differences of shares, where it is 0.
    Raises ValueError for another claim, and where values and seeds are not equally many.
    Lesson 08, "The claims table".
    """

    what: str
    values: tuple[float, ...]
    seeds: tuple[int, ...]
    claim: str
    ratio: bool = False

    def __post_init__(self) -> None:
        if self.claim not in _MEANS or len(self.values) != len(self.seeds):
            raise ValueError(f"{self.what}: a comparison has a claim of {', '.join(_MEANS)} and a value per seed")

    @cached_property
    def interval(self) -> Interval:
        """Mean and Student's 95 % interval over the seeds; of ratios the geometric mean."""
        return student_of_ratios(self.values) if self.ratio else student(self.values)

    @property
    def says(self) -> Direction:
        """For or against, if the whole interval lies on one side; mixed, if it holds both answers.

        Untested where one seed has no interval. There is no tolerance.
        """
        if len(self.values) < 2:
            return Direction.UNTESTED
        border = 1.0 if self.ratio else 0.0
        low, high = self.interval.low - border, self.interval.high - border
        if self.claim in "<≤":
            low, high = -high, -low
        allowed = self.claim in "≤≥"
        if low > 0 or (allowed and low >= 0):
            return Direction.FOR
        return Direction.AGAINST if high < 0 or (not allowed and high <= 0) else Direction.MIXED

    @property
    def found(self) -> str:
        """Mean and interval as text."""
        return times_interval(self.values) if self.ratio else points_interval(self.values)

    @property
    def each(self) -> str:
        """The value of every seed as text."""
        form = "{:.2f}×" if self.ratio else "{:+.2f}"
        return ", ".join(form.format(v if self.ratio else 100 * v) for v in self.values)

    @property
    def wanted(self) -> str:
        """Where the claim says that the number lies, as text."""
        return f"{_MEANS[self.claim]} {'1×' if self.ratio else '0'}"


_WORDS = {Direction.FOR: "for", Direction.MIXED: "undecided", Direction.AGAINST: "against"}
_MEANS = {"<": "below", "≤": "at most", "≥": "at least", ">": "above"}


@dataclass(frozen=True)
class Count:
    """One number that decides and is exact: what was counted, what came out, and whether it is as the claim says.

    Lesson 08, "The claims table".
    """

    what: str
    found: str
    met: bool

    @property
    def says(self) -> Direction:
        """For or against: there is no chance in a count."""
        return Direction.FOR if self.met else Direction.AGAINST


@dataclass(frozen=True)
class Measurement:
    """What was measured about a claim: the numbers that decide, all of which the claim says, and what else there is.

    also: what stands beside them and does not decide. untested: why nothing here can decide, "" if it can.
    Lesson 08, "The claims table".
    """

    numbers: tuple[Comparison | Count, ...] = ()
    also: str = ""
    untested: str = ""


Measure = Callable[..., Measurement]


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One thing that the slides say, and how it is tested.

    key: the slide, and a word. title: a few words for one look. says: in our own words. paper: what is reported, and
    where. rule: which numbers decide. control: what stands against it. measure: the question, given the records.
    records: names of experiments, none for what is computed on the spot. scales: the budgets whose records can decide,
    the best first, each with its scale; a computation has its scale under "". lesson, heading: the section that shows
    it.
    Lesson 08, "The claims table".
    """

    key: str
    title: str
    says: str
    paper: str
    rule: str
    measure: Measure
    lesson: str
    heading: str
    scales: Mapping[str, Scale]
    control: str = ""
    records: tuple[str, ...] = ()

    @property
    def slide(self) -> str:
        """The slide that says it; for the slides' second source, "source 2"."""
        return self.key.rpartition(" ")[0]

    @property
    def word(self) -> str:
        """What tells it from the slide's other claims."""
        return self.key.rpartition(" ")[2]

    def link(self, folder: str = "") -> str:
        """Return where the notebook's section is, from a notebook beside it or from the folder above."""
        return f"{folder}{self.lesson}.ipynb#{self.heading.replace(' ', '-')}"


@dataclass(frozen=True)
class ClaimRow:
    """A claim with what was measured about it. records: those that were used; empty for a computation.

    Lesson 08, "The claims table".
    """

    claim: Claim
    measured: Measurement
    records: tuple[Record, ...] = ()

    @property
    def direction(self) -> Direction:
        """For, if every number is; against, if some are and none is for; otherwise mixed, or not tested."""
        if self.untested:
            return Direction.UNTESTED
        said = {number.says for number in self.measured.numbers}
        if said == {Direction.FOR}:
            return Direction.FOR
        return Direction.AGAINST if Direction.AGAINST in said and Direction.FOR not in said else Direction.MIXED

    @property
    def untested(self) -> str:
        """Why nothing here can decide; empty if it can."""
        if self.measured.untested:
            return self.measured.untested
        if not self.measured.numbers:
            return "nothing was run"
        alone = any(number.says is Direction.UNTESTED for number in self.measured.numbers)
        return "one seed has no interval" if alone else ""

    @property
    def seeds(self) -> int:
        """How many independent seeds there are; 0 for what is counted."""
        return min((len(n.values) for n in self.measured.numbers if isinstance(n, Comparison)), default=0)

    @property
    def scale(self) -> Scale | None:
        """The smallest scale of the records that were used; None where nothing was."""
        if not self.measured.numbers:
            return None
        order = list(self.claim.scales)
        return self.claim.scales[max((r.budget for r in self.records), key=order.index, default=order[0])]

    @property
    def strength(self) -> str:
        """How many seeds, at which scale, against which control; empty where nothing was measured."""
        if self.scale is None:
            return ""
        seeds = "" if not self.seeds else "1 seed" if self.seeds == 1 else f"{self.seeds} seeds"
        control = f"against {self.claim.control}" if self.claim.control else ""
        return " · ".join(part for part in (seeds, self.scale, control) if part)

    @property
    def why(self) -> str:
        """In a few words why the direction is this one: how many numbers are for, undecided, against."""
        if self.untested:
            return self.untested
        said = [number.says for number in self.measured.numbers]
        return ", ".join(f"{said.count(direction)} {word}" for direction, word in _WORDS.items() if direction in said)

    @property
    def origin(self) -> str:
        """Where the numbers come from."""
        if self.records:
            return ", ".join(f"{r.experiment} at the {r.budget} budget" for r in self.records)
        return "computed on the spot" if self.measured.numbers else "not run"

    @property
    def lines(self) -> list[str]:
        """Every number that decides with its interval and what it says, then what does not decide."""
        return [*map(self._line, self.measured.numbers), *([self.measured.also] if self.measured.also else [])]

    def _line(self, number: Comparison | Count) -> str:
        wanted = f", claimed {number.wanted}" if isinstance(number, Comparison) else ""
        return f"{number.what}: {number.found}" + ("" if self.untested else f"{wanted} ({_said(number)})")

    @property
    def evidence(self) -> Table:
        """Every number that decides: mean and interval, the value of each seed, where it is claimed to lie."""
        rows = []
        for n in self.measured.numbers:
            seeds = (n.each, n.wanted) if isinstance(n, Comparison) else ("–", "–")
            rows.append([n.what, n.found, *seeds, "–" if self.untested else _said(n)])
        return Table(["a number that decides", "mean [95 %]", "each seed", "claimed", "it says"], rows, words=True)

    def __str__(self) -> str:
        claim = self.claim
        lines = [
            f"{claim.key}: {claim.says}",
            f"the paper reports: {claim.paper}",
            f"what decides: {claim.rule}",
            f"direction: {self.direction} ({self.why})",
            f"strength: {self.strength or 'none'}",
            f"we measured ({self.origin}):",
            *(f"  {line}" for line in self.lines),
            *(f"{record.experiment}: {record}" for record in self.records),
        ]
        return "\n".join(lines)


def _said(number: Comparison | Count) -> str:
    return _WORDS[number.says]


def size(density: float) -> str:
    """Return a density as the table names it: "P_m = 13.5 %"."""
    return f"P_m = {percent(density)}"
