"""What the evidence of a claim is: cases that each say yes or no, the verdict that they add up to, the table of all.

All cases met: the claim holds. Some: it holds in part. None: it does not hold here.
"""

import re
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from html import escape

from ltcourse.display.tables import Table
from ltcourse.experiments.runs import Record


@dataclass(frozen=True)
class Case:
    """One yes or no: what was looked at, what was found there, and whether that is as the claim says.

    seed: of the trial; None where no single one is meant.
    Lesson 08, "The claims table".
    """

    what: str
    found: str
    met: bool
    seed: int | None = None


@dataclass(frozen=True)
class Measurement:
    """What was measured about a claim: in one line, and case by case; no cases where nothing could be asked.

    Lesson 08, "The claims table".
    """

    text: str
    cases: tuple[Case, ...] = ()


Measure = Callable[..., Measurement]


class Outcome(StrEnum):
    """What the cases of a claim add up to.

    Lesson 08, "The claims table".
    """

    HOLDS = "✔ holds"
    PART = "◐ holds in part"
    FAILS = "✘ does not hold here"
    UNTESTED = "– not tested at this scale"
    MISSING = "… not recorded yet"


@dataclass(frozen=True, kw_only=True)
class Claim:
    """One thing that the slides say, and how it is tested.

    key: the slide, and a word. says: in our own words. paper: what is reported, and where. case: what a case is, and
    when it is met. measure: the question, given the records. records: names of experiments, none for what is computed
    on the spot. budgets: which of their records count, the best first. short: whether only a record at the
    paper budget can say that the claim holds, since the others are of runs far shorter. smaller: why even that could
    not, "" if it could. lesson, heading: the section that shows it.
    Lesson 08, "The claims table".
    """

    key: str
    says: str
    paper: str
    case: str
    measure: Measure
    lesson: str
    heading: str
    records: tuple[str, ...] = ()
    budgets: tuple[str, ...] = ("paper", "desk")
    short: bool = False
    smaller: str = ""

    @property
    def slide(self) -> str:
        """The slide that says it; for the slides' second source, "source 2"."""
        return self.key.rpartition(" ")[0]

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
    missing: tuple[str, ...] = ()

    @property
    def met(self) -> int:
        """How many cases are met."""
        return sum(case.met for case in self.measured.cases)

    @property
    def limits(self) -> list[str]:
        """What keeps the evidence from saying more than "in part", however many cases are met."""
        found = [self.claim.smaller] if self.claim.smaller else []
        if self.claim.short and any(record.budget != "paper" for record in self.records):
            found.append("runs far shorter than the paper's")
        if any(len(record.trials) < 2 for record in self.records):
            found.append("one seed alone")
        return found

    @property
    def verdict(self) -> Outcome:
        """What the cases add up to."""
        cases = self.measured.cases
        if self.missing:
            return Outcome.MISSING
        if not cases:
            return Outcome.UNTESTED
        if not self.met:
            return Outcome.FAILS
        return Outcome.PART if self.met < len(cases) or self.limits else Outcome.HOLDS

    @property
    def count(self) -> str:
        """How many cases are met, and what limits them; empty where there are none."""
        if not self.measured.cases:
            return ""
        limits = f"; {', '.join(self.limits)}" if self.limits else ""
        return f"{self.met} of {len(self.measured.cases)}{limits}"

    @property
    def result(self) -> str:
        """The verdict with its count."""
        return f"{self.verdict} ({self.count})" if self.count else str(self.verdict)

    @property
    def origin(self) -> str:
        """Where the numbers come from."""
        if self.missing:
            return f"no record of {', '.join(self.missing)}"
        if self.records:
            return ", ".join(f"{r.experiment}, {r.budget}, {_seeds(r)}" for r in self.records)
        return "computed" if self.measured.cases else "not run"

    @property
    def evidence(self) -> Table:
        """Every case: of which seed, what was found, and whether it is met."""
        header = ["a case", "seed", "found", "met"]
        cases = self.measured.cases
        return Table(
            header,
            [[c.what, "–" if c.seed is None else c.seed, c.found, "✔ yes" if c.met else "✘ no"] for c in cases],
        )

    def __str__(self) -> str:
        claim = self.claim
        lines = [
            f"{claim.key}: {claim.says}",
            f"the paper reports: {claim.paper}",
            f"a case: {claim.case}",
            f"we measured ({self.origin}): {self.measured.text}",
            f"verdict: {self.result}",
            *(f"{record.experiment}: {record}" for record in self.records),
        ]
        return "\n".join(lines)


