"""What the slides define has a test that exists, and a section that teaches it."""

import ast
import re
from pathlib import Path

import pytest

from ltcourse import claims
from ltcourse.claims.catalog import CLAIMS
from ltcourse.claims.implemented import IMPLEMENTED

ROOT = Path(__file__).resolve().parents[2]
ROWS = [pytest.param(row, id=row.test.split("::")[1]) for row in IMPLEMENTED]


@pytest.mark.parametrize("row", ROWS)
def test_the_test_that_shows_it_exists(row):
    file, name = row.test.split("::")
    tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
    assert [node.name for node in tree.body if isinstance(node, ast.FunctionDef)].count(name) == 1


@pytest.mark.parametrize("row", ROWS)
def test_the_section_that_teaches_it_exists(row):
    text = (ROOT / "lessons" / f"{row.lesson}.py").read_text(encoding="utf-8")
    assert row.heading in re.findall(r"^# ## (.+)$", text, re.MULTILINE)
    assert row.says.endswith(".") and re.fullmatch(r"S\d+(, S\d+)*", row.slide)


def test_what_is_defined_is_not_claimed():
    assert not {row.says for row in IMPLEMENTED} & {claim.says for claim in CLAIMS}
    assert not {"S11", "S12"} & {claim.slide for claim in CLAIMS}, "an algorithm and two formulas"


def test_the_table_has_a_line_a_definition():
    table = claims.implemented()
    assert len(table.rows) == len(IMPLEMENTED)
    for row, line in zip(IMPLEMENTED, table.rows, strict=True):
        assert line[:2] == [row.slide, row.says] and f"tests/{row.test}" in line[2]
