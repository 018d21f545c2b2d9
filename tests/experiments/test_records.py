"""The records in the repository are of the experiments as they stand, on the data as it is."""

from statistics import fmean

import pytest

from ltcourse import data
from ltcourse.display import tickets
from ltcourse.experiments import catalog, runs
from ltcourse.experiments.lottery import Lottery
from ltcourse.experiments.transfer import Transfer
from ltcourse.experiments.transfer_matrix import TransferMatrix
from ltcourse.instruments.statistics import student
from ltcourse.networks import masks, models

RECORDS = [tuple(path.name.split(".")[:2]) for path in runs.recorded()]


def test_there_are_records():
    assert {("han-lenet-300-100", "desk"), ("han-lenet-5", "desk"), ("penalties-lenet-300-100", "desk")} <= set(RECORDS)


@pytest.mark.parametrize(("name", "at"), RECORDS)
def test_a_record_is_of_the_settings_and_the_data_that_the_code_has_now(name, at):
    record = runs.load(name, at)
    assert record.settings == catalog.settings(name, at).to_dict(), "make it again: `ltcourse record`"
    parts = [record.provenance, *record.provenance.get("before", [])]
    assert {part["data_sha256"] for part in parts} == {data.load(record.settings["data"]).sha256}
    assert not any("+changes" in part["code"] for part in parts), "recorded by code that was never committed"


@pytest.mark.parametrize(("name", "at"), RECORDS)
def test_a_record_has_each_row_of_each_of_its_trials_once(name, at):
    record = runs.load(name, at)
    seeds = [trial["seed"] for trial in record.trials]
    assert seeds == sorted(set(seeds)) and seeds and set(seeds) <= set(record.settings["seeds"])
    rows = [[(row["method"], row["round"]) for row in trial["rows"]] for trial in record.trials]
    assert all(len(set(found)) == len(found) for found in rows)
    assert all(found == rows[0] for found in rows), "the seed decides the numbers and not which rows there are"


LOTTERIES = [(name, at) for name, at in RECORDS if isinstance(catalog.settings(name, at), Lottery)]


def of_rounds(sizes, rates, number):
    """What is left of each of these numbers of weights after rounds of pruning, each of which rounds."""
    for _ in range(number):
        sizes = {name: n - round(rates[name] * n) for name, n in sizes.items()}
    return sizes


@pytest.mark.parametrize(("name", "at"), LOTTERIES)
def test_a_lottery_keeps_as_many_weights_as_its_rates_say(name, at):
    chosen = catalog.settings(name, at)
    mask = masks.dense(models.create(chosen.network, device="meta"))
    sizes = {layer: m.numel() for layer, m in mask.items()}
    total, by_layer = sum(sizes.values()), chosen.scope == "layer"
    for trial in runs.load(name, at).trials:
        assert len(trial["rows"]) == chosen.trainings
        for row in trial["rows"]:
            rounds, times = (row["round"], 1) if row["method"] == "one shot" else (1, row["round"])
            rate = chosen.rates(mask, rounds)
            groups, rates = (sizes, rate) if by_layer else ({"all": total}, {"all": rate})
            left = of_rounds(groups, rates, times)
            assert row["kept"] == sum(left.values()), (row["method"], row["round"])
            assert row["density"] == row["kept"] / total
            layers = {layer: share * sizes[layer] for layer, share in row["layers"].items()}
            assert sum(layers.values()) == pytest.approx(row["kept"])
            if by_layer:
                assert layers == pytest.approx(left)


TRANSFERS = [(name, at) for name, at in RECORDS if isinstance(catalog.settings(name, at), Transfer)]


@pytest.mark.parametrize(("name", "at"), TRANSFERS)
def test_a_transfer_has_all_its_rows_each_on_the_data_of_its_target(name, at):
    chosen = catalog.settings(name, at)
    digests = {task.name: data.load(task.data).sha256 for task in chosen.tasks}
    for trial in runs.load(name, at).trials:
        assert len(trial["rows"]) == chosen.trainings
        for row in trial["rows"]:
            assert row["data_sha256"] == digests[row["target"]]
            assert row["density"] == pytest.approx((1 - chosen.rate) ** row["round"], rel=0.05)


