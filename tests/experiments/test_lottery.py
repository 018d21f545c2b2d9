"""The search for winning tickets: what is trained, under which masks, and from which weights."""

import itertools

import pytest
import torch

from ltcourse.experiments.journal import Journal
from ltcourse.experiments.lottery import Lottery, find_tickets
from ltcourse.experiments.trials import row_of
from ltcourse.networks import masks, models
from ltcourse.pruning import prune_iteratively
from ltcourse.pruning.restarts import keep, to_init, to_step
from ltcourse.training import Recipe, train

RECIPE = Recipe(iterations=6, evaluate_every=2)
BESIDE = {"redrawn": (2, 3), "shuffled": (1, 3), "one_shot": (2, 3), "continued": (1, 3)}
LENET = "lenet-300-100"


def plan(**choices):
    return Lottery(**({"network": LENET, "data": "tiny", "recipe": RECIPE, "rounds": 3} | choices))


def same(first, other):
    return first.keys() == other.keys() and all(torch.equal(first[name], other[name]) for name in first)


def counts(mask):
    return {name: int(m.sum()) for name, m in mask.items()}


def fresh(seed=0):
    return models.create(LENET, shape=(1, 7, 7), seed=seed)


@pytest.fixture
def search(small_trials):
    """Run a search on a few images; return its rows, and the training of each, by method and round."""

    def run(seed=0, journal=None, **choices):
        small_trials.clear()
        rows = list(find_tickets(plan(**choices), seed, "cpu", journal or Journal()))
        whole = [t for t in small_trials if t.get("end") is None]  # the others are the early parts, for rewinding
        assert len(rows) == len(whole), "one row a training"
        names = [(row["method"], row["round"]) for row in rows]
        return dict(zip(names, rows, strict=True)), dict(zip(names, whole, strict=True))

    return run


# Which rows


def asked_for(chosen):
    """The rows that the settings ask for, in their order, written down anew."""
    yield "ticket", 0
    for number in range(1, chosen.rounds + 1):
        yield "ticket", number
        for method, wanted in (("re-initialized", chosen.redrawn), ("random", chosen.shuffled)):
            if number in wanted:
                yield method, number
    if chosen.rewind:
        yield from (("rewound", number) for number in range(1, chosen.rounds + 1))
    yield from (("one shot", number) for number in chosen.one_shot)
    for number in range(1, max(chosen.continued, default=0) + 1):
        yield "fine-tuned", number
        if number in chosen.continued:
            yield "reset at the end", number
            yield "from scratch", number


@pytest.mark.parametrize(
    "choices",
    [
        {"rounds": 1},
        {"redrawn": (1, 3)},
        {"shuffled": (2,)},
        {"one_shot": (1, 3)},
        {"continued": (2,)},
        {"rewind": 4},
        BESIDE | {"rewind": 1},
        {"scope": "global", "redrawn": (2,), "one_shot": (2,), "rewind": 5},
    ],
    ids=str,
)
def test_the_rows_are_what_the_settings_ask_for_in_order(search, choices):
    rows, _ = search(**choices)
    assert list(rows) == list(asked_for(plan(**choices)))
    assert len(rows) == plan(**choices).trainings


def test_each_row_is_of_its_own_mask_and_training(search):
    rows, trainings = search(**BESIDE)
    for name, row in rows.items():
        mask = trainings[name]["mask"] if row["round"] else masks.dense(fresh())
        assert row["kept"] == masks.kept(mask) and row["density"] == masks.density(mask)
        assert row["layers"] == {layer: masks.density({layer: m}) for layer, m in mask.items()}
        assert row["curve"]["iterations"] == [2, 4, 6]
    # after one round both searches have pruned the same dense network: reset, it is the ticket
    assert rows["reset at the end", 1] == rows["ticket", 1] | {"method": "reset at the end"}
    assert len({tuple(row["curve"]["validation_loss"]) for row in rows.values()}) == len(rows) - 1


def test_the_curve_is_left_out_where_no_points_are_asked_for(search):
    rows, _ = search(points=0, redrawn=(1,))
    assert not any("curve" in row for row in rows.values())


