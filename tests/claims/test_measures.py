"""Each claim that rests on records is planted with made-up ones of every answer, and gives that answer."""

import pytest
from made_up_records import (
    DOWN,
    OPEN,
    UP,
    around,
    by_size,
    han,
    hidden,
    lottery,
    made,
    penalties,
    travel,
)

from ltcourse.claims import demonstrations
from ltcourse.claims.catalog import CLAIMS
from ltcourse.claims.verdicts import ClaimRow, Direction

FOR, MIXED, AGAINST, UNTESTED = Direction
BY_KEY = {claim.key: claim for claim in CLAIMS}
LENETS = ("S3 LeNet-300-100", "S3 LeNet-5")
ONE = ("S8 convolutions", "S8 depth")
SOON, LATE = [0.5, 0.52, 0.51], [1.5, 1.52, 1.51]
AT_ONCE = [0.45, 0.95, 0.8]  # sooner at every seed, and three seeds cannot tell
NEW = {"re-initialized": (DOWN, DOWN, DOWN)}
SHOT = {"one shot": (DOWN, DOWN, DOWN)}


def wide(narrow, wide):
    return hidden((DOWN, [0.0] * 3, DOWN), widths={0.5: (narrow, UP), 2: (wide, UP)})


def filters(most, fewest):
    """How far training from scratch for longer is ahead of fine-tuning, at the most and the fewest filters."""
    rows = {}
    for n, lead in enumerate((most, DOWN, fewest), 1):
        rows["fine-tuned", n] = {"test_error": 0.1}
        rows["from scratch, longer", n] = {"test_error": [0.1 - gain for gain in lead]}
    return made(rows, shares=[0.5, 0.25, 0.1], recipe={"lr": 0.02})


