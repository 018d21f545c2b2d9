"""The table of claims as people look at it: in one look which way each points, the numbers folded below."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape

from ltcourse.claims.verdicts import ClaimRow, Direction

_COLORS = {
    Direction.FOR: "#2e8b57",
    Direction.MIXED: "#c98a00",
    Direction.AGAINST: "#c0392b",
    Direction.UNTESTED: "#7f8c8d",
}
_CELL = "text-align: left; vertical-align: top; padding: 8px; font-size: 16px; border-top: 1px solid gray"


@dataclass(frozen=True)
class ClaimsTable:
    """The claims, a row each: shown in a notebook as a table with its numbers folded, in a terminal as text.

    voice: whose claims they are, as the head of their column.
    Lesson 08, "The claims table".
    """

    rows: tuple[ClaimRow, ...]
    voice: str = "the slides say"

    @property
    def overview(self) -> "Overview":
        """All claims in one look: four columns, by the direction of the evidence."""
        return Overview(self.rows)

    def of(self, *directions: Direction) -> "ClaimsTable":
        """Return the rows whose evidence points one of these ways.

        Lesson 08, "The claims table".
        """
        return ClaimsTable(tuple(row for row in self.rows if row.direction in directions), self.voice)

    def readme(self) -> str:
        """Return the table as the README has it: links from the folder above the notebooks."""
        return self._markdown("notebooks/")

    def _repr_markdown_(self) -> str:
        return self._markdown("")

    def _markdown(self, folder: str) -> str:
        header = ("claim", "direction", "strength", "the numbers, each with its 95 % interval", "shown in")
        lines = [_line(header), "|" + ":--|" * len(header)]
        for row in self.rows:
            claim = row.claim
            where = f"[{claim.lesson[:2]}, {claim.heading}]({claim.link(folder)})"
            says = f"**{claim.key}** {claim.says}"
            lines.append(_line((says, f"{row.direction} ({row.why})", row.strength or "–", _numbers(row), where)))
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        header, widths = ("direction", self.voice, "strength", "shown in"), (17, 45, 24, 14)
        heads = (f'<th style="{_CELL}; width: {w}%">{name}</th>' for w, name in zip(widths, header, strict=True))
        lines = ['<table style="width: 100%">', f"<tr>{''.join(heads)}</tr>", *map(_html_row, self.rows)]
        return "\n".join([*lines, "</table>"])

    def __repr__(self) -> str:
        return "\n".join(
            f"{row.direction}  {row.claim.key}: {row.claim.says}\n    {row.why}; {row.strength or 'no evidence'}"
            for row in self.rows
        )


@dataclass(frozen=True)
class Overview:
    """Which way the evidence of each claim points, and from how many seeds: a column a direction.

    Lesson 08, "The claims table".
    """

    rows: tuple[ClaimRow, ...]

    @property
    def counts(self) -> dict[Direction, int]:
        """How many claims there are of each direction."""
        return {direction: sum(row.direction is direction for row in self.rows) for direction in Direction}

    @property
    def columns(self) -> dict[Direction, list[tuple[str, str]]]:
        """The claims of each direction in a few words, and in a few more what each rests on."""
        return {
            d: [(f"{row.claim.slide}: {row.claim.title}", _basis(row)) for row in self.rows if row.direction is d]
            for d in Direction
        }

    def _heads(self) -> Iterator[tuple[Direction, str]]:
        return ((direction, f"{direction}: {count}") for direction, count in self.counts.items())

    def _repr_markdown_(self) -> str:
        cells = (
            "<br>".join(f"**{name}** {basis}".strip() for name, basis in c) or "none" for c in self.columns.values()
        )
        return "\n".join((_line(head for _, head in self._heads()), "|" + ":--|" * len(Direction), _line(cells)))

    def _repr_html_(self) -> str:
        style = "text-align: left; vertical-align: top; padding: 8px; font-size: 16px; width: 25%"
        heads = (f'<th style="{style}; border-top: 8px solid {_COLORS[d]}">{head}</th>' for d, head in self._heads())
        lists = ("".join(f"<p><b>{_html(n)}</b> {_html(b)}</p>" for n, b in c) or "none" for c in self.columns.values())
        cells = (f'<td style="{style}">{names}</td>' for names in lists)
        return f'<table style="width: 100%">\n<tr>{"".join(heads)}</tr>\n<tr>{"".join(cells)}</tr>\n</table>'

    def __repr__(self) -> str:
        lines = ((head, self.columns[direction]) for direction, head in self._heads())
        return "\n".join("\n    ".join([head, *(f"{name} {basis}".strip() for name, basis in c)]) for head, c in lines)


def _basis(row: ClaimRow) -> str:
    """The seeds and the scale that a claim rests on, and unless all is for, how; empty where it is not tested."""
    if row.direction is Direction.UNTESTED or row.scale is None:
        return ""
    strength = ", ".join([f"{row.seeds} seeds", row.scale.short][not row.seeds :])
    return f"({strength}{'' if row.direction is Direction.FOR else f': {row.why}'})"


def _numbers(row: ClaimRow) -> str:
    return "<br>".join([*row.lines, f"({row.origin})"])


def _html_row(row: ClaimRow) -> str:
    claim = row.claim
    folded = (
        f"<b>What decides:</b> {_html(claim.rule)}",
        f"<b>The paper reports:</b> {_html(claim.paper)}",
        f"<b>We measured</b> ({_html(row.origin)}):<ul>{''.join(f'<li>{_html(line)}</li>' for line in row.lines)}</ul>",
    )
    where = f'<a href="{escape(claim.link())}">{claim.lesson[:2]}, {_html(claim.heading)}</a>'
    numbers = f"<details><summary>the numbers</summary>{'<br>'.join(folded)}</details>"
    texts = (
        f"<b>{row.direction}</b><br>{_html(row.why)}",
        f"<b>{claim.key}</b><br>{_html(claim.says)}{numbers}",
        _html(row.strength) or "–",
        where,
    )
    edge = f"; border-left: 8px solid {_COLORS[row.direction]}"
    cells = (f'<td style="{_CELL}{"" if i else edge}">{text}</td>' for i, text in enumerate(texts))
    return f"<tr>{''.join(cells)}</tr>"


def _html(text: str) -> str:
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text)).replace(" %", "&nbsp;%")


def _line(cells: "Iterator[str] | tuple[str, ...]") -> str:
    return "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in cells) + " |"
