"""A trial: its rows, and that one stopped anywhere goes on to the same bits and does nothing twice."""

import itertools
import json
import shutil
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from ltcourse.experiments import catalog, lottery, trials
from ltcourse.experiments.han import Pruning
from ltcourse.experiments.instability import Instability
from ltcourse.experiments.journal import Journal
from ltcourse.experiments.lengths import Lengths
from ltcourse.experiments.lottery import Lottery
from ltcourse.experiments.rewinds import Rewinds
from ltcourse.experiments.supermask_search import SupermaskSearch
from ltcourse.experiments.trials import Experiment, Settings, describe, row_of, small_data
from ltcourse.networks import masks, models
from ltcourse.pruning import Round, criteria, loop
from ltcourse.training import History, Recipe, checkpoints
from ltcourse.training.checkpoints import OutOfTime

RECIPE = Recipe(iterations=4, evaluate_every=2)
COMMON = {"network": "lenet-300-100", "data": "tiny", "recipe": RECIPE}
RETRAIN = RECIPE.but(iterations=2, lr=1e-4)
SHARES = {"fc1.weight": 0.1, "fc2.weight": 0.2, "fc3.weight": 0.5}
SGD = Recipe(iterations=4, batch=8, optimizer="sgd", lr=0.1, weight_decay=1e-4, schedule="cosine", evaluate_every=2)


def trial_of(name):
    return catalog.get(name).trial


KINDS = {  # each kind of trial: its function, its settings, and the whole trainings behind each row
    "han": (trial_of("han-lenet-5"), Pruning(**COMMON, retrain=RETRAIN, rounds=2, shares=SHARES), 1),
    "penalties": (
        trial_of("penalties-lenet-300-100"),
        Pruning(
            **COMMON,
            retrain=RETRAIN,
            rounds=1,
            densities=(0.5, 0.1),
            penalties=(("weight_decay", 0.0), ("weight_decay", 0.01), ("l1", 1e-3)),
        ),
        1,
    ),
    "lottery": (
        trial_of("lottery-lenet-300-100"),
        Lottery(
            **COMMON, rounds=3, redrawn=(2, 3), shuffled=(1, 3), one_shot=(2, 3), continued=(1, 3), rewind=3, points=3
        ),
        1,
    ),
    "rewinds": (
        trial_of("lottery-resnet-rewinds"),
        Rewinds(network="resnet-8", data="tiny", recipe=SGD, rewinds=(1, 2), rounds=2, rate=0.5, points=3),
        1,
    ),
    "lengths": (
        trial_of("lottery-length"),
        Lengths(network="resnet-8", data="tiny", recipe=SGD, lengths=(2, 4), rewind=0.5),
        1,
    ),
    "residual": (
        trial_of("lottery-resnet"),
        Lottery(
            network="resnet-8", data="tiny", recipe=SGD, rounds=2, rate=0.5, scope="global", redrawn=(2,), rewind=2
        ),
        1,
    ),
    "instability": (trial_of("instability-lenet-300-100"), Instability(**COMMON, forks=(0, 1, 3), points=3), 2),
    "hidden": (
        trial_of("hidden-lenet-300-100"),
        SupermaskSearch(
            **COMMON | {"recipe": SGD.but(augment="crop-flip")},
            trained=RECIPE,
            ks=(0.3, 0.5),
            initializers=("kaiming", "signed constant"),
            widths=(0.5,),
        ),
        1,
    ),
}


def experiment(kind):
    trial, chosen, _ = KINDS[kind]
    return Experiment("small", "Does it go on?", "01_pruning_lenet", {}, trial), chosen


def untimed(rows):
    return [{key: value for key, value in row.items() if key != "seconds"} for row in rows]


def whole(trainings):
    """All but the early parts: a search that rewinds needs that of the dense training again, wherever it goes on."""
    return [training for training in trainings if training.get("end") is None]


# Stopped and gone on with


@pytest.mark.parametrize("kind", KINDS)
def test_a_trial_stopped_after_any_row_goes_on_to_the_same_bits_and_trains_nothing_twice(kind, small_trials, tmp_path):
    of, chosen = experiment(kind)
    unbroken = []
    for row in trials.rows(of, chosen, 1, "cpu", tmp_path / "whole"):
        unbroken.append(row)
        shutil.copy(tmp_path / "whole", tmp_path / f"{len(unbroken)}")  # what a run that is stopped now leaves
    behind_a_row = KINDS[kind][2]
    assert len(whole(small_trials)) == behind_a_row * len(unbroken) > 0
    assert untimed(unbroken) == untimed(trials.rows(of, chosen, 1, "cpu")), "a journal changes the rows"
    for count in range(1, len(unbroken) + 1):
        assert Journal.read(tmp_path / f"{count}").rows == unbroken[:count]
        small_trials.clear()
        again = list(trials.rows(of, chosen, 1, "cpu", tmp_path / f"{count}"))
        assert again[:count] == unbroken[:count]
        assert untimed(again) == untimed(unbroken)
        assert len(whole(small_trials)) == behind_a_row * (len(unbroken) - count)
        assert Journal.read(tmp_path / f"{count}").rows == again


