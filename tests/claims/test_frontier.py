"""The claims of the later papers have a row each that leads to its records and its cell, and can go either way."""

import itertools
import re
from pathlib import Path

import pytest
from made_up_records import DOWN, OPEN, UP, made

from ltcourse import claims
from ltcourse.claims import frontier_measures as after
from ltcourse.claims.catalog import CLAIMS
from ltcourse.claims.frontier import FRONTIER
from ltcourse.claims.verdicts import ClaimRow, Direction, Scale
from ltcourse.experiments import catalog, runs
from ltcourse.experiments.foresight import CHECKS, SCORED, SHARED
from ltcourse.experiments.sparse_trainings import AFTER, DURING, method

ROOT = Path(__file__).resolve().parents[2]
KEYS = [pytest.param(claim, id=claim.key) for claim in FRONTIER]
BY_KEY = {claim.key: claim for claim in FRONTIER}
FOR, AGAINST, MIXED = Direction.FOR, Direction.AGAINST, Direction.MIXED


def section(claim):
    """The part of a lesson under a heading."""
    text = (ROOT / "lessons" / f"{claim.lesson}.py").read_text(encoding="utf-8")
    parts = re.split(r"^# ## (.+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True)).get(claim.heading)


@pytest.mark.parametrize("claim", KEYS)
def test_a_claim_names_its_paper_what_decides_and_the_cell_that_shows_it(claim):
    assert re.search(r"\b(19|20)\d\d\b", claim.key) and re.search(r"\b(19|20)\d\d\b", claim.paper)
    assert all(text.endswith(".") and text == " ".join(text.split()) for text in (claim.says, claim.rule, claim.paper))
    if claim.records:
        assert re.search(r"\b(above|below|at most|at least) (0|1)", claim.rule) and claim.control
    found = section(claim)
    assert found and re.search(r"^# %%(?! \[markdown\])", found, re.MULTILINE)
    for name in claim.records:
        assert catalog.get(name).lesson == claim.lesson and claim.scales.keys() & catalog.get(name).budgets.keys()
    order = list(Scale)
    assert list(claim.scales.values()) == sorted(claim.scales.values(), key=order.index)


def test_no_key_is_there_twice_and_each_can_be_examined():
    assert len(BY_KEY) == len(FRONTIER) and not BY_KEY.keys() & {claim.key for claim in CLAIMS}
    row = claims.examine("Zhu 2017 large")
    assert row.direction is Direction.UNTESTED and "no small dense network was trained" in str(row)


def test_the_table_is_told_in_the_papers_voice():
    table = claims.of_papers()
    assert [row.claim for row in table.rows] == list(FRONTIER)
    assert "the paper claims" in table._repr_html_() and "the slides say" not in table._repr_html_()
    assert "the slides say" in claims.table("S8")._repr_html_()
    assert table.of(Direction.UNTESTED).voice == "the paper claims"
    assert sum(table.overview.counts.values()) == len(FRONTIER)


def test_a_record_that_is_missing_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(runs, "FOLDER", tmp_path)
    row = claims.examine("Frankle 2021 deep")
    assert row.direction is Direction.UNTESTED and "`ltcourse record foresight-resnet-8 --budget desk`" in str(row)


# What the records decide


def foresight(ticket=UP, scored=DOWN, random=DOWN, checks=None, ticket_checks=DOWN):
    """Accuracies around 90 %, so much above or below the dense network's; checks: above or below as found."""
    rows = {("ticket", 0): {"density": 1.0, "test_error": 0.1}}

    def put(name, n, gain, base=(0.0, 0.0, 0.0)):
        errors = [0.1 - g - b for g, b in zip(gain, base, strict=True)]
        rows[name, n] = {"density": 0.1 if n == 1 else 0.01, "test_error": errors}

    for n in (1, 2):
        put("ticket", n, ticket)
        for name in (*SCORED, *SHARED):
            put(name, n, scored.get(name, DOWN) if isinstance(scored, dict) else scored if name in SCORED else random)
        for name, check in itertools.product(("ticket", *SCORED), CHECKS):
            base = [0.1 - e for e in rows[name, n]["test_error"]]
            put(f"{name}: {check}", n, ticket_checks if name == "ticket" else (checks or UP), base)
    return made(rows, sizes=2, checked=[1, 2])


def sparse(**gains):
    """Each way's accuracy above or below 90 %, at two lengths."""
    rows = {("dense", 0): {"density": 1.0, "test_error": 0.1}}
    for density, way, n in itertools.product((0.1, 0.02), (*DURING, *AFTER), (1, 2)):
        gain = gains.get(way.replace(" ", "_").replace(",", ""), [0.0, 0.0, 0.0])
        rows[method(way, density), n] = {"density": density, "test_error": [0.1 - g for g in gain]}
    return made(rows, densities=[0.1, 0.02])


def direction(key, record):
    claim = BY_KEY[key]
    return ClaimRow(claim, claim.measure(record), (record,)).direction


@pytest.mark.parametrize(
    ("key", "record", "expected"),
    [
        ("Lee 2019 dense", foresight(scored=UP), FOR),
        ("Lee 2019 dense", foresight(scored=DOWN), AGAINST),
        ("Wang 2020 flow", foresight(scored={"GraSP": UP}), FOR),
        ("Wang 2020 flow", foresight(scored={"SNIP": UP}), AGAINST),
        ("Tanaka 2020 accuracy", foresight(scored={"SynFlow": UP}), FOR),
        ("Tanaka 2020 accuracy", foresight(scored={"SNIP": UP, "GraSP": UP}), AGAINST),
        ("Frankle 2021 after", foresight(ticket=UP, scored=DOWN), FOR),
        ("Frankle 2021 after", foresight(ticket=DOWN, scored=UP), AGAINST),
        ("Frankle 2021 after", foresight(ticket=UP, scored={"SNIP": [3 * u for u in UP]}), MIXED),
        ("Frankle 2021 shuffled", foresight(checks=UP), FOR),
        ("Frankle 2021 shuffled", foresight(checks=DOWN), AGAINST),
        ("Frankle 2021 redrawn", foresight(checks=OPEN), MIXED),
        ("Frankle 2021 ticket", foresight(ticket_checks=DOWN), FOR),
        ("Frankle 2021 ticket", foresight(ticket_checks=UP), AGAINST),
        ("Evci 2020 dense-to-sparse", sparse(RigL=UP), FOR),
        ("Evci 2020 dense-to-sparse", sparse(gradual=UP), AGAINST),
        ("Evci 2020 static", sparse(RigL=UP), FOR),
        ("Evci 2020 static", sparse(random_ERK=UP), AGAINST),
        ("Renda 2020 rewinding", sparse(rate_rewound=UP, weights_rewound=UP), FOR),
        ("Renda 2020 rewinding", sparse(fine_tuned=UP, **{"fine-tuned": UP}), AGAINST),
        ("Renda 2020 rewinding", sparse(rate_rewound=UP, weights_rewound=OPEN), MIXED),
    ],
)
def test_a_record_can_be_for_a_claim_and_against_it(key, record, expected):
    assert direction(key, record) is expected


def test_what_does_not_decide_stands_beside():
    claim = BY_KEY["Frankle 2021 shuffled"]
    measured = claim.measure(foresight())
    assert len(measured.numbers) == 2 * len(SCORED) and measured.also.startswith("of the ticket: P_m = 10.0 % -1.00")
    assert "P_m = 10.0 %: minus SNIP" in BY_KEY["Wang 2020 flow"].measure(foresight()).also


def test_layers_vanish_by_every_score_but_synflows():
    """Counted, of three networks: the claim's own numbers. One draw of the weights is not enough for every score."""
    drawn = [after.collapse("foresight-lenet-300-100", 0.001, seed) for seed in after.DRAWS]
    kept = {m: [[int(layer.sum()) for layer in masks_of[m].values()] for masks_of in drawn] for m in SCORED}
    assert all(sum(layers) == 266 for networks in kept.values() for layers in networks)
    assert {m: any(0 in layers for layers in networks) for m, networks in kept.items()} == {
        m: m != "SynFlow" for m in SCORED
    }
    assert {layers[1:].count(0) for networks in kept.values() for layers in networks} == {0}, "none but the first"
    told = {count.what.split(": ")[0].split(", ")[1]: count.found for count in after.emptied().numbers}
    assert told == {m: f"{sum(0 in layers for layers in networks)} of 3" for m, networks in kept.items()}
