"""The table as people look at it: in one look which way each claim points, the numbers behind a click, in each form."""

import importlib
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from ltcourse import claims
from ltcourse.claims import verdicts
from ltcourse.claims.catalog import CLAIMS
from ltcourse.claims.verdicts import Direction

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
readme = importlib.import_module("readme_claims")


@pytest.fixture(scope="module")
def whole():
    return claims.table()


class Page(HTMLParser):
    """The cells of an HTML table: what is seen at once, what is folded, and where its links lead."""

    def __init__(self, text):
        super().__init__()
        self.rows, self.folded, self.links, self.open = [], [], [], []
        self.feed(text)
        self.rows = [[cell.strip() for cell in row] for row in self.rows]
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        if tag == "br":
            return
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
            self.folded.append("")
        if tag in ("td", "th"):
            self.rows[-1].append("")
        self.links += [value for name, value in attrs if name == "href"]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        text = data.replace("\xa0", " ")  # before %, so that no line ends there
        if "details" in self.open and "summary" not in self.open:
            self.folded[-1] += text
        elif self.rows and self.rows[-1]:
            self.rows[-1][-1] += text


def test_a_notebook_shows_direction_and_strength_and_folds_the_numbers(whole):
    page = Page(whole._repr_html_())
    assert [len(row) for row in page.rows] == [4] * (len(CLAIMS) + 1)
    for row, cells, folded, link in zip(whole.rows, page.rows[1:], page.folded[1:], page.links, strict=True):
        assert row.direction in cells[0] and row.why.replace("`", "") in cells[0]
        assert row.claim.says in cells[1] and row.strength in cells[2] and link == row.claim.link()
        for line in (row.claim.rule, row.claim.paper, row.origin, *row.lines):
            assert line.replace("`", "") in folded
        assert not any(line.replace("`", "") in cell for line in row.lines for cell in cells), "a wall of numbers"


def test_one_look_has_a_column_a_direction_with_every_claim_in_its_own(whole):
    look = whole.overview
    page = Page(look._repr_html_())
    assert [len(row) for row in page.rows] == [4, 4] and sum(look.counts.values()) == len(CLAIMS)
    text, terminal = look._repr_markdown_().splitlines(), repr(look)
    assert len(text) == 3
    for n, direction in enumerate(Direction):
        rows = whole.of(direction).rows
        assert page.rows[0][n] == f"{direction}: {len(rows)}" and page.rows[0][n] in text[0]
        names = [f"{row.claim.slide}: {row.claim.title}" for row in rows]
        assert re.findall(r"\*\*(.+?)\*\*", text[2].split(" | ")[n]) == names
        assert all(name in page.rows[1][n] and name in terminal for name in names)


def test_one_look_says_seeds_and_scale_and_how_a_claim_is_mixed(whole):
    told = dict(pair for pairs in whole.overview.columns.values() for pair in pairs)
    assert len(told) == len(CLAIMS), "two claims have one title"
    for row in whole.rows:
        basis = told[f"{row.claim.slide}: {row.claim.title}"]
        if row.direction is Direction.UNTESTED:
            assert basis == ""
        else:
            assert f"{row.seeds} seeds" in basis or row.scale is verdicts.Scale.COUNTED
            assert row.scale.short in basis and (row.why in basis) == (row.direction is not Direction.FOR)


def test_a_direction_without_claims_is_none_and_not_missing(whole):
    look = whole.of(Direction.FOR).overview
    assert "✘ against: 0" in repr(look) and look._repr_markdown_().splitlines()[2].count("none") == 3


def cells_of(line):
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


@pytest.mark.parametrize("form", ["_repr_markdown_", "readme"])
def test_a_markdown_table_has_a_line_a_claim(whole, form):
    lines = getattr(whole, form)().splitlines()
    assert [len(cells_of(line)) for line in lines] == [5] * (len(CLAIMS) + 2)
    for row, line in zip(whole.rows, lines[2:], strict=True):
        assert all(part in line for part in (row.claim.says, row.direction, row.strength, row.origin, *row.lines))


def test_a_terminal_shows_direction_and_strength(whole):
    text = repr(whole)
    assert all(f"{row.direction}  {row.claim.key}" in text and row.strength in text for row in whole.rows)


def test_every_link_of_the_readme_leads_to_a_heading(whole):
    links = re.findall(r"\]\(notebooks/([^)#]+)\.ipynb#([^)\s]+)\) \|$", whole.readme(), re.MULTILINE)
    assert len(links) == len(CLAIMS)
    for lesson, anchor in links:
        text = (ROOT / "lessons" / f"{lesson}.py").read_text(encoding="utf-8")
        # JupyterLab's anchors, which GitHub knows, too: the heading's text, blanks as hyphens
        assert anchor in {h.replace(" ", "-") for h in re.findall(r"^# ## (.+)$", text, re.MULTILINE)}


# The README


def test_the_readme_has_the_tables_as_they_are_now(whole):
    text = readme.FILE.read_text(encoding="utf-8")
    assert readme.replaced(text) == text, "run `python tools/readme_claims.py`"
    before, _, after = text.partition("<details>")
    assert whole.overview._repr_markdown_() in before, "one look comes before any click"
    assert whole.readme() in after and claims.implemented()._repr_markdown_() in after


def test_another_direction_would_be_seen_in_the_readme(monkeypatch):
    text = readme.FILE.read_text(encoding="utf-8")
    monkeypatch.setattr(verdicts.ClaimRow, "direction", property(lambda row: Direction.AGAINST))
    assert readme.replaced(text) != text
    assert readme.replaced(readme.replaced(text)) == readme.replaced(text)


@pytest.mark.parametrize("mark", [readme.BEGIN, readme.END])
def test_a_readme_without_a_place_for_the_table_is_refused(mark):
    text = readme.FILE.read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="no place for the claims"):
        readme.replaced(text.replace(mark, ""))