def test_a_seed_decides_the_result_and_the_order_of_the_examples(search):
    rows, trainings = search(seed=4, **BESIDE)
    assert {training["seed"] for training in trainings.values()} == {4}
    assert all(training["recipe"] == RECIPE for training in trainings.values())
    again, _ = search(seed=4, **BESIDE)
    other, _ = search(seed=5, **BESIDE)
    assert rows == again
    assert all(rows[name] != other[name] for name in rows)


def test_global_randomness_is_not_touched(search, global_randomness_untouched):
    search(**BESIDE)


# Under which masks


def test_what_is_compared_is_of_equal_size_layer_by_layer(search):
    _, trainings = search(**BESIDE, rounds=4)
    left = {name: m.numel() for name, m in masks.dense(fresh()).items()}
    for number in range(1, 5):
        left = {name: n - round((0.1 if name == "fc3.weight" else 0.2) * n) for name, n in left.items()}
        for method in ("ticket", "re-initialized", "random", "fine-tuned", "reset at the end", "from scratch"):
            if (method, number) in trainings:
                assert counts(trainings[method, number]["mask"]) == left, method
    for number in (2, 3):
        ticket, one_shot = (counts(trainings[method, number]["mask"]) for method in ("ticket", "one shot"))
        for name, n in one_shot.items():
            assert abs(n - ticket[name]) <= number, "each round rounds once"


@pytest.mark.parametrize("scope", ["layer", "global"])
def test_the_controls_of_a_network_have_its_mask(search, scope):
    _, trainings = search(scope=scope, redrawn=(2, 3), continued=(1, 3))
    for number in (2, 3):
        assert same(trainings["ticket", number]["mask"], trainings["re-initialized", number]["mask"])
    for number in (1, 3):
        fine_tuned = trainings["fine-tuned", number]["mask"]
        assert same(fine_tuned, trainings["reset at the end", number]["mask"])
        assert same(fine_tuned, trainings["from scratch", number]["mask"])
    assert not same(trainings["fine-tuned", 3]["mask"], trainings["ticket", 3]["mask"])


@pytest.mark.parametrize("scope", ["layer", "global"])
def test_a_random_mask_is_neither_the_tickets_nor_a_part_of_it(search, scope):
    _, trainings = search(scope=scope, shuffled=(1, 2, 3))
    for number in (1, 2, 3):
        ticket, random = (trainings[method, number]["mask"] for method in ("ticket", "random"))
        assert counts(ticket) == counts(random)
        for name in ticket:
            assert (ticket[name] & ~random[name]).any() and (random[name] & ~ticket[name]).any(), name


@pytest.mark.parametrize(("scope", "rate"), [("layer", 0.2), ("global", 0.45)])
def test_one_shot_prunes_the_trained_dense_network_at_once(search, tiny, scope, rate):
    _, trainings = search(scope=scope, rate=rate, one_shot=(2,))
    dense = fresh()
    train(dense, tiny, RECIPE)
    weights = {name: p.detach().abs() for name, p in masks.prunable(dense).items()}
    mask = trainings["one shot", 2]["mask"]
    share = 1 - (1 - rate) ** 2
    groups = [[name] for name in weights] if scope == "layer" else [list(weights)]
    for group in groups:
        values = torch.cat([weights[name].flatten() for name in group])
        kept = torch.cat([mask[name].flatten() for name in group])
        expected = 1 - 0.9**2 if group == ["fc3.weight"] else share
        assert int(kept.sum()) == len(values) - round(expected * len(values))
        assert values[kept].min() >= values[~kept].max()


# From which weights


def test_tickets_and_what_is_reset_begin_with_the_first_weights(search):
    _, trainings = search(seed=3, **BESIDE)
    θ0 = models.snapshot(fresh(3))
    begun = {name for name, training in trainings.items() if same(training["start"], θ0)}
    assert begun == {(m, n) for m, n in trainings if m in ("ticket", "random", "one shot", "reset at the end")}


