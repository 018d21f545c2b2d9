"""The claims on one slide: each once, in the row of its slide, in the color of its direction."""

import html
import re

import pytest

from ltcourse import claims
from ltcourse.stage import wall


def test_the_wall_has_every_claim_once_in_the_row_of_its_slide():
    overview = claims.table().overview
    drawn = wall.of_claims(overview._repr_markdown_())
    rows = dict(re.findall(r"<tr><th>(.*?)</th><td>(.*?)</td></tr>", drawn))
    wanted = [name for column in overview.columns.values() for name, _ in column]
    assert list(rows) == sorted(
        {name.partition(":")[0] for name in wanted}, key=lambda s: (s[0] != "S", int(re.sub(r"\D", "", s)))
    )
    assert drawn.count('<span class="claim') == len(wanted) + len(overview.counts), "and the key"
    for direction, column in overview.columns.items():
        for name, basis in column:
            slide, _, claim = name.partition(": ")
            (found,) = re.findall(
                rf'<span class="claim (\w+(?: full)?)">\S {re.escape(html.escape(claim))}[ <]', rows[slide]
            )
            assert found.split()[0] == wall._COLORS[str(direction)[0]]
            assert ("full" in found) == ("paper's scale" in basis or "counted" in basis)


@pytest.mark.parametrize(
    "table", ["| a |\n|--|", "| a: 1 |\n|--|\n| b |", "| ✔ for: 1 |\n|--|\n| a claim of no slide |"]
)
def test_what_is_no_overview_is_one_sentence(table):
    with pytest.raises(ValueError, match=r"overview|direction"):
        wall.of_claims(table)