@pytest.mark.parametrize("kind", KINDS)
def test_a_trial_out_of_time_in_the_midst_of_a_training_goes_on_elsewhere_to_the_same_bits(
    kind, small_trials, monkeypatch, tmp_path
):
    of, chosen = experiment(kind)
    unbroken = untimed(trials.rows(of, chosen, 1, "cpu"))
    lengths = itertools.cycle([1, 2, 3, 5, 4, 7, 6, 3, 9, 8, 11])
    left = next(lengths)

    def tick():
        nonlocal left
        left -= 1
        return left < 0

    monkeypatch.setattr(checkpoints, "out_of_time", tick)
    folder, stops = tmp_path / "0", 0
    while True:
        try:
            rows = list(trials.rows(of, chosen, 1, "cpu", folder / "trial"))
            break
        except OutOfTime:
            stops, left = stops + 1, next(lengths)
            folder = Path(shutil.copytree(folder, tmp_path / f"{stops}")) if folder.exists() else folder
    assert untimed(rows) == unbroken
    assert stops > len(unbroken) / 2, "it was stopped within most trainings"
    assert not (folder / "trial.checkpoints").exists()


def test_a_trial_stopped_again_and_again_goes_on_to_the_same_bits(small_trials, tmp_path):
    of, chosen = experiment("lottery")
    unbroken = untimed(trials.rows(of, chosen, 0, "cpu"))
    for count in range(1, len(unbroken)):
        rows = trials.rows(of, chosen, 0, "cpu", tmp_path / "journal")
        assert untimed(itertools.islice(rows, count)) == unbroken[:count]
        rows.close()
    assert untimed(trials.rows(of, chosen, 0, "cpu", tmp_path / "journal")) == unbroken


def test_a_trial_that_fails_within_a_training_keeps_the_rows_before(small_trials, monkeypatch, tmp_path):
    of, chosen = experiment("lottery")
    unbroken = untimed(trials.rows(of, chosen, 0, "cpu"))
    train = lottery.train  # the spy of `small_trials`
    for number in range(0, len(unbroken), 4):
        small_trials.clear()

        def fails(*given, last=number, **choices):
            if len(whole(small_trials)) == last:
                raise MemoryError("no room")
            return train(*given, **choices)

        with monkeypatch.context() as patch:
            patch.setattr(lottery, "train", fails)
            patch.setattr(loop, "train", fails)
            with pytest.raises(MemoryError):
                list(trials.rows(of, chosen, 0, "cpu", tmp_path / f"{number}"))
        assert untimed(Journal.read(tmp_path / f"{number}").rows) == unbroken[:number]
        assert untimed(trials.rows(of, chosen, 0, "cpu", tmp_path / f"{number}")) == unbroken


# Rows


@dataclass(frozen=True, kw_only=True)
class Waits(Settings):
    waits: tuple[float, ...]


def test_a_row_is_journaled_before_it_is_handed_over_with_the_seconds_that_it_took(monkeypatch, tmp_path):
    clock = [100.0]
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])

    def trial(chosen, seed, device, journal):
        for number, wait in enumerate(chosen.waits):
            if journal.lacks("wait", number):
                clock[0] += wait
                yield {"method": "wait", "round": number, "seed": seed, "device": device}

    of = Experiment("waits", "How long?", "01_pruning_lenet", {}, trial)
    chosen = Waits(**COMMON, waits=(1.0, 2.26, 0.5))
    rows = trials.rows(of, chosen, 7, "cpu", tmp_path / "journal")
    for seconds in (1.0, 2.3):
        row = next(rows)
        assert (row["seconds"], row["seed"], row["device"]) == (seconds, 7, "cpu")
        assert Journal.read(tmp_path / "journal").rows[-1] == row
    rows.close()
    assert [row["seconds"] for row in trials.rows(of, chosen, 7, "cpu", tmp_path / "journal")] == [1.0, 2.3, 0.5]


def some_round(history, rate=0.9):
    network = models.create("lenet-300-100")
    return Round(2, criteria.magnitude(masks.prunable(network), masks.dense(network), rate), {}, history)


def history(evaluations):
    losses = [1 / (i + 1) + (i == evaluations) for i in range(1, evaluations + 1)]
    return History(
        [10 * i for i in range(1, evaluations + 1)],
        losses,
        losses,
        [1 - 1 / (i + 1) for i in range(1, evaluations + 1)],
        0.5,
        0.875,
        0.75,
    )


