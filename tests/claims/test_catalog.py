"""Every claim of the slides has a row that leads to its record and its cell; each record is the best that there is."""

import re
from pathlib import Path

import pytest
from made_up_records import DOWN, UP, lottery
from yardstick import fastest, plain

from ltcourse import claims
from ltcourse.claims.catalog import CLAIMS
from ltcourse.claims.verdicts import Direction, Scale
from ltcourse.experiments import catalog, runs

ROOT = Path(__file__).resolve().parents[2]
BY_KEY = {claim.key: claim for claim in CLAIMS}
KEYS = [pytest.param(claim, id=claim.key) for claim in CLAIMS]

# What the slides claim, slide by slide. S5 and S9 are titles, S11 and S12 an algorithm and formulas, S15 to S17 the
# review's questions.
SAID = {
    "S1": {"neurons"},
    "S2": {"fine-tuning"},
    "S3": {"parameters", "compression", "LeNet-300-100", "LeNet-5", "AlexNet", "VGG-16"},
    "S4": {"quality", "scratch", "filters"},
    "S6": {"hypothesis"},
    "S7": {"initial-values", "repeat"},
    "S8": {"faster", "accuracy", "convolutions", "depth", "rewinding"},
    "S10": {"search", "existence"},
    "S13": {"share", "trained", "depth"},
    "S14": {"width", "Kaiming", "constant", "ImageNet"},
    "source 2": {"data", "photographs", "optimizer", "size"},
}


@pytest.fixture(scope="module")
def whole():
    return claims.table()


# Every claim has a row, and every row leads somewhere


def test_every_claim_of_the_slides_has_one_row():
    found = {}
    for claim in CLAIMS:
        found.setdefault(claim.slide, set()).add(claim.word)
    assert found == SAID and len(BY_KEY) == len(CLAIMS)
    assert {f"S{n}" for n in range(1, 15)} - SAID.keys() == {"S5", "S9", "S11", "S12"}


@pytest.mark.parametrize("claim", KEYS)
def test_a_claim_says_what_the_slides_say_what_is_reported_and_what_decides(claim):
    assert all(text.endswith((".", ")", "?")) and text == " ".join(text.split()) for text in (claim.says, claim.rule))
    assert re.search(r"\b(19|20)\d\d\b|abstract", claim.paper), "names no paper"


@pytest.mark.parametrize("claim", KEYS)
def test_a_rule_says_where_each_number_lies_and_names_its_control(claim):
    """No criterion but a border of 0 or 1×, and nothing that is tolerated in silence."""
    if claim.records:
        assert re.search(r"\b(above|below|at most|at least) (0|1×)", claim.rule) and claim.control
    assert not re.search(r"half|tolera|nearly|about", claim.rule.replace("half the width", "")), claim.rule