PLANTED = [
    ("S2 fine-tuning", [penalties(DOWN, DOWN)], FOR),
    ("S2 fine-tuning", [penalties(DOWN, OPEN)], MIXED),
    ("S2 fine-tuning", [penalties(UP, OPEN)], AGAINST),
    *((key, [han(change)], said) for key in LENETS for change, said in ((DOWN, FOR), (OPEN, MIXED), (UP, AGAINST))),
    *((key, [han(around(0.0003, 0.00001))], AGAINST) for key in LENETS),  # a third of the test set's standard error
    *((key, [han(DOWN, kept=1_200)], UNTESTED) for key in LENETS),  # 10× is not 12×
    ("S3 AlexNet", [han(DOWN, top5=DOWN, kept=1_330)], FOR),
    ("S3 AlexNet", [han(DOWN, top5=UP, kept=1_330)], MIXED),
    ("S3 AlexNet", [han(UP, top5=OPEN, kept=1_330)], AGAINST),
    ("S3 AlexNet", [han([-0.0036, -0.0027], top5=DOWN[:2], kept=1_330, seeds=2)], MIXED),  # two seeds
    ("S3 VGG-16", [han(DOWN, top5=DOWN, kept=920)], FOR),
    ("S3 VGG-16", [han(OPEN, top5=DOWN, kept=920)], MIXED),
    ("S3 VGG-16", [han(UP, top5=UP, kept=920)], AGAINST),
    ("S3 VGG-16", [han(DOWN, top5=DOWN, kept=1_200)], UNTESTED),
    ("S4 quality", [han(UP, trained_on=DOWN), han(UP, trained_on=DOWN, network="lenet-5")], FOR),
    ("S4 quality", [han(DOWN, trained_on=DOWN), han(DOWN, trained_on=UP, network="lenet-5")], MIXED),
    ("S4 quality", [han(DOWN, trained_on=UP), han(DOWN, trained_on=OPEN, network="lenet-5")], AGAINST),
    ("S4 scratch", [lottery(UP, UP, UP, methods={"re-initialized": (DOWN, UP, UP)})], FOR),
    ("S4 scratch", [lottery(UP, UP, UP, methods={"re-initialized": (UP, UP, DOWN)})], MIXED),
    ("S4 scratch", [lottery(UP, UP, UP, methods={"re-initialized": (UP, OPEN, DOWN)})], AGAINST),
    ("S4 scratch", [lottery(UP, methods={"re-initialized": (DOWN,)})], UNTESTED),  # a half is not far smaller
    ("S4 filters", [filters(UP, UP), filters(UP, UP)], FOR),  # in between nothing is asked
    ("S4 filters", [filters(UP, UP), filters(UP, OPEN)], MIXED),
    ("S4 filters", [filters(DOWN, DOWN), filters(OPEN, DOWN)], AGAINST),
    ("S6 hypothesis", [lottery(DOWN, UP, DOWN, stops=(LATE, SOON, LATE))], FOR),
    ("S6 hypothesis", [lottery(UP, UP, UP, stops=(SOON, AT_ONCE, SOON))], MIXED),
    ("S6 hypothesis", [lottery(UP, DOWN, UP, stops=(SOON, SOON, SOON))], MIXED),  # sooner, and never as good
    ("S6 hypothesis", [lottery(UP, DOWN, UP, stops=(SOON, LATE, SOON))], AGAINST),
    ("S6 hypothesis", [lottery(UP, stops=(SOON,), densities=(0.8,))], UNTESTED),  # four fifths are not far smaller
    ("S6 hypothesis", [lottery(UP, stops=(SOON,), densities=(0.009,))], UNTESTED),
    ("S7 initial-values", [lottery(DOWN, DOWN, DOWN, methods={"re-initialized": (UP, [-0.02] * 3, [-0.02] * 3)})], FOR),
    ("S7 initial-values", [lottery(UP, UP, OPEN, methods=NEW)], MIXED),
    ("S7 initial-values", [lottery(UP, UP, UP, ends=(UP, UP, DOWN), methods=NEW)], MIXED),  # the end counts, too
    ("S7 initial-values", [lottery(DOWN, DOWN, DOWN, methods={"re-initialized": (UP, UP, UP)})], AGAINST),
    ("S7 repeat", [lottery(DOWN, UP, UP, methods=SHOT)], FOR),  # at a half of the weights nothing is asked
    ("S7 repeat", [lottery(UP, OPEN, UP, methods=SHOT)], MIXED),
    ("S7 repeat", [lottery(UP, DOWN, DOWN, methods={"one shot": (UP, UP, UP)})], AGAINST),
    ("S8 faster", [lottery(UP, UP, UP, stops=(LATE, SOON, SOON))], FOR),
    ("S8 faster", [lottery(UP, UP, UP, stops=(SOON, SOON, AT_ONCE))], MIXED),
    ("S8 faster", [lottery(UP, UP, UP, stops=(SOON, LATE, 1.0))], AGAINST),
    ("S8 accuracy", [lottery(DOWN, UP, UP)], FOR),
    ("S8 accuracy", [lottery(UP, UP, UP, ends=(UP, UP, OPEN))], MIXED),  # the early stop alone is not enough
    ("S8 accuracy", [lottery(UP, DOWN, DOWN)], AGAINST),
    *((key, [lottery(DOWN, UP, UP)], FOR) for key in ONE),
    *((key, [lottery(UP, UP, DOWN)], MIXED) for key in ONE),
    *((key, [lottery(UP, OPEN, DOWN)], AGAINST) for key in ONE),
    *((key, [lottery([0.01], [0.01], [0.02])], UNTESTED) for key in ONE),  # one seed
    ("S8 rewinding", [lottery(UP, DOWN, DOWN, methods={"rewound": (DOWN, UP, UP)})], FOR),
    ("S8 rewinding", [lottery(UP, UP, OPEN, methods={"rewound": (UP, [0.03] * 3, UP)})], MIXED),
    ("S8 rewinding", [lottery(UP, UP, UP, methods={"rewound": (UP, DOWN, DOWN)})], AGAINST),
    ("S8 rewinding", [lottery(UP, [-0.03] * 3, [-0.03] * 3, methods={"rewound": (UP, UP, DOWN)})], MIXED),  # dense
    ("S10 search", [hidden(widths={0.25: (DOWN, DOWN), 4: (UP, UP)})], FOR),
    ("S10 search", [hidden(widths={0.25: (DOWN, [0.0] * 3), 4: ([0.0009, -0.0012, -0.001], UP)})], MIXED),
    ("S10 search", [hidden(widths={0.25: (DOWN, UP), 4: (DOWN, UP)})], AGAINST),
    ("S13 share", [hidden(), hidden(network="conv-4")], FOR),
    ("S13 share", [hidden((DOWN, UP, OPEN)), hidden(network="conv-4")], MIXED),
    ("S13 share", [hidden((DOWN, DOWN, UP)), hidden((DOWN, DOWN, UP), network="conv-4")], MIXED),  # at the largest
    ("S13 share", [hidden((UP, DOWN, UP)), hidden(([0.01] * 3,) * 3, network="conv-4")], AGAINST),
    ("S13 share", [hidden(ks=(0.1, 0.5, 0.9)), hidden(network="conv-4")], UNTESTED),  # 100 % was never run
    ("S13 trained", [hidden(), hidden(network="conv-4")], FOR),
    ("S13 trained", [hidden(), hidden(trained=DOWN, network="conv-4")], MIXED),
    ("S13 trained", [hidden(trained=DOWN), hidden(trained=[-0.39] * 3, network="conv-4")], AGAINST),
    ("S13 depth", [hidden((DOWN, DOWN, DOWN)), hidden((DOWN, UP, DOWN), network="conv-4")], FOR),
    ("S13 depth", [hidden((DOWN, [0.0] * 3, DOWN)), hidden((DOWN, OPEN, DOWN), network="conv-4")], MIXED),
    ("S13 depth", [hidden(), hidden((DOWN, DOWN, DOWN), network="conv-4")], AGAINST),
    ("S14 width", [wide(DOWN, UP)], FOR),
    ("S14 width", [wide(DOWN, OPEN)], MIXED),
    ("S14 width", [wide([-0.03] * 3, DOWN)], MIXED),  # the ends alone would be for
    ("S14 width", [wide(UP, DOWN)], AGAINST),
    *(
        (key, [hidden(kinds={kind: (first, second, second)})], said)
        for key, kind, sides in (
            ("S14 Kaiming", "xavier", ((DOWN, DOWN, FOR), (UP, DOWN, MIXED), (UP, OPEN, AGAINST))),
            ("S14 constant", "signed constant", ((UP, UP, FOR), (UP, DOWN, MIXED), (DOWN, OPEN, AGAINST))),
        )
        for first, second, said in sides
    ),
    *(
        (f"source 2 {word}", [travel(first, second)], said)
        for word in ("data", "photographs", "optimizer")
        for first, second, said in ((UP, UP, FOR), (UP, OPEN, MIXED), (DOWN, OPEN, AGAINST))
    ),
    ("source 2 data", [travel(UP, UP, density=0.3)], UNTESTED),
    ("source 2 size", [by_size(UP)], FOR),
    ("source 2 size", [by_size(OPEN)], MIXED),
    ("source 2 size", [by_size(UP, half=DOWN)], MIXED),
    ("source 2 size", [by_size(DOWN)], AGAINST),
    ("source 2 size", [by_size(UP, density=0.3)], UNTESTED),
]