def test_a_row_says_what_the_training_came_to():
    done = some_round(history(4))
    row = row_of("ticket", done)
    assert row["method"] == "ticket" and row["round"] == 2
    assert row["kept"] == masks.kept(done.mask) and row["density"] == done.density == pytest.approx(0.1, abs=1e-5)
    assert row["layers"] == {name: int(m.sum()) / m.numel() for name, m in done.mask.items()}
    assert row["validation_error"] == pytest.approx(1 / 5)  # the last one, not the best
    assert (row["test_error"], row["early_stop_test_error"], row["early_stop"]) == (0.125, 0.25, 30)
    assert "curve" not in row
    assert describe(row) == "ticket · round 2 · P_m 10.00% · validation error 20.00%"


@pytest.mark.parametrize("missing", ["test_accuracy", "early_stop_test_accuracy"])
def test_a_training_that_was_stopped_makes_no_row(missing):
    stopped = history(4)
    setattr(stopped, missing, None)
    with pytest.raises(ValueError, match="ticket, round 2: the training was stopped before its end"):
        row_of("ticket", some_round(stopped))


@pytest.mark.parametrize("evaluations", [1, 2, 49, 50, 51, 99, 100, 101, 500])
@pytest.mark.parametrize("points", [1, 7, 50])
def test_a_curve_is_thinned_evenly_and_keeps_the_last_evaluation(evaluations, points):
    full = history(evaluations)
    curve = row_of("ticket", some_round(full), points=points)["curve"]
    numbers = curve["iterations"]
    assert numbers[-1] == full.iterations[-1]
    assert min(evaluations, points) / 2 < len(numbers) <= points
    assert len({b - a for a, b in itertools.pairwise(numbers)}) <= 1
    assert len(curve["validation_loss"]) == len(curve["validation_error"]) == len(numbers)
    for iteration, error, loss in zip(*curve.values(), strict=True):
        index = full.iterations.index(iteration)
        assert error == pytest.approx(1 - full.validation_accuracy[index], abs=5e-6)
        assert loss == pytest.approx(full.validation_loss[index], abs=5e-6)


def test_rows_are_plain_json_whatever_the_kind(small_trials):
    """They go through JSON in the journal, in the record and on the way from a worker."""
    for kind in KINDS:
        of, chosen = experiment(kind)
        row = next(trials.rows(of, chosen, 0, "cpu"))
        assert json.loads(json.dumps(row)) == row


def test_the_smoke_budget_alone_sees_a_small_data_set():
    assert {at: small_data(at, "mnist") for at in trials.BUDGETS} == {
        **dict.fromkeys(trials.BUDGETS, "mnist"),
        "smoke": "fashion-mnist-mini",
    }


# Settings as data


def test_what_a_recipe_sets_to_none_is_left_out_wherever_the_recipe_stands():
    augmented = RECIPE.but(augment="crop-flip")
    for recipe, retrain in ((RECIPE, RETRAIN), (augmented, RETRAIN), (RECIPE, augmented)):
        chosen = Pruning(network="lenet-5", data="tiny", recipe=recipe, retrain=retrain, rounds=2, shares=SHARES)
        plain = chosen.to_dict()
        for name, part in (("recipe", recipe), ("retrain", retrain)):
            assert ("augment" in plain[name]) == (part.augment is not None)
            assert plain[name].get("augment") == part.augment
            assert Recipe(**plain[name]) == part, "a setting that is not None was left out"
        assert json.loads(json.dumps(plain)) == plain


@dataclass(frozen=True, kw_only=True)
class Perhaps(Settings):
    limit: float | None = None
    again: Recipe | None = None


def test_none_is_left_out_of_recipes_only():
    plain = Perhaps(**COMMON).to_dict()
    assert plain["limit"] is None and plain["again"] is None and plain["seeds"] == [0]
    assert set(plain["recipe"]) == {
        "iterations", "batch", "optimizer", "lr", "momentum", "weight_decay", "l1", "schedule", "warmup",
        "evaluate_every", "precision",
    }, "a record that was made before there was augmentation no longer counts as one of the same settings"  # fmt: skip
    assert Perhaps(**COMMON, again=RECIPE.but(augment="crop-flip")).to_dict()["again"]["augment"] == "crop-flip"


def test_what_is_done_with_a_row_does_not_count_as_the_next_one(monkeypatch):
    clock = [100.0]
    monkeypatch.setattr(time, "perf_counter", lambda: clock[0])

    def trial(settings, seed, device, journal):
        for number in range(2):
            clock[0] += 0.5
            yield {"method": "ticket", "round": number}

    plain = Experiment(name="plain", question="Is it?", lesson="00_start_here", budgets={}, trial=trial)
    seconds = []
    for row in trials.rows(plain, Settings(**COMMON), 0, "cpu"):
        seconds.append(row["seconds"])
        clock[0] += 30
    assert seconds == [0.5, 0.5]