def section(claim):
    """The part of a lesson under a heading."""
    text = (ROOT / "lessons" / f"{claim.lesson}.py").read_text(encoding="utf-8")
    parts = re.split(r"^# ## (.+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True)).get(claim.heading)


@pytest.mark.parametrize("claim", KEYS)
def test_the_cell_that_shows_a_claim_is_there(claim):
    found = section(claim)
    assert found, f"lesson {claim.lesson} has no heading '## {claim.heading}'"
    assert re.search(r"^# %%(?! \[markdown\])", found, re.MULTILINE), "the section has no cell that computes anything"
    assert (ROOT / "notebooks" / f"{claim.lesson}.ipynb").exists()


def test_the_section_of_s10_shows_the_record_that_decides_it():
    assert 'load_or_run("hidden-lenet-300-100", "desk")' in section(BY_KEY["S10 search"])


@pytest.mark.parametrize("claim", KEYS)
def test_a_record_is_of_an_experiment_of_the_lesson_that_shows_it(claim):
    for name in claim.records:
        experiment = catalog.get(name)
        assert experiment.lesson == claim.lesson
        assert claim.scales.keys() & experiment.budgets.keys(), f"{name} has no budget that could decide"


def test_a_better_scale_comes_first():
    order = list(Scale)
    for claim in CLAIMS:
        assert list(claim.scales.values()) == sorted(claim.scales.values(), key=order.index)
        assert (list(claim.scales) == [""]) == (claim.key in {"S3 parameters", "S3 compression", "S10 existence"})


def test_each_record_that_is_there_was_used_at_its_best_budget(whole):
    for row in whole.rows:
        assert [record.experiment for record in row.records] in ([], list(row.claim.records))
        for record in row.records:
            better = list(row.claim.scales)[: list(row.claim.scales).index(record.budget)]
            assert record.budget == row.records[0].budget, "of two scales: they cannot be compared"
            assert not any(all(runs.path(n, at).exists() for n in row.claim.records) for at in better)
        if not row.records and row.claim.records:
            assert row.direction is Direction.UNTESTED and "iterations are recorded" in row.untested


# Which record is taken


@pytest.fixture
def written(monkeypatch, tmp_path):
    """A function that writes a made-up record of lottery-resnet at a budget, in a folder of its own."""
    monkeypatch.setattr(runs, "FOLDER", tmp_path)

    def write(at, *gains):
        record = lottery(*gains, methods={"rewound": (UP, UP, UP)}, budget=at, name="lottery-resnet")
        runs._write(runs.path("lottery-resnet", at), record)

    return write


def test_a_deep_ticket_is_believed_after_a_night_and_not_before(written):
    written("desk", UP, UP, UP)
    row = claims.examine("S8 depth")
    assert row.direction is Direction.UNTESTED
    assert row.untested == "lottery-resnet: 300 of 8,000 iterations are recorded"
    assert "`ltcourse record lottery-resnet --budget night`" in row.measured.also
    written("night", DOWN, DOWN, DOWN)
    row = claims.examine("S8 depth")
    assert row.direction is Direction.AGAINST and row.scale is Scale.SMALLER_SHORTER
    assert row.records[0].budget == "night"
    assert claims.examine("S8 rewinding").direction is Direction.FOR
    written("paper", UP, UP, UP)
    row = claims.examine("S8 depth")
    assert row.direction is Direction.FOR and row.scale is Scale.PAPER


def test_a_record_that_is_not_there_is_named_with_the_command_that_makes_it(monkeypatch, tmp_path):
    monkeypatch.setattr(runs, "FOLDER", tmp_path)
    row = claims.examine("S4 quality")
    assert row.direction is Direction.UNTESTED and row.strength == ""
    assert "`ltcourse record han-lenet-5 --budget desk`" in str(row)
    assert "han-lenet-300-100: none of 8,590 iterations are recorded" in row.untested


def test_a_claim_alone_shows_every_number_and_where_its_record_was_made():
    row = claims.examine("S8 accuracy")
    text = str(row)
    for part in (row.claim.says, row.claim.paper, row.claim.rule, row.direction, row.strength, "recorded 20"):
        assert part in text
    assert all(line in text for line in row.lines) and len(row.evidence.rows) == len(row.measured.numbers) == 4
    with pytest.raises(ValueError, match="did you mean 'S8 faster'"):
        claims.examine("S8 fster")


def test_the_table_of_one_slide():
    assert {row.claim.key for row in claims.table("S8").rows} == {f"S8 {word}" for word in SAID["S8"]}
    assert {row.claim.slide for row in claims.table("S8", "S1").rows} == {"S8", "S1"}
    with pytest.raises(ValueError, match="unknown slide 'S5'"):
        claims.table("S5")


def test_what_is_computed_prints_the_same_each_time(whole):
    computed = [claim for claim in CLAIMS if not claim.records and "" in claim.scales]
    assert {claim.key: claim.measure() for claim in computed} == {
        row.claim.key: row.measured for row in whole.rows if row.claim in computed
    }


def test_the_table_is_made_in_seconds(whole):
    assert fastest(lambda _: claims.table(), range(3)) < max(3, 60 * plain()), "0.2 s where this was written"