@pytest.mark.parametrize(("key", "records", "direction"), PLANTED, ids=[f"{k}: {d}" for k, _, d in PLANTED])
def test_a_direction_follows_from_what_the_records_say(key, records, direction):
    claim = BY_KEY[key]
    row = ClaimRow(claim, claim.measure(*records), tuple(records))
    assert row.direction is direction, "\n".join(row.lines)
    assert "nan" not in " ".join(row.lines)


def test_each_claim_that_rests_on_records_was_planted_with_every_direction():
    planted = {}
    for key, _, direction in PLANTED:
        planted.setdefault(key, set()).add(direction)
    assert planted.keys() == {claim.key for claim in CLAIMS if claim.records}
    for key, directions in planted.items():
        assert directions >= {FOR, MIXED, AGAINST}, key


@pytest.mark.parametrize("claim", [pytest.param(c, id=c.key) for c in CLAIMS if c.records])
def test_a_run_is_one_value_however_many_sizes_it_has(claim):
    for key, records, direction in PLANTED:
        if key == claim.key and direction is not UNTESTED:
            for number in claim.measure(*records).numbers:
                assert number.seeds == tuple(range(len(records[0].trials)))


def test_the_largest_far_smaller_ticket_decides_and_not_the_best_of_many():
    """One winner among many sizes is what luck would find."""
    record = lottery(UP, DOWN, UP, stops=(SOON, LATE, SOON), densities=(0.5, 0.12, 0.03))
    row = ClaimRow(BY_KEY["S6 hypothesis"], BY_KEY["S6 hypothesis"].measure(record), (record,))
    assert row.direction is AGAINST and all("12.0 %" in n.what for n in row.measured.numbers)
    assert row.lines[-1] == "both at once, seeds: 0 of 3 [Wilson: 0 to 56 %]"