@pytest.mark.parametrize("name", ["lenet-300-100", "lenet-5"])
def test_a_twelfth_of_the_weights_is_recorded_as_no_worse_than_the_dense_reference(name):
    record = runs.load(f"han-{name}", "desk")
    last = record.settings["rounds"]
    dense, pruned = (record.values("magnitude", i, "test_error") for i in (0, last))
    assert len(dense) >= 3
    assert sum(pruned) <= sum(dense)
    (kept,) = set(record.values("magnitude", last, "kept"))
    assert kept * 12 <= models.weight_count(models.create(name, device="meta"))


# What the lessons say in prose about what was recorded


def mean(record, method, number, key):
    values = record.values(method, number, key)
    return sum(values) / len(values)


def test_tickets_are_recorded_at_the_papers_settings_as_faster_and_more_accurate():
    """Lesson 03: at 21.1 %, 13.5 % and 3.6 % of the weights, 3 seeds or more, read at the early stop."""
    record = runs.load("lottery-lenet-300-100", "paper")
    assert len(record.trials) >= 3 and record.settings["recipe"]["iterations"] == 50_000
    key = "early_stop_test_accuracy"
    for number in (7, 9, 15):
        assert min(record.change("ticket", number, key)) > 0
        assert mean(record, "re-initialized", number, key) < mean(record, "ticket", number, key)
    assert mean(record, "ticket", 7, "early_stop") < mean(record, "ticket", 0, "early_stop")
    assert mean(record, "re-initialized", 7, "early_stop") > 1.5 * mean(record, "ticket", 7, "early_stop")
    assert mean(record, "random", 15, key) < mean(record, "re-initialized", 15, key)


def test_other_ways_to_a_ticket_are_recorded_as_worse_at_the_smallest_size():
    """Lesson 03: from scratch falls behind below half of the weights; iterative pruning with reset is best at 3.6 %."""
    record = runs.load("lottery-lenet-300-100", "desk")
    last = record.settings["rounds"]
    order = ["ticket", "reset at the end", "one shot", "re-initialized", "random"]
    found = [mean(record, way, last, "test_accuracy") for way in order]
    assert found == sorted(found, reverse=True)
    lost = [mean(record, "from scratch", n, "test_accuracy") for n in record.settings["continued"]]
    assert lost == sorted(lost, reverse=True) and lost[-1] < mean(record, "ticket", 0, "test_accuracy")


def test_the_residual_network_is_recorded_with_tickets_at_iteration_0():
    """Lesson 04: in runs as short as these the ticket leads; they are the short end of the argument about length."""
    record = runs.load("lottery-resnet", "desk")
    last = record.settings["rounds"]
    dense = mean(record, "ticket", 0, "test_accuracy")
    for method in ("ticket", "rewound"):
        assert mean(record, method, last, "test_accuracy") > dense
    assert mean(record, "re-initialized", last, "test_accuracy") < dense


def test_conv_2_is_recorded_with_first_values_that_matter():
    """Lesson 04: with new weights a mask does worse, and the smallest no better than a random one."""
    for record, lead in ((runs.load("lottery-conv-2", "desk"), 0.05), (runs.load("lottery-conv-2", "paper"), 0.03)):
        for number in record.settings["redrawn"]:
            ticket, new = (mean(record, method, number, "test_accuracy") for method in ("ticket", "re-initialized"))
            assert ticket > new + lead
        assert new == pytest.approx(mean(record, "random", number, "test_accuracy"), abs=0.02)
        assert mean(record, "ticket", number, "test_accuracy") < mean(record, "ticket", 0, "test_accuracy")


