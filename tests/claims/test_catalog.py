"""Every claim of the slides has a row that leads to its record and its cell, and a verdict that could be another.

The verdicts are tested on made-up records in which a claim holds, holds in part, and does not hold.
"""

import importlib
import re
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
import torch
from yardstick import fastest, plain

from ltcourse import claims
from ltcourse.claims import demonstrations, measures, verdicts
from ltcourse.claims.catalog import CLAIMS
from ltcourse.claims.verdicts import Case, Claim, ClaimRow, Measurement, Outcome
from ltcourse.experiments import catalog, runs
from ltcourse.experiments.runs import Record

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))
readme = importlib.import_module("readme_claims")

HOLDS, PART, FAILS = Outcome.HOLDS, Outcome.PART, Outcome.FAILS
BY_KEY = {claim.key: claim for claim in CLAIMS}
KEYS = [pytest.param(claim, id=claim.key) for claim in CLAIMS]

# What the slides claim, slide by slide. S5 and S9 are titles, S15 to S17 are the review's questions.
SAID = {
    "S1": {"neurons"},
    "S2": {"loop", "fine-tuning"},
    "S3": {"parameters", "compression", "LeNet-300-100", "LeNet-5", "AlexNet", "VGG-16"},
    "S4": {"quality", "scratch"},
    "S6": {"hypothesis"},
    "S7": {"algorithm", "initial-values", "repeat"},
    "S8": {"size", "faster", "accuracy", "convolutions", "depth"},
    "S10": {"search", "existence"},
    "S11": {"scores", "weights"},
    "S12": {"Xavier", "Kaiming", "neurons"},
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
        found.setdefault(claim.slide, []).append(claim.key.removeprefix(f"{claim.slide} "))
    assert {slide: set(words) for slide, words in found.items()} == SAID
    assert len(BY_KEY) == len(CLAIMS)
    assert {f"S{n}" for n in range(1, 15)} - SAID.keys() == {"S5", "S9"}


@pytest.mark.parametrize("claim", KEYS)
def test_a_claim_says_what_the_slides_say_what_is_reported_and_what_a_case_is(claim):
    assert all(text.endswith((".", ")", "?")) and text == " ".join(text.split()) for text in (claim.says, claim.case))
    assert re.search(r"\b(19|20)\d\d\b|abstract", claim.paper), "names no paper"


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


@pytest.mark.parametrize("claim", KEYS)
def test_a_record_is_of_an_experiment_of_the_lesson_that_shows_it(claim):
    for name in claim.records:
        assert catalog.get(name).lesson == claim.lesson
    assert set(claim.budgets) <= {"paper", "desk"}


RECORDS = sorted({name for claim in CLAIMS for name in claim.records})


@pytest.mark.parametrize("name", RECORDS)
def test_the_record_behind_a_row_exists(name):
    for claim in (c for c in CLAIMS if name in c.records):
        assert any(runs.path(name, at).exists() for at in claim.budgets), f"{claim.key} rests on {name}"


def test_each_record_that_is_there_was_used_at_its_best_budget(whole):
    for row in whole.rows:
        assert [record.experiment for record in row.records] == list(() if row.missing else row.claim.records)
        for record in row.records:
            better = row.claim.budgets[: row.claim.budgets.index(record.budget)]
            assert not any(runs.path(record.experiment, at).exists() for at in better)
        if row.verdict not in (Outcome.MISSING, Outcome.UNTESTED):
            assert row.measured.cases and row.measured.text


# The verdict is counted


CLAIM = Claim(
    key="S0 word",
    says="Says.",
    paper="Paper 2020.",
    case="a case.",
    measure=lambda: Measurement("text"),
    lesson="01_pruning_lenet",
    heading="Repeat",
)


def made(rows, *, seeds=2, budget="paper", name="made-up", **settings):
    """A record of made-up rows: (method, round) → key → a value, or a list of one a seed."""
    trials = [
        {
            "seed": seed,
            "seconds": 1.0,
            "rows": [
                {"method": method, "round": number}
                | {key: value[seed] if isinstance(value, list) else value for key, value in row.items()}
                for (method, number), row in rows.items()
            ],
        }
        for seed in range(seeds)
    ]
    provenance = {"finished": "2026-01-01", "machine": "m", "device": "cpu", "versions": {"torch": "2"}, "code": "c"}
    return Record(name, budget, {"seeds": list(range(seeds)), **settings}, trials, provenance)


def row_of(claim, *met, records=()):
    return ClaimRow(claim, Measurement("text", tuple(Case("what", "found", m) for m in met)), records)


@pytest.mark.parametrize(
    ("met", "verdict"),
    [
        ((True, True), HOLDS),
        ((True, False), PART),
        ((False, True, True), PART),
        ((False, False), FAILS),
        ((), Outcome.UNTESTED),
    ],
)
def test_a_verdict_is_counted_from_cases(met, verdict):
    assert row_of(CLAIM, *met).verdict is verdict


def changed(**changes):
    return Claim(**{name: getattr(CLAIM, name) for name in CLAIM.__dataclass_fields__} | changes)


@pytest.mark.parametrize(
    ("claim", "record", "limits"),
    [
        (changed(smaller="one layer"), made({}), ["one layer"]),
        (changed(short=True), made({}, budget="desk"), ["runs far shorter than the paper's"]),
        (changed(short=True), made({}, budget="paper"), []),
        (changed(), made({}, budget="desk"), []),
        (changed(), made({}, seeds=1), ["one seed alone"]),
    ],
)
def test_what_limits_the_evidence_lets_it_say_in_part_at_most(claim, record, limits):
    row = row_of(claim, True, True, records=(record,))
    assert row.limits == limits
    assert row.verdict is (PART if limits else HOLDS)
    assert all(limit in row.count for limit in limits)
    assert row_of(claim, False, records=(record,)).verdict is FAILS, "a limit saves nothing"


def test_an_error_is_no_worse_within_a_standard_error_of_the_test_set():
    assert measures.no_worse(0.02, 0.02) and measures.no_worse(0.0213, 0.02) and not measures.no_worse(0.0215, 0.02)
    assert measures.no_worse(0.0, 0.0) and not measures.no_worse(0.0001, 0.0)


# Made-up records in which a claim holds, holds in part, and does not hold


def han(after, *, trained_on=0.02, before=0.02, kept=1_000, network="lenet-300-100", **more):
    rows = {("magnitude", 0): {"kept": 12_000, "test_error": before}}
    rows["magnitude", 5] = {"kept": kept, "test_error": after}
    rows["dense", 5] = {"kept": 12_000, "test_error": trained_on}
    for (method, number), top5 in more.get("top5", {}).items():
        rows[method, number]["test_top5_error"] = top5
    return made(rows, rounds=5, network=network, seeds=more.get("seeds", 2))


def top5(before, after):
    return {("magnitude", 0): before, ("magnitude", 5): after, ("dense", 5): before}


def penalties(*pairs):
    rows = {
        ("weight_decay 0", n): {"test_error_before": b, "test_error": a, "density": 0.1}
        for n, (b, a) in enumerate(pairs, 1)
    }
    return made(rows, densities=[0.3, 0.1][: len(pairs)])


def lottery(*gains, stops=1.0, densities=(0.5, 0.1, 0.03), methods=(), at=(1, 2, 3), **more):
    """Tickets with these gains over a dense network of 90 %, round by round, and other methods with theirs."""

    def row(gain, stop, density):
        error = [0.1 - g for g in gain] if isinstance(gain, list) else 0.1 - gain
        count = [round(1_000 * s) for s in stop] if isinstance(stop, list) else round(1_000 * stop)
        return {"density": density, "test_error": error, "early_stop_test_error": error, "early_stop": count}

    stops = stops if isinstance(stops, tuple) else (stops,) * len(gains)
    rows = {("ticket", 0): row(0.0, 1.0, 1.0)}
    for n, (gain, stop) in enumerate(zip(gains, stops, strict=True), 1):
        rows["ticket", n] = row(gain, stop, densities[n - 1])
    for method, theirs in dict(methods).items():
        for n, gain in zip(at, theirs, strict=True):
            rows[method, n] = row(gain, 2.0, densities[n - 1])
    return made(rows, rounds=len(gains), redrawn=list(at), one_shot=list(at), continued=list(at), **more)


def hidden(curve, *, trained=0.9, xavier=None, constant=None, network="conv-2", widths=None, **more):
    """Supermasks with these accuracies at k = 10, 50, 90 %; widths: width → (supermask, trained)."""
    ks = [0.1, 0.5, 0.9]

    def row(accuracy, k, width=1.0):
        error = [1 - a for a in accuracy] if isinstance(accuracy, list) else 1 - accuracy
        return {"test_error": error, "validation_error": error, "k": k, "width": width}

    rows = {("trained", 0): row(trained, 1.0)}
    for method, accuracies in (("kaiming", curve), ("xavier", xavier), ("signed constant", constant)):
        for n, (k, accuracy) in enumerate(zip(ks, accuracies or [], strict=False), 1):
            rows[method, n] = row(accuracy, k)
    for n, (width, (supermask, its_trained)) in enumerate((widths or {}).items(), 1):
        rows["by width", n] = row(supermask, 0.5, width)
        rows["trained", n] = row(its_trained, 1.0, width)
    recipe = {"iterations": 300}
    return made(rows, ks=ks, k=0.5, initializers=["kaiming"], network=network, recipe=recipe, **more)


def transfer(here, *, own=0.05, sources=("a", "b"), **more):
    """Tickets from elsewhere with this gain over a random one of 80 %; here: (source, target) → gain."""
    trials = []
    for seed in range(2):
        rows = []
        for target in ("a", "b"):
            rows.append(
                {"kind": "random", "source": target, "target": target, "round": 1, "early_stop_test_error": 0.2}
            )
            for source in sources:
                gain = own if source == target and (source, target) not in here else here[source, target]
                found = {"kind": "ticket", "source": source, "target": target, "round": 1, "density": 0.1}
                rows.append(found | {"early_stop_test_error": 0.2 - gain})
        trials.append({"seed": seed, "rows": rows})
    return Record("made-up", "paper", {"seeds": [0, 1]}, trials, {})


def travel(first, second):
    return transfer({("a", "b"): first, ("b", "a"): second})


def by_size(at_a, at_b):
    gains = {
        (s, t): g for t, found in (("a", at_a), ("b", at_b)) for s, g in zip(("a", "half", "tenth"), found, strict=True)
    }
    return transfer(gains, sources=("a", "half", "tenth"))


GOOD, MIXED, BAD = [0.01, 0.02], [0.01, -0.02], [-0.01, -0.02]
WON = {"methods": {"re-initialized": (BAD, BAD, BAD), "one shot": (BAD, BAD, BAD)}}
WIDE = {0.5: ([0.7, 0.7], [0.85, 0.85]), 2: ([0.9, 0.9], [0.93, 0.93])}
NARROWING = {0.5: ([0.7, 0.7], [0.85, 0.85]), 2: ([0.9, 0.5], [0.93, 0.93])}
WORSE = {0.5: ([0.9, 0.9], [0.93, 0.93]), 2: ([0.5, 0.5], [0.93, 0.93])}
PEAK, EDGE = ([0.5, 0.5], [0.8, 0.8], [0.7, 0.7]), ([0.5, 0.5], [0.8, 0.8], [0.9, 0.9])
HALF = ([0.5, 0.5], [0.8, 0.8], [0.7, 0.9])
SCRATCH = {"fine-tuned": (GOOD, GOOD, GOOD)}
AFTER = ([0.02, 0.021], [0.02, 0.03], [0.03, 0.03])
PLANTED = [
    ("S2 fine-tuning", [penalties((0.5, 0.1), (0.9, 0.2))], HOLDS),
    ("S2 fine-tuning", [penalties((0.5, 0.1), (0.2, [0.1, 0.3]))], PART),
    ("S2 fine-tuning", [penalties((0.1, 0.5))], FAILS),
    *((f"S3 {n}", [han(a)], v) for n in ("LeNet-300-100", "LeNet-5") for a, v in zip(AFTER, Outcome, strict=False)),
    ("S3 LeNet-5", [han(AFTER[0], kept=1_200)], PART),
    ("S3 LeNet-5", [han(AFTER[0], seeds=1)], PART),
    ("S3 AlexNet", [han(AFTER[0], top5=top5(0.01, 0.01))], PART),
    ("S3 AlexNet", [han(AFTER[2], top5=top5(0.01, 0.01))], PART),
    ("S3 AlexNet", [han(AFTER[2], top5=top5(0.01, 0.02))], FAILS),
    ("S3 VGG-16", [han(AFTER[0], top5=top5(0.01, 0.01), kept=1_200)], PART),
    ("S3 VGG-16", [han(AFTER[2], top5=top5(0.01, 0.02), kept=1_200)], FAILS),
    ("S4 quality", [han(0.02), han(0.02, network="lenet-5")], HOLDS),
    ("S4 quality", [han(0.02), han(0.02, network="lenet-5", trained_on=[0.02, 0.01])], PART),
    ("S4 quality", [han(0.02, trained_on=0.01), han(0.03, network="lenet-5")], FAILS),
    ("S4 scratch", [lottery(GOOD, GOOD, GOOD, methods=SCRATCH | {"from scratch": (GOOD, GOOD, GOOD)})], HOLDS),
    ("S4 scratch", [lottery(GOOD, GOOD, GOOD, methods=SCRATCH | {"from scratch": (GOOD, MIXED, BAD)})], PART),
    ("S4 scratch", [lottery(GOOD, GOOD, GOOD, methods=SCRATCH | {"from scratch": (BAD, BAD, BAD)})], FAILS),
    ("S6 hypothesis", [lottery(BAD, GOOD, BAD)], HOLDS),
    ("S6 hypothesis", [lottery(BAD, MIXED, BAD)], PART),
    ("S6 hypothesis", [lottery(GOOD, GOOD, BAD, stops=(1.1, 1.2, 0.5))], FAILS),  # never both at once
    ("S7 initial-values", [lottery(GOOD, GOOD, GOOD, **WON)], HOLDS),
    ("S7 initial-values", [lottery(GOOD, GOOD, [-0.03, 0.01], **WON)], PART),
    ("S7 initial-values", [lottery(BAD, BAD, BAD, methods={"re-initialized": (GOOD, GOOD, GOOD)})], FAILS),
    ("S7 repeat", [lottery(BAD, GOOD, GOOD, **WON)], HOLDS),  # at a half of the weights nothing is asked
    ("S7 repeat", [lottery(GOOD, GOOD, BAD, **WON)], PART),
    ("S7 repeat", [lottery(GOOD, BAD, BAD, methods={"one shot": (GOOD, GOOD, GOOD)})], FAILS),
    ("S8 size", [lottery(BAD, BAD, GOOD)], HOLDS),
    ("S8 size", [lottery(GOOD, BAD, MIXED)], PART),
    ("S8 size", [lottery(GOOD, BAD, BAD)], FAILS),  # only a larger ticket wins
    ("S8 size", [lottery(GOOD, BAD, GOOD, densities=(0.5, 0.1, 0.009))], FAILS),  # or a smaller one
    ("S8 faster", [lottery(BAD, BAD, BAD, stops=(2.0, 0.9, 0.5))], HOLDS),
    ("S8 faster", [lottery(BAD, BAD, BAD, stops=(0.5, 0.5, [0.9, 1.0]))], PART),
    ("S8 faster", [lottery(GOOD, GOOD, GOOD, stops=(0.5, 1.0, 1.1))], FAILS),
    *((f"S8 {w}", [lottery(BAD, GOOD, [0.0, 0.01])], HOLDS) for w in ("accuracy", "convolutions", "depth")),
    *((f"S8 {w}", [lottery(GOOD, GOOD, MIXED)], PART) for w in ("accuracy", "convolutions", "depth")),
    *((f"S8 {w}", [lottery(GOOD, BAD, BAD)], FAILS) for w in ("accuracy", "convolutions", "depth")),
    ("S8 convolutions", [lottery(BAD, GOOD, GOOD, budget="desk")], PART),
    ("S10 search", [hidden(PEAK, widths=WIDE)], HOLDS),
    ("S10 search", [hidden(PEAK, widths=NARROWING)], PART),
    ("S10 search", [hidden(PEAK, widths=WORSE)], FAILS),
    ("S13 share", [hidden(PEAK), hidden(PEAK, network="conv-4")], HOLDS),
    ("S13 share", [hidden(PEAK), hidden(HALF, network="conv-4")], PART),
    ("S13 share", [hidden(EDGE), hidden(EDGE, network="conv-4")], FAILS),
    ("S13 share", [hidden(PEAK, budget="desk"), hidden(PEAK, network="conv-4")], PART),
    ("S13 trained", [hidden(PEAK, trained=0.8), hidden(PEAK, trained=0.7, network="conv-4")], HOLDS),
    ("S13 trained", [hidden(PEAK), hidden(PEAK, network="conv-4")], PART),
    ("S13 trained", [hidden(([0.1, 0.1], [0.2, 0.2], [0.3, 0.4])), hidden(([0.1, 0.1],) * 3, network="conv-4")], FAILS),
    ("S13 depth", [hidden(PEAK), hidden(EDGE, network="conv-4")], HOLDS),
    ("S13 depth", [hidden(PEAK), hidden(HALF, network="conv-4")], PART),
    ("S13 depth", [hidden(EDGE), hidden(PEAK, network="conv-4")], FAILS),
    ("S13 depth", [hidden(PEAK, budget="desk"), hidden(EDGE, network="conv-4")], Outcome.UNTESTED),
    ("S14 width", [hidden(PEAK, widths=WIDE)], PART),
    ("S14 width", [hidden(PEAK, widths=NARROWING)], PART),
    ("S14 width", [hidden(PEAK, widths=WORSE)], FAILS),
    ("S14 Kaiming", [hidden(EDGE, xavier=PEAK[:2] + PEAK[:1]), hidden(EDGE, xavier=([0.1, 0.1],) * 3)], PART),
    ("S14 Kaiming", [hidden(EDGE, xavier=([0.1, 0.1],) * 3), hidden(EDGE, xavier=([0.1, 0.1],) * 3)], HOLDS),
    ("S14 Kaiming", [hidden(PEAK, xavier=EDGE), hidden(PEAK, xavier=EDGE)], FAILS),
    ("S14 constant", [hidden(PEAK, constant=([0.9, 0.9],) * 3)], PART),
    ("S14 constant", [hidden(PEAK, constant=PEAK)], FAILS),
    ("source 2 photographs", [travel(0.04, 0.03)], HOLDS),
    *((f"source 2 {w}", [travel(0.04, 0.03)], PART) for w in ("data", "optimizer")),
    *((f"source 2 {w}", [travel(0.04, 0.02)], PART) for w in ("data", "photographs", "optimizer")),
    *((f"source 2 {w}", [travel(0.02, -0.01)], FAILS) for w in ("data", "photographs", "optimizer")),
    ("source 2 data", [transfer({("a", "b"): 0.04, ("b", "a"): 0.04}, own=-0.01)], Outcome.UNTESTED),
    ("source 2 size", [by_size((0.05, 0.04, 0.03), (0.05, 0.04, 0.03))], PART),
    ("source 2 size", [by_size((0.05, 0.04, 0.03), (0.03, 0.04, 0.03))], PART),
    ("source 2 size", [by_size((0.03, 0.04, 0.05), (0.03, 0.04, 0.03))], FAILS),
]  # fmt: skip


@pytest.mark.parametrize(("key", "records", "verdict"), PLANTED, ids=[f"{k}: {v}" for k, _, v in PLANTED])
def test_a_verdict_follows_from_what_the_records_say(key, records, verdict):
    claim = BY_KEY[key]
    row = ClaimRow(claim, claim.measure(*records), tuple(records))
    assert row.verdict is verdict, f"{row.measured.text}\n{row.evidence}"
    assert row.measured.text and "nan" not in row.measured.text


def test_each_claim_that_rests_on_records_was_planted_with_every_verdict_that_it_can_have():
    planted = {}
    for key, _, verdict in PLANTED:
        planted.setdefault(key, set()).add(verdict)
    recorded = {claim.key for claim in CLAIMS if claim.records}
    assert planted.keys() == recorded
    for key in recorded:
        assert planted[key] >= ({PART, FAILS} if BY_KEY[key].smaller else {HOLDS, PART, FAILS}), key


def test_evidence_at_the_desk_of_a_claim_that_needs_the_papers_length_is_in_part():
    for claim in (c for c in CLAIMS if c.short and "paper" in c.budgets):
        key, records, _ = next(p for p in PLANTED if p[0] == claim.key and p[2] is HOLDS)
        again = tuple(Record(**(vars(r) | {"budget": "desk"})) for r in records)
        assert ClaimRow(BY_KEY[key], claim.measure(*again), again).verdict is PART


# What is computed


def test_neurons_whose_biases_are_lost_are_seen(monkeypatch):
    right = demonstrations.neurons.remove

    def forgetful(network, mask):
        smaller, its_mask = right(network, mask)
        for name, p in smaller.named_parameters():
            if name.endswith("bias"):
                p.data.zero_()
        return smaller, its_mask

    assert all(case.met for case in demonstrations.neurons_removed().cases)
    monkeypatch.setattr(demonstrations.neurons, "remove", forgetful)
    assert not any(case.met for case in demonstrations.neurons_removed().cases)


@pytest.mark.parametrize(("loop", "other"), [("pruning_loop", "keep"), ("ticket_loop", "to_init")])
def test_a_loop_that_returns_to_the_wrong_weights_is_seen(monkeypatch, loop, other):
    assert [case.met for case in getattr(demonstrations, loop)().cases] == [True] * 3
    wrong = {"keep": demonstrations.to_init, "to_init": demonstrations.keep}[other]
    monkeypatch.setattr(demonstrations, other, wrong)
    assert [case.met for case in getattr(demonstrations, loop)().cases] == [True, True, False]


def test_a_printed_number_that_does_not_follow_is_seen(monkeypatch):
    rows = dict(demonstrations.papers.HAN_TABLE_1)
    rows["alexnet"] = type(rows["alexnet"])("AlexNet", (0.4, 0.4), None, ("62M", "7.2M"), 9)
    monkeypatch.setattr(demonstrations.papers, "HAN_TABLE_1", rows)
    for count in (demonstrations.parameters_counted, demonstrations.compression_counted):
        assert {case.what.split(",")[0]: case.met for case in count().cases} == {
            "LeNet-300-100": True, "LeNet-5": True, "AlexNet": False, "VGG-16": True,
        }  # fmt: skip


def test_a_subnetwork_that_is_chosen_by_lot_is_seen(monkeypatch):
    right = demonstrations.subset_sum.contain

    def by_lot(weight, n):
        network, mask = right(weight, n)
        generator = torch.Generator().manual_seed(n)
        return network, {name: torch.rand(m.shape, generator=generator) < 0.5 for name, m in mask.items()}

    assert all(case.met for case in demonstrations.contained().cases)
    monkeypatch.setattr(demonstrations.subset_sum, "contain", by_lot)
    assert not demonstrations.contained().cases[1].met


def test_scores_of_unused_edges_that_do_not_learn_are_seen(monkeypatch):
    right = demonstrations.supermasks.Subnetwork.backward

    def only_used(ctx, *grads):
        gradient, *rest = right(ctx, *grads)
        scores = ctx.saved_tensors[0].abs()
        return gradient * (scores >= scores.median()), *rest

    assert all(case.met for case in demonstrations.popup_scores().cases)
    monkeypatch.setattr(demonstrations.supermasks.Subnetwork, "backward", staticmethod(only_used))
    assert [case.met for case in demonstrations.popup_scores().cases] == [True, False] * 3


def test_a_weight_that_moves_is_seen(monkeypatch):
    right = demonstrations.train

    def nudge(network, *arguments):
        result = right(network, *arguments)
        demonstrations.supermasks.frozen(network)["fc2.weight"][0, 0] += 1e-6
        return result

    assert all(case.met for case in demonstrations.popup_weights().cases)
    monkeypatch.setattr(demonstrations, "train", nudge)
    assert [case.met for case in demonstrations.popup_weights().cases] == [True, False, True]


@pytest.mark.parametrize("formula", ["xavier", "kaiming"])
def test_weights_of_another_formula_are_seen(monkeypatch, formula):
    right = demonstrations.named
    assert all(case.met for case in demonstrations.drawn_as(formula)().cases)
    other = {"xavier": "kaiming", "kaiming": "xavier"}[formula]
    monkeypatch.setattr(demonstrations, "named", lambda _: right(other))
    assert not any(case.met for case in demonstrations.drawn_as(formula)().cases)


def test_n_counts_neurons_in_dense_layers_and_more_in_convolutions(monkeypatch):
    assert [case.met for case in demonstrations.neurons_counted().cases] == [True, False]
    monkeypatch.setattr(demonstrations, "kaiming_normal", lambda w, g: 0.1 * torch.randn(w.shape, generator=g))
    assert [case.met for case in demonstrations.neurons_counted().cases] == [False, False]


def test_what_is_computed_prints_the_same_each_time(whole):
    again = {row.claim.key: row.measured for row in claims.table().rows if not row.records}
    assert again == {row.claim.key: row.measured for row in whole.rows if not row.records}


# The table, and a claim alone


class Cells(HTMLParser):
    """The texts of each row of an HTML table, and where its links lead."""

    def __init__(self, text):
        super().__init__()
        self.rows, self.links, self.open = [], [], []
        self.feed(text)
        assert not self.open, f"not closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        if tag == "br":
            return
        self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("td", "th"):
            self.rows[-1].append("")
        self.links += [value for name, value in attrs if name == "href"]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.rows and self.rows[-1]:
            self.rows[-1][-1] += data.replace("\xa0", " ")  # before %, so that no line ends there


def test_the_notebooks_table_says_the_verdict_in_words_and_leads_to_each_cell(whole):
    table = Cells(whole._repr_html_())
    assert [len(row) for row in table.rows] == [6] * (len(CLAIMS) + 1)
    for claim, row, cells, link in zip(CLAIMS, whole.rows, table.rows[1:], table.links, strict=True):
        assert cells[0] == claim.slide + claim.key.removeprefix(f"{claim.slide} ")
        assert claim.says in cells[1] and claim.case in cells[1] and claim.paper in cells[2]
        assert row.origin in cells[3] and str(row.verdict) in cells[4] and row.count in cells[4]
        assert link == claim.link()


def cells_of(line):
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


@pytest.mark.parametrize(("form", "columns"), [("_repr_markdown_", 6), ("readme", 5)])
def test_a_markdown_table_has_a_line_a_claim(whole, form, columns):
    lines = getattr(whole, form)().splitlines()
    assert [len(cells_of(line)) for line in lines] == [columns] * (len(CLAIMS) + 2)
    for row, line in zip(whole.rows, lines[2:], strict=True):
        assert row.claim.says in line and row.result in line and row.origin in line


def test_every_link_of_the_readme_leads_to_a_heading(whole):
    links = re.findall(r"\]\(notebooks/([^)#]+)\.ipynb#([^)\s]+)\) \|$", whole.readme(), re.MULTILINE)
    assert len(links) == len(CLAIMS)
    for lesson, anchor in links:
        text = (ROOT / "lessons" / f"{lesson}.py").read_text(encoding="utf-8")
        # JupyterLab's anchors, which GitHub knows, too: the heading's text, blanks as hyphens
        assert anchor in {h.replace(" ", "-") for h in re.findall(r"^# ## (.+)$", text, re.MULTILINE)}


def test_the_table_of_one_slide_and_of_some_verdicts(whole):
    assert {row.claim.key for row in claims.table("S8").rows} == {f"S8 {word}" for word in SAID["S8"]}
    assert {row.claim.slide for row in claims.table("S8", "S1").rows} == {"S8", "S1"}
    some = whole.of(PART, FAILS)
    assert {row.verdict for row in some.rows} <= {PART, FAILS}
    assert len(some.rows) == whole.verdicts[PART] + whole.verdicts.get(FAILS, 0)
    with pytest.raises(ValueError, match="unknown slide 'S5'"):
        claims.table("S5")


def test_a_claim_alone_shows_every_case_and_where_its_record_was_made():
    row = claims.examine("S8 accuracy")
    assert len(row.evidence.rows) == len(row.measured.cases) > 3
    text = str(row)
    for part in (row.claim.says, row.claim.paper, row.claim.case, row.measured.text, str(row.verdict), "recorded 20"):
        assert part in text
    with pytest.raises(ValueError, match="did you mean 'S8 faster'"):
        claims.examine("S8 fster")


def test_a_record_that_is_not_there_is_named_with_the_command_that_makes_it(monkeypatch, tmp_path):
    monkeypatch.setattr(runs, "FOLDER", tmp_path)
    row = claims.examine("S4 quality")
    assert row.verdict is Outcome.MISSING and row.count == ""
    assert "`ltcourse record han-lenet-5 --budget desk`" in row.measured.text
    assert row.missing == ("han-lenet-300-100", "han-lenet-5") and "han-lenet-5" in row.origin


def test_a_paper_record_comes_before_a_desk_record(monkeypatch, tmp_path):
    monkeypatch.setattr(runs, "FOLDER", tmp_path)
    for at in ("desk", "paper"):
        runs._write(runs.path("lottery-conv-2", at), lottery(BAD, GOOD, GOOD, budget=at, name="lottery-conv-2"))
        assert claims.examine("S8 convolutions").records[0].budget == at
    assert claims.examine("S8 convolutions").verdict is HOLDS


def test_the_table_is_made_in_seconds(whole):
    assert fastest(lambda _: claims.table(), range(3)) < max(3, 60 * plain()), "0.2 s where this was written"


# The README


def test_the_readme_has_the_table_as_it_is_now(whole):
    text = readme.FILE.read_text(encoding="utf-8")
    assert readme.replaced(text) == text, "run `python tools/readme_claims.py`"
    for row in whole.rows:
        assert row.claim.says in text


def test_another_verdict_would_be_seen_in_the_readme(monkeypatch):
    text = readme.FILE.read_text(encoding="utf-8")
    monkeypatch.setattr(verdicts.ClaimRow, "verdict", property(lambda row: FAILS))
    assert readme.replaced(text) != text
    assert readme.replaced(readme.replaced(text)) == readme.replaced(text)


@pytest.mark.parametrize("mark", [readme.BEGIN, readme.END])
def test_a_readme_without_a_place_for_the_table_is_refused(mark):
    text = readme.FILE.read_text(encoding="utf-8")
    with pytest.raises(ValueError, match="no place for the claims"):
        readme.replaced(text.replace(mark, ""))