def test_what_does_not_decide_stands_beside():
    record = lottery(UP, UP, DOWN, methods=NEW | {"random": (DOWN, DOWN, DOWN), "rewound": (UP, UP, UP)})
    told = BY_KEY["S8 depth"].measure(record).also
    assert all(f"{method} minus dense, P_m = 3.0 %" in told for method in ("re-initialized", "random", "rewound"))
    scratch = BY_KEY["S4 scratch"].measure(lottery(UP, UP, UP, methods={"re-initialized": (UP, OPEN, DOWN)})).also
    assert scratch.startswith("from scratch falls short at P_m = 3.0 %; P_m = 50.0 % +1.00 points")


def test_a_k_is_chosen_on_the_validation_set():
    record = hidden((DOWN, UP, DOWN))
    for row in (row for t in record.trials for row in t["rows"]):
        row["validation_error"] = 0.1 if row["k"] == 0.1 else 0.2  # on the validation set the smallest k is best
    assert all("k = 10 % minus" in n.what for n in BY_KEY["S13 share"].measure(record).numbers)


# What is computed


def test_a_printed_number_that_does_not_follow_is_seen(monkeypatch):
    rows = dict(demonstrations.papers.HAN_TABLE_1)
    rows["alexnet"] = type(rows["alexnet"])("AlexNet", (0.4, 0.4), None, ("62M", "7.2M"), 9)
    monkeypatch.setattr(demonstrations.papers, "HAN_TABLE_1", rows)
    for count in (demonstrations.parameters_counted, demonstrations.compression_counted):
        assert {number.what.split(",")[0]: number.met for number in count().numbers} == {
            "LeNet-300-100": True, "LeNet-5": True, "AlexNet": False, "VGG-16": True,
        }  # fmt: skip


@pytest.fixture
def anew():
    """What is computed is computed again, before and after."""
    demonstrations.contained.cache_clear()
    yield
    demonstrations.contained.cache_clear()


def test_a_subnetwork_that_is_chosen_at_random_is_seen(monkeypatch, anew):
    right = demonstrations.subset_sum.contain

    def at_random(weight, n, seed):
        network, mask = right(weight, 2, seed)
        return network, {name: m & (m.cumsum(1) % 2 == n % 2) for name, m in mask.items()}

    monkeypatch.setattr(demonstrations.subset_sum, "contain", at_random)
    assert demonstrations.contained().numbers[0].says is AGAINST


def test_a_subnetwork_whose_weights_were_changed_is_refused(monkeypatch, anew):
    right = demonstrations.masks.apply

    def nudged(network, mask):
        right(network, mask)
        network[0].weight.data += 1e-3

    monkeypatch.setattr(demonstrations.masks, "apply", nudged)
    with pytest.raises(RuntimeError, match="was changed"):
        demonstrations.contained()


def test_nothing_is_asked_of_a_record_without_far_smaller_tickets():
    record = made({("ticket", 0): {"density": 1.0}, ("ticket", 1): {"density": 0.5}}, rounds=1)
    for key in ("S6 hypothesis", "S8 faster", "S8 accuracy", "S8 rewinding"):
        assert BY_KEY[key].measure(record).untested == "no size of 1–15 % was recorded"