def test_conv_2_is_recorded_at_the_papers_length_with_tickets_that_win():
    """Lesson 04: better down to a tenth of the weights, as good down to a twentieth; sooner, as the others are not."""
    record = runs.load("lottery-conv-2", "paper")
    change = {n: record.change("ticket", n, "test_accuracy")[0] for n in range(1, record.settings["rounds"] + 1)}
    density = {n: record.values("ticket", n, "density")[0] for n in change}
    assert all(change[n] > 0 for n in change if density[n] > 0.1)
    assert all(change[n] > -0.005 for n in change if density[n] > 0.05)
    stops = record.curve("ticket", "early_stop")
    assert min(map(fmean, stops.values())) < 0.5 * fmean(stops[1.0])
    later = [mean(record, "re-initialized", n, "early_stop") for n in record.settings["redrawn"]]
    assert later == sorted(later) and later[0] > mean(record, "ticket", 0, "early_stop")


def test_a_residual_network_is_recorded_as_unstable_at_first_and_stable_soon_after():
    """Lesson 04: two runs from iteration 0 on end in two valleys, two that part a twentieth later in one."""
    record = runs.load("instability-resnet-8", "desk")
    assert len(record.trials) >= 2
    assert record.settings["forks"][:2] == [0, record.settings["recipe"]["iterations"] // 20]
    assert min(record.values("fork", 1, "barrier")) > 0.1
    assert max(record.values("fork", 2, "barrier")) < 0.02


@pytest.mark.skipif(not runs.path("lottery-resnet", "night").exists(), reason="not recorded yet")
def test_the_residual_network_is_recorded_at_its_end_as_one_whose_ticket_fails_and_is_rescued_by_rewinding():
    """Lesson 04: reset it falls with every round, about as with new weights; rewound it is level with the dense one."""
    record = runs.load("lottery-resnet", "night")
    assert len(record.trials) >= 2
    found = {
        m: [mean(record, m, n, "test_accuracy") for n in range(4)] for m in ("ticket", "re-initialized", "rewound")
    }
    dense = found["ticket"][0]
    assert found["ticket"] == sorted(found["ticket"], reverse=True)
    for number in (1, 2, 3):
        assert max(record.change("ticket", number, "test_accuracy")) < 0
        assert found["ticket"][number] - found["re-initialized"][number] < 0.03
        assert found["rewound"][number] > dense - 0.005
        assert mean(record, "random", number, "test_accuracy") < found["ticket"][number]
    assert found["rewound"][3] - found["ticket"][3] > 0.05


@pytest.mark.skipif(not runs.path("lottery-length", "night").exists(), reason="not recorded yet")
def test_the_ticket_is_recorded_as_ahead_of_the_dense_network_in_short_trainings_and_behind_in_long_ones():
    """Lesson 04: the ticket's lead turns; rewound, the same mask keeps more of it."""
    gains = tickets.gains_by_length(runs.load("lottery-length", "night"))
    lead = {method: {length: fmean(found) for length, found in curve.items()} for method, curve in gains.items()}
    first, last = min(lead["ticket"]), max(lead["ticket"])
    assert lead["ticket"][first] > 0 > lead["ticket"][last]
    assert lead["ticket"][last] < lead["rewound"][last]


@pytest.mark.parametrize("n", [2, 4, 6, 8])
def test_supermasks_of_convolutions_are_recorded_as_best_from_two_values_and_lost_with_xavier(n):
    """Lesson 07: the signed constant before Kaiming, Xavier far behind, in every seed; training before Kaiming."""
    record = runs.load(f"hidden-conv-{n}", "night")
    kaiming, xavier, constant = (
        record.by("k", "test_accuracy", kind)[0.5] for kind in ("kaiming", "xavier", "signed constant")
    )
    for seed, trained in enumerate(record.values("trained", 0, "test_accuracy")):
        assert xavier[seed] + 0.05 < kaiming[seed] < constant[seed] and kaiming[seed] < trained


def test_the_best_share_is_recorded_in_the_middle_and_all_the_weights_at_chance():
    """Lesson 07: in Conv-2 three shares in the middle are close to each other, and the ends are behind."""
    curve = runs.load("hidden-conv-2", "night").by("k", "test_accuracy", "kaiming")
    middle = [curve[k] for k in (0.3, 0.5, 0.7)]
    assert min(map(min, middle)) > max(map(max, middle)) - 0.03
    assert min(map(min, middle)) > max(curve[0.1] + curve[0.9]) and max(curve[1.0]) < 0.15


def kept_leads(name):
    """The share of the lead that tickets from elsewhere keep, of each pair of tasks and each round that was tried."""
    matrix = TransferMatrix(runs.load(name, "desk").trials)
    pairs = [(source, target) for source in matrix.sources for target in matrix.targets if source != target]
    return matrix, {(*pair, n): matrix.lead_kept(*pair, n) for pair in pairs for n in matrix.rounds}


def test_lenets_tickets_are_recorded_as_staying_at_home():
    """Lesson 05: from elsewhere hardly better than random, in both directions, at every density, 3 seeds or more."""
    matrix, kept = kept_leads("transfer-lenet-300-100")
    assert len(matrix.trials) >= 3 and len(matrix.rounds) >= 5
    assert max(kept.values()) < 0.25
    for target in matrix.targets:
        leads = [min(matrix.gain(target, target, n)) for n in matrix.rounds]
        assert leads == sorted(leads) and leads[0] > 0


def test_tickets_are_recorded_as_good_for_another_optimizer():
    """Lesson 05: nearly all of the lead is kept."""
    matrix, kept = kept_leads("transfer-optimizers")
    assert len(matrix.trials) >= 2
    assert min(kept.values()) > 0.85


def test_the_mask_is_recorded_as_what_travels_between_photographs_and_nothing_as_what_reaches_clothes():
    """Lesson 05: the mask carries the lead between halves; to and from clothes neither mask nor values do anything."""
    matrix = TransferMatrix(runs.load("transfer-resnet-controls", "desk").trials)
    assert len(matrix.trials) >= 3
    number = matrix.rounds[-1]
    pairs = {
        "steps": ("ticket", "equal steps"),
        "values": ("equal steps", "mask only"),
        "mask": ("mask only", "random"),
    }
    for source, target in matrix.gains(number):
        found = {name: student(matrix.minus(*pair, source, target, number)) for name, pair in pairs.items()}
        if source == target:
            continue
        if "Fashion" in source + target:
            assert all(found[name].low < 0 < found[name].high for name in ("values", "mask"))
            assert found["steps"].center < 0
        else:
            assert found["mask"].low > 4 * abs(found["values"].center) > 0 > found["steps"].center


def test_tickets_of_fewer_images_are_recorded_as_worse_at_home_and_as_nothing_elsewhere():
    """Lesson 05: all of MNIST, a half, a tenth; at Fashion-MNIST hardly a gain of any."""
    matrix = TransferMatrix(runs.load("transfer-sizes", "desk").trials)
    digits, clothes = matrix.targets
    for n in matrix.rounds:
        gains = {target: [fmean(matrix.gain(s, target, n)) for s in matrix.sources[:3]] for target in matrix.targets}
        assert gains[digits] == sorted(gains[digits], reverse=True)
        assert max(gains[clothes]) < 0.2 * fmean(matrix.gain(clothes, clothes, n))
    # at the smallest size the difference is larger than that of the seeds
    last = matrix.rounds[-1]
    assert max(matrix.gain(matrix.sources[2], digits, last)) < min(matrix.gain(digits, digits, last))


def test_convolutional_tickets_are_recorded_as_good_for_like_data_and_for_no_other():
    """Lesson 05: between halves of CIFAR-10 most of the lead is kept; between photographs and clothes none."""
    matrix, kept = kept_leads("transfer-resnet")
    first, second, clothes = matrix.sources
    assert len(matrix.trials) >= 2
    for n in matrix.rounds:
        assert kept[first, second, n] > 0.75
        for source, target in ((first, clothes), (second, clothes), (clothes, second)):
            assert -0.5 < kept[source, target, n] < 0
            assert max(matrix.gain(source, target, n)) < 0


def change_of_top_1(name, number, method="magnitude"):
    """Test error of a round minus that of the dense network that the rounds began with, of all seeds."""
    record = runs.load(name, "desk")
    assert all("test_top5_error" in row for trial in record.trials for row in trial["rows"])
    return mean(record, method, number, "test_error") - mean(record, "magnitude", 0, "test_error")


def test_vgg_16_is_recorded_as_good_as_its_dense_self_at_a_tenth():
    """Lesson 02: nothing lost of top-1 with each seed, behind the dense network trained on; a mask by lot is worse."""
    record = runs.load("han-vgg-16-cifar", "desk")
    assert record.values("magnitude", 3, "density") == 2 * [pytest.approx(0.1, abs=1e-5)]
    assert min(record.change("magnitude", 3, "test_accuracy")) > 0
    assert mean(record, "magnitude", 3, "test_error") > mean(record, "dense", 3, "test_error")
    assert change_of_top_1("han-vgg-16-cifar", 3, "random") > 0.005


def test_alexnet_is_recorded_as_good_as_its_dense_self_at_a_ninth():
    """Lesson 02: nothing lost of top-1 with each seed, behind the dense network trained on; by lot worse at the end."""
    record = runs.load("han-alexnet-cifar", "desk")
    assert record.values("magnitude", 3, "density") == 2 * [pytest.approx(1 / 9, abs=1e-5)]
    assert min(record.change("magnitude", 3, "test_accuracy")) > 0
    assert change_of_top_1("han-alexnet-cifar", 3, "dense") < change_of_top_1("han-alexnet-cifar", 3)
    assert change_of_top_1("han-alexnet-cifar", 1, "random") < change_of_top_1("han-alexnet-cifar", 1), "half are left"
    assert change_of_top_1("han-alexnet-cifar", 3, "random") > 0.005


def test_at_the_papers_length_supermasks_come_closer_to_training_with_every_depth():
    """Lesson 07: of the first seed, Kaiming's distance shrinks to nothing; the signed constant is always closer."""
    records = [runs.so_far(f"hidden-conv-{n}", "paper") for n in (2, 4, 6, 8)]
    first = [{m: r.values(m, int(m != "trained"), "test_accuracy")[0] for m in r.methods} for r in records]
    behind = [found["trained"] - found["kaiming"] for found in first]
    assert behind == sorted(behind, reverse=True) and behind[0] > 0.03 and abs(behind[-1]) < 0.01
    assert all(found["kaiming"] < found["signed constant"] for found in first if "signed constant" in found)
    assert abs(first[2]["trained"] - first[2]["signed constant"]) < 0.005
    by_eye = (0.775, 0.86, 0.88)
    assert all(abs(found["signed constant"] - seen) < 0.01 for found, seen in zip(first, by_eye, strict=False))
    for record in records[:2]:
        for method in ("trained", "kaiming"):
            found = record.values(method, int(method != "trained"), "test_accuracy")
            assert max(found) - min(found) < 0.01


@pytest.mark.skipif(not runs.path("instability-tickets", "night").exists(), reason="not recorded yet")
def test_the_ticket_that_wins_is_recorded_as_stable_and_the_one_that_loses_is_not():
    """Lesson 04: reset to 0 far from stable and behind; rewound, stable and no worse; the dense one later."""
    record = runs.load("instability-tickets", "night")
    barrier, dense = (record.by("iteration", "barrier", m) for m in ("ticket", "dense"))
    accuracy, whole = (record.by("iteration", "test_accuracy", m) for m in ("ticket", "dense"))
    for seed in range(len(record.trials)):
        assert barrier[0][seed] > 0.1 and accuracy[0][seed] < whole[0][seed] - 0.02
        for k in (400, 2_000):
            assert barrier[k][seed] < 0.02 < barrier[0][seed] and accuracy[k][seed] > whole[k][seed] - 0.01
        assert barrier[400][seed] < dense[400][seed] and 0.01 < dense[400][seed] < 0.03 < dense[0][seed]
