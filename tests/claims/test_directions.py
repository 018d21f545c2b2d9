"""A change of a record that turns a direction or a strength fails until the prose that speaks of it is read again."""

import re
import tomllib
from pathlib import Path

import pytest
from made_up_records import DOWN, UP, lottery

from ltcourse import claims
from ltcourse.claims.catalog import CLAIMS
from ltcourse.claims.frontier import FRONTIER
from ltcourse.claims.verdicts import ClaimRow

ROOT = Path(__file__).resolve().parents[2]
FILE = Path(__file__).with_name("directions.toml")
EXPECTED = tomllib.loads(FILE.read_text(encoding="utf-8"))
LESSONS = {path.stem[:2]: path.read_text(encoding="utf-8") for path in (ROOT / "lessons").glob("[0-9]*.py")}


def turned(rows):
    """What is no longer as the file says, each with the sections to read again."""
    found = []
    for row in rows:
        was = EXPECTED[row.claim.key]
        now = {"direction": row.direction.split(" ", 1)[1], "strength": row.strength}
        found += [
            f"{row.claim.key}: {what} is now {new!r} and was {was[what]!r}: read again {'; '.join(was['prose'])}; "
            f"then change {FILE.name}"
            for what, new in now.items()
            if new != was[what]
        ]
    return found


def test_each_direction_and_strength_is_the_one_that_the_prose_was_read_for():
    assert not (problems := turned([*claims.table().rows, *claims.of_papers().rows])), "\n".join(problems)


def test_the_file_has_an_entry_a_claim():
    assert list(EXPECTED) == [claim.key for claim in (*CLAIMS, *FRONTIER)]


@pytest.mark.parametrize("key", EXPECTED)
def test_the_sections_that_speak_of_a_claim_exist(key):
    claim = next(claim for claim in (*CLAIMS, *FRONTIER) if claim.key == key)
    sections = EXPECTED[key]["prose"]
    assert f"{claim.lesson[:2]}: {claim.heading}" in sections
    for section in sections:
        lesson, heading = section.split(": ", 1)
        assert heading in re.findall(r"^# ## (.+)$", LESSONS[lesson], re.MULTILINE), section


@pytest.mark.parametrize(
    ("record", "complaint"),
    [
        (lottery(UP, UP, UP, methods={"re-initialized": (UP, UP, UP)}), "direction is now 'for' and was 'against'"),
        (lottery(UP[:2], UP[:2], UP[:2], methods={"re-initialized": (DOWN[:2],) * 3}), 'strength is now "2 seeds'),
    ],
)
def test_a_record_that_turns_a_claim_is_seen(record, complaint):
    claim = next(claim for claim in CLAIMS if claim.key == "S4 scratch")
    problems = turned([ClaimRow(claim, claim.measure(record), (record,))])
    assert len(problems) == 1 and complaint in problems[0] and "03: Why not train the small network?" in problems[0]
