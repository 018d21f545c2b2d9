"""The claims on one slide: a row for each slide of the lecture, each claim in the color of its direction."""

import html
import re
from collections.abc import Iterator

_HEAD = re.compile(r"(\S) ([\w ]+): \d+")
_CLAIM = re.compile(r"\*\*(S\d+|source \d+): (.+?)\*\*(?: \((.*?)\))?$")
_COLORS = {"✔": "for", "◐": "mixed", "✘": "against", "–": "untested"}
_FULL = re.compile(r"paper's scale|counted")
_KEY = "filled: at the paper's scale, or counted · outlined: our recipe, a smaller network, or shorter runs"


def of_claims(overview: str) -> str:
    """Return the overview of the claims as HTML, by the lecture's slides.

    overview: the Markdown of `claims.sheet.Overview`, one column a direction. Each claim has the sign and the color
    of its direction, and its seeds. It is filled where its evidence is at the paper's scale, or exact.
    Raises ValueError for a table of another form.
    """
    rows: dict[str, list[str]] = {}
    for sign, slide, claim, basis in _claims(overview):
        seeds = re.match(r"\d+ seeds?", basis)
        strength = f" <small>{seeds[0]}</small>" if seeds else ""
        full = " full" if _FULL.search(basis) else ""
        text = f"{sign} {html.escape(claim)}{strength}"
        rows.setdefault(slide, []).append(f'<span class="claim {_COLORS[sign]}{full}">{text}</span>')
    order = sorted(rows, key=lambda slide: (not slide.startswith("S"), int(re.sub(r"\D", "", slide))))
    lines = (f"<tr><th>{slide}</th><td>{' '.join(rows[slide])}</td></tr>" for slide in order)
    directions = (f'<span class="claim {name} full">{sign} {head}</span>' for sign, head, name in _heads(overview))
    return f'<table class="wall">{"".join(lines)}</table><p class="key">{" ".join(directions)} {_KEY}</p>'


def _cells(overview: str) -> tuple[list[str], list[str]]:
    lines = [re.split(r"(?<!\\)\|", line.strip().strip("|")) for line in overview.strip().split("\n")]
    if len(lines) != 3 or len(lines[0]) != len(lines[2]):
        raise ValueError("the table is no overview of the claims: it has a column for each direction, and one row")
    return [head.strip() for head in lines[0]], [cell.strip() for cell in lines[2]]


def _heads(overview: str) -> Iterator[tuple[str, str, str]]:
    """The sign of each direction, its name with the count, and its class."""
    for head in _cells(overview)[0]:
        found = _HEAD.fullmatch(head)
        if found is None or found[1] not in _COLORS:
            raise ValueError(f"{head!r} is no direction of a claim with its count")
        yield found[1], head.removeprefix(found[1]).strip(), _COLORS[found[1]]


def _claims(overview: str) -> Iterator[tuple[str, str, str, str]]:
    """(sign, slide, claim, what it rests on) of each claim."""
    for (sign, _, _), cell in zip(_heads(overview), _cells(overview)[1], strict=True):
        for claim in cell.split("<br>") if cell != "none" else ():
            if (found := _CLAIM.fullmatch(claim)) is None:
                raise ValueError(f"{claim!r} is no claim of the overview")
            yield sign, found[1], found[2], found[3] or ""
