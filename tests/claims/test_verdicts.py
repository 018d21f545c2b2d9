"""A direction follows from intervals alone: for every value that seeds can have, and for no other reason."""

import itertools

import pytest
from made_up_records import DOWN, OPEN, UP, made

from ltcourse.claims.verdicts import Claim, ClaimRow, Comparison, Count, Direction, Measurement, Scale
from ltcourse.instruments.statistics import student

FOR, MIXED, AGAINST, UNTESTED = Direction
CLAIM = Claim(
    key="S0 word",
    title="a title",
    says="Says.",
    paper="Paper 2020.",
    rule="a rule.",
    measure=Measurement,
    scales={"paper": Scale.PAPER, "desk": Scale.SHORTER},
    control="a control",
    lesson="01_pruning_lenet",
    heading="Repeat",
)


def number(values, claim=">", ratio=False):
    return Comparison("what", tuple(values), tuple(range(len(values))), claim, ratio)


@pytest.mark.parametrize(
    ("values", "below", "above"),
    [
        (UP, AGAINST, FOR),
        (DOWN, FOR, AGAINST),
        (OPEN, MIXED, MIXED),
        ([0.01, 0.0101], AGAINST, FOR),
        ([0.01, 0.03], MIXED, MIXED),  # every seed above, and two cannot tell
        ([0.0098, 0.0095, -0.0002], MIXED, MIXED),  # the mean is above, one seed is not
        ([0.3], UNTESTED, UNTESTED),
    ],
)
def test_a_number_is_for_or_against_if_its_whole_interval_is(values, below, above):
    for strict, allowed, expected in ((">", "≥", above), ("<", "≤", below)):
        assert number(values, strict).says is number(values, allowed).says is expected


@pytest.mark.parametrize(("claim", "expected"), [("≥", FOR), ("≤", FOR), (">", AGAINST), ("<", AGAINST)])
def test_exactly_level_is_no_worse_and_no_better(claim, expected):
    assert number([0.0, 0.0, 0.0], claim).says is expected
    assert number([1.0, 1.0, 1.0], claim, ratio=True).says is expected


def test_a_hair_below_is_not_tolerated():
    assert number([-1e-6, -1e-6, -1e-6], "≥").says is AGAINST


def test_a_ratio_is_level_at_1():
    assert number([0.5, 0.52, 0.51], "<", ratio=True).says is FOR
    assert number([0.46, 0.97, 0.82], "<", ratio=True).says is MIXED  # all three sooner
    assert number([2.0, 2.1, 1.9], "<", ratio=True).says is AGAINST


def test_the_number_is_shown_with_its_interval_and_with_what_is_claimed():
    found = number([0.01, 0.02, 0.03], "≥")
    low, high = (100 * end for end in (student(found.values).low, student(found.values).high))
    assert found.found == f"+2.00 points [{low:+.2f}, {high:+.2f}]"
    assert (found.wanted, found.each) == ("at least 0", "+1.00, +2.00, +3.00")
    assert number([0.5, 0.5], "<", ratio=True).wanted == "below 1×"


@pytest.mark.parametrize("wrong", [{"claim": "="}, {"seeds": (0,)}])
def test_a_comparison_that_claims_nothing_is_refused(wrong):
    with pytest.raises(ValueError, match="a claim of <, ≤, ≥, > and a value per seed"):
        Comparison(**{"what": "w", "values": (1.0, 2.0), "seeds": (0, 1), "claim": ">"} | wrong)


SAYS = {FOR: number(UP), AGAINST: number(DOWN), MIXED: number(OPEN)}


@pytest.mark.parametrize("said", [s for n in (1, 2, 3) for s in itertools.product(SAYS, repeat=n)])
def test_a_claim_is_for_if_all_its_numbers_are_and_against_if_some_are_and_none_is_for(said):
    row = ClaimRow(CLAIM, Measurement(tuple(SAYS[s] for s in said)))
    expected = FOR if set(said) == {FOR} else AGAINST if AGAINST in said and FOR not in said else MIXED
    assert row.direction is expected
    assert sum(int(part.split()[0]) for part in row.why.split(", ")) == len(said)


@pytest.mark.parametrize(
    ("measured", "why"),
    [
        (Measurement(), "nothing was run"),
        (Measurement(untested="never at that size"), "never at that size"),
        (Measurement((number(UP),), untested="never at that size"), "never at that size"),
        (Measurement((number([0.3]),)), "one seed has no interval"),
        (Measurement((number(UP), number([0.3]))), "one seed has no interval"),
    ],
)
def test_what_cannot_decide_is_not_tested_whatever_its_numbers(measured, why):
    row = ClaimRow(CLAIM, measured)
    assert row.direction is UNTESTED and row.why == why
    assert not any("claimed" in line for line in row.lines), "a number that cannot decide is given no say"


def test_the_strength_is_seeds_scale_and_control():
    measured = Measurement((number(UP), number([0.1, 0.2])))
    row = ClaimRow(CLAIM, measured, (made({}, budget="paper"),))
    assert row.strength == "2 seeds · the paper's network, data and length · against a control"
    row = ClaimRow(CLAIM, measured, (made({}, budget="paper"), made({}, budget="desk")))
    assert row.scale is Scale.SHORTER, "the weakest of its records"
    assert ClaimRow(CLAIM, Measurement(untested="no")).strength == ""


def test_sizes_of_one_run_do_not_make_it_stronger():
    rows = [ClaimRow(CLAIM, Measurement((number(UP),) * n)) for n in (1, 24)]
    assert rows[0].strength == rows[1].strength and rows[0].seeds == 3


def test_what_is_counted_has_no_seeds_and_no_interval():
    row = ClaimRow(CLAIM, Measurement((Count("weights", "22", True),)))
    assert row.direction is FOR and row.seeds == 0 and "seed" not in row.strength
    assert ClaimRow(CLAIM, Measurement((Count("weights", "22", False),))).direction is AGAINST


def test_the_evidence_has_a_line_a_number_with_every_seed():
    row = ClaimRow(CLAIM, Measurement((number(UP), number(OPEN)), also="beside"))
    assert [line[-1] for line in row.evidence.rows] == ["for", "undecided"]
    assert all(len(line[2].split(", ")) == 3 for line in row.evidence.rows)
    assert row.lines[-1] == "beside" and all("claimed above 0" in line for line in row.lines[:-1])