def test_redrawn_weights_are_other_ones_each_round_and_for_each_seed(search):
    starts = []
    for seed in (0, 1):
        _, trainings = search(seed=seed, redrawn=(1, 2, 3), continued=(2, 3))
        starts += [models.snapshot(fresh(seed)), *(trainings["re-initialized", n]["start"] for n in (1, 2, 3))]
        for number in (2, 3):
            redrawn, scratch = (trainings[m, number]["start"] for m in ("re-initialized", "from scratch"))
            assert same(redrawn, scratch), "the controls of both searches differ in their masks alone"
    for one, other in itertools.combinations(starts, 2):
        assert all((one[name] == other[name]).float().mean() < 0.001 for name in one if name.endswith("weight"))


def test_fine_tuning_goes_on_from_the_trained_weights_of_the_dense_network(search, tiny):
    _, trainings = search(continued=(2,))
    network = fresh()
    train(network, tiny, RECIPE)
    assert same(trainings["fine-tuned", 1]["start"], models.snapshot(network))
    train(network, tiny, RECIPE, mask=trainings["fine-tuned", 1]["mask"])
    assert same(trainings["fine-tuned", 2]["start"], models.snapshot(network))


# The searches are those of the pruning loop


@pytest.mark.parametrize(
    ("method", "restart", "choices"),
    [
        ("ticket", to_init, {}),
        ("ticket", to_init, {"scope": "global", "rate": 0.4}),
        ("rewound", to_step(3), {"rewind": 3}),
        ("rewound", to_step(5), {"rewind": 5, "scope": "global", "rate": 0.4}),
        ("fine-tuned", keep, {"continued": (3,)}),
    ],
)
def test_a_search_is_the_pruning_loop(search, tiny, method, restart, choices):
    chosen = plan(**choices)
    rows, _ = search(seed=2, **choices)
    loop = prune_iteratively(
        fresh(2),
        tiny,
        RECIPE,
        rate=chosen.rates(masks.dense(fresh())),
        rounds=3,
        scope=chosen.scope,
        restart=restart,
        seed=2,
    )
    for done in loop:
        name = method if done.number else "ticket"  # the dense network is trained once, for all searches
        assert rows[name, done.number] == row_of(name, done, points=chosen.points)


def test_rewinding_goes_on_from_the_dense_networks_early_weights(search, tiny):
    _, trainings = search(rewind=4)
    early = fresh()
    train(early, tiny, RECIPE, end=4)
    for number in (1, 2, 3):
        assert trainings["rewound", number]["begin"] == 4
        assert same(trainings["rewound", number]["start"], models.snapshot(early))
        assert trainings["ticket", number]["begin"] == 0


def test_a_rewind_behind_the_run_is_refused_in_one_sentence(search):
    with pytest.raises(ValueError, match="cannot rewind to iteration 7 of a training of 6") as caught:
        search(rewind=7)
    assert "\n" not in str(caught.value)


# Rates


def test_the_output_layer_goes_at_half_the_rate_and_convolutions_at_their_own():
    mask = masks.dense(models.create("conv-2", device="meta"))
    rates = plan(rate=0.2, conv_rate=0.1).rates(mask)
    assert rates == pytest.approx(
        {"conv1.weight": 0.1, "conv2.weight": 0.1, "fc1.weight": 0.2, "fc2.weight": 0.2, "fc3.weight": 0.1}
    )
    assert plan(rate=0.2).rates(mask)["conv1.weight"] == pytest.approx(0.2)


@pytest.mark.parametrize("rounds", [1, 2, 5, 16])
def test_rates_of_many_rounds_at_once_keep_what_the_rounds_keep(rounds):
    mask = masks.dense(models.create("conv-2", device="meta"))
    chosen = plan(rate=0.3, conv_rate=0.1)
    once, each = chosen.rates(mask, rounds), chosen.rates(mask)
    assert once.keys() == mask.keys()
    for name in mask:
        assert 1 - once[name] == pytest.approx((1 - each[name]) ** rounds)
    assert plan(rate=0.3, scope="global").rates(mask, rounds) == pytest.approx(1 - 0.7**rounds)