@dataclass(frozen=True)
class ClaimsTable:
    """The claims, a row each: shown in a notebook as a table to be read from the back row, in a terminal as text.

    Lesson 08, "The claims table".
    """

    rows: tuple[ClaimRow, ...]

    @property
    def verdicts(self) -> dict[Outcome, int]:
        """How many claims have each verdict that any has."""
        counts = Counter(row.verdict for row in self.rows)
        return {verdict: counts[verdict] for verdict in Outcome if counts[verdict]}

    def of(self, *verdicts: Outcome) -> "ClaimsTable":
        """Return the rows that have one of these verdicts.

        Lesson 08, "The claims table".
        """
        return ClaimsTable(tuple(row for row in self.rows if row.verdict in verdicts))

    def readme(self) -> str:
        """Return the table as the README has it: fewer columns, links from the folder above the notebooks."""
        lines = ["| slide | claim | we measured | verdict | shown in |", "|:--|:--|:--|:--|:--|"]
        for row in self.rows:
            where = f"[{row.claim.lesson[:2]}, {row.claim.heading}]({row.claim.link('notebooks/')})"
            text = f"{row.measured.text} ({row.origin})"
            lines.append(f"| {' | '.join(map(_cell, (row.claim.slide, row.claim.says, text, row.result, where)))} |")
        return "\n".join(lines)

    def _repr_markdown_(self) -> str:
        header = ["slide", "the slides say", "the paper reports", "we measured", "verdict", "shown in"]
        lines = [f"| {' | '.join(header)} |", "|" + ":--|" * len(header)]
        for row in self.rows:
            claim = row.claim
            where = f"[{claim.lesson[:2]}, {claim.heading}]({claim.link()})"
            cells = (claim.key, claim.says, claim.paper, f"{row.measured.text} ({row.origin})", row.result, where)
            lines.append(f"| {' | '.join(map(_cell, cells))} |")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        cell = "text-align: left; vertical-align: top; padding: 8px; font-size: 16px; border-top: 1px solid gray"
        header = ("slide", "the slides say", "the paper reports", "we measured", "verdict", "shown in")
        widths = (11, 22, 18, 25, 13, 11)
        heads = (f'<th style="{cell}; width: {w}%">{name}</th>' for w, name in zip(widths, header, strict=True))
        lines = ['<table style="width: 100%">', f"<tr>{''.join(heads)}</tr>"]
        for row in self.rows:
            claim = row.claim
            where = f'<a href="{escape(claim.link())}">{claim.lesson[:2]}, {_html(claim.heading)}</a>'
            texts = (
                f"<b>{claim.slide}</b><br>{claim.key.rpartition(' ')[2]}",
                f"{_html(claim.says)}<br><i>A case: {_html(claim.case)}</i>",
                _html(claim.paper),
                f"{_html(row.measured.text)}<br><i>{_html(row.origin)}</i>",
                f"<b>{row.verdict}</b><br>{_html(row.count)}",
                where,
            )
            lines.append("<tr>" + "".join(f'<td style="{cell}">{text}</td>' for text in texts) + "</tr>")
        return "\n".join([*lines, "</table>"])

    def __repr__(self) -> str:
        return "\n".join(
            f"{row.claim.key}: {row.claim.says}\n    {row.result}: {row.measured.text} ({row.origin})"
            for row in self.rows
        )


def _seeds(record: Record) -> str:
    return "1 seed" if len(record.trials) == 1 else f"{len(record.trials)} seeds"


def _html(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text)).replace(" %", "&nbsp;%")


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ")
